"""JSON set out for a reader, its numbers and names as they were sent.

``labextension/src/parts/answer/pretty.ts`` does the same; ``labextension/test/cases/answer.json``
holds both to it.
"""

from __future__ import annotations

import json
import re

__all__ = ["pretty"]

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+')
# What is longer or deeper stays as it came.
_MOST_CHARS = 100_000
_MOST_LEVELS = 32
_LINE_CHARS = 72


def pretty(text: str) -> str:
    """JSON on one line if it is short, else on several; what is not JSON stays as it is."""
    if len(text) > _MOST_CHARS or not _is_json(text):
        return text
    tokens = _TOKEN.findall(text)
    line = "".join([f"{token} " if token in (",", ":") else token for token in tokens])
    if len(line) <= _LINE_CHARS:
        return line
    made: list[str] = []
    level = 0
    for at, token in enumerate(tokens):
        before = tokens[at - 1] if at else ""
        if token in ("}", "]"):
            level -= 1
            if before not in ("{", "["):
                made.append(_line_end(level))
        elif before in ("{", "[", ","):
            made.append(_line_end(level))
        elif before == ":":
            made.append(" ")
        made.append(token)
        if token in ("{", "["):
            level += 1
            if level > _MOST_LEVELS:
                return text
    return "".join(made)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _line_end(level: int) -> str:
    return "\n" + "  " * level
