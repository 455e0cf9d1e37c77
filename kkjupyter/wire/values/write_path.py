"""Paths in a value that is being written, and limits on how much is written.

A path becomes text only when it is needed: with long keys and many values, all paths together would
be more text than any message.
"""

from __future__ import annotations

from typing import Any, Final

__all__ = ["MAX_SHARED_BYTES", "SHARED_TOO_OFTEN", "Place", "path_text", "steps_below"]

Place = tuple[Any, str | int] | None
"""The place of what holds it, and the step from there; None is the root."""

MAX_SHARED_BYTES: Final = 64 * 1024 * 1024
"""How much longer shared parts may make a message than it were with each of them written once."""

SHARED_TOO_OFTEN: Final = (
    f"its shared parts, written out, take more than {MAX_SHARED_BYTES:,} bytes; send each of them "
    "once, and refer to it by a key"
)


def steps_below(place: Place, top: Place) -> list[str | int]:
    """The steps from ``top``, which must be above it, down to ``place``."""
    steps: list[str | int] = []
    while place is not top:
        assert place is not None, "top is not above place"
        place, step = place
        steps.append(step)
    steps.reverse()
    return steps


def path_text(place: Place) -> str:
    """The path of a place, for error messages."""
    return ".".join(map(str, steps_below(place, None)))
