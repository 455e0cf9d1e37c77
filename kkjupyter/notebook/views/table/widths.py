"""The texts of a table's cells, and their widths.

``labextension/src/parts/table/cells.ts`` has the same rules for the live view;
``labextension/test/cases/table.json`` holds both to them.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

__all__ = ["Column", "display_width", "one_line"]

# A number is shown with at most six decimals, and with no more than its first six digits call for;
# but cents stay.
_MOST_DECIMALS = 6
_LEAST_DECIMALS = 2
_EXPONENT = re.compile(r"e([+-])0*(\d)")


class Column:
    """One column, with the texts of its cells.

    Args:
        name: the text of its head.
        cells: its cells as in the source.

    Attributes:
        is_number: whether its cells are right-aligned.
        texts: each cell in full, on one line; numbers as they are.
        decimals: how many decimals its numbers are shown with.
        is_rounded: whether some number has more.
    """

    def __init__(self, name: str, cells: Sequence[Any]) -> None:
        self.name = name
        self.cells = cells
        self.texts = [_text(cell) for cell in cells]
        floats = [text for cell, text in zip(cells, self.texts, strict=True) if type(cell) is float]
        self.decimals = max(map(_decimals, floats), default=0)
        self.is_rounded = any(_fraction(text) > self.decimals for text in floats)
        kinds = {_kind(cell) for cell in cells} - {""}
        self.is_number = kinds == {"number"}

    def shown(self, index: int) -> str:
        """A cell as the table shows it."""
        cell = self.cells[index]
        text = self.texts[index]
        return _with_decimals(cell, text, self.decimals) if _is_number(cell) else text

    def aligned(self) -> list[str]:
        """Each cell in full; numbers are padded so that their decimal points are aligned."""
        if not self.is_number:
            return self.texts
        if not self.is_rounded:
            shown = [self.shown(index) for index in range(len(self.texts))]
        else:
            fractions = [len(text.partition(".")[2]) for text in self.texts]
            most = max(fractions)
            shown = [
                text + " " * (most - fraction if fraction else most + 1)
                for text, fraction in zip(self.texts, fractions, strict=True)
            ]
        width = max(map(len, shown), default=0)
        return [text.rjust(width) for text in shown]


def one_line(text: str) -> str:
    """``text`` with visible signs for characters that would end or widen a line."""
    if text.isprintable():
        return text
    return text.replace("\r\n", "↵").replace("\n", "↵").replace("\r", "↵").replace("\t", " ")


def display_width(text: str) -> int:
    """How many columns of a terminal or a monospaced font ``text`` takes."""
    if text.isascii():
        return len(text)
    return sum(
        [
            0 if unicodedata.combining(char) else 1 + (unicodedata.east_asian_width(char) in "WF")
            for char in text
        ]
    )


def _fraction(text: str) -> int:
    """How many decimals are written; those of an exponent do not count."""
    return len(text) - text.find(".") - 1 if "." in text and "e" not in text else 0


def _decimals(text: str) -> int:
    """With how many decimals a number is shown at least."""
    digits = text.partition(".")[0].lstrip("-0")
    return min(_fraction(text), max(_MOST_DECIMALS - len(digits), _LEAST_DECIMALS))


def _is_number(cell: Any) -> bool:
    return type(cell) is float or type(cell) is int


def _kind(cell: Any) -> str:
    if _is_number(cell):
        return "number"
    if isinstance(cell, list):
        return "" if not cell else "number" if cell[0] == "n" else "text"
    return "" if cell is None else "text"


def _text(cell: Any) -> str:
    """A cell in full, on one line; numbers as JavaScript writes them, other scalars as Python."""
    match cell:
        case str():
            return one_line(cell)
        case bool() | None:
            return str(cell)
        case int():
            return str(cell)
        case float():
            return _float(cell)
        case ["d", text]:
            return str(text).replace("T", " ", 1)
        case [_, text]:
            return one_line(text)
    return ""


def _float(value: float) -> str:
    text = repr(value)
    if text.endswith(".0"):
        return "0" if value == 0 else text[:-2]
    if "e" not in text:
        return text
    if 1e-6 <= abs(value) < 1e21:
        return format(Decimal(text), "f")
    return _EXPONENT.sub(r"e\1\2", text)


def _with_decimals(value: float, text: str, decimals: int) -> str:
    """A number with the decimals of its column, if that is precise enough."""
    if "e" in text:
        return text
    has = len(text.partition(".")[2])
    if has <= decimals:
        return text + ("." if not has and decimals else "") + "0" * (decimals - has)
    if abs(value) < 10**-decimals:
        return _EXPONENT.sub(r"e\1\2", f"{value:.2e}")
    return str(Decimal(value).quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP))
