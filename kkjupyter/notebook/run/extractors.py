"""Which part of an item is shown: all of it, what a function picks, or an LLM chunk's text.

Only views and texts use the picked part; loops and ``reply.items`` have the items as they came.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from kkjupyter.errors import UsageError
from kkjupyter.notebook.safe_text import whole
from kkjupyter.notebook.views.text_joining import Kind, Piece
from kkjupyter.plaintext import plain

__all__ = ["ChunkTexts", "Picked", "Picker", "Picking", "as_they_are", "chunk_texts", "picker"]

Picker = Callable[[Sequence[Any]], Sequence[Any]]

# Checked for each item of every stream, so without reading any attribute.
_PLAIN = frozenset({str, int, float, bool, type(None), list, tuple, bytes})
# Raised when an event lacks something or is of another type: it has nothing to show.
_NOT_THERE = (AttributeError, KeyError, IndexError, TypeError)
_NOTE_CHARS = 160


def as_they_are(items: Sequence[Any]) -> Sequence[Any]:
    """The items themselves."""
    return items


class Picking:
    """A picker that reports items that it does not show.

    Attributes:
        notes: the list that gets the report, once; None for none.
    """

    def __init__(self) -> None:
        self.notes: list[str] | None = None
        self._has_told = False

    def __call__(self, items: Sequence[Any]) -> Sequence[Any]:
        """The parts of these items that views show."""
        raise NotImplementedError

    def for_text(self, items: Sequence[Any]) -> Sequence[Any]:
        """The parts of these items for the text of a Reply. Never raises."""
        raise NotImplementedError

    def _tell(self, note: str) -> None:
        if not self._has_told and self.notes is not None:
            self._has_told = True
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
            self._tell(
                f"pick failed for some items, which are not shown ({type(error).__name__}: {text})"
            )
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

    A chunk is an item of the ``openai`` package, or of the many others with the same format:
    ``chunk.choices[0].delta.content``, or ``choices[0].text`` of plain completions; or the dict
    that it is on the wire, as a remote endpoint passes it on. A chunk without text (a role, the
    usage at the end) shows nothing. A model's reasoning is shown before its answer, a tool call as
    a line with its name and arguments; of several alternatives the first one is shown.
    """

    def __init__(self) -> None:
        super().__init__()
        self._choice: int | None = None

    def __call__(self, items: Sequence[Any]) -> Sequence[Any]:
        """The text of the first alternative; other items as they are."""
        shown = chunk_texts(items)
        if self._choice is None:
            # Before the first text, a chunk without text counts for any choice: it announces text.
            texts = (one.choice for one in shown if type(one) is Piece and one)
            self._choice = next(texts, None)
            if self._choice is None:
                return shown
        first = [one for one in shown if type(one) is not Piece or one.choice == self._choice]
        if len(first) < len(shown):
            self._tell("several choices arrived; one of them is shown")
        return first

    def for_text(self, items: Sequence[Any]) -> Sequence[Any]:
        """Only the answer of the first alternative; without one, the reasoning and the rest."""
        shown = chunk_texts(items)
        choice = min((one.choice for one in shown if type(one) is Piece), default=0)
        shown = [one for one in shown if type(one) is not Piece or one.choice == choice]
        if not any(type(one) is Piece and one and one.kind == "answer" for one in shown):
            return shown
        return [one for one in shown if type(one) is not Piece or one.kind == "answer"]


def chunk_texts(items: Sequence[Any]) -> list[Any]:
    """The pieces of text of all chunks, with all their alternatives; other items as they are."""
    shown: list[Any] = []
    for item in items:
        pieces = None
        if type(item) not in _PLAIN:
            pieces = next((found for read in _READERS if (found := read(item)) is not None), None)
        shown += [item] if pieces is None else pieces
    return shown


# ---- the formats of chunks. Each reader returns the pieces of an item, or None for another format;
# ---- it never raises for any item.


def _completion_pieces(item: Any) -> list[Piece] | None:
    """Read chunks of chat completions and of plain completions."""
    choices = _field(item, "choices")
    if choices is None and _kind_of(item) in _CHUNK_KINDS:
        return [Piece("")]
    if not _is_list(choices):
        return None
    if not choices:
        return [Piece("")] if _is_envelope(item) else None
    if not _is_choice(choices[0]):
        return None
    pieces: list[Piece] = []
    for choice in filter(_is_choice, choices):
        index = _field(choice, "index")
        number = index if type(index) is int else 0
        pieces += [
            Piece(text, kind, number, begins=begins)
            for kind, text, begins in _choice_parts(choice)
            if text
        ]
    # A chunk without text still shows that this is a stream of text.
    return pieces or [Piece("")]


