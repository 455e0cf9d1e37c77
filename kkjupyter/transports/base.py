"""What the engine asks of a transport.

Every method is called on the event loop the transport was made on, save those that say otherwise,
and none of them waits, save :meth:`Transport.close`. A transport tells its owner what happens
through :class:`Owner`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol, runtime_checkable

__all__ = ["DEFAULT_LIMIT_BYTES", "DirectTransport", "Owner", "Transport"]

DEFAULT_LIMIT_BYTES: Final = 64 * 1024 * 1024
"""How large a message or a body may be where nothing else is said."""


class Owner(Protocol):
    """Whom a transport reports to."""

    def data_received(self, chunks: Sequence[bytes]) -> None:
        """All that one wake-up brought: bytes, or whole messages where boundaries are kept."""

    def writable(self) -> None:
        """:attr:`Transport.writable` has become true again."""

    def closed(self, reason: str) -> None:
        """Nothing more will come or go; called exactly once."""


class Transport(Protocol):
    """One duplex connection.

    Attributes:
        url: where it leads, for messages to the user; without any secret.
        keeps_boundaries: one message sent arrives as one of the chunks received.
    """

    url: str
    keeps_boundaries: bool

    def open(self, owner: Owner) -> None:
        """Begin to report to ``owner``; what arrived before is reported first."""

    def send(self, messages: Sequence[bytes]) -> None:
        """Hand over messages. They are queued if need be; nothing happens once closed."""

    @property
    def writable(self) -> bool:
        """Whether the peer keeps up with what was sent. Sending is possible all the same."""

    def pause_reading(self) -> None:
        """Read no more, so that the peer feels it. Idempotent."""

    def resume_reading(self) -> None:
        """Read again. Idempotent."""

    async def close(self) -> None:
        """Close in good order, within about a second. Idempotent; cancelling aborts."""

    def abort(self) -> None:
        """Close at once. Idempotent."""


@runtime_checkable
class DirectTransport(Protocol):
    """A transport that need not be on its loop to send."""

    def send_here(self, message: bytes) -> bool:
        """Send one message in the thread at hand, if nothing waits before it. Any thread.

        Returns whether it is taken; if not, nothing was done, and :meth:`Transport.send` has to.
        """
