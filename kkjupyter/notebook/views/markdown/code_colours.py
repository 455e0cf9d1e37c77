"""Colours code for both of JupyterLab's themes, with inline styles only."""

from __future__ import annotations

from functools import cache

from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name
from pygments.token import Token, _TokenType

from kkjupyter.notebook.views.saved_form import escape

__all__ = ["coloured"]

# Pygments' names and their aliases in fences, as in labextension/src/parts/markdown/languages.ts.
# Only these, because not every lexer was made for hostile code.
_LEXERS = {
    "python": "py python3 py3 ipython ipython3",
    "pycon": "",
    "javascript": "js jsx mjs cjs node",
    "typescript": "ts tsx mts",
    "json": "json5 jsonl jsonc",
    "bash": "sh shell zsh",
    "console": "shell-session",
    "c": "h",
    "cpp": "c++ cc cxx hpp",
    "csharp": "cs c#",
    "java": "",
    "html": "htm vue svelte",
    "xml": "svg xsl",
    "css": "",
    "scss": "less",
    "sql": "postgresql postgres mysql sqlite",
    "yaml": "yml",
    "toml": "",
    "ini": "",
    "rust": "rs",
    "go": "golang",
    "r": "",
    "diff": "patch",
}
_NAMES = {alias: lexer for lexer, others in _LEXERS.items() for alias in (lexer, *others.split())}
# Longer code stays plain: colours would make it many times larger.
_MAX_CHARS = 20_000
_LINE_CHARS = 2_000

_EDITOR = "var(--jp-mirror-editor-{}-color, inherit)"
_MUTED = "font-style: italic; color: var(--jp-ui-font-color2, inherit)"
_BOLD = "font-weight: bold; color: " + _EDITOR.format("keyword")


def _colour(name: str) -> str:
    return f"color: {_EDITOR.format(name)}"


_STYLES: dict[_TokenType, str] = {
    Token.Keyword: _BOLD,
    Token.Keyword.Constant: _colour("number"),
    Token.Keyword.Type: _colour("builtin"),
    Token.Operator: _colour("operator"),
    Token.Operator.Word: _BOLD,
    Token.Literal.String: _colour("string"),
    Token.Literal.Number: _colour("number"),
    Token.Comment: _MUTED,
    Token.Comment.Preproc: _colour("operator"),
    Token.Name.Builtin: _colour("builtin"),
    Token.Name.Exception: _colour("builtin"),
    Token.Name.Function: _colour("def"),
    Token.Name.Class: _colour("def"),
    Token.Name.Decorator: _colour("operator"),
    Token.Name.Attribute: _colour("property"),
    Token.Name.Tag: _colour("tag"),
    Token.Generic.Inserted: _colour("tag"),
    Token.Generic.Deleted: _colour("string"),
}


def coloured(code: str, language: str) -> str:
    """The HTML of ``code``, coloured if the language is known and the code is not too long."""
    name = _NAMES.get(language.lower())
    if name is None or len(code) > _MAX_CHARS or _has_long_line(code):
        return escape(code)
    pieces: list[str] = []
    run, run_style = "", ""
    for kind, text in _lexer(name).get_tokens(code):
        style = run_style if text.isspace() else _style_of(kind)
        if style != run_style:
            pieces.append(_span(run, run_style))
            run, run_style = "", style
        run += text
    return "".join([*pieces, _span(run, run_style)])


def _span(text: str, style: str) -> str:
    if not text or not style:
        return escape(text)
    return f'<span style="{style}">{escape(text)}</span>'


@cache
def _style_of(kind: _TokenType) -> str:
    """The style of the nearest token type that has one."""
    while kind not in _STYLES and kind.parent is not None:
        kind = kind.parent
    return _STYLES.get(kind, "")


@cache
def _lexer(name: str) -> Lexer:
    return get_lexer_by_name(name, stripnl=False, ensurenl=False)


def _has_long_line(code: str) -> bool:
    return max(map(len, code.split("\n"))) > _LINE_CHARS