_READERS: tuple[Callable[[Any], list[Piece] | None], ...] = (_completion_pieces,)
_Part = tuple[Kind, str, bool]

# The fields of a chunk besides its choices; a user's dict without choices has none of them.
_ENVELOPE = frozenset({"object", "model", "usage", "prompt_filter_results"})
# The types that a chunk may name. A chunk may have nothing else.
_CHUNK_KINDS = ("chat.completion.chunk", "text_completion")
# The new part of a chunk. Objects made from the wire have only the fields that were sent.
_DELTA = ("content", "role", "reasoning_content", "reasoning", "refusal", "tool_calls")


def _kind_of(item: Any) -> str:
    kind = _field(item, "object")
    return kind if type(kind) is str else ""


def _is_envelope(item: Any) -> bool:
    return not _is_a(item, dict) or not _ENVELOPE.isdisjoint(item)


def _is_choice(choice: Any) -> bool:
    delta = _field(choice, "delta")
    if _is_a(delta, dict) or any(_has(delta, name) for name in _DELTA):
        return True
    is_numbered = _has(choice, "index") or _has(choice, "finish_reason")
    if delta is not None and type(delta) not in _PLAIN:
        return is_numbered
    if delta is None and _has(choice, "delta"):
        return is_numbered
    return is_numbered and _is_a(_field(choice, "text"), str)


def _choice_parts(choice: Any) -> Iterator[_Part]:
    text = _field(choice, "text")
    if _is_a(text, str):
        yield "answer", text, False
    delta = _field(choice, "delta")
    if delta is None:
        return
    for name in ("reasoning_content", "reasoning", "reasoning_details"):
        if reasoning := _flat_text(_field(delta, name)):
            yield "reasoning", reasoning, False
            break
    yield from _content_parts(_field(delta, "content"))
    for other in (_field(delta, "refusal"), _field(_field(delta, "audio"), "transcript")):
        if _is_a(other, str):
            yield "answer", other, False
    calls = _field(delta, "tool_calls")
    for call in calls if _is_list(calls) else ():
        yield from _call_parts(_field(call, "function") or _field(call, "custom"))
    yield from _call_parts(_field(delta, "function_call"))


def _content_parts(content: Any) -> Iterator[_Part]:
    """Read a text, or parts, some of which may be a model's reasoning."""
    for part in content if _is_list(content) else (content,):
        if _is_a(part, str):
            yield "answer", part, False
            continue
        if part is None:
            continue
        kind = _field(part, "type")
        thought = _flat_text(_field(part, "thinking"))
        if thought or kind in ("thinking", "reasoning"):
            yield "reasoning", thought or _flat_text(part), False
        elif text := _flat_text(part):
            yield "answer", text, False
        elif _is_a(kind, str) and kind != "text":
            yield "note", f"[{kind}]", True


def _call_parts(function: Any) -> Iterator[_Part]:
    if function is None:
        return
    if _is_a(name := _field(function, "name"), str) and name:
        yield "note", f"[tool call] {name} ", True
    for field in ("arguments", "input"):
        arguments = _field(function, field)
        if _is_a(arguments, str):
            yield "note", arguments, False
        elif _is_a(arguments, dict) and arguments:
            yield "note", whole(repr(arguments)), False


def _flat_text(value: Any, depth: int = 0) -> str:
    """The text in a value that is a text, a part with a text, or a list of these."""
    if _is_a(value, str):
        return str(value)
    if value is None or depth > 4:
        return ""
    if _is_list(value):
        return "".join([_flat_text(part, depth + 1) for part in value])
    names = ("text", "content", "summary", "value")
    texts = (_flat_text(_field(value, name), depth + 1) for name in names)
    return next(filter(None, texts), "")


def _field(item: Any, name: str) -> Any:
    """A value of a dict, or an attribute of an object; None if it cannot be read."""
    try:
        return item.get(name) if _is_a(item, dict) else getattr(item, name, None)
    except Exception:  # noqa: BLE001 - foreign code; an object that cannot be asked is no chunk
        return None


def _has(item: Any, name: str) -> bool:
    try:
        return name in item if _is_a(item, dict) else hasattr(item, name)
    except Exception:  # noqa: BLE001 - as above
        return False


def _is_list(value: Any) -> bool:
    return issubclass(type(value), (list, tuple))


def _is_a(value: Any, kind: type[Any]) -> bool:
    """``isinstance`` without the object's ``__class__``, which may be false or raise."""
    return issubclass(type(value), kind)
