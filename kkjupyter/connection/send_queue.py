"""Messages on their way out of one connection, and what slows down those who make too many."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from kkjupyter.errors import BufferOverflow
from kkjupyter.limits import Budget, Share
from kkjupyter.runtime.loop_threads import io_loop
from kkjupyter.runtime.waiting import Notifier
from kkjupyter.transports.base import DirectTransport, Transport
from kkjupyter.transports.fairness import Piecework

__all__ = ["LIMIT_BYTES", "SendQueue"]

# Enough to keep a fast reader busy between two wake-ups, little enough that a reply does not wait
# long behind a stream.
_FULL_BYTES = 512 * 1024
_OVERFULL_BYTES = 16 * 1024 * 1024
_BATCH_BYTES = 64 * 1024
_BATCH_MESSAGES = 1024
# What code here sends of its own accord, without waiting, is refused beyond this.
LIMIT_BYTES = 64 * 1024 * 1024


class SendQueue:
    """A queue in front of a transport.

    :meth:`put` never blocks and keeps the order. Producers of many messages look at :attr:`full`
    and wait for :attr:`notifier`, so that a peer that does not read stops them.

    Args:
        transport: what takes the messages.
        budget: of all connections of a server together; None for a client's.
        limit_bytes: see :meth:`check_room`; never more than :data:`LIMIT_BYTES`.

    Attributes:
        on_flush: called on the I/O loop when something was handed over, or nothing is left.
    """

    def __init__(
        self,
        transport: Transport,
        budget: Budget | None = None,
        limit_bytes: int | None = None,
    ) -> None:
        self.notifier = Notifier()
        self.on_flush: Callable[[], object] = _nothing
        self.limit_bytes = LIMIT_BYTES if limit_bytes is None else min(limit_bytes, LIMIT_BYTES)
        self._transport = transport
        self._direct = transport if isinstance(transport, DirectTransport) else None
        self._messages: deque[bytes] = deque()
        self._lock = threading.Lock()
        self._held_bytes = 0
        self._sent_bytes = 0
        self._own: deque[tuple[int, int]] = deque()  # where each ends, and its size
        self._own_bytes = 0
        self._share = Share(budget)
        self._scheduled = False
        self._closed = False
        # A socket that is empty takes megabytes; others have their turn in between.
        self._sending = Piecework(self._send_batch, self._tell)

    @property
    def held_bytes(self) -> int:
        """How much waits to be handed to the transport."""
        return self._held_bytes

    @property
    def is_direct(self) -> bool:
        """Whether :meth:`send_here` may ever send anything."""
        return self._direct is not None

    @property
    def full(self) -> bool:
        """Whether producers should wait. A closed queue is never full: it drops what it gets."""
        return self._held_bytes > _FULL_BYTES

    @property
    def overfull(self) -> bool:
        """Whether the peer has asked for far more than it reads, and must wait with the next.

        Our own calls do not count: two sides that call each other would both wait for ever.
        """
        return self._held_bytes - self._own_bytes > _OVERFULL_BYTES

    @property
    def is_low(self) -> bool:
        """Whether an overfull one has drained enough for the peer to go on."""
        return self._held_bytes - self._own_bytes <= _OVERFULL_BYTES // 2

    @property
    def may_grow(self) -> bool:
        """Whether there is room for answers to what little a look in between brings."""
        return self._held_bytes - self._own_bytes <= 2 * LIMIT_BYTES

    def put(self, message: bytes, *, is_own: bool = False) -> None:
        """Queue one message. Any thread.

        Args:
            message: goes out as one frame.
            is_own: whether it is a call of ours, which the peer has not asked for.
        """
        size_bytes = len(message)
        with self._lock:
            if self._closed:
                return
            self._messages.append(message)
            self._held_bytes += size_bytes
            if is_own:
                self._own.append((self._sent_bytes + self._held_bytes, size_bytes))
                self._own_bytes += size_bytes
            if self._scheduled:
                return
            self._scheduled = True
        io_loop().post(self.flush)

    def send_here(self, message: bytes) -> bool:
        """Send one message in the thread at hand, if nothing waits before it. Any thread.

        Returns whether it is sent; if not, nothing was done. To be used for a message that comes
        alone: those that come together are sent together by the I/O loop, at less cost.
        """
        transport = self._direct
        if transport is None or self._lock.locked():
            return False
        with self._lock:
            if self._closed or self._held_bytes or not transport.send_here(message):
                return False
            self._sent_bytes += len(message)
            return True

    def check_room(self, size_bytes: int, method: str) -> None:
        """Check that so much more may be queued without waiting. Any thread.

        Raises:
            BufferOverflow: the peer does not read, and too much waits for it already.
        """
        limit_bytes = self.limit_bytes
        if self._held_bytes + size_bytes > limit_bytes:
            raise BufferOverflow(method, limit_bytes=limit_bytes, what="outbox")
        self._share.hold(self._held_bytes)
        if self._share.is_exhausted:
            raise BufferOverflow(method, limit_bytes=self._share.limit_bytes, what="outbox")

    def flush(self) -> None:
        """Hand over as much as the transport takes, in turns with others. I/O loop only."""
        self._scheduled = False
        self._share.hold(self._held_bytes)
        self._sending.go_on()

    def empty(self) -> None:
        """Hand over as much as the transport takes, at once, before it is closed. I/O loop only."""
        while self._send_batch():
            pass
        self._tell()

    def _send_batch(self) -> bool:
        """Hand over a little; return whether there is more, and the transport takes it."""
        if self._messages and self._transport.writable:
            batch: list[bytes] = []
            batch_bytes = 0
            while self._messages and batch_bytes < _BATCH_BYTES and len(batch) < _BATCH_MESSAGES:
                message = self._messages.popleft()
                batch.append(message)
                batch_bytes += len(message)
            self._transport.send(batch)
            with self._lock:  # not before: nobody may send past what is in hand
                if not self._closed:
                    self._held_bytes -= batch_bytes
                    self._sent_bytes += batch_bytes
                while self._own and self._own[0][0] <= self._sent_bytes:
                    self._own_bytes -= self._own.popleft()[1]
        return bool(self._messages) and self._transport.writable

    def _tell(self) -> None:
        """Let those know who wait for room."""
        self._share.hold(self._held_bytes)
        # Not only when it was full at the start: it may have filled up while it was emptied here.
        if not self.full:
            self.notifier.notify()
        self.on_flush()

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
            self._own.clear()
            self._own_bytes = 0
        self._share.hold(0)
        self.notifier.notify()


def _nothing() -> None:
    """Nobody looks."""
