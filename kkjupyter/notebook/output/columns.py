"""The live output of several runs side by side; each column is a :class:`LiveOutput`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kkjupyter.notebook.output import page_messages
from kkjupyter.notebook.output.ended import StaticOutput, ended_outputs
from kkjupyter.notebook.output.front_end import FrontEnd, front_end
from kkjupyter.notebook.output.live_output import LiveOutput, Widget, live_line
from kkjupyter.notebook.output.page_views import page_views
from kkjupyter.notebook.output.pages import pages
from kkjupyter.notebook.run_status import Status
from kkjupyter.notebook.safe_text import whole
from kkjupyter.notebook.views.comparison_table import columns_bundle
from kkjupyter.notebook.views.saved_form import MIME_TYPE

__all__ = ["ColumnsOutput"]


class ColumnsOutput:
    """Holds the outputs of the columns; it tells pages only the static bundle, if they ask.

    Args:
        outputs: the columns, by name.
        key: the id under which pages know it.
    """

    def __init__(self, outputs: Mapping[str, LiveOutput], key: str) -> None:
        self._outputs = dict(outputs)
        self._static = StaticOutput()
        self.key = key
        self.widget: Widget | None = None
        page_views.add(key, self)
        if not pages.has_extension and front_end() is not FrontEnd.EXECUTOR:
            from kkjupyter.notebook.output.widget import ColumnsWidget  # imports ipywidgets

            self.widget = ColumnsWidget(self, self.columns)

    def display_bundle(self) -> dict[str, Any]:
        """The first display, for pages with the extension, with widgets, and with neither."""
        widget = {} if self.widget is None else self.widget.reference()
        names = ", ".join([whole(name) for name in self._outputs])
        columns = [{"name": name, **one.live_json()} for name, one in self._outputs.items()]
        live = {"view": "compare", "pane": "compare", "key": self.key, "columns": columns}
        return {MIME_TYPE: live, "text/plain": live_line(f"comparing {names}"), **widget}

    def end(
        self, bundles: Mapping[str, dict[str, Any]], statuses: Mapping[str, Status]
    ) -> dict[str, Any]:
        """All columns have ended; a page that missed this may ask for their static output.

        Args:
            bundles: the static output of each column, by name.
            statuses: the final status of each run, by name.

        Returns:
            The static output of all.
        """
        bundle = columns_bundle(bundles, statuses)
        bundle = {**bundle, MIME_TYPE: {**bundle[MIME_TYPE], "key": self.key}}
        self._static.put(bundle, self._send)
        ended_outputs.keep(self)
        return bundle

    @property
    def columns(self) -> list[dict[str, str]]:
        """The name and key of each column."""
        return [{"name": name, "key": output.key} for name, output in self._outputs.items()]

    @property
    def held_bytes(self) -> int:
        """How much is kept for a page that may ask for it, of the columns, too."""
        return self._static.size_bytes + sum(one.held_bytes for one in self._outputs.values())

    def forget(self) -> None:
        """Keep it no more."""
        self._static.forget()
        for output in self._outputs.values():
            output.forget()

    def close(self) -> None:
        """Answer nobody any more, about the columns, too."""
        for output in self._outputs.values():
            output.close()
        page_views.remove(self.key)
        if self.widget is not None:
            self.widget.close()

    def answer(self, content: dict[str, Any]) -> dict[str, Any] | None:
        """The answer to a question of a page; None if there is none (yet). Any thread."""
        match content:
            case {"kind": "bundle"}:
                return self._static.ask()
            case {"kind": "saved"}:
                ended_outputs.drop(self)
        return None

    def _send(self, content: dict[str, Any]) -> None:
        if pages.has_extension:
            page_messages.send(page_messages.VIEW_MESSAGE, {"key": self.key, **content})
        if self.widget is not None:
            self.widget.send(content)
