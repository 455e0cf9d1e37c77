"""``%rpc`` and ``%%rpc``: parse, delegate."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from IPython.core.magic import needs_local_scope, no_var_expand

from kkjupyter.errors import UsageError
from kkjupyter.notebook.magic.options import CALL, help_text

if TYPE_CHECKING:
    from kkjupyter.notebook.magic.commands import Commands

__all__ = ["install", "uninstall"]

_NAME = "rpc"


def install(shell: Any, commands: Callable[[], Commands]) -> None:
    """Register the magics. Idempotent.

    Args:
        shell: the shell that gets the magics.
        commands: returns the commands; not called before a magic runs.
    """

    @no_var_expand
    @needs_local_scope
    def rpc(line: str, cell: str | None = None, local_ns: Mapping[str, Any] | None = None) -> Any:
        from kkjupyter.notebook.magic.parser import parse  # imports msgspec: not for %load_ext

        scope = shell.user_ns if local_ns is None else local_ns
        names = {*shell.user_ns, *scope}
        request = parse(line, names, "%rpc" if cell is None else "%%rpc")
        is_bare = request.command == CALL and request.expression is None and cell is None
        if request.options.help or is_bare:
            print(help_text(None if request.command == CALL else request.command))
            return None
        if request.command == CALL:
            return commands().call(request, cell, scope)
        if cell is not None:
            raise UsageError(f"`{request.command}` takes no text below it; write %rpc, with one %")
        return getattr(commands(), request.command)(request)

    rpc.__doc__ = help_text()
    shell.register_magic_function(rpc, "line_cell", _NAME)


def uninstall(shell: Any) -> None:
    """Remove the magics. Idempotent."""
    for kind in ("line", "cell"):
        shell.magics_manager.magics[kind].pop(_NAME, None)
