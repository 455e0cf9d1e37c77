"""The places on a walk along public names, and the steps that need no check of ownership."""

from __future__ import annotations

import functools
import inspect
import types
from typing import Any, Final, NamedTuple

from kkjupyter.server.exposed.module_names import origin_of
from kkjupyter.wire.events import Refusal

__all__ = [
    "BINDING",
    "CLOSED",
    "COMPUTED",
    "CONTAINERS",
    "LEAVES",
    "MISSING",
    "NOWHERE",
    "SOMEWHERE",
    "Place",
    "Unreachable",
    "is_module",
    "is_of_instances",
    "is_public",
    "static_value",
    "step_in_container",
    "step_in_module",
]

LEAVES = (str, bytes, bytearray, int, float, complex, bool, types.NoneType)
_FUNCTIONS = (
    types.FunctionType,
    types.BuiltinFunctionType,
    types.MethodType,
    functools.partial,
    type(functools.cache(lambda: None)),
)
# Types without attributes for peers.
CLOSED = (*LEAVES, *_FUNCTIONS, set, frozenset)
CONTAINERS = (dict, list, tuple, types.SimpleNamespace)
# Reading these on an instance runs no code.
BINDING = (functools.partialmethod, functools.singledispatchmethod)


class _Sign:
    """Stands for a missing value, or one that is not known yet."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return self._name


MISSING: Final = _Sign("MISSING")
"""There is nothing."""
COMPUTED: Final = _Sign("COMPUTED")
"""Only the code of a property can tell what there is."""


class Unreachable(Exception):
    """A path leads nowhere, or to something that is not for peers; never raised to the user.

    Attributes:
        reason: why.
        at: the index of the part of the path that is at fault.
    """

    def __init__(self, reason: Refusal, at: int = 0) -> None:
        super().__init__(reason, at)
        self.reason: Refusal = reason
        self.at = at


class Place(NamedTuple):
    """A place on a walk.

    Attributes:
        value: the value there.
        is_given: whether it is there by name, so that it may be called whoever wrote it.
        is_made: whether a property returned it.
    """

    value: Any
    is_given: bool = False
    is_made: bool = False


NOWHERE = Place(MISSING)
SOMEWHERE = Place(COMPUTED)


def is_public(name: str) -> bool:
    """Whether a peer may use ``name`` at all."""
    return bool(name) and not name.startswith("_")


def is_of_instances(found: Any) -> bool:
    """Whether an attribute of a class has its value only on instances: a property, a slot."""
    return inspect.isdatadescriptor(found) or isinstance(found, functools.cached_property)


def is_module(value: Any) -> bool:
    return isinstance(value, types.ModuleType)


def step_in_container(above: Place, kind: type[Any], name: str) -> Place:
    target = above.value
    # Python's own methods: no subclass can change what is stored there.
    if issubclass(kind, dict):
        return Place(dict.get(target, name, MISSING), above.is_given)
    if issubclass(kind, types.SimpleNamespace):
        return Place(vars(target).get(name, MISSING), above.is_given)
    base: Any = list if issubclass(kind, list) else tuple
    # Python refuses to read a number with thousands of digits.
    is_index = name.isdecimal() and len(name) < 20 and int(name) < base.__len__(target)
    return Place(base.__getitem__(target, int(name))) if is_index else NOWHERE


def step_in_module(module: types.ModuleType, name: str) -> Place:
    value = vars(module).get(name, MISSING)
    if value is MISSING:
        return NOWHERE
    origin = origin_of(module, name)
    if origin == "foreign":
        return NOWHERE
    # A table of functions is not one of the names that the module offers.
    return Place(value, origin == "given" and not isinstance(value, CONTAINERS))


def static_value(target: Any, name: str) -> Any:
    """The attribute as it is stored: neither a property nor ``__getattr__`` is run."""
    found = inspect.getattr_static(target, name, MISSING)
    if isinstance(found, staticmethod | classmethod):
        return found.__func__
    # A slot's value can be read without running any code, and so can a bound method.
    if inspect.ismemberdescriptor(found) or isinstance(found, BINDING):
        return getattr(target, name, MISSING)
    return found
