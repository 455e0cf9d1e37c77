"""A sound that comes in pieces, made into one that a browser plays."""

from __future__ import annotations

import base64
import re
import struct

from kkjupyter.notebook.views.pieces import Media

__all__ = ["Sound"]

# Some minutes of what models speak; a longer one is named and not played.
_LIMIT_BYTES = 12_000_000
_RATE_HZ = 24_000
_SAMPLE_BYTES = 2
# Samples without a head: OpenAI's name for them, and Google's, which is that of RFC 2586.
_RAW = re.compile(r"audio/(?:pcm16|pcm|l16)\b", re.IGNORECASE)
_RATE = re.compile(r"rate=(\d{4,6})\b")


class Sound:
    """Collects the pieces of one sound.

    Args:
        mime_type: what the first piece says that it is.

    Attributes:
        mime_type: the type of what :meth:`url` gives.
    """

    def __init__(self, mime_type: str) -> None:
        raw = _RAW.match(mime_type)
        rate = _RATE.search(mime_type)
        self.mime_type = "audio/wav" if raw else mime_type.partition(";")[0] or "audio/wav"
        self._rate_hz = (int(rate[1]) if rate else _RATE_HZ) if raw else 0
        self._data = bytearray()
        self._is_too_long = False

    def add(self, media: Media) -> None:
        """Take in the next piece."""
        if self._is_too_long:
            return
        self._data += base64.b64decode(media.data)
        if len(self._data) > _LIMIT_BYTES:
            self._data.clear()
            self._is_too_long = True

    def url(self) -> str:
        """All of it as a data: URL; empty if there is nothing that could be played."""
        if not self._data:
            return ""
        head = self._wave_head() if self._rate_hz else b""
        return f"data:{self.mime_type};base64,{base64.b64encode(head + self._data).decode()}"

    def _wave_head(self) -> bytes:
        """The head of a WAVE file of one channel with 16 bits a sample."""
        size = len(self._data)
        byte_rate = self._rate_hz * _SAMPLE_BYTES
        form = struct.pack("<HHIIHH", 1, 1, self._rate_hz, byte_rate, _SAMPLE_BYTES, 16)
        after = struct.pack("<4s4sI16s4sI", b"WAVE", b"fmt ", len(form), form, b"data", size)
        return struct.pack("<4sI", b"RIFF", len(after) + size) + after
