"""The live output of one run: what pages are told of it, and the answers to their questions."""

from __future__ import annotations

import pathlib
import uuid
from dataclasses import dataclass
from typing import Any, Protocol

from kkjupyter.notebook.output import assets, page_messages
from kkjupyter.notebook.output.answers import NO_ANSWERS, Answers, EarlierAnswers
from kkjupyter.notebook.output.ended import StaticOutput, ended_outputs
from kkjupyter.notebook.output.front_end import FrontEnd, front_end
from kkjupyter.notebook.output.page_views import ViewedRun, page_views, report
from kkjupyter.notebook.output.pages import pages
from kkjupyter.notebook.run_status import Status
from kkjupyter.notebook.safe_text import whole
from kkjupyter.notebook.views.base import View
from kkjupyter.notebook.views.saved_form import MIME_TYPE
from kkjupyter.notebook.views.transcript import Excerpt, Transcript, utf16_len

__all__ = ["LiveOutput", "Widget", "live_line"]


class Widget(Protocol):
    """The widget that shows an output where no page has the extension."""

    def send(self, content: dict[str, Any]) -> object: ...
    def close(self) -> None: ...
    def reference(self) -> dict[str, Any]:
        """The output, by MIME type, by which a front end shows it."""


class LiveOutput:
    """Tells pages of one run while it streams, and answers them.

    Pages with the lab extension listen to messages for all, which contain the key of the output;
    for other front ends there is a widget. Deltas have offsets: a page that missed one, was
    reloaded, or came later asks for the missing text, and nothing else is sent twice. Several
    outputs may show one :class:`View`.

    :meth:`push` and :meth:`end` belong to one thread; :meth:`answer` may be called on any. After
    :meth:`end` it answers until a page reports that its notebook was saved: a page that was
    reloaded during the stream needs it to write the static bundle into its notebook. It keeps only
    the text of its view, as long as there is room (:mod:`kkjupyter.notebook.output.ended`).

    Args:
        view: whose text this shows.
        run: what it shows; text that the view already has is shown at once.
        place: the key of the output in which this one is a column; ``""`` if it stands alone.
        earlier: the answers above it, which were shown here before.

    Attributes:
        key: the id under which pages know it.
        widget: for front ends without the extension; None where a page has that.
    """

    def __init__(
        self,
        *,
        view: View,
        run: ViewedRun,
        place: str = "",
        earlier: EarlierAnswers = NO_ANSWERS,
    ) -> None:
        self._view: View | _Ended = view
        self._run: ViewedRun | None = run  # held until its end
        self._status = run.status()
        self._static = StaticOutput()
        self._answers = Answers(earlier, view.saved_bytes)
        self.key = uuid.uuid4().hex
        self.place = place
        self.run_id = self._status.run_id
        self.widget: Widget | None = None
        page_views.add(self.key, self)
        shown_by = front_end()
        if not pages.has_extension and shown_by is not FrontEnd.EXECUTOR:
            from kkjupyter.notebook.output.widget import LiveWidget  # imports ipywidgets

            self.widget = LiveWidget(self)
            if shown_by is FrontEnd.MARIMO:
                from kkjupyter.notebook.output.marimo import CarriedWidget  # imports marimo

                self.widget = CarriedWidget(self.widget, self)

    # ---- for questions about the run; any thread

    @property
    def status(self) -> Status:
        """The run as it was last reported to the pages."""
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

    # ---- asking once more; any thread

    @property
    def answers(self) -> Answers:
        """This answer, those before it, and the way to the next."""
        return self._answers

    def replaced_by(self, output: LiveOutput) -> None:
        """Another output has taken its place; pages that still have this one are told."""
        self.send({"kind": "again", "bundle": output.form()})
        ended_outputs.drop(self)
        self.close()
        output.answers.stand_in(self.key, output.form)

    def form(self) -> dict[str, Any] | None:
        """The output as it is now; None if that is no longer known."""
        return self._static.bundle if self.is_over else self.display_bundle()

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
        self.send({"kind": "reset", **self.snapshot()})

    def end(self, status: Status, bundle: dict[str, Any]) -> dict[str, Any]:
        """Send the last state, after the last :meth:`push`.

        Args:
            status: the run at its end.
            bundle: the static bundle, :meth:`View.bundle`.

        Returns:
            The bundle by which the pages know their output again. Show it through the display
            handle; a page that was reloaded does not get that message, and asks for this copy.
        """
        self._status = status
        view = self._view
        # Neither the view nor the run is held from now on.
        self._run = None
        self._view = _Ended(view.name, view.pane, view.part, view.saved_bytes, view.transcript)
        if MIME_TYPE in bundle:
            has_text = status.kind != "unary" or status.state != "done" or view.transcript.end > 0
            fields = self._answers.ended(bundle, can_be_asked=has_text)
            bundle = self._answers.form(
                {**bundle, MIME_TYPE: {**bundle[MIME_TYPE], "key": self.key, **fields}}
            )
        if not self.place:  # of a column, what holds all columns keeps it
            self._static.put(bundle, self.send)
            ended_outputs.keep(self)
        end = view.transcript.end
        self.send({"kind": "end", "end": end, "status": status.to_json()})
        return bundle

    @property
    def held_bytes(self) -> int:
        """How much is kept, after the end, for a page that may ask for it."""
        held_bytes = self._static.size_bytes + self._view.transcript.size_bytes
        return held_bytes + self._answers.held_bytes

    def forget(self) -> None:
        """Keep it no more. Any thread, after the end."""
        self._static.forget()
        self._answers.forget()
        if isinstance(self._view, _Ended):
            self._view.transcript = Transcript(0)

    def close(self) -> None:
        """Answer nobody any more."""
        page_views.remove(self.key)
        self._answers.close()
        if self.widget is not None:
            self.widget.close()

    def display_bundle(self) -> dict[str, Any]:
        """The first display, for pages with the extension, with widgets, and with neither."""
        widget = {} if self.widget is None else self.widget.reference()
        line = live_line(f"streaming from {whole(self._status.title)}")
        return self._answers.form({MIME_TYPE: self.live_json(), "text/plain": line, **widget})

    def live_json(self) -> dict[str, Any]:
        """What a page with the extension begins with: the format of what is saved, not finished."""
        snapshot = self.snapshot()
        return {
            "key": self.key,
            **{name: snapshot[name] for name in ("view", "pane", "part", "left_out")},
            "source": snapshot["text"],
            "end": snapshot["end"],
            **snapshot["status"],
        }

    # ---- for the pages

    def send(self, content: dict[str, Any]) -> None:
        """Tell all pages, those that were opened in the meantime, too."""
        if pages.has_extension:
            page_messages.send(page_messages.VIEW_MESSAGE, {"key": self.key, **content})
        if self.widget is not None:
            self.widget.send(content)

    def snapshot(self, *, withheld: bool = False) -> dict[str, Any]:
        """All that a page needs to draw it.

        Args:
            withheld: without the text, which the page then asks for when it shows it.
        """
        excerpt = Excerpt("", 0, 0) if withheld else self._view.saved()
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

    @property
    def is_over(self) -> bool:
        """Whether the run has ended and the pages were told."""
        return isinstance(self._view, _Ended)

    def answer(self, content: dict[str, Any]) -> dict[str, Any] | None:
        """The answer to a question of a page; None if there is none (yet). Any thread."""
        match content:
            case {"kind": "again"}:
                return self._answers.ask(self)
            case {"kind": "askable"}:
                return {"kind": "askable", "again": self._answers.can_be_asked}
            case _ if self._answers.is_all_that_is_kept:
                return {"kind": "unknown"}
            case {"kind": "cancel"}:
                cancelled = self.cancel()
                return {"kind": "ack", "cancelled": cancelled, **report(self)}
            case {"kind": "state"}:
                return {"kind": "state", **report(self)}
            case {"kind": "need", "offset": int(offset)}:
                return self._missing(offset)
            case {"kind": "snapshot"}:
                return {"kind": "reset", **self.snapshot()}
            case {"kind": "copy"}:
                return {"kind": "copy", "text": self._view.text}
            case {"kind": "part", "id": str(part)}:
                return {"kind": "part", "id": part, "source": assets.source_of(part)}
            case {"kind": "bundle"}:
                return self._static.ask()
            case {"kind": "saved"}:
                self._is_saved()
        return None

    def _is_saved(self) -> None:
        if self._view.transcript.size_bytes <= self._view.saved_bytes:
            # Without the extension there is no button for it.
            if not self._answers.can_be_asked or not pages.has_extension:
                ended_outputs.drop(self)
                return
            if self.widget is not None:  # of a page that came before the extension was known
                self.widget.close()
                self.widget = None
            self._answers.is_all_that_is_kept = True
            self._static.forget()
            if isinstance(self._view, _Ended):
                self._view.transcript = Transcript(0)
            ended_outputs.keep(self)
        else:  # its Copy button gives more than was saved
            self._static.forget()
            ended_outputs.keep(self)

    def _missing(self, offset: int) -> dict[str, Any]:
        transcript = self._view.transcript
        if self.is_over and not transcript.end:
            # There was none, or it is no longer kept; the page at least learns of the end.
            return {"kind": "end", "end": offset, "status": self._status.to_json()}
        if transcript.end - offset <= self._view.saved_bytes:
            missing = transcript.since(offset)
            if missing is not None:
                delta = {"offset": offset, "text": missing, "status": self._status.to_json()}
                return {"kind": "delta", **delta}
        return {"kind": "reset", **self.snapshot()}


def live_line(what: str) -> str:
    """The text beside a live output, for front ends that show neither it nor a widget."""
    return f"{what}; live in JupyterLab and Notebook"


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
