"""The live view of one run: a widget that sends new text and receives one command, cancel."""

from __future__ import annotations

import pathlib
import uuid
from dataclasses import dataclass
from typing import Any

import anywidget
import traitlets

from kkjupyter.notebook.output import assets
from kkjupyter.notebook.output.ended import StaticOutput, ended_widgets
from kkjupyter.notebook.output.page_views import ViewedRun, page_views, report
from kkjupyter.notebook.run_status import Status
from kkjupyter.notebook.views.base import View
from kkjupyter.notebook.views.transcript import Excerpt, Transcript, utf16_len

__all__ = [
    "MODULE",
    "WIDGET_VIEW_MIME",
    "LiveWidget",
    "close_layout",
    "prefer_subshells",
    "widget_reference",
]

WIDGET_VIEW_MIME = "application/vnd.jupyter.widget-view+json"
MODULE = pathlib.Path(__file__).parent.parent.parent / "static" / "widget.js"
"""The built module that draws every view."""


class LiveWidget(anywidget.AnyWidget):
    """Shows one run while it streams.

    Deltas have offsets: a page that missed one, or was reloaded, asks for the missing text, and
    nothing else is sent twice. Several widgets may show one :class:`View`.

    :meth:`push` and :meth:`end` belong to one thread; questions of the page are answered on the
    thread on which they arrive. The widget stays open after :meth:`end`, until a page reports that
    its notebook was saved: a page that was reloaded during the stream needs it to write the static
    bundle into its notebook. It keeps only the text of its view, and that as long as there is room
    (:mod:`kkjupyter.notebook.output.ended`).

    Args:
        view: whose text this shows.
        run: what it shows; text that the view already has is shown at once.
        control_road: False keeps the page off the control channel, so that a test can see the other
            roads work.
        place: the id of the widget in which this one is a column; ``""`` if it stands alone.
    """

    # The text, not the path: anywidget would hold each widget for ever, to report changes.
    _esm = MODULE.read_text(encoding="utf-8")

    key = traitlets.Unicode().tag(sync=True)
    place = traitlets.Unicode().tag(sync=True)
    run_id = traitlets.Int().tag(sync=True)
    control_road = traitlets.Bool(True).tag(sync=True)
    # Exists only in `get_state` (comm open, page reload): an assigned trait would send the whole
    # text at every change.
    snapshot = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        *,
        view: View,
        run: ViewedRun,
        control_road: bool = True,
        place: str = "",
    ) -> None:
        self._view: View | _Ended = view
        self._run: ViewedRun | None = run  # held until its end
        self._status = run.status()
        self._static = StaticOutput()
        key = uuid.uuid4().hex
        # By this id the page finds its own raw model, and its output in the notebook.
        super().__init__(
            key=key,
            model_id=key,
            place=place,
            run_id=self._status.run_id,
            control_road=control_road,
        )
        prefer_subshells(self.comm)
        self.on_msg(self._answer)
        page_views.add(key, self)

    # ---- for questions on the control channel; any thread

    @property
    def status(self) -> Status:
        """The run as it was last reported to the page."""
        return self._status

    @property
    def end_offset(self) -> int:
        """The length of the text, in UTF-16 units."""
        return self._view.transcript.end

    def run_status(self) -> Status:
        """The run now."""
        return self._status if self._run is None else self._run.status()

    def cancel(self) -> bool:
        """Cancel the run; return whether there was anything to cancel."""
        return self._run is not None and self._run.press_cancel()

    # ---- for the view thread

    def push(self, delta: str, status: Status) -> None:
        """Send new text. Call it at most 30 times a second.

        Args:
            delta: the text added to the view since the last push (may be empty).
            status: the run now.
        """
        self._status = status
        offset = self._view.transcript.end - utf16_len(delta)
        self.send({"kind": "delta", "offset": offset, "text": delta, "status": status.to_json()})

    def start_anew(self, status: Status) -> None:
        """Send everything once more, because the view was replaced.

        Args:
            status: the run now.
        """
        self._status = status
        self.send({"kind": "reset", **self._snapshot()})

    def end(self, status: Status, bundle: dict[str, Any]) -> None:
        """Send the last state, after the last :meth:`push`.

        Args:
            status: the run at its end.
            bundle: the static bundle, :meth:`View.bundle`. Show it through the display handle, too;
                a page that was reloaded does not get that message, and asks for this copy.
        """
        self._status = status
        view = self._view
        # Neither the view nor the run is held from now on.
        self._run = None
        self._view = _Ended(view.name, view.pane, view.part, view.saved_bytes, view.transcript)
        if not self.place:  # of a column, what holds all columns keeps it
            self._static.put(bundle, self.send)
            ended_widgets.keep(self)
        end = view.transcript.end
        self.send({"kind": "end", "end": end, "status": status.to_json()})

    @property
    def held_bytes(self) -> int:
        """How much is kept, after the end, for a page that may ask for it."""
        return self._static.size_bytes + self._view.transcript.size_bytes

    def forget(self) -> None:
        """Keep it no more. Any thread, after the end."""
        self._static.forget()
        if isinstance(self._view, _Ended):
            self._view.transcript = Transcript(0)

    def close(self) -> None:
        """Close it for all pages."""
        close_layout(self)
        super().close()

    def display_bundle(self) -> dict[str, Any]:
        """The first display: this widget, and the text for front ends without widgets."""
        assert isinstance(self._view, View)
        return {**self._view.checkpoint(self._status), **widget_reference(self.model_id)}

    # ---- for the page

    def get_state(self, key: Any = None, drop_defaults: bool = False) -> dict[str, Any]:
        """The model's state, including the view's text if the whole state is requested."""
        state: dict[str, Any] = super().get_state(key, drop_defaults)
        if key is None:
            # A page that is loaded asks for all widgets at once, and shows few of those that are
            # over; these ask for their text later.
            is_over = isinstance(self._view, _Ended)
            state["snapshot"] = self._snapshot(Excerpt("", 0, 0) if is_over else None)
            page_views.page_came()
        return state

    def _snapshot(self, excerpt: Excerpt | None = None) -> dict[str, Any]:
        withheld = excerpt is not None
        excerpt = self._view.saved() if excerpt is None else excerpt
        return {
            "withheld": withheld,
            "text": excerpt.text,
            "end": excerpt.end,
            "left_out": excerpt.left_out,
            "view": self._view.name,
            "pane": self._view.pane,
            "part": assets.id_of(self._view.part),
            "status": self._status.to_json(),
        }

    def _answer(self, widget: object, content: dict[str, Any], buffers: object) -> None:
        match content:
            case {"kind": "cancel"}:
                cancelled = self.cancel()
                self.send({"kind": "ack", "cancelled": cancelled, **report(self)})
            case {"kind": "state"}:
                self.send({"kind": "state", **report(self)})
            case {"kind": "need", "offset": int(offset)}:
                self._send_missing(offset)
            case {"kind": "copy"}:
                self.send({"kind": "copy", "text": self._view.text})
            case {"kind": "part", "id": str(part)}:
                self.send({"kind": "part", "id": part, "source": assets.source_of(part)})
            case {"kind": "bundle"}:
                self._static.ask(self.send)
            case {"kind": "saved"}:
                self._is_saved()

    def _is_saved(self) -> None:
        if self._view.transcript.size_bytes <= self._view.saved_bytes:
            ended_widgets.saved(self)
        else:  # its Copy button gives more than was saved
            self._static.forget()
            ended_widgets.keep(self)

    def _send_missing(self, offset: int) -> None:
        transcript = self._view.transcript
        if isinstance(self._view, _Ended) and not transcript.end:
            # There was none, or it is no longer kept; the page at least learns of the end.
            self.send({"kind": "end", "end": offset, "status": self._status.to_json()})
            return
        if transcript.end - offset <= self._view.saved_bytes:
            missing = transcript.since(offset)
            if missing is not None:
                delta = {"offset": offset, "text": missing, "status": self._status.to_json()}
                self.send({"kind": "delta", **delta})
                return
        self.send({"kind": "reset", **self._snapshot()})


