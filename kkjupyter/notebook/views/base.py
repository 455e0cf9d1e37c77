"""The base of every view: values in, source to append out, a static bundle at the end."""

from __future__ import annotations

import pathlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

from kkjupyter.notebook.run_status import Status
from kkjupyter.notebook.safe_text import rewritten
from kkjupyter.notebook.views.saved_form import Body, static_bundle, text_body, with_html
from kkjupyter.notebook.views.saved_size import fitting_body
from kkjupyter.notebook.views.transcript import Excerpt, Transcript

__all__ = ["PARTS", "RETAINED_BYTES", "SAVED_BYTES", "View"]

RETAINED_BYTES = 64 << 20
SAVED_BYTES = 5_000_000
PARTS = pathlib.Path(__file__).parent.parent.parent / "static"
"""Where the built parts of the front end are."""


class View(ABC):
    """Formats the values of one run.

    A view turns values into *source*: text that is only ever appended to. The page gets it piece by
    piece and hands it to the view's *pane*, which draws it: the ``text`` pane shows it as it is,
    others (``markdown``, ``table``, ...) read it. At the end :meth:`body` turns the source into the
    saved output.

    To write one, derive from this class, implement :meth:`render`, and register it with
    ``@kk.view("name")``. A view belongs to one run. :meth:`feed` and :meth:`finish` are called by
    one thread; everything else may be called from any thread. The source must have no lone
    surrogates and no control characters that a terminal would obey, whatever the remote side sends.

    Args:
        retained_bytes: how much source is kept; beyond it, only its beginning and its newest part.
        saved_bytes: how much the output may take in the notebook file, in all its forms together;
            less than 100,000 limits only the source.

    Attributes:
        name: its name for ``--view``.
        pane: the front end's part that draws it.
        part: the built ES module of that pane (it exports ``makePane``); None if every page has it.
        terminal: its replacement for terminals, or the name of it; by default itself.
        version: counts how often the source was restarted; a page must then drop the old source.
        is_behind: whether values were held back that ``render_held`` draws.
    """

    name: ClassVar[str] = ""
    terminal: ClassVar[str | type[View]] = ""
    pane: str = "text"
    part: pathlib.Path | None = None
    version: int = 0
    is_behind: bool = False
    # One of several columns, which stand side by side in HTML only.
    _is_column: bool = False

    def __init__(
        self, *, retained_bytes: int = RETAINED_BYTES, saved_bytes: int = SAVED_BYTES
    ) -> None:
        self._transcript = Transcript(retained_bytes)
        self.saved_bytes = saved_bytes

    # ---- what a view defines

    @classmethod
    def suits(cls, item: Any) -> bool:
        """Whether ``auto`` chooses this view for a stream that begins with ``item``."""
        return False

    @classmethod
    def bears(cls, item: Any) -> bool:
        """Whether ``auto`` stays with this view when ``item`` is one of the first items."""
        return True

    @abstractmethod
    def render(self, items: Sequence[Any]) -> str:
        """The source to append for these values; may be empty."""

    def render_held(self) -> str:
        """The source of values that :meth:`render` has held back for a moment, if it is time.

        Called again and again while :attr:`is_behind`, also when no values come.
        """
        return ""

    def flush(self) -> str:
        """The rest that was held back (half of a surrogate pair). Called once, at the end."""
        return ""

    def body(self, excerpt: Excerpt) -> Body:
        """The saved output; by default the source, as the text pane shows it.

        Args:
            excerpt: the part of the source that is saved.
        """
        return text_body(replace(excerpt, text=self._as_shown(excerpt.text)))

    def fitting(self, *, needs_html: bool = True) -> tuple[Excerpt, Body]:
        """The excerpt and the body that together take at most ``saved_bytes`` in a file.

        Args:
            needs_html: whether the body must have HTML even if that is only its text once more.
        """

        def made(limit_bytes: int) -> tuple[Excerpt, Body]:
            excerpt = self._excerpt(limit_bytes)
            body = self.body(excerpt)
            return excerpt, with_html(body) if needs_html else body

        return fitting_body(made, self.transcript.size_bytes, self.saved_bytes)

    # ---- what other modules use

    @property
    def transcript(self) -> Transcript:
        """The source so far."""
        return self._transcript

    @property
    def text(self) -> str:
        """All retained text so far."""
        return self.transcript.excerpt().text

    def feed(self, items: Sequence[Any]) -> str:
        """Take the next values and return the source to append for them."""
        return self._retain(self.render(items))

    def catch_up(self) -> str:
        """Return the source to append for values that were held back."""
        return self._retain(self.render_held())

    def finish(self) -> str:
        """Return the rest that was held back. Do not feed anything afterwards."""
        return self._retain(self.flush())

    def saved(self) -> Excerpt:
        """The part of the source for a reloaded page: at most ``saved_bytes``."""
        return self.transcript.excerpt(self.saved_bytes)

    def bundle(self, status: Status) -> dict[str, Any]:
        """The static MIME bundle of a run that has ended; shown and saved without any widget.

        All its forms together take at most ``saved_bytes`` in the notebook file; each of them says
        how much is left out.
        """
        # Plain text has no notes.
        needs_html = self._is_column or bool(status.notes)
        excerpt, body = self.fitting(needs_html=needs_html)
        return static_bundle(self.name, self.pane, body, status, left_out=excerpt.left_out)

    def save_one_of(self, count: int) -> None:
        """Share the notebook file's limit with the other views of one output."""
        self.saved_bytes //= max(1, count)
        self._is_column = self._is_column or count > 1

    def _as_shown(self, source: str) -> str:
        """The final form of overwritten lines; a part reads its source itself."""
        return source if self.part else rewritten(source)

    def _excerpt(self, limit_bytes: int) -> Excerpt:
        """At most about so much of the source, for the saved output."""
        return self.transcript.excerpt(limit_bytes)

    def _retain(self, source: str) -> str:
        self.transcript.append(source)
        return source
