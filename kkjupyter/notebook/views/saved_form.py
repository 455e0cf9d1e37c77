"""The static output of a run, which stays in the notebook without a live view.

The lab extension draws it from its JSON, as it drew it live. The HTML is for everybody else:
nbconvert, GitHub, paper, front ends without the extension. So it begins at its beginning and
stands there whole, nothing in it scrolls, it can be read without any style, and it survives
JupyterLab's sanitiser: inline styles only, no style, script or svg element. Where the plain text
says as much, there is no HTML.
"""

from __future__ import annotations

import html
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from kkjupyter.notebook.run_status import RunState, Status
from kkjupyter.notebook.views.transcript import Excerpt, utf16_len

__all__ = [
    "BOX",
    "LINE",
    "MIME_TYPE",
    "NO_FORMULAS",
    "TEXT",
    "Body",
    "amount",
    "describe",
    "duration",
    "escape",
    "static_bundle",
    "text_body",
    "with_html",
]

MIME_TYPE = "application/vnd.kkjupyter.v1+json"
NO_FORMULAS = "mathjax_ignore tex2jax_ignore"
"""Classes that keep the typesetters of JupyterLab and nbconvert from the dollars inside."""

# Longer text can be folded away; the state line is the handle.
_FOLDABLE_CHARS = 2_000

