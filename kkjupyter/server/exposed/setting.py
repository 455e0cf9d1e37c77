"""Sets properties that a peer may set on the served object.

``set`` never replaces what can be called, a global of a module or an attribute of a class.
"""

from __future__ import annotations

import dataclasses
import inspect
import types
from collections.abc import Sequence
from typing import Any

from kkjupyter.server.exposed.places import (
    COMPUTED,
    LEAVES,
    MISSING,
    Place,
    Unreachable,
    is_of_instances,
    is_public,
)
from kkjupyter.server.exposed.reach import MAX_NAMES, Reach

__all__ = ["is_never_set", "put", "refusal_of_set"]


def put(
    reach: Reach,
    path: Sequence[str],
    value: Any,
    *,
    named_steps: int | None = None,
    plain_data_only: bool = False,
) -> None:
    """Set the property at ``path``. Whether a peer may do so was decided before.

    The property must exist, except in a dict of plain values. A value that can be called, or that
    holds such a value, is never overwritten, and neither are globals of modules and attributes of
    classes.

    Args:
        reach: the served object.
        path: the names that lead to the property.
        value: its new value.
        named_steps: how many steps of the path were allowed by name. The following ones must belong
            to the one object that they are reached by: not to a class or module. None: all steps.
        plain_data_only: whether only entries of dicts and lists and fields of dataclasses may be
            set, and none that a property returns.

    Raises:
        Unreachable: it cannot be set.
        Exception: what the setter of the property raises.
    """
    if not path:
        raise Unreachable("no_path")
    if len(path) > MAX_NAMES:
        raise Unreachable("missing", MAX_NAMES)
    place, name, at = Place(reach.target, is_given=True), path[-1], len(path) - 1
    for step, part in enumerate(path[:-1]):
        is_named = named_steps is None or step < named_steps
        if not is_named and _leads_elsewhere(place.value, part, properties=plain_data_only):
            raise Unreachable("not_writable", at)
        place = _step(reach, place, part, at)
        if place.value is MISSING:
            raise Unreachable("missing", step)
    parent, present = place.value, _step(reach, place, name, at)
    if present.value is MISSING:
        if not is_public(name) or not _may_be_new(reach, place, name):
            raise Unreachable("missing", at)
    elif (
        callable(present.value)
        or isinstance(present.value, types.ModuleType)
        or reach.holds_callables(present)
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
        if _has_setter(parent, name):  # a failure in its code, not a refusal
            raise
        raise Unreachable("read_only", at) from exc


def refusal_of_set(reach: Reach, path: Sequence[str]) -> Unreachable:
    """Why a peer may not set the property at ``path``, which was not allowed.

    Runs no code of the object's own.
    """
    if not path:
        return Unreachable("no_path")
    if len(path) > MAX_NAMES:
        return Unreachable("missing", MAX_NAMES)
    at = len(path) - 1
    try:
        place = Place(reach.target, is_given=True)
        for step, part in enumerate(path[:-1]):
            place = _step(reach, place, part, at, run=False)
            if place.value is MISSING:
                return Unreachable("missing", step)
            if place.value is COMPUTED:
                return Unreachable("not_writable" if is_public(path[-1]) else "missing", at)
        present = _step(reach, place, path[-1], at, run=False).value
    except Unreachable as refused:
        return refused
    if present is MISSING:
        known = is_public(path[-1]) and _may_be_new(reach, place, path[-1])
        return Unreachable("not_writable" if known else "missing", at)
    if present is not COMPUTED and (callable(present) or _is_shared(place.value)):
        return Unreachable("read_only", at)
    return Unreachable("not_writable", at)


def is_never_set(reach: Reach, path: Sequence[str]) -> bool:
    """Whether :func:`put` is certain to refuse ``path`` and all below it. Runs no code."""
    try:
        parent = reach.peek(path[:-1]) if len(path) > 1 else reach.target
        present = reach.peek(path)
    except Unreachable:
        return False
    if present is COMPUTED or isinstance(present, type):
        return False
    return callable(present) or (isinstance(present, LEAVES) and _is_shared(parent))


def _step(reach: Reach, above: Place, name: str, at: int, *, run: bool = True) -> Place:
    try:
        return reach.step(above, name, run=run)
    except Unreachable:  # it is a value: its owner sets what is in it
        raise Unreachable("read_only", at) from None


def _may_be_new(reach: Reach, parent: Place, name: str) -> bool:
    """Whether a new name may be set."""
    if isinstance(parent.value, dict):
        return not reach.holds_callables(parent)
    return _is_declared(reach, parent.value, name)


def _is_declared(reach: Reach, parent: Any, name: str) -> bool:
    """Whether the class of ``parent`` declares an attribute that has no value yet."""
    if isinstance(parent, type | types.ModuleType | list | tuple | types.SimpleNamespace):
        return False
    return any(
        name in inspect.get_annotations(cls) or name in vars(cls)
        for cls in type(parent).__mro__
        if reach.owners.owns_base(cls)
    )


def _is_shared(parent: Any) -> bool:
    """Whether setting something there changes more than the served object."""
    return isinstance(parent, type | types.ModuleType)


def _leads_elsewhere(parent: Any, name: str, *, properties: bool) -> bool:
    """Whether ``name`` belongs to more than ``parent``, or, if asked for, is returned by a
    property.
    """
    if isinstance(parent, dict | list | tuple):
        return False
    if _is_shared(parent):
        return True
    found = inspect.getattr_static(parent, name, MISSING)
    if inspect.ismemberdescriptor(found) or name in getattr(parent, "__dict__", ()):
        return False
    return found is not MISSING and (properties or not is_of_instances(found))


def _is_plain_data(parent: Any, name: str) -> bool:
    if isinstance(parent, dict | list):
        return True
    is_instance = dataclasses.is_dataclass(parent) and not isinstance(parent, type)
    return is_instance and name in {field.name for field in dataclasses.fields(parent)}


def _has_setter(parent: Any, name: str) -> bool:
    """Whether setting ``name`` runs a function that the class has for that."""
    found = inspect.getattr_static(type(parent), name, None)
    return isinstance(found, property) and found.fset is not None
