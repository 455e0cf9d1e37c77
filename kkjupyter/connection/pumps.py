"""Moving what a generator yields into a send queue, at the peer's pace, until it is stopped."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import dataclasses
import inspect
import threading
import time
from collections import deque
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Callable,
    Generator,
    Iterator,
)
from typing import Any, Literal, Protocol

from kkjupyter.limits import GENERATOR_SLOTS, LimitExceeded, Slots
from kkjupyter.runtime.worker_threads import settle
from kkjupyter.wire.values.javascript import undefined

__all__ = [
    "Sink",
    "SyncPump",
    "ThrowRequest",
    "busy_after_cancel",
    "close_iterator",
    "close_source",
    "is_async_stream",
    "is_plain_inside",
    "pump_async",
]

# How long a generator that never really waits may keep the loop to itself.
_SLICE_S = 0.002

_busy_lock = threading.Lock()
_busy: set[SyncPump] = set()


def busy_after_cancel() -> int:
    """How many sync generators were cancelled and have not come to their next yield yet."""
    return len(_busy)


@dataclasses.dataclass(slots=True)
class ThrowRequest:
    """An error that the peer throws into a generator, where that stands at a yield.

    Attributes:
        control_id: what the peer's message is called.
        error: what is raised there.
        under_way: whether it has been raised.
    """

    control_id: str
    error: Exception
    under_way: bool = False


class Sink(Protocol):
    """Where a pump delivers.

    Attributes:
        cancelled: nobody wants anything more.
        interrupted: the task that runs it has been told so.
        throw_requests: what the peer throws, oldest first; taken off when answered.
    """

    cancelled: bool
    interrupted: bool
    throw_requests: deque[ThrowRequest]

    @property
    def must_wait(self) -> bool:
        """Whether there is no room for the next value now."""

    async def room(self) -> None:
        """Wait until there is."""

    def wait_for_room(self) -> None:
        """As :meth:`room`, in a thread; returns when cancelled, too."""

    def send_item(self, value: Any) -> None:
        """Send one value; EncodeError if it cannot be sent. Any thread."""

    def answer_throw(self, request: ThrowRequest, value: Any) -> None:
        """Send what was yielded in answer to a thrown error. Any thread."""


def is_async_stream(value: Any) -> bool:
    """How to read something that streams: whether with ``async for``, and not with ``for``.

    LLM clients' wrappers are often both in one class, whatever they wrap. In plain code such a one
    is an iterator, unless all that it holds is async.
    """
    kind = type(value)
    return hasattr(kind, "__aiter__") and (
        not hasattr(kind, "__next__") or _holds(value) == "async"
    )


def is_plain_inside(value: Any) -> bool:
    """Whether what can be read with ``async for`` and with ``for`` holds nothing that is async.

    A progress bar around a list is such a one.
    """
    return hasattr(type(value), "__iter__") and _holds(value) == "plain"


def _holds(value: Any, depth: int = 3) -> Literal["async", "plain"] | None:
    """What streams lie in an object that is itself both: those of one kind, or it is not told."""
    wrapped = inspect.getattr_static(value, "__wrapped__", None)
    try:
        inner = [value.__wrapped__] if wrapped is not None else list(vars(value).values())
    except (TypeError, AttributeError):  # no __dict__
        return None
    kinds: set[str | None] = set()
    for one in inner:
        has_async, has_plain = (hasattr(type(one), name) for name in ("__aiter__", "__next__"))
        if has_async and has_plain:
            kinds.add(_holds(one, depth - 1) if depth else None)
        elif has_async or has_plain:
            kinds.add("async" if has_async else "plain")
    if kinds == {"async"}:
        return "async"
    return "plain" if kinds == {"plain"} else None


async def pump_async(iterable: AsyncIterable[Any], sink: Sink) -> Any:
    """Deliver an async iterable; return what it returned: always ``undefined``.

    Cancelling ends it where it waits: its finally runs at once.
    """
    iterator = aiter(iterable)
    throw_requests = sink.throw_requests
    slice_end_s = time.monotonic() + _SLICE_S
    try:
        while True:
            if sink.must_wait:
                await sink.room()
                slice_end_s = time.monotonic() + _SLICE_S
            elif time.monotonic() > slice_end_s:
                await asyncio.sleep(0)
                slice_end_s = time.monotonic() + _SLICE_S
            if sink.interrupted:  # it swallowed the cancellation
                return undefined
            try:
                if throw_requests:
                    throw_requests[0].under_way = True
                    value = await _athrow(iterator, throw_requests[0].error)
                    sink.answer_throw(throw_requests[0], value)
                    throw_requests.popleft()
                else:
                    sink.send_item(await anext(iterator))
            except StopAsyncIteration:
                return undefined
    finally:
        await close_source(iterator)
        if iterator is not iterable:
            await close_source(iterable)


async def _athrow(iterator: AsyncIterator[Any], error: Exception) -> Any:
    if isinstance(iterator, AsyncGenerator):
        return await iterator.athrow(error)
    raise error


async def close_source(source: Any) -> None:
    """End a source, if it is one reader's alone: an iterator, async or not.

    Generators and the streams of clients are iterators: ``aclose()`` is called, or ``close()``.
    What only gives iterators (it has ``__aiter__`` and no ``__anext__``) is shared by all who
    iterate over it, so it stays as it is; the iterator that it gave is to be closed.

    Raises:
        Exception: what the source raised at its end.
    """
    kind = type(source)
    if not (hasattr(kind, "__anext__") or hasattr(kind, "__next__")):
        return
    close = getattr(source, "aclose", None) or getattr(source, "close", None)
    if callable(close):
        with _leaving():
            closing = close()
            if inspect.isawaitable(closing):
                await closing


def close_iterator(iterator: Iterator[Any]) -> None:
    """End an iterator in plain code, if it has an end. Raises what it raises at its end."""
    close = getattr(iterator, "close", None)
    if callable(close):
        with _leaving():
            close()


@contextlib.contextmanager
def _leaving() -> Iterator[None]:
    """Closing a generator raises GeneratorExit in it; a task group there wraps that in a group."""
    try:
        yield
    except BaseExceptionGroup as group:
        failures = group.split(GeneratorExit)[1]
        if failures is not None:
            raise failures from None


class SyncPump:
    """Delivers an iterator from a thread of its own.

    Args:
        iterator: a generator or anything else with ``__next__``; closed at the end.
        sink: where to.
        name: of the thread.
        slots: how many such threads there may be; one is taken until it ends.
        on_late_failure: told what the iterator raised after :meth:`run` was cancelled; in its
            thread.
    """

    def __init__(
        self,
        iterator: Iterator[Any],
        sink: Sink,
        name: str,
        slots: Slots = GENERATOR_SLOTS,
        on_late_failure: Callable[[BaseException], object] = lambda exc: None,
    ) -> None:
        self._on_late_failure = on_late_failure
        self._iterator = iterator
        self._sink = sink
        self._name = name
        self._slots = slots
        self._in_thread = False
        self._failure: BaseException | None = None

    async def run(self) -> Any:
        """Deliver it; return what a generator returned, ``undefined`` if nothing.

        Cancelling returns at once; the iterator ends at its next value.

        Raises:
            LimitExceeded: too many run already.
        """
        try:
            self._slots.take()
        except LimitExceeded:
            close_iterator(self._iterator)
            raise
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Any] = loop.create_future()
        self._in_thread = True
        threading.Thread(
            target=contextvars.copy_context().run,
            args=(self._pump, loop, done),
            name=self._name,
            daemon=True,
        ).start()
        try:
            return await done
        except asyncio.CancelledError:
            with _busy_lock:
                if self._in_thread:
                    _busy.add(self)
                missed, self._failure = self._failure, None
            if missed is not None:  # the cancellation was quicker than the news of it
                self._on_late_failure(missed)
            raise

    def _pump(
        self,
        loop: asyncio.AbstractEventLoop,
        done: asyncio.Future[Any],
    ) -> None:
        error: BaseException | None = None
        returned: Any = undefined
        try:
            returned = self._deliver()
        except BaseException as exc:  # noqa: BLE001  handed over below
            error = exc
        finally:
            with _busy_lock:
                self._in_thread = False
                is_late = self in _busy
                _busy.discard(self)
                if not is_late:
                    self._failure = error
            self._slots.give_back()
        if is_late and error is not None:
            self._on_late_failure(error)
        loop.call_soon_threadsafe(settle, done, returned, error)

    def _deliver(self) -> Any:
        sink, iterator = self._sink, self._iterator
        throw_requests = sink.throw_requests
        try:
            while True:
                if sink.must_wait:
                    sink.wait_for_room()
                if sink.cancelled:
                    return undefined
                try:
                    if throw_requests:
                        throw_requests[0].under_way = True
                        value = _throw(iterator, throw_requests[0].error)
                        sink.answer_throw(throw_requests[0], value)
                        throw_requests.popleft()
                    else:
                        sink.send_item(next(iterator))
                except StopIteration as stop:
                    return undefined if stop.value is None else stop.value
        finally:
            close_iterator(iterator)


def _throw(iterator: Iterator[Any], error: Exception) -> Any:
    if isinstance(iterator, Generator):
        return iterator.throw(error)
    raise error
