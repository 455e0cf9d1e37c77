"""Where a walk along public names comes to, and the steps that do not ask whose code it is."""

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
# What has no attributes that a peer could mean.
CLOSED = (*LEAVES, *_FUNCTIONS, set, frozenset)
CONTAINERS = (dict, list, tuple, types.SimpleNamespace)
# Of these, looking at them on an instance runs nobody's code.
BINDING = (functools.partialmethod, functools.singledispatchmethod)


class _Sign:
    """Stands for a value that there is not, or not yet."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return self._name


MISSING: Final = _Sign("MISSING")
"""There is nothing."""
COMPUTED: Final = _Sign("COMPUTED")
"""Only the code of a property can tell what there is."""


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


class Place(NamedTuple):
    """Where a walk has come to.

    Attributes:
        value: what is there.
        is_given: whether it stands there by name, so that it may be called, whoever wrote it.
        is_made: whether a property has handed it out.
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
    """Whether what lies on a class has its value on instances only: a property, a slot."""
    return inspect.isdatadescriptor(found) or isinstance(found, functools.cached_property)


def is_module(value: Any) -> bool:
    return isinstance(value, types.ModuleType)


def step_in_container(above: Place, kind: type[Any], name: str) -> Place:
    target = above.value
    # Python's own methods: a subclass, from wherever, has no say in what lies there.
    if issubclass(kind, dict):
        return Place(dict.get(target, name, MISSING), above.is_given)
    if issubclass(kind, types.SimpleNamespace):
        return Place(vars(target).get(name, MISSING), above.is_given)
    base: Any = list if issubclass(kind, list) else tuple
    # Python refuses to read a number of thousands of digits.
    is_index = name.isdecimal() and len(name) < 20 and int(name) < base.__len__(target)
    return Place(base.__getitem__(target, int(name))) if is_index else NOWHERE


def step_in_module(module: types.ModuleType, name: str) -> Place:
    value = vars(module).get(name, MISSING)
    if value is MISSING:
        return NOWHERE
    origin = origin_of(module, name)
    if origin == "foreign":
        return NOWHERE
    # A table of functions is not part of what the module offers by name.
    return Place(value, origin == "given" and not isinstance(value, CONTAINERS))


def static_value(target: Any, name: str) -> Any:
    """The attribute as it lies there: neither a property nor ``__getattr__`` is run."""
    found = inspect.getattr_static(target, name, MISSING)
    if isinstance(found, staticmethod | classmethod):
        return found.__func__
    # A slot's value can be had without running anybody's code, and so can what is bound.
    if inspect.ismemberdescriptor(found) or isinstance(found, BINDING):
        return getattr(target, name, MISSING)
    return found
