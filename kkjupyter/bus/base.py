"""The interface of a bus: one module for each kind of it, and nothing else knows which it is.

Every method is called on the I/O loop. A bus moves payloads between those that publish to a name
and those that subscribe to it; what they mean it does not know.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

__all__ = ["Bus", "BusOwner", "Take"]

Take = Callable[[bytes], object]
"""Takes one payload. It must return soon: what it cannot use now, it has to hold itself."""


class BusOwner(Protocol):
    """The object that a bus reports to."""

    def writable(self) -> None:
        """:attr:`Bus.writable` has become true again."""

    def nobody(self, key: str) -> None:
        """Nobody was subscribed to the name that something was published to with this key."""

    def lost(self, reason: str) -> None:
        """The broker is gone, and whatever was on its way may be; the library connects again."""

    def regained(self) -> None:
        """The broker is back, and all subscriptions are."""

    def closed(self, reason: str) -> None:
        """The connection to the broker is over, and nothing will bring it back."""


class Bus(Protocol):
    """One connection to a broker.

    Attributes:
        transport_id: what the peers call this kind of bus in their envelopes.
        limit_bytes: the longest payload that the broker takes; known when it is open.
        tells_nobody: whether :meth:`BusOwner.nobody` is told by this kind of bus.
        is_connected: whether the broker is there now.
        trouble: what the broker complained about last; empty if nothing.
    """

    transport_id: str
    tells_nobody: bool
    limit_bytes: int
    is_connected: bool
    trouble: str

    @property
    def writable(self) -> bool:
        """Whether the broker keeps up with what was published."""

    async def open(self, owner: BusOwner, timeout_s: float | None) -> None:
        """Connect to the broker. Cancelling is safe.

        Raises:
            ConnectError: it cannot be reached, or lets nobody in with these credentials.
            UsageError: the library is not installed.
        """

    async def subscribe(self, name: str, take: Take, *, group: str = "") -> None:
        """Have ``take`` called with all that others publish to ``name``, but not with our own.

        The broker knows of it when this returns, so whatever is published from then on comes.

        Args:
            name: without wildcards.
            take: see :data:`Take`.
            group: of those that subscribe with the same one, each payload goes to one.

        Raises:
            ConnectError: the broker is gone.
        """

    def publish(self, name: str, payload: bytes, *, key: str = "") -> None:
        """Publish, in order; dropped while the broker is not there.

        Args:
            name: without wildcards.
            payload: not longer than :attr:`limit_bytes`.
            key: for :meth:`BusOwner.nobody`, where the kind of bus can tell.
        """

    async def close(self) -> None:
        """Publish what waits and disconnect, within about a second. Idempotent."""
