"""Loggers for code that goes on, whatever the user's filters and handlers do."""

from __future__ import annotations

import logging
import sys
from typing import Any

from kkjupyter.plaintext import PlainRecords

__all__ = ["SafeLogger"]

_PLAIN = PlainRecords()  # one, as a logger that is asked for twice takes it once


class SafeLogger(logging.LoggerAdapter[logging.Logger]):
    """Logs plain text; what a filter or a handler raises goes to ``sys.excepthook``. Any thread.

    They run in the middle of an answer or of a loop that many share, neither of which may end
    for a log file that cannot be written.

    Args:
        name: of the logger.
    """

    def __init__(self, name: str) -> None:
        super().__init__(logging.getLogger(name))
        self.logger.addFilter(_PLAIN)

    def log(self, level: int, msg: object, *args: object, **options: Any) -> None:
        """As :meth:`logging.Logger.log`."""
        options.setdefault("stacklevel", 2)  # the caller's line, not this one
        try:
            self.logger.log(level, msg, *args, **options)
        except Exception as broken:  # noqa: BLE001  shown
            sys.excepthook(type(broken), broken, broken.__traceback__)
