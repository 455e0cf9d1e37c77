"""The static output of an answer that was asked for again, with those before it folded.

``labextension/src/lab/earlier.ts`` draws the same on a page.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kkjupyter.notebook.views.saved_form import BOX, LINE, MIME_TYPE, NO_FORMULAS, TEXT, escape
from kkjupyter.notebook.views.saved_size import bundle_bytes
from kkjupyter.notebook.views.transcript import utf16_len

__all__ = ["OWN_FIELDS", "alone", "with_earlier", "within"]

OWN_FIELDS = ("key", "again")
"""What the JSON says of an output, not of an answer in it."""

_FORMS = (MIME_TYPE, "text/html", "text/plain")
_SUMMARY = f"{LINE}; list-style: revert; cursor: pointer"
# The lines above and below each of them.
_ROOM_BYTES = 2_000


def alone(bundle: Mapping[str, Any]) -> dict[str, Any]:
    """What is kept of a finished answer that becomes an earlier one: not the pictures beside it."""
    kept = {name: bundle[name] for name in _FORMS if name in bundle}
    fields = kept.get(MIME_TYPE, {})
    kept[MIME_TYPE] = {name: fields[name] for name in fields if name not in OWN_FIELDS}
    return kept


def within(
    newest: Mapping[str, Any], earlier: Sequence[Mapping[str, Any]], limit_bytes: int
) -> list[Mapping[str, Any]]:
    """Those of the earlier answers, oldest first, for which an output has room beside the newest.

    Args:
        newest: the finished output of the newest answer, alone.
        earlier: those of the answers before it, oldest first.
        limit_bytes: how much of a notebook file all may take together.
    """
    room = limit_bytes - bundle_bytes(newest)
    kept: list[Mapping[str, Any]] = []
    for bundle in reversed(earlier):
        room -= bundle_bytes(bundle) + _ROOM_BYTES
        if room < 0:
            break
        kept.append(bundle)
    return kept[::-1]


def with_earlier(
    newest: Mapping[str, Any],
    earlier: Sequence[Mapping[str, Any]],
    *,
    left_out: int = 0,
    limit_bytes: int,
) -> dict[str, Any]:
    """The output of the newest answer with the earlier ones.

    All are in its JSON and in its plain text, where those before stand below the newest. The HTML
    has them folded above it. An output that is live has no HTML, and neither has one in which that
    would be the text of the newest once more and has no room.

    Args:
        newest: the newest answer's own output.
        earlier: what :func:`alone` has kept of those before, oldest first.
        left_out: how many there were before these.
        limit_bytes: how much of a notebook file all may take together.
    """
    if not earlier and not left_out:
        return dict(newest)
    fields = newest[MIME_TYPE]
    plain, places = _plain(newest, earlier, left_out)
    given = [
        {**bundle.get(MIME_TYPE, {}), "at": place}
        for place, bundle in zip(places[1:], earlier, strict=True)
    ]
    made = {
        **newest,
        MIME_TYPE: {**fields, "at": places[0], "earlier": given, "earlier_left_out": left_out},
        "text/plain": plain,
    }
    if fields.get("state") in ("done", "cancelled", "failed"):
        html = _html(newest, earlier, left_out)
        if "text/html" in newest or bundle_bytes({**made, "text/html": html}) <= limit_bytes:
            made["text/html"] = html
    return made


def _name(count: int) -> str:
    return "Earlier answer" if count == 1 else f"{count:,} earlier answers"


def _left_out(count: int) -> str:
    answers = "1 earlier answer" if count == 1 else f"{count:,} earlier answers"
    return f"{answers} left out: there is no room for more in a notebook file"


def _html(newest: Mapping[str, Any], earlier: Sequence[Mapping[str, Any]], left_out: int) -> str:
    folded = "".join([_html_of(bundle) for bundle in earlier])
    if left_out:
        note = f'<div class="{NO_FORMULAS}" style="{LINE}">{escape(_left_out(left_out))}</div>'
        folded = note + folded
    summary = f'<summary style="{_SUMMARY}">{_name(len(earlier) + left_out)}</summary>'
    return f"<div><details>{summary}{folded}</details>{_html_of(newest)}</div>"


def _html_of(bundle: Mapping[str, Any]) -> str:
    text = f'<pre style="{TEXT}">\n{escape(bundle.get("text/plain", ""))}</pre>'
    text = f'<div class="{NO_FORMULAS}" style="{BOX}">{text}</div>'
    return str(bundle.get("text/html") or text)


def _plain(
    newest: Mapping[str, Any], earlier: Sequence[Mapping[str, Any]], left_out: int
) -> tuple[str, list[tuple[int, int]]]:
    """The text of all, the newest first, and where that of each stands in it, in UTF-16 units."""
    text = newest.get("text/plain", "")
    end = utf16_len(text)
    texts, places = [text], [(0, end)]
    for index, bundle in enumerate(earlier):
        of = f" {index + 1} of {len(earlier)}" if len(earlier) > 1 else ""
        text = bundle.get("text/plain", "")
        head = f"{_gap(texts[-1])}── earlier answer{of}\n"
        start = end + utf16_len(head)
        end = start + utf16_len(text)
        places.append((start, end))
        texts += [head, text]
    if left_out:
        texts.append(f"{_gap(texts[-1])}── {_left_out(left_out)}")
    return "".join(texts), places


def _gap(before: str) -> str:
    """What makes an empty line after ``before``."""
    return "\n" if before.endswith("\n") else "\n\n"
