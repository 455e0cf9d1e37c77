"""The client's side of a bus: finds the workers of a service, and connects to them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
from collections.abc import Callable

import msgspec

from kkjupyter.bus.addresses import BusAddress
from kkjupyter.bus.base import Bus
from kkjupyter.bus.frames import Frame, write_frame
from kkjupyter.bus.kkrpc_peer import KkrpcPeer, now_ms, question
from kkjupyter.bus.link import SILENCE_S, Link
from kkjupyter.bus.messages import Hello, read_hello, read_presence
from kkjupyter.bus.port import Port
from kkjupyter.errors import ConnectError, ConnectTimeout, RemoteError
from kkjupyter.plaintext import plain
from kkjupyter.runtime.loop_threads import leave_to_parent
from kkjupyter.transports.base import Transport
from kkjupyter.wire.events import Failed
from kkjupyter.wire.kkrpc.bus import Opened, Sealer, open_envelope
from kkjupyter.wire.kkrpc.compact.protocol import Compact

__all__ = ["ServiceClient"]

# A worker answers at once, unless its process is frozen.
_OPEN_S = 5.0
# One of kkrpc's own peers answers at once, too; it is asked so often.
_ASK_S = 1.0
_ASK_TIMES = 3
# What a peer that exposes nothing answers to the requests of others.
_NO_API = "No API exposed"

_leaving: set[asyncio.Task[None]] = set()


class ServiceClient:
    """Connects to one service, as often as it is asked. I/O loop only.

    Args:
        address: of the service.
        make_bus: makes a connection to the broker that is not open yet.
        timeout_s: for each of :meth:`dial`, in seconds; None for no limit.
        changed: called when workers have come or gone.

    Attributes:
        workers: the inboxes of those that are there, by what they call themselves.
    """

    def __init__(
        self,
        address: BusAddress,
        make_bus: Callable[[], Bus],
        timeout_s: float | None,
        changed: Callable[[], object],
    ) -> None:
        self.workers: dict[str, str] = {}
        self._address = address
        self._url = address.shown
        self._make_bus = make_bus
        self._timeout_s = timeout_s
        self._changed = changed
        self._heard_s: dict[str, float] = {}
        self._port: Port | None = None
        self._process_id = os.getpid()
        self._opening: asyncio.Task[None] | None = None
        self._answers: dict[str, asyncio.Future[Frame | None]] = {}
        self._peer_id = address.peer_id or f"client-{secrets.token_hex(6)}"
        self._peer: KkrpcPeer | None = None
        self._reads_name = False
        self._question_id = ""
        self._answer: asyncio.Future[Opened | None] | None = None
        self._meant = ""  # whom an answer to our question was for, if not for us

    # ---- what its users do

    async def dial(
        self, worker: str = "", on_found: Callable[[str], object] | None = None
    ) -> Transport:
        """Connect to a worker, or to one of kkrpc's own peers if there is none.

        Args:
            worker: to this one if it is still there, else to any.
            on_found: told which worker it is; "" for one of kkrpc's own peers.

        Raises:
            ConnectError: the broker cannot be reached, nobody answers, or the service is full.
        """
        try:
            async with asyncio.timeout(self._timeout_s):
                port = await self._connected_port()
                found: Link | KkrpcPeer | None = None
                if worker in self.workers:
                    with contextlib.suppress(ConnectTimeout):  # another one may do
                        found = await self._open_link(port, self.workers[worker])
                found = found or await self._open_link(port, port.open_name)
                if found is None:
                    found = await self._find_peer(port)
        except TimeoutError as exc:
            if isinstance(exc, ConnectTimeout):
                raise
            raise ConnectTimeout(self._url, self._late()) from exc
        if on_found is not None:
            on_found(found.worker if isinstance(found, Link) else "")
        return found

    def _late(self) -> str:
        """What did not happen in time."""
        bus = self._port.bus if self._port is not None else None
        is_away = bus is not None and not bus.is_connected
        what = "the broker did not come back" if is_away else "no answer"
        trouble = f" ({bus.trouble})" if bus is not None and bus.trouble else ""
        return f"{what} within {self._timeout_s:g} s{trouble}"

    async def close(self) -> None:
        """Disconnect. Idempotent."""
        self._leave_parent()
        if self._opening is not None:
            self._opening.cancel()
        port, self._port = self._port, None
        if port is not None:
            if self._peer is not None:
                await self._peer.close()
            await port.close()

    def close_when_idle(self) -> None:
        """Disconnect as soon as nothing runs over it any more."""
        self._leave_parent()
        port = self._port
        if port is not None:
            port.on_idle = self._leave
            port.look_if_idle()

    def _leave(self) -> None:
        task = asyncio.get_running_loop().create_task(self.close())
        _leaving.add(task)
        task.add_done_callback(_leaving.discard)

    def _leave_parent(self) -> None:
        """In a fork: what there is belongs to the parent, which goes on using it."""
        if self._process_id != os.getpid():
            self._process_id = os.getpid()
            leave_to_parent((self._port, self._opening, self._peer))
            self._port, self._opening, self._peer = None, None, None
            self.workers = {}

    # ---- the broker

    async def _connected_port(self) -> Port:
        self._leave_parent()
        if self._port is None or self._port.is_closed:
            if self._opening is None:
                self._opening = asyncio.get_running_loop().create_task(self._open_port())
            opening = self._opening
            try:
                await asyncio.shield(opening)
            finally:
                if opening.done() and self._opening is opening:
                    self._opening = None
        assert self._port is not None
        await self._port.wait_connected()
        return self._port

    async def _open_port(self) -> None:
        port = Port(self._make_bus(), self._address.name, self._url, self)
        await port.open(self._timeout_s)
        try:
            await port.bus.subscribe(port.workers_name, self._announced)
        except BaseException:
            await port.close()
            raise
        self._peer, self._reads_name = None, False
        self.workers.clear()
        self._port = port
        port.bus.publish(port.who_name, b"", key="who")

    # ---- workers

    async def _open_link(self, port: Port, inbox: str) -> Link | None:
        """Ask for a link; None if nobody is there.

        Raises:
            ConnectError: a worker is there, but refuses, or does not answer.
        """
        link = port.new_link("", self._url, "the worker")
        answer = self._answers[link.link_id] = asyncio.get_running_loop().create_future()
        hello = Hello(port.inbox, link.link_id)
        # Not under the link's own key: nothing of it is lost when nobody is there.
        port.bus.publish(
            inbox, write_frame("open", link.link_id, 0, msgspec.json.encode(hello)), key=hello.key
        )
        self._answers[hello.key] = answer
        frame: Frame | None = None
        try:
            async with asyncio.timeout(_OPEN_S):
                frame = await answer
        except TimeoutError as exc:
            if not port.bus.is_connected:
                raise ConnectError(self._url, "the connection to the broker is lost") from exc
            if port.bus.tells_nobody:
                reason = f"a worker is there, but gave no answer within {_OPEN_S:g} s"
                raise ConnectTimeout(self._url, reason) from exc
        finally:
            del self._answers[link.link_id], self._answers[hello.key]
            if frame is None or frame.kind != "opened":
                link.abort()
        if frame is None:
            return None
        if frame.kind == "refused":
            raise ConnectError(self._url, plain(frame.payload.decode("utf-8", "replace")))
        found = read_hello(frame.payload)
        if found is None:
            raise ConnectError(self._url, "the worker's answer makes no sense")
        link.to, link.worker = found.inbox, found.sender
        link.other = f"the worker {plain(found.sender)}"
        link.on_over = lambda: self._gone(found.sender)
        return link

    def framed(self, frame: Frame) -> None:
        answer = self._answers.get(frame.link_id)
        if answer is not None and not answer.done() and frame.kind != "open":
            answer.set_result(frame)

    def nobody(self, key: str) -> None:
        answer = self._answers.get(key)
        if answer is not None and not answer.done():
            answer.set_result(None)
        if key == self._question_id and self._answer is not None and not self._answer.done():
            self._answer.set_result(None)

    def regained(self) -> None:
        assert self._port is not None
        self._port.bus.publish(self._port.who_name, b"", key="who")

    def broker_gone(self, reason: str) -> None:
        """The next dial makes a new connection."""

    def _announced(self, data: bytes) -> None:
        presence = read_presence(data)
        if presence is None:
            return
        now_s = asyncio.get_running_loop().time()
        for worker in [w for w, heard_s in self._heard_s.items() if now_s - heard_s > SILENCE_S]:
            self._gone(worker)
        if presence.is_leaving:
            self._gone(presence.worker)
            return
        self._heard_s[presence.worker] = now_s
        if self.workers.get(presence.worker) != presence.inbox:
            self.workers[presence.worker] = presence.inbox
            self._changed()

    def _gone(self, worker: str) -> None:
        """It is gone, or a link to it is; one that is still there says so within a second."""
        self._heard_s.pop(worker, None)
        if self.workers.pop(worker, None) is not None:
            self._changed()

    # ---- kkrpc's own peers

    async def _find_peer(self, port: Port) -> KkrpcPeer:
        if not self._reads_name:
            await port.bus.subscribe(self._address.name, self._heard)
            self._reads_name = True
        answer = await self._ask(port)
        if answer is None:
            trouble = f" ({port.bus.trouble})" if port.bus.trouble else ""
            raise ConnectError(
                self._url,
                f"this side is {self._peer_id!r} to kkrpc's own peers, and the one that is there "
                f"answers only {plain(self._meant)!r}; add ?peer_id={plain(self._meant)} to the "
                "address"
                if self._meant
                else f"nobody serves {self._address.name!r} at this broker{trouble}",
            )
        if self._peer is not None:
            self._peer.abort("another connection has taken its place")
        peer = KkrpcPeer(self, self._peer_id, answer.sender, self._url)
        port.watched[peer.key] = self._peer = peer
        return peer

    @property
    def bus(self) -> Bus:
        """Carries the connection to one of kkrpc's own peers."""
        assert self._port is not None
        return self._port.bus

    @property
    def name(self) -> str:
        """What kkrpc's own peers share."""
        return self._address.name

    def peer_left(self, peer: KkrpcPeer) -> None:
        """The connection to one of kkrpc's own peers is over."""
        if self._peer is peer:
            self._peer = None
        if self._port is not None:
            self._port.watched.pop(peer.key, None)
            self._port.look_if_idle()

    async def _ask(self, port: Port) -> Opened | None:
        """The first answer of a peer that exposes something; None if there is none."""
        self._meant = ""
        self._question_id = f"probe-{secrets.token_urlsafe(9)}"
        self._answer = asyncio.get_running_loop().create_future()
        sealer = Sealer(port.bus.transport_id, self._peer_id, self._address.remote_peer_id)
        for _ in range(_ASK_TIMES):
            payload = sealer.seal(question(self._question_id), now_ms())
            port.bus.publish(self._address.name, payload, key=self._question_id)
            try:
                async with asyncio.timeout(_ASK_S):
                    return await asyncio.shield(self._answer)
            except TimeoutError:
                if self._meant:
                    return None
        return None

    def _heard(self, data: bytes) -> None:
        opened = open_envelope(data)
        if opened is None or opened.sender == self._peer_id:
            return
        is_answer = opened.kind == "r" and opened.id == self._question_id
        if opened.to not in ("", self._peer_id):
            self._meant = opened.to if is_answer else self._meant
            return
        if is_answer:
            if self._answer is not None and not self._answer.done() and _has_api(opened.message):
                self._answer.set_result(opened)
        elif self._peer is not None and opened.sender == self._peer.peer_id:
            self._peer.take(opened)


def _has_api(answer: bytes) -> bool:
    """Whether the peer that gives this answer exposes anything."""
    (event,) = Compact("json").receive([answer], whole=True)
    error = event.error if isinstance(event, Failed) else None
    return not (isinstance(error, RemoteError) and error.message == _NO_API)
