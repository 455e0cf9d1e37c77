"""Two connected ends in one process: for tests, and for an API served and used side by side."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence

from kkjupyter.transports.base import Owner

__all__ = ["MemoryTransport", "memory_pair"]

_HIGH_BYTES = 256 * 1024


class MemoryTransport:
    """One end of a pair made by :func:`memory_pair`; use it on one event loop."""

    keeps_boundaries = True

    def __init__(self, url: str) -> None:
        self.url = url
        self._peer: MemoryTransport | None = None
        self._owner: Owner | None = None
        self._inbox: deque[bytes] = deque()
        self._inbox_bytes = 0
        self._paused = False
        self._scheduled = False
        self._closed = False
        self._end_reason: str | None = None

    def open(self, owner: Owner) -> None:
        self._owner = owner
        self._schedule()

    def send(self, messages: Sequence[bytes]) -> None:
        peer = self._peer
        if self._closed or peer is None or peer._closed:
            return
        peer._inbox.extend(messages)
        peer._inbox_bytes += sum(map(len, messages))
        peer._schedule()

    @property
    def writable(self) -> bool:
        return self._peer is None or self._peer._inbox_bytes < _HIGH_BYTES

    @property
    def closed(self) -> bool:
        """Whether the connection is closed."""
        return self._closed

    def pause_reading(self) -> None:
        self._paused = True

    def resume_reading(self) -> None:
        self._paused = False
        self._schedule()

    async def close(self) -> None:
        self.abort("closed")
        await asyncio.sleep(0)

    def abort(self, reason: str = "closed") -> None:
        """Close both ends; the peer still receives what was sent before."""
        if self._closed:
            return
        self._closed = True
        self._inbox.clear()
        self._end_reason = reason
        self._schedule()
        peer = self._peer
        if peer is not None and peer._end_reason is None:
            peer._end_reason = "closed by the other side"
            peer._schedule()

    def _schedule(self) -> None:
        if self._owner is not None and not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._deliver)

    def _deliver(self) -> None:
        self._scheduled = False
        owner, peer = self._owner, self._peer
        if owner is None:  # closed by its owner in the middle of the last delivery
            return
        was_full = self._inbox_bytes >= _HIGH_BYTES
        if self._inbox and not self._paused and not self._closed:
            chunks = list(self._inbox)
            self._inbox.clear()
            self._inbox_bytes = 0
            owner.data_received(chunks)
        if was_full and self._inbox_bytes < _HIGH_BYTES and peer is not None and peer._owner:
            peer._owner.writable()
        if self._end_reason is not None and (self._closed or not self._inbox):
            self._owner = None
            self._closed = True
            owner.closed(self._end_reason)
        elif self._inbox and not self._paused:
            self._schedule()


def memory_pair(url: str = "memory:") -> tuple[MemoryTransport, MemoryTransport]:
    """Make two connected ends: each receives what the other sends.

    Args:
        url: the name of both in messages.
    """
    near, far = MemoryTransport(url), MemoryTransport(url)
    near._peer, far._peer = far, near
    return near, far
