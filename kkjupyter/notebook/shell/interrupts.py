"""The kernel's interrupt, in cells that contain ``await``.

Such a cell runs as a task, and ipykernel's SIGINT handler asks the event loop to cancel that task.
Code that keeps the loop busy never notices: a plain ``for`` over a call, ``.result()``, the body of
a loop that computes. And a sleeping loop is not woken by it.

So from our first wait or loop in such a cell to its end, our handler replaces ipykernel's, and no
other: a program's own handler, and Python's, stay in place.
"""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any

from IPython.core.interactiveshell import InteractiveShell

from kkjupyter.notebook.shell.tracebacks import hide_our_frames
from kkjupyter.runtime.hooks import before_wait

__all__ = ["install", "uninstall"]

# A signal right before the loop falls asleep, and any signal on Windows, does not wake the loop.
_WAKE_INTERVAL_S = 0.1

_RUN_CELL: CodeType = InteractiveShell.run_cell_async.__code__
_RUN_CODE: CodeType = InteractiveShell.run_code.__code__

Handler = Callable[[int, FrameType | None], Any]


class StandIn:
    """Interrupts one cell, instead of ipykernel's handler.

    Running code of the cell is ended by KeyboardInterrupt, as in a cell without ``await``; a cell
    that waits is cancelled, once. Other running code is left alone: an exception in another task
    would end the kernel's event loop.

    Args:
        instead_of: ipykernel's handler.
        loop: the kernel's event loop.
        task: the cell's task; if it is not known, ipykernel's handler is called.
    """

    def __init__(
        self,
        instead_of: Handler,
        loop: asyncio.AbstractEventLoop,
        task: asyncio.Task[Any] | None,
    ) -> None:
        self.instead_of = instead_of
        self._loop = loop
        self._task = task

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if _is_of_a_cell(frame):
            interrupt = KeyboardInterrupt()
            hide_our_frames(interrupt)
            raise interrupt
        if self._task is None:
            self.instead_of(number, frame)
        elif not self._task.cancelling():
            self._task.cancel()
        self._wake()

    def keep_awake(self) -> None:
        """Wake the loop now and then until the cell is over."""
        handler: object = signal.getsignal(signal.SIGINT)
        if handler is self:
            self._loop.call_later(_WAKE_INTERVAL_S, self.keep_awake)

    def _wake(self) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(lambda: None)


def _is_of_a_cell(frame: FrameType | None) -> bool:
    """Whether ``frame`` was called, however deeply, by the code of a cell.

    IPython catches and shows only exceptions raised there.
    """
    while frame is not None:
        back = frame.f_back
        if back is not None and back.f_code is _RUN_CODE:
            return frame.f_globals is back.f_locals["self"].user_global_ns
        frame = back
    return False


def _stand_in() -> None:
    """Replace ipykernel's handler, if that is active, because a wait begins."""
    if threading.current_thread() is not threading.main_thread():
        return
    handler = signal.getsignal(signal.SIGINT)
    if not callable(handler) or not _is_ipykernels(handler):
        return
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return
    stand_in = StandIn(handler, loop, _task_of_cell(loop))
    signal.signal(signal.SIGINT, stand_in)
    stand_in.keep_awake()


def _is_ipykernels(handler: object) -> bool:
    module = getattr(handler, "__module__", None)
    return isinstance(module, str) and module.partition(".")[0] == "ipykernel"


def _task_of_cell(loop: asyncio.AbstractEventLoop) -> asyncio.Task[Any] | None:
    for task in asyncio.all_tasks(loop):
        if getattr(task.get_coro(), "cr_code", None) is _RUN_CELL:
            return task
    return None


def install(shell: Any) -> None:
    """Replace the handler from now on, if ``shell`` belongs to a kernel. Idempotent."""
    if getattr(shell, "kernel", None) is not None and _stand_in not in before_wait:
        before_wait.append(_stand_in)


def uninstall() -> None:
    """Stop replacing it. Idempotent."""
    if _stand_in in before_wait:
        before_wait.remove(_stand_in)
    handler = signal.getsignal(signal.SIGINT)
    if isinstance(handler, StandIn) and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, handler.instead_of)
