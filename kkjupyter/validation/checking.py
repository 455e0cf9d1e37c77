"""One value checked against one type hint: accepted, converted, or refused with what was expected.

``msgspec`` judges and converts all that it knows. Beside it stand functions, streams, classes of
others, unions that it refuses, and JavaScript's own values. What nobody can judge is accepted: a
strange hint is never a caller's fault.
"""

from __future__ import annotations

import collections.abc
import dataclasses
import datetime as dt
import decimal
import functools
import operator
import types
import typing
import uuid
from array import array
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin

import msgspec
import msgspec.inspect

from kkjupyter.calls.call import is_stream
from kkjupyter.errors import EncodeError
from kkjupyter.validation.collisions import collision_check
from kkjupyter.validation.mismatch import UNIONS, Mismatch, mismatch_of
from kkjupyter.wire.message_cost import MAX_EQUAL_HASHES
from kkjupyter.wire.values.javascript import (
    URL,
    BigInt,
    Boxed,
    Date,
    Map,
    RegExp,
    Uint8ClampedArray,
    Undefined,
    undefined,
)
from kkjupyter.wire.values.normalize import normalize_value

__all__ = ["Check", "Mismatch", "Parts", "check_for", "union"]

_STREAMS = frozenset(
    {
        collections.abc.AsyncIterator,
        collections.abc.AsyncIterable,
        collections.abc.AsyncGenerator,
        collections.abc.Iterator,
        collections.abc.Generator,
    }
)
_SCALARS = frozenset({str, int, float, bool, bytes, type(None), dt.datetime})
_WIRE_CLASSES = frozenset({BigInt, Boxed, Date, Map, RegExp, Uint8ClampedArray, Undefined, URL})
# What a JavaScript value arrives as that has no counterpart in JSON, and what JSON has for it.
_WIRE_BASES: dict[Any, type] = {
    URL: str,
    Date: str,
    BigInt: int,
    Map: dict,
    Uint8ClampedArray: bytes,
}
# Plain data: whether msgspec cannot build a hint's class from it cannot be told.
_DATA = (
    *(type(None), bool, int, float, str, bytes, bytearray, dt.date, Undefined),
    *(array, list, tuple, dict, set, frozenset),
)
# A handler that says datetime and returns text does not keep its word; a peer can send only text.
_ARGUMENT_BUILTINS = (bytes, bytearray)
_RESULT_BUILTINS = (
    *_ARGUMENT_BUILTINS,
    dt.datetime,
    dt.date,
    dt.time,
    dt.timedelta,
    uuid.UUID,
    decimal.Decimal,
)


# ---- hints


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

    def add(self, hint: Any) -> bool:
        """Put one member of a union where it belongs; False if it allows every value."""
        origin, args = get_origin(hint) or hint, get_args(hint)
        if hint is Any or hint is object or isinstance(hint, TypeVar):
            return False
        if origin is collections.abc.Callable or origin is types.FunctionType:
            self.functions = True
        elif origin in _STREAMS:
            self.items.append(args[0] if args else Any)
        elif origin is collections.abc.Iterable:
            self.items.append(args[0] if args else Any)
            self.data.append(_judgeable(types.GenericAlias(list, args)) if args else list)
        elif not _is_foreign(hint):
            self.data.append(_judgeable(hint))
            return self.data[-1] is not Any
        elif isinstance(origin, type) and not _is_opaque(origin):
            self.classes.append(origin)
        else:
            return False
        return True


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
    if get_origin(hint) in UNIONS:
        for member in get_args(hint):
            yield from _members(member, is_result)
    elif get_origin(hint) is Annotated and _judgeable(hint) is Any:
        for member in _members(get_args(hint)[0], is_result):
            # msgspec takes constraints on a type only, not on a union.
            constrained = _annotated(member, hint)
            yield member if _judgeable(constrained) is Any else constrained
    else:
        yield hint


def _awaited(hint: Any) -> tuple[Any] | None:
    """What comes of awaiting, where the hint is of something to await."""
    origin, args = get_origin(hint), get_args(hint)
    if isinstance(origin, type) and issubclass(origin, collections.abc.Awaitable) and args:
        return (args[-1],)
    return None


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


