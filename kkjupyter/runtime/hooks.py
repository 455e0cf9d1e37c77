"""Hooks through which higher chapters add what is to run before a connection or a wait."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = [
    "before_connect",
    "before_show",
    "before_wait",
    "connect_with",
    "connector",
    "run_before_connect",
    "run_before_show",
    "run_before_wait",
]

before_connect: list[Callable[[], object]] = []
"""Called, in order, before every connect, on the caller's thread."""

before_show: list[Callable[[], object]] = []
"""Called, in order, before anything is shown, on the caller's thread."""

before_wait: list[Callable[[], object]] = []
"""Called, in order, where a wait or a loop over a stream begins, on its thread; to be quick."""


def run_before_connect() -> None:
    """Call all of ``before_connect``."""
    for hook in before_connect:
        hook()


def run_before_show() -> None:
    """Call all of ``before_show``."""
    for hook in before_show:
        hook()


def run_before_wait() -> None:
    """Call all of ``before_wait``."""
    for hook in before_wait:
        hook()


_connectors: list[Callable[..., Any]] = []


def connect_with(connect: Callable[..., Any]) -> None:
    """Have servers connect to themselves by ``connect(url, **options)``, as ``kk.connect`` does."""
    _connectors[:] = [connect]


def connector() -> Callable[..., Any]:
    """What :func:`connect_with` was given; the package does so when it is imported."""
    return _connectors[0]
