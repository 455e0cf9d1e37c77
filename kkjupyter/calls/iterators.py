"""Taking what a call brings: in ``for``, in ``async for``, and without waiting.

Whatever takes has the call for itself; when it is disposed of, the call is cancelled.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, Literal, Self

from kkjupyter.calls.state import CallState
from kkjupyter.errors import UsageError
from kkjupyter.runtime.hooks import run_before_wait
from kkjupyter.runtime.loop_threads import io_loop
from kkjupyter.runtime.turns import TURN_S, CancelWatch, monotonic_s

__all__ = [
    "AsyncCallIterator",
    "CallIterator",
    "Consumer",
    "Unclaimed",
    "interrupted",
    "raise_if_failed",
]

# How long an interrupted wait gives the cancel to leave; mostly that takes 1 ms.
_GRACE_S = 0.05


class Unclaimed:
    """Stands for the call of a loop until that takes its first item, and claims the call then.

    Some code, such as ``tqdm.auto``, asks for an iterator more than once and uses one of them. This
    costs the loop nothing for each item.

    Args:
        claim: claims the call, or raises UsageError; it holds the user's handle, too.
    """

    __slots__ = ("buffer", "claim")

    batch = ()

    def __init__(self, claim: Callable[[], CallState]) -> None:
        self.claim = claim
        self.buffer = self

    def cancel(self) -> None:
        """Nothing is claimed that could be cancelled."""

    give_up = cancel


class CallIterator:
    """One ``for`` over a call. Nothing else holds it, so leaving the loop disposes of it at once.

    Args:
        state: claimed for this loop, or to be claimed at its first item.
        deadline_s: on the monotonic clock; the loop is over then, whether the call is or not.
    """

    __slots__ = ("_before", "_cancelling", "_deadline_s", "_state", "_through", "_watch")

    def __init__(self, state: CallState | Unclaimed, deadline_s: float | None = None) -> None:
        self._state: Any = state
        self._deadline_s = deadline_s
        self._through = False
        run_before_wait()
        self._watch = CancelWatch()
        self._cancelling, self._before = self._watch.cancelling, self._watch.before

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Any:
        # Looked at for each item: plain code leaves its loop no moment to end this task.
        if self._cancelling is not None and self._cancelling() > self._before:
            self._task_was_cancelled()
        state = self._state
        batch = state.buffer.batch
        if batch:  # the short way, for each of a million items
            return batch.pop()
        if state.__class__ is Unclaimed:
            state = self._state = state.claim()
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
            except (KeyboardInterrupt, asyncio.CancelledError):
                interrupted(state)
                raise
            if not in_time:
                if self._deadline_s is not None and time.monotonic() >= self._deadline_s:
                    break
                _expire_idle(state)
        raise StopIteration

    def _task_was_cancelled(self) -> None:
        """The task in which this was begun, that is; it may have been handed to a thread."""
        watch = self._watch
        if watch.is_cancelled:
            interrupted(self._state)
            watch.raise_if_cancelled()
        self._cancelling, self._before = watch.cancelling, watch.before

    def _what_to_wait_for(self) -> tuple[Callable[[], bool], float | None]:
        ready, timeout_s = _next_step(self._state)
        if self._deadline_s is not None:
            left_s = self._deadline_s - time.monotonic()
            timeout_s = left_s if timeout_s is None else min(left_s, timeout_s)
        return ready, timeout_s

    def __del__(self) -> None:
        self._state.give_up()


class AsyncCallIterator:
    """One ``async for`` over a call; as :class:`CallIterator`.

    It gives its event loop back at least every 2 ms, however much there is to take.
    """

    __slots__ = ("_due_at_s", "_state", "_through", "_watch")

    def __init__(self, state: CallState | Unclaimed) -> None:
        self._state: Any = state
        self._through = False
        run_before_wait()
        self._watch = CancelWatch()
        self._due_at_s = monotonic_s() + TURN_S

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        state = self._state
        if monotonic_s() >= self._due_at_s:
            await self._give_turn()
        batch = state.buffer.batch
        if batch:  # the short way, for each of a million items
            return batch.pop()
        if state.__class__ is Unclaimed:
            state = self._state = state.claim()
        while not self._through:
            try:
                return state.take()
            except IndexError:
                pass
            if state.finished:
                self._through = True
                _raise_at_end(state)
                break
            if self._watch.is_cancelled:
                await self._give_turn()
            try:
                in_time = await state.wait_async(*_next_step(state))
            except BaseException:
                state.cancel()
                raise
            if not in_time:
                _expire_idle(state)
        raise StopAsyncIteration

    async def _give_turn(self) -> None:
        try:
            await asyncio.sleep(0)
            self._watch.raise_if_cancelled()
        except BaseException:  # as while it waits
            self._state.cancel()
            raise
        self._due_at_s = monotonic_s() + TURN_S

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

    @property
    def away_since_s(self) -> float | None:
        """Since when its connection is broken and made again, by ``time.monotonic()``; or None."""
        state = self._state
        return None if state.over else state.backend.away_since_s

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
    """Ctrl-C: cancel the call, and give the cancel the time to leave before the cell ends."""
    state.cancel()
    io_loop().flush(timeout_s=_GRACE_S)
