"""The json view: one line for each value."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence, Set
from dataclasses import replace
from datetime import date, datetime
from enum import Enum
from typing import Any

from kkjupyter.notebook.views.base import View
from kkjupyter.notebook.views.foreign import digits_of, parts_of, type_name, unwrapped
from kkjupyter.notebook.views.saved_form import BOX, TEXT, Body, escape, text_body
from kkjupyter.notebook.views.transcript import Excerpt
from kkjupyter.plaintext import printable

__all__ = ["JsonView", "line_of", "unfolded"]

_MAX_DEPTH = 32
_BYTES_SHOWN = 16
_LINE_CHARS = 20_000
# How much is written at most, for saying how much is missing.
_WRITTEN_CHARS = 5 * _LINE_CHARS
_FOLDED_LINES = 200
_SUMMARY = "cursor: pointer"


class JsonView(View):
    """Shows each value as compact JSON on a separate line; containers can be unfolded."""

    name = "json"
    pane = "json"

    def render(self, items: Sequence[Any]) -> str:
        """One line for each value."""
        return "".join([f"{line_of(item)}\n" for item in items])

    def body(self, excerpt: Excerpt) -> Body:
        """The lines; if they are few, containers can be unfolded in the HTML."""
        body = text_body(excerpt)
        lines = excerpt.text.removesuffix("\n").split("\n")
        if len(lines) > _FOLDED_LINES or not any(map(unfolded, lines)):
            return body
        html = "".join(map(_line_html, lines))
        return replace(body, html=f'<div style="{BOX}"><div style="{TEXT}">{html}</div></div>')


def _line_html(line: str) -> str:
    shown = unfolded(line)
    if shown is None:
        return f"<div>{escape(line)}</div>"
    inner = f'<div style="padding-left: 1.2em">{escape(shown)}</div>'
    return f'<details><summary style="{_SUMMARY}">{escape(line)}</summary>{inner}</details>'


def unfolded(line: str) -> str | None:
    """The value of a line on several lines; None if that would not show more."""
    if not line.startswith(("{", "[")):
        return None
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        # A word that JSON lacks, a line that was cut, or brackets of a `__repr__`.
        return None
    if not value or _is_deeper(value, _MAX_DEPTH):
        return None
    return _escaped(json.dumps(value, indent=2, ensure_ascii=False))


def _is_deeper(value: Any, levels: int) -> bool:
    """Whether there are more levels; each makes the lines below it longer."""
    if not isinstance(value, (dict, list)):
        return False
    parts = value.values() if isinstance(value, dict) else value
    return levels <= 0 or any(_is_deeper(part, levels - 1) for part in parts)


def line_of(value: Any) -> str:
    """``value`` on one line: as JSON if it is JSON, else in the nearest familiar form.

    A datetime is its ISO text, bytes show their number and beginning, numpy scalars are Python's,
    and values that JSON lacks (``undefined``, a BigInt, a set, a user's object) are written as in
    Python: ``{"when": 2026-01-02T03:04:05+00:00, "size": undefined}``. Never raises, and takes no
    longer than a line of some thousand characters.
    """
    writer = _Writer()
    writer.write(value, ())
    return writer.line()


def _escaped(text: str) -> str:
    """``text`` with half surrogate pairs shown as the escapes that were sent."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


_LINE_ENDS = {ord("\n"): " ", ord("\r"): " ", 0x2028: "\\u2028", 0x2029: "\\u2029"}
_encode_str = json.JSONEncoder(ensure_ascii=False).encode


class _Full(Exception):
    """Not an error: enough was written."""


class _Writer:
    """Writes one value, up to several times the length of a line."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._room = _WRITTEN_CHARS
        self._skipped = 0
        self._goes_on = False

    def line(self) -> str:
        """The written text, on one line."""
        written = "".join(self._pieces)
        line = printable(written[:_LINE_CHARS]).translate(_LINE_ENDS)
        more = len(written) - _LINE_CHARS + self._skipped
        if more > 0:
            line += f" … ({'over ' if self._goes_on else ''}{more:,} more characters)"
        return _escaped(line)

    def write(self, value: Any, parents: tuple[int, ...]) -> None:
        """Write a whole value, or as much of it as fits."""
        try:
            self._write(value, parents)
        except _Full:
            self._goes_on = True

    def _add(self, piece: str) -> None:
        self._pieces.append(piece)
        self._room -= len(piece)
        if self._room < 0:
            raise _Full

    def _write(self, value: Any, parents: tuple[int, ...]) -> None:
        """Write a part; ``parents`` are the containers around it, for detecting cycles."""
        kind = type(value)
        if kind is str:
            self._add_text(value)
        elif kind is int:
            self._add(digits_of(value))
        elif kind is float:
            self._add(_number(value))
        elif value is None:
            self._add("null")
        elif kind is bool:
            self._add("true" if value else "false")
        elif kind is dict or kind is list or kind is tuple:
            self._write_container(value, kind is dict, parents)
        else:
            mark = len(self._pieces)
            try:
                self._write_object(value, parents)
            except _Full:
                raise
            except Exception:  # noqa: BLE001 - it is not what it seems; its own code raised
                del self._pieces[mark:]
                self._add_python(value)

    def _write_object(self, value: Any, parents: tuple[int, ...]) -> None:
        match value:
            case str():
                self._add_text(str.__str__(value))
            case int():
                self._add(_whole_number(value))
            case bytes() | bytearray() | memoryview():
                self._add(_bytes(memoryview(value)))
            case datetime() | date():
                self._add(str(value.isoformat()))
            case Mapping() | list() | tuple() | Set():
                self._write_container(value, isinstance(value, Mapping), parents)
            case _:
                plain = unwrapped(value)
                if plain is not value:
                    self._write(plain, parents)
                elif isinstance(value, float):
                    self._add(_number(float.__float__(value)))
                elif _is_moment(value):
                    self._add(str(value))
                else:
                    self._add_python(value)

    def _write_container(self, value: Any, is_mapping: bool, parents: tuple[int, ...]) -> None:
        if id(value) in parents or len(parents) >= _MAX_DEPTH:
            self._add("…")
            return
        parents = (*parents, id(value))
        parts = parts_of(value, _WRITTEN_CHARS // 2, is_mapping=is_mapping)
        opening, closing = "{}" if is_mapping else "[]"
        if not is_mapping and not isinstance(value, (list, tuple)):
            opening, closing = f"{type_name(value)}(", ")"
        write, add = self._write, self._pieces.append
        add(opening)
        is_first = True
        for part in parts:
            if not is_first:
                add(", ")
            is_first = False
            if is_mapping:
                key, part = part
                write(key, parents)
                add(": ")
            write(part, parents)
            self._room -= 2
        self._add(closing)

    def _add_text(self, text: str) -> None:
        skipped = len(text) - _WRITTEN_CHARS
        if skipped > 0:
            self._skipped += skipped
            text = text[:_WRITTEN_CHARS]
        self._add(_encode_str(text))

    def _add_python(self, value: Any) -> None:
        try:
            text = repr(value)
        except Exception as exc:  # noqa: BLE001 - a user's __repr__ must not end the stream
            text = f"<{type_name(value)}: its repr raised {type_name(exc)}>"
        self._skipped += max(0, len(text) - _WRITTEN_CHARS)
        self._add(text[:_WRITTEN_CHARS])


def _whole_number(value: int) -> str:
    """An int of a subclass: a number for an enum, else as its class writes it."""
    if isinstance(value, Enum):
        return digits_of(value)
    try:
        return str(repr(value))
    except ValueError:  # with more digits than Python's limit
        return f"{type_name(value)}({digits_of(value)})"


def _is_moment(value: Any) -> bool:
    """Whether it is a numpy date or duration."""
    return hasattr(type(value), "dtype") and (
        getattr(value.dtype, "kind", "") in ("m", "M") and value.shape == ()
    )


def _number(value: float) -> str:
    if math.isfinite(value):
        return repr(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
    return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")


def _bytes(value: memoryview) -> str:
    count = value.nbytes
    shown = (value.cast("B")[:_BYTES_SHOWN] if value.c_contiguous else value).tobytes()
    more = " …" if count > _BYTES_SHOWN else ""
    return f"<{count:,} bytes: {shown[:_BYTES_SHOWN].hex(' ')}{more}>"
