"""Writes values as lines on stdout."""

from __future__ import annotations

import json
import logging
import math
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TextIO

from kkjupyter.errors import EncodeError
from kkjupyter.plaintext import plain, without_controls
from kkjupyter.wire.values.javascript import undefined

__all__ = ["Writer", "as_json", "clean_log"]


class _CleanLog(logging.Handler):
    """Writes the log to stderr as printable text, if logging is not set up otherwise.

    Errors of a server's handlers can contain a client's text, and errors of a client a server's.
    """

    def emit(self, record: logging.LogRecord) -> None:
        try:
            if sys.stderr is not None:
                sys.stderr.write(plain(self.format(record)) + "\n")
                sys.stderr.flush()
        except Exception:  # noqa: BLE001  as every handler of a log: a program must not end by it
            self.handleError(record)


def clean_log() -> None:
    """Make the log on the terminal printable from now on, unless a program sets up its own."""
    logging.lastResort = _CleanLog(logging.WARNING)


class Writer:
    """Writes values one by one, each flushed, so that a pipe gets them as they arrive.

    Args:
        out: where to.
        style: ``"plain"`` writes a line for each value, a string without quotation marks;
            ``"text"`` writes strings without line ends between them, for tokens; ``"json"`` writes
            JSON lines.

    Each ``write`` may raise BrokenPipeError if the reader is gone.
    """

    def __init__(self, out: TextIO, style: str = "plain") -> None:
        self._out = out
        self._clean: Callable[[str], str] = without_controls if out.isatty() else str
        self._style = style
        self._open_line = False

    def write(self, value: Any) -> None:
        """Write one value and flush."""
        if self._style == "text" and isinstance(value, str):
            text = self._clean(value)
            self._open_line = not text.endswith("\n") if text else self._open_line
            self._out.write(text)
            self._out.flush()
            return
        self.finish()
        if self._style == "json":
            line = as_json(value)
        else:
            line = self._clean(value if isinstance(value, str) else repr(value))
        self._out.write(line + "\n")
        self._out.flush()

    def finish(self) -> None:
        """End the line that ``text`` style may have left open; idempotent."""
        if self._open_line:
            self._open_line = False
            self._out.write("\n")
            self._out.flush()


def as_json(value: Any) -> str:
    """One line of JSON for any value that a call can return.

    Values that JSON lacks are written as in JavaScript's JSON: dates as ISO strings,
    undefined, NaN and infinities as null, sets as arrays, bytes as arrays of numbers. The line is
    ASCII, so that half a surrogate pair does not break it.

    Raises:
        EncodeError: the value contains itself.
    """
    try:
        return json.dumps(_plain(value), allow_nan=False)
    except RecursionError as exc:
        reason = "it contains itself, which JSON cannot express; leave out --json"
        raise EncodeError("value", reason) from exc


def _plain(value: Any) -> Any:
    if value is None or value is undefined:
        return None
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, str):
        return str(value)
    if isinstance(value, Mapping):
        return {key if isinstance(key, str) else str(key): _plain(v) for key, v in value.items()}
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if isinstance(value, Iterable):
        return [_plain(item) for item in value]
    return str(value)
