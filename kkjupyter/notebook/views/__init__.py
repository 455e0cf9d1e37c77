"""The views: one file each, one row here each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kkjupyter.errors import UsageError, did_you_mean
from kkjupyter.notebook.views.answer.view import AnswerView
from kkjupyter.notebook.views.auto import AutoView
from kkjupyter.notebook.views.base import View
from kkjupyter.notebook.views.custom import named_view
from kkjupyter.notebook.views.json import JsonView
from kkjupyter.notebook.views.markdown.view import MarkdownView
from kkjupyter.notebook.views.plot.view import PlotView
from kkjupyter.notebook.views.progress import ProgressView
from kkjupyter.notebook.views.rich.latest import LatestView
from kkjupyter.notebook.views.rich.view import RichView
from kkjupyter.notebook.views.table.view import TableView
from kkjupyter.notebook.views.text import TextView

__all__ = [
    "AUTO",
    "VIEWS",
    "View",
    "ViewChoice",
    "make_view",
    "shows_answers",
    "shows_text",
    "view",
]

AUTO = AutoView.name
# `auto` tries them in this order for the first item; json suits any.
_BUILT_IN: tuple[type[View], ...] = (
    AnswerView,
    TextView,
    MarkdownView,
    ProgressView,
    PlotView,
    TableView,
    RichView,
    LatestView,
    JsonView,
)
VIEWS: dict[str, type[View]] = {view.name: view for view in _BUILT_IN}
_RESERVED = (AUTO, *VIEWS)

ViewChoice = str | Callable[[], View] | None
"""How a view is named: a key of :data:`VIEWS`, ``"auto"`` (None is that, too), or something that
makes one (``PlotView``, ``partial(PlotView, last=100)``)."""


def make_view(choice: ViewChoice = None, *, in_terminal: bool = False, **limits: Any) -> View:
    """Make a view for one run.

    Args:
        choice: see :data:`ViewChoice`.
        in_terminal: whether to make its replacement for terminals.
        limits: ``retained_bytes`` and ``saved_bytes``, see :class:`View`.

    Raises:
        UsageError: there is no view of that name, or ``choice`` did not make a view.
    """
    if choice is None or choice == AUTO:
        return AutoView(
            lambda first: make_view(_suiting(first, in_terminal), **limits),
            lambda: JsonView(**limits),
        )
    if not isinstance(choice, str):
        made = choice() if callable(choice) else None
        if not isinstance(made, View):
            raise UsageError(
                f"view must be a name, or a class or function that makes a kk.View, not {choice!r}"
            )
        return make_view(made.terminal) if in_terminal and made.terminal else made
    if choice not in VIEWS:
        names = [AUTO, *VIEWS]
        raise UsageError(
            f"unknown view {choice!r}{did_you_mean(choice, names)} (views: {', '.join(names)})"
        )
    if in_terminal and (stand_in := VIEWS[choice].terminal):
        return make_view(stand_in, **limits)
    return VIEWS[choice](**limits)


def shows_text(choice: ViewChoice) -> bool:
    """Whether a view is a text view; ``auto`` may become one."""
    return _is_a(choice, TextView)


def shows_answers(choice: ViewChoice) -> bool:
    """Whether a view shows all that chunks say, not the text alone; ``auto`` may become one."""
    return _is_a(choice, AnswerView)


def _is_a(choice: ViewChoice, kind: type[View]) -> bool:
    if choice is None or choice == AUTO:
        return True
    made_by = VIEWS.get(choice) if isinstance(choice, str) else getattr(choice, "func", choice)
    return isinstance(made_by, type) and issubclass(made_by, kind)


def view(name: str) -> Callable[[Any], Any]:
    """A decorator that registers your own view for ``--view`` and ``kk.show(view=...)``.

    A function becomes a view that appends the function's result for each item::

        @kk.view("words")
        def words(item):
            return item["word"] + " "

    A class derived from ``kk.View`` becomes a view with all features of a built-in one.

    Args:
        name: the name of the view.

    Raises:
        UsageError: the name is not valid or is a built-in view's, or the decorated object cannot be
            a view.
    """
    return lambda shape: named_view(name, VIEWS, _RESERVED, shape)


def _suiting(first_item: Any, in_terminal: bool) -> ViewChoice:
    try:
        chosen = next((known for known in VIEWS.values() if known.suits(first_item)), JsonView)
    except Exception:  # noqa: BLE001 - an object that lets nobody look at its class
        chosen = JsonView
    return (in_terminal and chosen.terminal) or chosen.name
