"""Where a room further up may hang something in before a connection is made."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["before_connect", "run_before_connect"]

before_connect: list[Callable[[], object]] = []
"""Called, in order, before every connect, on the caller's thread."""


def run_before_connect() -> None:
    """Call them all."""
    for hook in before_connect:
        hook()
