"""The markdown view: an LLM's answer, rendered while it is written."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from kkjupyter.notebook.views.base import PARTS
from kkjupyter.notebook.views.saved_form import BOX, Body
from kkjupyter.notebook.views.text import TextView
from kkjupyter.notebook.views.transcript import Excerpt

__all__ = ["MarkdownView"]

# Longer HTML blocks the page (2 s for 700,000 characters), so only the text is saved, which the lab
# extension draws like the view.
_MAX_CHARS = 200_000


class MarkdownView(TextView):
    """Shows text as Markdown; the source is the same as that of the text view."""

    name = "markdown"
    terminal = "text"
    pane = "markdown"
    part = PARTS / "markdown.js"

    @classmethod
    def suits(cls, item: Any) -> bool:
        """Suits nothing: the beginning of a text does not show whether it is Markdown."""
        return False

    def body(self, excerpt: Excerpt) -> Body:
        """The answer as HTML without a script; the page typesets its formulas."""
        body = super().body(excerpt)
        if not excerpt.text or len(excerpt.text) > _MAX_CHARS:
            return body
        # Imported only for Markdown:
        from kkjupyter.notebook.views.markdown.html import TooSlow, html_of

        try:
            html = f'<div style="{BOX}">{html_of(body.plain)}</div>'
        except (TooSlow, RecursionError):
            return body
        return replace(body, html=html, has_formulas=True)
