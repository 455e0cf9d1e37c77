"""The text view: strings as they are, one after the other, as a model writes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from kkjupyter.notebook.characters import PairJoiner, printable, rewritten
from kkjupyter.notebook.status import Status
from kkjupyter.notebook.views.base import RETAINED_BYTES, SAVED_BYTES, View
from kkjupyter.notebook.views.bundle import Body, text_body
from kkjupyter.notebook.views.foreign import text_of
from kkjupyter.notebook.views.jsonlines import line_of
from kkjupyter.notebook.views.transcript import Excerpt

__all__ = ["TextView"]


class TextView(View):
    """Appends strings without anything in between; any other value gets a line of its own."""

    name = "text"

    def __init__(
        self, *, retained_bytes: int = RETAINED_BYTES, saved_bytes: int = SAVED_BYTES
    ) -> None:
        super().__init__(retained_bytes=retained_bytes, saved_bytes=saved_bytes)
        self._pairs = PairJoiner()
        self._at_line_start = True

    @classmethod
    def suits(cls, item: Any) -> bool:
        """Strings."""
        return isinstance(item, str)

    def render(self, items: Sequence[Any]) -> str:
        """Strings joined; lone surrogates that follow each other, too."""
        pieces: list[str] = []
        for item in items:
            text = text_of(item)
            if text is not None:
                if text:
                    pieces.append(text)
                    self._at_line_start = text.endswith("\n")
            else:
                pieces.append(f"{'' if self._at_line_start else chr(10)}{line_of(item)}\n")
                self._at_line_start = True
        return printable(self._pairs.feed("".join(pieces)))

    def body(self, excerpt: Excerpt) -> Body:
        """The text; a line that was written over, as it was in the end."""
        return text_body(replace(excerpt, text=rewritten(excerpt.text)))

    def checkpoint(self, status: Status) -> dict[str, Any]:
        """Likewise, so far."""
        checkpoint = super().checkpoint(status)
        return {mime: rewritten(text) for mime, text in checkpoint.items()}

    def flush(self) -> str:
        """Half of a pair whose other half never came."""
        return self._pairs.flush()
