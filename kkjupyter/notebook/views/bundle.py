"""The static output of a run: what stays in the notebook when nothing is live any more.

It looks like the live view, so that nothing jumps when it takes that one's place, and it survives
JupyterLab's sanitiser: inline styles only, no style, script or svg element.
``labextension/src/static.ts`` makes the same where there is no kernel left to ask;
``labextension/test/static-cases.json`` holds both to it.
"""

from __future__ import annotations

import html
import math
import re
from typing import Any

from kkjupyter.notebook.status import RunState, Status
from kkjupyter.notebook.views.transcript import Excerpt, utf16_len

__all__ = ["MIME_TYPE", "checkpoint_bundle", "describe", "duration", "static_bundle"]

MIME_TYPE = "application/vnd.kkjupyter.v1+json"

# Longer text can be folded away; the state line is the handle.
_FOLDABLE_CHARS = 2_000
# A block ends at the first line end after so many characters, or, in text without line ends, at the
# next space after so many: the line breaks there.
_BLOCK_CHARS = 12_000
_BLOCK_LIMIT_CHARS = 24_000
_LINE_PX = 17
_LINE_CHARS = 110

_FONT = "var(--jp-ui-font-family, system-ui, sans-serif)"
_CODE_FONT = "var(--jp-code-font-family, monospace)"
_LINE = (
    f"margin: 0; padding: 2px 0 2px 7.8px; font-family: {_FONT}; font-size: 12px; "
    "line-height: 20px; color: var(--jp-ui-font-color2, inherit); overflow-wrap: break-word"
)
# Reversed, so that the box starts where the live view was: at the newest text.
_BOX = (
    "margin: 0; padding: 0 0 0 7.8px; max-height: 408px; overflow: auto; display: flex; "
    "flex-direction: column-reverse"
)
# For a `pre`, which keeps its lines and its font where styles are stripped. A line end at its start
# is not shown, so there is always one.
_TEXT = (
    "margin: 0; padding: 0; border: 0; background: none; max-width: 120ch; "
    "white-space: pre-wrap; overflow-wrap: break-word; word-break: normal; "
    f"font-family: {_CODE_FONT}; font-size: 13px; line-height: 17px; "
    "color: var(--jp-content-font-color1, inherit)"
)
_BAD = "var(--jp-error-color1, inherit)"
_GLYPHS: dict[RunState, str] = {
    "waiting": "◌",
    "streaming": "●",
    "cancelling": "■",
    "done": "✓",
    "cancelled": "■",
    "failed": "✕",
}


def static_bundle(view: str, excerpt: Excerpt, status: Status) -> dict[str, Any]:
    """The MIME bundle of a run that has ended: numbers, HTML, and all the text as plain text."""
    sound = status.sound()
    return {
        MIME_TYPE: {"view": view, "left_out": excerpt.left_out, **sound.to_json()},
        "text/html": _html(excerpt, sound),
        "text/plain": _plain(excerpt.text, sound),
    }


def checkpoint_bundle(excerpt: Excerpt, status: Status) -> dict[str, Any]:
    """One MIME type only, for a run that has not ended."""
    note = f"[not finished when saved: {_one_line(status.sound())}]"
    return {"text/plain": _with_newline(excerpt.text) + note}


def describe(status: Status) -> tuple[str, list[str]]:
    """The state line: its glyph, and its parts, of which a narrow view leaves out the later."""
    # A stream that has sent nothing yet is waited for.
    is_silent = status.state == "streaming" and not status.count
    state: RunState = "waiting" if is_silent else status.state
    return _GLYPHS[state], [part for part in _sentence(state, status) if part]


def _one_line(status: Status) -> str:
    glyph, parts = describe(status)
    return f"{glyph} {' · '.join(parts)}"


