"""The markdown view: an LLM's answer, rendered while it is written."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from kkjupyter.notebook.views.base import PARTS
from kkjupyter.notebook.views.saved_form import BOX, Body
from kkjupyter.notebook.views.text import TextView
from kkjupyter.notebook.views.transcript import Excerpt

__all__ = ["MarkdownView"]

# The HTML of more holds the page up as it takes the view's place (of 700,000 characters for 2 s):
# what is saved is the text then, which the lab extension draws as the view did.
_MAX_CHARS = 200_000


class MarkdownView(TextView):
    """Shows text as the Markdown it is; the source is what the text view would show."""

    name = "markdown"
    terminal = "text"
    pane = "markdown"
    part = PARTS / "markdown.js"

    @classmethod
    def suits(cls, item: Any) -> bool:
        """Nothing: whether text is meant as Markdown cannot be seen from its beginning."""
        return False

    def body(self, excerpt: Excerpt) -> Body:
        """The answer as HTML that needs no script, its formulas left to the page."""
        body = super().body(excerpt)
        if not excerpt.text or len(excerpt.text) > _MAX_CHARS:
            return body
        # Only for who shows Markdown:
        from kkjupyter.notebook.views.markdown.html import TooSlow, html_of

        try:
            return replace(body, html=f'<div style="{BOX}">{html_of(body.plain)}</div>')
        except (TooSlow, RecursionError):
            return body
