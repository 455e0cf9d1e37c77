"""The programs that this process has started; they end with it.

Each runs in its own session: a Ctrl-C meant for the kernel does not reach it, and the programs that
it starts can be ended with it. Windows has no such groups: only the program itself is ended, and
``terminate`` kills it.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import subprocess
import sys
import time
from typing import Any

__all__ = ["ProcessGroup", "is_stopped", "spawn_options"]

# The time that programs get between SIGTERM and SIGKILL at interpreter exit.
EXIT_GRACE_S = 1.0
_POLL_S = 0.01

_running: set[ProcessGroup] = set()


class ProcessGroup:
    """A program that was started with :func:`spawn_options`, and all programs that it started.

    They are ended when this interpreter exits, unless :meth:`forget` was called.

    Args:
        pid: of the program, which leads its group.
    """

    def __init__(self, pid: int) -> None:
        self.pid = pid
        _end_all_at_exit()
        _running.add(self)

    def terminate(self) -> None:
        """Ask the whole group to end. Does nothing if it is already gone."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """Kill the whole group. Does nothing if it is already gone."""
        self._signal(signal.SIGTERM if sys.platform == "win32" else signal.SIGKILL)

    def forget(self) -> None:
        """Forget a group that is gone: its number may soon be reused. Idempotent."""
        _running.discard(self)

    @property
    def is_gone(self) -> bool:
        """Whether no process of the group is left; on Windows whether it was forgotten."""
        return self not in _running or not self._signal(0)

    def _signal(self, number: int) -> bool:
        """Send a signal; return whether a process received it."""
        if self not in _running:
            return False
        # PermissionError: it now runs as another user, or (on macOS) the exit status of a dead
        # program was not read yet. OSError: Windows raises it for a program that is gone.
        with contextlib.suppress(ProcessLookupError):
            if sys.platform == "win32":
                with contextlib.suppress(OSError):
                    if number:
                        os.kill(self.pid, number)
            else:
                with contextlib.suppress(PermissionError):
                    os.killpg(self.pid, number)
            return True
        return False


def spawn_options() -> dict[str, Any]:
    """Arguments with which :class:`subprocess.Popen` starts a new group."""
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    return {"start_new_session": True}


def is_stopped(pid: int) -> bool:
    """Whether this child is stopped until a signal continues it.

    A child in a debugger does not count. On Windows it is always False.

    Args:
        pid: of a child; its exit status stays available to whoever waits for it.
    """
    if sys.platform == "win32":
        return False
    try:
        state = os.waitid(os.P_PID, pid, os.WSTOPPED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:  # it has ended
        return False
    return state is not None and state.si_code == os.CLD_STOPPED


def _end_all() -> None:
    """End all programs without an event loop: at exit there may be no running one."""
    groups = list(_running)
    for group in groups:
        group.terminate()
    deadline_s = time.monotonic() + EXIT_GRACE_S
    while not all(group.is_gone for group in groups) and time.monotonic() < deadline_s:
        time.sleep(_POLL_S)
    for group in groups:
        group.kill()


_registered = False


def _end_all_at_exit() -> None:
    # Not at import: what is registered last runs first, and the loop that collects the exit
    # statuses should still run then.
    global _registered
    if not _registered:
        _registered = True
        atexit.register(_end_all)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_running.clear)  # they belong to the parent
