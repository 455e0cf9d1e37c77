"""Finds what a peer may reach on the object given to a server.

A peer walks along public names: entries of dicts, lists and tuples, names of a served module,
attributes of the served object, and of objects and classes that are the user's own (see
:mod:`kkjupyter.server.exposed.ownership`). Anything else on its way is a *value*: it is read or
refused as a whole, never called, and never walked into. A peer never reaches a name with a leading
underscore, nor what a base class from another package, or Python itself, defines.

It may call what own classes define, own functions wherever they are, and what was *given*: a name
in a served dict or module, or a name that was opened in full.
"""

from __future__ import annotations

import functools
import inspect
import itertools
import types
import typing
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal

from kkjupyter.calls.call import is_stream
from kkjupyter.server.exposed.ownership import is_of_python, owners_of
from kkjupyter.server.exposed.places import (
    BINDING,
    CLOSED,
    COMPUTED,
    CONTAINERS,
    LEAVES,
    MISSING,
    NOWHERE,
    SOMEWHERE,
    Place,
    Unreachable,
    is_module,
    is_of_instances,
    is_public,
    static_value,
    step_in_container,
    step_in_module,
)

__all__ = ["MAX_NAMES", "Reach"]

MAX_NAMES = 64
"""The longest path, in names: whoever goes in circles must come to an end."""

_COMPUTING = (property, functools.cached_property)
_LISTED_DEPTH = 3
_LISTED_NAMES = 10_000

Kind = Literal["call", "read"]


