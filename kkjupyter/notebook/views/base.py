"""What every view is: values in, text to append out, a static bundle at the end."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

from kkjupyter.notebook.status import Status
from kkjupyter.notebook.views.bundle import checkpoint_bundle, static_bundle
from kkjupyter.notebook.views.transcript import Excerpt, Transcript

__all__ = ["RETAINED_BYTES", "SAVED_BYTES", "View"]

RETAINED_BYTES = 64 << 20
SAVED_BYTES = 5_000_000


class View(ABC):
    """How the values of one run become text.

    A view belongs to one run. :meth:`feed` and :meth:`finish` are called by one thread; everything
    else may be asked from any thread. Its text is free of lone surrogates and of control characters
    a terminal would act on, whatever the remote side sends.

    Args:
        retained_bytes: how much text is kept; beyond it head and newest stay.
        saved_bytes: how much of that goes into the notebook file.
    """

    name: ClassVar[str]

    def __init__(
        self, *, retained_bytes: int = RETAINED_BYTES, saved_bytes: int = SAVED_BYTES
    ) -> None:
        self.transcript = Transcript(retained_bytes)
        self.saved_bytes = saved_bytes

    @property
    def text(self) -> str:
        """Everything retained so far."""
        return self.transcript.excerpt().text

    def feed(self, items: Sequence[Any]) -> str:
        """Take the next values and return the text to append for them (maybe none yet)."""
        return self._retain(self._render(items))

    def finish(self) -> str:
        """Return what was held back (half of a surrogate pair). Nothing may be fed afterwards."""
        return self._retain(self._flush())

    def saved(self) -> Excerpt:
        """The text as far as a notebook file (or a reloaded page) gets it."""
        return self.transcript.excerpt(self.saved_bytes)

    def bundle(self, status: Status) -> dict[str, Any]:
        """The static MIME bundle of a run that has ended; shown and saved without any widget."""
        return static_bundle(self.name, self.saved(), status)

    def checkpoint(self, status: Status) -> dict[str, Any]:
        """One MIME type only, to stand next to a live widget; says "not finished when saved".

        It belongs into the first display. Do not send it again by ``update_display`` while the
        widget is on screen: JupyterLab would rebuild the view, and a selection would be lost. The
        page writes a fresh one into the file whenever the notebook is saved in mid-stream.
        """
        return checkpoint_bundle(self.saved(), status)

    @abstractmethod
    def _render(self, items: Sequence[Any]) -> str:
        """The text for these values."""

    def _flush(self) -> str:
        return ""

    def _retain(self, text: str) -> str:
        self.transcript.append(text)
        return text
