"""The server side of kkrpc over HTTP: the body of a request in, the body of its answer out.

The peers answer with values and errors this way, but not with streams or callbacks. Requests share
neither protocol state nor ids; protocol and codec are detected for each.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

from kkjupyter.calls.call import is_stream
from kkjupyter.calls.callbacks import CallbackRegistry
from kkjupyter.connection.channel import Channel
from kkjupyter.connection.negotiation import make_protocol
from kkjupyter.connection.pumps import close_source
from kkjupyter.errors import RemoteError
from kkjupyter.limits import size_limit
from kkjupyter.runtime.decoders import decode
from kkjupyter.server.clients import Clients
from kkjupyter.server.dispatch import Producer
from kkjupyter.server.exposed.offer import Exposed
from kkjupyter.server.interceptors import CallContext
from kkjupyter.wire.events import CallbackRef, Event, NotUnderstood, Requested, StreamRef
from kkjupyter.wire.kkrpc.base import Protocol
from kkjupyter.wire.kkrpc.detection import recognise

__all__ = ["Answer", "UnaryClients"]

_NO_STREAMS = "HTTP transport does not support async iterable streams"
_NO_CALLBACKS = "HTTP transport does not support callback arguments"


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a request.

    Attributes:
        body: the message, or a text if there can be no message.
        understood: whether the body was a request, and this is the answer to it.
    """

    body: bytes
    understood: bool = True


class UnaryClients(Clients):
    """Answers single requests. I/O loop only, except the numbers.

    Args:
        exposed: the object that they may reach.
    """

    def __init__(self, exposed: Exposed) -> None:
        interceptors = (_one_answer_only, *exposed.interceptors)
        super().__init__(dataclasses.replace(exposed, interceptors=interceptors))

    async def answer(self, body: bytes) -> Answer:
        """Carry out the one request in ``body``. Cancelling ends what runs for it."""
        read = await decode(partial(self._read, body), len(body))
        if read is None:
            return _bad("neither a classic nor a compact message")
        protocol, events = read
        request = events[0] if events else None
        if isinstance(request, NotUnderstood):
            return _bad(request.reason)
        if not isinstance(request, Requested) or len(events) != 1:
            return _bad("not one request")
        kinds = {type(arg) for arg in request.args}
        if CallbackRef in kinds or StreamRef in kinds:
            text = _NO_CALLBACKS if CallbackRef in kinds else _NO_STREAMS
            message = protocol.fail_call(request.call_id, RemoteError(text), request.codec)
        else:
            message = await self._carry_out(request, protocol)
        # The compact peers send no line end here; the classic ones need it.
        return Answer(message if protocol.name == "classic" else message.rstrip(b"\n"))

    def _read(self, body: bytes) -> tuple[Protocol, list[Event]] | None:
        """What a body says, and in which protocol; None if it is in none. Any thread."""
        found = recognise(body)
        if found is None:
            return None
        limits = self.load.limits
        protocol = make_protocol(
            *found,
            limit_bytes=size_limit(limits.message_bytes),
            memory_bytes=size_limit(limits.message_memory_bytes),
        )
        return protocol, protocol.receive([body], whole=True)

    async def _carry_out(self, request: Requested, protocol: Protocol) -> bytes:
        outgoing = _OneMessage()
        load = self.load.connection()
        channel = Channel(outgoing, protocol, functions=CallbackRegistry(), load=load)
        producer = Producer(self._exposed, channel, on_closed=self._producers.discard, load=load)
        self._producers.add(producer)
        channel.handler = producer
        try:
            producer.requested(request)
            message = await outgoing.message
        finally:
            channel.closed("answered")  # ends what still runs
        return message


class _OneMessage:
    """A transport that accepts one message: the answer."""

    keeps_boundaries = True
    writable = True
    url = "client over HTTP"

    def __init__(self) -> None:
        self.message: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def send(self, messages: Sequence[bytes]) -> None:
        if not self.message.done():
            self.message.set_result(messages[0])

    def open(self, owner: object) -> None:
        """Does nothing: everything was received."""

    def pause_reading(self) -> None:
        """Does nothing: nothing more arrives."""

    def resume_reading(self) -> None:
        """Does nothing: nothing more arrives."""

    async def close(self) -> None:
        """Does nothing: it is closed with its request."""

    def abort(self) -> None:
        """Does nothing: it is closed with its request."""


async def _one_answer_only(context: CallContext, next_: Callable[[], Awaitable[Any]]) -> Any:
    """The outermost interceptor: there is one answer, and no other way to the client.

    A stream must not even begin, because it could not be received.
    """
    context.caller = None
    value = await next_()
    if is_stream(value):
        await close_source(value)
        raise RemoteError(_NO_STREAMS)
    return value


def _bad(reason: str) -> Answer:
    return Answer(f"Bad request: {reason}".encode(), understood=False)
