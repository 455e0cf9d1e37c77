"""Finds what a peer may reach on the object given to a server.

Public names only, and only what somebody put there: entries of dicts, names of modules, attributes
of instances and of their classes. Never a name with a leading underscore, never what Python itself
brings along (``dict.keys``, ``str.upper``, a function's attributes). ``set`` never replaces what
can be called, a global of a module or an attribute of a class.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import sys
import types
from collections.abc import Sequence
from typing import Any

from kkjupyter.wire.events import Refusal

__all__ = [
    "Unreachable",
    "find",
    "find_callable",
    "find_class",
    "is_computed",
    "is_never_set",
    "is_public",
    "is_there",
    "method_names",
    "public_names",
    "put",
    "refusal_of_set",
]

_LEAVES = (str, bytes, bytearray, int, float, complex, bool, types.NoneType)
_COMPUTING = (property, functools.cached_property)
_FUNCTIONS = (
    types.FunctionType,
    types.BuiltinFunctionType,
    types.MethodType,
    functools.partial,
    type(functools.cache(lambda: None)),
)
_MISSING = object()
# Stands for a value that only the code of a property can tell.
_COMPUTED = object()


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


def put(
    target: Any,
    path: Sequence[str],
    value: Any,
    *,
    named_steps: int | None = None,
    plain_data_only: bool = False,
) -> None:
    """Set the property at ``path``. Whether a peer may do so was decided before.

    It must be there already, save in a dict of plain values. What can be called, or holds something
    that can, is never overwritten, and neither are globals of modules and attributes of classes.

    Args:
        target: what is served.
        path: the names that lead to the property.
        value: what to set it to.
        named_steps: how much of the path was allowed by name. What follows must belong to the one
            object it is reached by: no class, no attribute of a class, no module. None: all of it.
        plain_data_only: whether only entries of dicts and lists and fields of dataclasses may be
            set, and none that a property hands out.

    Raises:
        Unreachable: it cannot be set.
        Exception: whatever the setter of the property raises.
    """
    if not path:
        raise Unreachable("no_path")
    parent, name, at = target, path[-1], len(path) - 1
    for step, part in enumerate(path[:-1]):
        is_named = named_steps is None or step < named_steps
        if not is_named and _leads_elsewhere(parent, part, properties=plain_data_only):
            raise Unreachable("not_writable", at)
        parent = _step(parent, part)
        if parent is _MISSING:
            raise Unreachable("missing", step)
    present = _step(parent, name)
    if present is _MISSING:
        may_be_new = isinstance(parent, dict) and not method_names(parent)
        if name.startswith("_") or not name or not (may_be_new or _is_declared(parent, name)):
            raise Unreachable("missing", at)
    elif (
        callable(present)
        or isinstance(present, types.ModuleType)
        or method_names(present)
        or _is_shared(parent)
    ):
        raise Unreachable("read_only", at)
    if plain_data_only and not _is_plain_data(parent, name):
        raise Unreachable("not_writable", at)
    try:
        if isinstance(parent, dict):
            parent[name] = value
        elif isinstance(parent, list):
            parent[int(name)] = value
        else:
            setattr(parent, name, value)
    except (AttributeError, TypeError) as exc:
        if _has_setter(parent, name):  # a failure of its code, not a refusal
            raise
        raise Unreachable("read_only", at) from exc


def refusal_of_set(target: Any, path: Sequence[str]) -> Unreachable:
    """Why a peer may not set the property at ``path``, when nobody has allowed it.

    Runs no code of the object's own.
    """
    if not path:
        return Unreachable("no_path")
    at = len(path) - 1
    try:
        parent = _peek(target, path[:-1])
        present = _MISSING if parent is _COMPUTED else _peek_step(parent, path[-1])
    except Unreachable as missing:
        return missing
    if parent is _COMPUTED:
        return Unreachable("not_writable" if is_public(path[-1]) else "missing", at)
    if present is _MISSING:
        may_be_new = isinstance(parent, dict) and not method_names(parent)
        known = is_public(path[-1]) and (may_be_new or _is_declared(parent, path[-1]))
        return Unreachable("not_writable" if known else "missing", at)
    if present is not _COMPUTED and (callable(present) or _is_shared(parent)):
        return Unreachable("read_only", at)
    return Unreachable("not_writable", at)


def is_never_set(target: Any, path: Sequence[str]) -> bool:
    """Whether :func:`put` is certain to refuse ``path`` and all below it. Runs no code."""
    try:
        parent = _peek(target, path[:-1])
        present = _peek(target, path)
    except Unreachable:
        return False
    if present is _COMPUTED or isinstance(present, type):
        return False
    return callable(present) or (isinstance(present, _LEAVES) and _is_shared(parent))


def is_computed(target: Any, path: Sequence[str]) -> bool:
    """Whether only the code of a property can tell what is at ``path``. Runs none."""
    try:
        return _peek(target, path) is _COMPUTED
    except Unreachable:
        return False


def is_there(target: Any, name: str) -> bool:
    """Whether a peer can reach ``name`` directly on ``target``. Runs no code."""
    return _peek_step(target, name) is not _MISSING


def public_names(target: Any) -> list[str]:
    """The names directly on ``target`` that a peer can reach, sorted. Runs no property."""
    if isinstance(target, dict):
        return sorted(name for name in target if isinstance(name, str) and is_public(name))
    if not _has_attributes(target):
        return []
    return sorted(name for name in set(dir(target)) if is_public(name) and _is_own(target, name))


def method_names(target: Any, depth: int = 3) -> list[str]:
    """Dotted names of what can be called on ``target`` and below, for completion and the card."""
    names: list[str] = []
    for name in public_names(target):
        value = target[name] if isinstance(target, dict) else _static(target, name)
        if callable(value):
            names.append(name)
        elif depth > 1:
            names += [f"{name}.{rest}" for rest in method_names(value, depth - 1)]
    return names


def _static(target: Any, name: str) -> Any:
    """The attribute as it lies there: neither a property nor ``__getattr__`` is run."""
    found = inspect.getattr_static(target, name, _MISSING)
    if isinstance(found, staticmethod | classmethod):
        return found.__func__
    # A slot's value can be had without running anybody's code.
    return getattr(target, name, _MISSING) if inspect.ismemberdescriptor(found) else found


def _peek(target: Any, path: Sequence[str]) -> Any:
    """As :func:`find`, without running anybody's code; _COMPUTED where only that could tell."""
    for at, name in enumerate(path):
        target = _peek_step(target, name)
        if target is _MISSING:
            raise Unreachable("missing", at)
        if target is _COMPUTED:
            rest = path[at + 1 :]
            if not all(map(is_public, rest)):
                raise Unreachable("missing", at + 1)
            return _COMPUTED
    return target


