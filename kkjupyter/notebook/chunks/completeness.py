"""Whether JSON that comes piece by piece is complete, at a cost that grows with what is new."""

from __future__ import annotations

import re

__all__ = ["JsonGauge"]

_MARKS = re.compile(r'["{}\[\]]|[^\s"{}\[\]]+')
_IN_STRING = re.compile(r'\\.|"', re.DOTALL)


class JsonGauge:
    """Follows brackets and quotes of an object or array. A bare number or word never is complete.

    Attributes:
        is_complete: whether the outermost bracket is closed and nothing but blanks followed.
    """

    def __init__(self) -> None:
        self.is_complete = False
        self._depth = 0
        self._in_string = False
        self._is_escaped = False

    def feed(self, text: str) -> None:
        """Take in what is new."""
        at = 0
        if self._is_escaped and text:
            self._is_escaped = False
            at = 1
        while at < len(text):
            at = self._end_of_string(text, at) if self._in_string else self._next_mark(text, at)

    def _end_of_string(self, text: str, at: int) -> int:
        for found in _IN_STRING.finditer(text, at):
            if found[0] == '"':
                self._in_string = False
                return found.end()
        # A backslash at the end belongs to what comes next, if it is not escaped itself.
        slashes = len(text) - len(text.rstrip("\\"))
        self._is_escaped = min(slashes, len(text) - at) % 2 == 1
        return len(text)

    def _next_mark(self, text: str, at: int) -> int:
        for found in _MARKS.finditer(text, at):
            mark = found[0]
            self.is_complete = False
            if mark == '"':
                self._in_string = True
                return found.end()
            if mark in "{[":
                self._depth += 1
            elif mark in "}]":
                self._depth -= 1
                self.is_complete = self._depth == 0
        return len(text)
