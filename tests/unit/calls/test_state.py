"""A call's state, where two threads come upon it at once."""

from __future__ import annotations

import pytest

from kkjupyter.calls.state import CallState


class Nobody:
    """A backend that carries nothing."""

    reading_paused = False

    def cancel_call(self, state: CallState) -> None: ...
    def pull(self, state: CallState) -> None: ...
    def reconsider_reading(self) -> None: ...


def test_what_comes_in_the_moment_of_a_cancel_is_not_delivered() -> None:
    state = CallState("ticks", "ticks()", "1", Nobody())  # type: ignore[arg-type]
    state.opened("1")
    state.put("before", 1)
    assert state.take() == "before"
    state.cancel()
    state.buffer.put("late", 1)  # as by the I/O loop, which has looked at the phase before
    with pytest.raises(IndexError):
        state.take()
    assert state.finished
