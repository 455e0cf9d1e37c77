"""What of an item is shown: all of it, what a function picks, or of an LLM client's chunk the text.

Only views and texts see what was picked; loops and ``reply.items`` have the items as they came.
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

# Looked at for each item of every stream, so without a look at any attribute.
_PLAIN = frozenset({str, int, float, bool, type(None), list, tuple, bytes})
# What an event lacks, or is not: such an event has nothing to show.
_NOT_THERE = (AttributeError, KeyError, IndexError, TypeError)
_NOTE_CHARS = 160


def as_they_are(items: Sequence[Any]) -> Sequence[Any]:
    """The items themselves."""
    return items


class Picking:
    """A picker that has something to say about what it does not show.

    Attributes:
        notes: where it says so, once; None for nowhere.
    """

    def __init__(self) -> None:
        self.notes: list[str] | None = None
        self._has_told = False

    def __call__(self, items: Sequence[Any]) -> Sequence[Any]:
        """What views show of these items."""
        raise NotImplementedError

    def for_text(self, items: Sequence[Any]) -> Sequence[Any]:
        """What the text of a Reply has of these items. Never raises."""
        raise NotImplementedError

    def _tell(self, note: str) -> None:
        if not self._has_told and self.notes is not None:
            self._has_told = True
            self.notes.append(note)


class Picked(Picking):
    """Shows ``pick(item)`` for each item.

    It shows nothing of an item for which that is None, or which lacks what ``pick`` asks for: if it
    raises AttributeError, KeyError, IndexError or TypeError. Anything else it raises is raised.

    Args:
        pick: the user's function.
    """

    def __init__(self, pick: Callable[[Any], Any]) -> None:
        super().__init__()
        self._pick = pick

    def __call__(self, items: Sequence[Any]) -> Sequence[Any]:
        """What was picked of those that have it."""
        return [shown for item in items if (shown := self._picked(item)) is not None]

    def for_text(self, items: Sequence[Any]) -> Sequence[Any]:
        """The same; nothing of an item for which ``pick`` fails in any way."""
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
            # It would be taken for the end of a loop.
            raise RuntimeError("pick raised StopIteration") from error


def picker(pick: Callable[[Any], Any]) -> Picked:
    """Shows ``pick(item)`` for each item; see :class:`Picked`.

    Raises:
        UsageError: it is no function.
    """
    if not callable(pick):
        raise UsageError(
            f"pick must be a function of an item, not {pick!r:.60}; for example "
            "pick=lambda item: item.text"
        )
    return Picked(pick)


class ChunkTexts(Picking):
    """Shows the text in place of each chunk of an LLM client's; other items as they are.

    A chunk is what the ``openai`` package, and the many that took its shape over, stream:
    ``chunk.choices[0].delta.content``, or ``choices[0].text`` of plain completions; or the dict
    that it is on the wire, as a remote endpoint passes it on. One without text (a role, the usage
    at the end) shows nothing. A model's reasoning is shown before its answer, a tool call as a
    line with its name and arguments; of several alternatives the one that comes first is shown.
    """

    def __init__(self) -> None:
        super().__init__()
        self._choice: int | None = None

    def __call__(self, items: Sequence[Any]) -> Sequence[Any]:
        """The alternative that came first of all that is text, the other items as they are."""
        shown = chunk_texts(items)
        if self._choice is None:
            # Until there is text, what has none is of any choice: it says that there will be some.
            texts = (one.choice for one in shown if type(one) is Piece and one)
            self._choice = next(texts, None)
            if self._choice is None:
                return shown
        first = [one for one in shown if type(one) is not Piece or one.choice == self._choice]
        if len(first) < len(shown):
            self._tell("several choices arrived; one of them is shown")
        return first

    def for_text(self, items: Sequence[Any]) -> Sequence[Any]:
        """The answer alone, of the first alternative; without one, the reasoning and all else."""
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


# ---- the shapes of chunks. Each reader gives the pieces of an item, or None if it is not of its
# ---- shape; it never raises, whatever the item is.


def _completion_pieces(item: Any) -> list[Piece] | None:
    """Chunks of chat completions, and of plain ones."""
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
    # One that has no text still says that the stream is one of text.
    return pieces or [Piece("")]


_READERS: tuple[Callable[[Any], list[Piece] | None], ...] = (_completion_pieces,)
_Part = tuple[Kind, str, bool]

# What a chunk has besides its choices; a dict of the user's that has no choices has none of them.
_ENVELOPE = frozenset({"object", "model", "usage", "prompt_filter_results"})
# What a chunk says that it is. One may say so and nothing else.
_CHUNK_KINDS = ("chat.completion.chunk", "text_completion")
# What is new in a chunk. Objects made from what is on the wire have only what is there.
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
    """A text; or parts, some of which may be what a model has thought."""
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
    """The text in a value that may be a text, a part with a text, or a list of such."""
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
    """A value of a dict, or an attribute of an object; None if there is none to be had."""
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
    """``isinstance`` that does not ask the object, whose ``__class__`` may be a lie or raise."""
    return issubclass(type(value), kind)
