"""One duplex connection: bytes to events and back, each event to the call it belongs to.

Lives on the I/O loop; a method that may be called elsewhere says so. The read path never waits for
a consumer: it fills buffers, and :class:`~kkjupyter.rpc.reading.Reading` stops the transport when
one is full.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Sequence
from typing import Protocol

from kkjupyter.errors import (
    BufferOverflow,
    ConnectionLost,
    MessageTooBig,
    ProtocolError,
    RemoteError,
)
from kkjupyter.rpc.callbacks import PassedFunctions
from kkjupyter.rpc.callstate import CallState
from kkjupyter.rpc.outbox import Outbox
from kkjupyter.rpc.reading import Reading
from kkjupyter.rpc.ringing import Ringer
from kkjupyter.rpc.stream import HARD_LIMIT_BYTES
from kkjupyter.transports.base import Transport
from kkjupyter.wire.classic import Classic
from kkjupyter.wire.events import (
    CallbackInvoked,
    Cancelled,
    Closing,
    Ended,
    Failed,
    Item,
    NotUnderstood,
    Opened,
    Replied,
    Requested,
)

__all__ = ["Channel", "RequestHandler", "serve_channel"]

logger = logging.getLogger("kkjupyter")


class RequestHandler(Protocol):
    """Who answers the peer's requests."""

    def requested(self, request: Requested) -> None:
        """The peer asks for something."""

    def cancelled(self, call_id: str) -> None:
        """The peer no longer wants it."""

    def close(self) -> None:
        """The connection is gone."""


