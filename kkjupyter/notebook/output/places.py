"""Where an output appears: in a cell on a page, or in a notebook that a program executes."""

from __future__ import annotations

from typing import Any, Protocol

from IPython.display import DisplayHandle, display

from kkjupyter.notebook.output.front_end import FrontEnd, front_end
from kkjupyter.notebook.output.live_output import Widget

__all__ = ["Output", "Place", "place_here"]


class Output(Protocol):
    """What appears: one run, or several side by side."""

    widget: Widget | None

    def display_bundle(self) -> dict[str, Any]: ...


class Place(Protocol):
    """Where one output appears."""

    def begin(self, output: Output) -> None:
        """Show it, on the thread of the cell; in the place of another one that has ended there."""

    def end(self, bundle: dict[str, Any]) -> None:
        """Its static form is there. In the context of the cell, on any thread."""


class _CellPlace:
    """An output of a cell, which at the end gets its static form."""

    def __init__(self) -> None:
        self._handle: Any = DisplayHandle()  # type: ignore[no-untyped-call]
        self._is_begun = False

    def begin(self, output: Output) -> None:
        # A page drops what is displayed anew in a cell that is over.
        show = self._handle.update if self._is_begun else self._handle.display
        self._is_begun = True
        show(output.display_bundle(), raw=True)

    def end(self, bundle: dict[str, Any]) -> None:
        self._handle.update(bundle, raw=True)


class _ExecutedPlace:
    """An output of a cell that nobody looks at while it runs.

    It is displayed once. A program's log shows what is displayed and not what becomes of it.
    """

    def begin(self, output: Output) -> None:
        """Show nothing yet."""

    def end(self, bundle: dict[str, Any]) -> None:
        display(bundle, raw=True)  # type: ignore[no-untyped-call]


def place_here(*, in_background: bool = False) -> Place:
    """Where the code that calls this shows something.

    Args:
        in_background: whether the cell does not wait for the end, which is lost to programs that
            execute notebooks.
    """
    match front_end():
        case FrontEnd.MARIMO:
            from kkjupyter.notebook.output.marimo import MarimoPlace  # imports marimo

            return MarimoPlace()
        case FrontEnd.EXECUTOR if not in_background:
            return _ExecutedPlace()
    return _CellPlace()
