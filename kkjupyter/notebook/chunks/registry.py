"""The extractors: one row for each shape, and those of the user."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, NamedTuple

from kkjupyter.errors import UsageError, did_you_mean
from kkjupyter.notebook.chunks import (
    anthropic,
    cohere,
    google,
    huggingface,
    langchain,
    llama_index,
    mistral,
    ollama,
    openai_agents,
    openai_chat_events,
    openai_completions,
    openai_responses,
    pydantic_ai,
)
from kkjupyter.notebook.chunks.fields import Fields, call_key, fields, json_text, plain_dict, string
from kkjupyter.notebook.chunks.media import media_in, media_of_url, result_text
from kkjupyter.notebook.chunks.parts import PART_KINDS, CallDelta, Part, ToolResult
from kkjupyter.notebook.views.pieces import Media

__all__ = ["OWN_EXTRACTORS", "ChunkReader", "chunks"]

Read = Callable[[Fields], list[Part] | None]


class _Row(NamedTuple):
    marks: frozenset[str]
    """Names of which a chunk of this shape has at least one."""
    read: Read


_ROWS: tuple[_Row, ...] = tuple(
    _Row(shape.MARKS, shape.read)
    for shape in (
        openai_completions,
        openai_responses,
        anthropic,
        openai_chat_events,
        openai_agents,
        google,
        ollama,
        mistral,
        cohere,
        huggingface,
        langchain,
        llama_index,
        pydantic_ai,
    )
)
_ALL_MARKS = frozenset[str]().union(*(row.marks for row in _ROWS))
# Looked at for each item of every stream, so without a look at any attribute.
_PLAIN = frozenset({str, int, float, bool, type(None), list, tuple, bytes})

OWN_EXTRACTORS: dict[tuple[str, str], Callable[[Any], Any]] = {}
"""The user's, by module and name: a cell that is run again replaces its own."""

_KEYS = (*PART_KINDS, "choice")


