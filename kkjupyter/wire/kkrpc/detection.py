"""Detects which protocol the other side speaks, from what it sends; no I/O.

A client sends a :class:`Probe`: it requests a name that no server has, in every form at once. Each
protocol ignores the messages of the other, so the form of the answer tells. A server detects it
from the client's first message, with a :class:`FirstFrame`.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from kkjupyter.wire.framing import DEFAULT_LIMIT_BYTES, LineBuffer
from kkjupyter.wire.kkrpc.base import Codec
from kkjupyter.wire.kkrpc.classic.protocol import Classic
from kkjupyter.wire.kkrpc.compact.protocol import Compact
from kkjupyter.wire.kkrpc.envelopes import is_json, read_head

__all__ = ["FORMS", "PROBE_NAME", "FirstFrame", "Found", "Probe", "is_probe", "recognise"]

PROBE_NAME = "kk-probe"
# The richer codec first, so that it is used with peers that understand both. A classic peer answers
# in its own codec, whatever the codec of the request.
FORMS: tuple[tuple[str, Codec], ...] = (
    ("compact", "superjson"),
    ("compact", "json"),
    ("classic", "json"),
)
_DESTROY = b"__DESTROY__"
_PROBE_ID = "probe-"
_PROBE_BYTES = 1024
_RUBBISH_LIMIT_BYTES = 64 * 1024
# A blank line counts as this many bytes at least, because reading it takes time.
_LINE_BYTES = 16
# A chunk that is kept costs this much besides its bytes, even if it is empty.
_CHUNK_BYTES = 64
_LIMIT_LINES = _RUBBISH_LIMIT_BYTES // _LINE_BYTES
# A message begins within this many bytes.
_BEGINNING_BYTES = 1024
_SHORT_BYTES = 4096


class Found(NamedTuple):
    """The protocol that was detected.

    Attributes:
        protocol: ``"classic"`` (kkrpc 0.x) or ``"compact"`` (kkrpc 2.x).
        codec: the codec of the message that it was detected from.
    """

    protocol: str
    codec: Codec


def recognise(data: bytes) -> Found | None:
    """The protocol and codec of the first message among whole lines; None without a message."""
    if data.strip() == _DESTROY:
        return Found("classic", "json")
    head = read_head(data)
    if head is not None:
        return Found("compact" if head.t else "classic", head.codec)
    if b"\n" in data:
        # After this many lines of rubbish a message is no longer waited for; see FirstFrame.
        for line in data.split(b"\n", _LIMIT_LINES)[:_LIMIT_LINES]:
            found = recognise(line)
            if found is not None:
                return found
    return None


def is_probe(frame: bytes) -> bool:
    """Whether a client of ours sent ``frame`` to ask for the protocol; see :class:`Probe`."""
    if len(frame) > _PROBE_BYTES or PROBE_NAME.encode() not in frame:
        return False
    head = read_head(frame)
    return head is not None and head.id.startswith(_PROBE_ID)


class Probe:
    """Asks the other side which protocol it speaks.

    Send ``frames`` and give what arrives to :meth:`read` until it returns what was found.

    Args:
        forms: the protocols and codecs to try.

    Attributes:
        frames: what to send, each as one frame; the most likely first.
        rest: received data that is not an answer, in order; give it to the protocol.
        echoed: whether the other side sent back what it received, so that it speaks no protocol.
    """

    def __init__(self, forms: Iterable[tuple[str, Codec]] = FORMS) -> None:
        self._id = f"{_PROBE_ID}{secrets.token_urlsafe(9)}"
        self._id_bytes = self._id.encode()
        self.frames = [self._frame(*form) for form in forms]
        self.rest: list[bytes] = []
        self.echoed = False
        self._lines = LineBuffer()

    def _frame(self, protocol: str, codec: Codec) -> bytes:
        if protocol == "compact":
            return Compact(codec).request(self._id, "get", [PROBE_NAME])
        return Classic(codec).request(self._id, "call", [PROBE_NAME])

    def read(self, chunks: Sequence[bytes], *, whole: bool = False) -> Found | None:
        """Take received bytes; return the protocol as soon as it is known.

        Args:
            chunks: in order; a message may be split over several, and one may hold several
                messages.
            whole: whether each chunk is one frame of a transport that keeps boundaries.

        Raises:
            MessageTooBig: an unfinished message is over the limit; the connection cannot go on.
        """
        found: Found | None = None
        for chunk in chunks:
            if whole and self._id_bytes not in chunk:
                self.rest.append(chunk)
                continue
            for line in chunk.split(b"\n") if whole else self._lines.feed(chunk):
                answer = self._read_line(line)
                found = found or answer
        if found is not None and self._lines.held_bytes:
            self.rest.append(self._lines.take_held())
        return found

    def _read_line(self, line: bytes) -> Found | None:
        # Data that is not an answer is not parsed twice, however long it is.
        head = read_head(line) if self._id_bytes in line else None
        if head is None or head.id != self._id:
            if line:
                self.rest.append(line + b"\n")
            return None
        if head.t == "r":
            return Found("compact", head.codec)
        if head.type == "response":
            return Found("classic", head.codec)
        self.echoed = True
        return None


class FirstFrame:
    """Waits for a client's first message, which tells the protocol.

    Args:
        limit_bytes: how many bytes of an unfinished message are held at most.

    Attributes:
        chunks: everything that was fed, in order, for the protocol; short pieces are joined.
    """

    def __init__(self, *, limit_bytes: int = DEFAULT_LIMIT_BYTES) -> None:
        self.chunks: list[bytes] = []
        self._limit_bytes = limit_bytes
        self._rubbish_bytes = 0
        self._held = bytearray()  # of an unfinished line
        self._tried_bytes = 0

    @property
    def held_bytes(self) -> int:
        """How much of an unfinished message is held."""
        return len(self._held)

    def feed(self, chunks: Sequence[bytes], *, whole: bool = False) -> Found | None:
        """Take received bytes; return the protocol as soon as it is known.

        Up to 64 KiB of rubbish is skipped. A peer that sends more, or an unfinished message over
        the limit, is treated as a classic peer; that protocol then reports what is wrong.

        Args:
            chunks: in order; a message may be split over several, and one may hold several
                messages.
            whole: whether each chunk is one frame of a transport that keeps boundaries.
        """
        found: Found | None = None
        for chunk in chunks:
            self._keep(chunk, whole)
            found = found or self._read(chunk, whole)
        return found

    def _keep(self, chunk: bytes, whole: bool) -> None:
        if self.chunks and not whole and len(self.chunks[-1]) < _SHORT_BYTES:
            self.chunks[-1] += chunk  # it may arrive byte by byte
        else:
            self.chunks.append(chunk)

    def _read(self, chunk: bytes, whole: bool) -> Found | None:
        if whole:
            found = recognise(chunk)
            if found is not None:
                return found
            if not chunk:
                self._rubbish_bytes += _LINE_BYTES
            if not self._held and is_json(chunk):  # no later frame can make a message of it
                self._rubbish_bytes += len(chunk)
                return self._give_up()
        found = None
        head, newline, tail = chunk.rpartition(b"\n")
        if newline:
            self._held += head
            found = recognise(bytes(self._held))
            if found is not None:
                return found
            lines = self._held.count(b"\n") + 1
            self._rubbish_bytes += max(len(self._held), _LINE_BYTES * lines)
            self._held.clear()
            self._tried_bytes = 0
        if tail:
            self._held += tail
            if whole and self._is_worth_trying(tail):
                found = recognise(bytes(self._held))
        return found or self._give_up()

    def _is_worth_trying(self, newest: bytes) -> bool:
        # Joined and parsed anew for every piece, a long message would take quadratic time.
        if len(self._held) < 2 * self._tried_bytes or not newest.rstrip().endswith(b"}"):
            return False
        self._tried_bytes = len(self._held)
        return True

    def _give_up(self) -> Found | None:
        rubbish_bytes = self._rubbish_bytes
        if not self._held[:_BEGINNING_BYTES].lstrip().startswith(b"{"):
            rubbish_bytes += len(self._held)
        kept_bytes = len(self._held) + _CHUNK_BYTES * (len(self.chunks) - 1)
        if rubbish_bytes > _RUBBISH_LIMIT_BYTES or kept_bytes > self._limit_bytes:
            return Found("classic", "json")
        return None