def _judgeable(hint: Any) -> Any:
    """``hint`` with Any in place of what msgspec cannot judge."""
    origin, args = get_origin(hint), get_args(hint)
    if origin is Literal or not args:
        pass
    elif origin is Annotated:
        inner = _judgeable(args[0])
        hint = Any if inner is Any else _annotated(inner, hint)
    elif origin in UNIONS:
        hint = union([_judgeable(member) for member in args])
    elif getattr(origin, "__module__", "") in ("builtins", "collections.abc"):
        hint = origin[tuple(arg if arg is ... else _judgeable(arg) for arg in args)]
    return hint if not _is_foreign(hint) and _is_supported(hint) else Any


def _annotated(inner: Any, hint: Any) -> Any:
    """``inner`` with what ``hint`` is annotated with."""
    return operator.getitem(Annotated, (inner, *hint.__metadata__))


def union(hints: Iterable[Any]) -> Any:
    """The hint that allows what any of ``hints`` does."""
    return functools.reduce(operator.or_, hints)


def _is_supported(hint: Any) -> bool:
    try:
        msgspec.msgpack.Decoder(hint)
    except Exception:  # noqa: BLE001  hints can be anything
        return False
    return True


# ---- values


def check_for(hint: Any, *, is_result: bool = False, from_text: bool = False) -> Check | None:
    """How to check values against ``hint``, or None where every value will do.

    Args:
        hint: resolved, as :func:`typing.get_type_hints` gives it.
        is_result: it is about what a handler made, not about what a peer sent. Of something to
            await it is the outcome that counts.
        from_text: all that was sent is text, as in a URL; ``"5"`` is a number where one is wanted.
    """
    parts = Parts()
    if not all(parts.add(member) for member in _members(hint, is_result)):
        return None
    return Check(parts, is_result=is_result, from_text=from_text)


class Check:
    """Checks values against one hint. Any thread.

    Attributes:
        parts: what the hint allows.
        items: how to check the items of a stream, or None.
    """

    __slots__ = ("_converters", "_exact", "_would_collide", "items", "parts")

    def __init__(self, parts: Parts, *, is_result: bool, from_text: bool) -> None:
        self.parts = parts
        self.items: Check | None = None
        if parts.items:
            self.items = check_for(union(parts.items), is_result=is_result)
        # The types whose instances need no look: most values are text or numbers.
        exact = {h for h in parts.data if isinstance(h, type) and h in _SCALARS | {list, dict}}
        self._exact = frozenset(exact | {list for h in parts.data if h == list[Any]})
        hints = parts.data
        if len(hints) > 1 and _is_supported(union(hints)):
            hints = [union(hints)]  # a union that msgspec refuses is tried member by member
        self._converters = [
            _Converter(hint, is_result=is_result, from_text=from_text) for hint in hints
        ]
        self._would_collide = None if is_result else collision_check(parts.data)

    def __call__(self, value: Any) -> Any:
        """The value as the hint has it: a dict has become a dataclass, a list a tuple.

        Raises:
            Mismatch: it is not what the hint says.
        """
        if type(value) in self._exact:
            return value
        parts = self.parts
        if is_stream(value):
            if parts.items or _is_instance(value, parts.classes):
                return value
            raise Mismatch(self._expected("stream"))
        if value is undefined and Undefined not in parts.data:
            return self._convert_undefined()
        if parts.functions and callable(value):
            return value
        if self._would_collide is not None and self._would_collide(value):
            raise Mismatch(f"More than {MAX_EQUAL_HASHES} different values have the same hash")
        if not parts.classes:
            return self._convert(value)
        if _is_instance(value, parts.classes):
            return value
        try:
            return self._convert(value)
        except Mismatch:
            if isinstance(value, _DATA):
                return value
            raise

    def _convert_undefined(self) -> None:
        """Where None will do, so will ``undefined``, as None."""
        try:
            self(None)
        except Mismatch:
            raise Mismatch(self._expected("undefined")) from None

    def _convert(self, value: Any) -> Any:
        if not self._converters:
            raise Mismatch(self._expected(_kind(value)))
        try:
            return self._try_converters(value)
        except Mismatch:
            pass
        # Once more, as the wire would have it: numpy's numbers, enum members, typed arrays.
        try:
            plain = _plain(value)
        except RecursionError:
            raise Mismatch("It is nested too deeply") from None
        if dt.date in self.parts.data and _is_midnight(plain):
            return plain.date()
        return self._try_converters(plain)

    def _try_converters(self, value: Any) -> Any:
        mismatches = []
        for converter in self._converters:
            try:
                return converter(value)
            except Mismatch as exc:
                mismatches.append(exc)
        parts = self.parts
        if len(mismatches) == 1:
            # msgspec speaks only of what it was asked; of a part of the value it knows more.
            is_whole_hint = not (parts.functions or parts.items or parts.classes)
            if mismatches[0].is_of_part or (is_whole_hint and not callable(value)):
                raise mismatches[0]
        raise Mismatch(self._expected(_kind(value)))

    def _expected(self, got: str) -> str:
        parts = self.parts
        names = [_name(hint) for hint in parts.data]
        names += [cls.__name__ for cls in parts.classes]
        names += ["function"] * parts.functions + ["stream"] * bool(parts.items)
        return f"Expected `{' | '.join(names)}`, got `{got}`"


