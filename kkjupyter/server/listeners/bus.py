"""Serves over a message bus: a channel for each client, and other workers beside this one."""

from __future__ import annotations

import asyncio
import itertools
import secrets
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from kkjupyter.bus.addresses import BusAddress
from kkjupyter.bus.base import Bus
from kkjupyter.bus.frames import Frame, write_frame
from kkjupyter.bus.kkrpc_peer import KkrpcPeer, now_ms
from kkjupyter.bus.link import ALIVE_S
from kkjupyter.bus.messages import Debts, Hello, Presence, read_hello, read_presence
from kkjupyter.bus.port import Port
from kkjupyter.client.remote import Remote
from kkjupyter.errors import ConnectError, KKError, RemoteError
from kkjupyter.plaintext import plain
from kkjupyter.runtime.hooks import connector
from kkjupyter.runtime.logs import SafeLogger
from kkjupyter.server.access import AccessPolicy
from kkjupyter.server.clients import Clients
from kkjupyter.server.exposed.offer import Exposed
from kkjupyter.server.listeners.admission import too_many_text
from kkjupyter.server.listeners.fellows import Fellows
from kkjupyter.server.server import Server
from kkjupyter.wire.kkrpc.bus import Opened, Sealer, open_envelope
from kkjupyter.wire.kkrpc.compact.protocol import Compact

__all__ = ["BusServer"]

logger = SafeLogger("kkjupyter.server")

_GROUP = "kkjupyter"
_PEER_ID = "server"
# How long those that are there already have to say so.
_WHO_S = 1.0
_AGAIN_S = 2.0
# How soon the fellow workers know of a stream, and of how many calls and streams they are told.
_TELL_S = 0.05
_MOST_DEBTS = 2000


