"""Exit codes, and the errors that they stand for."""

from __future__ import annotations

from enum import IntEnum

from kkjupyter.errors import (
    CallCancelled,
    CallTimeout,
    ConnectError,
    ConnectionLost,
    EncodeError,
    KKError,
    ProtocolError,
    UsageError,
    ValidationError,
)

__all__ = ["EXIT_CODES_HELP", "ExitCode", "exit_code_for"]


class ExitCode(IntEnum):
    """The exit codes of the ``kkjupyter`` command."""

    OK = 0
    FAILED = 1
    USAGE = 2
    CONNECTION = 3
    TIMEOUT = 4
    CANCELLED = 130  # 128 + SIGINT
    READER_GONE = 141  # 128 + SIGPIPE
    TERMINATED = 143  # 128 + SIGTERM


EXIT_CODES_HELP = """\
exit codes:
  0    all values came (or as many as --take says)
  1    the remote side raised an error
  2    wrong usage: a bad option or expression, a value that cannot be sent
  3    cannot connect, the connection was lost, or the peer speaks something else
  4    --timeout ran out before the reply
  130  cancelled with Ctrl-C
  141  the reader of the output is gone (as with `| head`); the stream was cancelled
  143  terminated; the stream was cancelled"""

_CODES: tuple[tuple[type[KKError], ExitCode], ...] = (
    (UsageError, ExitCode.USAGE),
    (EncodeError, ExitCode.USAGE),
    (ValidationError, ExitCode.USAGE),
    (ConnectError, ExitCode.CONNECTION),
    (ConnectionLost, ExitCode.CONNECTION),
    (ProtocolError, ExitCode.CONNECTION),
    (CallTimeout, ExitCode.TIMEOUT),
    (CallCancelled, ExitCode.CANCELLED),
)


def exit_code_for(error: KKError) -> ExitCode:
    """The exit code for an error of ours; FAILED for an error of the remote side."""
    for kind, code in _CODES:
        if isinstance(error, kind):
            return code
    return ExitCode.FAILED
