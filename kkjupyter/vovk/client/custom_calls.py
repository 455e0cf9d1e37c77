"""Turns the result of a user's fetcher into a Call like any other."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
from collections import deque
from collections.abc import Callable
from typing import Any

from kkjupyter.calls.buffer import SOFT_LIMIT_ITEMS
from kkjupyter.calls.call import Call, is_stream
from kkjupyter.calls.state import CallState
from kkjupyter.connection.pumps import SyncPump, ThrowRequest, is_async_stream, pump_async
from kkjupyter.errors import UsageError
from kkjupyter.runtime.loop_threads import handler_loop, io_loop
from kkjupyter.runtime.waiting import Notifier, wait_async, wait_blocking
from kkjupyter.vovk.client.call import VovkState

__all__ = ["CustomRun"]


class CustomRun:
    """Drives one outcome into a call: as its backend, and as the sink of the pump.

    Args:
        outcome: a value, an awaitable, or a stream.
        made: the calls that were made to get it; while it runs, they are cancelled with it, because
            a generator that waits for one of them would notice nothing before its next item.
        on_over: called when it has ended. I/O loop.

    Attributes:
        state: the call; set it before :meth:`start`.
        reading_paused: whether the stream waits for its consumer.
        cancelled: nobody wants anything more.
        interrupted: the task that runs it has been told so.
        throw_requests: always empty: nothing can be thrown into it.
    """

    state: VovkState

    def __init__(
        self, outcome: Any, made: list[CallState], on_over: Callable[[CallState], object]
    ) -> None:
        self.reading_paused = False
        self.cancelled = False
        self.interrupted = False
        self.throw_requests: deque[ThrowRequest] = deque()
        self._outcome = outcome
        self._made = made
        self._on_over = on_over
        self._notifier = Notifier()
        self._sent_items = 0
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin, in a copy of the caller's context. Any thread."""
        io_loop().post(self._start_timer)
        handler_loop().post(self._begin, contextvars.copy_context())

    # ---- the backend of its call

    away_since_s: float | None = None  # what it drives is here

    def cancel_call(self, state: CallState) -> None:
        state.stop_timer()
        self.cancelled = True
        self._notifier.notify()
        for inner in self._made:
            inner.cancel()
        handler_loop().post(self._stop)
        self._on_over(state)

    def reconsider_reading(self) -> None:
        self._notifier.notify()

    def pull(self, state: CallState) -> None:
        """Nothing to grant: there is no credit."""

    def throw(self, state: CallState, error: Any) -> CallState:
        raise UsageError(f"{state.method}: an error cannot be thrown into a stream over HTTP")

    # ---- the sink of a pump

    @property
    def must_wait(self) -> bool:
        if self.cancelled:  # until the task is told: values made in the meantime are not wanted
            return not self.interrupted
        return self._sent_items - self.state.buffer.taken_items >= SOFT_LIMIT_ITEMS

    async def room(self) -> None:
        self.reading_paused = True
        await wait_async(self._notifier, lambda: not self.must_wait)
        self.reading_paused = False

    def wait_for_room(self) -> None:
        self.reading_paused = True
        wait_blocking(self._notifier, lambda: self.cancelled or not self.must_wait)
        self.reading_paused = False

    def send_item(self, value: Any) -> None:
        self._sent_items += 1
        io_loop().post(self._put, value)

    def answer_throw(self, request: ThrowRequest, value: Any) -> None:
        """There are none."""

    # ---- the handlers' loop

    def _begin(self, context: contextvars.Context) -> None:
        loop = asyncio.get_running_loop()
        self._task = loop.create_task(self._run(), context=context)
        self._task.add_done_callback(self._done)
        if self.cancelled:
            self._stop()

    def _stop(self) -> None:
        if self._task is not None:
            self.interrupted = True
            self._task.cancel()

    def _done(self, task: asyncio.Task[None]) -> None:
        if inspect.iscoroutine(self._outcome):
            self._outcome.close()  # it may not even have begun
        error = None if task.cancelled() else task.exception()
        if error is not None:
            io_loop().post(self._settle, self.state.failed, error)
        elif task.cancelled():
            io_loop().post(self._settle, self.state.cancel)

    async def _run(self) -> None:
        value = self._outcome
        while inspect.isawaitable(value):
            if isinstance(value, Call):
                value = await value  # a stream gives itself
                break
            value = await value
        if not is_stream(value):
            io_loop().post(self._settle, self.state.replied, value)
            return
        io_loop().post(self.state.opened, "")
        if is_async_stream(value):
            returned = await pump_async(value, self)
        else:
            returned = await SyncPump(value, self, "kkjupyter-generator").run()
        io_loop().post(self._settle, self.state.ended, returned)

    # ---- the I/O loop

    def _start_timer(self) -> None:
        if not self.state.answered():
            self.state.start_timer()

    def _put(self, value: Any) -> None:
        self.state.put(value, 0)
        self.state.notifier.notify()

    def _settle(self, how: Callable[..., object], *outcome: Any) -> None:
        how(*outcome)
        self._on_over(self.state)
