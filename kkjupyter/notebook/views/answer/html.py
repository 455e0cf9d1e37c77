"""An answer as HTML for the notebook file: all of it open, with inline styles only."""

from __future__ import annotations

import re
from collections.abc import Iterable

from kkjupyter.notebook.views.answer.blocks import Block, blocks_of
from kkjupyter.notebook.views.answer.pretty import pretty
from kkjupyter.notebook.views.answer.records import Record
from kkjupyter.notebook.views.saved_form import NO_FORMULAS, duration, escape

__all__ = ["answer_html", "thought_words"]

_FONT = "font-family: var(--jp-ui-font-family, system-ui, sans-serif); font-size: 12px"
_CODE = "font-family: var(--jp-code-font-family, monospace); font-size: 12px; line-height: 17px"
_MUTED = "color: var(--jp-ui-font-color2, inherit)"
_BAD = "var(--jp-error-color1, #d32f2f)"
_RULE = "var(--jp-border-color2, #bdbdbd)"
_ANSWER = "max-width: 90ch; overflow-wrap: break-word"
_SMALL = f"margin: 0 0 10px; {_FONT}; line-height: 20px; {_MUTED}"
_HEADING = f"margin: 14px 0 6px; {_FONT}; font-weight: 600; {_MUTED}"
_QUOTE = f"margin: 4px 0 10px; padding-left: 12px; border-left: 2px solid {_RULE}; {_MUTED}"
_CARD = f"margin: 0 0 14px; border: 1px solid {_RULE}; border-radius: 3px"
_HEAD = f"padding: 3px 12px 0; {_FONT}; line-height: 20px; {_MUTED}"
_NAME = (
    f"margin-left: 0.75em; {_CODE}; font-weight: 600; color: var(--jp-content-font-color1, inherit)"
)
# The `pre` of JupyterLab has a background, and its lines break.
_PRE = (
    f"margin: 0; padding: 3px 12px 6px; border: 0; background: none; {_CODE}; overflow: visible; "
    "white-space: pre-wrap; overflow-wrap: anywhere"
)
_SAID_NO = f"margin: 0 0 14px; padding-left: 12px; border-left: 2px solid {_BAD}"
# Raster types only: an SVG may contain scripts and addresses.
_IMAGE = re.compile(r"data:image/(?:png|jpe?g|gif|webp);base64,[A-Za-z0-9+/=]+\Z", re.IGNORECASE)
_SOUND = re.compile(r"data:audio/[\w.+-]+;base64,[A-Za-z0-9+/=]+\Z", re.IGNORECASE)
_WEB = re.compile(r"https?://[^\s]+\Z", re.IGNORECASE)


def answer_html(records: Iterable[Record]) -> str:
    """The HTML of an answer; no script runs and nothing is fetched, whatever it contains.

    Raises:
        TooSlow: reading its Markdown takes more than some seconds of CPU time.
    """
    choices = blocks_of(records)
    made: list[str] = []
    for number, blocks in choices.items():
        if len(choices) > 1:
            made.append(_div(_HEADING, f"choice {number + 1}"))
        made += map(_block, blocks)
    return f'<div style="{_ANSWER}">{"".join(made)}</div>'


def thought_words(seconds: float | None) -> str:
    """``"thought for 3.1 s"``."""
    return f"thought for {duration(seconds)}" if seconds else "thought"


def _block(block: Block) -> str:
    text = block.text
    match block.kind:
        case "text":
            return _markdown(text)
        case "think":
            seconds = block.extra if isinstance(block.extra, (int, float)) else None
            summary = f'<summary style="{_SMALL}; margin: 0; cursor: pointer">'
            words = f"{summary}{escape(thought_words(seconds))}</summary>"
            inner = f'<div style="{_QUOTE}">{_markdown(text)}</div>'
            return f'<details open style="margin: 0 0 8px">{words}{inner}</details>'
        case "refusal":
            return f'<div style="{_SAID_NO}">{_small("refused")}{_markdown(text)}</div>'
        case "call":
            return _card(block, text)
        case "result":
            return f'<div style="{_CARD}">{_pre(_PRE, text)}</div>'
        case "image" | "audio":
            return _media(block, text)
        case "value":
            return _pre(_PRE, text)
        case "error":
            words = f"error: {text}" if text else "error"
            return _div(f"{_SAID_NO}; color: {_BAD}", words)
        case "role":
            return _div(_HEADING, text)
        case "cut":
            return _small(f"stopped: {text}")
        case "gap":
            return _small(f"… {text} characters left out …")
    return _small(f"[{text}]")


def _card(block: Block, text: str) -> str:
    name = f'<span style="{_NAME}">{escape(block.name or "…")}</span>'
    made = [f'<div style="{_HEAD}" class="{NO_FORMULAS}">tool{name}</div>']
    if text.strip():
        made.append(_pre(_PRE, pretty(text) if block.is_whole else text))
    if block.results is not None:
        made.append(_div(f"border-top: 1px solid {_RULE}; {_HEAD}", "result"))
        made.append(_pre(_PRE, "".join(block.results)))
    return f'<div style="{_CARD}">{"".join(made)}</div>'


def _media(block: Block, text: str) -> str:
    name = str(block.extra or block.kind)
    if block.kind == "image" and _IMAGE.match(text):
        style = "max-width: 100%; margin: 0 0 14px"
        return f'<p><img alt="{escape(name)}" src="{escape(text)}" style="{style}"></p>'
    if block.kind == "audio" and _SOUND.match(text):
        return f'<p><audio controls src="{escape(text)}">{escape(f"[{name}]")}</audio></p>'
    if _WEB.match(text):
        link = f'<a href="{escape(text)}" rel="noopener noreferrer">{escape(text)}</a>'
        return f'<div style="{_SMALL}" class="{NO_FORMULAS}">[{escape(name)}] {link}</div>'
    return _small(f"[{name}]")


def _markdown(text: str) -> str:
    # Imported only for Markdown:
    from kkjupyter.notebook.views.markdown.html import html_of

    return html_of(text)


def _small(text: str) -> str:
    return _div(_SMALL, text)


def _div(style: str, text: str) -> str:
    return f'<div style="{style}" class="{NO_FORMULAS}">{escape(text)}</div>'


def _pre(style: str, text: str) -> str:
    # A line end at the start of a `pre` is not shown.
    return f'<pre style="{style}" class="{NO_FORMULAS}">\n{escape(text)}</pre>'