def _peek_step(target: Any, name: str) -> Any:
    if not _has_attributes(target):
        return _step(target, name)
    if not is_public(name) or not _is_own(target, name):
        return _MISSING
    found = inspect.getattr_static(target, name, _MISSING)
    if isinstance(target, type) and _is_of_instances(found):
        return _MISSING
    if inspect.ismemberdescriptor(found):  # a slot
        return getattr(target, name, _MISSING)
    return _COMPUTED if _is_of_instances(found) else _static(target, name)


def _is_shared(parent: Any) -> bool:
    """Whether what is set there changes more than the one object that is served."""
    return isinstance(parent, type | types.ModuleType)


def _leads_elsewhere(parent: Any, name: str, *, properties: bool) -> bool:
    """Whether ``name`` is not of ``parent`` alone, or, if told, is what a property hands out."""
    if not _has_attributes(parent):
        return False
    if _is_shared(parent):
        return True
    found = inspect.getattr_static(parent, name, _MISSING)
    if inspect.ismemberdescriptor(found) or name in getattr(parent, "__dict__", ()):
        return False
    return found is not _MISSING and (properties or not _is_of_instances(found))


def _is_plain_data(parent: Any, name: str) -> bool:
    if isinstance(parent, dict | list):
        return True
    is_instance = dataclasses.is_dataclass(parent) and not isinstance(parent, type)
    return is_instance and name in {field.name for field in dataclasses.fields(parent)}


def _has_setter(parent: Any, name: str) -> bool:
    """Whether setting ``name`` runs a function that the class has for that."""
    found = inspect.getattr_static(type(parent), name, None)
    return isinstance(found, property) and found.fset is not None


def is_public(name: str) -> bool:
    """Whether a peer may use ``name`` at all."""
    return bool(name) and not name.startswith("_")


def _is_declared(parent: Any, name: str) -> bool:
    """Whether the class of ``parent`` announces an attribute that has no value yet."""
    if isinstance(parent, type) or not _has_attributes(parent):
        return False
    return any(
        name in inspect.get_annotations(cls) or name in vars(cls)
        for cls in type(parent).__mro__
        if not _is_machinery(cls)
    )


def _step(target: Any, name: str) -> Any:
    if not is_public(name):
        return _MISSING
    if isinstance(target, dict):
        return target.get(name, _MISSING)
    if isinstance(target, list | tuple):
        # Python refuses to read a number of thousands of digits.
        is_index = name.isdecimal() and len(name) < 20 and int(name) < len(target)
        return target[int(name)] if is_index else _MISSING
    if not _has_attributes(target) or not _is_own(target, name):
        return _MISSING
    if isinstance(target, type) and _is_of_instances(inspect.getattr_static(target, name)):
        return _MISSING
    if isinstance(inspect.getattr_static(target, name, None), _COMPUTING):
        return getattr(target, name)  # an AttributeError of its own code is a failure of it
    return getattr(target, name, _MISSING)


def _is_of_instances(found: Any) -> bool:
    """Whether what lies on a class has its value on instances only: a property, a slot."""
    return inspect.isdatadescriptor(found) or isinstance(found, functools.cached_property)


def _has_attributes(target: Any) -> bool:
    return not isinstance(target, (*_LEAVES, *_FUNCTIONS, dict, list, tuple, set, frozenset))


def _is_own(target: Any, name: str) -> bool:
    """Whether somebody put ``name`` there, on the instance or on a class that is not Python's."""
    if isinstance(target, types.ModuleType):
        return _is_of_module(target, name)
    if name in getattr(target, "__dict__", ()):
        return True
    classes = inspect.getmro(target) if isinstance(target, type) else type(target).__mro__
    return any(name in vars(cls) and not _is_machinery(cls) for cls in classes)


def _is_machinery(cls: type[Any]) -> bool:
    """Whether a class is Python's own: whoever inherits from Thread does not mean to serve it."""
    return cls.__module__.partition(".")[0] in sys.stdlib_module_names


def _is_of_module(module: types.ModuleType, name: str) -> bool:
    """Whether ``name`` belongs to a module, rather than being something it uses itself.

    A module that says ``from subprocess import run`` does not mean to offer that to its peers.
    """
    found = vars(module).get(name, _MISSING)
    if found is _MISSING or name in getattr(module, "__all__", ()):
        return found is not _MISSING
    if isinstance(found, types.ModuleType):
        return False
    if isinstance(found, type | types.FunctionType | types.BuiltinFunctionType):
        home = getattr(found, "__module__", None) or ""
        return home.partition(".")[0] == module.__name__.partition(".")[0]
    return True
