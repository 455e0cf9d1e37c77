"""One duplex connection: bytes to events and back, each event to the call it belongs to.

Lives on the I/O loop; a method that may be called elsewhere says so. The read path never waits for
a consumer: it fills buffers, and :class:`~kkjupyter.rpc.reading.Reading` stops the transport when
one is full.
"""

from __future__ import annotations

import copy
import logging
import typing
from collections.abc import Sequence
from typing import Any

from kkjupyter.errors import (
    BufferOverflow,
    ConnectionLost,
    MessageTooBig,
    ProtocolError,
    RemoteError,
    UsageError,
)
from kkjupyter.rpc.call import Call
from kkjupyter.rpc.callbacks import PassedFunctions
from kkjupyter.rpc.caller import OutgoingCall
from kkjupyter.rpc.callstate import CallState
from kkjupyter.rpc.facades import HeldFunctions
from kkjupyter.rpc.outbox import Outbox
from kkjupyter.rpc.outgoing import OutgoingStream, OutgoingStreams
from kkjupyter.rpc.portal import io_loop
from kkjupyter.rpc.reading import Reading
from kkjupyter.rpc.ringing import Ringer
from kkjupyter.rpc.stream import HARD_LIMIT_BYTES
from kkjupyter.transports.base import Transport
from kkjupyter.wire.detection import PROBE_NAME
from kkjupyter.wire.events import (
    Acknowledged,
    CallbackInvoked,
    CallbackRef,
    CallbacksReleased,
    Cancelled,
    Closing,
    Credited,
    Ended,
    Failed,
    Item,
    NotUnderstood,
    Opened,
    Replied,
    Requested,
    Thrown,
)
from kkjupyter.wire.protocol import Protocol
from kkjupyter.wire.values import undefined

__all__ = ["Channel", "RequestHandler"]

