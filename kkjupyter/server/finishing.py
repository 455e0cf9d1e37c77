"""Waits for the end of cancelled handlers."""

from __future__ import annotations

import asyncio

from kkjupyter.connection.pumps import busy_after_cancel
from kkjupyter.runtime.loop_threads import handler_loop

__all__ = ["let_finish"]

# How long they may take for their `finally`.
_FINALLY_S = 1.0
_POLL_S = 0.01


def let_finish() -> None:
    """Wait until cancelled handlers have ended, a second at most.

    Not on the package's own loops. Work posted to the handler loop earlier, including cancels, is
    done first.
    """
    finishing = handler_loop().submit(_finish())
    try:
        finishing.result(_FINALLY_S)
    except TimeoutError:  # a handler takes too long, or blocks the loop
        finishing.cancel()


async def _finish() -> None:
    """Wait for async handlers, then for sync generators, which end at their next yield."""
    ending = {task for task in asyncio.all_tasks() if task.cancelling()}
    if ending:
        await asyncio.wait(ending)
    while busy_after_cancel():  # noqa: ASYNC110  told by a thread that knows of no loop
        await asyncio.sleep(_POLL_S)
