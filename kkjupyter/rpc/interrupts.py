"""Make the kernel's interrupt reach plain code that waits."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator

__all__ = ["interruptible"]


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Inside, Ctrl-C and the kernel's interrupt raise KeyboardInterrupt in a waiting main thread.

    A cell that contains ``await`` runs under a handler of ipykernel's that cancels the cell's task
    instead. Plain code that waits inside such a cell (a ``for`` over a Call, ``.result()``) blocks
    the very loop that would deliver the cancellation, and would never hear of it.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGINT)
    if before is signal.default_int_handler or not callable(before):
        yield
        return
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
