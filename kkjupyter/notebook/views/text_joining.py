"""Joins the items of a stream of text into one text, piece by piece."""

from __future__ import annotations

import codecs
from collections.abc import Iterable
from typing import Any

from kkjupyter.notebook.views.foreign import text_of
from kkjupyter.notebook.views.json import line_of
from kkjupyter.notebook.views.pieces import Kind, Piece

__all__ = ["TextJoiner"]

_FENCE = "```"
# The kinds that are blocks of code, and what their fences say.
_BLOCKS: dict[Kind | None, str] = {"tool_call": "tool-call", "tool_result": "tool-result"}


class TextJoiner:
    """Joins items: strings as they are, any other item as a separate line of JSON.

    In a text, None is left out, and bytes are UTF-8, whose characters may be cut between two items.
    A model's reasoning becomes a quotation, a tool call becomes a block of code, and each change of
    kind begins a new paragraph. This reads well as plain text and as Markdown.

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
        """The rest that was held back: U+FFFD for half a character, the end of a block."""
        pieces: list[str] = []
        self._leave(pieces)
        return "".join(pieces)

    def _add(self, pieces: list[str], text: str) -> None:
        if type(text) is not Piece:
            self._leave(pieces)
        else:
            kind = text.kind
            if self._has_cut_character or kind != self._kind or text.begins:
                self._enter(pieces, kind, text.begins)
            if kind == "reasoning":
                text = self._quoted(text)
            elif kind in _BLOCKS:
                # Indented, no line of it can end the block.
                text = text.replace("\n", "\n    ")
        pieces.append(text)
        self._at_line_start = str.endswith(text, "\n")

    def _enter(self, pieces: list[str], kind: Kind, begins: bool) -> None:
        """Begin what is of another kind than what came before, or begins a line of its own."""
        before = self._kind
        self._leave(pieces)
        is_torn = kind == "reasoning" and before is None and not self._at_line_start
        if is_torn or (before is not None and (kind != before or kind in _BLOCKS)):
            pieces.append("\n" if self._at_line_start else "\n\n")
            self._at_line_start = True
        elif (begins or kind in _BLOCKS) and not self._at_line_start:
            pieces.append("\n")
            self._at_line_start = True
        if kind in _BLOCKS:
            pieces.append(f"{_FENCE}{_BLOCKS[kind]}\n")
        elif kind == "refusal" and kind != before:
            pieces.append("[refused] ")
        self._kind = kind

    def _leave(self, pieces: list[str]) -> None:
        """End what came before; what follows is of no kind."""
        if self._has_cut_character:
            self._has_cut_character = False
            pieces.append(self._decoder.decode(b"", final=True))
            self._at_line_start = False
        if self._kind in _BLOCKS:
            pieces.append(f"\n{_FENCE}\n")
            self._at_line_start = True
        self._kind = None

    def _quoted(self, text: str) -> str:
        """``text`` with a mark at each of its lines; a line end at its end waits for the next."""
        start = "> " if self._at_line_start else ""
        return start + text[:-1].replace("\n", "\n> ") + text[-1]

    def _add_line(self, pieces: list[str], item: Any) -> None:
        self._leave(pieces)
        try:
            line = line_of(item)
        except Exception as error:  # noqa: BLE001 - foreign code; the text goes on without it
            line = f"<{type(item).__name__}: its text cannot be made ({type(error).__name__})>"
        pieces.append(f"{line}\n" if self._at_line_start else f"\n{line}\n")
        self._at_line_start = True

    def _decode(self, pieces: list[str], data: bytes | bytearray | memoryview) -> None:
        try:
            raw = bytes(data)
        except (ValueError, BufferError):  # a released memoryview
            self._add_line(pieces, data)
            return
        if self._kind is not None:
            self._leave(pieces)
        text = self._decoder.decode(raw)
        self._has_cut_character = bool(self._decoder.getstate()[0])
        if text:
            pieces.append(text)
            self._at_line_start = text.endswith("\n")
