"""The latest view: only the newest value, in place."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from kkjupyter.notebook.views.base import PARTS, RETAINED_BYTES, SAVED_BYTES
from kkjupyter.notebook.views.rich.mime import MimeForms
from kkjupyter.notebook.views.rich.records import line_of_value, records_in
from kkjupyter.notebook.views.rich.view import RichInTerminal, RichView, size_bytes
from kkjupyter.notebook.views.saved_form import Body
from kkjupyter.notebook.views.transcript import Excerpt

__all__ = ["LatestInTerminal", "LatestView"]

_INTERVAL_S = 1 / 30
# After a value that took long: the first may, for what it imports.
_LONGEST_PAUSE_S = 0.5
_IN_TERMINAL_S = 1.0
# Values that are no longer shown stay in the source up to so much; then it begins anew.
_STALE_BYTES = 256_000
_PNG = "image/png"


class LatestInTerminal(RichInTerminal):
    """The newest value about once a second, and the last one: a terminal takes nothing back."""

    name = "latest"

    def __init__(
        self, *, retained_bytes: int = RETAINED_BYTES, saved_bytes: int = SAVED_BYTES
    ) -> None:
        super().__init__(retained_bytes=retained_bytes, saved_bytes=saved_bytes)
        self._unsaid: list[Any] = []
        self._due_s = 0.0

    def render(self, items: Sequence[Any]) -> str:
        """The newest of these values, if there was none for a second."""
        self._unsaid = [*items[-1:]] or self._unsaid
        return "" if time.monotonic() < self._due_s else self.flush()

    def flush(self) -> str:
        """The last value, unless it was already printed."""
        unsaid, self._unsaid = self._unsaid, []
        self._due_s = time.monotonic() + _IN_TERMINAL_S
        return super().render(unsaid)


class LatestView(RichView):
    """Shows the newest value only: text, a number, what has parts on several lines, or a rich form.

    A value that is followed by another within a 30th of a second is not drawn, and neither is one
    that comes within the time that the last one has taken to draw; but no longer than half a second
    after it: the first may take seconds, because what draws it is imported.
    """

    name = "latest"
    terminal = LatestInTerminal
    pane = "latest"
    part = PARTS / "latest.js"

    def __init__(
        self, *, retained_bytes: int = RETAINED_BYTES, saved_bytes: int = SAVED_BYTES
    ) -> None:
        super().__init__(retained_bytes=retained_bytes, saved_bytes=saved_bytes)
        self._held: list[Any] = []
        self._due_s = 0.0
        self._sent_bytes = 0

    @classmethod
    def suits(cls, item: Any) -> bool:
        """Never by itself: that older values are not shown is for the user to say."""
        return False

    def render(self, items: Sequence[Any]) -> str:
        """A line for the newest value, unless one was drawn a moment ago."""
        self._held = [*items[-1:]] or self._held
        self.is_behind = bool(self._held)
        return self.render_held()

    def render_held(self) -> str:
        """A line for the newest value, as soon as it is time."""
        return "" if time.monotonic() < self._due_s else self.flush()

    def flush(self) -> str:
        """A line for the last value, unless it was already drawn."""
        held, self._held, self.is_behind = self._held, [], False
        if not held:
            return ""
        begun_s = time.monotonic()
        line = line_of_value(held[0])
        now_s = time.monotonic()
        self._due_s = now_s + min(max(_INTERVAL_S, now_s - begun_s), _LONGEST_PAUSE_S)
        return self._added([line])

    def body(self, excerpt: Excerpt) -> Body:
        """The last value; a picture also as such, for exports without HTML."""
        body = super().body(excerpt)
        match [*records_in(excerpt.text)]:
            case [MimeForms({"image/png": str(picture)})]:
                return replace(body, others={_PNG: picture})
        return body

    def _added(self, lines: Sequence[str]) -> str:
        self._kept.clear()
        self._kept.extend(lines)
        self._kept_bytes = sum(map(size_bytes, lines))
        if self._sent_bytes + self._kept_bytes > _STALE_BYTES:
            self._restart()
            self._sent_bytes = 0
        self._sent_bytes += self._kept_bytes
        return "".join(lines)
