"""What the kernel sends to a page: the frames of Jupyter's kernel WebSocket, counted."""

from __future__ import annotations

import json
import struct
import time
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

__all__ = ["Frame", "Traffic"]


@dataclass(frozen=True)
class Frame:
    """One message of the kernel's, as the page received it."""

    at_s: float  # time.monotonic()
    channel: str
    kind: str
    size_bytes: int
    content: dict[str, Any] = field(repr=False)


class Traffic:
    """Every frame since the page was opened, or since the last clear()."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []

    def add(self, payload: str | bytes) -> None:
        self.frames.append(_parse(payload))

    def clear(self) -> None:
        self.frames.clear()

    def iopub(self, *kinds: str) -> list[Frame]:
        """The IOPub frames, of these message types if any is named."""
        return [f for f in self.frames if f.channel == "iopub" and (not kinds or f.kind in kinds)]

    def iopub_bytes(self, *kinds: str) -> int:
        return sum(frame.size_bytes for frame in self.iopub(*kinds))

    def deltas(self) -> list[Frame]:
        """What told the page of new text in an output."""
        frames = self.iopub("kkjupyter_view")
        return [frame for frame in frames if frame.content["kind"] == "delta"]

    def busiest_second(self, *kinds: str) -> int:
        """The largest number of IOPub messages that came within one second."""
        times_s = [frame.at_s for frame in self.iopub(*kinds)]
        best = first = 0
        for last, at_s in enumerate(times_s):
            while at_s - times_s[first] > 1:
                first += 1
            best = max(best, last - first + 1)
        return best


def _parse(payload: str | bytes) -> Frame:
    """Take a frame apart: JSON text, or the binary ``v1.kernel.websocket.jupyter.org``.

    The binary form is a count of offsets and the offsets, each as a little-endian 64-bit number,
    then between them: channel, header, parent header, metadata, content, buffers.
    """
    now_s = time.monotonic()
    if isinstance(payload, str):
        message = json.loads(payload)
        return Frame(
            now_s,
            message["channel"],
            message["msg_type"],
            len(payload.encode()),
            message["content"],
        )
    (count,) = struct.unpack_from("<Q", payload)
    offsets = struct.unpack_from(f"<{count}Q", payload, 8)
    parts = [payload[a:b] for a, b in pairwise(offsets)]
    header, content = json.loads(parts[1]), json.loads(parts[4])
    return Frame(now_s, parts[0].decode(), header["msg_type"], len(payload), content)
