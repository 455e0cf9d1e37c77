"""Calls and views as the last line of a cell in marimo, which asks an object for ``_display_()``.

The cell ends at once, and the stream goes on: while a cell of marimo runs, no message of a page
comes through, and so no Cancel.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kkjupyter.calls.call import Call
from kkjupyter.notebook.run.registry import registry
from kkjupyter.notebook.run.reply import Reply
from kkjupyter.notebook.show.compare import Compared
from kkjupyter.notebook.show.show import Shown
from kkjupyter.notebook.show.waiting import begin, play_on, show_again

__all__ = ["install"]


def install() -> None:
    """Give our objects the method that marimo looks for. Idempotent."""
    displays: dict[type[Any], Callable[[Any], Any]] = {
        Call: _display_call,
        Shown: Shown.go_on,
        Compared: Compared.go_on,
        Reply: _display_reply,
    }
    for kind, display in displays.items():
        kind._display_ = _as_displayed(display)


def _as_displayed(show: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def _display_(self: Any) -> Any:
        from kkjupyter.notebook.output.marimo import displayed  # imports marimo

        return displayed(lambda: show(self))

    return _display_


def _display_call(call: Call) -> Any:
    known = registry.get(call.id)
    if known is not None:
        show_again(known)
        return None
    return play_on(begin(call, shows_value=True))


def _display_reply(reply: Reply) -> Any:
    for run in registry.all():
        if run.reply is reply:
            show_again(run)
            return None
    return repr(reply)
