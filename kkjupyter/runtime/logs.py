"""Loggers for code that must go on whatever the user's filters and handlers do, and whatever a peer
does: the number of lines that a peer can cause is bounded."""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from typing import Any, Final

from kkjupyter.plaintext import PlainRecords

__all__ = ["LINES_PER_S", "LINES_PER_S_IN_ALL", "LineLimit", "SafeLogger", "limit_lines"]

LINES_PER_S: Final = 20
"""How many lines of one kind, about one peer, a logger writes within a second."""

LINES_PER_S_IN_ALL: Final = 50
"""And how many of all kinds."""

_ABOUT_CHARS: Final = 100
_WINDOW_S: Final = 1.0


class LineLimit(logging.Filter):
    """Passes a number of records of a kind within a second, then one that counts the others.

    A kind is a level, a message before its arguments are put in, and the first argument, which says
    whom or what it is about. Any thread.

    Args:
        logger: the logger that this filter belongs to.
        lines_per_s: how many records of a kind pass.
        lines_per_s_in_all: how many records of all kinds pass.
    """

    def __init__(
        self,
        logger: logging.Logger,
        lines_per_s: int = LINES_PER_S,
        lines_per_s_in_all: int = LINES_PER_S_IN_ALL,
    ) -> None:
        super().__init__()
        self._logger = logger
        self._lines_per_s = lines_per_s
        self._lines_per_s_in_all = lines_per_s_in_all
        self._lock = threading.Lock()
        self._began_s = 0.0
        self._counts: dict[tuple[int, str, str], int] = {}
        self._passed = 0
        self._left_out = 0
        self._has_timer = False
        self._last: logging.LogRecord | None = None

    def begin_anew(self) -> None:
        """Reset the counts, as if a second had passed. Any thread."""
        with self._lock:
            self._sum()

    def forked(self) -> None:
        """Reset in a forked process: the lock's owner and the timer are not in it."""
        self._lock = threading.Lock()
        self._has_timer = False

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether it is written."""
        if getattr(record, "kkjupyter_sum", False):
            return True
        summary = None
        with self._lock:
            now_s = time.monotonic()
            if now_s - self._began_s >= _WINDOW_S:
                summary = self._sum()
                self._began_s = now_s
            passes = self._passes(record)
        if summary is not None:
            self._logger.handle(summary)
        return passes

    def _passes(self, record: logging.LogRecord) -> bool:
        about = (
            str(record.args[0])[:_ABOUT_CHARS] if type(record.args) is tuple and record.args else ""
        )
        kind = (record.levelno, str(record.msg), about)
        count = self._counts.get(kind, 0)
        if count < self._lines_per_s and self._passed < self._lines_per_s_in_all:
            self._counts[kind] = count + 1
            self._passed += 1
            return True
        if not self._has_timer:  # the number must also be logged if the flood stops
            self._has_timer = True
            self._tell_in(_WINDOW_S)
        self._left_out += 1
        self._last = record
        return False

    def _tell_in(self, delay_s: float) -> None:
        timer = threading.Timer(delay_s, self._tell)
        timer.daemon = True
        timer.start()

    def _tell(self) -> None:
        with self._lock:
            rest_s = self._began_s + _WINDOW_S - time.monotonic()
            if rest_s > 0 and self._left_out:  # another second has begun in the meantime
                self._tell_in(rest_s)
                return
            self._has_timer = False
            summary = self._sum()
            self._began_s = time.monotonic()
        if summary is not None:
            self._logger.handle(summary)

    def _sum(self) -> logging.LogRecord | None:
        """The record that says how many were left out; resets the count."""
        self._counts.clear()
        self._passed = 0
        left_out, self._left_out = self._left_out, 0
        last, self._last = self._last, None
        if last is None:
            return None
        return self._logger.makeRecord(
            last.name,
            last.levelno,
            last.pathname,
            last.lineno,
            "and %s more, within a second",
            (f"{left_out:,}",),
            None,
            extra={"kkjupyter_sum": True},
        )


def limit_lines(logger: logging.Logger) -> None:
    """Limit what ``logger`` writes within a second. Idempotent."""
    if not any(isinstance(one, LineLimit) for one in logger.filters):
        limit = LineLimit(logger)
        logger.addFilter(limit)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=limit.forked)


_PLAIN = PlainRecords()  # only one: a logger adds the same filter only once


class SafeLogger(logging.LoggerAdapter[logging.Logger]):
    """Logs plain text; what a filter or a handler raises goes to ``sys.excepthook``.

    Any thread. Filters and handlers run in the middle of an answer or of a shared loop, and neither
    may end because a log file cannot be written. The lines within a second are limited.

    Args:
        name: of the logger.
    """

    def __init__(self, name: str) -> None:
        super().__init__(logging.getLogger(name))
        limit_lines(self.logger)
        self.logger.addFilter(_PLAIN)

    def log(self, level: int, msg: object, *args: object, **options: Any) -> None:
        """Like :meth:`logging.Logger.log`."""
        options.setdefault("stacklevel", 2)  # the caller's line, not this one
        try:
            self.logger.log(level, msg, *args, **options)
        except Exception as broken:  # noqa: BLE001  shown
            sys.excepthook(type(broken), broken, broken.__traceback__)
