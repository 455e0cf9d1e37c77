"""Type hints taken apart: what of one msgspec can judge, and what only this side can.

``msgspec`` does the work for everything it knows. Beside it stand functions, streams, classes of
others, unions msgspec refuses. What nobody can judge is let through: a strange hint is never a
caller's fault.
"""

from __future__ import annotations

import collections.abc
import dataclasses
import functools
import operator
import types
import typing
from collections.abc import Iterator
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

import msgspec
import msgspec.inspect

from kkjupyter.wire.values.javascript import (
    URL,
    BigInt,
    Boxed,
    Date,
    Map,
    RegExp,
    Uint8ClampedArray,
    Undefined,
)

__all__ = ["Parts", "converters", "take_apart"]

_STREAMS = frozenset(
    {
        collections.abc.AsyncIterator,
        collections.abc.AsyncIterable,
        collections.abc.AsyncGenerator,
        collections.abc.Iterator,
        collections.abc.Generator,
    }
)
_UNIONS = (Union, types.UnionType)
_WIRE_CLASSES = frozenset({BigInt, Boxed, Date, Map, RegExp, Uint8ClampedArray, Undefined, URL})


@dataclasses.dataclass(slots=True)
class Parts:
    """A hint taken apart; a value must suit one of the parts.

    Attributes:
        data: hints that msgspec can judge.
        classes: classes that only ``isinstance`` can tell about.
        functions: whether functions will do.
        items: what streams may be of; empty where none will do.
    """

    data: list[Any] = dataclasses.field(default_factory=list)
    classes: list[type] = dataclasses.field(default_factory=list)
    functions: bool = False
    items: list[Any] = dataclasses.field(default_factory=list)


def take_apart(hint: Any, *, is_result: bool = False) -> Parts | None:
    """The parts of ``hint``, or None where every value will do.

    Args:
        hint: resolved, as :func:`typing.get_type_hints` gives it.
        is_result: of something to await it is the outcome that counts.
    """
    parts = Parts()
    for member in _members(hint, is_result):
        if not _sort(member, parts):
            return None
    return parts


def _members(hint: Any, is_result: bool) -> Iterator[Any]:
    """The members of a union, or ``hint`` alone; aliases and new names for types are looked up."""
    while True:
        if type(hint).__name__ == "TypeAliasType" and get_origin(hint) is None:
            hint = hint.__value__
        elif isinstance(hint, typing.NewType):
            hint = hint.__supertype__
        elif is_result and (awaited := _awaited(hint)):
            hint = awaited[0]
        else:
            break
    if get_origin(hint) in _UNIONS:
        for member in get_args(hint):
            yield from _members(member, is_result)
    elif get_origin(hint) is Annotated and _relaxed(hint) is Any:
        for member in _members(get_args(hint)[0], is_result):
            # msgspec takes constraints on a type only, not on a union.
            constrained = _annotated(member, hint)
            yield member if _relaxed(constrained) is Any else constrained
    else:
        yield hint


def _awaited(hint: Any) -> tuple[Any] | None:
    """What comes of awaiting, where the hint is of something to await."""
    origin, args = get_origin(hint), get_args(hint)
    if isinstance(origin, type) and issubclass(origin, collections.abc.Awaitable) and args:
        return (args[-1],)
    return None


def _sort(hint: Any, parts: Parts) -> bool:
    """Put one member of a hint where it belongs; False if it allows every value."""
    origin = get_origin(hint) or hint
    args = get_args(hint)
    if hint is Any or hint is object or isinstance(hint, TypeVar):
        return False
    if origin is collections.abc.Callable or origin is types.FunctionType:
        parts.functions = True
    elif origin in _STREAMS or origin is collections.abc.Iterable:
        parts.items.append(args[0] if args else Any)
        if origin is collections.abc.Iterable:
            parts.data.append(_relaxed(types.GenericAlias(list, args)) if args else list)
    elif _is_foreign(hint):
        if not isinstance(origin, type) or _is_opaque(origin):
            return False
        parts.classes.append(origin)
    else:
        relaxed = _relaxed(hint)
        if relaxed is Any:
            return False
        parts.data.append(relaxed)
    return True


def _is_opaque(cls: type) -> bool:
    """Whether there is no asking for instances of ``cls``: a protocol, or ``type`` itself."""
    protocol = getattr(cls, "_is_protocol", False)
    return cls is type or (protocol and not getattr(cls, "_is_runtime_protocol", False))


def _is_foreign(hint: Any) -> bool:
    """Whether msgspec has nothing to say about ``hint`` but whether a value is an instance."""
    if hint in _WIRE_CLASSES:
        return False
    try:
        return isinstance(msgspec.inspect.type_info(hint), msgspec.inspect.CustomType)
    except Exception:  # noqa: BLE001  hints can be anything
        return isinstance(get_origin(hint) or hint, type)


def _relaxed(hint: Any) -> Any:
    """``hint`` with Any in place of what cannot be judged."""
    origin, args = get_origin(hint), get_args(hint)
    if origin is Literal or not args:
        pass
    elif origin is Annotated:
        inner = _relaxed(args[0])
        hint = Any if inner is Any else _annotated(inner, hint)
    elif origin in _UNIONS:
        hint = functools.reduce(operator.or_, [_relaxed(member) for member in args])
    elif getattr(origin, "__module__", "") in ("builtins", "collections.abc"):
        relaxed = tuple(arg if arg is ... else _relaxed(arg) for arg in args)
        hint = origin[relaxed] if relaxed != args else hint
    return hint if not _is_foreign(hint) and _is_supported(hint) else Any


def _annotated(inner: Any, hint: Any) -> Any:
    """``inner`` with what ``hint`` is annotated with."""
    return operator.getitem(Annotated, (inner, *hint.__metadata__))


def _is_supported(hint: Any) -> bool:
    try:
        msgspec.convert({}, _wrapper(hint))
    except msgspec.ValidationError:  # "missing required field": it got as far as looking
        return True
    except Exception:  # noqa: BLE001  hints can be anything
        return False
    return False


def _wrapper(hint: Any) -> type[msgspec.Struct]:
    # msgspec analyses a hint at each call, but a Struct's fields only once.
    return msgspec.defstruct("Checked", [("v", hint)])


def converters(data: list[Any]) -> list[type[msgspec.Struct]]:
    """Structs with a field ``v`` of these types, to convert to.

    One for the whole union where msgspec can; else one for each member, to be tried in turn.
    """
    if not data:
        return []
    whole = functools.reduce(operator.or_, data) if len(data) > 1 else data[0]
    return [_wrapper(hint) for hint in ([whole] if _is_supported(whole) else data)]
