"""A connection to one address, with a channel that is opened again after a loss."""

from __future__ import annotations

import asyncio
import copy
import os
import threading
import weakref
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from kkjupyter.argument_checks import check_choice, check_seconds
from kkjupyter.calls.callbacks import CallbackRegistry
from kkjupyter.calls.state import CallState
from kkjupyter.client.caller import Caller, ProtocolCaller
from kkjupyter.client.peer_kind import answer_of, binds_names, make_question
from kkjupyter.connection.channel import Channel, RequestHandler
from kkjupyter.connection.negotiation import (
    PROTOCOLS,
    NegotiatedProtocol,
    find_protocol,
    make_protocol,
    terms_of,
)
from kkjupyter.connection.outgoing_call import OutgoingCall
from kkjupyter.errors import ConnectError, KKError, UsageError
from kkjupyter.limits import ClientLimits, size_limit
from kkjupyter.runtime.logs import SafeLogger
from kkjupyter.runtime.loop_threads import io_loop, leave_to_parent
from kkjupyter.traces.record import record_of
from kkjupyter.transports.base import Transport
from kkjupyter.wire.kkrpc.base import Codec, Protocol
from kkjupyter.wire.kkrpc.classic.reader import CODECS

__all__ = ["Session", "note_session", "open_sessions"]

logger = SafeLogger("kkjupyter")

# The protocol found at an address, so that connecting there again asks for that one first.
_found: dict[str, tuple[str, Codec]] = {}
_FOUND_LIMIT = 256

_sessions: weakref.WeakSet[Caller] = weakref.WeakSet()
_sessions_lock = threading.Lock()


def note_session(session: Caller) -> None:
    """Add it to :func:`open_sessions`, for as long as it is referenced."""
    with _sessions_lock:
        _sessions.add(session)


def open_sessions() -> list[Caller]:
    """Every session that is not closed, oldest first."""
    with _sessions_lock:  # a set cannot be iterated while it grows
        sessions = list(_sessions)
    return sorted((s for s in sessions if not s.closed), key=lambda s: s.number)


def _forget_connections() -> None:
    """Forget the parent's connections in a fork: both would take each other's answers."""
    global _sessions_lock
    _sessions_lock = threading.Lock()
    with _sessions_lock:
        sessions = list(_sessions)
    for session in sessions:
        session.forked()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_connections)


