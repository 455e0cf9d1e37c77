"""Recognizes instances of the package's classes by name, without importing the classes.

What ``%load_ext`` puts into a shell checks the value of every cell. Importing the classes would
load the whole package, which a shell that makes no call need not do.
"""

from __future__ import annotations

from collections.abc import Container
from typing import Final

__all__ = ["OUTCOMES", "REMOTE", "TRACE", "WATCHED", "is_one"]

REMOTE: Final = "kkjupyter.client.remote.Remote"
TRACE: Final = "kkjupyter.traces.trace.Trace"
WATCHED: Final = (
    "kkjupyter.calls.call.Call",
    "kkjupyter.notebook.show.show.Shown",
    "kkjupyter.notebook.show.compare.Compared",
)
"""What is waited for where it stands: calls and views."""
OUTCOMES: Final = ("kkjupyter.notebook.run.reply.Reply", "kkjupyter.notebook.show.compare.Replies")
"""What streams give when they are over; it has been shown by then."""


def is_one(value: object, names: Container[str]) -> bool:
    """Whether ``value`` is an instance of a class with one of these full names."""
    return any(f"{kind.__module__}.{kind.__qualname__}" in names for kind in type(value).__mro__)
