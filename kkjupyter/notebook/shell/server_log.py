"""The log of servers in this kernel, if logging is not set up.

Python would print each record to stderr, into the cell that runs. A failure whose traceback went to
the client is not printed, because the client is usually a cell here, which shows it. With logging
set up, the records are complete.
"""

from __future__ import annotations

import logging
import sys

from kkjupyter.connection.failure_log import logger, was_told
from kkjupyter.plaintext import plain

__all__ = ["install", "uninstall"]


class _CellLog(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        if was_told(record) or _others_listen():
            return
        try:
            sys.stderr.write(plain(self.format(record)) + "\n")
        except Exception:  # noqa: BLE001  as every handler of a log: nothing may fail by it
            self.handleError(record)


def _others_listen() -> bool:
    """Whether the record goes to a handler of the user's, too."""
    above: logging.Logger | None = logger.logger
    while above is not None:
        if any(handler is not _handler for handler in above.handlers):
            return True
        above = above.parent if above.propagate else None
    return False


_handler = _CellLog(logging.WARNING)


def install() -> None:
    """Print records in the cell from now on. Idempotent."""
    logger.logger.addHandler(_handler)


def uninstall() -> None:
    """Undo :func:`install`."""
    logger.logger.removeHandler(_handler)
