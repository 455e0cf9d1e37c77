"""The automatic view: it becomes the view that suits the first item."""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Sequence
from typing import Any

from kkjupyter.notebook.run_status import Status
from kkjupyter.notebook.views.base import View
from kkjupyter.notebook.views.text import TextView
from kkjupyter.notebook.views.transcript import Transcript

__all__ = ["AutoView"]

# How many items may still change the choice; they are kept for rendering again.
_UNDECIDED_ITEMS = 100


class AutoView(View):
    """Becomes the view that suits the first item, and may change its mind once.

    Args:
        choose: makes the view for a stream that begins with this item.
        fallback: makes the view that shows any item, if an early one does not fit the chosen view.
    """

    name = "auto"

    def __init__(self, choose: Callable[[Any], View], fallback: Callable[[], View]) -> None:
        super().__init__(retained_bytes=0)
        self._choose = choose
        self._fallback = fallback
        self._chosen: View | None = None
        self._early: list[Any] | None = []
        self._nones = 0
        self._count = 1
        self._chosen_version = 0
        self.version = 0

    def render(self, items: Sequence[Any]) -> str:
        """Render ``items`` with the chosen view, or all items so far if that view is new."""
        if not items:
            return ""
        if self._chosen is None:
            first = next((item for item in items if item is not None), None)
            if first is None:
                # Not decided yet: before a text, None is nothing; otherwise it is a value.
                self._nones += len(items)
                return ""
            chosen = self._choose(first)
            if not isinstance(chosen, TextView):
                items = [None] * self._nones + list(items)
                chosen = self._choose(items[0])
            self._nones = 0
            self._become(chosen)
        elif self._early is None:
            return self._rendered(items)
        assert self._chosen is not None
        assert self._early is not None
        fresh = items
        looked_at = items[: _UNDECIDED_ITEMS - len(self._early)]
        if not all(map(self._chosen.bears, looked_at)):
            self._become(self._fallback())
            fresh = [*self._early, *items]
            self._early = None
        else:
            self._early = [*self._early, *looked_at]
            if len(self._early) >= _UNDECIDED_ITEMS:
                self._early = None
        return self._rendered(fresh)

    def save_one_of(self, count: int) -> None:
        """Like any view's, for the view that will be chosen."""
        self._count = count
        super().save_one_of(count)

    def flush(self) -> str:
        """The rest that the chosen view held back."""
        if self._chosen is not None:
            return self._chosen.flush()
        if not self._nones:
            return ""
        self._become(self._fallback())
        return self.render([None] * self._nones)

    def bundle(self, status: Status) -> dict[str, Any]:
        """The static form of the view that was chosen."""
        return (self._chosen or self._fallback()).bundle(status)

    @property
    def chosen(self) -> View | None:
        """The view that it has become; None before the first item."""
        return self._chosen

    @property
    def transcript(self) -> Transcript:
        """The source of the view that was chosen."""
        return self._transcript if self._chosen is None else self._chosen.transcript

    def _rendered(self, items: Sequence[Any]) -> str:
        assert self._chosen is not None
        source = self._chosen.render(items)
        self.version += self._chosen.version - self._chosen_version
        self._chosen_version = self._chosen.version
        return source

    def _become(self, view: View) -> None:
        if self._chosen is not None or view.pane != self.pane:
            self.version += 1
        view.save_one_of(self._count)
        self._chosen = view
        self._chosen_version = view.version
        self.saved_bytes = view.saved_bytes
        self.pane: str = view.pane
        self.part: pathlib.Path | None = view.part
