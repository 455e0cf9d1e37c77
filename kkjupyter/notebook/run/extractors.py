"""Which part of an item is shown: all of it, what a function picks, or an LLM chunk's text.

Only views and texts use the picked part; loops and ``reply.items`` have the items as they came.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from kkjupyter.errors import UsageError
from kkjupyter.notebook.chunks.stream import ChunkStream, ToolCall
from kkjupyter.notebook.run_status import Unit
from kkjupyter.notebook.views.pieces import Piece
from kkjupyter.plaintext import plain

__all__ = [
    "Answer",
    "ChunkTexts",
    "Picked",
    "Picker",
    "Picking",
    "Written",
    "answer_of",
    "as_they_are",
    "chunk_texts",
    "first_choice",
    "picker",
]

Picker = Callable[[Sequence[Any]], Sequence[Any]]

# Raised when an event lacks something or is of another type: it has nothing to show.
_NOT_THERE = (AttributeError, KeyError, IndexError, TypeError)
_NOTE_CHARS = 160


def as_they_are(items: Sequence[Any]) -> Sequence[Any]:
    """The items themselves."""
    return items


class Written(NamedTuple):
    """How much a language model has written.

    Attributes:
        amount: in tokens if somebody has counted them, else in characters.
        unit: which of the two.
        model: its name; empty if the stream does not say.
    """

    amount: int
    unit: Unit
    model: str


class Picking:
    """A picker that reports items that it does not show.

    Attributes:
        notes: the list that gets each report, once; None for none.
    """

    def __init__(self) -> None:
        self.notes: list[str] | None = None
        self._told: set[str] = set()

    def __call__(self, items: Sequence[Any]) -> Sequence[Any]:
        """The parts of these items that views show."""
        raise NotImplementedError

    def again(self, items: Sequence[Any]) -> Sequence[Any]:
        """The same, for items of a stream that were shown before, from the first one."""
        return self(items)

    def for_text(self, items: Sequence[Any]) -> Sequence[Any]:
        """The parts of these items for the text of a Reply. Never raises."""
        raise NotImplementedError

    def written(self) -> Written | None:
        """How much a language model has written in what was shown; None if it is none."""
        return None

    def _tell(self, note: str) -> None:
        if self.notes is not None and note not in self._told:
            self._told.add(note)
            self.notes.append(note)


class Picked(Picking):
    """Shows ``pick(item)`` for each item.

    It shows nothing for an item if the result is None, or if the item lacks what ``pick`` needs
    (AttributeError, KeyError, IndexError or TypeError). Other exceptions are raised.

    Args:
        pick: the user's function.
    """

    def __init__(self, pick: Callable[[Any], Any]) -> None:
        super().__init__()
        self._pick = pick

    def __call__(self, items: Sequence[Any]) -> Sequence[Any]:
        """The picked parts of the items that have one."""
        return [shown for item in items if (shown := self._picked(item)) is not None]

    def for_text(self, items: Sequence[Any]) -> Sequence[Any]:
        """The same, without items for which ``pick`` fails in any way."""
        shown: list[Any] = []
        for item in items:
            try:
                shown.append(self._pick(item))
            except Exception:  # noqa: BLE001 - the cell has raised it, or `notes` tell of it
                continue
        return [picked for picked in shown if picked is not None]

    def _picked(self, item: Any) -> Any:
        try:
            return self._pick(item)
        except _NOT_THERE as error:
            text = plain(str(error))[:_NOTE_CHARS].replace("\n", " ")
            if not self._told:
                name = type(error).__name__
                self._tell(f"pick failed for some items, which are not shown ({name}: {text})")
            return None
        except StopIteration as error:
            # It would look like the end of a loop.
            raise RuntimeError("pick raised StopIteration") from error


def picker(pick: Callable[[Any], Any]) -> Picked:
    """Shows ``pick(item)`` for each item; see :class:`Picked`.

    Raises:
        UsageError: it is not a function.
    """
    if not callable(pick):
        raise UsageError(
            f"pick must be a function of an item, not {pick!r:.60}; for example "
            "pick=lambda item: item.text"
        )
    return Picked(pick)


class ChunkTexts(Picking):
    """Shows the text of each chunk of an LLM client; other items as they are.

    A chunk is known by its shape; ``notebook/chunks`` has an extractor for each. A chunk without
    text (a role, the usage at the end) shows nothing. A model's reasoning and its tool calls are
    shown where they arrived, and marked.

    Args:
        in_full: for a view that shows all there is, instead of the text alone: every alternative
            instead of the first, and why an answer was cut off.
    """

    def __init__(self, *, in_full: bool = False) -> None:
        super().__init__()
        self._in_full = in_full
        self._choice: int | None = None
        self._stream = ChunkStream()

    def written(self) -> Written | None:
        stream = self._stream
        if not stream.has_chunks:
            return None
        if (tokens := stream.written_tokens) is not None:
            return Written(tokens, "tokens", stream.model)
        return Written(stream.written_chars, "characters", stream.model)

    def again(self, items: Sequence[Any]) -> Sequence[Any]:
        return ChunkTexts(in_full=self._in_full)(items)

    def __call__(self, items: Sequence[Any]) -> Sequence[Any]:
        """The pieces of the chunks; other items as they are."""
        shown: list[Any] = []
        for item in items:
            pieces = self._stream.read(item)
            if pieces is None:
                shown.append(item)
                continue
            shown += pieces if self._in_full else filter(self._is_first_choice, pieces)
        if not self._in_full and (cut_by := self._stream.cut_by):
            self._tell(f"the answer was cut off ({cut_by})")
        if fault := self._stream.fault:
            self._tell(plain(fault)[:_NOTE_CHARS].replace("\n", " "))
        return shown

    def _is_first_choice(self, piece: Piece) -> bool:
        # A piece without text counts for any choice: it announces text.
        if piece and piece.choice != self._choice:
            if self._choice is not None:
                self._tell("several choices arrived; one of them is shown")
                return False
            self._choice = piece.choice
        return True

    def for_text(self, items: Sequence[Any]) -> Sequence[Any]:
        """Only the answer, of the alternative with the lowest number; other items as they are."""
        shown = chunk_texts(items)
        choice = first_choice(shown)
        return [
            str(one) if type(one) is Piece else one
            for one in shown
            if type(one) is not Piece or (one.choice == choice and one.kind in _ANSWER)
        ]


def chunk_texts(items: Iterable[Any], stream: ChunkStream | None = None) -> list[Any]:
    """The pieces of text of all chunks, with all their alternatives; other items as they are.

    Args:
        items: of one stream, in order.
        stream: what reads them, and knows afterwards what else was in them.
    """
    stream = stream or ChunkStream()
    shown: list[Any] = []
    for item in items:
        pieces = stream.read(item)
        if pieces is None:
            shown.append(item)
        else:
            shown += pieces
    return shown


def first_choice(shown: Iterable[Any]) -> int:
    """The lowest number of an alternative that has a text."""
    return min((one.choice for one in shown if type(one) is Piece and one), default=0)


# A refusal is what a model says in place of an answer.
_ANSWER = frozenset({"answer", "refusal"})


@dataclass(frozen=True)
class Answer:
    """What the items of a stream say, if they are chunks of an LLM client's.

    Attributes:
        text: the answer; None if none of the items is a chunk.
        reasoning: what the model has thought.
        tool_calls: the tools that it wants to be called.
        usage: what it has counted, or None.
        role: who speaks.
    """

    text: str | None
    reasoning: str
    tool_calls: tuple[ToolCall, ...]
    usage: dict[str, Any] | None
    role: str


def answer_of(items: Iterable[Any]) -> Answer:
    """What these items say, of the alternative with the lowest number. Never raises."""
    stream = ChunkStream()
    pieces = [one for one in chunk_texts(items, stream) if type(one) is Piece]
    choice = first_choice(pieces)
    mine = [one for one in pieces if one.choice == choice]
    text = "".join([one for one in mine if one.kind in _ANSWER]) if pieces else None
    reasoning = "".join([one for one in mine if one.kind == "reasoning"])
    return Answer(text, reasoning, tuple(stream.calls(choice)), stream.usage, stream.role)
