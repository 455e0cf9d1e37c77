"""A small endpoint to try things on: countdowns, rows, a file watcher, a toy language model.

``kk.demo()`` and ``%rpc connect demo as api`` serve the object that :func:`make_api` makes. It is
ordinary Python, and meant to be read: whatever an object offers under a public name can be called
from a notebook, and async generators are streamed.
"""

from __future__ import annotations

from kkjupyter.demo.api import DemoApi

__all__ = ["make_api"]


def make_api() -> DemoApi:
    """Make a fresh demo object; each has settings and watchers of its own."""
    return DemoApi()
