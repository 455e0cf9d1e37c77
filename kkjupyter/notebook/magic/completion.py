"""Completion after ``%rpc``: commands, connected names, options, views, runs."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from IPython.core.error import TryNext

from kkjupyter.notebook.magic.options import CALL, COMMANDS, OPTIONS, options_of
from kkjupyter.notebook.run.registry import registry

if TYPE_CHECKING:
    from kkjupyter.notebook.magic.connections import Connections

__all__ = ["candidates", "install", "uninstall"]

_KEYS = ("%rpc", "%%rpc")


def candidates(text: str, connections: Connections) -> list[str] | None:
    """Completions for the end of ``text`` (the line up to the cursor, with the magic's name).

    None inside a Python expression, for which Python's own completion is better.
    """
    words = text.split()[1:]
    current = "" if not words or text[-1:].isspace() else words.pop()
    if not words:
        names = [*COMMANDS, *connections.names] if text.lstrip().startswith("%rpc") else []
        found = _starting(current, names or connections.names)
        return found if found and "." not in current and "(" not in current else None
    command = words[0] if words[0] in COMMANDS else CALL
    if current.startswith("-"):
        return _starting(current, (option.name for option in options_of(command)))
    values = _values(words[-1])
    if values is not None:
        return _starting(current, values)
    match command:
        case "close":
            return _starting(current, connections.names)
        case "cancel":
            return _starting(current, [*(str(run.number) for run in registry.running()), "--all"])
        case "show":
            return _starting(current, (str(run.number) for run in registry.all()))
        case "trace":
            return _starting(
                current, ["on", "off", "last"] if len(words) == 1 else connections.names
            )
        case "connect":
            return _starting(current, ["demo", "ws://", "wss://"] if len(words) == 1 else ["as"])
        case _:
            return None


def _values(option: str) -> Iterable[str] | None:
    """The values of ``option``, if they are a known set."""
    if option == "--view":
        from kkjupyter.notebook.views import AUTO, VIEWS  # slow to import: not for %load_ext

        return [AUTO, *VIEWS]
    if option == "--token-env":
        return sorted(os.environ)
    known = OPTIONS.get(option)
    return [] if known is not None and known.metavar is not None else None


def _starting(current: str, names: Iterable[str]) -> list[str]:
    return [name for name in names if name.startswith(current)]


def install(shell: Any, connections: Callable[[], Connections]) -> None:
    """Complete the magics' lines.

    Args:
        shell: the shell in which they are written.
        connections: returns the connections; not called before the first completion.
    """

    def complete(_: Any, event: Any) -> list[str]:
        line = event.text_until_cursor if hasattr(event, "text_until_cursor") else event.line
        found = candidates(line, connections())
        if found is None:
            raise TryNext
        return found

    for key in _KEYS:
        shell.set_hook("complete_command", complete, str_key=key)


def uninstall(shell: Any) -> None:
    """Undo :func:`install`."""
    for key in _KEYS:
        shell.strdispatchers["complete_command"].strs.pop(key, None)
