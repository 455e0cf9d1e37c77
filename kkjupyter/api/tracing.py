"""``kk.trace`` and ``kk.tracing``."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from kkjupyter.calls.call import Call
from kkjupyter.calls.state import CallState
from kkjupyter.client.remote import Remote, session_of
from kkjupyter.errors import UsageError
from kkjupyter.traces.record import CallRecord
from kkjupyter.traces.record import record_of as record_of_state
from kkjupyter.traces.recorder import everywhere, newest_record
from kkjupyter.traces.trace import Trace
from kkjupyter.vovk.client.call import VovkState

__all__ = ["record_of", "trace", "tracing"]


def trace(of: Call | Remote | None = None) -> Trace:
    """The frames that went over the wire for a call, with direction, time and size.

    As the last line of a cell it is drawn as a sequence diagram; its ``rows`` are the frames. This
    is always kept for the newest calls of every connection. The content of the frames is kept only
    if the call was made while that was turned on: ``with kk.tracing(api): ...``, ``%rpc trace on``,
    or ``%rpc api.method() --trace``. Tokens, cookies and other secrets are left out.

    Args:
        of: a call, running or ended; or a connection, for its last call; by default the last call
            of all.

    Raises:
        UsageError: there is no such call.
    """
    record: CallRecord | None
    match of:
        case Call():
            record = record_of(of)
            missing = f"{of.title} was not sent over a connection of this side"
        case Remote():
            session = session_of(of)
            record = session.recorder.last()
            missing = f"no call was made at {session.url} yet"
        case None:
            record = newest_record()
            missing = "no call was made yet"
        case _:
            raise UsageError(
                f"kk.trace takes a call or a connection, not {type(of).__name__}; without an "
                "argument it shows the last call"
            )
    if record is None:
        raise UsageError(missing)
    return record.trace()


def record_of(call: Call) -> CallRecord | None:
    """The record of a call; for a call of a user's fetcher, the record of its newest part."""
    return _record_of(call._state)


def _record_of(state: CallState) -> CallRecord | None:
    if state.observer is None and isinstance(state, VovkState) and state.made:
        return _record_of(state.made[-1])
    return record_of_state(state)


@contextlib.contextmanager
def tracing(*connections: Remote) -> Iterator[None]:
    """A block in which the content of frames is kept for :func:`trace`, too.

    Args:
        connections: the connections to trace; all if none is given.
    """
    for one in connections:
        if not isinstance(one, Remote):
            raise UsageError(f"kk.tracing takes connections, not {type(one).__name__}")
    switches = [session_of(one).recorder.switch for one in connections] or [everywhere]
    for switch in switches:
        switch.on()
    try:
        yield
    finally:
        for switch in switches:
            switch.off()
