"""A call as the last line of a cell: its value, or its live view.

The hook wraps the shell's display hook. A Call has no ``_ipython_display_``, because an exception
in it does not fail the cell in some kernels.
"""

from __future__ import annotations

import ast
import sys
import tokenize
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from IPython import get_ipython
from IPython.core.displayhook import CapturingDisplayHook, DisplayHook
from IPython.display import display

from kkjupyter.notebook.shell.class_names import OUTCOMES, WATCHED, is_one
from kkjupyter.notebook.shell.tracebacks import hide_our_frames

if TYPE_CHECKING:
    from kkjupyter.calls.call import Call
    from kkjupyter.notebook.run.reply import Reply
    from kkjupyter.notebook.show.compare import Compared, Replies
    from kkjupyter.notebook.show.show import Shown

__all__ = ["LastLine", "install", "uninstall"]

Hook = Callable[[Any], None]
# What IPython turns `%rpc ...` into.
_MAGIC = "get_ipython().run_line_magic('rpc', "


class LastLine:
    """A display hook that shows calls and streams, and passes everything else on.

    Args:
        shell: the shell that it belongs to.
        inner: the previous hook.
        stores: whether the cell's value becomes ``_`` and ``Out``.
    """

    def __init__(self, shell: Any, inner: Hook, *, stores: bool = True) -> None:
        self.shell = shell
        self.inner = inner
        self.stores = stores
        self.is_active = True

    def __call__(self, result: Any) -> None:
        """Show ``result``; for a call, wait for its end.

        Raises:
            BaseException: the error of the call; the cell fails.
        """
        if not self.is_active or not is_one(result, (*WATCHED, *OUTCOMES)):
            is_silenced = self.is_active and _is_silenced_magic(self.shell)
            self.inner(None if is_silenced else result)
            return
        is_quiet = self._is_quiet()
        if is_one(result, OUTCOMES):
            self.inner(None) if is_quiet else self._show_reply(result)
            return
        from kkjupyter.notebook.show.watched import watched  # loaded if a call was made

        try:
            value = watched(result)
        except BaseException as error:  # an interrupt may come at any moment
            hide_our_frames(error)
            raise
        if is_quiet:
            # As with a figure: the semicolon hides the value, not what was shown.
            self.inner(None)
        elif is_one(value, OUTCOMES):
            self._store(value)
        else:
            self.inner(value)

    def _is_quiet(self) -> bool:
        quiet = getattr(self.shell.displayhook, "quiet", None)
        return (callable(quiet) and bool(quiet())) or _is_silenced_magic(self.shell)

    def _show_reply(self, reply: Reply | Replies) -> None:
        if reply.shown_in == self.shell.execution_count:
            self._store(reply)
        else:
            self.inner(reply)

    def _store(self, reply: Reply | Replies) -> None:
        """Make ``reply`` this cell's ``_`` and ``Out`` without showing it: the view did."""
        if not self.stores:
            return
        hook = self.shell.displayhook
        hook.check_for_underscore()
        hook.update_user_ns(reply)
        hook.fill_exec_result(reply)


def _display(value: Call | Shown | Compared) -> None:
    """``display(call)``: works like the last line of a cell, and also displays the value."""
    from kkjupyter.notebook.show.watched import watched

    try:
        result = watched(value)
    except Exception:  # noqa: BLE001 - IPython would show it, and then the call's repr as well
        get_ipython().showtraceback()
        return
    if result is not None and not is_one(result, OUTCOMES):
        display(result)  # type: ignore[no-untyped-call]


def _before_cell(info: Any) -> None:
    """Prepare for ``%%capture``, whose display hook knows only formats."""
    hook = sys.displayhook
    if isinstance(hook, CapturingDisplayHook):
        sys.displayhook = LastLine(hook.shell, hook, stores=False)


def _is_silenced_magic(shell: Any) -> bool:
    """Whether the cell ends with ``%rpc ...;``.

    IPython's own way, a decorator for the magic, would also remove the value of ``r = %rpc ...;``.
    """
    try:
        last = shell.history_manager.input_hist_parsed[-1].rstrip().rpartition("\n")[2].strip()
    except (AttributeError, IndexError):  # a shell without a history
        return False
    if not last.startswith(_MAGIC):
        return False
    try:
        line = ast.literal_eval(last.removeprefix(_MAGIC).removesuffix(")"))
    except (SyntaxError, ValueError):
        return False
    return isinstance(line, str) and _ends_with_semicolon(line)


def _ends_with_semicolon(line: str) -> bool:
    try:
        return bool(DisplayHook.semicolon_at_end_of_expression(line))  # type: ignore[no-untyped-call]
    except (tokenize.TokenError, SyntaxError):  # options are not Python
        return line.rstrip().endswith(";")


def install(shell: Any) -> None:
    """Install the hook, also for the current cell. Idempotent."""
    formatter = shell.display_formatter.ipython_display_formatter
    for kind in WATCHED:
        formatter.for_type(kind, _display)
    if _before_cell not in shell.events.callbacks["pre_run_cell"]:
        shell.events.register("pre_run_cell", _before_cell)
    trap = shell.display_trap
    if isinstance(trap.hook, LastLine):
        trap.hook.is_active = True
        return
    hook = LastLine(shell, trap.hook)
    if sys.displayhook is trap.hook:
        # The current cell already uses the old hook.
        sys.displayhook = hook
    trap.hook = hook


def uninstall(shell: Any) -> None:
    """Remove the hook; if it was wrapped since then, it only passes values on. Idempotent."""
    formatter = shell.display_formatter.ipython_display_formatter
    for kind in WATCHED:
        formatter.pop(kind, None)
    if _before_cell in shell.events.callbacks["pre_run_cell"]:
        shell.events.unregister("pre_run_cell", _before_cell)
    trap = shell.display_trap
    hook = trap.hook
    if isinstance(hook, LastLine):
        hook.is_active = False
        if sys.displayhook is hook:
            sys.displayhook = hook.inner
        trap.hook = hook.inner
