"""The notebook room: the only one that knows IPython, ipykernel and widgets.

:func:`load` and :func:`unload` are ``%load_ext kkjupyter`` and ``%unload_ext kkjupyter``;
:func:`install_if_ipython` makes calls work as the last line of a cell without them.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from IPython import get_ipython
from IPython.core.extensions import ExtensionManager

if TYPE_CHECKING:
    from kkjupyter.notebook.commands import Commands

__all__ = ["install_if_ipython", "load", "unload"]

_installed_in: Any = None
_commands: Commands | None = None


def install_if_ipython() -> None:
    """Where IPython runs, let a call be the last line of a cell, and Cancel get through.

    Idempotent and cheap: called before every connect.
    """
    global _installed_in
    shell = get_ipython()
    if shell is None or shell is _installed_in:
        return
    from kkjupyter.notebook import (
        card,
        control,
        interrupts,
        lastline,
        measuring,
        running,
        serverlog,
        trace,
        tracebacks,
    )
    from kkjupyter.notebook.cells import cells

    lastline.install(shell)
    measuring.install(shell)
    control.install(shell)
    interrupts.install(shell)
    running.install(shell)
    cells.install(shell)
    card.install(shell)
    trace.install(shell)
    tracebacks.install()
    serverlog.install()
    _installed_in = shell


def load(shell: Any) -> None:
    """``%load_ext kkjupyter``: the above, and the magics. Idempotent."""
    global _commands
    from kkjupyter.notebook import completion, magics, multiline
    from kkjupyter.notebook.commands import Commands

    install_if_ipython()
    if _commands is None:
        _commands = Commands(shell)
    magics.install(shell, _commands)
    multiline.install(shell)
    completion.install(shell, _commands.connections)


def _is_reloading() -> bool:
    """Whether IPython's ``reload_extension`` is what calls; it has no other way to say so."""
    frame = inspect.currentframe()
    while frame is not None:
        if frame.f_code is ExtensionManager.reload_extension.__code__:
            return True
        frame = frame.f_back
    return False


def unload(shell: Any) -> None:
    """``%unload_ext kkjupyter``: cancel all streams, close what was connected, undo the rest.

    ``%reload_ext`` unloads, too, but a user who types it wants to go on: streams and connections
    stay.
    """
    global _commands, _installed_in
    from kkjupyter.notebook import (
        card,
        completion,
        control,
        interrupts,
        lastline,
        magics,
        measuring,
        multiline,
        running,
        serverlog,
        stopping,
        trace,
        tracebacks,
    )
    from kkjupyter.notebook.cells import cells
    from kkjupyter.notebook.registry import registry

    if not _is_reloading():
        for run in registry.running():
            run.cancel()
        if _commands is not None:
            _commands.connections.close_all()
            _commands = None
    magics.uninstall(shell)
    multiline.uninstall(shell)
    completion.uninstall(shell)
    if _installed_in is shell:
        lastline.uninstall(shell)
        measuring.uninstall(shell)
        control.uninstall(shell)
        interrupts.uninstall()
        running.uninstall()
        cells.uninstall(shell)
        card.uninstall(shell)
        trace.uninstall(shell)
        tracebacks.uninstall()
        stopping.uninstall()
        serverlog.uninstall()
        _installed_in = None
