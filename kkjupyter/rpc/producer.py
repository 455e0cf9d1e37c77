"""Runs what a peer asks for, and ends it when the peer no longer wants it.

Async functions and async generators run on the handler loop, sync functions in a thread pool, each
sync generator in a thread of its own. A cancel ends an async producer where it waits; a sync one
at its next yield. A peer that does not read stops both, through the outbox.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import functools
import inspect
import logging
import pathlib
import threading
import time
import traceback
from collections.abc import AsyncIterable, Awaitable, Callable, Generator, Iterator
from typing import Any

from kkjupyter.errors import EncodeError, RemoteError, RemoteThrow
from kkjupyter.rpc.call import is_stream
from kkjupyter.rpc.expose import Unreachable, find, find_callable, find_class, put
from kkjupyter.rpc.interceptors import CallContext, Interceptor, around
from kkjupyter.rpc.outbox import Outbox
from kkjupyter.rpc.portal import handler_loop, io_loop
from kkjupyter.rpc.waiting import wait_async, wait_blocking
from kkjupyter.wire.classic import Classic
from kkjupyter.wire.events import CallbackRef, Requested

__all__ = ["MAX_GENERATOR_THREADS", "Producer", "busy_after_cancel", "remote_error"]

logger = logging.getLogger("kkjupyter")

MAX_FUNCTION_THREADS = 32
MAX_GENERATOR_THREADS = 64
# How long a generator that never really waits may keep the loop to itself.
_SLICE_S = 0.002
_ENGINE_DIR = str(pathlib.Path(__file__).parent)

_function_threads = concurrent.futures.ThreadPoolExecutor(
    MAX_FUNCTION_THREADS, thread_name_prefix="kkjupyter-function"
)
_generator_slots = threading.BoundedSemaphore(MAX_GENERATOR_THREADS)
_busy_lock = threading.Lock()
_busy: set[_Job] = set()


def busy_after_cancel() -> int:
    """How many sync generators were cancelled and have not come to their next yield yet."""
    return len(_busy)


class Producer:
    """Answers the requests of one connection.

    Args:
        target: the exposed object.
        protocol: makes the answers.
        outbox: takes them.
        interceptors: around every call, the first outermost.
    """

    def __init__(
        self,
        target: Any,
        protocol: Classic,
        outbox: Outbox,
        interceptors: tuple[Interceptor, ...] = (),
    ) -> None:
        self._target = target
        self._protocol = protocol
        self._outbox = outbox
        self._interceptors = interceptors
        self._jobs: dict[str, _Job] = {}

    # ---- told by the channel; I/O loop only

    def requested(self, request: Requested) -> None:
        job = _Job(self, request)
        self._jobs[request.call_id] = job
        handler_loop().post(job.start)

    def cancelled(self, call_id: str) -> None:
        job = self._jobs.pop(call_id, None)
        if job is not None:
            job.cancel()

    def close(self) -> None:
        jobs, self._jobs = self._jobs, {}
        for job in jobs.values():
            job.cancel()

    @property
    def running(self) -> int:
        """How many requests are being worked on."""
        return len(self._jobs)

    # ---- used by jobs

    def _finished(self, job: _Job) -> None:
        io_loop().post(self._forget, job)

    def _forget(self, job: _Job) -> None:
        # A peer may use an id twice; the newer job stays.
        if self._jobs.get(job.request.call_id) is job:
            del self._jobs[job.request.call_id]


class _Job:
    """One request being worked on. Once cancelled it sends nothing more."""

    def __init__(self, producer: Producer, request: Requested) -> None:
        self.request = request
        self.cancelled = False
        self._producer = producer
        self._protocol = producer._protocol
        self._outbox = producer._outbox
        self._task: asyncio.Task[None] | None = None
        self._in_thread = False

    def start(self) -> None:
        """Handler loop only."""
        if not self.cancelled:
            self._task = asyncio.get_running_loop().create_task(self._run())

    def cancel(self) -> None:
        """End it where it waits. Any thread; returns at once."""
        self.cancelled = True
        handler_loop().post(self._cancel_task)
        self._outbox.bell.ring()

    def _cancel_task(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def _send(self, message: bytes) -> None:
        if not self.cancelled:
            self._outbox.put(message)

    async def _run(self) -> None:
        request, protocol = self.request, self._protocol
        try:
            value = await self._answer()
            if is_stream(value):
                self._send(protocol.open_stream(request.call_id, request.codec))
                await self._stream(value)
            else:
                self._send(protocol.reply(request.call_id, value, request.codec))
        except Unreachable as exc:
            self._send(protocol.refuse(request, exc.reason, exc.at))
        except asyncio.CancelledError:
            if not self.cancelled:  # the handler cancelled itself
                self._fail(protocol.fail_call, RemoteError("cancelled", name="CancelledError"))
        except Exception as exc:  # noqa: BLE001  whatever user code raises goes to the peer
            self._fail(protocol.fail_call, exc)
        finally:
            self._producer._finished(self)

    def _fail(self, encode: Callable[[str, RemoteError, str], bytes], exc: BaseException) -> None:
        request, error = self.request, remote_error(exc)
        try:
            message = encode(request.call_id, error, request.codec)
        except EncodeError as encode_error:
            plain = RemoteError(
                f"{error.message} ({encode_error})", name=error.name, stack=error.stack
            )
            message = encode(request.call_id, plain, request.codec)
        self._send(message)

    # ---- the answer

    async def _answer(self) -> Any:
        request, target = self.request, self._producer._target
        match request.operation:
            case "get":
                return find(target, request.path)
            case "set":
                put(target, request.path, request.value)
                return True
            case "new":
                made = find_class(target, request.path)
                return _by_value(await self._call(made, self._revived_args()))
        function = find_callable(target, request.path)
        context = CallContext(".".join(request.path), self._revived_args())
        interceptors = self._producer._interceptors
        if not interceptors:
            return await self._call(function, context.args)
        return await around(interceptors, context, lambda: self._call(function, context.args))

    async def _call(self, function: Callable[..., Any], args: list[Any]) -> Any:
        """Call a handler where its kind runs; return its value or its stream."""
        args, kwargs = _spread(function, args)
        if _runs_on_loop(function):
            value = function(*args, **kwargs)
        else:
            call = functools.partial(contextvars.copy_context().run, function, *args, **kwargs)
            loop = asyncio.get_running_loop()
            value = await loop.run_in_executor(_function_threads, call)
        return await value if inspect.isawaitable(value) else value

    def _revived_args(self) -> list[Any]:
        return [
            _RemoteCallback(self, arg.id) if type(arg) is CallbackRef else arg
            for arg in self.request.args
        ]

    # ---- the stream

    async def _stream(self, value: Any) -> None:
        request, protocol = self.request, self._protocol
        try:
            if hasattr(type(value), "__aiter__"):
                await self._pump_async(value)
            else:
                await self._pump_sync(value)
        except asyncio.CancelledError:
            if self.cancelled:
                raise
            self._fail(protocol.fail_stream, RemoteError("cancelled", name="CancelledError"))
        except Exception as exc:  # noqa: BLE001  whatever user code raises goes to the peer
            self._fail(protocol.fail_stream, exc)
        else:
            self._send(protocol.end(request.call_id, request.codec))

    def _send_item(self, value: Any) -> None:
        request = self.request
        self._send(self._protocol.item(request.call_id, value, request.codec))

    async def _pump_async(self, iterable: AsyncIterable[Any]) -> None:
        outbox = self._outbox
        iterator = aiter(iterable)
        slice_end_s = time.monotonic() + _SLICE_S
        try:
            async for value in iterator:
                self._send_item(value)
                if outbox.full:
                    await wait_async(outbox.bell, lambda: not outbox.full)
                    slice_end_s = time.monotonic() + _SLICE_S
                elif time.monotonic() > slice_end_s:
                    await asyncio.sleep(0)
                    slice_end_s = time.monotonic() + _SLICE_S
                if self.cancelled:  # the generator swallowed the cancellation
                    break
        finally:
            aclose = getattr(iterator, "aclose", None)
            if aclose is not None:
                await aclose()

    async def _pump_sync(self, iterator: Iterator[Any]) -> None:
        if not _generator_slots.acquire(blocking=False):
            _close(iterator)
            raise RuntimeError(
                f"{MAX_GENERATOR_THREADS} sync generators are running already; "
                "make this one an async generator"
            )
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        context = contextvars.copy_context()
        self._in_thread = True
        threading.Thread(
            target=context.run,
            args=(self._pump_in_thread, iterator, done),
            name=f"kkjupyter-generator {'.'.join(self.request.path)}",
            daemon=True,
        ).start()
        try:
            await asyncio.shield(done)
        except asyncio.CancelledError:
            # Nobody awaits it any more: see its exception, so that asyncio does not complain.
            done.add_done_callback(lambda future: future.exception())
            with _busy_lock:
                if self._in_thread:
                    _busy.add(self)
            raise

    def _pump_in_thread(self, iterator: Iterator[Any], done: asyncio.Future[None]) -> None:
        outbox = self._outbox
        error: BaseException | None = None
        try:
            try:
                for value in iterator:
                    if self.cancelled:
                        break
                    self._send_item(value)
                    if outbox.full:
                        wait_blocking(outbox.bell, lambda: self.cancelled or not outbox.full)
            finally:
                _close(iterator)
        except BaseException as exc:  # noqa: BLE001  handed over below, whatever it is
            error = exc
        finally:
            with _busy_lock:
                self._in_thread = False
                _busy.discard(self)
            _generator_slots.release()
        handler_loop().post(_settle, done, error)


def _settle(done: asyncio.Future[None], error: BaseException | None) -> None:
    if done.done():
        return
    if error is None:
        done.set_result(None)
    elif isinstance(error, StopIteration):  # a future cannot carry it
        done.set_exception(RuntimeError("generator raised StopIteration"))
    else:
        done.set_exception(error)


class _RemoteCallback:
    """A function of the peer's, as a handler gets it: ``callback(i, n)`` sends and returns.

    The protocol has no answer to it, so its value is nothing. ``await callback(i, n)`` waits until
    the peer keeps up; a handler that calls very often should.
    """

    def __init__(self, job: _Job, callback_id: str) -> None:
        self._job = job
        self._id = callback_id

    def __call__(self, *args: Any) -> Awaitable[None]:
        job = self._job
        job._send(job._protocol.invoke_callback(self._id, args, job.request.codec))
        return _Room(job._outbox)


class _Room:
    """Awaiting it waits until an outbox has room."""

    __slots__ = ("_outbox",)

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    def __await__(self) -> Generator[Any, None, None]:
        return self._wait().__await__()

    async def _wait(self) -> None:
        await wait_async(self._outbox.bell, lambda: not self._outbox.full)


def _runs_on_loop(function: Callable[..., Any]) -> bool:
    """Whether calling ``function`` only makes a coroutine or a generator, without running code."""
    called = inspect.unwrap(function)
    while isinstance(called, functools.partial):
        called = called.func
    if not (inspect.isroutine(called) or isinstance(called, type)):
        called = type(called).__call__
    return (
        inspect.iscoroutinefunction(called)
        or inspect.isasyncgenfunction(called)
        or inspect.isgeneratorfunction(called)
    )


def _spread(function: Callable[..., Any], args: list[Any]) -> tuple[list[Any], dict[str, Any]]:
    """JavaScript's trailing options object as keyword arguments, where the function takes some."""
    if not args or type(args[-1]) is not dict or not args[-1]:
        return args, {}
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return args, {}
    keyword_only = {p.name for p in parameters if p.kind is p.KEYWORD_ONLY}
    if keyword_only and keyword_only.issuperset(args[-1]):
        return args[:-1], args[-1]
    return args, {}


