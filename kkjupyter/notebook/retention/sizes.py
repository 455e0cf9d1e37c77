"""Estimates the memory that an item takes, including its parts.

None of the item's own code runs: the garbage collector tells what an object holds, so a
``__getattr__`` that raises or a ``__dict__`` that is a property does not matter.
"""

from __future__ import annotations

import functools
import gc
import sys
import types
from collections.abc import Callable, Container, Sequence
from typing import Any

__all__ = ["SizeMeter", "size_bytes"]

_SAMPLE_NODES = 10_000
_SAMPLE_CHILDREN = 1_000
_FEW_CHILDREN = 10
_LARGE_BYTES = 4_096
_UNKNOWN_BYTES = 64

_LEAVES = frozenset({str, bytes, int, float, bool, type(None), complex, bytearray})

# They belong to the program, not to the item that refers to them.
_PROGRAM = (
    type,
    types.ModuleType,
    types.FunctionType,
    types.BuiltinFunctionType,
    types.CodeType,
    types.FrameType,
)
# The collector does not see their data.
_DATA_ROOTS = frozenset(
    {"numpy", "pandas", "polars", "torch", "pyarrow", "jax", "jaxlib", "tensorflow", "cupy"}
)


class SizeMeter:
    """Measures the items of one stream, one after the other.

    Parts that an item shares with the previous one (a client, a data set, a long prompt) count
    once, because they take no additional memory.
    """

    def __init__(self) -> None:
        self._before: set[int] = set()

    def measure(self, value: Any) -> int:
        """The memory of ``value``, in bytes. Never raises; looks at 10,000 objects at most."""
        if type(value) in _LEAVES:
            return sys.getsizeof(value)
        seen: set[int] = set()
        total = _estimate(value, self._before, seen)
        # Their ids stay valid, because the newest item is kept.
        self._before = seen
        return total


def size_bytes(value: Any) -> int:
    """The approximate memory that ``value`` takes, in bytes; large values are sampled."""
    return SizeMeter().measure(value)


def _estimate(value: Any, before: set[int], seen: set[int]) -> int:
    total = 0.0
    visited = 0
    waiting: list[tuple[Any, float]] = [(value, 1.0)]
    while waiting and visited < _SAMPLE_NODES:
        node, weight = waiting.pop()
        visited += 1
        kind = type(node)
        if kind in _LEAVES:
            size = sys.getsizeof(node)
            if size < _LARGE_BYTES or _is_new(node, before, seen):
                total += weight * size
            continue
        if issubclass(kind, _PROGRAM):
            continue
        if not _is_new(node, () if node is value else before, seen):
            continue
        total += weight * _own_bytes(node)
        if issubclass(kind, dict):
            total += weight * _keys_bytes(node, before, seen)
        parts = _parts(node)
        if len(parts) > _FEW_CHILDREN:
            room = _SAMPLE_NODES - visited - len(waiting)
            wanted = _SAMPLE_CHILDREN if room > 0 else _FEW_CHILDREN
            if len(parts) > wanted:
                step = -(-len(parts) // wanted)
                weight *= step
                parts = parts[::step]
        waiting.extend([(part, weight) for part in parts])
    if waiting:
        # The rest is assumed to be like the sample.
        total += total / visited * sum([weight for _, weight in waiting])
    return int(total)


def _keys_bytes(node: dict[Any, Any], before: Container[int], seen: set[int]) -> float:
    """The size of text keys, which the collector does not report; few belong to one item only."""
    keys = list(dict.keys(node))
    some = keys[:_SAMPLE_CHILDREN]
    own = [key for key in some if type(key) is str and _is_new(key, before, seen)]
    size = sum(map(sys.getsizeof, own))
    return size * len(keys) / max(len(some), 1)


def _is_new(node: Any, before: Container[int], seen: set[int]) -> bool:
    key = id(node)
    is_known = key in seen or key in before
    seen.add(key)
    return not is_known


def _own_bytes(node: Any) -> int:
    kind: Any = type(node)
    data = _data_attribute(kind)
    try:
        size = _own_sizeof(kind)(node) if data is None else sys.getsizeof(node, _UNKNOWN_BYTES)
        if data:
            found = getattr(node, data)
            size = max(size, int(found() if callable(found) else found))
    except Exception:  # noqa: BLE001 - foreign code; the estimate does without its word
        return _UNKNOWN_BYTES
    return size


def _parts(node: Any) -> Sequence[Any]:
    if _data_attribute(type(node)) is None:  # type: ignore[arg-type]
        parts: list[Any] = gc.get_referents(node)
        return parts
    try:
        holds_objects = node.dtype.hasobject  # an array of numpy's
        return node.ravel().tolist() if holds_objects else ()
    except Exception:  # noqa: BLE001 - as above; a data frame counts its objects by itself
        return ()


@functools.lru_cache(maxsize=512)
def _own_sizeof(kind: type[Any]) -> Callable[[Any], int]:
    """The method that tells an object's own size: Python's, never one of a user's class."""
    found = (vars(base).get("__sizeof__") for base in kind.__mro__)
    return next(sizeof for sizeof in found if isinstance(sizeof, types.MethodDescriptorType))


@functools.lru_cache(maxsize=512)
def _data_attribute(kind: type[Any]) -> str | None:
    """The attribute that tells how much data an object of this class has.

    Empty if ``sys.getsizeof`` tells it; None for classes made of Python's own objects.
    """
    roots = {base.__module__.partition(".")[0] for base in kind.__mro__}
    if roots.isdisjoint(_DATA_ROOTS):
        return None
    names = ("nbytes", "estimated_size")
    found = next((name for name in names if hasattr(kind, name)), None)
    return "" if found is None and hasattr(kind, "memory_usage") else found
