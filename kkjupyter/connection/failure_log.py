"""What a server writes to its log about failures of the handlers that it runs.

The logger is ``kkjupyter.server``. A failure of a handler is an ERROR with its traceback. An error
that is meant for the client is one line at INFO: arguments that do not fit, a ``kk.RemoteError``
that the handler made itself, an HTTP status from 400 to 499, a thrown value.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from kkjupyter.errors import CallCancelled, ConnectionLost, RemoteError, RemoteThrow
from kkjupyter.plaintext import one_line
from kkjupyter.runtime.logs import SafeLogger
from kkjupyter.validation.refusals import ArgumentsError, RPCValidationError

__all__ = ["is_for_the_client", "log_failure", "log_late_failure", "logger", "was_told"]

logger: Final = SafeLogger("kkjupyter.server")

_TOLD: Final = "kkjupyter_told"
_METHOD_CHARS: Final = 200
_MESSAGE_CHARS: Final = 1000


def log_failure(what: str, exc: BaseException, *, told: bool = False) -> None:
    """Log what a handler, a property, a constructor or an interceptor raised. Any thread.

    Args:
        what: the name as the client asked for it, ``"math.add"``.
        exc: what was raised; the client is told, too.
        told: whether it is told all of it, the traceback included.
    """
    if is_for_the_client(exc):
        logger.info("%s: refused with %s: %s", _line(what), type(exc).__name__, _text(exc))
    else:
        logger.error("%s failed", _line(what), exc_info=exc, extra={_TOLD: told})


def was_told(record: logging.LogRecord) -> bool:
    """Whether the client got what ``record`` says, with the traceback."""
    return bool(getattr(record, _TOLD, False))


def log_late_failure(what: str, exc: BaseException) -> None:
    """Log what was raised after the client had cancelled, or was gone: nobody else hears of it.

    The cancellation itself is not a failure, and neither is its echo in a call that the handler
    made. Any thread.

    Args:
        what: the name as the client asked for it.
        exc: what was raised.
    """
    if _is_cancellation(exc):
        return
    level = logging.DEBUG if isinstance(exc, CallCancelled | ConnectionLost) else logging.ERROR
    logger.log(level, "%s failed after it was cancelled", _line(what), exc_info=exc)


def is_for_the_client(exc: BaseException) -> bool:
    """Whether an error tells the client what it did wrong, rather than what is wrong here."""
    if isinstance(exc, RPCValidationError):
        return exc.phase == "input"
    if isinstance(exc, RemoteError):
        if exc.status is not None:
            return exc.status < 500
        # One with a method came from a call that the handler made, and did not catch.
        return isinstance(exc, RemoteThrow) or not exc.method
    return isinstance(exc, ArgumentsError)


def _is_cancellation(exc: BaseException) -> bool:
    if isinstance(exc, BaseExceptionGroup):
        return all(map(_is_cancellation, exc.exceptions))
    return isinstance(exc, asyncio.CancelledError | GeneratorExit)


def _text(exc: BaseException) -> str:
    try:
        return _line(str(exc), _MESSAGE_CHARS)
    except Exception as failure:  # noqa: BLE001  its text is the user's code
        return f"(its text cannot be read: {type(failure).__name__})"


def _line(text: str, limit_chars: int = _METHOD_CHARS) -> str:
    """``text`` in one line: a client must not write lines of its own into the log."""
    shown = text[:limit_chars] + "..." * (len(text) > limit_chars)
    return one_line(shown)
