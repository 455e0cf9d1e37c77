"""Turns Markdown into HTML for the notebook file: complete, static, safe.

Raw HTML is text, only harmless links are kept, no image is fetched. Formulas stay TeX, which
JupyterLab and the HTML of nbconvert typeset; every other dollar and backslash is protected from
that. ``labextension/src/parts/markdown`` draws the same in a page.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token

from kkjupyter.notebook.views.markdown.code_colours import coloured
from kkjupyter.notebook.views.markdown.emphasis import add_cjk_emphasis
from kkjupyter.notebook.views.markdown.footnotes import add_footnotes, footnote_reference
from kkjupyter.notebook.views.markdown.maths import add_maths, is_harmless
from kkjupyter.notebook.views.markdown.task_lists import add_task_lists
from kkjupyter.notebook.views.saved_form import escape

__all__ = ["TooSlow", "html_of"]

_LINK = re.compile(r"(?:https?://|mailto:)", re.IGNORECASE)
# Raster types only: an SVG may contain scripts and addresses.
_IMAGE = re.compile(r"data:image/(?:png|jpe?g|gif|webp);base64,[A-Za-z0-9+/=]+\Z", re.IGNORECASE)
_TYPESET = re.compile(r"[$\\]")

# Colours make code ten times as long, and a notebook reads all of it when it is opened.
_MAX_COLOURED_CHARS = 100_000
_IS_COLOURED = "is_coloured"
_GUARD = "guard"
_IN_LINK = "in_link"

# The time for some markup, mainly unclosed brackets, grows with the square of its length.
_MOST_S = 2.0
_CALLS_PER_LOOK = 16
_ALTERNATIVES = ["paragraph", "reference", "blockquote", "list"]

# Styles that JupyterLab does not set for HTML; the same as in markdown.css.
_ANSWER = "max-width: 90ch; overflow-wrap: break-word"
_TABLE = "margin: 0 0 14px"
# Marks formulas, should the answer stand inside text that is protected from the typesetters.
_FORMULA = ' class="mathjax_process tex2jax_process"'
# The margins of what is set belong to it, as in the page.
_OF_ITS_OWN = ' style="display: flow-root"'
# On paper nothing can be scrolled: long lines are broken.
_PRE = (
    "margin: 0 0 14px; padding: 7px 12px; border: 1px solid var(--jp-border-color2, #bdbdbd); "
    "border-radius: 3px; background: none; overflow: visible; white-space: pre-wrap"
)
_PRE_CODE = "white-space: pre-wrap; overflow-wrap: anywhere; word-break: normal"


class TooSlow(Exception):
    """The text takes far too long for its length, for example one of a model in a loop."""


def html_of(source: str) -> str:
    """The HTML of ``source``; no script runs and nothing is fetched, whatever it contains.

    Raises:
        TooSlow: it takes more than some seconds of CPU time.
    """
    env = {
        _IS_COLOURED: len(source) <= _MAX_COLOURED_CHARS,
        _GUARD: _Guard(time.thread_time() + _MOST_S),
        _IN_LINK: False,
    }
    return f'<div style="{_ANSWER}">{_parser().render(source, env)}</div>'


class _Guard:
    """Checks the time limit now and then. It counts CPU time, so a busy machine does not matter."""

    def __init__(self, deadline_s: float) -> None:
        self._deadline_s = deadline_s
        self._calls = 0

    def look(self) -> None:
        """Called before each step of parsing.

        Raises:
            TooSlow: the time is over.
        """
        self._calls += 1
        if self._calls % _CALLS_PER_LOOK == 0 and time.thread_time() > self._deadline_s:
            raise TooSlow


@cache
def _parser() -> MarkdownIt:
    md = MarkdownIt("js-default", {"html": False, "maxNesting": 50})
    md.validateLink = _may_be_linked  # type: ignore[method-assign]
    add_maths(md)
    add_cjk_emphasis(md)
    add_task_lists(md)
    add_footnotes(md)
    # Rules that never match, and are tried before all others.
    md.inline.ruler.before("text", "guard", _guarded)
    md.block.ruler.before("table", "guard", _guarded, {"alt": _ALTERNATIVES})
    rules: dict[str, Callable[[Sequence[Token], int], str]] = {
        "text": _text,
        "footnote_ref": footnote_reference,
        "math_inline": lambda tokens, index: _formula("span", tokens[index]),
        "math_block": lambda tokens, index: _formula("div", tokens[index]),
        "th_open": _cell_open,
        "td_open": _cell_open,
        "table_open": lambda tokens, index: f'<table style="{_TABLE}">\n',
    }
    for name, rule in rules.items():
        md.add_render_rule(name, _rendering(rule))
    for name in ("fence", "code_block"):
        md.add_render_rule(name, _code)
    md.add_render_rule("image", _image)
    md.add_render_rule("link_open", _link_open)
    md.add_render_rule("link_close", _link_close)
    return md


def _guarded(state: StateInline | StateBlock, *_: Any) -> bool:
    state.env[_GUARD].look()
    return False


def _rendering(rule: Callable[[Sequence[Token], int], str]) -> Callable[..., str]:
    def render(
        _renderer: Any, tokens: Sequence[Token], index: int, _options: Any, _env: Any
    ) -> str:
        return rule(tokens, index)

    return render


def _may_be_linked(url: str) -> bool:
    return bool(_LINK.match(url) or _IMAGE.match(url))


def _text(tokens: Sequence[Token], index: int) -> str:
    return _without_formulas(tokens[index].content)


def _without_formulas(text: str) -> str:
    # A formula cannot span elements: this dollar means money.
    return _TYPESET.sub(r"<span>\g<0></span>", escape(text))


def _formula(tag: str, token: Token) -> str:
    text = escape(token.content)
    if is_harmless(token.content):
        return f"<{tag}{_FORMULA}{_OF_ITS_OWN if tag == 'div' else ''}>{text}</{tag}>"
    return f"<p><code>{text}</code></p>" if tag == "div" else f"<code>{text}</code>"


def _link_open(_: Any, tokens: Sequence[Token], index: int, __: Any, env: dict[str, Any]) -> str:
    env[_IN_LINK] = True
    href = str(tokens[index].attrGet("href") or "")
    return _link_to(href) if _LINK.match(href) else "<a>"


def _link_close(_: Any, tokens: Sequence[Token], index: int, __: Any, env: dict[str, Any]) -> str:
    env[_IN_LINK] = False
    return "</a>"


def _link_to(href: str) -> str:
    return f'<a href="{escape(href)}" target="_blank" rel="noopener noreferrer">'


def _image(_: Any, tokens: Sequence[Token], index: int, __: Any, env: dict[str, Any]) -> str:
    src = str(tokens[index].attrGet("src") or "")
    alt = tokens[index].content
    if _IMAGE.match(src):
        return f'<img src="{escape(src)}" alt="{escape(alt)}">'
    text = _without_formulas(alt or src)
    return text if env[_IN_LINK] else f"{_link_to(src)}{text}</a>"


def _cell_open(tokens: Sequence[Token], index: int) -> str:
    side = re.search("right|center", str(tokens[index].attrGet("style") or ""))
    return f'<{tokens[index].tag} style="text-align: {side[0] if side else "left"}">'


def _code(_: Any, tokens: Sequence[Token], index: int, __: Any, env: dict[str, Any]) -> str:
    language = tokens[index].info.strip().split(" ")[0]
    code = coloured(tokens[index].content, language if env[_IS_COLOURED] else "")
    return f'<pre style="{_PRE}"><code style="{_PRE_CODE}">{code}</code></pre>\n'
