"""Streams of ours on their way to the peer: results of its calls, and arguments of ours.

What is exposed or passed is an async iterable or an iterator; a pump moves its values at the peer's
pace, which is the socket's and, where the protocol has credit, the credit the peer grants.
"""

from __future__ import annotations

import asyncio
import contextvars
import math
from collections import deque
from collections.abc import Callable
from typing import Any

from kkjupyter.connection.failure_log import log_failure, log_late_failure
from kkjupyter.connection.failures import encode_acknowledgement, encode_failure
from kkjupyter.connection.pumps import (
    SyncPump,
    ThrowRequest,
    close_iterator,
    close_source,
    is_async_stream,
    pump_async,
)
from kkjupyter.connection.send_queue import SendQueue
from kkjupyter.errors import RemoteError, RemoteThrow
from kkjupyter.limits import GENERATOR_SLOTS, Slots, generator_slots, run_function
from kkjupyter.runtime.logs import SafeLogger
from kkjupyter.runtime.loop_threads import handler_loop, io_loop
from kkjupyter.runtime.waiting import Notifier, wait_async, wait_blocking
from kkjupyter.traces.record import CallRecord
from kkjupyter.wire.events import Cancelled, Credited, Thrown
from kkjupyter.wire.kkrpc.base import Protocol
from kkjupyter.wire.kkrpc.compact.errors import unknown_stream
from kkjupyter.wire.values.javascript import undefined

__all__ = ["ItemCheck", "OutgoingStream", "OutgoingStreams", "close_unread"]

ItemCheck = Callable[[Any], Any]

logger = SafeLogger("kkjupyter")

_closing: set[asyncio.Task[None]] = set()


def _nothing() -> None:
    """What is to be done where nothing is."""