class _Converter:
    """Converts values to one hint that msgspec can judge."""

    __slots__ = ("_convert", "_hint")

    def __init__(self, hint: Any, *, is_result: bool, from_text: bool) -> None:
        self._hint = hint
        self._convert = functools.partial(
            msgspec.convert,
            # msgspec analyses a hint at each call, but a Struct's fields only once.
            type=msgspec.defstruct("Checked", [("v", hint)]),
            strict=not from_text,
            builtin_types=_RESULT_BUILTINS if is_result else _ARGUMENT_BUILTINS,
            str_keys=True,
            dec_hook=_as_wire_class,
        )

    def __call__(self, value: Any) -> Any:
        """The value converted; Mismatch if it cannot be."""
        try:
            converted = self._convert({"v": value}).v
        except msgspec.ValidationError as exc:
            raise mismatch_of(exc, self._hint, value, self._fits) from None
        except RecursionError:
            raise Mismatch("It is nested too deeply") from None
        except TypeError:  # a class in the hint that cannot be asked about instances
            return value
        except Exception as exc:
            raise Mismatch(f"{type(exc).__name__}: {exc}") from exc
        # What a type checker takes for a float, too; and 3 shall not come back as 3.0.
        return value if type(value) is int and type(converted) is float else converted

    def _fits(self, value: Any, hint: Any) -> bool:
        try:
            self._convert(value, type=hint)
        except Exception:  # noqa: BLE001  whatever it is, it is not converted
            return False
        return True


def _is_instance(value: Any, classes: Iterable[type]) -> bool:
    try:
        return any(isinstance(value, cls) for cls in classes)
    except Exception:  # noqa: BLE001  a metaclass can refuse to say; then it is not refused here
        return True


def _as_wire_class(kind: Any, value: Any) -> Any:
    base = _WIRE_BASES.get(kind)
    if base is None or isinstance(value, kind) or not isinstance(value, base):
        return value  # msgspec asks whether it is an instance
    return value if isinstance(value, bool) else kind(value)


def _plain(value: Any) -> Any:
    """``value`` in the types JSON and msgspec know, as far as there are some for it."""
    if type(value) in _SCALARS or isinstance(value, dt.date):
        return value
    if value is undefined:
        return None
    if isinstance(value, array):
        return value.tolist()
    try:
        value = normalize_value(value, "")
    except EncodeError:
        return value
    if isinstance(value, dict):
        return {
            _plain(key): _plain(inner) for key, inner in value.items() if inner is not undefined
        }
    if isinstance(value, list | set):
        return [_plain(inner) for inner in value]
    return value.tolist() if isinstance(value, array) else value


def _is_midnight(value: Any) -> bool:
    """Whether it is what JavaScript has for a date without a time."""
    return (
        isinstance(value, dt.datetime)
        and value.utcoffset() in (None, dt.timedelta(0))
        and value.time() == dt.time()
    )


# ---- words


_KINDS: dict[Any, str] = {
    type(None): "null",
    dict: "object",
    list: "array",
    Undefined: "undefined",
}


def _kind(value: Any) -> str:
    if callable(value):
        return "function"
    return _KINDS.get(type(value)) or type(value).__name__


def _name(hint: Any) -> str:
    if hint is type(None):
        return "null"
    return hint.__name__ if isinstance(hint, type) and not get_args(hint) else str(hint)
