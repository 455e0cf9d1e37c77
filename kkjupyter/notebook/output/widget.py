"""The widget of a live output, for front ends without our lab extension: VS Code, Colab, marimo."""

from __future__ import annotations

import pathlib
from typing import Any, Protocol

import anywidget
import traitlets

from kkjupyter.notebook.output.page_views import page_views

__all__ = [
    "MODULE",
    "WIDGET_VIEW_MIME",
    "ColumnsWidget",
    "LiveWidget",
    "OutputWidget",
    "prefer_subshells",
]

WIDGET_VIEW_MIME = "application/vnd.jupyter.widget-view+json"
MODULE = pathlib.Path(__file__).parent.parent.parent / "static" / "widget.js"
"""The built module that draws every view."""


class Answering(Protocol):
    """An output, as far as its widget asks it."""

    @property
    def key(self) -> str: ...
    def answer(self, content: dict[str, Any]) -> dict[str, Any] | None: ...


class ShownOutput(Answering, Protocol):
    """An output of one run, as far as its widget begins with it."""

    @property
    def place(self) -> str: ...
    @property
    def run_id(self) -> int: ...
    @property
    def is_over(self) -> bool: ...
    def snapshot(self, *, withheld: bool = False) -> dict[str, Any]: ...


class OutputWidget(anywidget.AnyWidget):
    """A widget whose messages an output answers. Its id is the key of the output.

    Args:
        output: answers the messages.
        traits: further synchronized values.
    """

    # The text, not the path: anywidget would hold each widget for ever, to report changes.
    _esm = MODULE.read_text(encoding="utf-8")

    key = traitlets.Unicode().tag(sync=True)

    def __init__(self, output: Answering, **traits: Any) -> None:
        self._output = output
        # By this id the page finds its own raw model, and its output in the notebook.
        super().__init__(key=output.key, model_id=output.key, **traits)
        prefer_subshells(self.comm)
        self.on_msg(self._answer)

    def reference(self) -> dict[str, Any]:
        """The output, by MIME type, by which a front end shows this widget."""
        reference = {"model_id": self.model_id, "version_major": 2, "version_minor": 0}
        return {WIDGET_VIEW_MIME: reference}

    def close(self) -> None:
        """Close it for all pages, with the layout that ipywidgets made and would keep."""
        layout = getattr(self, "layout", None)
        if layout is not None:
            layout.close()
        super().close()

    def _answer(self, widget: object, content: dict[str, Any], buffers: object) -> None:
        answer = self._output.answer(content)
        if answer is not None:
            self.send(answer)


class LiveWidget(OutputWidget):
    """Shows one run.

    Args:
        output: what is shown.
    """

    place = traitlets.Unicode().tag(sync=True)
    run_id = traitlets.Int().tag(sync=True)
    # False keeps the page off the control channel, so that a test can see the other roads work.
    control_road = traitlets.Bool(True).tag(sync=True)
    # Exists only in `get_state` (comm open, page reload): an assigned trait would send the whole
    # text at every change.
    snapshot = traitlets.Dict().tag(sync=True)

    def __init__(self, output: ShownOutput) -> None:
        self._shown = output
        super().__init__(output, place=output.place, run_id=output.run_id)

    def get_state(self, key: Any = None, drop_defaults: bool = False) -> dict[str, Any]:
        """The model's state, including the view's text if that or the whole state is requested."""
        state: dict[str, Any] = super().get_state(key, drop_defaults)
        if key == "snapshot":
            state["snapshot"] = self._shown.snapshot()
        if key is None:
            # A page that is loaded asks for all widgets at once, and shows few of those that are
            # over; these ask for their text later.
            state["snapshot"] = self._shown.snapshot(withheld=self._shown.is_over)
            page_views.page_came()
        return state


class ColumnsWidget(OutputWidget):
    """Shows several runs side by side.

    Args:
        output: what is shown.
        columns: the name and key of each.
    """

    columns: traitlets.List[Any] = traitlets.List().tag(sync=True)

    def __init__(self, output: Answering, columns: list[dict[str, str]]) -> None:
        super().__init__(output, columns=columns)


def prefer_subshells(comm: Any) -> None:
    """Let a comm's messages be handled in a subshell, if there are any, while a cell blocks.

    ipykernel 7.4 sends them to the shell that last sent on the comm: a widget made in a cell would
    hear nothing until that cell ends. The method is private, so it may be missing.
    """
    if hasattr(comm, "_reply_subshell_for"):
        comm._reply_subshell_for = _default_subshell


def _default_subshell(data: object, default: Any) -> Any:
    return default
