"""What a view shows about one run, in one immutable value."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from kkjupyter.plaintext import plain

__all__ = ["RunState", "Status", "Unit"]

RunState = Literal["waiting", "streaming", "cancelling", "done", "cancelled", "failed"]
Unit = Literal["tokens", "characters"]


@dataclass(frozen=True, slots=True)
class Status:
    """A run at one moment.

    Attributes:
        run_id: its number in ``%rpc status`` and ``%rpc cancel``.
        title: the call, shortened: ``"countdown(5)"``.
        state: ``"cancelling"`` from the request until the run has ended.
        kind: ``"unary"`` or ``"stream"``; None before the reply.
        count: items so far.
        elapsed_s: seconds since the call was sent; the total once it has ended.
        first_item_s: seconds from sending to the first item, or None before it.
        was_open: whether the stream was open already when it was given, so that its times count
            from then: nobody knows when it was asked for.
        left: whether a loop over it was left before its end, which cancels it.
        error: ``"ValueError: something went wrong"`` of a failed run, else ``""``.
        notes: further lines for the user ("an earlier run is still streaming").
        written: of a language model's answer, how much it has written; else None.
        unit: in which unit that is counted.
        model: the model that writes it, if the stream says so.
        reconnecting_s: for how many seconds its connection has been broken, while that is made
            again; None if it is not broken.
    """

    run_id: int
    title: str
    state: RunState
    kind: Literal["unary", "stream"] | None
    count: int
    elapsed_s: float
    first_item_s: float | None
    error: str = ""
    notes: tuple[str, ...] = ()
    was_open: bool = False
    left: bool = False
    written: int | None = None
    unit: Unit = "characters"
    model: str = ""
    reconnecting_s: float | None = None

    @property
    def over(self) -> bool:
        """Whether the run has ended, so that this no longer changes."""
        return self.state in ("done", "cancelled", "failed")

    def sound(self) -> Status:
        """The same with texts made safe to encode and show, since they contain the peer's text."""
        return replace(
            self,
            title=plain(self.title),
            model=plain(self.model),
            error=plain(self.error),
            notes=tuple([plain(note) for note in self.notes]),
        )

    def to_json(self) -> dict[str, Any]:
        """The same as plain JSON, as it is sent to the front end and saved."""
        sound = self.sound()
        known = asdict(sound)
        if not self.left:
            del known["left"]
        if self.written is None:
            for name in ("written", "unit", "model"):
                del known[name]
        if self.reconnecting_s is None:
            del known["reconnecting_s"]
        else:
            known["reconnecting_s"] = round(self.reconnecting_s, 3)
        return {
            **known,
            "notes": list(sound.notes),
            "elapsed_s": round(self.elapsed_s, 3),
            "first_item_s": None if self.first_item_s is None else round(self.first_item_s, 3),
        }
