"""Runs what a peer asks for, and ends it when the peer no longer wants it.

Async functions and async generators run on the handler loop, sync functions in a thread pool, each
sync generator in a thread of its own. A cancel ends an async producer where it waits; a sync one
at its next yield. A peer that does not read stops both, through the outbox.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator, Sequence
from typing import Any

from kkjupyter.errors import RemoteError
from kkjupyter.rpc.call import is_stream
from kkjupyter.rpc.expose import Unreachable, find, find_callable, find_class, put
from kkjupyter.rpc.failures import encode_failure
from kkjupyter.rpc.handlers import by_value, call_handler
from kkjupyter.rpc.interceptors import CallContext, Interceptor, around
from kkjupyter.rpc.outbox import Outbox
from kkjupyter.rpc.portal import handler_loop, io_loop
from kkjupyter.rpc.pumps import SyncPump, pump_async
from kkjupyter.rpc.waiting import wait_async
from kkjupyter.wire.classic import Classic
from kkjupyter.wire.events import CallbackRef, Requested

__all__ = ["Producer"]


class Producer:
    """Answers the requests of one connection.

    Args:
        target: the exposed object.
        protocol: makes the answers.
        outbox: takes them.
        interceptors: around every call, the first outermost.
        on_closed: told when the connection is gone.
    """

    def __init__(
        self,
        target: Any,
        protocol: Classic,
        outbox: Outbox,
        interceptors: Sequence[Interceptor] = (),
        on_closed: Callable[[Producer], object] = lambda producer: None,
    ) -> None:
        self._target = target
        self._protocol = protocol
        self._outbox = outbox
        self._interceptors = interceptors
        self._on_closed = on_closed
        # A peer may use an id twice; both are run, and both are cancelled.
        self._jobs: dict[str, list[_Job]] = {}

    # ---- told by the channel; I/O loop only

    def requested(self, request: Requested) -> None:
        job = _Job(self, request)
        self._jobs.setdefault(request.call_id, []).append(job)
        handler_loop().post(job.start)

    def cancelled(self, call_id: str) -> None:
        for job in self._jobs.pop(call_id, ()):
            job.cancel()

    def close(self) -> None:
        for call_id in list(self._jobs):
            self.cancelled(call_id)
        self._on_closed(self)

    @property
    def running(self) -> int:
        """How many requests are being worked on. Any thread."""
        return sum(map(len, list(self._jobs.values())))

    # ---- used by jobs

    def _finished(self, job: _Job) -> None:
        io_loop().post(self._forget, job)

    def _forget(self, job: _Job) -> None:
        call_id = job.request.call_id
        jobs = self._jobs.get(call_id, [])
        if job in jobs:
            jobs.remove(job)
        if not jobs:
            self._jobs.pop(call_id, None)


class _Job:
    """One request being worked on. Once cancelled it sends nothing more."""

    def __init__(self, producer: Producer, request: Requested) -> None:
        self.request = request
        self.cancelled = False
        self.outbox = producer._outbox
        self._producer = producer
        self._protocol = producer._protocol
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Handler loop only."""
        if not self.cancelled:
            self._task = asyncio.get_running_loop().create_task(self._run())

    def cancel(self) -> None:
        """End it where it waits. Any thread; returns at once."""
        self.cancelled = True
        handler_loop().post(self._cancel_task)
        self.outbox.bell.ring()

    def _cancel_task(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def send_item(self, value: Any) -> None:
        """Send one value of the stream. Any thread."""
        request = self.request
        self._send(self._protocol.item(request.call_id, value, request.codec))

    def _send(self, message: bytes) -> None:
        if not self.cancelled:
            self.outbox.put(message)

    async def _run(self) -> None:
        # Not `except Exception`: a handler's SystemExit must end the call, not the server.
        request, protocol = self.request, self._protocol
        try:
            if self.outbox.overfull:
                await wait_async(self.outbox.bell, lambda: not self.outbox.overfull)
            value = await self._answer()
            if not is_stream(value):
                self._send(protocol.reply(request.call_id, value, request.codec))
                return
            self._send(protocol.open_stream(request.call_id, request.call_id, request.codec))
        except Unreachable as exc:
            self._send(protocol.refuse(request, exc.reason, exc.at))
        except BaseException as exc:  # noqa: BLE001  told to the peer
            self._fail(protocol.fail_call, exc)
        else:
            await self._stream(value)
        finally:
            self._producer._finished(self)

    def _fail(self, encode: Callable[[str, RemoteError, str], bytes], exc: BaseException) -> None:
        """Tell the peer; a cancelled job has nobody left to tell."""
        request = self.request
        if not self.cancelled:
            if isinstance(exc, asyncio.CancelledError):  # the handler cancelled itself
                exc = RemoteError("cancelled", name="CancelledError")
            self._send(
                encode_failure(lambda error: encode(request.call_id, error, request.codec), exc)
            )

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
                return by_value(await call_handler(made, self._revived_args()))
        function = find_callable(target, request.path)
        context = CallContext(".".join(request.path), self._revived_args())
        interceptors = self._producer._interceptors
        if not interceptors:
            return await call_handler(function, context.args)
        return await around(interceptors, context, lambda: call_handler(function, context.args))

    def _revived_args(self) -> list[Any]:
        return [
            _RemoteCallback(self, arg.id) if type(arg) is CallbackRef else arg
            for arg in self.request.args
        ]

    async def _stream(self, value: Any) -> None:
        request, protocol = self.request, self._protocol
        try:
            if hasattr(type(value), "__aiter__"):
                await pump_async(value, self)
            else:
                method = ".".join(request.path)
                await SyncPump(value, self, f"kkjupyter-generator {method}").run()
        except BaseException as exc:  # noqa: BLE001  told to the peer
            self._fail(protocol.fail_stream, exc)
        else:
            self._send(protocol.end(request.call_id, None, request.codec))


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
        return _Room(job.outbox)


class _Room:
    """Awaiting it waits until an outbox has room."""

    __slots__ = ("_outbox",)

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    def __await__(self) -> Generator[Any, None, None]:
        return self._wait().__await__()

    async def _wait(self) -> None:
        await wait_async(self._outbox.bell, lambda: not self._outbox.full)
