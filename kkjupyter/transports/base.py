"""The interface of a transport.

Every method is called on the event loop that the transport was made on, unless it says otherwise.
Only :meth:`Transport.close` waits. A transport reports to its :class:`Owner`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Final, Protocol, runtime_checkable

__all__ = [
    "DEFAULT_LIMIT_BYTES",
    "DirectTransport",
    "Owner",
    "Relay",
    "SettledTransport",
    "Terms",
    "Transport",
]

DEFAULT_LIMIT_BYTES: Final = 64 * 1024 * 1024
"""How large a message or a body may be where nothing else is said."""


class Owner(Protocol):
    """The object that a transport reports to."""

    def data_received(self, chunks: Sequence[bytes]) -> None:
        """Take what one wake-up brought: bytes, or whole messages where boundaries are kept."""

    def writable(self) -> None:
        """:attr:`Transport.writable` has become true again."""

    def closed(self, reason: str) -> None:
        """The connection is over: nothing more is received or sent. Called exactly once."""


class Transport(Protocol):
    """One duplex connection.

    Attributes:
        url: the address to show to the user, without any secret.
        keeps_boundaries: one message sent arrives as one of the chunks received.
    """

    url: str
    keeps_boundaries: bool

    def open(self, owner: Owner) -> None:
        """Begin to report to ``owner``, beginning with what has already arrived."""

    def send(self, messages: Sequence[bytes]) -> None:
        """Send messages, queued if necessary. Does nothing once closed."""

    @property
    def writable(self) -> bool:
        """Whether the peer keeps up with what was sent. Sending is possible even if it does not."""

    def pause_reading(self) -> None:
        """Stop reading, so that the peer has to wait. Idempotent."""

    def resume_reading(self) -> None:
        """Read again. Idempotent."""

    async def close(self) -> None:
        """Close gracefully, within about a second. Idempotent; cancelling aborts."""

    def abort(self) -> None:
        """Close at once. Idempotent."""


@runtime_checkable
class DirectTransport(Protocol):
    """A transport that can also send from other threads than its loop's."""

    def send_here(self, message: bytes) -> bool:
        """Send one message in the current thread, if nothing waits before it. Any thread.

        Returns whether it was sent. If not, nothing was done: call :meth:`Transport.send`.
        """


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
class Terms:
    """What is settled about a connection before anything is said on it.

    Attributes:
        protocol: what the other side speaks.
        codec: likewise.
        is_only: whether it speaks nothing else.
        limit_bytes: the longest message that can be sent; None for any length.
        id_mark: what the ids made by this side begin with, where others hear them, too; empty for
            any.
    """

    protocol: str
    codec: str
    is_only: bool = False
    limit_bytes: int | None = None
    id_mark: str = ""


@runtime_checkable
class SettledTransport(Protocol):
    """A transport on which nobody needs to ask what is spoken."""

    terms: Terms
