"""The json view: one line for each value."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence, Set
from dataclasses import replace
from datetime import date, datetime
from typing import Any

from kkjupyter.notebook.characters import printable
from kkjupyter.notebook.views.base import View
from kkjupyter.notebook.views.bundle import BOX, TEXT, Body, escape, text_body
from kkjupyter.notebook.views.transcript import Excerpt

__all__ = ["JsonView", "line_of"]

_MAX_DEPTH = 32
_BYTES_SHOWN = 16
_LINE_CHARS = 20_000
_FOLDED_LINES = 200
_SHOWN_LINES = 24
_SUMMARY = "cursor: pointer; white-space: nowrap; overflow: hidden; text-overflow: ellipsis"


class JsonView(View):
    """Shows each value as compact JSON on a line of its own; those with others in them unfold."""

    name = "json"
    pane = "json"

    def render(self, items: Sequence[Any]) -> str:
        """A line for each."""
        return "".join([f"{line_of(item)}\n" for item in items])

    def body(self, excerpt: Excerpt) -> Body:
        """The lines; if they are few, those that hold others unfold as the live ones did."""
        body = text_body(excerpt)
        lines = excerpt.text.splitlines()
        if len(lines) > _FOLDED_LINES or not any(map(_unfolded, lines)):
            return body
        html = "".join(map(_line_html, lines))
        # Few lines begin at their first: one that is opened is not to push it out of sight.
        box = BOX if len(lines) > _SHOWN_LINES else "padding: 0 0 0 7.8px"
        return replace(body, html=f'<div style="{box}"><div style="{TEXT}">{html}</div></div>')


def _line_html(line: str) -> str:
    unfolded = _unfolded(line)
    if unfolded is None:
        return f"<div>{escape(line)}</div>"
    inner = f'<div style="padding-left: 1.2em">{escape(unfolded)}</div>'
    return f'<details><summary style="{_SUMMARY}">{escape(line)}</summary>{inner}</details>'


def _unfolded(line: str) -> str | None:
    """The value of a line over several; None if that would show no more."""
    if not line.startswith(("{", "[")):
        return None
    try:
        value = json.loads(line)
    except ValueError:  # a word that JSON does not have, or a line that was cut
        return None
    return _escaped(json.dumps(value, indent=2, ensure_ascii=False)) if value else None


def line_of(value: Any) -> str:
    """``value`` on one line: JSON where it is JSON, else the nearest thing a reader knows.

    A datetime is its ISO text, bytes are counted and their beginning shown, and whatever JSON has
    no word for (``undefined``, a BigInt, a set, an object of the user's) is written as Python
    would: ``{"when": 2026-01-02T03:04:05+00:00, "size": undefined}``. Never raises.
    """
    line = printable("".join(_write(value, ()))).translate(_LINE_ENDS)
    if len(line) > _LINE_CHARS:
        line = f"{line[:_LINE_CHARS]} … ({len(line) - _LINE_CHARS:,} more characters)"
    return _escaped(line)


def _escaped(text: str) -> str:
    """``text`` with half a surrogate pair inside a value shown as the escape it was sent as."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


_LINE_ENDS = {ord("\n"): " ", ord("\r"): " ", 0x2028: "\\u2028", 0x2029: "\\u2029"}
_encode_str = json.JSONEncoder(ensure_ascii=False).encode


def _write(value: Any, parents: tuple[int, ...]) -> list[str]:
    """The pieces of ``value``; ``parents`` are the containers it stands in, for cycles."""
    match value:
        case None:
            return ["null"]
        case bool():
            return ["true" if value else "false"]
        case str() if type(value) is str:
            return [_encode_str(value)]
        case int() if type(value) is int:
            return [str(value)]
        case float() if type(value) is float:
            return [_number(value)]
        case bytes() | bytearray() | memoryview():
            return [_bytes(bytes(value))]
        case datetime() | date():
            return [value.isoformat()]
        case Mapping() | list() | tuple() | Set():
            if id(value) in parents or len(parents) >= _MAX_DEPTH:
                return ["…"]
            return _container(value, (*parents, id(value)))
        case _:
            return [_python(value)]


def _container(value: Any, parents: tuple[int, ...]) -> list[str]:
    opening, closing = "[]"
    pieces: list[str] = []
    if isinstance(value, Mapping):
        opening, closing = "{}"
        for key, item in value.items():
            pieces += [", ", *_write(key, parents), ": ", *_write(item, parents)]
    else:
        if isinstance(value, Set):
            opening, closing = f"{type(value).__name__}(", ")"
        for item in value:
            pieces += [", ", *_write(item, parents)]
    return [opening, *pieces[1:], closing]


def _number(value: float) -> str:
    if math.isfinite(value):
        return repr(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
    return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")


def _bytes(value: bytes) -> str:
    shown = value[:_BYTES_SHOWN].hex(" ")
    return f"<{len(value):,} bytes: {shown}{' …' if len(value) > _BYTES_SHOWN else ''}>"


def _python(value: Any) -> str:
    try:
        return repr(value)
    except Exception as exc:  # noqa: BLE001 - a user's __repr__ must not end the stream
        return f"<{type(value).__name__}: its repr raised {type(exc).__name__}>"
