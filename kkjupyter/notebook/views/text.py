"""The text view: strings joined as they are, as a model writes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kkjupyter.notebook.safe_text import PairJoiner
from kkjupyter.notebook.views.base import RETAINED_BYTES, SAVED_BYTES, View
from kkjupyter.notebook.views.text_joining import TextJoiner
from kkjupyter.plaintext import printable

__all__ = ["TextView"]


class TextView(View):
    """Appends strings, and bytes as UTF-8, without anything in between; None is nothing.

    Any other value gets a separate line.
    """

    name = "text"

    def __init__(
        self, *, retained_bytes: int = RETAINED_BYTES, saved_bytes: int = SAVED_BYTES
    ) -> None:
        super().__init__(retained_bytes=retained_bytes, saved_bytes=saved_bytes)
        self._pairs = PairJoiner()
        self._joiner = TextJoiner()

    @classmethod
    def suits(cls, item: Any) -> bool:
        """Suits strings."""
        return isinstance(item, str)

    def render(self, items: Sequence[Any]) -> str:
        """Strings and bytes joined, even if a character is cut; None is left out."""
        return printable(self._pairs.feed(self._joiner.feed(items)))

    def flush(self) -> str:
        """The part of a character whose other part never came."""
        return printable(self._pairs.feed(self._joiner.flush()) + self._pairs.flush())
