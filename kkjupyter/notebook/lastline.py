"""A call as the last line of a cell: its value, or its live view.

The hook goes around the shell's display hook; a Call has no ``_ipython_display_``, because an
exception in that leaves the cell green in some kernels.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from kkjupyter.notebook.comparing import Compared, Replies
from kkjupyter.notebook.live import Shown
from kkjupyter.notebook.playing import begin, outcome, play, show_again, wait
from kkjupyter.notebook.registry import registry
from kkjupyter.notebook.reply import Reply
from kkjupyter.rpc.call import Call

__all__ = ["LastLine", "install", "uninstall"]

Hook = Callable[[Any], None]


class LastLine:
    """A display hook that takes calls and streams, and hands everything else on.

    Args:
        shell: whose hook it is.
        inner: the hook before.
    """

    def __init__(self, shell: Any, inner: Hook) -> None:
        self.shell = shell
        self.inner = inner
        self.is_active = True

    def __call__(self, result: Any) -> None:
        """Show ``result``; for a call, wait for its end.

        Raises:
            BaseException: what the call failed with; the cell is red.
        """
        if not self.is_active or not isinstance(result, (Call, Shown, Compared, Reply, Replies)):
            self.inner(result)
            return
        if self._is_quiet():
            # `api.f();` - the user wants no output, so nothing is waited for either.
            self.inner(None)
            return
        if isinstance(result, (Reply, Replies)):
            self._show_reply(result)
            return
        value = result.last_line() if isinstance(result, (Shown, Compared)) else _watch(result)
        if isinstance(value, (Reply, Replies)):
            self._store(value)
        else:
            self.inner(value)

    def _is_quiet(self) -> bool:
        quiet = getattr(self.shell.displayhook, "quiet", None)
        return bool(quiet()) if callable(quiet) else False

    def _show_reply(self, reply: Reply | Replies) -> None:
        if reply.shown_in == self.shell.execution_count:
            self._store(reply)
        else:
            self.inner(reply)

    def _store(self, reply: Reply | Replies) -> None:
        """Make ``reply`` this cell's ``_`` and ``Out`` without showing it: the view has."""
        hook = self.shell.displayhook
        hook.check_for_underscore()
        hook.update_user_ns(reply)
        hook.fill_exec_result(reply)


def _watch(call: Call) -> Any:
    known = registry.get(call.id)
    if known is not None:
        show_again(known)
        wait(known)
        return outcome(known)
    run = begin(call)
    play(run)
    return outcome(run)


def install(shell: Any) -> None:
    """Put the hook in place, for this very cell, too. Idempotent."""
    trap = shell.display_trap
    if isinstance(trap.hook, LastLine):
        trap.hook.is_active = True
        return
    hook = LastLine(shell, trap.hook)
    if sys.displayhook is trap.hook:
        # The trap is set: the cell that runs has the old hook in hand.
        sys.displayhook = hook
    trap.hook = hook


def uninstall(shell: Any) -> None:
    """Take the hook out; where somebody has wrapped it since, it stands aside. Idempotent."""
    trap = shell.display_trap
    hook = trap.hook
    if isinstance(hook, LastLine):
        hook.is_active = False
        if sys.displayhook is hook:
            sys.displayhook = hook.inner
        trap.hook = hook.inner
