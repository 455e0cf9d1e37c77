"""Fits a saved output, in all its forms together, into its limit in the notebook file."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from kkjupyter.notebook.views.saved_form import Body
from kkjupyter.notebook.views.transcript import Excerpt, first_bytes, last_bytes

__all__ = ["ONLY_TEXT", "bundle_bytes", "file_bytes", "fitting_body", "fitting_text"]

# A notebook file has each line of a text on a separate line, with blanks, quotes and a comma.
_LINE_BYTES = 11
# If not everything fits, the HTML gets this much; the other forms have more of the text.
_HTML_SHARE = 0.2
# Smaller limits apply only to the source: a table's head alone takes some kilobytes.
_LEAST_BYTES = 100_000
# The room for the state line, its notes and the numbers.
_ROOM_BYTES = 4_000
_PROBE_SHARE = 0.1
_TRIES = 6
ONLY_TEXT = "only the text is saved; the rest is too large for a notebook file"
_MORE_IN_TEXT = "the beginning and the newest part are shown; the text of this output has more"

_encode = json.JSONEncoder(ensure_ascii=False).encode


def file_bytes(body: Body) -> int:
    """The size of a body in a notebook file, in bytes."""
    return _value_bytes(body.html) + _others_bytes(body)


def bundle_bytes(bundle: Mapping[str, Any]) -> int:
    """The size of an output, in all its forms, in a notebook file, in bytes."""
    return sum(map(_value_bytes, bundle.values()))


def fitting_text(make: Callable[[int], Excerpt], limit_bytes: int) -> Excerpt:
    """The excerpt that, as text, takes at most about ``limit_bytes`` in a notebook file.

    Args:
        make: makes the excerpt of a given size in bytes.
        limit_bytes: the limit in the file.
    """
    excerpt = make(limit_bytes)
    for _ in range(_TRIES):
        taken = _value_bytes(excerpt.text)
        if taken <= limit_bytes:
            break
        excerpt = make(int(len(excerpt.text.encode()) * limit_bytes / taken * 0.97))
    return excerpt


def fitting_body(
    make: Callable[[int], tuple[Excerpt, Body]], size_bytes: int, limit_bytes: int
) -> tuple[Excerpt, Body]:
    """The output of a view, with all its forms together within a limit.

    If not everything fits, the HTML has less than the other forms, and a note says so.

    Args:
        make: makes the excerpt of a given number of bytes of the source, and its body.
        size_bytes: the size of the whole source.
        limit_bytes: the limit for the source, and, from 100,000 on, for all forms in the file.
    """
    limit = max(limit_bytes, _LEAST_BYTES) - _ROOM_BYTES
    small = None
    if size_bytes > limit * _PROBE_SHARE:
        small = make(min(limit_bytes, int(limit * _PROBE_SHARE)))
        growth = size_bytes / max(1, len(small[0].text.encode()))
        if file_bytes(small[1]) * growth > 1.2 * limit:
            return _shared(make, small, limit, limit_bytes)
    excerpt, body = make(limit_bytes)
    if file_bytes(body) <= limit:
        return excerpt, body
    probe_bytes = min(limit_bytes, int(limit * _PROBE_SHARE))
    return _shared(make, small or make(probe_bytes), limit, limit_bytes)


def _shared(
    make: Callable[[int], tuple[Excerpt, Body]],
    small: tuple[Excerpt, Body],
    limit: int,
    limit_bytes: int,
) -> tuple[Excerpt, Body]:
    """The HTML of a small part, and the other forms of as much as fits."""
    for _ in range(_TRIES):
        taken = _value_bytes(small[1].html)
        if taken <= limit * _HTML_SHARE:
            break
        size = len(small[0].text.encode())
        small = make(int(size * limit * _HTML_SHARE / taken * 0.95))
    html = small[1].html
    room = limit - _value_bytes(html)
    source_bytes = len(small[0].text.encode())
    per_byte = _others_bytes(small[1]) / max(1, source_bytes)
    share_bytes = min(limit_bytes, int(room / max(per_byte, 0.1) * 0.98))
    for _ in range(_TRIES):
        excerpt, body = make(share_bytes)
        taken = _others_bytes(body)
        if taken <= room and room >= 0:
            is_shorter = html and excerpt.text != small[0].text
            notes = (*body.notes, _MORE_IN_TEXT) if is_shorter else body.notes
            return excerpt, replace(body, html=html, notes=notes)
        share_bytes = int(share_bytes * room / taken * 0.95)
    return _text_only(*make(max(1, share_bytes)), limit)


def _text_only(excerpt: Excerpt, body: Body, limit: int) -> tuple[Excerpt, Body]:
    """For a view whose body does not become smaller with its source."""
    room = max(1, limit - _value_bytes(ONLY_TEXT))
    text = fitting_text(lambda size: _excerpt_of(body.plain, size), room).text
    return excerpt, Body(html="", plain=text, notes=(*body.notes, ONLY_TEXT))


def _excerpt_of(text: str, limit_bytes: int) -> Excerpt:
    if len(text.encode()) <= limit_bytes:
        return Excerpt(text, 0, 0)
    head = first_bytes(text, limit_bytes // 8)
    newest = last_bytes(text, limit_bytes - limit_bytes // 8)
    left_out = len(text) - len(head) - len(newest)
    return Excerpt(f"{head}\n[… {left_out:,} characters left out …]\n{newest}", left_out, 0)


def _others_bytes(body: Body) -> int:
    others = [body.plain, *body.data.values(), *body.others.values()]
    return sum(map(_value_bytes, others))


def _value_bytes(value: Any) -> int:
    if not isinstance(value, str):
        return len(_encode(value).encode())
    if not value:
        return 0
    lines = value.count("\n") + 1
    return len(_encode(value).encode(errors="replace")) + lines * _LINE_BYTES
