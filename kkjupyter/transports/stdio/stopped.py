"""Whether a child process is stopped, by SIGSTOP or Ctrl-Z or in a frozen container."""

from __future__ import annotations

import os
import sys

__all__ = ["is_stopped"]


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
