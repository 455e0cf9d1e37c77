"""The source of the answer view: records, each a line of JSON.

A line is ``[kind, choice, text]``, some with one or two values more, and is read in
``labextension/src/parts/answer``. A record does not need those before it to be understood, apart
from those that it continues: of a long answer only the beginning and the newest part are kept.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any, Literal, NamedTuple, get_args

__all__ = ["GROWING", "Record", "RecordKind", "joined", "line_of_record", "records_in"]

RecordKind = Literal[
    "text",  # more of the answer
    "think",  # more of the reasoning; `extra`: seconds since it began
    "thought",  # the reasoning has ended; `extra`: the seconds it took, None if that is not known
    "refusal",  # more of what the model says in place of an answer
    "call",  # the text is the name of the tool; `extra`: the number of the call
    "args",  # more of its arguments; `extra` likewise; `is_whole`: they are complete
    "anew",  # all of its arguments, in place of what came before; as above
    "result",  # more of what the tool returned; `extra` likewise, or None
    "image",  # the text is a data: URL, an address or empty; `extra`: the MIME type
    "audio",  # likewise; one with data takes the place of one without
    "role",  # who speaks from here on
    "error",
    "note",  # the name of something that is not shown
    "value",  # an item that is not a chunk, as a line
    "cut",  # why the answer ended before its end
    "gap",  # only when read: so many characters of the source are missing here
]
_WRITTEN_KINDS = frozenset(get_args(RecordKind)) - {"gap"}

GROWING = frozenset({"text", "think", "refusal", "args", "result"})
"""The kinds that continue the record before, if that is of the same kind, choice and number."""

# A line that is cut in two is lost, so none of these is long.
_LINE_CHARS = 4_000
_GAP = re.compile(r"\[… ([\d,]+) characters left out …\]")

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class Record(NamedTuple):
    """One step of an answer.

    Attributes:
        kind: what it is; see :data:`RecordKind`.
        choice: the number of the alternative that it belongs to.
        text: its text; what it means depends on the kind.
        extra: as the kind says.
        is_whole: as the kind says.
    """

    kind: RecordKind
    choice: int
    text: str
    extra: Any = None
    is_whole: bool = False

    def continues(self, before: Record) -> bool:
        """Whether its text goes on where that of ``before`` ended."""
        if self.kind not in GROWING or self.choice != before.choice:
            return False
        if self.kind == "think":
            return before.kind == "think"
        is_call = self.kind == "args" and before.kind == "anew"
        return (is_call or self.kind == before.kind) and self.extra == before.extra


def line_of_record(record: Record) -> str:
    """``record`` as a line, or as several if its text is long."""
    kind, choice, text, extra, is_whole = record
    if len(text) <= _LINE_CHARS or kind not in (*GROWING, "anew"):
        return _line(record)
    lines: list[str] = []
    for at in range(0, len(text), _LINE_CHARS):
        is_last = at + _LINE_CHARS >= len(text)
        part = text[at : at + _LINE_CHARS]
        lines.append(_line(Record(kind, choice, part, extra, is_whole and is_last)))
        kind = "args" if kind == "anew" else kind
    return "".join(lines)


def _line(record: Record) -> str:
    values = list(record)
    if not record.is_whole:
        values.pop()
        if record.extra is None:
            values.pop()
    return f"{_encode(values)}\n"


def records_in(source: str) -> Iterator[Record]:
    """The records of a source, or of an excerpt of one; lines that were cut in two are left out."""
    for line in source.split("\n"):
        if not line:
            continue
        if line.startswith("["):
            if gap := _GAP.fullmatch(line):
                yield Record("gap", 0, gap[1])
            elif (record := _read(line)) is not None:
                yield record


def _read(line: str) -> Record | None:
    try:
        kind, choice, text, *more = json.loads(line)
        known = Record(kind, choice, text, *more)
    except (ValueError, TypeError, RecursionError):
        return None
    is_sound = type(kind) is str and type(choice) is int and type(text) is str
    return known if is_sound and kind in _WRITTEN_KINDS else None


def joined(records: Iterable[Record]) -> Iterator[Record]:
    """The same with fewer records: texts that go on are one."""
    latest: Record | None = None
    texts: list[str] = []
    for record in records:
        if latest is not None and record.continues(latest):
            texts.append(record.text)
            latest = latest._replace(extra=record.extra, is_whole=record.is_whole)
            continue
        if latest is not None:
            yield latest._replace(text="".join(texts))
        latest, texts = record, [record.text]
    if latest is not None:
        yield latest._replace(text="".join(texts))