logger = logging.getLogger("kkjupyter")


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

    Attributes:
        handler: answers the peer's requests; without one they are refused.
        is_open: whether calls can be made on it.
        close_reason: why not.
        outgoing: the streams that the peer can address.
        held: the peer's functions.
        functions: ours that the peer may call.
    """

    def __init__(
        self, transport: Transport, protocol: Protocol, *, functions: PassedFunctions
    ) -> None:
        self.protocol = protocol
        self.outbox = Outbox(transport)
        self.reading = Reading(transport, self._must_read)
        self.outgoing = OutgoingStreams(protocol, self.outbox)
        self.held = HeldFunctions(protocol, self.outbox)
        self.handler: RequestHandler | None = None
        self.is_open = True
        self.close_reason = ""
        self._calls: dict[str, CallState] = {}  # not answered yet
        self._streams: dict[str, CallState] = {}  # being received
        self._controls: dict[str, CallState] = {}  # errors thrown into the peer's generators
        self._transport = transport
        self.functions = functions
        self._ringer = Ringer()
        self._filled = self._ringer.filled
        self._understood = False
        self._asked_too_much = False
        self._on = {
            Item: self._item,
            Replied: self._replied,
            Opened: self._opened,
            Ended: self._ended,
            Failed: self._failed,
            Requested: self._requested,
            Credited: self.outgoing.credited,
            Cancelled: self._peer_cancelled,
            Thrown: self.outgoing.thrown,
            Acknowledged: self._acknowledged,
            CallbackInvoked: self._callback_invoked,
            CallbacksReleased: self._callbacks_released,
            Closing: self._closing,
            NotUnderstood: self._not_understood,
        }

    # ---- our calls

    @property
    def url(self) -> str:
        """Where it leads, without secrets."""
        return self._transport.url

    @property
    def calls_under_way(self) -> list[CallState]:
        """Calls not answered yet, and streams being received. Any thread."""
        return [*self._calls.values(), *self._streams.values()]

    def start(self, call: OutgoingCall) -> None:
        """Send a call and expect its answer. It is sent once, whatever happens."""
        state = call.state
        if state.over:
            return
        if not self.is_open:
            state.failed(ConnectionLost(self.url, self.close_reason))
            return
        self._calls[state.call_id] = state
        for stream_id, source in call.streams.items():
            stream = OutgoingStream(
                source, stream_id, state.method, self.protocol, self.outbox, self.protocol.codec
            )
            state.sends.append(stream)
            self.outgoing.start(stream, call.context)
        self.outbox.put(call.frame)
        self.reading.reconsider()

    def throw(self, state: CallState, error: Any) -> Call:
        """Raise ``error`` inside the generator behind a stream. Any thread."""
        control = CallState(state.method, f"{state.title}.throw(...)", self.protocol.new_id(), self)
        frame = self.protocol.throw(control.call_id, state.stream_id, error)
        io_loop().post(self._throw, state, control, frame)
        return Call(control)

    def _throw(self, state: CallState, control: CallState, frame: bytes) -> None:
        if state.stream_id not in self._streams:
            control.failed(UsageError(f"{state.title} is over; nothing can be thrown into it"))
            return
        self._controls[control.call_id] = control
        self.outbox.put(frame)

    def adopt(self, stream_id: str, title: str) -> CallState:
        """A stream that the peer has passed as an argument, to be consumed here."""
        state = CallState(title, title, stream_id, self)
        state.opened(stream_id, has_credit=self.protocol.has_credit)
        self._streams[stream_id] = state
        return state

    def cancel_call(self, state: CallState) -> None:
        """Tell the peer that nobody wants the answer any more."""
        # A late stream handle finds no call under its id and is returned by _opened.
        if self._calls.pop(state.call_id, None) is not None:
            self.outbox.put(self.protocol.cancel(state.call_id))
        elif self._streams.pop(state.stream_id, None) is not None:
            self.outbox.put(self.protocol.cancel(state.stream_id))
        for stream in state.sends:
            stream.fail(RemoteError(f"{state.method} was cancelled", name="CallCancelled"))
        self.reading.forget(state)

    def pull(self, state: CallState) -> None:
        """Grant the peer as much credit as is due for this stream."""
        credit = state.credit
        if credit is None or state.over or state.stream_id not in self._streams:
            return
        count = credit.due()
        if count:
            self.outbox.put(self.protocol.pull(state.stream_id, count))

    @property
    def reading_paused(self) -> bool:
        """Whether reading has stopped because a buffer is full."""
        return self.reading.paused

    def reconsider_reading(self) -> None:
        """Somebody waits now who did not before, or a buffer has room."""
        self.reading.reconsider()

    async def close(self) -> None:
        """Cancel what runs, then close the transport in good order. Idempotent."""
        for state in self.calls_under_way:
            state.cancel()
            self.cancel_call(state)
        self.outbox.flush()
        await self._transport.close()

    def abort(self) -> None:
        """Break the connection off. Idempotent."""
        self._transport.abort()

    # ---- what the transport tells

    def data_received(self, chunks: Sequence[bytes]) -> None:
        try:
            events = self.protocol.receive(chunks, whole=self._transport.keeps_boundaries)
        except MessageTooBig as error:
            self._give_up(error)
            return
        on = self._on
        for event in events:
            on[type(event)](event)  # type: ignore[operator]
        if self._filled:
            if self.protocol.has_credit:
                for state in self._filled:
                    self._credit(state)
            self._ringer.ring_soon()
        if self.reading.paused:
            self.reading.peeked(chunks)
        if self.outbox.overfull:
            self._transport.pause_reading()
            self._asked_too_much = True

    def writable(self) -> None:
        self.outbox.flush()
        if self._asked_too_much and not self.outbox.full:
            self._asked_too_much = False
            if not self.reading.paused:
                self._transport.resume_reading()

    def closed(self, reason: str) -> None:
        self.is_open = False
        self.close_reason = self.close_reason or reason
        self.reading.stop()
        for state in self._forget_calls():
            state.failed(ConnectionLost(self.url, self.close_reason, state.buffer.put_items))
        self.outbox.close()
        self.outgoing.close()
        if self.handler is not None:
            self.handler.close()

    def _give_up(self, error: ProtocolError) -> None:
        """End the connection for something it cannot recover from."""
        self.is_open = False  # the next call connects anew
        self.close_reason = str(error)
        for state in self._forget_calls():
            state.failed(copy.copy(error))  # each raises its own, maybe at the same time
        self._transport.abort()

    def _forget_calls(self) -> list[CallState]:
        states = [*self.calls_under_way, *self._controls.values()]
        self._calls, self._streams, self._controls = {}, {}, {}
        return states

    # ---- events, most frequent first

    def _item(self, event: Item) -> None:
        state = self._streams.get(event.stream_id)
        if state is None:  # cancelled meanwhile
            return
        if state.put(event.value, event.size_bytes):
            self._too_much(state)
        self._filled.add(state)

    def _replied(self, event: Replied) -> None:
        self._understood = True
        state = self._calls.pop(event.call_id, None)
        if state is not None:
            state.replied(event.value)
        if self.reading.over_soft:
            self.reading.reconsider()

    def _opened(self, event: Opened) -> None:
        self._understood = True
        state = self._calls.pop(event.call_id, None)
        if state is None:
            self.outbox.put(self.protocol.cancel(event.stream_id))
        else:
            self._streams[event.stream_id] = state
            state.opened(event.stream_id, has_credit=self.protocol.has_credit)
            if state.claimed:
                self.pull(state)
        if self.reading.over_soft:
            self.reading.reconsider()

    def _ended(self, event: Ended) -> None:
        state = self._streams.pop(event.stream_id, None)
        if state is not None:
            state.ended(event.value)
            self.reading.forget(state)

    def _failed(self, event: Failed) -> None:
        self._understood = True
        state = self._streams.pop(event.id, None) or self._calls.pop(event.id, None)
        if state is not None:
            if isinstance(event.error, ProtocolError):  # ours: the peer believes that all is well
                self.outbox.put(self.protocol.cancel(event.id))
            state.failed(event.error)
            self.reading.forget(state)

    def _acknowledged(self, event: Acknowledged) -> None:
        control = self._controls.pop(event.control_id, None)
        if control is None:
            # Of a cancel: nobody waits for it, but what went wrong shall not go unseen.
            if event.error is not None:
                logger.warning("a stream that was cancelled failed at its end: %s", event.error)
            return
        if event.error is not None:
            control.failed(event.error)
            self._failed(Failed(event.stream_id, copy.copy(event.error)))
        elif event.done:
            control.replied(undefined)
            self._ended(Ended(event.stream_id, event.value))
        else:
            control.replied(event.value)

    def _requested(self, event: Requested) -> None:
        if event.call_id in self._calls or event.call_id in self._streams:
            self._give_up(
                ProtocolError(
                    "the other side sends back what it is sent; it is no kkrpc endpoint",
                    f"{event.operation} {'.'.join(event.path)}",
                )
            )
        elif self.handler is None:
            self.outbox.put(self.protocol.refuse(event, "no_api"))
        else:
            self._understood = True
            self.handler.requested(event)

    def _peer_cancelled(self, event: Cancelled) -> None:
        if self.outgoing.cancelled(event):
            return
        if self.handler is not None:
            self.handler.cancelled(event.stream_id)
        if event.control_id:  # of a stream that is over, or of a call
            self.outbox.put(
                self.protocol.acknowledge(
                    event.control_id, event.stream_id, event.value, self.protocol.codec
                )
            )

    def _callback_invoked(self, event: CallbackInvoked) -> None:
        args = [
            self.held.get(arg.id, self.protocol.codec) if type(arg) is CallbackRef else arg
            for arg in event.args
        ]
        if not self.functions.invoke(event.callback_id, args):
            logger.warning("the peer called back a function it was never given")

    def _callbacks_released(self, event: CallbacksReleased) -> None:
        self.functions.release(event.callback_ids)

    def _closing(self, event: Closing) -> None:
        self.close_reason = "closed by the other side"
        self._transport.abort()

    def _not_understood(self, event: NotUnderstood) -> None:
        if PROBE_NAME in event.excerpt:  # a client that asks for the other protocol as well
            return
        if not self._understood and self._calls:
            # Nothing on this connection made sense yet: waiting for an answer would be for ever.
            self._give_up(ProtocolError(f"{self.url} does not speak kkrpc", event.excerpt))
        else:
            logger.warning("ignored from %s: %s: %s", self.url, event.reason, event.excerpt)
            if event.call_id:
                error = RemoteError(event.reason, name="ProtocolError")
                self.outbox.put(self.protocol.fail_call(event.call_id, error, self.protocol.codec))

    # ---- backpressure

    def _credit(self, state: CallState) -> None:
        if state.credit is not None:
            state.credit.received()
            if state.claimed:
                self.pull(state)

    def _must_read(self) -> bool:
        """Whether somebody waits for what may come behind the items of a full buffer."""
        return (
            not self.is_open
            or bool(self._calls or self._controls or self.outgoing)
            or self.handler is not None
            or self.functions.called_late
            or any(
                state.waiting or state.watching or state.has_functions
                for state in self._streams.values()
            )
        )

    def _too_much(self, state: CallState) -> None:
        if state.buffer.over_hard_limit:
            self._streams.pop(state.stream_id, None)
            self.outbox.put(self.protocol.cancel(state.stream_id))
            state.failed(BufferOverflow(state.method, limit_bytes=HARD_LIMIT_BYTES))
            self.reading.forget(state)
        elif not self.protocol.has_credit:  # else it is within what was granted
            self.reading.too_much(state)
