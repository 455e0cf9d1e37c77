"""The notebook side: the only chapter that uses IPython, ipykernel and widgets.

:func:`load` and :func:`unload` are ``%load_ext kkjupyter`` and ``%unload_ext kkjupyter``;
:func:`install_if_ipython` makes calls work as the last line of a cell without them, and
:func:`prepare_for_calls` loads what shows them. The modules that are put into a shell import only
each other and small modules: see :mod:`kkjupyter.notebook.shell.class_names`.
"""

from __future__ import annotations

import atexit
import inspect
import sys
from typing import TYPE_CHECKING, Any

from IPython import get_ipython
from IPython.core.extensions import ExtensionManager

from kkjupyter.runtime.hooks import before_show

if TYPE_CHECKING:
    from kkjupyter.notebook.magic.commands import Commands

__all__ = ["install_if_ipython", "load", "prepare_for_calls", "unload"]

_installed_in: Any = None
_commands: Commands | None = None


def install_if_ipython() -> None:
    """In IPython and marimo, make calls work as the last line of a cell; let Cancel get through.

    Idempotent and cheap; it does not import what shows a call.
    """
    global _installed_in
    shell = get_ipython()
    if shell is None and "marimo" in sys.modules:
        from kkjupyter.notebook.shell import server_log
        from kkjupyter.notebook.show import marimo_display

        marimo_display.install()
        server_log.install()
    if shell is None or shell is _installed_in:
        return
    from kkjupyter.notebook.output import control
    from kkjupyter.notebook.output.pages import pages
    from kkjupyter.notebook.run import heartbeat as running
    from kkjupyter.notebook.run.owner import cells
    from kkjupyter.notebook.run.registry import registry
    from kkjupyter.notebook.shell import formatters, interrupts, server_log, tracebacks
    from kkjupyter.notebook.show import displayhook, time_magics

    displayhook.install(shell)
    time_magics.install(shell)
    cells.install(shell)
    control.install(shell, registry, cells.running_header)
    pages.install(shell)
    interrupts.install()
    running.install(shell)
    formatters.install(shell)
    tracebacks.install()
    server_log.install()
    # Exit handlers run in reverse order: this one before IPython's, which empties the namespace.
    atexit.register(registry.abandon_all)
    _installed_in = shell


before_show.append(install_if_ipython)


def prepare_for_calls() -> None:
    """Run before every connect: the above and, in IPython, import what shows a call.

    It takes a tenth of a second, while the user waits for the connection anyway. Later it would
    delay the first items of the first stream, and count in its ``%time``.
    """
    install_if_ipython()
    shell = get_ipython()
    if shell is None:
        return
    from kkjupyter.notebook.show import watched  # noqa: F401  for its effect

    if getattr(shell, "kernel", None) is not None:
        from kkjupyter.notebook.output import live_output  # noqa: F401  not for terminals
        from kkjupyter.notebook.output.pages import pages

        if not pages.has_extension:
            from kkjupyter.notebook.output import widget  # noqa: F401  it takes the longest


def load(shell: Any) -> None:
    """``%load_ext kkjupyter``: :func:`install_if_ipython`, and the magics. Idempotent."""
    from kkjupyter.notebook.magic import completion, magics, multiline

    install_if_ipython()

    def commands() -> Commands:
        global _commands
        if _commands is None:
            from kkjupyter.notebook.magic.commands import Commands

            _commands = Commands(shell)
        return _commands

    magics.install(shell, commands)
    multiline.install(shell)
    completion.install(shell, lambda: commands().connections)


def _is_reloading() -> bool:
    """Whether IPython's ``reload_extension`` is the caller, which it does not say otherwise."""
    frame = inspect.currentframe()
    while frame is not None:
        if frame.f_code is ExtensionManager.reload_extension.__code__:
            return True
        frame = frame.f_back
    return False


def unload(shell: Any) -> None:
    """``%unload_ext kkjupyter``: cancel all streams, close connections, undo the rest.

    ``%reload_ext`` unloads, too, but a user who types it wants to go on: streams and connections
    stay.
    """
    global _commands, _installed_in
    from kkjupyter.notebook.magic import completion, magics, multiline
    from kkjupyter.notebook.output import control
    from kkjupyter.notebook.output.pages import pages
    from kkjupyter.notebook.run import heartbeat as running
    from kkjupyter.notebook.run import stopping
    from kkjupyter.notebook.run.owner import cells
    from kkjupyter.notebook.run.registry import registry
    from kkjupyter.notebook.shell import formatters, interrupts, server_log, tracebacks
    from kkjupyter.notebook.show import displayhook, time_magics

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
        displayhook.uninstall(shell)
        time_magics.uninstall(shell)
        control.uninstall(shell)
        interrupts.uninstall()
        running.uninstall()
        pages.uninstall()
        cells.uninstall(shell)
        atexit.unregister(registry.abandon_all)
        formatters.uninstall(shell)
        tracebacks.uninstall()
        stopping.uninstall()
        server_log.uninstall()
        _installed_in = None
