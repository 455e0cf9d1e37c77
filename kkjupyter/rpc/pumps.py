"""Moving what a generator yields into an outbox, at the pace of the peer, until it is stopped."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import threading
import time
from collections.abc import AsyncIterable, Iterator
from typing import Any, Protocol

from kkjupyter.rpc.outbox import Outbox
from kkjupyter.rpc.waiting import wait_async, wait_blocking
from kkjupyter.rpc.workers import settle

__all__ = ["MAX_GENERATOR_THREADS", "Sink", "SyncPump", "busy_after_cancel", "pump_async"]

MAX_GENERATOR_THREADS = 64
# How long a generator that never really waits may keep the loop to itself.
_SLICE_S = 0.002

_generator_slots = threading.BoundedSemaphore(MAX_GENERATOR_THREADS)
_busy_lock = threading.Lock()
_busy: set[SyncPump] = set()


def busy_after_cancel() -> int:
    """How many sync generators were cancelled and have not come to their next yield yet."""
    return len(_busy)


class Sink(Protocol):
    """Where a pump delivers."""

    cancelled: bool
    outbox: Outbox

    def send_item(self, value: Any) -> None:
        """Send one value; EncodeError if it cannot be sent. Any thread."""


async def pump_async(iterable: AsyncIterable[Any], sink: Sink) -> None:
    """Deliver an async iterable. Cancelling ends it where it waits: its finally runs at once."""
    outbox = sink.outbox
    iterator = aiter(iterable)
    slice_end_s = time.monotonic() + _SLICE_S
    try:
        async for value in iterator:
            if sink.cancelled:  # it swallowed the cancellation
                break
            sink.send_item(value)
            if outbox.full:
                await wait_async(outbox.bell, lambda: not outbox.full)
                slice_end_s = time.monotonic() + _SLICE_S
            elif time.monotonic() > slice_end_s:
                await asyncio.sleep(0)
                slice_end_s = time.monotonic() + _SLICE_S
    finally:
        await _aclose(iterator)
        if iterator is not iterable:
            await _aclose(iterable)


async def _aclose(source: Any) -> None:
    """End an async source: generators have ``aclose``, other people's streams ``close``."""
    close = getattr(source, "aclose", None) or getattr(source, "close", None)
    if callable(close):
        closing = close()
        if inspect.isawaitable(closing):
            await closing


class SyncPump:
    """Delivers an iterator from a thread of its own.

    Args:
        iterator: a generator or anything else with ``__next__``; closed at the end.
        sink: where to.
        name: of the thread.
    """

    def __init__(self, iterator: Iterator[Any], sink: Sink, name: str) -> None:
        self._iterator = iterator
        self._sink = sink
        self._name = name
        self._in_thread = False

    async def run(self) -> None:
        """Deliver it. Cancelling returns at once; the iterator ends at its next value.

        Raises:
            RuntimeError: too many run already.
        """
        if not _generator_slots.acquire(blocking=False):
            _close(self._iterator)
            raise RuntimeError(
                f"{MAX_GENERATOR_THREADS} sync generators are running already; "
                "make this one an async generator"
            )
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        self._in_thread = True
        threading.Thread(
            target=contextvars.copy_context().run,
            args=(self._pump, loop, done),
            name=self._name,
            daemon=True,
        ).start()
        try:
            await done
        except asyncio.CancelledError:
            with _busy_lock:
                if self._in_thread:
                    _busy.add(self)
            raise

    def _pump(self, loop: asyncio.AbstractEventLoop, done: asyncio.Future[None]) -> None:
        error: BaseException | None = None
        try:
            self._deliver()
        except BaseException as exc:  # noqa: BLE001  handed over below
            error = exc
        finally:
            with _busy_lock:
                self._in_thread = False
                _busy.discard(self)
            _generator_slots.release()
        loop.call_soon_threadsafe(settle, done, None, error)

    def _deliver(self) -> None:
        sink, outbox = self._sink, self._sink.outbox
        try:
            for value in self._iterator:
                if sink.cancelled:
                    break
                sink.send_item(value)
                if outbox.full:
                    wait_blocking(outbox.bell, lambda: sink.cancelled or not outbox.full)
        finally:
            _close(self._iterator)


def _close(iterator: Iterator[Any]) -> None:
    close = getattr(iterator, "close", None)
    if callable(close):
        close()
