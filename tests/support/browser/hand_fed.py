"""A live view in a real notebook page that a test feeds by hand.

So a test says to the frame what has come and when the end is, and nothing takes the view's place::

    view = HandFed(lab, 1)
    view.write("line 1\\n")
    view.end("cancelled")
"""

from __future__ import annotations

from importlib.resources import files
from typing import Any, Final

from playwright.sync_api import Locator

from support.browser.lab import Lab

__all__ = ["HandFed"]

# The model has no widget manager: no kernel is asked for anything.
_OPEN: Final = """async ([index, source, snapshot]) => {
  const cell = window.jupyterapp.shell.currentWidget.content.widgets[index];
  const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
  const widget = (await import(url)).default;
  const listeners = new Set();
  const key = String(Math.random());
  const traits = { key, place: "", run_id: 3, control_road: false, snapshot };
  const model = {
    get: (name) => traits[name],
    send: (message) => hand.sent.push(message.kind),
    on: (_, callback) => listeners.add(callback),
    off: (_, callback) => listeners.delete(callback),
  };
  const hand = { sent: [], hear: (message) => listeners.forEach((one) => one(message)) };
  window.kkHand = hand;
  await widget.initialize({ model });
  const place = document.createElement("div");
  cell.outputArea.node.querySelector(".jp-OutputArea-output").append(place);
  await widget.render({ model, el: place });
}"""
_HEAR: Final = "(message) => window.kkHand.hear(message)"


class HandFed:
    """A live view at the end of the first output of a cell.

    Attributes:
        box: the scrolled box that shows what was written.
        root: the whole view.
    """

    def __init__(self, lab: Lab, index: int, *, title: str = "lines()") -> None:
        self._lab = lab
        self._status: dict[str, Any] = {
            "run_id": 3,
            "title": title,
            "state": "streaming",
            "kind": "stream",
            "count": 0,
            "elapsed_s": 1.0,
            "first_item_s": 0.31,
            "error": "",
            "notes": [],
        }
        self._end = 0
        snapshot = {
            "text": "",
            "end": 0,
            "left_out": 0,
            "view": "text",
            "pane": "text",
            "part": None,
            "status": self._status,
        }
        source = (files("kkjupyter") / "static" / "widget.js").read_text(encoding="utf-8")
        lab.page.evaluate(_OPEN, [index, source, snapshot])
        self.root: Locator = lab.output(index).locator(".kkj")
        self.box: Locator = self.root.get_by_role("log")

    def write(self, text: str) -> None:
        """One more item."""
        self._status["count"] += 1
        message = {"kind": "delta", "offset": self._end, "text": text, "status": self._status}
        self._end += len(text)
        self._lab.page.evaluate(_HEAR, message)

    def end(self, state: str = "done", **changes: Any) -> None:
        status = {**self._status, "state": state, **changes}
        self._lab.page.evaluate(_HEAR, {"kind": "end", "end": self._end, "status": status})

    def asked(self) -> list[str]:
        """The kinds of the messages that the view has sent."""
        found: list[str] = self._lab.page.evaluate("() => window.kkHand.sent")
        return found
