"""The rich view: each value as the notebook shows it at the end of a cell."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from kkjupyter.notebook.views.base import PARTS, RETAINED_BYTES, SAVED_BYTES, View
from kkjupyter.notebook.views.rich.html import gap_words, values_html
from kkjupyter.notebook.views.rich.mime import PLAIN, MimeForms, has_rich_form, plain_of
from kkjupyter.notebook.views.rich.records import (
    LeftOut,
    line_of_gap,
    line_of_value,
    records_in,
)
from kkjupyter.notebook.views.saved_form import Body
from kkjupyter.notebook.views.transcript import Excerpt
from kkjupyter.plaintext import encodable, without_controls

__all__ = ["RichInTerminal", "RichView", "size_bytes"]

# A page cannot bear any number of pictures. Beyond either limit the older half is dropped.
_MOST_ITEMS = 400
_SHARE_OF_SAVED = 0.8


class RichInTerminal(View):
    """The text of each value, on lines of its own."""

    name = "rich"

    def render(self, items: Sequence[Any]) -> str:
        """The text of these values."""
        return "".join([f"{encodable(without_controls(plain_of(item)))}\n" for item in items])


class RichView(View):
    """Shows values by IPython's formatters: figures, images, sounds, HTML, formulas.

    A value without a rich form is shown as text. Of many values the newest are kept; a line says
    how many are left out.
    """

    name = "rich"
    terminal = RichInTerminal
    pane = "rich"
    part = PARTS / "rich.js"

    def __init__(
        self, *, retained_bytes: int = RETAINED_BYTES, saved_bytes: int = SAVED_BYTES
    ) -> None:
        super().__init__(retained_bytes=retained_bytes, saved_bytes=saved_bytes)
        self._retained_bytes = retained_bytes
        self._kept: deque[str] = deque()
        self._kept_bytes = 0
        self._dropped = 0

    @classmethod
    def suits(cls, item: Any) -> bool:
        """Suits what has a rich form."""
        return has_rich_form(item)

    def render(self, items: Sequence[Any]) -> str:
        """A line for each value."""
        return self._added([line_of_value(item) for item in items])

    def body(self, excerpt: Excerpt) -> Body:
        """The values one below the other."""
        # Imported only here, because of its parser:
        from kkjupyter.notebook.views.markdown.html import TooSlow

        records = [*records_in(excerpt.text)]
        texts = [
            gap_words(one.values) if isinstance(one, LeftOut) else str(one.data.get(PLAIN, ""))
            for one in records
        ]
        plain = "".join([f"{text}\n" for text in texts])
        body = Body(html="", plain=plain, data={"source": excerpt.text})
        if not any(isinstance(one, MimeForms) and one.data.keys() - {PLAIN} for one in records):
            return body
        try:
            return replace(body, html=values_html(records), has_formulas=True)
        except (TooSlow, RecursionError):
            return body

    def _added(self, lines: Sequence[str]) -> str:
        """The source to append for these lines; the whole source if older ones were dropped."""
        self._kept.extend(lines)
        self._kept_bytes += sum(map(size_bytes, lines))
        limit_bytes = min(self._retained_bytes, int(self.saved_bytes * _SHARE_OF_SAVED))
        if len(self._kept) <= _MOST_ITEMS and self._kept_bytes <= limit_bytes:
            return "".join(lines)
        while len(self._kept) > 1 and (
            len(self._kept) > _MOST_ITEMS // 2 or self._kept_bytes > limit_bytes // 2
        ):
            self._kept_bytes -= size_bytes(self._kept.popleft())
            self._dropped += 1
        self._restart()
        return self._source([*self._kept], self._dropped)

    def _restart(self) -> None:
        self._transcript.restart()
        self.version += 1

    def _excerpt(self, limit_bytes: int) -> Excerpt:
        # Whole lines: half a picture is none.
        kept = [*self._kept]
        room = limit_bytes
        first = len(kept)
        while first and (room := room - size_bytes(kept[first - 1])) >= 0:
            first -= 1
        left_out = sum(map(len, kept[:first]))
        text = self._source(kept[first:], self._dropped + first)
        return Excerpt(text, left_out, self._transcript.end)

    def _source(self, lines: Sequence[str], dropped: int) -> str:
        return "".join([*([line_of_gap(dropped)] if dropped else []), *lines])


def size_bytes(line: str) -> int:
    """How many bytes a line of the source takes."""
    return len(line) if line.isascii() else len(line.encode())
