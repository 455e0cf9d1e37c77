"""Which protocol the other side speaks: asked by a client, heard by a server."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable, Sequence

from kkjupyter.calls.callbacks import CallbackRegistry
from kkjupyter.connection.channel import Channel
from kkjupyter.errors import ConnectError, MessageTooBig
from kkjupyter.limits import ConnectionLoad
from kkjupyter.transports.base import Relay, SettledTransport, Terms, Transport
from kkjupyter.transports.resumable.client import ClientEnd, find_offer
from kkjupyter.transports.resumable.control import MARK, Again, read
from kkjupyter.transports.resumable.server import UNKNOWN, Guest, ResumableSessions, refuse
from kkjupyter.wire.framing import DEFAULT_LIMIT_BYTES
from kkjupyter.wire.kkrpc.base import Codec, Protocol
from kkjupyter.wire.kkrpc.classic.protocol import Classic
from kkjupyter.wire.kkrpc.compact.protocol import Compact
from kkjupyter.wire.kkrpc.detection import FORMS, FirstFrame, Probe, is_probe
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


@dataclasses.dataclass(frozen=True, slots=True)
class NegotiatedProtocol:
    """What a peer was found to speak.

    Attributes:
        protocol: the protocol's name.
        codec: the codec it answers in.
        rest: what else it has said, to be given to the protocol.
        transport: what is used from now on.
        relay: what that reports to; None if it is not open yet.
    """

    protocol: str
    codec: Codec
    rest: list[bytes]
    transport: Transport
    relay: Relay | None


class _Asking:
    """In charge of a connection until a probe is answered.

    Args:
        transport: not opened yet.
        dial: makes another one if the server offers to resume connections; None declines that.

    Attributes:
        transport: the same, or what makes it resumable.
        relay: what that reports to.
        end_reason: why the connection is over, if it is.
        rest: what came and is not an answer.
    """

    def __init__(
        self, transport: Transport, dial: Callable[[], Awaitable[Transport]] | None
    ) -> None:
        self.transport = transport
        self.relay = Relay(self)
        self._dial = dial
        self._was_offered = False
        self._probe: Probe | None = None
        self._found: asyncio.Future[tuple[str, Codec]] | None = None
        self.end_reason: str | None = None
        self.rest: list[bytes] = []
        self._received_bytes = 0
        transport.open(self.relay)

    async def ask(self, probe: Probe, timeout_s: float) -> tuple[str, Codec] | None:
        """Send a probe; return what answers it, or None if nothing does in time."""
        self._probe = probe
        self._found = asyncio.get_running_loop().create_future()
        if self.end_reason is not None:
            self.closed(self.end_reason)
        self.transport.send(probe.frames)
        try:
            async with asyncio.timeout(timeout_s):
                return await self._found
        except TimeoutError:
            return None

    def data_received(self, chunks: Sequence[bytes]) -> None:
        offered = None if self._was_offered else find_offer(chunks)
        if offered is None:
            self._read(chunks)
            return
        self._was_offered = True
        index, offer = offered
        carrying = self.relay
        if self._dial is not None:
            end = ClientEnd(self.transport, carrying, offer, self._dial)
            self.transport, self.relay = end, Relay(self)
            end.open(self.relay)
        if index:
            self._read(chunks[:index])
        if index + 1 < len(chunks):
            carrying.data_received(chunks[index + 1 :])

    def _read(self, chunks: Sequence[bytes]) -> None:
        probe, found = self._probe, self._found
        self._received_bytes += sum(map(len, chunks)) + _MESSAGE_BYTES * len(chunks)
        if self._received_bytes > _ASKING_LIMIT_BYTES:
            self.transport.pause_reading()
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
            answer = probe.read(chunks, whole=self.transport.keeps_boundaries)
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
            self._found.set_exception(ConnectError(self.transport.url, reason))


async def find_protocol(
    transport: Transport,
    remembered: tuple[str, Codec] | None = None,
    *,
    protocol: str | None = None,
    codec: Codec | None = None,
    timeout_s: float | None = None,
    dial: Callable[[], Awaitable[Transport]] | None = None,
) -> NegotiatedProtocol:
    """Open ``transport`` and ask the peer which protocol it speaks. I/O loop only.

    No real call is ever the probe, and nothing that may be exposed there is called. A server of
    ours may offer then that the connection is resumed when it breaks. Cancelling is safe; the
    transport then stays open.

    Args:
        transport: not opened yet.
        remembered: what was spoken there before; then that is asked for first, alone.
        protocol: the one that will be spoken, if that is settled.
        codec: likewise; a compact peer has to know it.
        timeout_s: how long the answer may take, in seconds; two if None.
        dial: makes another transport to the same address; None if lost ones are not resumed.

    Raises:
        ConnectError: no answer in time, or none that makes sense.
    """
    timeout_s = _PROBE_S if timeout_s is None else timeout_s
    asking = _Asking(transport, dial)

    def may_be(form: tuple[str, Codec]) -> bool:
        if protocol is not None and form[0] != protocol:
            return False
        return form[0] == "classic" or codec in (None, form[1])

    forms = [form for form in FORMS if may_be(form)]
    found: tuple[str, Codec] | None = None
    try:
        if remembered is not None and may_be(remembered):
            found = await asking.ask(Probe([remembered]), _REMEMBERED_S)
        found = found or await asking.ask(Probe(forms), timeout_s)
        if found is None:
            raise ConnectError(transport.url, _silent(timeout_s, codec))
        if asking.end_reason is not None:
            reason = f"it ended as soon as it had answered: {asking.end_reason}"
            raise ConnectError(transport.url, reason)
    except BaseException:
        if asking.transport is not transport:
            asking.transport.abort()  # it would come back
        raise
    return NegotiatedProtocol(*found, asking.rest, asking.transport, asking.relay)


def _silent(timeout_s: float, codec: Codec | None) -> str:
    told = f" (if it is {codec})" if codec is not None else ""
    return (
        f"the peer did not say within {timeout_s:g} s which protocol it speaks{told}; if it is "
        "a kkrpc endpoint, name it: protocol='classic' for kkrpc 0.x, 'compact' for 2.x"
    )


class Negotiation:
    """In charge of a client's connection until its first message tells the protocol.

    Args:
        transport: not opened yet.
        on_agreed: given the channel that is in charge from then on, before it is told anything.
        on_closed: told when the connection is gone before that.
        limit_bytes: the longest message accepted.
        memory_bytes: how much memory the values of one message may take.
        load: what the client has at once.
        sessions: makes connections to clients of ours resumable; None for a server without that.
        guest: what is known of the client.
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
        sessions: ResumableSessions | None = None,
        guest: Guest = Guest(),  # noqa: B008  it cannot be changed
    ) -> None:
        self._load = load
        self._sessions = sessions
        self._guest = guest
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
        if chunks[0].startswith(MARK) and not self._first.chunks:
            again = read(chunks[0])
            if isinstance(again, Again):
                self._resume(again)
                return
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
            transport = self._offer_to_resume()
            channel = Channel(transport, protocol, functions=CallbackRegistry(), load=self._load)
            self._on_agreed(channel)
            if transport is self._transport:
                self._relay.to = channel
            else:
                transport.open(channel)
            chunks, self._first.chunks = self._first.chunks, []  # megabytes, maybe
            channel.data_received(chunks)

    def _offer_to_resume(self) -> Transport:
        """The transport, made resumable where the client is one of ours."""
        if self._sessions is None or not any(map(is_probe, self._first.chunks)):
            return self._transport
        return self._sessions.offer(self._transport, self._relay, self._guest, is_probe)

    def _resume(self, again: Again) -> None:
        """It belongs to a client that was here before."""
        self._on_closed(self)
        if self._sessions is None:
            refuse(self._transport, UNKNOWN)
        else:
            self._sessions.resume(self._transport, self._relay, again, self._guest)

    def writable(self) -> None:
        """Nothing was sent yet."""

    def closed(self, reason: str) -> None:
        self._may_hold(0)
        self._on_closed(self)
