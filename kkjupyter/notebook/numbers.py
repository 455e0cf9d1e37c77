"""One row of numbers for all that ``%rpc status`` lists: calls, and streams of other origin."""

from __future__ import annotations

from kkjupyter.rpc import callstate

__all__ = ["next_number"]


def next_number() -> int:
    """A number no call has."""
    return next(callstate._numbers)
