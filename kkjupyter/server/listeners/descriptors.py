"""File descriptors: noticing early that they run out, and logging it once.

Without a free one, a server accepts no connection and the rest of the process opens no file.
"""

from __future__ import annotations

import asyncio
import errno
import math
import os
import socket
import sys
import time
from collections.abc import Callable, Iterable
from typing import Any, Final

from kkjupyter.runtime.logs import SafeLogger

__all__ = [
    "ACCEPTED_AT_ONCE",
    "are_left",
    "deepen_queue",
    "limit_of_process",
    "report_exhaustion",
]

logger = SafeLogger("kkjupyter.server")

ACCEPTED_AT_ONCE: Final = 4
"""What to tell asyncio as the ``backlog`` of a server.

It accepts as many before anybody can look at one of them, and a flood would take every descriptor.
"""

_OWN_DESCRIPTORS: Final = "/dev/fd"
_QUEUE: Final = 128
_EXHAUSTED: Final = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
_SAY_AGAIN_S: Final = 60.0

Handler = Callable[[asyncio.AbstractEventLoop, dict[str, Any]], object]


def limit_of_process() -> int | None:
    """How many descriptors this process may have open; None if that is not limited."""
    if sys.platform == "win32":
        return None
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if soft == resource.RLIM_INFINITY else soft


def are_left(newest: int) -> float:
    """How many descriptors may still be opened; infinity if they are not limited.

    Counting costs some microseconds for each open one, so it is skipped while there are plenty.

    Args:
        newest: one that was just opened. The system uses the lowest free number.
    """
    limit = limit_of_process()
    if limit is None:
        return math.inf
    if newest < limit // 4:  # most likely; otherwise those in the gaps above are counted
        return limit - newest
    try:
        return limit - len(os.listdir(_OWN_DESCRIPTORS))
    except OSError:
        return limit - newest


def report_exhaustion(loop: asyncio.AbstractEventLoop) -> None:
    """Let ``loop`` log in one line that it cannot accept connections. On that loop; idempotent."""
    before = loop.get_exception_handler()
    if isinstance(before, _ExhaustionReport):
        return
    loop.set_exception_handler(_ExhaustionReport(before))


def deepen_queue(sockets: Iterable[Any]) -> None:
    """Let the system queue more connections than are accepted at once, for bursts.

    Args:
        sockets: the sockets that a server listens on.
    """
    for listening in sockets:
        # asyncio's own sockets have no listen(); a duplicate shares the listening socket.
        with socket.socket(fileno=socket.dup(listening.fileno())) as twin:
            twin.listen(_QUEUE)


class _ExhaustionReport:
    """Logs in one line, at most once a minute, that no connection can be accepted.

    asyncio logs each attempt, a hundred times a second, with a traceback.
    """

    def __init__(self, before: Handler | None) -> None:
        self._before = before
        self._said_at_s = -_SAY_AGAIN_S
        self._unsaid = 0

    def __call__(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if self._take(context):
            return
        if self._before is not None:
            self._before(loop, context)
        else:
            loop.default_exception_handler(context)

    def _take(self, context: dict[str, Any]) -> bool:
        exc = context.get("exception")
        if not isinstance(exc, OSError) or exc.errno not in _EXHAUSTED:
            return False
        if "accept" not in str(context.get("message")):
            return False
        self._unsaid += 1
        now_s = time.monotonic()
        if now_s - self._said_at_s >= _SAY_AGAIN_S:
            logger.warning(
                "cannot accept connections: %s; they wait until others are closed. More file "
                "descriptors (ulimit -n) or fewer connections (kk.ServerLimits) help "
                "(%s failures since the last warning)",
                exc.strerror,
                f"{self._unsaid:,}",
            )
            self._said_at_s = now_s
            self._unsaid = 0
        return True
