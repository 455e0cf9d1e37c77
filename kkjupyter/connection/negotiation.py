"""Which protocol the other side speaks: asked by a client, heard by a server."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Sequence

from kkjupyter.calls.callbacks import CallbackRegistry
from kkjupyter.connection.channel import Channel
from kkjupyter.errors import ConnectError, MessageTooBig
from kkjupyter.limits import ConnectionLoad
from kkjupyter.transports.base import Owner, SettledTransport, Terms, Transport
from kkjupyter.wire.framing import DEFAULT_LIMIT_BYTES
from kkjupyter.wire.kkrpc.base import Codec, Protocol
from kkjupyter.wire.kkrpc.classic.protocol import Classic
from kkjupyter.wire.kkrpc.compact.protocol import Compact
from kkjupyter.wire.kkrpc.detection import FORMS, FirstFrame, Probe
from kkjupyter.wire.message_cost import DEFAULT_MEMORY_BYTES

__all__ = [
    "PROTOCOLS",
    "NegotiatedProtocol",
    "Negotiation",
    "find_protocol",
    "make_protocol",
    "terms_of",
]

PROTOCOLS = ("classic", "compact")
_PROBE_S = 2.0
# So much may come before the answer to a probe, which itself has less than 1 KiB: what a program
# prints as it starts. It is kept until then. A message costs something beside its bytes.
_ASKING_LIMIT_BYTES = 4 * 1024 * 1024
_MESSAGE_BYTES = 64
_REMEMBERED_S = 0.5


def make_protocol(
    name: str,
    codec: Codec,
    *,
    keeps_boundaries: bool = True,
    limit_bytes: int = DEFAULT_LIMIT_BYTES,
    memory_bytes: int = DEFAULT_MEMORY_BYTES,
    terms: Terms | None = None,
) -> Protocol:
    """This side of a protocol.

    Args:
        name: one of :data:`PROTOCOLS`.
        codec: of what is sent.
        keeps_boundaries: whether the transport does.
        limit_bytes: the longest message accepted.
        memory_bytes: how much memory the values of one message may take.
        terms: what is settled about the connection, if anything is.
    """
    if name == "compact":
        return Compact(
            codec,
            limit_bytes=limit_bytes,
            memory_bytes=memory_bytes,
            sent_limit_bytes=terms.limit_bytes if terms is not None else None,
            id_mark=terms.id_mark if terms is not None else "",
        )
    return Classic(
        codec,
        limit_bytes=limit_bytes,
        memory_bytes=memory_bytes,
        ascii_only=not keeps_boundaries,
    )


def terms_of(transport: Transport) -> Terms | None:
    """What is settled about a connection; None if nothing is."""
    return transport.terms if isinstance(transport, SettledTransport) else None


class Relay:
    """Passes what a transport reports to its present owner.

    Attributes:
        to: who that is.
    """

    def __init__(self, to: Owner) -> None:
        self.to = to

    def data_received(self, chunks: Sequence[bytes]) -> None:
        self.to.data_received(chunks)

    def writable(self) -> None:
        self.to.writable()

    def closed(self, reason: str) -> None:
        self.to.closed(reason)


@dataclasses.dataclass(frozen=True, slots=True)
class NegotiatedProtocol:
    """What a peer was found to speak.

    Attributes:
        protocol: the protocol's name.
        codec: the codec it answers in.
        rest: what else it has said, to be given to the protocol.
        relay: what the transport reports to; None if it is not open yet.
    """

    protocol: str
    codec: Codec
    rest: list[bytes]
    relay: Relay | None


class _Asking:
    """In charge of a connection until a probe is answered."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._probe: Probe | None = None
        self._found: asyncio.Future[tuple[str, Codec]] | None = None
        self.end_reason: str | None = None
        self.rest: list[bytes] = []
        self._received_bytes = 0

    async def ask(self, probe: Probe, timeout_s: float) -> tuple[str, Codec] | None:
        """Send a probe; return what answers it, or None if nothing does in time."""
        self._probe = probe
        self._found = asyncio.get_running_loop().create_future()
        if self.end_reason is not None:
            self.closed(self.end_reason)
        self._transport.send(probe.frames)
        try:
            async with asyncio.timeout(timeout_s):
                return await self._found
        except TimeoutError:
            return None

    def data_received(self, chunks: Sequence[bytes]) -> None:
        probe, found = self._probe, self._found
        self._received_bytes += sum(map(len, chunks)) + _MESSAGE_BYTES * len(chunks)
        if self._received_bytes > _ASKING_LIMIT_BYTES:
            self._transport.pause_reading()
            self._fail(
                f"it sent more than {_ASKING_LIMIT_BYTES:,} bytes before it said which protocol it "
                "speaks; if it is a kkrpc endpoint, name it: protocol='classic' for kkrpc 0.x, "
                "protocol='compact' for 2.x"
            )
            return
        if probe is None or found is None or found.done():
            self.rest += chunks
            return
        try:
            answer = probe.read(chunks, whole=self._transport.keeps_boundaries)
        except MessageTooBig as error:
            self._fail(str(error))
            return
        if answer is not None:
            self.rest += probe.rest
            found.set_result((answer.protocol, answer.codec))
        elif probe.echoed:
            self._fail("it sends back what it is sent; it is not a kkrpc endpoint")

    def writable(self) -> None:
        """Nothing here waits for that."""

    def closed(self, reason: str) -> None:
        self.end_reason = reason
        self._fail(f"it ended before it said which protocol it speaks: {reason}")

    def _fail(self, reason: str) -> None:
        if self._found is not None and not self._found.done():
            self._found.set_exception(ConnectError(self._transport.url, reason))


