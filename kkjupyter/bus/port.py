"""Where one process is on a bus: its connection to the broker, its inbox, and its links.

Names below that of a service: ``NAME`` is what kkrpc's own peers share; ``NAME._kk.open`` is where
a client asks for a worker, ``NAME._kk.who`` where it asks for all, ``NAME._kk.workers`` where they
say that they are there, and ``NAME._kk.in.ID`` the inbox of one process.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from typing import Protocol

from kkjupyter.bus.base import Bus
from kkjupyter.bus.frames import Frame, read_frame, write_frame
from kkjupyter.bus.link import ALIVE_S, Link
from kkjupyter.errors import ConnectError
from kkjupyter.runtime.logs import SafeLogger

__all__ = ["Port", "PortUser", "Watched"]

logger = SafeLogger("kkjupyter")

# Longer than this between two looks, and it was this process that was asleep.
_ASLEEP_S = 4 * ALIVE_S


class Watched(Protocol):
    """What a port looks after, beside its links."""

    def look(self, now_s: float) -> None:
        """A second has passed."""

    def excuse(self, now_s: float) -> None:
        """This process was asleep, and has heard nobody."""

    def bus_is_writable(self) -> None:
        """The broker keeps up again."""

    def unread(self) -> None:
        """Nobody reads what it published with its key."""

    def lost(self, reason: str) -> None:
        """The broker is gone, and what was on its way may be."""


class PortUser(Protocol):
    """The object that a port reports to."""

    def framed(self, frame: Frame) -> None:
        """A frame that makes a link: ``open``, ``opened`` or ``refused``."""

    def nobody(self, key: str) -> None:
        """Nobody was there to read something; see :class:`~kkjupyter.bus.base.BusOwner`."""

    def regained(self) -> None:
        """The broker is back."""

    def broker_gone(self, reason: str) -> None:
        """The connection to the broker is over for good."""


class Port:
    """One process on a bus. I/O loop only.

    Args:
        bus: not open yet.
        name: of the service.
        url: the address without secrets.
        user: what it reports to.

    Attributes:
        bus: the same.
        name: the same.
        inbox: the name that others publish to for this process alone.
        links: those that begin here, by their ids.
        watched: what else is looked after, by its key.
        is_closed: whether the broker is given up.
    """

    def __init__(self, bus: Bus, name: str, url: str, user: PortUser) -> None:
        self.bus = bus
        self.name = name
        self.inbox = f"{name}._kk.in.{secrets.token_hex(8)}"
        self.links: dict[str, Link] = {}
        self.watched: dict[str, Watched] = {}
        self.is_closed = False
        self.on_idle: Callable[[], object] | None = None
        self._url = url
        self._user = user
        self._farewells: list[tuple[str, str]] = []
        self._looking: asyncio.Task[None] | None = None
        self._is_back = asyncio.Event()

    @property
    def open_name(self) -> str:
        """Where a client asks for a worker."""
        return f"{self.name}._kk.open"

    @property
    def who_name(self) -> str:
        """Where somebody asks for all workers."""
        return f"{self.name}._kk.who"

    @property
    def workers_name(self) -> str:
        """Where workers say that they are there."""
        return f"{self.name}._kk.workers"

    async def open(self, timeout_s: float | None) -> None:
        """Connect to the broker, and begin to read the inbox.

        Raises:
            ConnectError: it cannot be reached.
        """
        await self.bus.open(self, timeout_s)
        try:
            await self.bus.subscribe(self.inbox, self.received)
        except BaseException:
            await self.bus.close()
            raise
        self._is_back.set()
        self._looking = asyncio.get_running_loop().create_task(self._look())

    async def wait_connected(self) -> None:
        """Wait until the broker is there, again. Cancelling is safe.

        Raises:
            ConnectError: it never will be.
        """
        await self._is_back.wait()
        if self.is_closed:
            raise ConnectError(self._url, "the broker has ended the connection")

    def new_link(self, to: str, url: str, other: str, link_id: str = "") -> Link:
        """Make one end of a link; the other is at ``to``, or not known yet."""
        link = Link(self, link_id or secrets.token_urlsafe(12), to, url, other)
        self.links[link.link_id] = link
        return link

    def left(self, link: Link) -> None:
        """A link is over."""
        self.links.pop(link.link_id, None)
        if not self.bus.is_connected and link.to:
            self._farewells.append((link.to, link.link_id))
        self.look_if_idle()

    def look_if_idle(self) -> None:
        """Tell who wants to know when nothing is left to be carried."""
        if self.on_idle is not None and not self.links and not self.watched:
            self.on_idle()

    async def close(self) -> None:
        """End all links and disconnect. Idempotent."""
        self.is_closed = True
        if self._looking is not None:
            self._looking.cancel()
        for link in list(self.links.values()):
            await link.close()
        await self.bus.close()

    # ---- what the bus tells

    def received(self, data: bytes) -> None:
        """Somebody has published this to a name where frames are read."""
        frame = read_frame(data)
        if frame is None:  # somebody else's; the inbox is ours alone, but anybody may publish
            return
        if frame.kind in ("open", "opened", "refused"):
            self._user.framed(frame)
            return
        link = self.links.get(frame.link_id)
        if link is not None:
            try:
                link.take(frame)
            except Exception as problem:
                # Going on without it would be a silent loss.
                logger.exception("a message of %s could not be handled", link.url)
                link.abort(f"what came could not be handled ({type(problem).__name__}: {problem})")
        elif frame.kind == "alive" and frame.payload.startswith(f"{self.name}._kk.in.".encode()):
            # It does not know yet that this end is gone.
            text = b"the other side does not know this connection any more"
            answer = write_frame("closed", frame.link_id, -1, text)
            self.bus.publish(frame.payload.decode("ascii", "replace"), answer)

    def writable(self) -> None:
        for one in self._all():
            one.bus_is_writable()

    def nobody(self, key: str) -> None:
        one = self.links.get(key) or self.watched.get(key)
        if one is not None:
            one.unread()
        else:
            self._user.nobody(key)

    def lost(self, reason: str) -> None:
        self._is_back.clear()
        for one in self._all():
            one.lost(reason)

    def regained(self) -> None:
        farewells, self._farewells = self._farewells, []
        for to, link_id in farewells:
            text = b"the connection to the broker was lost"
            self.bus.publish(to, write_frame("closed", link_id, -1, text))
        self._is_back.set()
        self._user.regained()

    def closed(self, reason: str) -> None:
        self.is_closed = True
        if self._looking is not None:
            self._looking.cancel()
        self._is_back.set()  # nobody shall wait for it
        for one in self._all():
            one.lost(reason)
        self._user.broker_gone(reason)

    def _all(self) -> list[Watched]:
        return [*self.links.values(), *self.watched.values()]

    async def _look(self) -> None:
        loop = asyncio.get_running_loop()
        looked_s = loop.time()
        while True:
            await asyncio.sleep(ALIVE_S)
            now_s = loop.time()
            was_asleep = now_s - looked_s > _ASLEEP_S
            looked_s = now_s
            for one in self._all():
                if was_asleep:
                    one.excuse(now_s)
                one.look(now_s)
