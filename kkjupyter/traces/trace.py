"""What went over the wire for one call: a list of rows, the same for every protocol.

Everything that is shown of a trace is drawn from these rows. They are copies: a call that goes on
does not change a trace that was taken.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

from kkjupyter.traces.text import diagram, size_text, time_text

__all__ = ["Direction", "Trace", "TraceRow"]

Direction = Literal["out", "in", "here"]
"""From us to the server, from the server to us, or something that happened without a frame."""


@dataclasses.dataclass(frozen=True, slots=True)
class TraceRow:
    """One frame, or a run of frames of one kind.

    Attributes:
        t_s: when, in seconds since the request.
        direction: see :data:`Direction`.
        kind: ``"request"``, ``"response"``, ``"response (stream)"``, ``"chunk"``, ``"line"``,
            ``"credit"``, ``"end"``, ``"error"``, ``"cancel"``, ``"acknowledgement"``, ``"throw"``,
            ``"callback"``, ``"release"``, ``"abort"``, ``"lost"`` or ``"left out"``.
        count: how many frames these are.
        size_bytes: their size together; 0 where nothing was counted.
        detail: the method, the credit granted, the name of an error, the HTTP status.
        until_s: when the last of them was, as ``t_s``.
        payloads: the frames as text, shortened; of a long run the first and the last. None where
            they were not kept.
    """

    t_s: float
    direction: Direction
    kind: str
    count: int = 1
    size_bytes: int = 0
    detail: str = ""
    until_s: float = 0.0
    payloads: tuple[str, ...] | None = None

    @property
    def label(self) -> str:
        """``"request"``, ``"chunk × 412"``."""
        return self.kind if self.count == 1 else f"{self.kind} × {self.count:,}"

    @property
    def payload_text(self) -> str:
        """What to read of it; empty where nothing was kept."""
        return "\n".join(self.payloads or ())

    def to_json(self) -> dict[str, Any]:
        """The row as a front end draws it, without the payload."""
        return {
            "time": time_text(self.t_s),
            "direction": self.direction,
            "label": self.label,
            "detail": self.detail,
            "size": size_text(self.size_bytes),
            "run": self.count > 1,
        }


@dataclasses.dataclass(frozen=True)
class Trace:
    """What went over the wire for one call. Its repr is a sequence diagram.

    Attributes:
        number: of the call, as ``%rpc status`` has it.
        title: the call as written, shortened.
        url: where to, without secrets.
        wire: what is spoken: ``"compact, superjson"``, ``"vovk, jsonlines"``.
        rows: in the order in which the frames went and came.
        is_over: whether nothing more is expected.
        has_payloads: whether what the frames hold was kept.
    """

    number: int
    title: str
    url: str
    wire: str
    rows: tuple[TraceRow, ...]
    is_over: bool
    has_payloads: bool

    @property
    def heading(self) -> str:
        """What the diagram is of, in one line."""
        more = "" if self.is_over else " · still running"
        return f"{self.title} · {self.wire} · {self.url}{more}"

    @property
    def frames_out(self) -> int:
        """How many frames went to the server."""
        return sum(row.count for row in self.rows if row.direction == "out")

    @property
    def frames_in(self) -> int:
        """How many came from it."""
        return sum(row.count for row in self.rows if row.direction == "in")

    @property
    def summary(self) -> str:
        """``"3 frames out (212 B), 414 in (28.1 kB), 0.41 s"``."""
        rows = self.rows
        out = size_text(sum(row.size_bytes for row in rows if row.direction == "out"))
        into = size_text(sum(row.size_bytes for row in rows if row.direction == "in"))
        frames = "frame" if self.frames_out == 1 else "frames"
        length_s = max((row.until_s for row in rows), default=0.0)
        return (
            f"{self.frames_out:,} {frames} out ({out or '0 B'}), "
            f"{self.frames_in:,} in ({into or '0 B'}), {time_text(length_s)}"
        )

    @property
    def text(self) -> str:
        """The sequence diagram in characters."""
        return diagram(self)

    def __repr__(self) -> str:
        return self.text
