"""The programs this process has started, so that none of them outlives it.

Each runs in a session of its own: a Ctrl-C meant for the kernel does not reach it, and whatever it
starts in turn can be ended with it. On Windows, where there are no such groups, only the program
itself is ended, and ``terminate`` is as hard as ``kill``.
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

__all__ = ["ProcessGroup", "spawn_options"]

# What programs get at interpreter exit between SIGTERM and SIGKILL.
EXIT_GRACE_S = 1.0
_POLL_S = 0.01

_running: set[ProcessGroup] = set()


class ProcessGroup:
    """A program that was started with :func:`spawn_options`, and all that it started itself.

    It is ended when this interpreter exits, unless :meth:`forget` was called.

    Args:
        pid: of the program, which leads its group.
    """

    def __init__(self, pid: int) -> None:
        self.pid = pid
        _end_all_at_exit()
        _running.add(self)

    def terminate(self) -> None:
        """Ask all of it to end. Nothing happens when it is gone already."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """End all of it. Nothing happens when it is gone already."""
        self._signal(signal.SIGTERM if sys.platform == "win32" else signal.SIGKILL)

    def forget(self) -> None:
        """It is gone, and its number may be another's soon. Idempotent."""
        _running.discard(self)

    @property
    def is_gone(self) -> bool:
        """Whether nothing of it is left; on Windows whether :meth:`forget` was called."""
        return self not in _running or not self._signal(0)

    def _signal(self, number: int) -> bool:
        """Whether there was somebody to take the signal."""
        if self not in _running:
            return False
        # PermissionError: it runs as somebody else now, or (on macOS) nobody has asked yet how a
        # program that is dead has ended. OSError: what Windows says of one that has gone.
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
    """The arguments that have :class:`subprocess.Popen` start a group of its own."""
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    return {"start_new_session": True}


def _end_all() -> None:
    """Needs no event loop: at exit there may be none that still turns."""
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
    # statuses should still turn then.
    global _registered
    if not _registered:
        _registered = True
        atexit.register(_end_all)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_running.clear)  # they are the parent's