def chunks(extractor: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Teach views and Replies the chunks of a client of your own; a decorator.

    The function gets each item of a stream. It returns None if the item is not a chunk of its
    client, else what the chunk says: a text, which is more of the answer, or a dict::

        @kk.chunks
        def my_client(event):
            if not isinstance(event, MyEvent):
                return None
            return {"text": event.token, "usage": event.counts}

    The keys of the dict, all of which may be left out: ``text``, ``reasoning``, ``refusal``,
    ``error``, ``finish_reason``, ``role``, ``model`` (texts), ``usage`` (a dict of counts),
    ``image`` and ``audio`` (their MIME type, an address, a ``data:`` URL, or a dict with
    ``mime_type`` and ``data``), ``tool_call`` (a dict with ``name``, ``arguments``, ``id`` and
    ``index``; ``arguments`` is the text that this chunk adds, or a dict of them all),
    ``tool_result`` (a dict with the ``id`` or ``name`` of the call, and ``result``) and ``choice``
    (the number of the alternative, by default 0). A chunk that says several things may return a
    list of such dicts; an empty list says nothing.

    It is asked before the built-in ones. It must be quick: it runs for each item of each stream
    that is shown as text. If it raises, the item is shown as if there were no extractor, and the
    state line says so once.

    Args:
        extractor: the function. One of the same module and name is replaced.

    Returns:
        ``extractor``.

    Raises:
        UsageError: it is not a function.
    """
    if not callable(extractor) or isinstance(extractor, type):
        raise UsageError(
            f"@kk.chunks takes a function from an item to what it says, not {extractor!r:.60}"
        )
    module = getattr(extractor, "__module__", "") or ""
    name = getattr(extractor, "__qualname__", "") or repr(extractor)
    OWN_EXTRACTORS[module, name] = extractor
    return extractor


class ChunkReader:
    """Finds out which client's chunks a stream has, and reads them.

    Attributes:
        fault: what an extractor raised, or returned that cannot be read; empty if none did.
    """

    def __init__(self) -> None:
        self.fault = ""
        self._last: Read = _ROWS[0].read

    def parts(self, item: Any) -> list[Part] | None:
        """The parts of a chunk, none of one that says nothing; None if it is no chunk.

        Never raises, whatever the item is.
        """
        if type(item) in _PLAIN:
            return None if not OWN_EXTRACTORS else self._by_own(item)
        if OWN_EXTRACTORS and (found := self._by_own(item)) is not None:
            return found
        try:
            known = fields(item)
            if type(known) is dict and _ALL_MARKS.isdisjoint(known):
                return None
            if (found := self._last(known)) is not None:
                return found
            for row in _ROWS:
                if row.read is self._last or not any(mark in known for mark in row.marks):
                    continue
                if (found := row.read(known)) is not None:
                    self._last = row.read
                    return found
        except Exception as error:  # noqa: BLE001 - foreign code; what cannot be asked is no chunk
            self._note(f"some items could not be read ({type(error).__name__})")
        return None

    def _by_own(self, item: Any) -> list[Part] | None:
        for (_, name), extractor in [*OWN_EXTRACTORS.items()]:
            try:
                told = extractor(item)
                if told is not None:
                    return _parts_of(told)
            except Exception as error:  # noqa: BLE001 - the user's function; the stream goes on
                self._note(f"{name} could not read some items ({type(error).__name__}: {error})")
        return None

    def _note(self, fault: str) -> None:
        self.fault = self.fault or fault


def _parts_of(told: Any) -> list[Part]:
    """The parts that a user's extractor returned.

    Raises:
        UsageError: it is nothing that can be read.
    """
    if isinstance(told, str):
        return [Part("text", string(told))] if told else []
    if isinstance(told, Mapping):
        return [*_parts_in(told)]
    if isinstance(told, (list, tuple)):
        return [part for one in told for part in _parts_of(one)]
    raise UsageError(f"it returned {told!r:.60}; return a text, a dict, a list of dicts, or None")


def _parts_in(told: Mapping[str, Any]) -> Iterable[Part]:
    for key in told:
        if key not in _KEYS:
            raise UsageError(
                f"it returned the key {key!r:.60}{did_you_mean(str(key), _KEYS)} "
                f"(keys: {', '.join(_KEYS)})"
            )
    number = told.get("choice")
    choice = number if type(number) is int else 0
    for kind in PART_KINDS:
        value = told.get(kind)
        if value is None:
            continue
        if kind == "tool_call":
            yield Part(kind, _call_delta(value), choice)
        elif kind == "tool_result":
            yield Part(kind, _tool_result(value), choice)
        elif kind == "image" or kind == "audio":
            yield Part(kind, _media(kind, value), choice)
        elif kind == "usage":
            yield Part(kind, (plain_dict(value), False), choice)
        elif text := string(value) or (str(value) if kind in ("error", "finish_reason") else ""):
            yield Part(kind, text, choice)


def _call_delta(value: Any) -> CallDelta:
    call = fields(value)
    arguments = call.get("arguments")
    is_whole = issubclass(type(arguments), dict)
    call_id, name = string(call.get("id")), string(call.get("name"))
    # A call that is whole needs nothing to be told from others by.
    key = call_key(call.get("index"), call_id or (None if is_whole else 0))
    return CallDelta(key, call_id, name, json_text(arguments), is_whole)


def _tool_result(value: Any) -> ToolResult:
    told = fields(value)
    result = value if isinstance(told, dict) and not told else told.get("result")
    return ToolResult(string(told.get("id")), string(told.get("name")), result_text(result))


def _media(kind: Literal["image", "audio"], value: Any) -> Media:
    text = string(value)
    if not text:
        return media_in(kind, value)
    if text[:8].lower().startswith(("data:", "http://", "https://")):
        return media_of_url(kind, text)
    return Media(kind, text)
