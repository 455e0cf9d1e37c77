"""One cell of a table as JSON, for the front end and the saved output.

A JSON scalar is written as it is. Other values are lists: ``[]`` is an empty cell, ``["n", "NaN"]``
a number that JSON or JavaScript cannot hold, ``["d", "2026-01-02"]`` a date or time, and ``["j",
"{...}"]`` any other value, on one line.
"""

from __future__ import annotations

import math
import numbers
from datetime import date, time
from decimal import Decimal
from enum import Enum
from typing import Any

from kkjupyter.notebook.safe_text import whole
from kkjupyter.notebook.views.foreign import digits_of, is_a, unwrapped
from kkjupyter.notebook.views.json import line_of
from kkjupyter.wire.values.javascript import undefined

__all__ = ["MISSING", "Cell", "cell_of", "is_scalar", "name_of"]

Cell = str | int | float | bool | list[str] | None

MISSING: list[str] = []

_TEXT_CHARS = 20_000
_SCALARS = (str, numbers.Number, date, time, Enum)
# Beyond it JavaScript's numbers are not exact.
_SAFE_INT = 2**53


def cell_of(value: Any) -> Cell:
    """``value`` as a cell. Never raises; texts are encodable, with visible controls."""
    try:
        return _cell(value)
    except Exception:  # noqa: BLE001 - the value's own code
        return ["j", line_of(value)]


def _cell(value: Any) -> Cell:
    kind = type(value)
    if kind is str:
        return value if len(value) <= _TEXT_CHARS and value.isprintable() else _text(value)
    if kind is int:
        return value if -_SAFE_INT <= value <= _SAFE_INT else ["n", _shortened(digits_of(value))]
    if kind is float:
        return value if math.isfinite(value) else ["n", line_of(value)]
    if kind is bool or value is None:
        return value  # type: ignore[no-any-return]
    return _uncommon(value)


def is_scalar(value: Any) -> bool:
    """Whether a value has no parts, as in a flat row."""
    return value is None or value is undefined or is_a(value, _SCALARS)


def name_of(key: Any) -> str:
    """The name of a column."""
    return whole(key if type(key) is str else str.__str__(key) if is_a(key, str) else line_of(key))


def _uncommon(value: Any) -> Cell:
    if value is undefined:
        return MISSING
    match value:
        case Enum():
            return _cell(value.value) if not isinstance(value.value, Enum) else ["j", str(value)]
        case str():
            return _text(str.__str__(value))
        case date() | time():
            text = str(value.isoformat())
            # pandas' NaT is a datetime that has no date.
            return ["d", text] if text[:1].isdigit() else ["j", text]
        case Decimal():
            return ["n", _shortened(str(value))]
        case numbers.Integral():
            return _cell(int(value))
        case numbers.Rational():
            return _ratio(value)
        case numbers.Real():
            return _cell(float(value))
    plain = unwrapped(value)
    if plain is not value:
        return _cell(plain)
    line = line_of(value)
    is_moment = getattr(getattr(value, "dtype", None), "kind", "") == "M"
    return ["d" if is_moment and line[:1].isdigit() else "j", line]


def _ratio(value: numbers.Rational) -> Cell:
    try:
        return _cell(float(value))
    except OverflowError:
        return _cell(math.floor(value))


def _shortened(digits: str) -> str:
    more = len(digits) - _TEXT_CHARS
    return digits if more <= 0 else f"{digits[:_TEXT_CHARS]}… ({more:,} more digits)"


def _text(value: str) -> str:
    text = whole(value[:_TEXT_CHARS])
    more = len(value) - _TEXT_CHARS
    return text if more <= 0 else f"{text} … ({more:,} more characters)"
