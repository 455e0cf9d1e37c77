"""The views: one file each, one row here each."""

from __future__ import annotations

from typing import Any

from kkjupyter.errors import UsageError, did_you_mean
from kkjupyter.notebook.views.base import View
from kkjupyter.notebook.views.jsonlines import JsonView
from kkjupyter.notebook.views.text import TextView

__all__ = ["AUTO", "VIEWS", "View", "make_view"]

AUTO = "auto"
VIEWS: dict[str, type[View]] = {view.name: view for view in (TextView, JsonView)}


def make_view(name: str | None = None, first_item: Any = "", **limits: int) -> View:
    """A new view for one run.

    Args:
        name: a key of :data:`VIEWS`; ``"auto"`` or None picks by the first item: text for a
            string, json for anything else.
        first_item: the first value of the stream.
        limits: ``retained_bytes`` and ``saved_bytes``, see :class:`View`.

    Raises:
        UsageError: there is no view of that name.
    """
    if name is None or name == AUTO:
        name = TextView.name if isinstance(first_item, str) else JsonView.name
    if name not in VIEWS:
        names = [AUTO, *VIEWS]
        raise UsageError(
            f"there is no view {name!r}{did_you_mean(name, names)} (views: {', '.join(names)})"
        )
    return VIEWS[name](**limits)
