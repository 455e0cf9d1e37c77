"""An answer as blocks: what is drawn one below the other, for each alternative."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from kkjupyter.notebook.views.answer.records import GROWING, Record, RecordKind, joined

__all__ = ["Block", "blocks_of"]

_BROKEN = " … "


@dataclass
class Block:
    """A part of an answer.

    Attributes:
        kind: that of its records; ``"call"`` for a call with its arguments and result.
        texts: its text, in parts; of a call, the arguments.
        extra: that of its record; of a thought, the seconds that it took, or None.
        name: of a call, the tool's.
        is_whole: of a call, whether the arguments are complete.
        results: of a call, what it returned, in parts; None if it did not.
    """

    kind: RecordKind
    texts: list[str] = field(default_factory=list)
    extra: Any = None
    name: str = ""
    is_whole: bool = False
    results: list[str] | None = None

    @property
    def text(self) -> str:
        """Its text."""
        return "".join(self.texts)


@dataclass
class _Choice:
    blocks: list[Block] = field(default_factory=list)
    audio: Block | None = None

    def latest(self, kind: RecordKind) -> Block:
        """The block that grows, if it is of this kind; else a new one."""
        if not self.blocks or self.blocks[-1].kind != kind:
            self.blocks.append(Block(kind))
        return self.blocks[-1]


def blocks_of(records: Iterable[Record]) -> dict[int, list[Block]]:
    """The blocks of each alternative, by its number, in order."""
    choices: dict[int, _Choice] = {}
    calls: dict[int, Block] = {}
    broken: set[int] = set()
    for record in joined(records):
        if record.kind == "gap":
            broken.update(calls)
            for choice in choices.values() or [choices.setdefault(0, _Choice())]:
                choice.blocks.append(Block("gap", [record.text]))
            continue
        choice = choices.setdefault(record.choice, _Choice())
        if record.kind in ("call", "args", "anew", "result") and record.extra is not None:
            _add_to_call(record, choice, calls, broken)
        elif record.kind == "thought":
            choice.latest("think").extra = record.extra
        elif record.kind == "audio":
            if choice.audio is None:
                choice.audio = Block("audio")
                choice.blocks.append(choice.audio)
            choice.audio.texts, choice.audio.extra = [record.text], record.extra
        elif record.kind in GROWING:
            block = choice.latest(record.kind)
            block.texts.append(record.text)
            if record.kind == "think":
                block.extra = None
        else:
            choice.blocks.append(Block(record.kind, [record.text], record.extra))
    return {number: choices[number].blocks for number in sorted(choices)}


def _add_to_call(
    record: Record, choice: _Choice, calls: dict[int, Block], broken: set[int]
) -> None:
    number = record.extra
    block = calls.get(number)
    if block is None:
        block = calls[number] = Block("call", extra=number)
        choice.blocks.append(block)
    if record.kind == "call":
        block.name = record.text
        return
    if record.kind == "result":
        block.results = [*(block.results or ()), record.text]
        return
    if record.kind == "anew":
        block.texts = [record.text]
    else:
        if number in broken and block.texts:
            block.texts.append(_BROKEN)
        block.texts.append(record.text)
    broken.discard(number)
    block.is_whole = record.is_whole
