"""Finds what a peer may reach on the object given to a server.

Public names only, and only what somebody put there: entries of dicts, names of modules, attributes
of instances and of their classes. Never a name with a leading underscore, never what Python itself
brings along (``dict.keys``, ``str.upper``, a function's attributes), never ``set`` on a callable.
"""

from __future__ import annotations

import inspect
import types
from collections.abc import Sequence
from typing import Any

from kkjupyter.wire.events import Refusal

__all__ = ["Unreachable", "find", "find_callable", "find_class", "public_names", "put"]

_MACHINERY = frozenset({"builtins", "abc", "typing", "enum"})
_LEAVES = (str, bytes, bytearray, int, float, complex, bool, types.NoneType)
_FUNCTIONS = (
    types.FunctionType,
    types.BuiltinFunctionType,
    types.MethodType,
)
_MISSING = object()


class Unreachable(Exception):
    """A path leads nowhere, or where a peer has no business; answered, never raised to the user.

    Attributes:
        reason: why.
        at: which part of the path.
    """

    def __init__(self, reason: Refusal, at: int = 0) -> None:
        super().__init__(reason, at)
        self.reason: Refusal = reason
        self.at = at


def find(target: Any, path: Sequence[str]) -> Any:
    """The value at ``path``; :class:`Unreachable` when there is none."""
    if not path:
        raise Unreachable("no_path")
    for at, name in enumerate(path):
        target = _step(target, name)
        if target is _MISSING:
            raise Unreachable("missing", at)
    return target


def find_callable(target: Any, path: Sequence[str]) -> Any:
    """The function, method or callable object at ``path``."""
    found = find(target, path)
    if not callable(found):
        raise Unreachable("not_callable", len(path) - 1)
    return found


def find_class(target: Any, path: Sequence[str]) -> type[Any]:
    """The class at ``path``, to make an instance of."""
    found = find(target, path)
    if not isinstance(found, type):
        raise Unreachable("not_callable", len(path) - 1)
    return found


def put(target: Any, path: Sequence[str], value: Any) -> None:
    """Set the property at ``path``. Something callable is never overwritten."""
    if not path:
        raise Unreachable("no_path")
    parent = find(target, path[:-1]) if len(path) > 1 else target
    name, at = path[-1], len(path) - 1
    if not name or name.startswith("_"):
        raise Unreachable("missing", at)
    present = _step(parent, name)
    if present is not _MISSING and callable(present):
        raise Unreachable("read_only", at)
    if isinstance(parent, dict):
        parent[name] = value
    elif isinstance(parent, list) and present is not _MISSING:
        parent[int(name)] = value
    elif _has_attributes(parent):
        try:
            setattr(parent, name, value)
        except AttributeError as exc:
            raise Unreachable("read_only", at) from exc
    else:
        raise Unreachable("missing", at)


def public_names(target: Any) -> list[str]:
    """The names directly on ``target`` that a peer can reach, sorted."""
    if isinstance(target, dict):
        names = {name for name in target if isinstance(name, str)}
    elif _has_attributes(target):
        names = set(dir(target))
    else:
        return []
    return sorted(name for name in names if _step(target, name) is not _MISSING)


def _step(target: Any, name: str) -> Any:
    if not name or name.startswith("_"):
        return _MISSING
    if isinstance(target, dict):
        return target.get(name, _MISSING)
    if isinstance(target, list | tuple):
        return target[int(name)] if name.isdecimal() and int(name) < len(target) else _MISSING
    if not _has_attributes(target) or not _is_own(target, name):
        return _MISSING
    return getattr(target, name, _MISSING)


def _has_attributes(target: Any) -> bool:
    return not isinstance(target, (*_LEAVES, *_FUNCTIONS, dict, list, tuple, set, frozenset))


def _is_own(target: Any, name: str) -> bool:
    """Whether somebody put ``name`` there, on the instance or on a class that is not Python's."""
    if isinstance(target, types.ModuleType):
        found = vars(target).get(name, _MISSING)
        # A module that a module merely imports is not part of its API.
        return found is not _MISSING and not isinstance(found, types.ModuleType)
    if name in getattr(target, "__dict__", ()):
        return True
    classes = inspect.getmro(target) if isinstance(target, type) else type(target).__mro__
    return any(name in vars(cls) and cls.__module__ not in _MACHINERY for cls in classes)