_FONT = "var(--jp-ui-font-family, system-ui, sans-serif)"
_CODE_FONT = "var(--jp-code-font-family, monospace)"
LINE = (
    f"margin: 0; padding: 2px 0 2px 7.8px; font-family: {_FONT}; font-size: 12px; "
    "line-height: 20px; color: var(--jp-ui-font-color2, inherit); overflow-wrap: break-word"
)
BOX = "margin: 0; padding: 0 0 0 7.8px"
# For a `pre`, which keeps its lines and font even without styles. A line end at its start is not
# shown, so there is always one. JupyterLab would let it scroll.
TEXT = (
    "margin: 0; padding: 0; border: 0; background: none; overflow: visible; max-width: 120ch; "
    "white-space: pre-wrap; overflow-wrap: anywhere; word-break: normal; "
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


@dataclass(frozen=True, slots=True)
class Body:
    """The saved output of a view, below the state line.

    Attributes:
        html: the output as HTML; safe, with inline styles only. Empty if ``plain`` says as much.
        plain: the whole output as text, for terminals, PDF and search.
        is_foldable: whether the state line folds the HTML away; at first it is open.
        has_formulas: whether the page may typeset formulas in the HTML. If so, every dollar and
            backslash of other text must be protected from that.
        notes: lines below the state line, after those of the run.
        data: more fields for the JSON of the lab extension's renderer; without
            ``"source"`` the renderer takes the text from ``text/plain``.
        others: further MIME types (``image/png``).
    """

    html: str
    plain: str
    is_foldable: bool = False
    has_formulas: bool = False
    notes: tuple[str, ...] = ()
    data: Mapping[str, Any] = field(default_factory=dict)
    others: Mapping[str, Any] = field(default_factory=dict)


def text_body(excerpt: Excerpt) -> Body:
    """The body of a view whose source is its text."""
    left_out = f"{excerpt.left_out:,} characters left out"
    return Body(
        html="",
        plain=excerpt.text,
        is_foldable=utf16_len(excerpt.text) > _FOLDABLE_CHARS,
        notes=(left_out,) if excerpt.left_out else (),
    )


def with_html(body: Body) -> Body:
    """``body`` with its text as HTML, too, if it has no HTML of its own."""
    if body.html or not body.plain:
        return body
    text = f'<pre style="{TEXT}">\n{escape(body.plain)}</pre>'
    return replace(body, html=f'<div style="{BOX}">{text}</div>')


def static_bundle(
    view: str, pane: str, body: Body, status: Status, *, left_out: int = 0
) -> dict[str, Any]:
    """The MIME bundle of a run that has ended: numbers, all the text as plain text, and HTML.

    There is no HTML if the body has none but text.

    Args:
        view: the view's name.
        pane: the name of the front end's part that draws it.
        body: the view's output.
        status: the run at its end.
        left_out: how many UTF-16 units of the source are missing.
    """
    sound = status.sound()
    html = "" if body.plain and not body.html else _html(body, sound)
    return {
        MIME_TYPE: {
            "view": view,
            "pane": pane,
            "left_out": left_out,
            **body.data,
            **sound.to_json(),
        },
        **({"text/html": html} if html else {}),
        "text/plain": _plain(body.plain, sound),
        **body.others,
    }


def describe(status: Status) -> tuple[str, list[str]]:
    """The state line: its glyph and its parts; a narrow view leaves out the last ones."""
    # A stream without items is waiting.
    is_silent = status.state == "streaming" and not status.count
    state: RunState = "waiting" if is_silent else status.state
    if state in ("waiting", "streaming") and status.reconnecting_s is not None:
        since = f"reconnecting … {math.floor(status.reconnecting_s)} s"
        return _GLYPHS["waiting"], [since, amount(status)] if status.count else [since]
    return _GLYPHS[state], [part for part in _sentence(state, status) if part]


def _one_line(status: Status) -> str:
    glyph, parts = describe(status)
    return f"{glyph} {' · '.join(parts)}"


def _sentence(state: RunState, status: Status) -> list[str]:
    after = f" after {amount(status)}" if status.count else ""
    since = "first after opening" if status.was_open else "first"
    first = "" if status.first_item_s is None else f"{since} {duration(status.first_item_s)}"
    counted = "" if status.kind == "unary" else amount(status)
    match state:
        case "waiting":
            # In a running number only tenths can be read.
            return [f"waiting {duration(status.elapsed_s, fine_below_s=0)}"]
        case "streaming":
            return [counted, first, duration(status.elapsed_s, fine_below_s=0)]
        case "cancelling":
            return ["cancelling", amount(status) if status.count else ""]
        case "done":
            return [counted, first if counted else "", duration(status.elapsed_s)]
        case "cancelled":
            return [f"{'stopped' if status.left else 'cancelled'}{after}"]
        case "failed":
            return [_failure(status)]


def _failure(status: Status) -> str:
    """``ValueError after 2: something went wrong``."""
    named = re.fullmatch(r"([^\s:]+)(:.*)?", status.error, re.DOTALL)
    name = named[1] if named else "failed"
    rest = (named[2] or "") if named else (status.error and f": {status.error}")
    came = f"{status.count:,}" if status.written is None else amount(status)
    return f"{name}{f' after {came}' if status.count else ''}{rest}"


def duration(seconds: float, fine_below_s: float = 0.995) -> str:
    """``0.31 s``, ``10.8 s``, ``2 min 05 s``, ``1 h 02 min``."""
    if seconds < fine_below_s:
        return f"{seconds:.2f} s"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    total = math.floor(seconds + 0.5)
    hours, minutes = total // 3600, total % 3600 // 60
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {total % 60:02} s"


def _html(body: Body, status: Status) -> str:
    glyph, parts = describe(status)
    colour = f' style="color: {_BAD}"' if status.state == "failed" else ""
    mark = f"<span{colour}>{glyph}</span>"
    words = "".join(
        [
            f'<span class="kkj-part">{" · " if index else ""}{escape(part)}</span>'
            for index, part in enumerate(parts)
        ]
    )
    after = "".join(
        [
            f'<div class="{NO_FORMULAS}" style="{LINE}">{escape(note)}</div>'
            for note in (*status.notes, *body.notes)
        ]
    )
    shown = body.html
    if shown and not body.has_formulas:
        shown = f'<div class="{NO_FORMULAS}">{shown}</div>'
    is_foldable = body.is_foldable and shown
    tag, list_style = ("summary", "; list-style: none") if is_foldable else ("div", "")
    line = (
        f'<{tag} class="kkj-line {NO_FORMULAS}" style="{LINE}{list_style}">{mark} '
        f'<span class="kkj-words">{words}</span></{tag}>{after}'
    )
    run = f'class="kkj-static" data-kkj-run="{status.run_id}" style="margin: 0"'
    if is_foldable:
        return f"<details open {run}>{line}{shown}</details>"
    return f"<div {run}>{line}{shown}</div>"


def _plain(text: str, status: Status) -> str:
    if status.state == "done":
        return text
    return f"{_with_newline(text)}[{_one_line(status)}]"


def escape(text: str) -> str:
    """``text`` for HTML, its carriage returns kept."""
    return html.escape(text).replace("\r", "&#13;")


def _with_newline(text: str) -> str:
    return text if not text or text.endswith("\n") else f"{text}\n"


def amount(status: Status) -> str:
    """How much has come: ``"412 tokens"``, ``"1 item"``."""
    count, unit = status.count, "items"
    if status.written is not None:
        count, unit = status.written, status.unit
    return f"1 {unit[:-1]}" if count == 1 else f"{count:,} {unit}"
