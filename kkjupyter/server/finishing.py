"""Letting handlers that were cancelled come to their end."""

from __future__ import annotations

import asyncio

from kkjupyter.connection.pumps import busy_after_cancel
from kkjupyter.runtime.loop_threads import handler_loop

__all__ = ["let_finish"]

# How long they are given for what they do in their `finally`.
_FINALLY_S = 1.0
_POLL_S = 0.01


def let_finish() -> None:
    """Wait until what was cancelled has ended, a second at most. Not on the package's own loops.

    What was posted to the handler loop before, cancels among it, has its effect first.
    """
    finishing = handler_loop().submit(_finish())
    try:
        finishing.result(_FINALLY_S)
    except TimeoutError:  # some handler takes too long, or blocks the loop
        finishing.cancel()


async def _finish() -> None:
    """Wait for async handlers, then for sync generators, which end at their next yield."""
    ending = {task for task in asyncio.all_tasks() if task.cancelling()}
    if ending:
        await asyncio.wait(ending)
    while busy_after_cancel():  # noqa: ASYNC110  told by a thread that knows of no loop
        await asyncio.sleep(_POLL_S)
