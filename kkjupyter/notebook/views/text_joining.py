"""Joins the items of a stream of text into one text, piece by piece."""

from __future__ import annotations

import codecs
from collections.abc import Iterable
from typing import Any, Literal

from kkjupyter.notebook.views.foreign import text_of
from kkjupyter.notebook.views.json import line_of

__all__ = ["Kind", "Piece", "TextJoiner"]

Kind = Literal["answer", "reasoning", "note"]


class Piece(str):
    """Text from an LLM client's chunk.

    Attributes:
        kind: the ``"answer"``, the model's ``"reasoning"``, or a ``"note"`` about something else (a
            tool call).
        choice: the number of the alternative it belongs to.
        begins: whether a line begins with it.
    """

    __slots__ = ("begins", "choice", "kind")

    kind: Kind
    choice: int
    begins: bool

    def __new__(
        cls, text: str, kind: Kind = "answer", choice: int = 0, *, begins: bool = False
    ) -> Piece:
        """A piece with this text."""
        piece = super().__new__(cls, text)
        piece.kind, piece.choice, piece.begins = kind, choice, begins
        return piece

    def with_text(self, text: str) -> Piece:
        """The same piece with another text."""
        return Piece(text, self.kind, self.choice, begins=self.begins)

    def __reduce__(self) -> tuple[Any, ...]:
        return str, (str(self),)


class TextJoiner:
    """Joins items: strings as they are, any other item as a separate line of JSON.

    In a text, None is left out, and bytes are UTF-8, whose characters may be cut between two items.
    An answer after a model's reasoning begins a new paragraph.

    Args:
        is_text: whether None and bytes are treated like that, or become lines of JSON.
    """

    def __init__(self, *, is_text: bool = True) -> None:
        self._is_text = is_text
        self._at_line_start = True
        self._kind: Kind | None = None
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._has_cut_character = False

    def feed(self, items: Iterable[Any]) -> str:
        """The text that these items add. Never raises."""
        pieces: list[str] = []
        for item in items:
            kind = type(item)
            text = item if kind is Piece else text_of(item)
            if text is not None:
                if text:
                    self._add(pieces, text)
            elif self._is_text and item is None:
                continue
            elif self._is_text and issubclass(kind, (bytes, bytearray, memoryview)):
                self._decode(pieces, item)
            else:
                self._add_line(pieces, item)
        return "".join(pieces)

    def flush(self) -> str:
        """The rest that was held back: U+FFFD if the bytes ended in the middle of a character."""
        self._has_cut_character = False
        return self._decoder.decode(b"", final=True)

    def _add(self, pieces: list[str], text: str) -> None:
        if self._has_cut_character:
            pieces.append(self.flush())
        if type(text) is Piece:
            if self._kind not in (None, text.kind):
                pieces.append("\n" if self._at_line_start else "\n\n")
            elif text.begins and not self._at_line_start:
                pieces.append("\n")
            self._kind = text.kind
        else:
            self._kind = None
        pieces.append(text)
        self._at_line_start = str.endswith(text, "\n")

    def _add_line(self, pieces: list[str], item: Any) -> None:
        if self._has_cut_character:
            pieces.append(self.flush())
        try:
            line = line_of(item)
        except Exception as error:  # noqa: BLE001 - foreign code; the text goes on without it
            line = f"<{type(item).__name__}: its text cannot be made ({type(error).__name__})>"
        pieces.append(f"{line}\n" if self._at_line_start else f"\n{line}\n")
        self._at_line_start = True
        self._kind = None

    def _decode(self, pieces: list[str], data: bytes | bytearray | memoryview) -> None:
        try:
            raw = bytes(data)
        except (ValueError, BufferError):  # a released memoryview
            self._add_line(pieces, data)
            return
        text = self._decoder.decode(raw)
        self._has_cut_character = bool(self._decoder.getstate()[0])
        if text:
            pieces.append(text)
            self._at_line_start = text.endswith("\n")
            self._kind = None