class Session(ProtocolCaller):
    """Calls to one address.

    The first channel is made by :meth:`connect`. When it is lost, running calls fail and are not
    sent again; the next call makes a new channel.

    Args:
        url: the address without secrets, for messages.
        dial: makes a new transport; called on the I/O loop.
        protocol: ``"classic"`` or ``"compact"``; None detects it.
        codec: the codec of the messages sent; None for the one that the peer answers in, or
            superjson if the protocol is not detected. Answers are read in both.
        timeout_s: the default limit for the reply of a call, in seconds.
        idle_timeout_s: the default limit for the next item of a stream, in seconds.
        methods: names of the other side's methods, for completion and the repr.
        meta: called for each call; its result is sent with the call.
        probe_timeout_s: the limit for detecting the protocol, in seconds; None for one that suits a
            running server. With a given limit the protocol is not remembered.
        make_handler: makes the handler of the peer's own calls, for each channel.
        limits: how large a message may be.
        is_listed: whether :func:`open_sessions` has it; not one that is part of another.

    Raises:
        UsageError: an argument is not valid.
    """

    def __init__(
        self,
        url: str,
        dial: Callable[[], Awaitable[Transport]],
        *,
        protocol: str | None = None,
        codec: str | None = None,
        timeout_s: float | None = None,
        idle_timeout_s: float | None = None,
        methods: Sequence[str] = (),
        meta: Callable[[], Mapping[str, Any] | None] | None = None,
        probe_timeout_s: float | None = None,
        make_handler: Callable[[Channel], RequestHandler] | None = None,
        limits: ClientLimits | None = None,
        is_listed: bool = True,
    ) -> None:
        check_choice("protocol", protocol, PROTOCOLS)
        check_choice("codec", codec, CODECS)
        check_seconds("timeout_s", timeout_s)
        check_seconds("idle_timeout_s", idle_timeout_s)
        if meta is not None and not callable(meta):
            raise UsageError("meta must be a function that returns a dict for each call")
        super().__init__(
            url,
            CallbackRegistry(),
            timeout_s=timeout_s,
            idle_timeout_s=idle_timeout_s,
            methods=methods,
            meta=meta,
        )
        self._told_protocol = protocol
        self._told_codec: Codec | None = None if codec is None else _codec(codec)
        self._protocol: Protocol | None = None
        self._probe_timeout_s = probe_timeout_s
        self._dial = dial
        self._make_handler = make_handler
        self._limits = limits or ClientLimits()
        self._channel: Channel | None = None
        self._connecting: asyncio.Task[None] | None = None
        # In the order they were made: behind one that waits, all wait.
        self._unsent: list[OutgoingCall] = []
        self._asking: asyncio.Task[None] | None = None
        if is_listed:
            note_session(self)

    def __del__(self) -> None:
        if io_loop is None:  # so late in a program's end that modules have no names any more
            return
        # Nobody can call any more, and no call is under way: that would hold the session. Functions
        # passed for good (a subscription) keep the connection.
        channel = self.__dict__.get("_channel")
        if channel is not None and channel.is_open and not self._functions.called_late:
            io_loop().post(channel.abort)

    # ---- what users of a session see

    @property
    def wire(self) -> Protocol:
        if self._protocol is None:  # it connects when it is used for the first time
            assert self._told_protocol is not None, "call connect() first"
            assert self._told_codec is not None, "call connect() first"
            self._protocol = make_protocol(self._told_protocol, self._told_codec)
        return self._protocol

    @property
    def protocol(self) -> str:
        if self._protocol is None:  # while it connects
            return self._told_protocol or "unknown"
        return self._protocol.name

    @property
    def codec(self) -> str:
        if self._protocol is None:
            return self._told_codec or "unknown"
        return self._protocol.codec

    @property
    def state(self) -> str:
        channel = self._channel
        if self.closed:
            return "closed"
        if channel is not None and channel.is_open:
            return "open"
        if self._connecting is not None or channel is None:
            return "connecting"
        reason = channel.close_reason.partition("\n")[0]
        return f"lost: {reason}; the next call connects again"

    @property
    def load(self) -> int:
        """How many calls are under way, more or less. Any thread."""
        channel = self._channel
        under_way = channel.calls.count if channel is not None else 0
        return len(self._posted) + len(self._unsent) + under_way

    @property
    def calls(self) -> list[CallState]:
        states = [call.state for call in list(self._unsent)]
        if self._channel is not None:
            states += self._channel.calls.under_way
        return sorted(states, key=lambda state: state.number)

    async def connect(self) -> None:
        """Make the first channel. I/O loop only.

        Raises:
            ConnectError: it cannot be made.
        """
        try:
            await self._open_channel()
        except BaseException:
            self.closed = True  # it is not handed out
            raise

    async def close(self) -> None:
        self.closed = True
        if self._connecting is not None:
            self._connecting.cancel()
        unsent, self._unsent = self._unsent, []
        for call in unsent:
            call.state.cancel()
            call.close_streams()
        if self._channel is not None:
            await self._channel.close()

    def forked(self) -> None:
        states = self.calls
        self._looks.clear()
        self._posted.clear()
        channel, self._channel = self._channel, None  # the next call makes a new one
        if channel is not None:
            leave_to_parent(channel)
            channel.send_queue.forked()
        self._unsent, self._connecting, self._asking = [], None, None
        for state in states:
            state.forked(self.url)

    # ---- what calls ask of their backend

    @property
    def reading_paused(self) -> bool:
        channel = self._channel
        return channel is not None and channel.reading.paused

    @property
    def _can_ask(self) -> bool:
        channel = self._channel
        return channel is not None and channel.is_open and not self.closed

    async def _ask_about(self, *args: Any) -> Any:
        if self._asking is not None:
            await asyncio.shield(self._asking)
        channel = self._channel
        if channel is None or not channel.is_open:
            return None
        if self._binds_names is None:
            found = await self._ask_whether_ours(channel)
            if self._channel is not channel:
                return None
            self._binds_names = found
        if not self._binds_names:
            return None
        question = make_question(self, *args)
        question.state.start_timer()
        channel.start(question)
        return await answer_of(question.state)

    async def _ask_whether_ours(self, channel: Channel) -> bool:
        question = make_question(self)
        question.state.start_timer()
        channel.start(question)
        return await binds_names(question.state, self.url)

    def cancel_call(self, state: CallState) -> None:
        state.stop_timer()
        if state.phase == "cancelled":
            state.buffer.clear()  # once more: here nothing is added in the meantime
        for call in [call for call in self._unsent if call.state is state]:
            self._unsent.remove(call)
            call.close_streams()
        if self._channel is not None:
            self._channel.calls.cancel_call(state)
        record = record_of(state)
        if record is not None:
            record.over()

    def reconsider_reading(self) -> None:
        if self._channel is not None:
            self._channel.reading.reconsider()

    def pull(self, state: CallState) -> None:
        if self._channel is not None:
            self._channel.calls.pull(state)

    def throw(self, state: CallState, error: Any) -> CallState:
        assert self._channel is not None, "a stream came over it"
        return self._channel.calls.throw(state, error)

    # ---- I/O loop only

    def _send(self, call: OutgoingCall) -> None:
        state = call.state
        if self.closed:  # closed since the call was made
            state.cancel()
            call.close_streams()
            return
        if state.over:  # cancelled before it was sent
            call.close_streams()
            self._functions.never_sent(call.function_ids, self.wire)
            return
        state.start_timer()
        is_open = self._channel is not None and self._channel.is_open
        if is_open and not self._unsent and not self._must_ask(call):
            self._start(call)
            return
        self._unsent.append(call)
        if self._connecting is None and self._asking is None:
            if is_open:
                self._send_unsent()
            else:
                self._connecting = asyncio.get_running_loop().create_task(self._reconnect())

    def _must_ask(self, call: OutgoingCall) -> bool:
        """Whether to ask first how the peer takes keyword arguments. Any thread."""
        return call.has_keywords and self._binds_names is None

    def _send_here(self, call: OutgoingCall) -> bool:
        channel, state, io = self._channel, call.state, io_loop()
        # A call or a cancel that this thread posted earlier is sent first.
        if channel is None or io.is_busy or not call.is_encoded_for(channel.protocol):
            return False
        if self._unsent or self._must_ask(call):
            return False
        record = record_of(state)
        if record is not None and record.keeps_payloads:
            return False  # they are looked for from now on, by the I/O loop
        is_sent = channel.start_here(call)
        if is_sent and state.timeout_s is not None:
            io.post(state.start_timer)
        return is_sent

    async def _reconnect(self) -> None:
        try:
            await self._open_channel()
        except KKError as error:
            self._fail_unsent(error)
        except Exception as error:
            # An error that a transport did not translate: still, no one may wait for ever.
            self._fail_unsent(error)
            raise
        else:
            self._send_unsent()
        finally:
            self._connecting = None

    def _send_unsent(self) -> None:
        """Send what waits, as far as the first call that the peer must be asked about."""
        while self._unsent:
            call = self._unsent[0]
            if self._must_ask(call):
                self._asking = asyncio.get_running_loop().create_task(self._ask())
                return
            try:
                self._start(call)
            except Exception as error:
                # A fault of this side's, which no other call shall suffer from.
                logger.exception("%s could not be sent", call.state.title)
                call.state.failed(error)
                call.close_streams()
            # Behind that: another thread may send at once when nothing waits here.
            if call in self._unsent:
                self._unsent.remove(call)

    async def _ask(self) -> None:
        """Ask how the peer takes keyword arguments, then send what waits for that."""
        channel = self._channel
        assert channel is not None
        try:
            found = await self._ask_whether_ours(channel)
        except Exception as error:
            # Nothing is sent without an answer: arguments could end up in the wrong place.
            self._asking = None
            self._fail_unsent(error)
            if not isinstance(error, KKError):
                raise
            return
        self._asking = None
        if self._channel is channel:
            self._binds_names = found
        if channel.is_open:
            self._send_unsent()
        elif self._unsent and self._connecting is None:
            self._connecting = asyncio.get_running_loop().create_task(self._reconnect())

    def _start(self, call: OutgoingCall) -> None:
        assert self._channel is not None
        call.bind_names(bool(self._binds_names))
        try:
            call.encode(self.wire)  # again, in case another kind of peer answers now
        except KKError as error:
            call.state.failed(error)
            call.close_streams()
        else:
            self._channel.start(call)

    def _fail_unsent(self, error: Exception) -> None:
        unsent, self._unsent = self._unsent, []
        for call in unsent:
            record = record_of(call.state)
            if record is not None:
                record.note("here", "lost", detail="no connection", over=True)
            call.state.failed(copy.copy(error))  # each raises its own, maybe at the same time
            call.close_streams()

    async def _open_channel(self) -> None:
        transport = await self._dial()
        try:
            negotiated = await self._agree(transport)
        except BaseException:
            transport.abort()
            raise
        self._protocol = make_protocol(
            negotiated.protocol,
            self._told_codec or negotiated.codec,
            keeps_boundaries=transport.keeps_boundaries,
            limit_bytes=size_limit(self._limits.message_bytes),
            memory_bytes=size_limit(self._limits.message_memory_bytes),
            terms=terms_of(transport),
        )
        self._functions.connection_lost()
        self._binds_names = None  # another kind of peer may answer at the old address
        self._looks.clear()
        self._channel = Channel(
            transport, self._protocol, functions=self._functions, recorder=self.recorder
        )
        if self._make_handler is not None:
            self._channel.handler = self._make_handler(self._channel)
        if negotiated.relay is None:
            transport.open(self._channel)
        else:
            negotiated.relay.to = self._channel
            self._channel.data_received(negotiated.rest)

    async def _agree(self, transport: Transport) -> NegotiatedProtocol:
        """Choose the protocol; it is detected unless it is known."""
        told = self._told_protocol
        terms = terms_of(transport)
        if terms is not None:
            spoken = told or terms.protocol, self._told_codec or _codec(terms.codec)
            if terms.is_only and spoken != (terms.protocol, terms.codec):
                raise ConnectError(
                    self.url,
                    f"the peer speaks the {terms.protocol} protocol with {terms.codec}, not the "
                    f"{spoken[0]} one with {spoken[1]}",
                )
            return NegotiatedProtocol(*spoken, [], None)
        if told is not None and (self._told_codec is not None or told == "classic"):
            # A classic peer reads both codecs, message by message.
            return NegotiatedProtocol(told, "superjson", [], None)
        remembers = self._probe_timeout_s is None
        remembered = _found.get(self.url) if remembers else None
        if told is not None and remembered is not None and remembered[0] != told:
            remembered = None  # another server may be there now, or one that speaks both
        negotiated = await find_protocol(
            transport, remembered, codec=self._told_codec, timeout_s=self._probe_timeout_s
        )
        if told is not None and negotiated.protocol != told:
            raise ConnectError(
                self.url, f"the peer speaks the {negotiated.protocol} protocol, not the {told} one"
            )
        if remembers:
            if len(_found) >= _FOUND_LIMIT:
                _found.clear()
            _found[self.url] = negotiated.protocol, negotiated.codec
        return negotiated


def _codec(name: str) -> Codec:
    return "json" if name == "json" else "superjson"
