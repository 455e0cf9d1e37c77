"""What has arrived on one connection, read in portions.

A wake-up can bring thousands of messages, and a message tens of megabytes; what others send waits
meanwhile. So what is more than a portion is read step by step, in turns with other connections, and
a big message is decoded in a thread. The order of what one connection sends is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from kkjupyter.runtime.decoders import submit
from kkjupyter.runtime.loop_threads import io_loop
from kkjupyter.transports.fairness import claim_turn
from kkjupyter.wire.events import Event
from kkjupyter.wire.framing import cut_at_lines, has_more_lines
from kkjupyter.wire.kkrpc.base import Protocol

__all__ = ["BIG_BYTES", "Arrivals"]

PORTION_BYTES = 32 * 1024
"""So much is read at once."""
# A longer frame may be many lines.
_LONG_BYTES = 16 * 1024
_PORTION_FRAMES = 512
# Where nobody else has much to do, so much is read straight through: all that one wake-up brings of
# a fast stream, some 5 ms of work. Stopping and going on would cost that stream 7 %.
_STRAIGHT_BYTES = 320 * 1024
_STRAIGHT_FRAMES = 2600
_PORTION_LINES = 256
# A frame with more lines is read line by line, in portions.
_MANY_LINES = 64
BIG_BYTES = 512 * 1024
"""A message that is longer is decoded in a thread: handing it there takes some 0.1 ms."""


class Arrivals:
    """Reads what arrives on one connection. I/O loop only.

    Args:
        protocol: of the connection.
        keeps_boundaries: whether each chunk is a frame.
        read: reads chunks and hands in what they say.
        hand_in: hands in what was read from chunks.
        fail: told when what has arrived cannot be read any further.
        reads_itself: whether messages may be read by other ways than ``read``, which are quicker.
    """

    def __init__(
        self,
        protocol: Protocol,
        *,
        keeps_boundaries: bool,
        read: Callable[[Sequence[bytes]], object],
        hand_in: Callable[[Sequence[bytes], list[Event]], object],
        fail: Callable[[Exception], object],
        reads_itself: Callable[[], bool],
    ) -> None:
        self._reads_itself = reads_itself
        self._protocol = protocol
        self._whole = keeps_boundaries
        self._read = read
        self._hand_in = hand_in
        self._fail = fail
        self._chunks: list[bytes] = []
        self._at = 0  # so many of them were read
        self._at_once = _PORTION_FRAMES  # so many frames are about a portion
        self._pieces: Iterator[bytes] | None = None  # of the chunk that is being read
        self._is_decoding = False
        self._is_dropped = False
        # Called on the I/O loop when a thread has decoded what the next step waits for.
        self.on_decoded: Callable[[], object] = lambda: None

    @property
    def is_left(self) -> bool:
        """Whether something has arrived and was not read yet."""
        return self._at < len(self._chunks) or self._pieces is not None or self._is_decoding

    def add(self, chunks: Sequence[bytes]) -> bool:
        """This has arrived; return whether something is left to be read in steps.

        It is read at once if it is little and nothing is left from before.
        """
        if self._is_dropped:
            return False
        if self.is_left or not _is_little(chunks):
            self._chunks.extend(chunks)
        else:
            self._read(chunks)
        return self.is_left

    def drop(self) -> None:
        """Forget what was not read, and what still comes. Idempotent."""
        self._is_dropped = True
        self._forget()

    def _forget(self) -> None:
        self._chunks, self._at, self._pieces = [], 0, None

    def step(self) -> bool:
        """Read a portion; return whether more can be read now."""
        if self._is_decoding or not self.is_left:
            return False
        if self._pieces is not None:
            piece = next(self._pieces, None)
            if piece is None:
                self._pieces = None
            else:
                self._read_piece(piece)
        else:
            self._begin_next()
        if self._at >= len(self._chunks):
            self._chunks, self._at = [], 0
        return self.is_left and not self._is_decoding

    def _begin_next(self) -> None:
        first = self._chunks[self._at]
        if len(first) > _LONG_BYTES:
            self._at += 1
            self._begin_large(first)
            return
        portion = self._chunks[self._at : self._at + self._at_once]
        portion_bytes = sum(map(len, portion))
        if portion_bytes > PORTION_BYTES:
            while portion_bytes > PORTION_BYTES:
                portion = portion[: (len(portion) + 1) // 2]
                portion_bytes = sum(map(len, portion))
            self._at_once = len(portion)
        elif portion_bytes < PORTION_BYTES // 2:
            self._at_once = min(2 * self._at_once, _PORTION_FRAMES)
        self._at += len(portion)
        self._read(portion)

    def _begin_large(self, chunk: bytes) -> None:
        if (self._whole and not self._reads_itself()) or not has_more_lines(chunk, _MANY_LINES):
            self._read_piece(chunk)
        elif not self._whole:
            self._cut(chunk)
        elif self._decodes_elsewhere(chunk):
            self._decode(chunk, self._read_frame)
        else:
            self._read_or_cut(chunk, self._read_frame(chunk))

    def _cut(self, chunk: bytes) -> None:
        self._pieces = cut_at_lines(chunk, _LONG_BYTES, _PORTION_LINES)

    def _read_piece(self, piece: bytes) -> None:
        if self._decodes_elsewhere(piece):
            self._decode(piece, lambda p: self._protocol.receive([p], whole=self._whole))
        else:
            self._read([piece])

    def _decodes_elsewhere(self, piece: bytes) -> bool:
        """Whether a big message may be complete with this piece."""
        size_bytes = len(piece)
        if not self._whole:
            if b"\n" not in piece:
                return False
            size_bytes += self._protocol.held_bytes
        return size_bytes > BIG_BYTES and self._reads_itself()

    def _read_frame(self, frame: bytes) -> list[Event] | None:
        event = self._protocol.read_frame(frame)
        return None if event is None else [event]

    def _read_or_cut(self, chunk: bytes, events: list[Event] | None) -> None:
        if events is None:
            self._cut(chunk)
        else:
            self._hand_in([chunk], events)

    # ---- in a thread

    def _decode(self, chunk: bytes, decode: Callable[[bytes], list[Event] | None]) -> None:
        self._is_decoding = True

        def work() -> None:
            events: list[Event] | None = None
            problem: Exception | None = None
            try:
                events = decode(chunk)
            except Exception as exc:  # noqa: BLE001  told on the loop
                problem = exc
            io_loop().post(self._decoded, chunk, events, problem)

        submit(work, len(chunk))

    def _decoded(self, chunk: bytes, events: list[Event] | None, problem: Exception | None) -> None:
        self._is_decoding = False
        try:
            if self._is_dropped:
                return
            if problem is not None:
                self._fail(problem)
            else:
                self._read_or_cut(chunk, events)
        finally:
            self.on_decoded()


def _is_little(chunks: Sequence[bytes]) -> bool:
    """Whether these need not be read in steps."""
    if len(chunks) > _STRAIGHT_FRAMES:
        return False
    sizes_bytes = [*map(len, chunks)]
    size_bytes = sum(sizes_bytes)
    if size_bytes <= _LONG_BYTES and len(chunks) <= _PORTION_FRAMES:
        return True
    if size_bytes > _STRAIGHT_BYTES:
        return False
    long = [chunk for chunk in chunks if len(chunk) > _LONG_BYTES]
    return not any(has_more_lines(chunk, _MANY_LINES) for chunk in long) and claim_turn()
