"""The source of the rich and the latest view: a line of JSON for each value.

``{"data": {"text/plain": "<Figure>", "image/png": "..."}, "metadata": {}}`` is a value by MIME
type; ``{"left_out": 12}`` stands for so many values that are no longer kept. It is read in
``labextension/src/parts/rich``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from kkjupyter.notebook.safe_text import whole
from kkjupyter.notebook.views.rich.mime import PLAIN, MimeForms, forms_of
from kkjupyter.plaintext import encodable

__all__ = ["LeftOut", "line_of_gap", "line_of_value", "records_in"]

# Both the HTML and the source of a saved output have it: more does not fit.
_FORM_CHARS = 1_500_000

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode


class LeftOut(NamedTuple):
    """So many values are missing."""

    values: int


def line_of_value(value: Any) -> str:
    """How a notebook shows ``value``, as a line. A form that is too large is replaced by a text.

    Raises:
        Exception: what a formatter, or a method of the value, raises; or a form of it is not what
            JSON can have.
    """
    forms = forms_of(value)
    data: dict[str, Any] = {}
    too_large: list[str] = []
    for mime, form in forms.data.items():
        made = encodable(form) if isinstance(form, str) else form
        chars = len(made) if isinstance(made, str) else len(_encode(made))
        if chars > _FORM_CHARS:
            too_large.append(f"{whole(mime)} of {chars:,} characters")
        else:
            data[mime] = made
    if too_large:
        data[PLAIN] = f"{data[PLAIN]}\n[too large to be shown: {', '.join(too_large)}]"
    metadata = {mime: known for mime, known in forms.metadata.items() if mime in data}
    return f"{encodable(_encode({'data': data, 'metadata': metadata}))}\n"


def line_of_gap(count: int) -> str:
    """The line that stands for values that are no longer kept."""
    return f"{_encode({'left_out': count})}\n"


def records_in(source: str) -> Iterator[MimeForms | LeftOut]:
    """The values in a source, in order; lines that were cut are left out."""
    for line in source.split("\n"):
        try:
            match json.loads(line):
                case {"data": dict(data), "metadata": dict(metadata)}:
                    yield MimeForms(data, metadata)
                case {"left_out": int(count)}:
                    yield LeftOut(count)
        except ValueError:
            continue