class OutgoingStream:
    """One stream; :meth:`run` moves it. Once cancelled it sends nothing more.

    Args:
        source: an async iterable or an iterator.
        stream_id: its id on the wire.
        title: names its thread, if it needs one.
        protocol: makes the messages.
        send_queue: takes them.
        codec: of the messages.
        check_item: applied to each value before it is sent; what it raises fails the stream.
        is_result: whether a handler made it, so that its failures are a server's to log.
        debug: whether the peer is sent the traceback of what the source raises.
        record: notes what is sent, if anything does.
        slots: for its thread, if it needs one.
        on_over: called before the peer is told that it is over, unless it was cancelled.
    """

    def __init__(
        self,
        source: Any,
        stream_id: str,
        title: str,
        protocol: Protocol,
        send_queue: SendQueue,
        codec: str,
        *,
        check_item: ItemCheck | None = None,
        is_result: bool = False,
        debug: bool = False,
        record: CallRecord | None = None,
        slots: Slots = GENERATOR_SLOTS,
        on_over: Callable[[], object] = _nothing,
    ) -> None:
        self.stream_id = stream_id
        self.cancelled = False
        self.interrupted = False
        self.over = False
        self.throw_requests: deque[ThrowRequest] = deque()
        self._source = source
        self._title = title
        self._protocol = protocol
        self._send_queue = send_queue
        self._codec = codec
        self._check_item = check_item
        self._is_result = is_result
        self._debug = debug
        self._record = record
        self._slots = slots
        self._on_over = on_over
        # Added to on the I/O loop and used up by the pump, so that neither needs a lock.
        self._granted: float = 0 if protocol.has_credit else math.inf
        self._sent_items = 0
        self._notifier = Notifier()
        self._task: asyncio.Task[Any] | None = None
        self._controls: list[tuple[str, Any]] = []

    # ---- told by the peer; I/O loop only

    def credited(self, count: int) -> None:
        """The peer takes ``count`` more values."""
        self._granted += count
        self._notifier.notify()

    def thrown(self, control_id: str, error: Any) -> None:
        """The peer raises ``error`` inside the generator; done when that is at a yield."""
        self.throw_requests.append(ThrowRequest(control_id, as_exception(error)))
        self._notifier.notify()

    def cancel(self, control_id: str = "", value: Any = undefined) -> None:
        """End it where it waits; returns at once. Also for our own side, from any thread.

        Args:
            control_id: what the peer wants to have acknowledged, if anything.
            value: what it wants to hear in the acknowledgement.
        """
        if control_id:
            self._controls.append((control_id, value))
            if self.over or not is_async_stream(self._source):
                self._acknowledge()  # a sync generator is told at its next yield; the peer goes on
        self.cancelled = True
        handler_loop().post(self._cancel_task)
        self._notifier.notify()
        self._send_queue.notifier.notify()

    def _cancel_task(self) -> None:
        # Once: a second time would interrupt what the source does at its end.
        if self._task is not None and not (self.interrupted or self._task.cancelling()):
            self.interrupted = True
            self._task.cancel()

    def fail(self, error: RemoteError) -> None:
        """Our side ends it, and tells the peer why. I/O loop only."""
        if not (self.over or self.cancelled):
            message = self._protocol.fail_stream(self.stream_id, error, self._codec)
            self._note("error", message)
            self._send_queue.put(message)
            self.cancel()

    # ---- asked by the pump

    def send_item(self, value: Any) -> None:
        """Send one value. Any thread."""
        message = self._protocol.item(self.stream_id, self._checked(value), self._codec)
        if not self.cancelled:
            self._sent_items += 1
            if self._record is not None:
                self._record.sent_chunk(self.stream_id, message)
            self._send_queue.put(message)

    def answer_throw(self, request: ThrowRequest, value: Any) -> None:
        """The generator has yielded ``value`` in answer to an error thrown into it."""
        self._send(
            self._protocol.acknowledge(
                request.control_id, self.stream_id, self._checked(value), self._codec, done=False
            ),
            "acknowledgement",
        )

    def _checked(self, value: Any) -> Any:
        return value if self._check_item is None else self._check_item(value)

    @property
    def must_wait(self) -> bool:
        """Whether the pump should wait: for the socket, or for credit."""
        if self.cancelled:  # until that has come to the task: nobody wants what is made meanwhile
            return not self.interrupted
        return self._send_queue.full or (
            self._sent_items >= self._granted and not self.throw_requests
        )

    async def room(self) -> None:
        """Wait until the next value may be made."""
        while self.must_wait:
            if self._send_queue.full:
                await wait_async(self._send_queue.notifier, lambda: not self._send_queue.full)
            else:
                await wait_async(
                    self._notifier, lambda: not self.must_wait or self._send_queue.full
                )

    def wait_for_room(self) -> None:
        """As :meth:`room`, in a thread."""
        while self.must_wait and not self.cancelled:
            if self._send_queue.full:
                wait_blocking(
                    self._send_queue.notifier, lambda: self.cancelled or not self._send_queue.full
                )
            else:
                wait_blocking(
                    self._notifier,
                    lambda: self.cancelled or not self.must_wait or self._send_queue.full,
                )

    # ---- running

    async def run(self) -> None:
        """Move it to its end and tell the peer how that was. Handler loop only.

        Cancelling the task ends an async source where it waits.
        """
        self._task = asyncio.current_task()
        protocol = self._protocol
        try:
            if self.cancelled:  # before it began: the pump only closes the source
                self.interrupted = True
            if is_async_stream(self._source):
                returned = await pump_async(self._source, self)
            else:
                name = f"kkjupyter-generator {self._title}"
                pump = SyncPump(self._source, self, name, self._slots, self._failed_late)
                returned = await pump.run()
            end = protocol.end(self.stream_id, returned, self._codec)
        except BaseException as exc:  # noqa: BLE001  told to the peer
            self._failed(exc)
        else:
            self._on_over()
            self.over = True  # before the peer can know, and throw something into it
            if not self._is_throwing:  # else its answer says that it is over
                self._send(end, "end")
            self._finish()

    def _failed(self, exc: BaseException) -> None:
        protocol, stream_id, codec = self._protocol, self.stream_id, self._codec
        if self.cancelled:
            if isinstance(exc, asyncio.CancelledError):
                self._finish()
            else:  # while it cleaned up
                self._failed_late(exc)
                self._finish(exc)
            return
        if self._is_result:
            log_failure(self._title, exc, told=self._debug)
        if isinstance(exc, asyncio.CancelledError):
            exc = RemoteError("cancelled", name="CancelledError")  # the handler cancelled itself
        if self._is_throwing:  # the answer to what was thrown into it
            self._finish(exc)
        else:
            self._on_over()
            self.over = True
            failure = encode_failure(
                lambda e: protocol.fail_stream(stream_id, e, codec), exc, debug=self._debug
            )
            self._send(failure, "error")
            self._finish()

    def _failed_late(self, exc: BaseException) -> None:
        """It was cancelled, and failed then; a classic peer is told of no end. Any thread."""
        log_late_failure(self._title, exc)

    @property
    def _is_throwing(self) -> bool:
        return bool(self.throw_requests) and self.throw_requests[0].under_way

    def _send(self, message: bytes, kind: str) -> None:
        if not self.cancelled:
            self._note(kind, message)
            self._send_queue.put(message)

    def _note(self, kind: str, message: bytes) -> None:
        if self._record is not None:
            detail = "of the argument"
            io_loop().post(self._record.sent, kind, message, detail)

    def _finish(self, exc: BaseException | None = None) -> None:
        """Nothing more will be sent, except the answers to controls."""
        self.over = True
        # It is the job's own, which holds this: a circle, with all arguments of the call in it.
        self._on_over = _nothing
        io_loop().post(self._acknowledge, exc)

    def _acknowledge(self, exc: BaseException | None = None) -> None:
        """Answer the controls that have not been answered. I/O loop only."""
        protocol, stream_id, codec = self._protocol, self.stream_id, self._codec
        controls, self._controls = self._controls, []
        if self.over:
            controls += [(i.control_id, undefined) for i in self.throw_requests]
            self.throw_requests.clear()
        for control_id, value in controls:
            answer = (
                encode_acknowledgement(protocol, control_id, stream_id, value, codec)
                if exc is None
                else self._control_failure(control_id, exc)
            )
            self._note("acknowledgement", answer)
            self._send_queue.put(answer)

    def _control_failure(self, control_id: str, exc: BaseException) -> bytes:
        return encode_failure(
            lambda error: self._protocol.fail_control(
                control_id, self.stream_id, error, self._codec
            ),
            exc,
            debug=self._debug,
        )


