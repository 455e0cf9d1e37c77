"""Hooks through which higher chapters add what is to run before a connection or a wait."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["before_connect", "before_wait", "run_before_connect", "run_before_wait"]

before_connect: list[Callable[[], object]] = []
"""Called, in order, before every connect, on the caller's thread."""

before_wait: list[Callable[[], object]] = []
"""Called, in order, where a wait or a loop over a stream begins, on its thread; to be quick."""


def run_before_connect() -> None:
    """Call all of ``before_connect``."""
    for hook in before_connect:
        hook()


def run_before_wait() -> None:
    """Call all of ``before_wait``."""
    for hook in before_wait:
        hook()
