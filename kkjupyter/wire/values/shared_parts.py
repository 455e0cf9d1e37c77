"""The size of a value with shared parts when it is walked part by part.

Fifty lines of references can make a list of 2**50 parts. Printing it, checking it against a hint,
copying it or writing it as JSON would never end, so such a value is refused.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from typing import Any, Final

from kkjupyter.errors import ProtocolError, RemoteError
from kkjupyter.wire.message_cost import MAX_DEPTH
from kkjupyter.wire.values.javascript import Boxed

__all__ = ["MAX_SHARED_PARTS", "check_sharing", "count_parts"]

MAX_SHARED_PARTS: Final = 250_000
"""How many more parts a value may have, written out, than its message has."""

_CHARS_PER_PART: Final = 64
_TEXTS: Final = (str, bytes, array)


def count_parts(json: Any) -> int:
    """How many parts JSON has; a long text counts as several."""
    count = 0
    waiting = [json]
    while waiting:
        one = waiting.pop()
        if type(one) is dict:
            count += 1 + len(one)
            waiting += one.values()
        elif type(one) is list:
            count += 1
            waiting += one
        else:
            count += _leaf(one)
    return count


def check_sharing(value: Any, written_parts: int) -> None:
    """Check that a value is not much larger than its text, and not deeper than JSON may be.

    If it contains itself, a walk is assumed to stop at an enclosing container, as ``repr`` does.

    Args:
        value: a value that may have shared parts.
        written_parts: see :func:`count_parts`.

    Raises:
        ProtocolError: it is.
    """
    limit = written_parts + MAX_SHARED_PARTS
    if _Walk(limit).is_over(value):
        raise ProtocolError(
            f"superjson: a value that its references make larger than {limit:,} parts"
        )


class _Frame:
    """One container that is being walked."""

    __slots__ = ("begun", "height", "lowest", "parts", "value")

    def __init__(self, value: Any, begun: int, place: int) -> None:
        self.value = value
        self.parts = _parts_of(value)
        self.begun = begun  # how many parts had been counted before it
        self.height = 0  # the height of what is below it
        self.lowest = place  # the outermost container that occurs again inside of it


class _Walk:
    """Counts what a walk would visit; a container of known size is not walked again."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._count = 0
        self._known: dict[int, tuple[int, int]] = {}  # id -> parts and height
        self._open: dict[int, int] = {}  # id -> place on the way from the root
        self._frames: list[_Frame] = []

    def is_over(self, value: Any) -> bool:
        if not self._enter(value):
            return False
        while self._frames:
            frame = self._frames[-1]
            for part in frame.parts:
                if self._enter(part):
                    break
                if self._count > self._limit:
                    return True
            else:
                self._leave()
            if len(self._frames) > MAX_DEPTH or self._count > self._limit:
                return True
        return False

    def _enter(self, value: Any) -> bool:
        """Count a leaf or a known container; True for a container that has to be walked."""
        if not isinstance(value, _CONTAINERS):
            self._count += _leaf(value)
            return False
        own = id(value)
        known = self._known.get(own)
        above = self._frames[-1] if self._frames else None
        if known is not None:
            assert above is not None, "the root comes first"
            self._count += known[0]
            above.height = max(above.height, known[1])
            if len(self._frames) + known[1] > MAX_DEPTH:
                self._count = self._limit + 1
            return False
        place = self._open.get(own)
        if place is not None:
            assert above is not None, "the root comes first"
            self._count += 1
            above.lowest = min(above.lowest, place)
            return False
        self._open[own] = len(self._frames)
        self._frames.append(_Frame(value, self._count, len(self._frames)))
        self._count += 1
        return True

    def _leave(self) -> None:
        frame = self._frames.pop()
        place = len(self._frames)
        del self._open[id(frame.value)]
        height = frame.height + 1
        # A container that leads back to something outside of it is a different walk each time.
        if frame.lowest >= place:
            self._known[id(frame.value)] = (self._count - frame.begun, height)
        if self._frames:
            above = self._frames[-1]
            above.height = max(above.height, height)
            above.lowest = min(above.lowest, frame.lowest)


_CONTAINERS: Final = (list, dict, set, Boxed, RemoteError)


def _parts_of(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        yield from value
        yield from value.values()
    elif isinstance(value, Boxed):
        yield value.value
    elif isinstance(value, RemoteError):
        yield value.message
        yield value.data
        yield value.cause
    else:
        yield from value


def _leaf(value: Any) -> int:
    return 1 + len(value) // _CHARS_PER_PART if isinstance(value, _TEXTS) else 1