@dataclass(slots=True)
class _Ended:
    """The rest of a view whose run is over: what a page may still ask for."""

    name: str
    pane: str
    part: pathlib.Path | None
    saved_bytes: int
    transcript: Transcript

    @property
    def text(self) -> str:
        return self.transcript.excerpt().text

    def saved(self) -> Excerpt:
        return self.transcript.excerpt(self.saved_bytes)


def close_layout(widget: Any) -> None:
    """Close the layout that ipywidgets made with a widget, and would keep."""
    layout = getattr(widget, "layout", None)
    if layout is not None:
        layout.close()


def widget_reference(model_id: str) -> dict[str, Any]:
    """The output by which a front end shows a widget."""
    return {WIDGET_VIEW_MIME: {"model_id": model_id, "version_major": 2, "version_minor": 0}}


def prefer_subshells(comm: Any) -> None:
    """Let a comm's messages be handled in a subshell, if there are any, while a cell blocks.

    ipykernel 7.4 sends them to the shell that last sent on the comm: a widget made in a cell would
    hear nothing until that cell ends. The method is private, so it may be missing.
    """
    if hasattr(comm, "_reply_subshell_for"):
        comm._reply_subshell_for = _default_subshell


def _default_subshell(data: object, default: Any) -> Any:
    return default
