"""Texts about a command: its name in messages, why it did not start, how it ended."""

from __future__ import annotations

import errno
import os
import re
import shutil
import signal
from collections.abc import Mapping, Sequence

from kkjupyter.plaintext import plain
from kkjupyter.redaction import is_secret_name

__all__ = ["command_url", "end_reason", "quoted", "start_reason"]

_ARGUMENT_CHARS = 40
_COMMAND_CHARS = 80
_HIDDEN = "…"
_QUOTED_LINES = 12
_QUOTED_CHARS = 2000

_NAMED_VALUE = re.compile(r"([^=:\s]+\s*[=:]\s*)(\S.*)", re.DOTALL)
_ADDRESS = re.compile(r"([a-z][a-z0-9+.-]*://)(?:[^/?#\s]*@)?([^?#\s]*)(\S*)", re.IGNORECASE)
# Long, without dots and slashes, letters and digits mixed: neither a file nor a word.
_LOOKS_RANDOM = re.compile(r"(?=[\w+=-]*\d)(?=[\w+=-]*[A-Za-z])[\w+=-]{20,}")


def command_url(command: Sequence[str]) -> str:
    """``"stdio:node server.mjs"`` for ``["/usr/bin/node", "server.mjs"]``.

    Left out: the value of an option, header or variable whose name tells of a secret, the argument
    after such an option, user, password and query of an address, and what looks random.
    """
    shown = [os.path.basename(command[0]) or command[0]]
    hide_next = False
    for argument in command[1:]:
        text = _HIDDEN if hide_next and not argument.startswith("-") else _shown(argument)
        hide_next = argument.startswith("-") and "=" not in argument and is_secret_name(argument)
        shown.append(text)
    return "stdio:" + _shortened(" ".join(shown), _COMMAND_CHARS)


def start_reason(exc: OSError, program: str, cwd: str | None, env: Mapping[str, str] | None) -> str:
    """Why ``program`` could not be started, and what to do, as the end of a sentence.

    Args:
        exc: what starting it raised.
        program: as it was given.
        cwd: the directory it was to be started in, if one was given.
        env: its whole environment, if not that of this process.
    """
    if cwd is not None and not os.path.isdir(cwd):
        return f"cwd {cwd!r} is not a directory"
    has_directory = os.path.dirname(program) != ""
    match exc:
        case FileNotFoundError() if not has_directory and shutil.which(
            program, path=(env or os.environ).get("PATH")
        ):
            return f"the first line of {program!r} names an interpreter that does not exist"
        case FileNotFoundError() if has_directory:
            if os.path.exists(os.path.join(cwd or "", program)):
                return f"the first line of {program!r} names an interpreter that does not exist"
            return f"no such file: {program!r}"
        case FileNotFoundError():
            hint = (
                f"; for the file in this directory write './{program}'"
                if os.path.exists(program)
                else ""
            )
            return f"program {program!r} is not on the PATH; is it installed?{hint}"
        case PermissionError():
            return (
                f"{program!r} may not be executed; if it is a script, name its interpreter first "
                "(['node', 'server.mjs'])"
            )
    text = exc.strerror or str(exc)
    if exc.errno == errno.ENOEXEC:
        return f"{program!r} is not a program; name its interpreter first (['node', 'server.mjs'])"
    return f"{program!r} cannot be started ({text})"


def end_reason(status: int) -> str:
    """How a program ended; ``status`` is a :mod:`subprocess` return code, negative for signals."""
    if status >= 0:
        return f"the program ended with exit status {status}"
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = f"signal {-status}"
    return f"the program was ended by {name}"


def quoted(stderr: str) -> str:
    """The last lines of ``stderr`` as the end of a sentence."""
    lines = stderr[-_QUOTED_CHARS:].splitlines()[-_QUOTED_LINES:]
    if not lines:
        return ""
    if len(lines) == 1:
        return f"; its stderr: {lines[0].strip()}"
    return "; the end of its stderr:\n" + "\n".join(f"    {line}" for line in lines)


def _shown(argument: str) -> str:
    argument = " ".join(argument.split())
    named = _NAMED_VALUE.fullmatch(argument)
    if named and "://" not in argument[: named.end(1) + 2] and is_secret_name(named[1]):
        return named[1] + _HIDDEN
    argument = _ADDRESS.sub(lambda m: m[1] + m[2] + ("?" + _HIDDEN if m[3] else ""), argument)
    argument = _LOOKS_RANDOM.sub(_HIDDEN, argument)
    return _shortened(plain(argument), _ARGUMENT_CHARS)


def _shortened(text: str, limit_chars: int) -> str:
    return text if len(text) <= limit_chars else text[: limit_chars - 1] + "…"
