"""Interrupts, in cells that contain ``await``.

Such a cell runs as a task. ipykernel's SIGINT handler asks the event loop to cancel that task. Code
that keeps the loop busy never notices: a plain ``for`` over a call, ``.result()``, the body of a
loop that computes. And a sleeping loop is not woken by it. In a terminal, Python's handler raises
KeyboardInterrupt out of the loop; the task is left where it waits, and goes on with the next cell.

So from our first wait or loop in such a cell to its end, our handler replaces these two, and no
other: a program's own handler stays in place.
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
    """Interrupts one cell, instead of ipykernel's or Python's handler.

    Running code of the cell is ended by KeyboardInterrupt, as in a cell without ``await``; a cell
    that waits is cancelled, once. Other running code is left alone: an exception in another task
    would end the kernel's event loop.

    Args:
        instead_of: the replaced handler.
        loop: the event loop of the cell.
        task: the cell's task; if it is not known, the replaced handler is called.
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
        elif self.instead_of is signal.default_int_handler:
            self.instead_of(number, frame)  # the cell does not end; a terminal has no restart
        self._wake()

    def retire_with_cell(self) -> None:
        """Put the replaced handler back at the end of the cell, as ipykernel does with its own."""
        if self._task is not None:
            self._task.add_done_callback(lambda _: self.retire())

    def retire(self) -> None:
        """Put the replaced handler back, unless something else has replaced this one."""
        handler: object = signal.getsignal(signal.SIGINT)
        if handler is self:
            signal.signal(signal.SIGINT, self.instead_of)

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
    """Replace ipykernel's or Python's handler, if it is active, because a wait begins."""
    if threading.current_thread() is not threading.main_thread():
        return
    handler = signal.getsignal(signal.SIGINT)
    is_pythons = handler is signal.default_int_handler
    if not callable(handler) or not (is_pythons or _is_ipykernels(handler)):
        return
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return
    task = _task_of_cell(loop)
    if is_pythons and task is None:
        return
    stand_in = StandIn(handler, loop, task)
    signal.signal(signal.SIGINT, stand_in)
    if is_pythons:
        stand_in.retire_with_cell()
    stand_in.keep_awake()


def _is_ipykernels(handler: object) -> bool:
    module = getattr(handler, "__module__", None)
    return isinstance(module, str) and module.partition(".")[0] == "ipykernel"


def _task_of_cell(loop: asyncio.AbstractEventLoop) -> asyncio.Task[Any] | None:
    for task in asyncio.all_tasks(loop):
        if getattr(task.get_coro(), "cr_code", None) is _RUN_CELL:
            return task
    return None


def install() -> None:
    """Replace the handler from now on, where a cell waits. Idempotent."""
    if _stand_in not in before_wait:
        before_wait.append(_stand_in)


def uninstall() -> None:
    """Stop replacing it. Idempotent."""
    if _stand_in in before_wait:
        before_wait.remove(_stand_in)
    handler = signal.getsignal(signal.SIGINT)
    if isinstance(handler, StandIn) and threading.current_thread() is threading.main_thread():
        handler.retire()
