"""One duplex connection: bytes to events and back, each event to the call it belongs to.

Lives on the I/O loop; a method that may be called elsewhere says so. The read path never waits for
a consumer: it fills buffers, and :class:`~kkjupyter.connection.read_flow_control.ReadFlowControl`
stops the transport when one is full. Nor does it keep others waiting: what is much is read in turns
with other connections.
"""

from __future__ import annotations

import copy
import typing
from collections.abc import Callable, Sequence
from typing import Any

from kkjupyter.calls.call import Call
from kkjupyter.calls.callback_jobs import CALLBACK_LIMITS
from kkjupyter.calls.callbacks import CallbackRegistry
from kkjupyter.calls.state import CallState
from kkjupyter.connection.arrivals import Arrivals
from kkjupyter.connection.call_table import CallTable
from kkjupyter.connection.channel_trace import ChannelTrace
from kkjupyter.connection.failures import encode_acknowledgement
from kkjupyter.connection.outgoing_call import OutgoingCall
from kkjupyter.connection.outgoing_streams import OutgoingStreams
from kkjupyter.connection.read_flow_control import ReadFlowControl
from kkjupyter.connection.remote_callbacks import RemoteCallbacks
from kkjupyter.connection.send_queue import SendQueue
from kkjupyter.errors import (
    BufferOverflow,
    ConnectionLost,
    ProtocolError,
    RemoteError,
)
from kkjupyter.limits import ConnectionLoad
from kkjupyter.runtime.logs import SafeLogger
from kkjupyter.traces.recorder import Recorder
from kkjupyter.transports.base import Transport
from kkjupyter.transports.fairness import Piecework
from kkjupyter.wire.events import (
    Acknowledged,
    CallbackInvoked,
    CallbackRef,
    CallbacksReleased,
    Cancelled,
    Closing,
    Credited,
    Ended,
    Event,
    Failed,
    Item,
    NotUnderstood,
    Opened,
    Replied,
    Requested,
    StreamRef,
    Thrown,
)
from kkjupyter.wire.kkrpc.base import Protocol
from kkjupyter.wire.kkrpc.detection import PROBE_NAME

__all__ = ["Channel", "RequestHandler"]

logger = SafeLogger("kkjupyter")

# How much that makes no sense is reported of one connection.
_REPORT_LIMIT = 20


class RequestHandler(typing.Protocol):
    """Who answers the peer's requests."""

    def requested(self, request: Requested) -> None:
        """The peer asks for something."""

    def cancelled(self, call_id: str) -> None:
        """The peer no longer wants it."""

    def close(self) -> None:
        """The connection is gone."""