class BusServer(Server):
    """One worker of a service on a bus.

    Args:
        exposed: what clients may reach.
        target: the address as it was given.
        address: the same, taken apart.
        make_bus: makes a connection to the broker that is not open yet.
        options: what else :meth:`connect` needs, such as the broker's token.
        is_shared: whether other workers may serve under the same name.
        connect_timeout_s: for the broker, in seconds.
    """

    _clients: Clients

    def __init__(
        self,
        exposed: Exposed,
        target: str,
        address: BusAddress,
        make_bus: Callable[[], Bus],
        options: dict[str, Any],
        *,
        is_shared: bool,
        connect_timeout_s: float = 10.0,
    ) -> None:
        # The broker decides who may come in.
        access = AccessPolicy("127.0.0.1", None, (), ())
        super().__init__(exposed, Clients(exposed), access, "127.0.0.1", address.scheme, None)
        self.worker = f"w{secrets.token_hex(5)}"
        self._target = target
        self._address = address
        self._make_bus = make_bus
        self._options = options
        self._is_shared = is_shared
        self._timeout_s = connect_timeout_s
        self._limits = exposed.limits
        self._peer_id = address.peer_id or _PEER_ID
        self._own_traffic = b'"from":%s' % msgspec.json.encode(self._peer_id)
        self._port: Port | None = None
        self._peers: dict[str, KkrpcPeer] = {}
        self._numbers = itertools.count(1)
        self._announcing: asyncio.Task[None] | None = None
        self._opening: asyncio.Task[None] | None = None
        self._rival: asyncio.Future[Presence | None] | None = None
        self._fellows = Fellows(self.worker, self._fail_for_other)
        self._telling: asyncio.TimerHandle | None = None

    @property
    def url(self) -> str:
        """The address of the service, without secrets."""
        return self._address.shown

    @property
    def open_door(self) -> str:
        return ""

    def connect(self, **options: Any) -> Remote:
        """Connect to the service, to whichever of its workers is free.

        ``options`` as for :func:`kkjupyter.connect`; the broker's credentials are this server's.
        """
        if self._listing is not None:
            options.setdefault("methods", list(self.callable_names))
        remote: Remote = connector()(self._target, **(self._options | options))
        return remote

    def __repr__(self) -> str:
        if self.closed:
            return f"<Server {self.url}: closed>"
        return (
            super()
            .__repr__()
            .replace(
                "open to everybody who can reach it",
                "open to all whom the broker lets publish to it",
            )
        )

    # ---- I/O loop only

    async def start(self, port: int) -> None:
        """Connect to the broker and serve.

        Raises:
            ConnectError: it cannot be reached, or another server is there.
        """
        try:
            await self._open_port()
        except BaseException:
            self.closed = True
            raise

    async def _open_port(self) -> None:
        port = self._port = Port(self._make_bus(), self._address.name, self.url, self)
        await port.open(self._timeout_s)
        bus = port.bus
        try:
            await bus.subscribe(port.workers_name, self._announced)
            await self._refuse_rivals(port)
            await bus.subscribe(port.who_name, lambda _: self._announce())
            await bus.subscribe(port.open_name, self._asked_for, group=_GROUP)
            # Requests are handed out, each to one worker. All else belongs to a call that some
            # worker has already, so each hears it, and only that one takes it.
            await bus.subscribe(self._address.name, self._requested, group=_GROUP)
            await bus.subscribe(self._address.name, self._heard)
        except BaseException:
            await port.close()
            raise
        self._announce()
        self._announcing = asyncio.get_running_loop().create_task(self._keep_announcing())

    async def _stop_listening(self) -> None:
        for task in (self._announcing, self._opening, self._telling):
            if task is not None:
                task.cancel()
        port = self._port
        if port is not None and not port.is_closed:
            presence = Presence(self.worker, port.inbox, self._is_shared, is_leaving=True)
            port.bus.publish(port.workers_name, msgspec.json.encode(presence))
            for client, debts in self._debts().items():
                self._fail(client, debts, "the server was closed")
            for peer in list(self._peers.values()):
                await peer.close()
            await port.close()

    # ---- beside other workers

    async def _refuse_rivals(self, port: Port) -> None:
        """See that a worker that shares nothing is alone.

        Raises:
            ConnectError: it is not.
        """
        self._rival = asyncio.get_running_loop().create_future()
        port.bus.publish(port.who_name, b"", key="who")
        try:
            async with asyncio.timeout(_WHO_S):
                rival = await self._rival
        except TimeoutError:
            rival = None
        finally:
            self._rival = None
        if rival is not None:
            raise ConnectError(
                self.url,
                f"another server ({plain(rival.worker)}) is there already, and requests would go "
                "to one or the other; pass workers='shared' (--workers shared) to both, or take "
                "another name",
                listening=True,
            )

    def _announced(self, data: bytes) -> None:
        presence = read_presence(data)
        if presence is None or presence.worker == self.worker:
            return
        self._fellows.heard(presence, asyncio.get_running_loop().time())
        if presence.is_leaving:
            return
        if self._rival is not None and not self._rival.done():
            if not (self._is_shared and presence.is_shared):
                self._rival.set_result(presence)
            else:
                self._rival.set_result(None)

    def _announce(self) -> None:
        self._telling = None
        port = self._port
        if port is not None:
            debts = self._debts() if self._is_shared else {}
            presence = Presence(self.worker, port.inbox, self._is_shared, debts=debts)
            port.bus.publish(port.workers_name, msgspec.json.encode(presence))

    async def _keep_announcing(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(ALIVE_S)
            self._announce()
            if self._port is not None:
                self._fellows.look(self._port.bus, loop.time())

    def _announce_soon(self) -> None:
        """A stream was opened that nobody else knows of."""
        if self._is_shared and self._telling is None:
            self._telling = asyncio.get_running_loop().call_later(_TELL_S, self._announce)

    def _debts(self) -> dict[str, Debts]:
        debts: dict[str, Debts] = {}
        left = _MOST_DEBTS
        for client, peer in self._peers.items():
            streams = list(itertools.islice(peer.streams, left))
            calls = list(itertools.islice(peer.calls, left - len(streams)))
            left -= len(streams) + len(calls)
            if streams or calls:
                debts[client] = Debts(calls, streams)
        return debts

    def _fail_for_other(self, worker: str, client: str, debts: Debts) -> None:
        self._fail(client, debts, f"the worker {worker} is gone")

    def _fail(self, client: str, debts: Debts, text: str) -> None:
        """Tell one of kkrpc's own clients that what it waits for will not come."""
        compact, error = Compact("json"), RemoteError(text, name="WorkerLost")
        messages = [compact.fail_call(call_id, error, "json") for call_id in debts.calls]
        messages += [compact.fail_stream(stream_id, error, "json") for stream_id in debts.streams]
        self._say(client, messages)

    # ---- our own clients

    def _asked_for(self, data: bytes) -> None:
        assert self._port is not None
        self._port.received(data)

    def framed(self, frame: Frame) -> None:
        port = self._port
        hello = read_hello(frame.payload) if frame.kind == "open" else None
        if port is None or hello is None or frame.link_id in port.links:
            return
        if not hello.inbox.startswith(f"{self._address.name}._kk.in."):
            return  # nothing of ours is there
        limit = self._limits.connections
        if limit is not None and len(self._clients) >= limit:
            text = too_many_text(limit).strip().encode()
            port.bus.publish(hello.inbox, write_frame("refused", frame.link_id, 0, text))
            return
        url = f"client {frame.link_id[:6]} of {self.url}"
        link = port.new_link(hello.inbox, url, "the client", frame.link_id)
        answer = msgspec.json.encode(Hello(port.inbox, self.worker))
        port.bus.publish(hello.inbox, write_frame("opened", frame.link_id, 0, answer))

        def on_silence(timeout_s: float) -> None:
            logger.warning("%s: no message within %g s; it is disconnected", url, timeout_s)
            link.abort(f"no message within {timeout_s:g} s")

        self._clients.add(link, on_silence=on_silence)

    # ---- kkrpc's own clients

    @property
    def bus(self) -> Bus:
        """Carries what is said to kkrpc's own clients."""
        assert self._port is not None
        return self._port.bus

    @property
    def name(self) -> str:
        """What they share."""
        return self._address.name

    def peer_left(self, peer: KkrpcPeer) -> None:
        """One of them is gone."""
        if self._peers.get(peer.peer_id) is peer:
            del self._peers[peer.peer_id]
        if self._port is not None:
            self._port.watched.pop(peer.key, None)

    def _requested(self, data: bytes) -> None:
        opened = self._for_us(data)
        if opened is None or opened.kind != "q":
            return
        peer = self._peers.get(opened.sender)
        if peer is None:
            limit = self._limits.connections
            if limit is not None and len(self._clients) >= limit:
                self._refuse(opened, too_many_text(limit).strip())
                return
            peer = self._add(opened.sender)
        peer.take(opened)

    def _heard(self, data: bytes) -> None:
        # Nearly all of it is what the fellow workers answer to their clients.
        if self._own_traffic in data[:160]:
            return
        opened = self._for_us(data)
        if opened is not None and opened.kind != "q" and opened.sender in self._peers:
            self._peers[opened.sender].take(opened)

    def _for_us(self, data: bytes) -> Opened | None:
        opened = open_envelope(data)
        if opened is None or opened.sender == self._peer_id:
            return None
        return opened if opened.to in ("", self._peer_id) else None

    def _add(self, sender: str) -> KkrpcPeer:
        assert self._port is not None
        url = f"client {plain(sender)!r} of {self.url}"
        # A mark of its own for each client, as no id may be that of another's.
        mark = f"{self.worker}.{next(self._numbers)}"
        peer = self._peers[sender] = KkrpcPeer(self, self._peer_id, sender, url, mark)
        peer.on_opened = self._announce_soon
        self._port.watched[peer.key] = peer
        self._clients.add(peer)
        return peer

    def _refuse(self, opened: Opened, text: str) -> None:
        error = RemoteError(text, name="LimitExceeded")
        self._say(opened.sender, [Compact("json").fail_call(opened.id, error, "json")])

    def _say(self, client: str, messages: Sequence[bytes]) -> None:
        sealer = Sealer(self.bus.transport_id, self._peer_id, client)
        for message in messages:
            self.bus.publish(self.name, sealer.seal(message, now_ms()))

    # ---- what the port tells

    def nobody(self, key: str) -> None:
        if self._rival is not None and not self._rival.done():
            self._rival.set_result(None)
        self._fellows.nobody(key, asyncio.get_running_loop().time())

    def regained(self) -> None:
        self._fellows.forget()
        logger.warning("%s: connected to the broker again", self.url)
        self._announce()

    def broker_gone(self, reason: str) -> None:
        logger.error("%s: %s; trying to connect again", self.url, reason)
        if self._announcing is not None:
            self._announcing.cancel()
        if not self.closed and (self._opening is None or self._opening.done()):
            self._opening = asyncio.get_running_loop().create_task(self._open_again())

    async def _open_again(self) -> None:
        """Try until it works: nobody else would notice that nothing is served."""
        while not self.closed:
            await asyncio.sleep(_AGAIN_S)
            try:
                await self._open_port()
            except KKError as error:
                logger.warning("%s", error)
            else:
                return