def _by_value(instance: Any) -> Any:
    """A constructed instance as it travels: its own public fields."""
    fields = getattr(instance, "__dict__", None)
    if fields is None:
        return instance
    return {
        name: value
        for name, value in fields.items()
        if not name.startswith("_") and not callable(value)
    }


def _close(iterator: Iterator[Any]) -> None:
    close = getattr(iterator, "close", None)
    if close is not None:
        close()


def remote_error(exc: BaseException) -> RemoteError:
    """``exc`` as it goes to the peer: name, message, stack, cause and own public properties."""
    if isinstance(exc, RemoteThrow) or not isinstance(exc, RemoteError):
        return RemoteError(
            str(exc),
            name=type(exc).__name__,
            stack=_stack(exc),
            cause=remote_error(exc.__cause__) if exc.__cause__ is not None else None,
            data={
                name: value
                for name, value in vars(exc).items()
                if not name.startswith("_") and name not in ("name", "message", "stack", "cause")
            },
        )
    return exc


def _stack(exc: BaseException) -> str:
    """The traceback without the frames of the engine."""
    summary = traceback.TracebackException.from_exception(exc)
    summary.__cause__ = summary.__context__ = None
    while summary.stack and summary.stack[0].filename.startswith(_ENGINE_DIR):
        del summary.stack[0]
    return "".join(summary.format()).rstrip()
