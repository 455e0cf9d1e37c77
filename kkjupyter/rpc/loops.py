"""Taking what a call brings: in ``for``, in ``async for``, and without waiting.

Whatever takes has the call for itself; when it is disposed of, the call is cancelled.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Literal, Self

from kkjupyter.errors import UsageError
from kkjupyter.rpc.callstate import CallState
from kkjupyter.rpc.portal import io_loop

__all__ = ["AsyncLoop", "Consumer", "PlainLoop", "interrupted", "raise_if_failed"]

# How long an interrupted wait gives the cancelled call to end.
_GRACE_S = 0.5


class PlainLoop:
    """One ``for`` over a call. Nothing else holds it, so leaving the loop disposes of it at once.

    Args:
        state: claimed for this loop.
        deadline_s: on the monotonic clock; the loop is over then, whether the call is or not.
    """

    __slots__ = ("_deadline_s", "_state", "_through")

    def __init__(self, state: CallState, deadline_s: float | None = None) -> None:
        self._state = state
        self._deadline_s = deadline_s
        self._through = False

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Any:
        state = self._state
        batch = state.buffer.batch
        if batch:  # the short way, for each of a million items
            return batch.pop()
        while not self._through:
            try:
                return state.take()
            except IndexError:
                pass
            if state.finished:
                self._through = True
                _raise_at_end(state)
                break
            try:
                in_time = state.wait_blocking(*self._what_to_wait_for())
            except KeyboardInterrupt:
                interrupted(state)
                raise
            if not in_time:
                if self._deadline_s is not None and time.monotonic() >= self._deadline_s:
                    break
                _expire_idle(state)
        raise StopIteration

    def _what_to_wait_for(self) -> tuple[Callable[[], bool], float | None]:
        ready, timeout_s = _next_step(self._state)
        if self._deadline_s is not None:
            left_s = self._deadline_s - time.monotonic()
            timeout_s = left_s if timeout_s is None else min(left_s, timeout_s)
        return ready, timeout_s

    def __del__(self) -> None:
        self._state.give_up()


class AsyncLoop:
    """One ``async for`` over a call; as :class:`PlainLoop`."""

    __slots__ = ("_state", "_through")

    def __init__(self, state: CallState) -> None:
        self._state = state
        self._through = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        state = self._state
        batch = state.buffer.batch
        if batch:  # the short way, for each of a million items
            return batch.pop()
        while not self._through:
            try:
                return state.take()
            except IndexError:
                pass
            if state.finished:
                self._through = True
                _raise_at_end(state)
                break
            try:
                in_time = await state.wait_async(*_next_step(state))
            except BaseException:
                state.cancel()
                raise
            if not in_time:
                _expire_idle(state)
        raise StopAsyncIteration

    def __del__(self) -> None:
        self._state.give_up()


class Consumer:
    """The one loop of a call, for those who must not wait: views.

    Register with :meth:`on_ready`, take what is there, register again, until :attr:`finished`.
    """

    def __init__(self, state: CallState) -> None:
        self._state = state

    @property
    def kind(self) -> Literal["unary", "stream"] | None:
        """What the reply turned out to be; None before it came."""
        return self._state.kind

    @property
    def finished(self) -> bool:
        """Whether the call is over and every value was taken."""
        return self._state.finished

    @property
    def error(self) -> BaseException | None:
        """What the call ended with, if it failed or was cancelled; it counts as seen."""
        return self._state.look() if self._state.finished else None

    @property
    def value(self) -> Any:
        """A unary call's value, or what a generator returned (``undefined`` if nothing)."""
        return self._state.value

    def take(self, limit: int = 65_536) -> list[Any]:
        """Up to ``limit`` values that have arrived; an empty list if there are none now."""
        values: list[Any] = []
        take = self._state.take
        try:
            while len(values) < limit:
                values.append(take())
        except IndexError:
            pass
        return values

    def on_ready(self, callback: Callable[[], object]) -> None:
        """Have ``callback()`` called once when there is something new; at once if there is now.

        It may run in any thread and must be quick.
        """
        self._state.watch(callback)

    def cancel(self) -> None:
        """Cancel the call. Any thread."""
        self._state.cancel()

    def __del__(self) -> None:
        self._state.give_up()


def raise_if_failed(state: CallState) -> None:
    """Raise what the call ended with, if it failed or was cancelled."""
    error = state.look()
    if error is not None:
        # The traceback of where it was raised before is of no use here.
        raise error.with_traceback(None)


def _raise_at_end(state: CallState) -> None:
    if state.kind == "unary":
        raise UsageError(
            f"{state.title} returned a value, not a stream; use `await` or .result() instead"
        )
    raise_if_failed(state)


def _next_step(state: CallState) -> tuple[Callable[[], bool], float | None]:
    """What a loop waits for, and how long: the idle limit counts from when the stream is open."""
    if state.idle_timeout_s is not None and not state.answered():
        return state.answered, None
    return state.something_to_take, state.idle_timeout_s


def _expire_idle(state: CallState) -> None:
    assert state.idle_timeout_s is not None
    state.expire(state.idle_timeout_s, "next item")


def interrupted(state: CallState) -> None:
    """Ctrl-C: cancel, and leave the cancel the time to get out before the cell ends."""
    state.cancel()
    io_loop().flush(timeout_s=_GRACE_S)
