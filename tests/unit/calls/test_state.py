"""What a call tells of its end, and to whom."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from support.waiting import PATIENCE_S, until

import kkjupyter as kk
from kkjupyter.calls.call import Call
from kkjupyter.calls.callback_jobs import Jobs
from kkjupyter.calls.callbacks import CallbackRegistry
from kkjupyter.calls.state import CallState
from kkjupyter.runtime.loop_threads import io_loop
from kkjupyter.wire.kkrpc.compact.protocol import Compact


class Backend:
    """Takes calls nowhere."""

    reading_paused = False

    def cancel_call(self, state: CallState) -> None: ...
    def reconsider_reading(self) -> None: ...
    def pull(self, state: CallState) -> None: ...
    def throw(self, state: CallState, error: Any) -> CallState:
        return CallState(state.method, f"{state.title}.throw(...)", "2", self)


class Observer:
    def __init__(self, state: CallState) -> None:
        self.seen: list[str] = []
        self._state = state

    def call_ended(self) -> None:
        self.seen.append(self._state.phase)


def failed(state: CallState) -> None:
    state.failed(kk.RemoteError("boo"))


def broken_off(state: CallState) -> None:
    state.break_off(kk.BufferOverflow("f", limit_bytes=1))


@pytest.mark.parametrize(
    ("end", "phase", "is_ended_locally"),
    [
        (lambda state: state.replied(1), "done", False),
        (lambda state: state.ended(1), "done", False),
        (failed, "failed", False),
        (lambda state: state.cancel(), "cancelled", True),
        (lambda state: state.expire(1.0), "failed", True),
        (broken_off, "failed", True),
    ],
)
def test_every_end_is_told_once_when_it_has_come(
    end: Callable[[CallState], None], phase: str, is_ended_locally: bool
) -> None:
    state = CallState("f", "f()", "1", Backend())
    observer = state.observer = Observer(state)
    end(state)
    assert observer.seen == [phase]
    assert state.jobs.ended_locally is is_ended_locally
    for again in (lambda: state.cancel(), lambda: failed(state), lambda: state.ended(2)):
        again()
    assert observer.seen == [phase]
    assert state.jobs.ended_locally is is_ended_locally


def invoke(functions: CallbackRegistry, callback_id: str, arg: int) -> Jobs | None:
    """The peer calls a function."""

    async def run() -> Jobs | None:
        return functions.invoke(callback_id, [arg])

    return io_loop().submit(run()).result(PATIENCE_S)


def test_what_the_peer_calls_after_a_local_end_is_dropped() -> None:
    called: list[int] = []
    functions, protocol = CallbackRegistry(), Compact("json")
    kept, cancelled = (CallState("f", "f()", id_, Backend()) for id_ in "12")
    first, second = (functions.add(called.append, state, protocol) for state in (kept, cancelled))
    cancelled.cancel()
    kept.ended(None)
    assert invoke(functions, second, 2) is None
    jobs = invoke(functions, first, 1)  # a subscription, which goes on
    assert jobs is kept.jobs
    until(lambda: called == [1])


def test_a_throw_is_a_call_of_its_own() -> None:
    state = CallState("f", "f()", "1", Backend())
    state.opened("1")
    answer = Call(state).throw(ValueError("now"))
    assert (answer.title, answer.state) == ("f().throw(...)", "waiting")


def test_what_comes_in_the_moment_of_a_cancel_is_not_delivered() -> None:
    state = CallState("f", "f()", "1", Backend())
    state.opened("1")
    state.put("before", 1)
    state.cancel()
    state.buffer.put("late", 1)  # as by the I/O loop, which has looked at the phase before
    with pytest.raises(IndexError):
        state.take()
    assert state.finished
