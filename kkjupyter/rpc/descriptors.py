"""File descriptors: seeing that they run out before they have, and saying so once.

Without one more a server accepts nobody, and the rest of the process opens no file.
"""

from __future__ import annotations

import asyncio
import errno
import sys
import time
from collections.abc import Callable
from typing import Any, Final

from kkjupyter.rpc.logs import SafeLogger

__all__ = ["are_scarce", "limit_of_process", "report_exhaustion"]

logger = SafeLogger("kkjupyter.server")

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


def are_scarce(transport: asyncio.BaseTransport, spare: int) -> bool:
    """Whether fewer than ``spare`` descriptors were left when this connection was accepted.

    The system gives out the lowest number that is free, so the number tells how many are taken.
    """
    sock = transport.get_extra_info("socket")
    limit = limit_of_process()
    if sock is None or limit is None:
        return False
    # Where the limit is so low, half of it is for the rest of the process.
    return bool(sock.fileno() >= limit - min(spare, limit // 2))


def report_exhaustion(loop: asyncio.AbstractEventLoop) -> None:
    """Have ``loop`` say in one line that it cannot accept connections. On that loop; idempotent."""
    before = loop.get_exception_handler()
    if isinstance(before, _ExhaustionReport):
        return
    loop.set_exception_handler(_ExhaustionReport(before))


class _ExhaustionReport:
    """Says in one line, and not again for a minute, that nobody can be accepted.

    asyncio reports each attempt, a hundred times a second, with a traceback.
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
                "(%s such failures since this was said last)",
                exc.strerror,
                f"{self._unsaid:,}",
            )
            self._said_at_s = now_s
            self._unsaid = 0
        return True
