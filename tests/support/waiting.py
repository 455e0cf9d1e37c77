"""Waiting for what a test expects: never a while, always an event."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

PATIENCE_S = 15.0
"""How long a noisy machine may take for what takes a few milliseconds.

Less than anything that a test's endpoint sleeps and is woken from: what never wakes must not pass.
"""


def until(condition: Callable[[], object], timeout_s: float = PATIENCE_S) -> float:
    """Wait until ``condition()``; return how long that took, in seconds."""
    started_s = time.monotonic()
    while not condition():
        waited_s = time.monotonic() - started_s
        assert waited_s < timeout_s, f"not within {timeout_s} s"
        time.sleep(0.001)
    return time.monotonic() - started_s


async def auntil(condition: Callable[[], object], timeout_s: float = PATIENCE_S) -> float:
    """As :func:`until`, on a loop that goes on."""
    started_s = time.monotonic()
    while not condition():
        waited_s = time.monotonic() - started_s
        assert waited_s < timeout_s, f"not within {timeout_s} s"
        await asyncio.sleep(0.001)
    return time.monotonic() - started_s


def settle(value: Callable[[], int]) -> int:
    """What ``value()`` comes to rest at."""
    last, since_s = value(), time.monotonic()
    deadline_s = since_s + 10
    while time.monotonic() - since_s < 0.25:
        assert time.monotonic() < deadline_s, "it does not come to rest"
        if value() != last:
            last, since_s = value(), time.monotonic()
        time.sleep(0.005)
    return last