class Channel:
    """Carries the calls of both sides over one transport.

    Args:
        transport: open, and not read from yet.
        protocol: this side's protocol.
        functions: those the peer may call back.
    """

    def __init__(
        self,
        transport: Transport,
        protocol: Classic,
        *,
        functions: PassedFunctions,
    ) -> None:
        self.protocol = protocol
        self.outbox = Outbox(transport)
        self.reading = Reading(transport, self._must_read)
        self.is_open = True
        self.close_reason = ""
        self.calls: dict[str, CallState] = {}
        self._transport = transport
        self._functions = functions
        self._handler: RequestHandler | None = None
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
            Cancelled: self._peer_cancelled,
            CallbackInvoked: self._callback_invoked,
            Closing: self._closing,
            NotUnderstood: self._not_understood,
        }

    def open(self, handler: RequestHandler | None = None) -> None:
        """Begin to read.

        Args:
            handler: answers the peer's requests; without one they are refused.
        """
        self._handler = handler
        self._transport.open(self)

    # ---- our calls

    def start(self, state: CallState, frame: bytes) -> None:
        """Send a call and expect its answer. It is sent once, whatever happens."""
        if state.over:
            return
        if not self.is_open:
            state.failed(ConnectionLost(self._transport.url, self.close_reason))
            return
        self.calls[state.call_id] = state
        self.outbox.put(frame)
        self.reading.reconsider()

    def cancel_call(self, state: CallState) -> None:
        """Tell the peer that nobody wants the answer any more."""
        # A late stream handle finds no call under its id and is returned by _opened.
        if self.calls.pop(state.call_id, None) is not None:
            self.outbox.put(self.protocol.cancel(state.call_id))
        self.reading.forget(state)

    async def close(self) -> None:
        """Cancel what runs, then close the transport in good order. Idempotent."""
        for state in list(self.calls.values()):
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
        calls, self.calls = self.calls, {}
        for state in calls.values():
            state.failed(
                ConnectionLost(self._transport.url, self.close_reason, state.buffer.put_items)
            )
        self.outbox.close()
        if self._handler is not None:
            self._handler.close()

    def _give_up(self, error: ProtocolError) -> None:
        """End the connection for something it cannot recover from."""
        self.is_open = False  # the next call connects anew
        self.close_reason = str(error)
        self._fail_all(error)
        self._transport.abort()

    def _fail_all(self, error: ProtocolError) -> None:
        calls, self.calls = self.calls, {}
        for state in calls.values():
            state.failed(copy.copy(error))  # each raises its own, maybe at the same time

    # ---- events, most frequent first

    def _item(self, event: Item) -> None:
        state = self.calls.get(event.stream_id)
        if state is None:  # cancelled meanwhile
            return
        if state.put(event.value, event.size_bytes):
            self._too_much(state)
        self._filled.add(state)

    def _replied(self, event: Replied) -> None:
        self._understood = True
        state = self.calls.pop(event.call_id, None)
        if state is not None:
            state.replied(event.value)
        if self.reading.over_soft:
            self.reading.reconsider()

    def _opened(self, event: Opened) -> None:
        self._understood = True
        state = self.calls.get(event.call_id)
        if state is None:
            self.outbox.put(self.protocol.cancel(event.stream_id))
        else:
            state.opened()
        if self.reading.over_soft:
            self.reading.reconsider()

    def _ended(self, event: Ended) -> None:
        state = self.calls.pop(event.stream_id, None)
        if state is not None:
            state.ended(event.value)
            self.reading.forget(state)

    def _failed(self, event: Failed) -> None:
        self._understood = True
        state = self.calls.pop(event.id, None)
        if state is not None:
            if isinstance(event.error, ProtocolError):  # ours: the peer believes that all is well
                self.outbox.put(self.protocol.cancel(event.id))
            state.failed(event.error)
            self.reading.forget(state)

    def _requested(self, event: Requested) -> None:
        if event.call_id in self.calls:
            self._give_up(
                ProtocolError(
                    "the other side sends back what it is sent; it is no kkrpc endpoint",
                    f"{event.operation} {'.'.join(event.path)}",
                )
            )
        elif self._handler is None:
            self.outbox.put(self.protocol.refuse(event, "no_api"))
        else:
            self._understood = True
            self._handler.requested(event)

    def _peer_cancelled(self, event: Cancelled) -> None:
        if self._handler is not None:
            self._handler.cancelled(event.stream_id)

    def _callback_invoked(self, event: CallbackInvoked) -> None:
        if not self._functions.invoke(event.callback_id, event.args):
            logger.warning("the peer called back a function it was never given")

    def _closing(self, event: Closing) -> None:
        self.close_reason = "closed by the other side"
        self._transport.abort()

    def _not_understood(self, event: NotUnderstood) -> None:
        if not self._understood and self.calls:
            # Nothing on this connection made sense yet: waiting for an answer would be for ever.
            self._give_up(
                ProtocolError(f"{self._transport.url} does not speak kkrpc", event.excerpt)
            )
        else:
            logger.warning(
                "ignored from %s: %s: %s", self._transport.url, event.reason, event.excerpt
            )
            if event.call_id:
                error = RemoteError(event.reason, name="ProtocolError")
                self.outbox.put(self.protocol.fail_call(event.call_id, error, self.protocol.codec))

    # ---- backpressure of a protocol without credit

    def _must_read(self) -> bool:
        """Whether somebody waits for what may come behind the items of a full buffer."""
        return (
            not self.is_open
            or self._handler is not None
            or self._functions.called_late
            or any(
                state.waiting or state.watching or state.has_functions or not state.answered()
                for state in self.calls.values()
            )
        )

    def _too_much(self, state: CallState) -> None:
        if state.buffer.over_hard_limit:
            self.calls.pop(state.call_id, None)
            self.outbox.put(self.protocol.cancel(state.call_id))
            state.failed(BufferOverflow(state.method, limit_bytes=HARD_LIMIT_BYTES))
            self.reading.forget(state)
        else:
            self.reading.too_much(state)


def serve_channel(
    transport: Transport,
    make_handler: Callable[[Channel], RequestHandler],
    *,
    limit_bytes: int,
) -> Channel:
    """Open the serving side of ``transport``. I/O loop only.

    Args:
        transport: open, and not read from yet.
        make_handler: makes who answers the requests of this channel.
        limit_bytes: the longest message accepted.
    """
    protocol = Classic(limit_bytes=limit_bytes)
    functions = PassedFunctions(protocol.new_id)
    channel = Channel(transport, protocol, functions=functions)
    channel.open(make_handler(channel))
    return channel
