"""One call of a Vovk handler: a request, and its answer, read as it arrives.

A slow consumer stops the reading, so that TCP stops the server. A connection carries one stream, so
this does not affect others.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any, Final

from kkjupyter.calls.state import CallState
from kkjupyter.client.caller import Caller
from kkjupyter.client.http.http_trace import HttpTrace
from kkjupyter.client.http.requests import Requests, Settle
from kkjupyter.connection.arrivals import BIG_BYTES
from kkjupyter.errors import ConnectionLost, MessageTooBig, UsageError
from kkjupyter.limits import ClientLimits, size_limit
from kkjupyter.runtime.decoders import decode
from kkjupyter.traces.record import record_of
from kkjupyter.transports.http.client import HttpReply
from kkjupyter.vovk.client.call import VovkState
from kkjupyter.wire.events import Ended, Failed
from kkjupyter.wire.values.javascript import undefined
from kkjupyter.wire.vovk.reply import ReplyKind, read_failure, read_value, reply_kind
from kkjupyter.wire.vovk.request import HttpRequest
from kkjupyter.wire.vovk.schema.model import WireFormat
from kkjupyter.wire.vovk.stream_body import BodyDecoder, BodyEvent

__all__ = ["REST_S", "Exchange", "ReadThrottle"]

_EXCERPT_BYTES: Final = 64 * 1024

REST_S: Final = 0.010
"""How long a busy stream is left alone, in seconds."""

_BUSY_PIECES: Final = 16
_QUICK_S: Final = 0.005
# A server with larger pieces could be blocked by the size of the socket buffers.
_SMALL_BYTES: Final = 16 * 1024


class ReadThrottle:
    """Says for one stream when to pause reading.

    Waking two threads costs a hundred times as much as a token. A server that sends tokens almost
    without a pause is read at intervals shorter than a frame of the screen; any other is read at
    once, and so is the beginning of every stream.
    """

    def __init__(self) -> None:
        self._quick_pieces = 0

    def wants_rest(self, size_bytes: int, waited_s: float) -> bool:
        """Whether to read on only after :data:`REST_S`.

        Args:
            size_bytes: the size of the piece that arrived.
            waited_s: how long it was waited for, without a rest before that.
        """
        if size_bytes < _SMALL_BYTES and waited_s < _QUICK_S:
            self._quick_pieces += 1
        else:
            self._quick_pieces = 0
        return self._quick_pieces > _BUSY_PIECES


class Exchange:
    """Sends one call and reads its answer. I/O loop only.

    Args:
        requests: runs the request.
        request: sent once.
        wire_format: the format that the server is known to use.
        is_stream: whether an answer that is not a stream becomes a stream of one item.
        owner: the session; kept for as long as this is.
        limits: how large a reply, or a value of a stream, may be.

    Attributes:
        reading_paused: whether the answer is not read because the buffer is full. Any thread.
    """

    def __init__(
        self,
        requests: Requests,
        request: HttpRequest,
        wire_format: WireFormat,
        is_stream: bool,
        owner: Caller,
        limits: ClientLimits,
    ) -> None:
        self.reading_paused = False
        self._requests = requests
        self._request = request
        self._wire_format = wire_format
        self._is_stream = is_stream
        self._owner = owner
        self._limit_bytes = size_limit(limits.message_bytes)
        self._memory_bytes = size_limit(limits.message_memory_bytes)
        self._has_room = asyncio.Event()

    # ---- the backend of its call

    away_since_s: float | None = None  # a broken exchange is over

    def cancel_call(self, state: CallState) -> None:
        self._requests.cancel(state)

    def reconsider_reading(self) -> None:
        self._has_room.set()

    def pull(self, state: CallState) -> None:
        """Nothing to grant: TCP stops the server."""

    def throw(self, state: CallState, error: Any) -> CallState:
        raise UsageError(f"{state.method}: an error cannot be thrown into a stream over HTTP")

    # ---- the exchange

    async def run(self, state: VovkState) -> Settle:
        """Send the request, fill ``state``, return its end. Cancelling aborts it at once.

        Raises:
            KKError: the call, or its stream, failed; earlier items are in the buffer.
        """
        request = self._request
        trace = HttpTrace(self._owner.recorder, record_of(state))
        headers = self._requests.client.headers | dict(request.headers)
        trace.sent(request.method, request.url, request.body or b"", headers)
        with trace.watching(state):
            settle = await self._ask(state, trace)
            trace.over()
            return settle

    async def _ask(self, state: VovkState, trace: HttpTrace) -> Settle:
        request = self._request
        async with self._requests.client.open(
            request.method,
            request.url,
            body=request.body,
            headers=request.headers,
            is_encoded=True,
        ) as reply:
            state.status = reply.status
            kind = reply_kind(
                reply.status,
                reply.headers,
                wire_format=self._wire_format,
                is_stream=self._is_stream,
                http_method=request.method,
            )
            if kind == "jsonlines" or kind == "divider":
                trace.opened(reply.status, reply.headers, reply.content_type, kind)
                return await self._read_stream(state, reply, kind, trace)
            body = await (_beginning(reply) if kind == "error" else reply.read(self._limit_bytes))
            trace.answered(reply.status, reply.headers, reply.content_type, body)
            if kind == "error":
                raise read_failure(reply.status, body, reply.headers)
        return await self._reply(state, kind, body, reply)

    async def _reply(
        self, state: VovkState, kind: ReplyKind, body: bytes, reply: HttpReply
    ) -> Settle:
        read = partial(read_value, kind, body, reply.headers, memory_bytes=self._memory_bytes)
        value = await decode(read, len(body))
        if not self._is_stream:
            return partial(state.replied, value)
        state.opened("")
        if kind != "empty":
            state.put(value, len(body))
        return partial(state.ended, undefined)

    async def _read_stream(
        self, state: VovkState, reply: HttpReply, wire_format: WireFormat, trace: HttpTrace
    ) -> Settle:
        decoder = BodyDecoder(
            wire_format, limit_bytes=self._limit_bytes, memory_bytes=self._memory_bytes
        )
        pace = ReadThrottle()
        clock = asyncio.get_running_loop().time
        reply.begin_beating()
        state.opened("")
        while not decoder.is_over:
            waiting_since_s = clock()
            try:
                chunk = await reply.next_chunk()
            except ConnectionLost as error:
                chunk = b""
                events = decoder.cut(error)
                error.items_received = decoder.items_received
            else:
                events = await self._read_piece(decoder, chunk)
                trace.chunk = chunk
            wants_rest = pace.wants_rest(len(chunk), clock() - waiting_since_s)
            if self._deliver(state, events, trace):
                await self._wait_for_room(state, reply)
            elif wants_rest and not decoder.is_over:
                await self._rest(reply)
        return partial(state.ended, undefined)

    async def _read_piece(self, decoder: BodyDecoder, chunk: bytes) -> list[BodyEvent]:
        """What a piece of a stream says; none is its end."""
        read = partial(decoder.feed, chunk) if chunk else decoder.end
        size_bytes = decoder.held_bytes + len(chunk)
        if size_bytes < BIG_BYTES:  # nearly always; a thread for each would slow streams down
            return read()
        return await decode(read, size_bytes)

    def _deliver(self, state: VovkState, events: list[BodyEvent], trace: HttpTrace) -> bool:
        """Hand over what arrived; return whether the buffer is full."""
        is_full = False
        for event in events:
            match event:
                case Ended():
                    trace.ended()  # the end has no return value
                case Failed():
                    raise event.error
                case _:
                    count = len(event.values)  # soon taken by another thread
                    is_full = state.put_many(event.values, event.size_bytes)
                    trace.values(count)
                    state.notifier.notify()
        return is_full

    async def _rest(self, reply: HttpReply) -> None:
        reply.pause_reading()
        await asyncio.sleep(REST_S)
        reply.resume_reading()

    async def _wait_for_room(self, state: VovkState, reply: HttpReply) -> None:
        reply.pause_reading()
        self._has_room.clear()
        self.reading_paused = True
        # A consumer may have taken the last item before it could see that.
        if not state.buffer.below_low_mark:
            await self._has_room.wait()
        self.reading_paused = False
        reply.resume_reading()


async def _beginning(reply: HttpReply) -> bytes:
    """The beginning of an error's body; nothing reads more of it."""
    try:
        return await reply.read(_EXCERPT_BYTES)
    except MessageTooBig:
        return b""
