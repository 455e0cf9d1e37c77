"""Keeps a limited amount of data of views that have ended, for the whole process.

A page that was reloaded during a stream asks for the static output when the stream is over; a page
that is opened later asks for the text. Both are kept, within the limit, until a page reports that
its notebook was saved with them.
"""

from __future__ import annotations

import sys
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, Protocol

__all__ = [
    "HELD_BYTES",
    "HELD_OUTPUTS",
    "EndedOutputs",
    "StaticOutput",
    "ended_outputs",
    "size_of_bundle",
]

HELD_BYTES = 64 << 20
"""How much text and output is kept of all views that have ended, for pages that ask for it."""
HELD_OUTPUTS = 100
"""How many such views a page can still ask about."""


class StaticOutput:
    """The static bundle of a view, for pages that ask for it. Thread-safe, without a lock.

    A page learns on several roads that a run is over, and may ask before the bundle is made: then
    it gets it as soon as it is there.
    """

    def __init__(self) -> None:
        self._bundle: Mapping[str, Any] | None = None
        self._is_wanted = False

    def put(self, bundle: Mapping[str, Any], send: Callable[[dict[str, Any]], object]) -> None:
        """This is it; ``send(message)`` if it was asked for."""
        self._bundle = bundle
        if self._is_wanted:
            send(_message(bundle))

    def ask(self) -> dict[str, Any] | None:
        """The message with it; None if it is not there yet, and then :meth:`put` sends it."""
        self._is_wanted = True  # before the look: put() looks the other way round
        bundle = self._bundle
        return None if bundle is None else _message(bundle)

    def forget(self) -> None:
        """Keep it no more."""
        self._bundle = None

    @property
    def bundle(self) -> dict[str, Any] | None:
        """It; None if it is not there."""
        bundle = self._bundle
        return None if bundle is None else dict(bundle)

    @property
    def size_bytes(self) -> int:
        """About how much memory it takes."""
        return 0 if self._bundle is None else size_of_bundle(self._bundle)


def _message(bundle: Mapping[str, Any]) -> dict[str, Any]:
    return {"kind": "bundle", "bundle": bundle}


def size_of_bundle(bundle: Mapping[str, Any]) -> int:
    """About how many bytes a static bundle takes in memory."""
    size_bytes = 0
    waiting: list[Any] = [bundle]
    while waiting:
        node = waiting.pop()
        if isinstance(node, Mapping):
            waiting.extend(node.values())
        elif isinstance(node, (list, tuple)):
            waiting.extend(node)
        else:
            size_bytes += sys.getsizeof(node, 64)
    return size_bytes


class EndedOutput(Protocol):
    """An output whose run is over."""

    key: str

    @property
    def held_bytes(self) -> int: ...
    def forget(self) -> None: ...
    def close(self) -> None: ...


class EndedOutputs:
    """The outputs that have ended and may be asked about, oldest first. Thread-safe.

    Args:
        held_bytes: the limit for text and output; beyond it those of older ones are dropped, but
            not the newest's.
        held_outputs: the limit for outputs that answer; beyond it older ones are closed.
    """

    def __init__(self, held_bytes: int = HELD_BYTES, held_outputs: int = HELD_OUTPUTS) -> None:
        self._limit_bytes = held_bytes
        self._limit_outputs = held_outputs
        self._held: OrderedDict[str, tuple[EndedOutput, int]] = OrderedDict()
        self._held_bytes = 0
        self._lock = threading.Lock()

    @property
    def held_bytes(self) -> int:
        """How many bytes are kept now."""
        return self._held_bytes

    def keep(self, output: EndedOutput) -> None:
        """Keep an output that has ended, or update its size."""
        size_bytes = output.held_bytes
        forgotten: list[EndedOutput] = []
        closed: list[EndedOutput] = []
        with self._lock:
            self._held_bytes -= self._held.get(output.key, (output, 0))[1]
            self._held[output.key] = (output, size_bytes)
            self._held_bytes += size_bytes
            for key, (older, older_bytes) in list(self._held.items()):
                if self._held_bytes <= self._limit_bytes or older is output:
                    break
                if older_bytes:
                    self._held[key] = (older, 0)
                    self._held_bytes -= older_bytes
                    forgotten.append(older)
            while len(self._held) > self._limit_outputs:
                _, (older, older_bytes) = self._held.popitem(last=False)
                self._held_bytes -= older_bytes
                closed.append(older)
        for older in forgotten:
            older.forget()
        for older in closed:
            older.close()

    def drop(self, output: EndedOutput) -> None:
        """Drop an output: a page has saved it, or another one has taken its place."""
        with self._lock:
            held = self._held.pop(output.key, None)
            if held is None:
                return
            self._held_bytes -= held[1]
        output.forget()
        output.close()


ended_outputs = EndedOutputs()
