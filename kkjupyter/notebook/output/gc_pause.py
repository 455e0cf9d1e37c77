"""Keeps Python's garbage collector from stopping all threads while a saved output is made.

A long answer becomes some hundred thousand objects for a few seconds. Each full collection visits
all objects of the process, stops all threads meanwhile (half a second was measured), and finds
nothing. Collections of young objects go on.
"""

from __future__ import annotations

import contextlib
import gc
import threading
from collections.abc import Iterator

__all__ = ["without_full_collections"]

_NEVER = 1 << 30
_lock = threading.Lock()
_users = 0
_threshold_before = 0


@contextlib.contextmanager
def without_full_collections() -> Iterator[None]:
    """A block without full collections; several threads may be in it at a time."""
    global _users, _threshold_before
    with _lock:
        _users += 1
        if _users == 1:
            young, middle, _threshold_before = gc.get_threshold()
            gc.set_threshold(young, middle, _NEVER)
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            young, middle, old = gc.get_threshold()
            if not _users and old == _NEVER:  # otherwise it was changed in the meantime
                gc.set_threshold(young, middle, _threshold_before)