class Reach:
    """What peers may reach on one object.

    Args:
        target: a dict, module, instance or class.
        opened: further names that they may reach, in parts.
        package: the top-level package whose code serves it, if known.

    Attributes:
        target: the served object.
        owners: whose code they may call.
    """

    def __init__(
        self,
        target: Any,
        opened: Iterable[Sequence[str]] = (),
        *,
        package: str | None = None,
    ) -> None:
        self.target = target
        self.owners = owners_of(target, package)
        self._opened = frozenset(map(tuple, opened))
        self._along = {path[:end] for path in self._opened for end in range(1, len(path) + 1)}

    # ---- for peers

    def find(self, path: Sequence[str]) -> Any:
        """The value at ``path``, to be sent.

        Raises:
            Unreachable: there is no such value, or reading it would run code that peers may not
                call.
            Exception: what a property on the way raises.
        """
        place = self._walk(path)
        value = place.value
        if not (isinstance(value, LEAVES) or self._may_read(place)):
            raise Unreachable("not_exposed", len(path) - 1)
        return value

    def find_callable(self, path: Sequence[str]) -> Any:
        """The function, method, class or callable object at ``path``; errors as in :meth:`find`."""
        place = self._walk(path)
        if not self.may_call(place):
            is_function = callable(place.value)
            raise Unreachable("not_exposed" if is_function else "not_callable", len(path) - 1)
        return place.value

    def find_class(self, path: Sequence[str]) -> type[Any]:
        """The class at ``path``, for a new instance; errors as in :meth:`find`."""
        place = self._walk(path)
        if not isinstance(place.value, type):
            raise Unreachable("not_callable", len(path) - 1)
        if not self.may_call(place):
            raise Unreachable("not_exposed", len(path) - 1)
        return place.value

    def may_call(self, place: Place) -> bool:
        """Whether a peer may call the value at ``place``. Runs no code."""
        value = place.value
        if not callable(value) or typing.get_origin(value) is not None:
            return isinstance(value, BINDING) and self.owners.owns_function(value.func)
        if place.is_given:
            return True
        if isinstance(value, type):
            return self.owners.owns_class(value)
        return self.owners.owns_function(value)

    # ---- for the server itself; runs no code of the object's own

    def peek(self, path: Sequence[str]) -> Any:
        """Like :meth:`find`, without running any code; COMPUTED if only running code could tell."""
        return self._walk(path, run=False).value

    def is_computed(self, path: Sequence[str]) -> bool:
        """Whether only running a property can tell what is at ``path``."""
        try:
            return self.peek(path) is COMPUTED
        except Unreachable:
            return False

    def is_there(self, name: str) -> bool:
        """Whether a peer can reach ``name`` directly on the served object."""
        try:
            return self.peek([name]) is not MISSING
        except Unreachable:
            return False

    def public_names(self) -> list[str]:
        """The names directly on the served object that a peer can reach, sorted."""
        return [name for name, _ in self._places(Place(self.target, is_given=True), ())]

    def method_names(self) -> list[str]:
        """Dotted names of what a peer can call, for completion, the card and lists."""
        return [name for name, kind in self.listing() if kind == "call"]

    def listing(self) -> list[tuple[str, Kind]]:
        """Dotted names of what a peer can call and read, down to some depth, up to some number."""
        found = self._listing(Place(self.target, is_given=True), (), _LISTED_DEPTH)
        return list(itertools.islice(found, _LISTED_NAMES))

    def holds_callables(self, place: Place, depth: int = _LISTED_DEPTH) -> bool:
        """Whether anything below ``place`` can be called, by peers or not."""
        if isinstance(place.value, dict):
            return any(
                callable(value) or (depth > 1 and self.holds_callables(Place(value), depth - 1))
                for value in place.value.values()
                if not isinstance(value, LEAVES)
            )
        return any(kind == "call" for _, kind in self._listing(place, (), depth))

    def _listing(
        self, above: Place, path: tuple[str, ...], depth: int
    ) -> Iterator[tuple[str, Kind]]:
        for name, place in self._places(above, path):
            if self.may_call(place):
                yield name, "call"
                continue
            is_empty = True
            for rest, kind in self._listing(place, (*path, name), depth - 1) if depth > 1 else ():
                is_empty = False
                yield f"{name}.{rest}", kind
            if is_empty and not (callable(place.value) or is_module(place.value)):
                yield name, "read"

    def _places(self, above: Place, path: tuple[str, ...]) -> Iterator[tuple[str, Place]]:
        """The places directly below ``above``, by name."""
        target = above.value
        names: set[str] = {own[len(path)] for own in self._along if own[:-1] == path}
        if isinstance(target, dict):
            some = itertools.islice(target, _LISTED_NAMES)  # of a large table
            names.update(name for name in some if isinstance(name, str))
        elif isinstance(target, types.SimpleNamespace):
            names.update(vars(target))
        elif target is self.target or self._opens(above):
            names.update(dir(target))
        for name in sorted(filter(is_public, names)):
            try:
                place = self._next(above, (*path, name), run=False)
            except Unreachable:
                continue
            if place.value is not MISSING:
                yield name, place

    # ---- the walk

    def _walk(self, path: Sequence[str], *, run: bool = True) -> Place:
        if not path:
            raise Unreachable("no_path")
        if len(path) > MAX_NAMES:
            raise Unreachable("missing", MAX_NAMES)
        place = Place(self.target, is_given=True)
        opened = self._opened
        for at, name in enumerate(path):
            try:
                if opened:
                    place = self._next(place, tuple(path[: at + 1]), run=run)
                else:
                    place = self.step(place, name, run=run)
            except Unreachable as exc:
                raise Unreachable(exc.reason, at) from None
            if place.value is MISSING:
                raise Unreachable("missing", at)
            if place.value is COMPUTED:
                if not all(map(is_public, path[at + 1 :])):
                    raise Unreachable("missing", at + 1)
                return place
        return place

    def _next(self, above: Place, path: tuple[str, ...], *, run: bool) -> Place:
        """One step, including names that were opened in full."""
        if path not in self._along:
            return self.step(above, path[-1], run=run)
        try:
            place = self.step(above, path[-1], run=run)
        except Unreachable:
            place = NOWHERE
        if place.value is MISSING and is_public(path[-1]):
            target, name = above.value, path[-1]
            place = Place(getattr(target, name, MISSING) if run else static_value(target, name))
        return place._replace(is_given=place.is_given or path in self._opened)

    def step(self, above: Place, name: str, *, run: bool = True) -> Place:
        """The place that ``name`` leads to from ``above``; its value is MISSING if there is none.

        Args:
            above: where the walk is.
            name: one part of a path.
            run: whether properties may be run.

        Raises:
            Unreachable: ``above`` is a value, which cannot be walked into.
            Exception: what a property raises.
        """
        target = above.value
        if not is_public(name):
            return NOWHERE
        kind = type(target)
        if issubclass(kind, CONTAINERS):
            return step_in_container(above, kind, name)
        if issubclass(kind, CLOSED):
            return NOWHERE
        if target is not self.target and not self._opens(above):
            raise Unreachable("not_exposed")
        if isinstance(target, types.ModuleType):
            return step_in_module(target, name)
        if isinstance(target, type):
            return self._step_in_class(target, name)
        return self._step_in_instance(target, name, run=run)

    def _opens(self, place: Place) -> bool:
        """Whether a peer may reach the attributes of the value at ``place``."""
        value = place.value
        if isinstance(value, types.ModuleType):  # only if it is there by name
            return place.is_given and self.owners.owns_module(value)
        if isinstance(value, (*CLOSED, *CONTAINERS, type(MISSING))):
            return False
        return self.owners.owns_class(value if isinstance(value, type) else type(value))

    def _step_in_class(self, target: type[Any], name: str) -> Place:
        found, is_given = self._defined(inspect.getmro(target), name)
        if found is MISSING or is_of_instances(found):
            return NOWHERE
        return Place(getattr(target, name, MISSING), is_given)

    def _step_in_instance(self, target: Any, name: str, *, run: bool) -> Place:
        if name in getattr(target, "__dict__", ()):
            # Not given, even if the class has it: it was replaced on the instance.
            found, is_given = inspect.getattr_static(type(target), name, MISSING), False
        else:
            found, is_given = self._defined(type(target).__mro__, name)
            if found is MISSING:
                return NOWHERE
        if run:
            if isinstance(found, _COMPUTING):  # its code failed with an AttributeError
                return Place(getattr(target, name), is_made=True)
            return Place(getattr(target, name, MISSING), is_given)
        if is_of_instances(found) and not inspect.ismemberdescriptor(found):
            return SOMEWHERE
        return Place(static_value(target, name), is_given)

    def _defined(self, classes: Sequence[type[Any]], name: str) -> tuple[Any, bool]:
        """What own classes define under ``name``, and whether it is a function made for them.

        Raises:
            Unreachable: a base class from an installed package defines it. Python's own do not
                count.
        """
        for cls in classes:
            found = cls.__dict__.get(name, MISSING)
            if found is MISSING:
                continue
            if self.owners.owns_base(cls):
                return found, self.owners.defines(cls, found)
            if is_of_python(cls):
                break
            raise Unreachable("not_exposed")
        return MISSING, False

    def _may_read(self, place: Place) -> bool:
        """Whether sending the value runs no other code.

        Reading a file would take its content from its reader here, and awaiting a task would cancel
        it together with the call.
        """
        value = place.value
        if is_stream(value):
            return place.is_given or place.is_made or self.owners.owns_running(value)
        if inspect.isawaitable(value):
            return place.is_made or self.owners.owns_running(value)
        return True
