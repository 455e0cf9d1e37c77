"""What views get of an LLM client's chunk: pieces, which are text to those that show text."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

__all__ = ["CallNews", "CallResult", "Detail", "ErrorNews", "Kind", "Media", "Piece", "Told"]

Kind = Literal["answer", "reasoning", "refusal", "tool_call", "tool_result", "note", "about"]


class CallNews(NamedTuple):
    """What a piece adds to a tool call.

    Attributes:
        number: which call of the stream it is, from 0.
        name: the tool's name, as far as it came.
        arguments: what is new of the arguments.
        is_complete: whether they are JSON that has come to its end.
        is_anew: whether ``arguments`` are all of them, in place of what came before.
    """

    number: int
    name: str
    arguments: str
    is_complete: bool = False
    is_anew: bool = False


class CallResult(NamedTuple):
    """What a tool has returned.

    Attributes:
        number: of which call of the stream; None if that is not among them.
        name: the tool's name, if the chunk says it.
        text: the result.
    """

    number: int | None
    name: str
    text: str


class Media(NamedTuple):
    """A picture, or a part of a sound.

    Attributes:
        kind: ``"image"`` or ``"audio"``.
        mime_type: its type, empty if nobody said.
        data: its bytes in base64; empty if they did not come.
        url: where it is, if the data did not come.
    """

    kind: Literal["image", "audio"]
    mime_type: str = ""
    data: str = ""
    url: str = ""


class ErrorNews(NamedTuple):
    """What an error of the client's says."""

    text: str


class Told(NamedTuple):
    """What a chunk tells about the answer: who speaks, or why the answer was cut off."""

    what: Literal["role", "cut"]
    value: str


Detail = CallNews | CallResult | Media | ErrorNews | Told | None


class Piece(str):
    """Text from an LLM client's chunk.

    Attributes:
        kind: the ``"answer"``, the model's ``"reasoning"``, a ``"refusal"``, a ``"tool_call"``, a
            ``"tool_result"``, a ``"note"`` that stands for something else, or something ``"about"``
            the answer, which has no text.
        choice: the number of the alternative it belongs to.
        begins: whether a line begins with it; of a tool call, whether a block does.
        detail: what its text stands for.
    """

    __slots__ = ("begins", "choice", "detail", "kind")

    kind: Kind
    choice: int
    begins: bool
    detail: Detail

    def __new__(
        cls,
        text: str,
        kind: Kind = "answer",
        choice: int = 0,
        *,
        begins: bool = False,
        detail: Detail = None,
    ) -> Piece:
        """A piece with this text."""
        piece = super().__new__(cls, text)
        piece.kind, piece.choice, piece.begins, piece.detail = kind, choice, begins, detail
        return piece

    def with_text(self, text: str) -> Piece:
        """The same piece with another text."""
        return Piece(text, self.kind, self.choice, begins=self.begins, detail=self.detail)

    def __reduce__(self) -> tuple[Any, ...]:
        return str, (str(self),)
