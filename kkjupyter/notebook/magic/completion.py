"""Completion after ``%rpc``: commands, connected names, options, views, runs."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from IPython.core.completer import CompletionContext, SimpleCompletion, context_matcher

from kkjupyter.notebook.magic.options import CALL, COMMANDS, OPTIONS, options_of
from kkjupyter.notebook.run.registry import registry

if TYPE_CHECKING:
    from kkjupyter.notebook.magic.connections import Connections

__all__ = ["candidates", "install", "uninstall"]

# `%rpc`, `%%rpc`, and `name = %rpc`.
_MAGIC = re.compile(r"\s*(?:[\w.,\[\] ]+=\s*)?(%%?rpc\s.*)", re.DOTALL)
_QUOTED = re.compile(r"(\"|')(?:\\.|(?!\1).)*(\1|\Z)", re.DOTALL)


def candidates(
    text: str, connections: Connections, variables: Iterable[str] = ()
) -> list[str] | None:
    """What may stand at the end of ``text`` (the line up to the cursor, with the magic's name).

    None where a Python expression is being written: Python's own completion knows better.

    Args:
        text: the line.
        connections: whose names come first.
        variables: what else the user's names are, in which a call may begin.
    """
    words = text.split()[1:]
    current = "" if not words or text[-1:].isspace() else words.pop()
    if _is_inside(text):
        return None
    if not words:
        if "." in current or "(" in current:
            return None
        names = list(connections.names)
        if not text.lstrip().startswith("%%"):
            names += COMMANDS
        if current:
            names += sorted(name for name in variables if not name.startswith("_"))
        return list(dict.fromkeys(_starting(current, names))) or None
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
            schemes = ["nats://", "redis://", "ws://", "wss://"]
            return _starting(current, ["demo", *schemes] if len(words) == 1 else ["as"])
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


def _is_inside(text: str) -> bool:
    """Whether the end of ``text`` is inside a string or brackets."""
    is_open = False

    def blank(found: re.Match[str]) -> str:
        nonlocal is_open
        is_open = not found[2]
        return ""

    rest = _QUOTED.sub(blank, text)
    return is_open or sum(map(rest.count, "([{")) > sum(map(rest.count, ")]}"))


def _starting(current: str, names: Iterable[str]) -> list[str]:
    return [name for name in names if name.startswith(current)]


_MATCHER = "kkjupyter.rpc"


def install(shell: Any, connections: Callable[[], Connections]) -> None:
    """Complete the magics' lines. Idempotent.

    What is found here is all that is offered: names of Python's would stand before it.

    Args:
        shell: the shell in which they are written.
        connections: returns the connections; not called before the first completion.
    """

    @context_matcher(identifier=_MATCHER)  # type: ignore[untyped-decorator]
    def complete(context: CompletionContext) -> dict[str, Any]:
        line = _MAGIC.fullmatch(context.text_until_cursor)
        found = candidates(line[1], connections(), shell.user_ns) if line is not None else None
        if line is None or found is None:
            return {"completions": []}
        text = line[1]
        current = "" if text[-1:].isspace() else text.split()[-1]
        return {
            "completions": [SimpleCompletion(name, type="magic") for name in found],
            "matched_fragment": current,
            "suppress": True,
            "ordered": True,
        }

    uninstall(shell)
    shell.Completer.custom_matchers.append(complete)


def uninstall(shell: Any) -> None:
    """Undo :func:`install`."""
    matchers = shell.Completer.custom_matchers
    matchers[:] = [one for one in matchers if getattr(one, "matcher_identifier", "") != _MATCHER]
