"""A stream of chunks, put together: the texts in it, its tool calls, what it has used."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from kkjupyter.notebook.chunks.completeness import JsonGauge
from kkjupyter.notebook.chunks.parts import CallDelta, Part, ToolResult
from kkjupyter.notebook.chunks.registry import ChunkReader
from kkjupyter.notebook.chunks.usage import output_tokens
from kkjupyter.notebook.views.pieces import CallNews, CallResult, ErrorNews, Media, Piece, Told
from kkjupyter.plaintext import one_line, plain

__all__ = ["ChunkStream", "ToolCall"]

_ROLES = {"model": "assistant", "ai": "assistant"}
# Reasons to end with which there would have been more to say.
_CUT = frozenset(
    {
        *{"length", "max_tokens", "max_output_tokens", "model_context_window_exceeded"},
        *{"content_filter", "safety", "recitation", "blocklist", "prohibited_content", "spii"},
        *{"image_safety", "language", "error", "error_limit", "error_toxic"},
    }
)


# No tool has a longer name, and no request more alternatives.
_NAME_CHARS = 256
_MOST_CHOICES = 128


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool that the model wants to be called.

    Attributes:
        id: what the result is to be sent back with; empty if the client gave none.
        name: the tool's name.
        arguments: its arguments as text, as far as they came; as a rule JSON.
    """

    id: str
    name: str
    arguments: str

    @property
    def parsed_arguments(self) -> Any:
        """The arguments as the values that they are, ``{}`` for none; None if they are not JSON.

        They are not while they come, and not if a model has erred.
        """
        if not self.arguments.strip():
            return {}
        try:
            return json.loads(self.arguments)
        except (ValueError, RecursionError):
            return None


class _GrowingCall:
    """A tool call while it comes."""

    def __init__(self, number: int, choice: int) -> None:
        self.number = number
        self.choice = choice
        self.id = ""
        self.name = ""
        self.result: str | None = None
        self.is_shown = False
        self.shows_arguments = False
        self._arguments: list[str] = []
        self._gauge = JsonGauge()

    @property
    def is_complete(self) -> bool:
        """Whether the arguments are JSON that has come to its end."""
        return self._gauge.is_complete

    def arguments(self) -> str:
        """All that came of them."""
        if len(self._arguments) > 1:
            self._arguments = ["".join(self._arguments)]
        return self._arguments[0] if self._arguments else ""

    def is_followed_by(self, delta: CallDelta) -> bool:
        """Whether ``delta`` belongs to another call, though it has the same key.

        Some servers number all calls alike, others repeat the name with each delta.
        """
        if delta.id and self.id:
            return delta.id != self.id
        if not delta.name or not self.is_complete:
            return False
        return not (delta.is_whole and delta.name == self.name)

    def add(self, delta: CallDelta) -> tuple[str, str, bool]:
        """Take it in.

        Returns:
            What is new of the name, and of the arguments; and whether these are all of them, in
            place of what came before.
        """
        self.id = self.id or delta.id
        name = "" if delta.name == self.name else delta.name
        arguments = delta.arguments
        if delta.is_whole and self._arguments:
            before = self.arguments()
            if not arguments:
                return "", "", False
            if not arguments.startswith(before):
                self._arguments = [arguments]
                self._gauge = JsonGauge()
                self._gauge.feed(arguments)
                return "", arguments, True
            arguments = arguments[len(before) :]
        if self._arguments and name:
            name = ""  # complete since the arguments began
        self.name = (self.name + name)[:_NAME_CHARS]
        if arguments:
            self._arguments.append(arguments)
            self._gauge.feed(arguments)
        return name, arguments, False

    def call(self) -> ToolCall:
        """As it is now."""
        return ToolCall(self.id, self.name, self.arguments())


