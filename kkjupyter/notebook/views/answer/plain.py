"""An answer as plain text: for terminals, as it comes, and for ``text/plain``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from kkjupyter.notebook.views.answer.records import Record, RecordKind

__all__ = ["PlainWriter", "plain_of"]

# What is held back of a second alternative, and of calls that come at the same time as another.
_HELD_CHARS = 4_000_000
# Lines of one of these groups follow each other without an empty one.
_GROUPS: dict[RecordKind, str] = {"call": "tool", "args": "tool", "anew": "tool", "result": "tool"}
_FLOWING: frozenset[RecordKind] = frozenset({"text", "think", "refusal"})


@dataclass
class _Call:
    """One that is not written yet."""

    arguments: list[str] = field(default_factory=list)
    is_whole: bool = False


class PlainWriter:
    """Writes records as text: the answer as it is, all else as marked lines.

    A thought is a quotation, a tool call one line (``tool: weather({"at": "Rome"})``) and what the
    tool returned another. Of several alternatives, the first to come is written at once, and each
    other one at the end.
    """

    def __init__(self) -> None:
        self._out: list[str] = []
        self._at_line_start = True
        self._is_empty = True
        self._group = ""
        self._choice: int | None = None
        self._held: dict[int, list[Record]] = {}
        self._held_chars = 0
        self._names: dict[int, str] = {}
        self._open: int | None = None
        self._waiting: dict[int, _Call] = {}

    def write(self, records: Iterable[Record]) -> str:
        """The text that these records add."""
        for record in records:
            if record.kind == "gap":
                self._write_line(f"[… {record.text} characters left out …]", "gap")
                continue
            if self._choice is None:
                self._choice = record.choice
            if record.choice == self._choice:
                self._write(record)
            elif self._has_room(record):
                self._held.setdefault(record.choice, []).append(record)
        return self._taken()

    def finish(self) -> str:
        """The end of an open line, and the other alternatives."""
        self._close_calls()
        for choice in sorted(self._held):
            self._write_line(f"── choice {choice + 1} ──", "choice")
            for record in self._held[choice]:
                self._write(record)
            self._close_calls()
        self._held.clear()
        if self._held_chars > _HELD_CHARS:
            self._write_line("[the rest of the other choices is left out]", "gap")
        return self._taken()

    def _taken(self) -> str:
        text = "".join(self._out)
        self._out.clear()
        return text

    def _has_room(self, record: Record) -> bool:
        if self._held_chars <= _HELD_CHARS:
            self._held_chars += len(record.text) + 100
        return self._held_chars <= _HELD_CHARS

    # ---- records

    def _write(self, record: Record) -> None:
        kind, _, text, extra, _ = record
        match kind:
            case "call":
                self._names[extra] = text
                if extra != self._open:
                    self._waiting.setdefault(extra, _Call())
            case "args" | "anew":
                self._write_arguments(record)
            case "thought":
                pass
            case "text" | "think" | "refusal":
                self._close_calls()
                self._write_flowing(kind, text)
            case "result":
                self._close_calls()
                self._write_result(text, extra)
            case "image" | "audio":
                self._close_calls()
                if kind == "image" or not text:  # a sound was named when it began
                    address = text if text.startswith("http") else ""
                    self._write_line(f"[{extra or kind}]{address and ' '}{address}", "note")
            case "value":
                self._close_calls()
                self._write_line(text, "value")
            case "role":
                self._close_calls()
                self._write_line(f"── {text} ──", "role")
            case "cut":
                self._close_calls()
                self._write_line(f"[stopped: {text}]", "note")
            case "error":
                self._close_calls()
                self._write_line(f"[error]{text and ' '}{text}", "note")
            case "note":
                self._close_calls()
                self._write_line(f"[{text}]", "note")

    def _write_flowing(self, kind: RecordKind, text: str) -> None:
        if self._group != kind:
            self._begin(kind)
            if kind == "refusal":
                self._put("[refused] ")
        if kind == "think":
            # A line end at the end of the text waits for the next line.
            start = "> " if self._at_line_start else ""
            text = start + text[:-1].replace("\n", "\n> ") + text[-1:]
        self._put(text)

    def _write_result(self, text: str, number: int | None) -> None:
        group = f"result {number}"
        if self._group != group:
            name = "" if number is None else self._names.get(number, "")
            self._begin("tool")
            self._put(f"result of {name}: " if name else "result: ")
            self._group = group
        self._put(text.replace("\n", "\n  "))

    def _write_line(self, line: str, group: str) -> None:
        self._begin(group)
        self._put(f"{line}\n")

    def _begin(self, group: str) -> None:
        """Begin a line, below an empty one unless it belongs to the line above."""
        before = "tool" if self._group.startswith("result") else self._group
        if not self._at_line_start:
            self._put("\n")
        if not self._is_empty and (group != before or group in _FLOWING):
            self._put("\n")
        self._group = group

    def _put(self, text: str) -> None:
        if text:
            self._out.append(text)
            self._is_empty = False
            self._at_line_start = text.endswith("\n")

    # ---- calls

    def _begin_call(self, number: int) -> None:
        self._waiting.pop(number, None)
        self._begin("tool")
        self._put(f"tool: {_on_line(self._names.get(number, '…'))}(")
        self._open = number

    def _write_arguments(self, record: Record) -> None:
        number = record.extra
        if record.kind == "anew" and number == self._open:
            self._close_line()
        if self._open is None:
            self._begin_call(number)
        if number != self._open:
            self._hold(record)
            return
        self._put(_on_line(record.text))
        if record.is_whole:
            self._close_line()
            self._write_waiting(only_begun=True)

    def _hold(self, record: Record) -> None:
        call = self._waiting.setdefault(record.extra, _Call())
        if record.kind == "anew":
            call.arguments.clear()
        if self._has_room(record):
            call.arguments.append(_on_line(record.text))
        call.is_whole = record.is_whole

    def _close_line(self) -> None:
        if self._open is not None:
            self._put(")\n")
            self._open = None

    def _write_waiting(self, *, only_begun: bool) -> None:
        """Write the calls that had to wait; one that still grows keeps its line open.

        Args:
            only_begun: whether those wait on that have no arguments yet.
        """
        for number, call in [*self._waiting.items()]:
            if only_begun and not call.arguments:
                continue
            self._begin_call(number)
            self._put("".join(call.arguments))
            if only_begun and not call.is_whole:
                return
            self._close_line()

    def _close_calls(self) -> None:
        self._close_line()
        self._write_waiting(only_begun=False)


def plain_of(records: Iterable[Record]) -> str:
    """All of an answer as text."""
    writer = PlainWriter()
    return writer.write(records) + writer.finish()


def _on_line(text: str) -> str:
    return text.replace("\r", "").replace("\n", " ")
