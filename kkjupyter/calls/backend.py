"""What a call asks of whoever carries it to the peer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from kkjupyter.calls.call import Call
    from kkjupyter.calls.state import CallState

__all__ = ["CallBackend"]


class CallBackend(Protocol):
    """Whoever carries calls to the peer."""

    @property
    def reading_paused(self) -> bool:
        """Whether it has stopped reading because a buffer is full."""

    def cancel_call(self, state: CallState) -> None:
        """Tell the peer. I/O loop only."""

    def reconsider_reading(self) -> None:
        """Somebody waits now who did not before, or a buffer has room. I/O loop only."""

    def pull(self, state: CallState) -> None:
        """Grant the peer as much credit as is due for this stream. I/O loop only."""

    def throw(self, state: CallState, error: Any) -> Call:
        """Raise ``error`` inside the generator behind a stream. Any thread."""