async def find_protocol(
    transport: Transport,
    remembered: tuple[str, Codec] | None = None,
    *,
    codec: Codec | None = None,
    timeout_s: float | None = None,
) -> NegotiatedProtocol:
    """Open ``transport`` and ask the peer which protocol it speaks. I/O loop only.

    No real call is ever the probe, and nothing that may be exposed there is called. Cancelling is
    safe; the transport then stays open.

    Args:
        transport: not opened yet.
        remembered: what was spoken there before; then that is asked for first, alone.
        codec: the one that will be spoken, if that is settled: a compact peer has to know it.
        timeout_s: how long the answer may take, in seconds; two if None.

    Raises:
        ConnectError: no answer in time, or none that makes sense.
    """
    timeout_s = _PROBE_S if timeout_s is None else timeout_s
    asking = _Asking(transport)
    relay = Relay(asking)
    transport.open(relay)

    def may_be(form: tuple[str, Codec]) -> bool:
        return form[0] == "classic" or codec in (None, form[1])

    forms = [form for form in FORMS if may_be(form)]
    found: tuple[str, Codec] | None = None
    if remembered is not None and may_be(remembered):
        found = await asking.ask(Probe([remembered]), _REMEMBERED_S)
    found = found or await asking.ask(Probe(forms), timeout_s)
    if found is None:
        told = f" (if it is {codec})" if codec is not None else ""
        raise ConnectError(
            transport.url,
            f"the peer did not say within {timeout_s:g} s which protocol it speaks{told}; if it is "
            "a kkrpc endpoint, name it: protocol='classic' for kkrpc 0.x, 'compact' for 2.x",
        )
    if asking.end_reason is not None:
        raise ConnectError(
            transport.url, f"it ended as soon as it had answered: {asking.end_reason}"
        )
    return NegotiatedProtocol(*found, asking.rest, relay)


class Negotiation:
    """In charge of a client's connection until its first message tells the protocol.

    Args:
        transport: not opened yet.
        on_agreed: given the channel that is in charge from then on, before it is told anything.
        on_closed: told when the connection is gone before that.
        limit_bytes: the longest message accepted.
        memory_bytes: how much memory the values of one message may take.
        load: what the client has at once.
    """

    def __init__(
        self,
        transport: Transport,
        on_agreed: Callable[[Channel], object],
        on_closed: Callable[[Negotiation], object],
        *,
        limit_bytes: int,
        memory_bytes: int = DEFAULT_MEMORY_BYTES,
        load: ConnectionLoad | None = None,
    ) -> None:
        self._load = load
        self._transport = transport
        self._relay = Relay(self)
        self._on_agreed = on_agreed
        self._on_closed = on_closed
        self._limit_bytes = limit_bytes
        self._memory_bytes = memory_bytes
        self._first = FirstFrame(limit_bytes=limit_bytes)
        self._may_hold = load.server.unfinished() if load is not None else lambda size_bytes: True

    def open(self) -> None:
        """Begin to listen."""
        self._transport.open(self._relay)

    def data_received(self, chunks: Sequence[bytes]) -> None:
        found = self._first.feed(chunks, whole=self._transport.keeps_boundaries)
        if found is None and not self._may_hold(self._first.held_bytes):
            self._first.chunks = []
            self._transport.abort()
        if found is not None:
            self._may_hold(0)
            protocol = make_protocol(
                *found,
                keeps_boundaries=self._transport.keeps_boundaries,
                limit_bytes=self._limit_bytes,
                memory_bytes=self._memory_bytes,
                terms=terms_of(self._transport),
            )
            channel = Channel(
                self._transport, protocol, functions=CallbackRegistry(), load=self._load
            )
            self._on_agreed(channel)
            self._relay.to = channel
            chunks, self._first.chunks = self._first.chunks, []  # megabytes, maybe
            channel.data_received(chunks)

    def writable(self) -> None:
        """Nothing was sent yet."""

    def closed(self, reason: str) -> None:
        self._may_hold(0)
        self._on_closed(self)
