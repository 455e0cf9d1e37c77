"""A stream of chunks, put together: the texts in it, its tool calls, what it has used."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from kkjupyter.notebook.chunks.parts import CallDelta, Part
from kkjupyter.notebook.chunks.registry import ChunkReader
from kkjupyter.notebook.views.text_joining import Piece
from kkjupyter.plaintext import one_line

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

    def __init__(self, choice: int) -> None:
        self.choice = choice
        self.id = ""
        self.name = ""
        self.is_shown = False
        self.shows_arguments = False
        self._arguments: list[str] = []

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
        if not delta.name or not self._arguments:
            return False
        try:
            json.loads(self.arguments())
        except (ValueError, RecursionError):
            return False
        return not (delta.is_whole and delta.name == self.name)

    def add(self, delta: CallDelta) -> tuple[str, str]:
        """Take it in; return what is new of the name, and of the arguments."""
        self.id = self.id or delta.id
        name = "" if delta.name == self.name else delta.name
        arguments = delta.arguments
        if delta.is_whole and self._arguments:
            before = self.arguments()
            if not arguments.startswith(before):
                # What is shown cannot be taken back; what is kept can.
                self._arguments = [arguments or before]
                return "", ""
            arguments = arguments[len(before) :]
        if self._arguments and name:
            name = ""  # complete since the arguments began
        self.name += name
        if arguments:
            self._arguments.append(arguments)
        return name, arguments

    def call(self) -> ToolCall:
        """As it is now."""
        return ToolCall(self.id, self.name, self.arguments())


class ChunkStream:
    """Reads the items of one stream, in order.

    Attributes:
        usage: the counts so far; None if there are none.
        role: who speaks: ``"assistant"``, unless the stream says otherwise.
        cut_by: why the answer ended before its end (``"length"``); empty if it did not.
    """

    def __init__(self) -> None:
        self.usage: dict[str, Any] | None = None
        self.role = "assistant"
        self.cut_by = ""
        self._reader = ChunkReader()
        self._ranks: dict[str, int] = {}
        self._calls: list[_GrowingCall] = []
        self._by_key: dict[tuple[int, Any], _GrowingCall] = {}
        self._shown_call: _GrowingCall | None = None
        self._noted: set[tuple[int, str]] = set()

    @property
    def fault(self) -> str:
        """What could not be read, in words; empty if everything could."""
        return self._reader.fault

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
        pieces: list[Piece] = []
        for part in parts:
            kind, value, choice, rank = part
            if rank > self._ranks.setdefault(kind, rank):
                continue
            if rank < self._ranks[kind]:
                self._ranks[kind] = rank
            if kind == "text":
                if value:
                    pieces.append(Piece(value, "answer", choice))
                    self._shown_call = None
            elif kind == "tool_call":
                self._read_call(value, choice, pieces)
            else:
                self._read_other(part, pieces)
        # One that has no text still says that the stream is one of text.
        return pieces or [Piece("")]

    def _read_call(self, delta: CallDelta, choice: int, pieces: list[Piece]) -> None:
        key = (choice, delta.key)
        call = None if delta.key is None else self._by_key.get(key)
        if call is None or call.is_followed_by(delta):
            call = _GrowingCall(choice)
            self._calls.append(call)
            if delta.key is not None:
                self._by_key[key] = call
        name, arguments = call.add(delta)
        text = name
        if arguments:
            text += arguments if call.shows_arguments or not call.name else f" {arguments}"
            call.shows_arguments = True
        if not text:
            return
        begins = self._shown_call is not call
        if begins and call.is_shown:
            text = f"{call.name} … {arguments}"
        call.is_shown = True
        self._shown_call = call
        pieces.append(Piece(text, "tool_call", choice, begins=begins))

    def _read_other(self, part: Part, pieces: list[Piece]) -> None:
        kind, value, choice, _ = part
        if kind == "usage":
            self._add_usage(*value)
        elif kind == "role":
            self.role = _ROLES.get(value, value) or self.role
        elif kind == "finish_reason":
            if value.lower() in _CUT:
                self.cut_by = one_line(value)
        elif kind in ("reasoning", "refusal"):
            if value:
                pieces.append(Piece(value, kind, choice))
                self._shown_call = None
        else:
            note = f"[{_name_of(part)}]"
            if kind == "error" and value:
                note = f"[error] {one_line(value)}"
            if kind != "audio" or (choice, note) not in self._noted:  # that comes in many pieces
                self._noted.add((choice, note))
                pieces.append(Piece(note, "note", choice, begins=True))
                self._shown_call = None

    def _add_usage(self, counts: dict[str, Any], adds: bool) -> None:
        before = self.usage or {}
        if adds and before:
            counts = _sum(before, counts)
        if counts:
            self.usage = {**before, **counts}


def _name_of(part: Part) -> str:
    detail = one_line(part.value)
    if part.kind == "error":
        return part.kind
    if part.kind == "other":
        return detail
    return detail if detail.startswith(part.kind) else part.kind


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
