"""Runs coroutines on the I/O loop for plain code and for coroutines on other loops."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Coroutine
from typing import Any, TypeVar

from kkjupyter.errors import UsageError
from kkjupyter.runtime.loop_threads import io_loop, on_own_loop
from kkjupyter.runtime.waiting import Notifier, wait_async, wait_blocking

__all__ = ["run_async", "run_blocking"]

T = TypeVar("T")


def run_blocking(coro: Coroutine[Any, Any, T]) -> T:
    """Run ``coro`` on the I/O loop and wait in plain code; Ctrl-C cancels it.

    Raises:
        UsageError: called on one of the package's own loops.
    """
    if on_own_loop():
        coro.close()
        raise UsageError(
            "this call blocks, and a handler must not block; use the form to `await` there"
        )
    future, notifier = _start(coro)
    try:
        wait_blocking(notifier, future.done)
    except BaseException:
        future.cancel()
        raise
    return future.result()


async def run_async(coro: Coroutine[Any, Any, T]) -> T:
    """Run ``coro`` on the I/O loop and await it from any loop; cancelling cancels it there."""
    if io_loop().is_current:
        return await coro
    future, notifier = _start(coro)
    try:
        await wait_async(notifier, future.done)
    except BaseException:
        future.cancel()
        raise
    return future.result()


def _start(coro: Coroutine[Any, Any, T]) -> tuple[concurrent.futures.Future[T], Notifier]:
    future = io_loop().submit(coro)
    notifier = Notifier()
    future.add_done_callback(lambda _: notifier.notify())
    return future, notifier
