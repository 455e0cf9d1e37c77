"""The answer view: what a language model says, thinks and asks for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from kkjupyter.notebook.views.answer.html import answer_html
from kkjupyter.notebook.views.answer.plain import PlainWriter, plain_of
from kkjupyter.notebook.views.answer.recorder import Recorder
from kkjupyter.notebook.views.answer.records import joined, line_of_record, records_in
from kkjupyter.notebook.views.base import PARTS, RETAINED_BYTES, SAVED_BYTES
from kkjupyter.notebook.views.pieces import Piece
from kkjupyter.notebook.views.saved_form import BOX, Body, text_body
from kkjupyter.notebook.views.text import TextView
from kkjupyter.notebook.views.transcript import Excerpt
from kkjupyter.plaintext import printable, without_controls

__all__ = ["AnswerInTerminal", "AnswerView"]

# As for Markdown: longer HTML blocks the page, so only the text is saved.
_MAX_CHARS = 200_000


class AnswerInTerminal(TextView):
    """The answer as it comes, with marked lines for thoughts and tool calls."""

    name = "answer"

    def __init__(
        self, *, retained_bytes: int = RETAINED_BYTES, saved_bytes: int = SAVED_BYTES
    ) -> None:
        super().__init__(retained_bytes=retained_bytes, saved_bytes=saved_bytes)
        self._recorder = Recorder(without_controls)
        self._writer = PlainWriter()

    def render(self, items: Sequence[Any]) -> str:
        """The text that these items add."""
        return self._writer.write(self._recorder.records(items))

    def flush(self) -> str:
        """What was held back: other alternatives, the end of an open line."""
        return self._writer.write(self._recorder.finish()) + self._writer.finish()


class AnswerView(TextView):
    """Shows the chunks of an LLM client as an answer: Markdown, thoughts, tool calls, pictures.

    Its source has a line of JSON for each step; see ``records.py``.
    """

    name = "answer"
    terminal = AnswerInTerminal
    pane = "answer"
    part = PARTS / "answer.js"

    def __init__(
        self, *, retained_bytes: int = RETAINED_BYTES, saved_bytes: int = SAVED_BYTES
    ) -> None:
        super().__init__(retained_bytes=retained_bytes, saved_bytes=saved_bytes)
        self._recorder = Recorder(printable)

    @classmethod
    def suits(cls, item: Any) -> bool:
        """Suits what has been read as a chunk."""
        return type(item) is Piece

    def render(self, items: Sequence[Any]) -> str:
        """A line for each step, fewer for what comes together."""
        return "".join(map(line_of_record, self._recorder.records(items)))

    def flush(self) -> str:
        """The end of a thought, a sound, a half of a character."""
        return "".join(map(line_of_record, self._recorder.finish()))

    def body(self, excerpt: Excerpt) -> Body:
        """The answer in order, with all that is folded in the view open."""
        records = [*joined(records_in(excerpt.text))]
        body = text_body(replace(excerpt, text=plain_of(records)))
        source = "".join(map(line_of_record, records))
        # The page knows by its end that this is what it has already.
        body = replace(body, data={"source": source, "end": excerpt.end})
        if not records or len(body.plain) > _MAX_CHARS:
            return body
        # Imported only for Markdown:
        from kkjupyter.notebook.views.markdown.html import TooSlow

        try:
            html = f'<div style="{BOX}">{answer_html(records)}</div>'
        except (TooSlow, RecursionError):
            return body
        return replace(body, html=html, has_formulas=True)
