"""Messages on their way out of one connection, and the brake for whoever makes too many."""

from __future__ import annotations

import threading
from collections import deque

from kkjupyter.rpc.portal import io_loop
from kkjupyter.rpc.waiting import Bell
from kkjupyter.transports.base import Transport

__all__ = ["Outbox"]

# Enough to keep a fast reader busy between two wake-ups, little enough that a reply does not wait
# long behind a stream.
_FULL_BYTES = 512 * 1024
_OVERFULL_BYTES = 16 * 1024 * 1024
_BATCH_BYTES = 64 * 1024


class Outbox:
    """A queue in front of a transport.

    :meth:`put` never blocks and keeps the order. Producers of many messages look at :attr:`full`
    and wait for :attr:`bell`, so that a peer that does not read stops them.
    """

    def __init__(self, transport: Transport) -> None:
        self.bell = Bell()
        self._transport = transport
        self._messages: deque[bytes] = deque()
        self._lock = threading.Lock()
        self._held_bytes = 0
        self._scheduled = False
        self._closed = False

    @property
    def held_bytes(self) -> int:
        """How much waits to be handed to the transport."""
        return self._held_bytes

    @property
    def full(self) -> bool:
        """Whether producers should wait. A closed outbox is never full: it drops what it gets."""
        return self._held_bytes > _FULL_BYTES

    @property
    def overfull(self) -> bool:
        """Whether the peer has asked for far more than it reads, and must wait with the next."""
        return self._held_bytes > _OVERFULL_BYTES

    def put(self, message: bytes) -> None:
        """Queue one message. Any thread."""
        with self._lock:
            if self._closed:
                return
            self._messages.append(message)
            self._held_bytes += len(message)
            if self._scheduled:
                return
            self._scheduled = True
        io_loop().post(self.flush)

    def flush(self) -> None:
        """Hand over as much as the transport takes. I/O loop only."""
        self._scheduled = False
        while self._messages and self._transport.writable:
            batch: list[bytes] = []
            batch_bytes = 0
            while self._messages and batch_bytes < _BATCH_BYTES:
                message = self._messages.popleft()
                batch.append(message)
                batch_bytes += len(message)
            with self._lock:
                self._held_bytes -= batch_bytes
            self._transport.send(batch)
        # Not only when it was full at the start: it may have filled up while it was emptied here.
        if not self.full:
            self.bell.ring()

    def forked(self) -> None:
        """This process is a fork: the transport is the other one's."""
        self._lock = threading.Lock()  # whoever held it did not come along
        self.close()

    def close(self) -> None:
        """Drop what is left and let everybody go who waits. I/O loop only."""
        with self._lock:
            self._closed = True
            self._messages.clear()
            self._held_bytes = 0
        self.bell.ring()
