"""What a view shows about one run, in one immutable value."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from kkjupyter.plaintext import plain

__all__ = ["RunState", "Status"]

RunState = Literal["waiting", "streaming", "cancelling", "done", "cancelled", "failed"]


@dataclass(frozen=True, slots=True)
class Status:
    """A run at one moment.

    Attributes:
        run_id: what ``%rpc status`` and ``%rpc cancel`` call it.
        title: the call, shortened: ``"countdown(5)"``.
        state: ``"cancelling"`` from the request until the run has ended.
        kind: ``"unary"`` or ``"stream"``; None before the reply.
        count: items so far.
        elapsed_s: since the call was sent; the total once it has ended.
        first_item_s: from sending to the first item, or None if there was none yet.
        was_open: whether the stream was open already when it was given, so that its times count
            from then: nobody knows when it was asked for.
        error: ``"ValueError: something went wrong"`` of a failed run, else ``""``.
        notes: what else the user should know ("an earlier run is still streaming"), a line each.
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

    @property
    def over(self) -> bool:
        """Whether the run has ended; it does not change any more."""
        return self.state in ("done", "cancelled", "failed")

    def sound(self) -> Status:
        """The same with texts that can be encoded and shown: they hold words of the peer's."""
        return replace(
            self,
            title=plain(self.title),
            error=plain(self.error),
            notes=tuple([plain(note) for note in self.notes]),
        )

    def to_json(self) -> dict[str, Any]:
        """The same as plain JSON: what the front end gets and what is saved."""
        sound = self.sound()
        return {
            **asdict(sound),
            "notes": list(sound.notes),
            "elapsed_s": round(self.elapsed_s, 3),
            "first_item_s": None if self.first_item_s is None else round(self.first_item_s, 3),
        }