class Channel:
    """Carries the calls of both sides over one transport, which reports to it.

    Args:
        transport: not read from yet.
        protocol: this side's protocol.
        functions: those the peer may call back.
        recorder: notes the frames of our calls; None notes nothing.
        load: what the peer has at once, where it is a server's client.

    Attributes:
        handler: answers the peer's requests; without one they are refused.
        is_open: whether calls can be made on it.
        close_reason: why not.
        calls: ours, and the peer's streams.
        outgoing: the streams that the peer can address.
        remote_callbacks: the peer's functions.
        functions: ours that the peer may call.
    """

    def __init__(
        self,
        transport: Transport,
        protocol: Protocol,
        *,
        functions: CallbackRegistry,
        recorder: Recorder | None = None,
        load: ConnectionLoad | None = None,
    ) -> None:
        limits = load.limits if load is not None else None
        limit_bytes = limits.buffered_bytes_per_connection if limits is not None else None
        self.protocol = protocol
        self.send_queue = SendQueue(
            transport, load.server.budget if load is not None else None, limit_bytes
        )
        self.reading = ReadFlowControl(transport, self.send_queue, self._must_read)
        self.outgoing = OutgoingStreams(
            protocol, self.send_queue, load.generators if load is not None else None
        )
        self.remote_callbacks = RemoteCallbacks(
            protocol, self.send_queue, self.send_queue.check_room
        )
        self.handler: RequestHandler | None = None
        self.is_open = True
        self.close_reason = ""
        self._trace: ChannelTrace | None = None
        self.calls = CallTable(
            protocol, self.send_queue, self.reading, self.outgoing, limit_bytes=limit_bytes
        )
        self.functions = functions
        self._callback_limits = dict(CALLBACK_LIMITS)
        if limits is not None and limits.callbacks_per_call is not None:
            self._callback_limits["limit_items"] = limits.callbacks_per_call
        self._transport = transport
        self._reported = 0
        self._arrivals = Arrivals(
            protocol,
            keeps_boundaries=transport.keeps_boundaries,
            read=self._read,
            hand_in=self._hand_in,
            fail=self._cannot_read,
            reads_itself=lambda: self._trace is None or not self._trace.recorder.traced,
        )
        self._arrivals.on_decoded = self._go_on_reading
        self._reading_on = Piecework(self._read_some, self.calls.batch_is_through)
        self._is_closing = False
        self._has_closed_handler = False
        self._is_held_back = False
        on: dict[type, Callable[[Any], object]] = {
            Item: self.calls.item,
            Replied: self.calls.replied,
            Opened: self.calls.opened,
            Ended: self.calls.ended,
            Failed: self.calls.failed,
            Requested: self._requested,
            Credited: self.outgoing.credited,
            Cancelled: self._peer_cancelled,
            Thrown: self.outgoing.thrown,
            Acknowledged: self.calls.acknowledged,
            CallbackInvoked: self._callback_invoked,
            CallbacksReleased: self._callbacks_released,
            Closing: self._closing,
            NotUnderstood: self._not_understood,
        }
        self._on = on
        if recorder is not None:
            self.trace_with(recorder)

    @property
    def transport(self) -> Transport:
        """What carries it."""
        return self._transport

    @property
    def url(self) -> str:
        """Where it leads, without secrets."""
        return self._transport.url

    @property
    def is_in_use(self) -> bool:
        """Whether anything is under way on it, in either direction."""
        return bool(
            self.calls.is_waiting
            or self.calls.under_way
            or self.outgoing
            or self.handler is not None
            or self.functions.called_late
            or self.send_queue.held_bytes
        )

    def trace_with(self, recorder: Recorder) -> None:
        """From now on note the frames of our calls, in its records. Once is enough."""
        if self._trace is None:
            whole = self._transport.keeps_boundaries
            self._trace = ChannelTrace(recorder, self.protocol, keeps_boundaries=whole)
            self.calls.trace = self._trace
            self._on = self._trace.watch(self._on)

    def start(self, call: OutgoingCall) -> None:
        """Send a call and expect its answer. It is sent once, whatever happens."""
        if call.state.over:
            self.functions.never_sent(call.function_ids, self.protocol)
            self.calls.drop(call)
        elif self.is_open:
            self.calls.start(call)
        else:
            call.state.failed(ConnectionLost(self.url, self.close_reason))
            call.close_streams()

    def start_here(self, call: OutgoingCall) -> bool:
        """Send a call in the thread at hand, if it is alone. Any thread.

        Returns whether it was taken; if not, nothing was done.
        """
        if self.calls.is_waiting or not (self.is_open and self.send_queue.is_direct):
            return False
        self.calls.start_here(call)
        if not self.is_open:  # the end may have come before the call was there to be told of it
            call.state.failed(ConnectionLost(self.url, self.close_reason))
        return True

    async def close(self) -> None:
        """Cancel what runs, then close the transport in good order. Idempotent."""
        for state in self.calls.under_way:
            state.cancel()
            self.calls.cancel_call(state)
        self.send_queue.empty()
        self._arrivals.drop()  # nobody waits for any of it
        await self._transport.close()

    def abort(self) -> None:
        """Break the connection off. Idempotent."""
        self._arrivals.drop()
        self._transport.abort()

    # ---- what the transport tells

    def data_received(self, chunks: Sequence[bytes]) -> None:
        if self.reading.holds:
            self.reading.peeked(chunks)
        if self._arrivals.add(chunks):
            self._go_on_reading()

    def _go_on_reading(self) -> None:
        """Read what is left, in turns with other connections."""
        self._reading_on.go_on()
        self._look_what_is_left()

    def hold_back(self) -> None:
        """The handler has more requests than it has begun with: no more are read for now."""
        self._is_held_back = True
        self.reading.stop_for("requests")

    def go_on(self) -> None:
        """The handler takes more requests."""
        self._is_held_back = False
        self.reading.go_on_after("requests")
        if self._arrivals.is_left:
            self._go_on_reading()

    def _read_some(self) -> bool:
        if self._is_held_back:
            return False
        try:
            is_left = self._arrivals.step()
        except Exception as problem:  # noqa: BLE001  told to whoever waits
            self._cannot_read(problem)
            return False
        if not is_left:
            self._look_what_is_left()
        return is_left

    def _look_what_is_left(self) -> None:
        if self._arrivals.is_left:
            self.reading.stop_for("unread")
        else:
            self.reading.go_on_after("unread")
            if self._is_closing:
                self._end()

    def _read(self, chunks: Sequence[bytes]) -> None:
        """Read what the protocol can, and hand it in."""
        trace = self._trace
        try:
            if trace is not None and trace.recorder.traced:
                trace.read(chunks, self._on)
                events: list[Event] = []
            else:
                events = self.protocol.receive(chunks, whole=self._transport.keeps_boundaries)
        except Exception as problem:  # noqa: BLE001  told to whoever waits
            self._cannot_read(problem)
            return
        self._hand_in(chunks, events)

    def _cannot_read(self, problem: Exception) -> None:
        """What has come cannot be read: a message without end, or no memory, or a fault here.

        The connection ends: code that waits for something in that data would wait forever.
        """
        if not isinstance(problem, ProtocolError):
            logger.error("what came from %s could not be read", self.url, exc_info=problem)
            why = f"what came could not be read ({type(problem).__name__}: {problem})"
            problem = ProtocolError(why)
        self._give_up(problem)

    def _hand_in(self, chunks: Sequence[bytes], events: list[Event]) -> None:
        trace = self._trace
        if trace is not None:
            trace.arrived(chunks, events)
        on = self._on
        for event in events:
            try:
                on[type(event)](event)
            except Exception as problem:  # noqa: BLE001  a message harms only itself
                self._stumble(event, problem)
        if trace is not None:
            trace.through()
        if not self._reading_on.is_at_work:  # else at the end of the turn
            self.calls.batch_is_through()
        self.reading.look_at_send_queue()

    def writable(self) -> None:
        self.send_queue.flush()

    def closed(self, reason: str) -> None:
        self.close_reason = self.close_reason or reason
        self.is_open = False
        if self._arrivals.is_left and self.calls.under_way:
            # What somebody waits for may be among it. Of a peer that only asks nothing is read any
            # more: nobody is left to be answered.
            self._is_closing = True
            self._close_handler()
            self.send_queue.close()
        else:
            self._end()

    def _end(self) -> None:
        """All that has come was read, and nothing more will come."""
        self._is_closing = False
        self._arrivals.drop()
        self.reading.stop()
        for state in self._lose_calls():
            state.failed(ConnectionLost(self.url, self.close_reason, state.buffer.put_items))
        self._close_handler()  # first: handlers that wait for the send queue shall not go on
        self.send_queue.close()
        self.outgoing.close()

    def _close_handler(self) -> None:
        if self.handler is not None and not self._has_closed_handler:
            self._has_closed_handler = True
            self.handler.close()

    def _give_up(self, error: ProtocolError) -> None:
        """End the connection for something it cannot recover from."""
        self.close_reason = str(error)
        self.is_open = False  # the next call connects anew
        self._arrivals.drop()
        for state in self._lose_calls():
            state.failed(copy.copy(error))  # each raises its own, maybe at the same time
        self._transport.abort()

    def _lose_calls(self) -> list[CallState]:
        """All calls under way, which are about to fail."""
        states = self.calls.forget_all()
        if self._trace is not None:
            try:
                self._trace.lost(states, self.close_reason)
            except Exception:
                # All who wait are told first of all.
                logger.exception("the end of a connection could not be noted in its traces")
        return states

    def _must_read(self) -> bool:
        """Whether somebody waits for what may come behind the items of a full buffer."""
        return (
            not self.is_open
            or self.calls.must_read
            or bool(self.outgoing)
            or self.handler is not None
            or self.functions.must_be_read
        )

    # ---- events

    def _requested(self, event: Requested) -> None:
        if self._has_closed_handler:  # nobody is left to be answered
            return
        if self.calls.is_awaited(event.call_id):
            # A program that sends back what it is sent; or one that uses an id of ours, by
            # which it harms no other call.
            error = ProtocolError(
                "the other side sends back what it is sent; it is not a kkrpc endpoint",
                f"{event.operation} {'.'.join(event.path)}",
            )
            self.calls.failed(Failed(event.call_id, error))
            refusal = RemoteError(
                "the id of this request is that of a call in the other direction; use another one",
                name="ProtocolError",
            )
            self.send_queue.put(self.protocol.fail_call(event.call_id, refusal, event.codec))
        elif self.handler is None:
            self.send_queue.put(self.protocol.refuse(event, "no_api"))
        else:
            self.calls.understood = True
            self.handler.requested(event)

    def _peer_cancelled(self, event: Cancelled) -> None:
        if self.outgoing.cancelled(event):
            return
        if self.handler is not None:
            self.handler.cancelled(event.stream_id)
        if event.control_id:  # of a stream that is over, or of a call
            self.send_queue.put(
                encode_acknowledgement(
                    self.protocol,
                    event.control_id,
                    event.stream_id,
                    event.value,
                    self.protocol.codec,
                )
            )

    def _callback_invoked(self, event: CallbackInvoked) -> None:
        args, _ = self.revive(event.args, self.protocol.codec, "a callback")
        if event.callback_id not in self.functions:
            self._report(NotUnderstood("a call of an unknown function", event.callback_id))
            return
        jobs = self.functions.invoke(event.callback_id, args, event.size_bytes)
        if jobs is None:
            return
        if jobs.is_over(**self._callback_limits):  # which may be below the soft limit
            error = BufferOverflow("a callback", what="callback", **self._callback_limits)
            self.functions.give_up(event.callback_id, error)
        elif jobs.is_over_soft:
            self.reading.too_many(jobs)

    def revive(
        self, args: Sequence[Any], codec: str, method: str
    ) -> tuple[list[Any], list[CallState]]:
        """Arguments that the peer has sent, as they are handed on, and the streams among them.

        Args:
            args: with references for functions and streams.
            codec: of what the functions are sent.
            method: whose arguments they are, for messages.
        """
        revived: list[Any] = []
        streams: list[CallState] = []
        for arg in args:
            if type(arg) is CallbackRef:
                arg = self.remote_callbacks.get(arg.id, codec)
            elif type(arg) is StreamRef:
                streams.append(self.calls.adopt(arg.id, f"argument of {method}"))
                arg = Call(streams[-1])
            revived.append(arg)
        return revived, streams

    def _callbacks_released(self, event: CallbacksReleased) -> None:
        self.functions.release(event.callback_ids)

    def _closing(self, event: Closing) -> None:
        self.close_reason = "closed by the other side"
        self._transport.abort()

    def _not_understood(self, event: NotUnderstood) -> None:
        if PROBE_NAME in event.excerpt:  # a client that asks for the other protocol as well
            return
        # Programs print to stdout what is no message; elsewhere, when nothing on a connection has
        # made sense yet, an answer would never come.
        is_lost = self._transport.keeps_boundaries and not self.calls.understood
        if is_lost and self.calls.is_waiting:
            self._give_up(ProtocolError(f"{self.url} does not speak kkrpc", event.excerpt))
        else:
            self._report(event)
            if event.call_id:
                error = RemoteError(event.reason, name="ProtocolError")
                self.send_queue.put(
                    self.protocol.fail_call(event.call_id, error, self.protocol.codec)
                )

    def _stumble(self, event: Event, problem: Exception) -> None:
        """Handling a message failed, which is a fault of this side's: that one call has failed.

        Whoever waits for what the message says is told so, on either side. Where even that fails
        the connection ends, and by that every wait.
        """
        self._reported += 1
        if self._reported <= _REPORT_LIMIT:
            logger.error("a message from %s could not be handled", self.url, exc_info=problem)
        why = f"what came could not be handled ({type(problem).__name__}: {problem})"
        try:
            self._tell_of_stumble(event, why)
        except Exception as failure:
            logger.error("that could not be told, either", exc_info=failure)
            self._give_up(ProtocolError(why))

    def _tell_of_stumble(self, event: Event, why: str) -> None:
        error = RemoteError("the request could not be handled", name="InternalError")
        match event:
            case Requested():
                self.send_queue.put(self.protocol.fail_call(event.call_id, error, event.codec))
            case NotUnderstood() if event.call_id:
                self.send_queue.put(
                    self.protocol.fail_call(event.call_id, error, self.protocol.codec)
                )
            case CallbackInvoked():
                # Going on without this one call would be a silent loss.
                self.functions.give_up(event.callback_id, ProtocolError(why))
            case Credited() | Cancelled() | Thrown():
                self.outgoing.stumbled(event, error)
            case _:
                self.calls.stumbled(event, ProtocolError(why))

    def _report(self, event: NotUnderstood) -> None:
        self._reported += 1
        if self._reported <= _REPORT_LIMIT:
            logger.warning(
                "ignored a message from %s: %s: %.120s", self.url, event.reason, event.excerpt
            )
        if self._reported == _REPORT_LIMIT:
            logger.warning("further messages of that kind from %s are not reported", self.url)
