"""Answers one request: the handler runs on its loop, and its bytes are sent on the socket's."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from kkjupyter.calls.call import is_stream
from kkjupyter.connection.failure_log import log_failure, log_late_failure, logger
from kkjupyter.connection.pumps import (
    SyncPump,
    ThrowRequest,
    close_source,
    is_async_stream,
    pump_async,
)
from kkjupyter.errors import ConnectionLost, RemoteError
from kkjupyter.limits import LimitExceeded, ServerLoad
from kkjupyter.runtime.waiting import Notifier, wait_async, wait_blocking
from kkjupyter.server.handlers import call_function
from kkjupyter.server.interceptors import CallContext, Interceptor, around, set_current_context
from kkjupyter.vovk.server.delegating import close_delegated, collect_delegated
from kkjupyter.vovk.server.exceptions import HttpException
from kkjupyter.vovk.server.request import Request
from kkjupyter.vovk.server.responses import Response, error_reply, stream_failure, value_reply
from kkjupyter.vovk.server.router import Published
from kkjupyter.vovk.server.validation import ItemCheck
from kkjupyter.wire.values.json_text import escape_non_ascii
from kkjupyter.wire.vovk.encoding import encode_item
from kkjupyter.wire.vovk.schema.model import WireFormat

__all__ = ["HandlerLoop", "HandlerOptions", "ResponseTask"]

# Enough to keep a fast reader busy between two wake-ups, and little for a client that does not
# read: this much waits here, and as much again in the socket.
_FULL_BYTES = 256 * 1024
# Beyond this, what waits may arrive in pieces. The real clients decode each piece on its own
# and spoil a character that is cut in two; an escaped one cannot be.
_WHOLE_BYTES = 16 * 1024
# How soon a client that is gone is noticed if nothing reports it.
_LOOK_S = 0.025

OnError = Callable[[BaseException, Request[Any, Any, Any]], object]


class HandlerLoop(Protocol):
    """The loop that handlers run on."""

    def post(self, fn: Callable[..., object], *args: Any) -> None:
        """Call ``fn(*args)`` there, soon and in order. Any thread."""


class HandlerOptions(Protocol):
    """The options for every request to a server.

    Attributes:
        wire_format: the format of streams.
        interceptors: run around every call, the first one outermost.
        validate: whether type hints are checked.
        on_error: called with what handlers raise, before it is sent.
    """

    @property
    def wire_format(self) -> WireFormat: ...
    @property
    def interceptors(self) -> Sequence[Interceptor]: ...
    @property
    def validate(self) -> bool: ...
    @property
    def on_error(self) -> OnError | None: ...


class ResponseTask:
    """The sink of a pump, emptied by :meth:`read`; it is never far ahead of the client.

    Args:
        published: what is called.
        request: with what.
        manners: how.
        loop: where the handler runs.
        on_over: called with this task when nothing of it runs any more; on that loop.
        load: provides the threads.
    """

    def __init__(
        self,
        published: Published,
        request: Request[Any, Any, Any],
        manners: HandlerOptions,
        loop: HandlerLoop,
        on_over: Callable[[ResponseTask], object],
        load: ServerLoad,
    ) -> None:
        self._load = load
        self.cancelled = False
        self.interrupted = False
        self.throw_requests: deque[ThrowRequest] = deque()  # in this protocol clients throw nothing
        self.over = False
        self._published = published
        self._request = request
        self._manners = manners
        self._loop = loop
        self._on_over = on_over
        self._format = manners.wire_format
        self._task: asyncio.Task[None] | None = None
        self._reply: Response | None = None
        self._streams = False
        self._check_item: ItemCheck | None = None
        self._lock = threading.Lock()
        self._pieces: list[bytes] = []
        self._held_bytes = 0
        self._filled = Notifier()
        self._emptied = Notifier()

    # ---- the socket's loop

    def start(self) -> None:
        """Start the handler."""
        self._loop.post(self._begin)

    def cancel(self) -> None:
        """End what runs where it waits; returns at once. Any thread; idempotent."""
        if not (self.cancelled or self.over):
            self.cancelled = True
            self._request.abort()
            self._loop.post(self._cancel_task)
        self._filled.notify()
        self._emptied.notify()

    async def opened(self, is_gone: Callable[[], bool] | None = None) -> Response | None:
        """Wait for the handler's result: its reply, or None for a stream, which is then read.

        Args:
            is_gone: whether the client is gone, for servers where that must be polled.

        Raises:
            ConnectionLost: the client is gone, or the server was closed.
        """
        await self._wait(lambda: self._streams or self._reply is not None, is_gone)
        return self._reply

    async def read(self, is_gone: Callable[[], bool] | None = None) -> list[bytes]:
        """Wait for the next messages of a stream and return all that are there; none at its end.

        Arguments and errors as for :meth:`opened`. Cancelling is safe: nothing is lost.
        """
        await self._wait(lambda: bool(self._held_bytes) or self.over, is_gone)
        with self._lock:
            pieces, self._pieces = self._pieces, []
            self._held_bytes = 0
        self._emptied.notify()
        return pieces

    async def _wait(self, ready: Callable[[], bool], is_gone: Callable[[], bool] | None) -> None:
        def is_ready() -> bool:
            return self.cancelled or ready()

        look_s = None if is_gone is None else _LOOK_S
        while not await wait_async(self._filled, is_ready, look_s):
            if is_gone is not None and is_gone():
                self.cancel()
        if self.cancelled:  # a normal end would hide the loss
            raise ConnectionLost(self._request.handler, "cancelled")

    # ---- called by the pump

    @property
    def must_wait(self) -> bool:
        """Whether enough is waiting for the client."""
        if self.cancelled:  # until the task notices: values made in the meantime are not wanted
            return not self.interrupted
        return self._held_bytes > _FULL_BYTES

    async def room(self) -> None:
        """Wait until less is waiting. Cancelling is safe."""
        await wait_async(self._emptied, lambda: not self.must_wait)

    def wait_for_room(self) -> None:
        """Like :meth:`room`, in a thread."""
        wait_blocking(self._emptied, lambda: self.cancelled or not self.must_wait)

    def send_item(self, value: Any) -> None:
        """Send one value; EncodeError if it has no JSON form. Any thread."""
        if self._check_item is not None:
            value = self._check_item(value)
        self._put(encode_item(value, self._format))

    def answer_throw(self, request: ThrowRequest, value: Any) -> None:
        """Nothing is ever thrown."""
        raise NotImplementedError

    def _put(self, data: bytes) -> None:
        if not self.cancelled:
            if self._held_bytes + len(data) > _WHOLE_BYTES:
                data = escape_non_ascii(data)
            with self._lock:
                self._pieces.append(data)
                self._held_bytes += len(data)
            self._filled.notify()

    # ---- the handlers' loop

    def _begin(self) -> None:
        if self.cancelled:
            self._finish()
        else:
            self._task = asyncio.get_running_loop().create_task(self._run())

    def _cancel_task(self) -> None:
        # Only once: a second time would interrupt the handler's clean-up.
        if self._task is not None and not self._task.cancelling():
            self.interrupted = True
            self._task.cancel()

    def _finish(self) -> None:
        self.over = True
        self._on_over(self)
        self._filled.notify()

    async def _run(self) -> None:
        self._load.use()
        try:
            collect_delegated()
            value = await self._call()
            if is_stream(value):
                await self._stream(value)
            else:
                self._reply = value_reply(self._checked(value), self._request.method)
        except BaseException as exc:  # noqa: BLE001  told to the client
            self._failed(exc)
        finally:
            self._finish()

    async def _call(self) -> Any:
        request, manners = self._request, self._manners
        published = self._published
        meta = request.meta  # one that cannot be read is refused, whoever looks at it
        if published.call.takes_body:
            await request.load_body_value()
        args, kwargs = published.call.arguments(request, self._format, validate=manners.validate)
        context = CallContext(published.handler.title, args, kwargs, meta)
        set_current_context(context)

        async def handler() -> Any:
            return await call_function(
                published.function,
                context.args,
                context.kwargs,
                on_late_failure=self._failed_late,
            )

        if not manners.interceptors:
            return await handler()
        return await around(manners.interceptors, context, handler)

    def _checked(self, value: Any) -> Any:
        if not self._manners.validate or isinstance(value, Response):
            return value
        return self._published.call.check_result(value)

    async def _stream(self, source: Any) -> None:
        if self._request.method == "HEAD":  # the reply to it has no body
            await close_source(source)
            self._reply = Response()
            return
        if self._manners.validate:
            self._check_item = self._published.call.item_check()
        await self._take_stream(source)
        self._streams = True
        self._filled.notify()
        try:
            if is_async_stream(source):
                await pump_async(source, self)
            else:
                name = f"kkjupyter-generator {self._request.handler}"
                slots, late = self._load.generators, self._failed_late
                await SyncPump(source, self, name, slots, late).run()
        finally:
            self._load.streams.give_back()
            await close_delegated()

    async def _take_stream(self, source: Any) -> None:
        """Count one more stream, or close it."""
        try:
            self._load.streams.take()
        except LimitExceeded as exc:
            await close_source(source)
            raise HttpException(503, exc.message) from None

    def _failed(self, exc: BaseException) -> None:
        if self.cancelled:
            self._failed_late(exc)
            return
        log_failure(self._request.handler, exc)
        if isinstance(exc, asyncio.CancelledError):
            exc = RemoteError("cancelled", name="CancelledError")  # the handler cancelled itself
        self._tell(exc)
        try:
            self._answer_with(exc)
        except Exception as failure:  # noqa: BLE001  told, as the client waits for something
            logger.error("%s: its error cannot be sent", self._request.handler, exc_info=failure)
            self._answer_with(RemoteError("the error cannot be sent", name="InternalError"))

    def _answer_with(self, exc: BaseException) -> None:
        if self._streams:
            self._put(stream_failure(exc, self._format))
        else:
            self._reply = error_reply(exc, self._format)

    def _failed_late(self, exc: BaseException) -> None:
        """Log an error that no client can receive any more. Any thread."""
        log_late_failure(self._request.handler, exc)

    def _tell(self, exc: BaseException) -> None:
        on_error = self._manners.on_error
        if on_error is not None:
            try:
                on_error(exc, self._request)
            except Exception:  # noqa: BLE001  logged; the client is to hear of the first failure in any case
                logger.exception("on_error failed")