def _sentence(state: RunState, status: Status) -> list[str]:
    after = f" after {_items(status.count)}" if status.count else ""
    first = "" if status.first_item_s is None else f"first {duration(status.first_item_s)}"
    counted = "" if status.kind == "unary" else _items(status.count)
    match state:
        case "waiting":
            # Tenths are all that can be read of a number that runs.
            return [f"waiting {duration(status.elapsed_s, fine_below_s=0)}"]
        case "streaming":
            return [counted, first]
        case "cancelling":
            return ["cancelling", _items(status.count) if status.count else ""]
        case "done":
            return [counted, first if counted else "", duration(status.elapsed_s)]
        case "cancelled":
            return [f"cancelled{after}"]
        case "failed":
            return [_failure(status)]


def _failure(status: Status) -> str:
    """``ValueError after 2: something went wrong``."""
    named = re.fullmatch(r"([^\s:]+)(:.*)?", status.error, re.DOTALL)
    name = named[1] if named else "failed"
    rest = (named[2] or "") if named else (status.error and f": {status.error}")
    return f"{name}{f' after {status.count:,}' if status.count else ''}{rest}"


def duration(seconds: float, fine_below_s: float = 0.995) -> str:
    """``0.31 s``, ``10.8 s``, ``2 min 05 s``, ``1 h 02 min``."""
    if seconds < fine_below_s:
        return f"{seconds:.2f} s"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    total = math.floor(seconds + 0.5)
    hours, minutes = total // 3600, total % 3600 // 60
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {total % 60:02} s"


def _html(excerpt: Excerpt, status: Status) -> str:
    glyph, parts = describe(status)
    colour = f' style="color: {_BAD}"' if status.state == "failed" else ""
    mark = f"<span{colour}>{glyph}</span>"
    words = "".join(
        [
            f'<span class="kkj-part">{" · " if index else ""}{_escape(part)}</span>'
            for index, part in enumerate(parts)
        ]
    )
    notes = [*status.notes]
    if excerpt.left_out:
        notes.append(f"{excerpt.left_out:,} characters left out")
    after = "".join([f'<div style="{_LINE}">{_escape(note)}</div>' for note in notes])
    is_foldable = utf16_len(excerpt.text) > _FOLDABLE_CHARS
    tag, list_style = ("summary", "; list-style: none") if is_foldable else ("div", "")
    line = (
        f'<{tag} class="kkj-line" style="{_LINE}{list_style}">{mark} '
        f'<span class="kkj-words">{words}</span></{tag}>{after}'
    )
    body = ""
    if excerpt.text:
        body = f'<div style="{_BOX}"><pre style="{_TEXT}">\n{_text_html(excerpt.text)}</pre></div>'
    run = f'class="kkj-static" data-kkj-run="{status.run_id}" style="margin: 0"'
    if is_foldable:
        return f"<details open {run}>{line}{body}</details>"
    return f"<div {run}>{line}{body}</div>"


def _text_html(text: str) -> str:
    """The text, in blocks if it is long: what is out of sight need not be laid out."""
    blocks = _blocks(text)
    if len(blocks) == 1:
        return _escape(text)
    return "".join(
        [
            '<div style="content-visibility: auto; '
            f'contain-intrinsic-size: auto {_height_px(block)}px">{_escape(block)}</div>'
            for block in blocks
        ]
    )


def _blocks(text: str) -> list[str]:
    blocks: list[str] = []
    start = 0
    while start < len(text):
        line = text.find("\n", start + _BLOCK_CHARS)
        space = text.find(" ", start + _BLOCK_LIMIT_CHARS)
        ends = [end + 1 for end in (line, space) if end >= 0]
        end = min(ends, default=len(text))
        blocks.append(text[start:end])
        start = end
    return blocks


def _height_px(block: str) -> int:
    """About how high a block will be: what the scroll bar goes by until it is laid out."""
    lines = block.removesuffix("\n").split("\n")
    return _LINE_PX * sum(len(line) // _LINE_CHARS + 1 for line in lines)


def _plain(text: str, status: Status) -> str:
    if status.state == "done":
        return text
    return f"{_with_newline(text)}[{_one_line(status)}]"


def _escape(text: str) -> str:
    return html.escape(text).replace("\r", "&#13;")


def _with_newline(text: str) -> str:
    return text if not text or text.endswith("\n") else f"{text}\n"


def _items(count: int) -> str:
    return "1 item" if count == 1 else f"{count:,} items"
