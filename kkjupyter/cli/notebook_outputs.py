"""Writes a kernel's output to the terminal at once, and into the notebook."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import takewhile
from typing import Any, TextIO

from nbformat import NotebookNode
from nbformat.v4 import output_from_msg

from kkjupyter.plaintext import without_controls

__all__ = ["Outputs", "Screen", "head_of"]

_HEAD_LINES = 3
_WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"


class Screen:
    """The terminal, or another stdout, to which output is added as it arrives."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._colours = out.isatty()
        self._open_line = False

    def head(self, number: int, cell: NotebookNode) -> None:
        """Announce a cell by its head."""
        lines = head_of(cell.source)
        if cell.cell_type == "code":
            rest = len(cell.source.strip().splitlines()) - len(lines)
            lines = [f"[{number}] {lines[0]}", *(f"    {line}".rstrip() for line in lines[1:])]
            lines[-1] += f"  (+{rest} lines)" if rest > 0 else ""
        else:
            lines = [lines[0].lstrip("# ")]
        self.line("")
        for line in lines:
            self.line(f"\x1b[1m{line}\x1b[0m" if self._colours else line)

    def add(self, text: str) -> None:
        """Write text as it is, flushed; only cursor movements are left out."""
        text = without_controls(text, keep_colours=self._colours)
        if text:
            self._out.write(text)
            self._out.flush()
            self._open_line = not text.endswith("\n")

    def line(self, text: str) -> None:
        """Write text on separate lines."""
        self.end_line()
        self.add(text + "\n")

    def end_line(self) -> None:
        """Finish a line that is not finished yet."""
        if self._open_line:
            self.add("\n")


class Outputs:
    """Takes the messages of a kernel, shows them, and keeps them in their cell."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._cell: Any = None
        self._clear_first = False
        self._displays: dict[str, list[NotebookNode]] = {}
        self._shown: dict[str, str] = {}
        self._views: dict[str, str] = {}  # widget model -> display
        self._last_shown: str | None = None

    def begin(self, cell: NotebookNode) -> None:
        """Begin ``cell``: output belongs to it from now on."""
        self._screen.end_line()
        self._cell = cell
        self._clear_first = False
        self._last_shown = None

    def finish(self) -> None:
        """End the cell."""
        self._screen.end_line()

    def take(self, message: Mapping[str, Any], *, is_ours: bool) -> None:
        """Show and keep one IOPub message; messages without output are ignored.

        Args:
            is_ours: whether the running cell caused it. An earlier cell's text is shown, but only
                its display updates can be kept: they say where they belong.
        """
        kind, content = message["msg_type"], message["content"]
        if kind == "comm_msg":
            self._show_live(content)
        elif kind == "update_display_data":
            self._update(content)
        elif kind == "clear_output" and is_ours:
            self._clear_first = bool(content["wait"])
            if not content["wait"]:
                self._cell.outputs.clear()
        elif kind == "stream":
            if is_ours:  # first of all: Ctrl-C may come while it is shown
                self._keep_stream(_output(message))
            self._forget_last()
            self._screen.add(content["text"])
        elif kind in ("display_data", "execute_result", "error"):
            self._show(kind, content)
            if is_ours:
                self._keep(_output(message), content.get("transient", {}).get("display_id"))

    # -- the terminal -------------------------------------------------------------------------

    def _show(self, kind: str, content: Mapping[str, Any]) -> None:
        if kind == "error":
            self._forget_last()
            self._screen.line("\n".join(content["traceback"]))
            return
        display_id = content.get("transient", {}).get("display_id")
        text = _text_of(content["data"])
        widget = content["data"].get(_WIDGET_VIEW)
        if widget is not None:
            # Its content comes as messages to the widget; the text only stands in for it.
            self._views[widget["model_id"]] = display_id or widget["model_id"]
        elif display_id is None:
            self._forget_last()
            if text:
                self._screen.line(text)
        else:
            self._shown.pop(display_id, None)
            self._show_display(display_id, text)

    def _show_live(self, content: Mapping[str, Any]) -> None:
        """Write what one of our live views is told to append; other widgets have no text."""
        said = content["data"].get("content") or {}
        display_id = self._views.get(content["comm_id"])
        if display_id is None or not said.get("text"):
            return
        if said.get("kind") == "delta":
            self._show_display(display_id, self._shown.get(display_id, "") + said["text"])
        elif said.get("kind") == "reset":  # the view has become another one
            self._show_display(display_id, said["text"])

    def _show_display(self, display_id: str, text: str) -> None:
        """Write the new part of a display, or all of it if it is not the last on the screen."""
        shown = self._shown.get(display_id, "")
        self._shown[display_id] = text
        if self._last_shown != display_id:
            self._screen.end_line()
            self._last_shown = display_id
        elif text.startswith(shown):
            text = text[len(shown) :]
        elif shown and shown in text:  # the final form of a live view adds its state
            self._screen.end_line()
            text = text.replace(shown, "", 1).strip("\n")
        else:
            self._screen.end_line()
        self._screen.add(text)

    def _forget_last(self) -> None:
        if self._last_shown is not None:
            self._screen.end_line()
            self._last_shown = None

    # -- the notebook -------------------------------------------------------------------------

    def _keep(self, output: NotebookNode, display_id: str | None) -> None:
        self._clear_if_asked()
        _drop_widget(output)
        self._cell.outputs.append(output)
        if display_id is not None:
            self._displays.setdefault(display_id, []).append(output)

    def _keep_stream(self, output: NotebookNode) -> None:
        self._clear_if_asked()
        last = self._cell.outputs[-1] if self._cell.outputs else {}
        if last.get("output_type") == "stream" and last["name"] == output["name"]:
            last["text"] += output["text"]
        else:
            self._cell.outputs.append(output)

    def _update(self, content: Mapping[str, Any]) -> None:
        display_id = content["transient"]["display_id"]
        self._show_display(display_id, _text_of(content["data"]))
        for output in self._displays.get(display_id, []):
            output["data"] = dict(content["data"])
            output["metadata"] = dict(content["metadata"])
            _drop_widget(output)

    def _clear_if_asked(self) -> None:
        if self._clear_first:
            self._cell.outputs.clear()
            self._clear_first = False


def head_of(source: str) -> list[str]:
    """The first lines of a cell: its heading or explanation, and a little of its code."""
    lines = source.strip().splitlines() or [""]
    comments = list(takewhile(lambda line: line.startswith("#"), lines))
    head = "\n".join(lines[: len(comments) + _HEAD_LINES])
    return head.rstrip().splitlines() or [""]


def _output(message: Mapping[str, Any]) -> NotebookNode:
    return output_from_msg(message)  # type: ignore[no-any-return]


def _text_of(data: Mapping[str, Any]) -> str:
    text = data.get("text/plain", "")
    return text if isinstance(text, str) else "".join(text)


def _drop_widget(output: NotebookNode) -> None:
    """Without its saved state a widget would reopen as "model not found"."""
    output.get("data", {}).pop(_WIDGET_VIEW, None)
