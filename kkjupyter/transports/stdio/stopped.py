"""Whether a child process is stopped: by SIGSTOP, by Ctrl-Z, as a frozen container's are."""

from __future__ import annotations

import os
import sys

__all__ = ["is_stopped"]


def is_stopped(pid: int) -> bool:
    """Whether this child of ours stands still, and nobody but a signal will wake it.

    One that a debugger holds does not count. On Windows none ever does.

    Args:
        pid: of a child; whoever waits for its end goes on to see that.
    """
    if sys.platform == "win32":
        return False
    try:
        state = os.waitid(os.P_PID, pid, os.WSTOPPED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:  # it has ended
        return False
    return state is not None and state.si_code == os.CLD_STOPPED
