"""One cell of a table as JSON: what the front end and the saved output read.

A JSON scalar stands for itself. What JSON has no word for is a list: ``[]`` nothing at all,
``["n", "NaN"]`` a number that JSON or JavaScript cannot hold, ``["d", "2026-01-02"]`` a date or
time, ``["j", "{...}"]`` anything else, written on one line.
"""

from __future__ import annotations

import math
import numbers
from datetime import date, time
from decimal import Decimal
from enum import Enum
from typing import Any

from kkjupyter.notebook.characters import whole
from kkjupyter.notebook.views.jsonlines import line_of
from kkjupyter.wire.values import undefined

__all__ = ["MISSING", "Cell", "cell_of", "is_scalar", "name_of"]

Cell = str | int | float | bool | list[str] | None

MISSING: list[str] = []

_TEXT_CHARS = 20_000
# Beyond it JavaScript's numbers have gaps.
_SAFE_INT = 2**53


def cell_of(value: Any) -> Cell:
    """``value`` as a cell. Never raises; texts can be encoded, and controls in them are visible."""
    kind = type(value)
    if kind is str:
        return value if len(value) <= _TEXT_CHARS and value.isprintable() else _text(value)
    if kind is int:
        return value if -_SAFE_INT <= value <= _SAFE_INT else ["n", _digits(value)]
    if kind is float:
        return value if math.isfinite(value) else ["n", line_of(value)]
    if kind is bool or value is None:
        return value  # type: ignore[no-any-return]
    return _uncommon(value)


def is_scalar(value: Any) -> bool:
    """Whether a value has no parts: what a flat row is made of."""
    scalars = (str, numbers.Number, date, time, Enum)
    return value is None or value is undefined or isinstance(value, scalars)


def name_of(key: Any) -> str:
    """What a column is called."""
    return whole(key if isinstance(key, str) else line_of(key))


def _uncommon(value: Any) -> Cell:
    if value is undefined:
        return MISSING
    match value:
        case Enum():
            return cell_of(value.value) if not isinstance(value.value, Enum) else ["j", str(value)]
        case str():
            return _text(str.__str__(value))
        case date() | time():
            return ["d", value.isoformat()]
        case Decimal():
            return ["n", str(value)]
        case numbers.Integral():
            return cell_of(int(value))
        case numbers.Real():
            return cell_of(float(value))
    if getattr(value, "shape", None) == () and hasattr(value, "dtype"):
        plain = value.item()  # a scalar of numpy's
        if type(plain) is not type(value):
            return cell_of(plain)
    return ["j", line_of(value)]


def _digits(value: int) -> str:
    try:
        return str(value)
    except ValueError:  # Python writes no more than some thousands of digits
        return f"{value:#x}"


def _text(value: str) -> str:
    text = whole(value[:_TEXT_CHARS])
    more = len(value) - _TEXT_CHARS
    return text if more <= 0 else f"{text} … ({more:,} more characters)"