class OutgoingStreams:
    """The streams of one connection that the peer can address. I/O loop only.

    Args:
        protocol: makes the messages.
        send_queue: takes them.
        slots: how many of them may run in threads of their own; as many as for one client if None.
    """

    def __init__(
        self, protocol: Protocol, send_queue: SendQueue, slots: Slots | None = None
    ) -> None:
        self.slots = slots or generator_slots()
        self.is_ending = False
        """Whether the connection is about to end: that will tell the peer about its streams."""
        self._protocol = protocol
        self._send_queue = send_queue
        self._streams: dict[str, OutgoingStream] = {}

    def __len__(self) -> int:
        return len(self._streams)

    def add(self, stream: OutgoingStream) -> None:
        """The peer may now address this one, until it is over. Any thread."""
        self._streams[stream.stream_id] = stream

    def discard(self, stream: OutgoingStream) -> None:
        """The peer has no more to say to this one."""
        if self._streams.get(stream.stream_id) is stream:
            del self._streams[stream.stream_id]

    def start(self, stream: OutgoingStream, context: contextvars.Context) -> None:
        """Move a stream that nothing else runs, in ``context``: an argument of a call of ours."""
        self.add(stream)
        handler_loop().post(self._start, stream, context)

    def _start(self, stream: OutgoingStream, context: contextvars.Context) -> None:
        loop = asyncio.get_running_loop()
        task = loop.create_task(stream.run(), context=context)
        task.add_done_callback(lambda _: io_loop().post(self.discard, stream))

    def credited(self, event: Credited) -> None:
        """The peer pulls."""
        stream = self._streams.get(event.stream_id)
        if stream is not None and not stream.over:
            stream.credited(event.count)
        else:
            self._unknown(event, stream)

    def thrown(self, event: Thrown) -> None:
        """The peer raises an error inside one."""
        stream = self._streams.get(event.stream_id)
        if stream is not None and not stream.over:
            stream.thrown(event.control_id, event.error)
        else:
            self._unknown(event, stream)

    def cancelled(self, event: Cancelled) -> bool:
        """The peer no longer wants one; False when there is none of that id."""
        stream = self._streams.get(event.stream_id)
        if stream is None:
            return False
        stream.cancel(event.control_id, event.value)
        return True

    def stumbled(self, event: Credited | Thrown | Cancelled, error: RemoteError) -> None:
        """Handling this failed, by a fault of this side's: the stream is over.

        Without the credit the peer would wait for its next value for ever.
        """
        stream = self._streams.get(event.stream_id)
        if stream is not None:
            if isinstance(event, Cancelled):
                stream.cancel()
            else:
                stream.fail(error)
        if event.control_id:
            self._send_queue.put(
                self._protocol.fail_control(
                    event.control_id, event.stream_id, error, self._protocol.codec
                )
            )

    def close(self) -> None:
        """The connection is gone: end them all."""
        for stream in list(self._streams.values()):
            stream.cancel()
        self._streams.clear()

    def _unknown(self, event: Credited | Thrown, stream: OutgoingStream | None) -> None:
        if stream is None:
            self._answer_unknown(event)
        else:
            # Its task is just ending it, or has. The end is not always in the send queue yet, and
            # must come first: to its reader an error before the end is how the stream ended.
            handler_loop().post(io_loop().post, self._answer_unknown, event)

    def _answer_unknown(self, event: Credited | Thrown) -> None:
        if self.is_ending:
            return
        error = unknown_stream(event.stream_id)
        self._send_queue.put(
            self._protocol.fail_control(
                event.control_id, event.stream_id, error, self._protocol.codec
            )
        )


def close_unread(source: Any, title: str, context: contextvars.Context) -> None:
    """End a stream that nobody has begun to read and nobody will. Any thread; returns at once.

    Args:
        source: an async iterable or an iterator.
        title: of the call it was passed with.
        context: the caller's.
    """

    async def close() -> None:
        try:
            if is_async_stream(source):
                await close_source(source)
            else:  # it may block
                await run_function(lambda: close_iterator(source))
        except Exception:
            logger.exception("closing a stream that was passed to %s failed", title)

    def begin() -> None:
        task = asyncio.get_running_loop().create_task(close(), context=context.copy())
        _closing.add(task)
        task.add_done_callback(_closing.discard)

    handler_loop().post(begin)


def as_exception(error: Any) -> RemoteError:
    """What a peer threw into a generator, as what is raised there."""
    if isinstance(error, RemoteError):
        return error
    if isinstance(error, dict) and isinstance(error.get("message"), str):
        name = error.get("name")
        data = {k: v for k, v in error.items() if k not in ("name", "message", "stack", "cause")}
        return RemoteError(
            error["message"], name=name if isinstance(name, str) else "Error", data=data
        )
    return RemoteThrow(error, str(error))
