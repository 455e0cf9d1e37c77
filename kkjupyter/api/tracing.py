"""``kk.trace`` and ``kk.tracing``."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from kkjupyter.calls.call import Call
from kkjupyter.calls.state import CallState
from kkjupyter.client.remote import Remote, session_of
from kkjupyter.errors import UsageError
from kkjupyter.traces.record import CallRecord
from kkjupyter.traces.recorder import everywhere, newest_record
from kkjupyter.traces.trace import Trace
from kkjupyter.vovk.client.call import VovkState

__all__ = ["record_of", "trace", "tracing"]


def trace(of: Call | Remote | None = None) -> Trace:
    """What went over the wire for a call: direction, time and size of its frames.

    As the last line of a cell it is drawn as a sequence diagram; its ``rows`` are the frames. That
    much is always kept of the newest calls of every connection. What the frames hold is there if
    the call was made while that was asked for: ``with kk.tracing(api): ...``, ``%rpc trace on``, or
    ``%rpc api.method() --trace``. Tokens, cookies and the like are left out of it.

    Args:
        of: a call, under way or over; or a connection, whose last call is meant; without it the
            last call of all is.

    Raises:
        UsageError: there is nothing of the kind.
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
    """What is noted of a call; of one that a fetcher of the user's makes up, of its newest part."""
    return _record_of(call._state)


def _record_of(state: CallState) -> CallRecord | None:
    if state.record is None and isinstance(state, VovkState) and state.made:
        return _record_of(state.made[-1])
    return state.record


@contextlib.contextmanager
def tracing(*connections: Remote) -> Iterator[None]:
    """Inside it, what the frames hold is kept for :func:`trace`, besides direction, time and size.

    Args:
        connections: of these; without any, of all.
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