class ChunkStream:
    """Reads the items of one stream, in order.

    Attributes:
        has_chunks: whether any item was a chunk.
        usage: the counts so far; None if there are none.
        role: who speaks: ``"assistant"``, unless the stream says otherwise.
        cut_by: why the answer ended before its end (``"length"``); empty if it did not.
        model: the model's name; empty if the chunks do not say.
        written_chars: how many characters the model has written, its thoughts among them.
        written_tokens: how many tokens that is; None if nobody has counted all of it.
    """

    def __init__(self) -> None:
        self.has_chunks = False
        self.usage: dict[str, Any] | None = None
        self.role = "assistant"
        self.cut_by = ""
        self.model = ""
        self.written_chars = 0
        self._counted_chars = 0
        self._reader = ChunkReader()
        self._ranks: dict[str, int] = {}
        self._calls: list[_GrowingCall] = []
        self._by_key: dict[tuple[int, Any], _GrowingCall] = {}
        self._shown_call: _GrowingCall | None = None
        self._by_id: dict[str | None, _GrowingCall] = {}
        self._by_name: dict[str, _GrowingCall] = {}
        self._with_audio: set[int] = set()
        self._cut_choices: set[int] = set()
        self._roles: dict[int, str] = {}

    @property
    def fault(self) -> str:
        """What could not be read, in words; empty if everything could."""
        return self._reader.fault

    @property
    def written_tokens(self) -> int | None:
        """See the class. Counts that came before the newest text say nothing about it."""
        if self._counted_chars < self.written_chars:
            return None
        return output_tokens(self.usage)

    def calls(self, choice: int) -> list[ToolCall]:
        """The tool calls of an alternative, in the order in which they began."""
        return [call.call() for call in self._calls if call.choice == choice]

    def read(self, item: Any) -> list[Piece] | None:
        """What a chunk adds to what is shown: an empty piece if nothing; None if it is no chunk.

        Never raises.
        """
        parts = self._reader.parts(item)
        if parts is None:
            return None
        self.has_chunks = True
        pieces: list[Piece] = []
        for part in parts:
            kind, value, choice, rank = part
            if choice not in self._roles:
                if len(self._roles) >= _MOST_CHOICES:
                    continue
                self._roles[choice] = "assistant"
            if rank > self._ranks.setdefault(kind, rank):
                continue
            if rank < self._ranks[kind]:
                self._ranks[kind] = rank
            if kind == "text":
                if value:
                    self.written_chars += len(value)
                    pieces.append(Piece(value, "answer", choice))
                    self._shown_call = None
            elif kind == "tool_call":
                self._read_call(value, choice, pieces)
            elif kind == "model":
                self.model = self.model or plain(value)
            else:
                self._read_other(part, pieces)
        # One that has no text still says that the stream is one of text.
        return pieces or [Piece("")]

    def _read_call(self, delta: CallDelta, choice: int, pieces: list[Piece]) -> None:
        key = (choice, delta.key)
        call = None if delta.key is None else self._by_key.get(key)
        if call is None or call.is_followed_by(delta):
            call = _GrowingCall(len(self._calls), choice)
            self._calls.append(call)
            if delta.key is not None:
                self._by_key[key] = call
        name, arguments, is_anew = call.add(delta)
        self._by_id[call.id or None] = self._by_name[call.name] = call
        self.written_chars += len(name) + len(arguments)
        news = CallNews(call.number, call.name, arguments, call.is_complete, is_anew)
        # What is shown as text cannot be taken back.
        text = "" if is_anew else self._text_of(call, name, arguments)
        if not text:
            if is_anew:
                pieces.append(Piece("", "tool_call", choice, detail=news))
            return
        begins = self._shown_call is not call
        if begins and call.is_shown:
            text = f"{call.name} … {arguments}"
        call.is_shown = True
        self._shown_call = call
        pieces.append(Piece(text, "tool_call", choice, begins=begins, detail=news))

    def _text_of(self, call: _GrowingCall, name: str, arguments: str) -> str:
        if not arguments:
            return name
        is_first = not call.shows_arguments and bool(call.name)
        call.shows_arguments = True
        return f"{name} {arguments}" if is_first else f"{name}{arguments}"

    def _read_result(self, result: ToolResult, choice: int, pieces: list[Piece]) -> None:
        call = self._by_id.get(result.id) if result.id else self._by_name.get(result.name)
        if call is not None:
            if call.result == result.text:  # some clients say it in two ways
                return
            call.result = result.text
        number, name = (None, result.name) if call is None else (call.number, call.name)
        detail = CallResult(number, name, result.text)
        text = f"{name or 'result'}: {result.text}"
        pieces.append(Piece(text, "tool_result", choice, begins=True, detail=detail))
        self._shown_call = None

    def _read_other(self, part: Part, pieces: list[Piece]) -> None:
        kind, value, choice, _ = part
        if kind == "usage":
            self._add_usage(*value)
        elif kind == "role":
            self._read_role(_ROLES.get(value, value), choice, pieces)
        elif kind == "finish_reason":
            if value.lower() in _CUT and choice not in self._cut_choices:
                self._cut_choices.add(choice)
                self.cut_by = one_line(value)
                detail = Told("cut", self.cut_by)
                pieces.append(Piece("", "about", choice, detail=detail))
        elif kind == "tool_result":
            self._read_result(value, choice, pieces)
        elif kind in ("reasoning", "refusal"):
            if value:
                self.written_chars += len(value)
                pieces.append(Piece(value, kind, choice))
                self._shown_call = None
        else:
            self._read_note(part, pieces)

    def _read_role(self, role: str, choice: int, pieces: list[Piece]) -> None:
        if role:
            self.role = role
            if role != self._roles[choice]:
                self._roles[choice] = role
                detail = Told("role", one_line(role))
                pieces.append(Piece("", "about", choice, detail=detail))

    def _read_note(self, part: Part, pieces: list[Piece]) -> None:
        kind, value, choice, _ = part
        detail: Media | ErrorNews | None = None
        if kind == "error":
            detail = ErrorNews(one_line(value))
            note = f"[error] {detail.text}" if value else "[error]"
        elif type(value) is Media:
            detail = value
            note = f"[{one_line(value.mime_type) or kind}]"
            if kind == "audio":
                if choice in self._with_audio:  # it comes in many pieces
                    pieces.append(Piece("", "note", choice, detail=detail))
                    return
                self._with_audio.add(choice)
                note = "[audio]"
        else:
            note = f"[{one_line(value) or kind}]"
        pieces.append(Piece(note, "note", choice, begins=True, detail=detail))
        self._shown_call = None

    def _add_usage(self, counts: dict[str, Any], adds: bool) -> None:
        before = self.usage or {}
        if adds and before:
            counts = _sum(before, counts)
        if counts:
            self.usage = {**before, **counts}
            self._counted_chars = self.written_chars


def _sum(before: dict[str, Any], counts: dict[str, Any]) -> dict[str, Any]:
    total = dict(before)
    for name, count in counts.items():
        known = before.get(name)
        if type(count) is dict and type(known) is dict:
            total[name] = _sum(known, count)
        elif type(count) in (int, float) and type(known) in (int, float):
            total[name] = known + count
        else:
            total[name] = count
    return total
