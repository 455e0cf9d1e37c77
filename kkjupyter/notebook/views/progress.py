"""The progress view: a bar, a rate and the remaining time.

``labextension/src/parts/progress`` draws the same in a page;
``labextension/test/cases/progress.json`` holds the words of both to it.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kkjupyter.notebook.run_status import RunState, Status
from kkjupyter.notebook.safe_text import whole
from kkjupyter.notebook.views.base import PARTS, View
from kkjupyter.notebook.views.foreign import finite_number, is_a
from kkjupyter.notebook.views.saved_form import Body, duration, escape, static_bundle
from kkjupyter.notebook.views.transcript import Excerpt

__all__ = ["Mark", "ProgressView", "TerminalProgressView"]

_BAR_CHARS = 30
_LABELS = ("label", "message", "text", "description")
_RATE_WINDOW_S = 30.0
_LABEL_CHARS = 200
_SHARES = 10**6
_FONT = "var(--jp-ui-font-family, system-ui, sans-serif)"
# A bar that did not reach its end is told apart by its colour, and by a word.
_COMPLETE = "var(--jp-success-color1, #2e7d32)"
_RUNNING = "var(--jp-brand-color1, #1976d2)"
_INCOMPLETE: dict[RunState, str] = {
    "done": "var(--jp-warn-color1, #b26a00)",
    "cancelled": "var(--jp-ui-font-color3, #757575)",
    "failed": "var(--jp-error-color1, #d32f2f)",
}
_HOW_IT_ENDED: dict[RunState, str] = {
    "done": "ended at",
    "cancelled": "cancelled at",
    "failed": "failed at",
}


@dataclass(frozen=True, slots=True)
class Mark:
    """The progress at one moment.

    Attributes:
        at_s: seconds since the first mark.
        done: how much is done.
        total: the whole amount; None if it is not known.
        label: the present step, or ``""``.
    """

    at_s: float
    done: float
    total: float | None
    label: str = ""

    @property
    def share(self) -> float | None:
        """The share that is done, from 0 to 1; None if the total is not known."""
        if not self.total:
            return None
        share = self.done / self.total
        return None if math.isnan(share) else min(max(share, 0.0), 1.0)


class ProgressView(View):
    """Shows progress: a bar, a rate and the remaining time.

    Items are dicts or objects with ``done`` and ``total`` (which may be missing or None), perhaps
    with a ``label``, ``message``, ``text`` or ``description``; or numbers from 0 to 1. Other items
    are ignored.
    """

    name = "progress"
    pane = "progress"
    part = PARTS / "progress.js"

    def __init__(self, **limits: int) -> None:
        super().__init__(**limits)
        self._started_at_s: float | None = None

    @classmethod
    def suits(cls, item: Any) -> bool:
        """Suits items with numbers ``done`` and ``total``."""
        return None not in _done_and_total(item)

    @classmethod
    def bears(cls, item: Any) -> bool:
        """Accepts items with ``done``."""
        return _done_and_total(item)[0] is not None

    def render(self, items: Sequence[Any]) -> str:
        """A line of JSON for the newest of ``items``; older ones need not be sent."""
        mark = next(filter(None, map(self._mark, reversed(items))), None)
        return "" if mark is None else f"{_line([mark.at_s, mark.done, mark.total, mark.label])}\n"

    def body(self, excerpt: Excerpt) -> Body:
        """The final bar of a run that was neither cancelled nor failed."""
        return _body(excerpt, "done")

    def bundle(self, status: Status) -> dict[str, Any]:
        """The final bar, in the colour and with the words of how it ended."""
        excerpt = self.transcript.excerpt(self.saved_bytes)
        return static_bundle(self.name, self.pane, _body(excerpt, status.state), status)

    def _mark(self, item: Any) -> Mark | None:
        found = _parts(item)
        if found is None:
            return None
        now_s = time.monotonic()
        if self._started_at_s is None:
            self._started_at_s = now_s
        return Mark(round(now_s - self._started_at_s, 3), *found)


class TerminalProgressView(ProgressView):
    """The same for terminals: a line for each tenth."""

    terminal = ""

    def __init__(self, **limits: int) -> None:
        super().__init__(**limits)
        self._said = -1
        self._first: Mark | None = None
        self._unsaid: Mark | None = None

    def render(self, items: Sequence[Any]) -> str:
        """A line when another tenth is done, or, without a total, after another second."""
        lines = []
        for mark in filter(None, map(self._mark, items)):
            self._first = self._first or mark
            share = mark.share
            step = math.floor(mark.at_s) if share is None else math.floor(share * 10)
            self._unsaid = mark
            if step > self._said:
                self._said = step
                lines.append(self.flush())
        return "".join(lines)

    def flush(self) -> str:
        """The final progress, unless it was already shown."""
        mark, self._unsaid = self._unsaid, None
        if mark is None or self._first is None:
            return ""
        return f"{_bar(mark)}{describe_progress([self._first, mark])}\n"


ProgressView.terminal = TerminalProgressView


def describe_progress(marks: Sequence[Mark], state: RunState = "streaming") -> str:
    """``62 % · 62 of 100 · 8.1/s · 4.7 s left``, after the label, if there is one.

    Args:
        marks: what is known of the progress, oldest first; at least one.
        state: the state of the run. Of one that has ended, no time is left; one that did not reach
            its total says so: ``cancelled at 62 % · 62 of 100``.
    """
    label = marks[-1].label
    return " · ".join([*([label] if label else []), *_figures(marks, state)])


def _figures(marks: Sequence[Mark], state: RunState) -> list[str]:
    newest = marks[-1]
    since = next(mark for mark in marks if newest.at_s - mark.at_s <= _RATE_WINDOW_S)
    passed_s = newest.at_s - since.at_s
    rate = (newest.done - since.done) / passed_s if passed_s > 0 else 0.0
    has_rate = 0 < rate < math.inf
    is_over = state in _HOW_IT_ENDED
    parts = []
    if newest.share is not None:
        parts.append(f"{math.floor(newest.share * 100)} %")
    if newest.total is None:
        parts.append(f"{_said(newest.done)} done")
    elif newest.total != 1:
        parts.append(f"{_said(newest.done)} of {_said(newest.total)}")
    if has_rate and newest.total != 1:
        parts.append(f"{_said(rate, 3)}/s")
    left = 0 if newest.total is None or is_over else newest.total - newest.done
    if has_rate and 0 < left / rate < math.inf:
        parts.append(f"{duration(left / rate, fine_below_s=0)} left")
    if is_over and not _is_complete(newest, state):
        parts[0] = f"{_HOW_IT_ENDED[state]} {parts[0]}"
    return parts


def _is_complete(mark: Mark, state: RunState) -> bool:
    """Whether the end of the run is also the end of the work."""
    return state == "done" and (mark.total is None or mark.share == 1)


def _body(excerpt: Excerpt, state: RunState) -> Body:
    marks = _marks(excerpt.text)
    if not marks:
        return Body(html="", plain="")
    newest = marks[-1]
    lines = [_line([mark.at_s, mark.done, mark.total, mark.label]) for mark in (marks[0], newest)]
    return Body(
        html=_html(newest, " · ".join(_figures(marks, state)), state),
        plain=f"{_bar(newest)}{describe_progress(marks, state)}\n",
        data={"source": "".join([f"{line}\n" for line in lines])},
    )


def _html(mark: Mark, figures: str, state: RunState) -> str:
    """The label above the bar, the figures below it."""
    colour = _COMPLETE if _is_complete(mark, state) else _INCOMPLETE.get(state, _RUNNING)
    label = f"<div>{escape(mark.label)}</div>" if mark.label else ""
    bar = (
        ""
        if mark.share is None
        else (
            '<div style="max-width: 480px; height: 8px; margin: 4px 0; border-radius: 4px; '
            'background: var(--jp-layout-color3, #bdbdbd)"><div style="height: 8px; '
            f'width: {mark.share:.2%}; border-radius: 4px; background: {colour}"></div></div>'
        )
    )
    return (
        f'<div style="padding: 2px 20px 4px 7.8px; font-family: {_FONT}; font-size: 13px; '
        'line-height: 20px; color: var(--jp-ui-font-color1, inherit)">'
        f"{label}{bar}"
        f'<div style="color: var(--jp-ui-font-color2, inherit)">{escape(figures)}</div></div>'
    )


def _said(value: float, digits: int = 6) -> str:
    return f"{int(value):,}" if value == int(value) else f"{float(f'{value:.{digits}g}'):,.15g}"


def _marks(source: str) -> list[Mark]:
    marks = []
    for line in source.split("\n"):
        try:
            marks.append(Mark(*json.loads(line)))
        except (ValueError, TypeError):  # the place where the middle of a long source was left out
            continue
    return marks


def _bar(mark: Mark) -> str:
    if mark.share is None:
        return ""
    full = math.floor(mark.share * _BAR_CHARS)
    return f"{'█' * full}{'░' * (_BAR_CHARS - full)} "


def _parts(item: Any) -> tuple[float, float | None, str] | None:
    """The done, total and label of an item; None if it has no progress."""
    share = finite_number(item)
    if share is not None:
        return (share, 1, "") if 0 <= share <= 1 else None
    done, total = _done_and_total(item)
    if done is None:
        return None
    label = str.__str__(next(filter(_is_text, [_field(item, name) for name in _LABELS]), ""))
    # It is sent with every mark; a line end would break the line in a terminal.
    words = " ".join(label[: _LABEL_CHARS + 1].split())
    shown = words if len(label) <= _LABEL_CHARS else f"{words[:_LABEL_CHARS]}…"
    return done, total, whole(shown)


def _done_and_total(item: Any) -> tuple[float | None, float | None]:
    done, total = _field(item, "done"), _field(item, "total")
    numbers = finite_number(done), finite_number(total)
    if None in numbers and _is_whole(done) and _is_whole(total) and total > 0:
        # Numbers too large for a float still have a share.
        return min(max(done * _SHARES // total, 0), _SHARES) / _SHARES, 1
    return numbers


def _is_whole(value: Any) -> bool:
    return is_a(value, int) and not is_a(value, bool)


def _is_text(value: Any) -> bool:
    return is_a(value, str)


def _field(item: Any, name: str) -> Any:
    try:
        return item.get(name) if isinstance(item, Mapping) else getattr(item, name, None)
    except Exception:  # noqa: BLE001 - the item's own code
        return None


_line = json.JSONEncoder(separators=(",", ":"), ensure_ascii=True).encode
