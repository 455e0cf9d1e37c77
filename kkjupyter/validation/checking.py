"""One value held to one hint: let through, converted, or refused with what was expected."""

from __future__ import annotations

import datetime as dt
import decimal
import functools
import operator
import re
import uuid
from array import array
from collections.abc import Iterable
from typing import Any, get_args

import msgspec

from kkjupyter.calls.call import is_stream
from kkjupyter.errors import EncodeError
from kkjupyter.validation.collisions import collision_check
from kkjupyter.validation.hints import Parts, converters, take_apart
from kkjupyter.wire.message_cost import MAX_EQUAL_HASHES
from kkjupyter.wire.values.javascript import (
    URL,
    BigInt,
    Date,
    Map,
    Uint8ClampedArray,
    Undefined,
    undefined,
)
from kkjupyter.wire.values.normalize import normalize_value

__all__ = ["Check", "Mismatch", "check_for"]

_SCALARS = frozenset({str, int, float, bool, bytes, type(None), dt.datetime})
# What a JavaScript value arrives as that has no counterpart in JSON, and what JSON has for it.
_WIRE_BASES: dict[Any, type] = {
    URL: str,
    Date: str,
    BigInt: int,
    Map: dict,
    Uint8ClampedArray: bytes,
}
# Plain data: of a hint's class that msgspec cannot build, nothing can be told from it.
_DATA = (type(None), bool, int, float, str, bytes, bytearray, dt.date, array)
_DATA_CONTAINERS = (list, tuple, dict, set, frozenset, Undefined)
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


class Mismatch(Exception):
    """A value is not what its hint says.

    Attributes:
        text: what was expected.
        path: the keys that lead to the part in question, as far as known.
        where: the same as text, behind the name of the whole (``"[0].name"``).
    """

    def __init__(self, text: str, path: tuple[str | int, ...] = (), where: str = "") -> None:
        super().__init__(text)
        self.text = text
        self.path = path
        self.where = where


def check_for(hint: Any, *, is_result: bool = False, from_text: bool = False) -> Check | None:
    """How to check values against ``hint``, or None where every value will do.

    Args:
        hint: resolved, as :func:`typing.get_type_hints` gives it.
        is_result: it is about what a handler made, not about what a peer sent.
        from_text: all that was sent is text, as in a URL; ``"5"`` is a number where one is wanted.
    """
    parts = take_apart(hint, is_result=is_result)
    if parts is None:
        return None
    items = parts.items and check_for(
        functools.reduce(operator.or_, parts.items), is_result=is_result
    )
    return Check(parts, items or None, is_result, from_text)


class Check:
    """Checks values against one hint. Any thread.

    Attributes:
        items: how to check the items of a stream, or None.
    """

    __slots__ = (
        "_converters",
        "_exact",
        "_from_text",
        "_is_result",
        "_parts",
        "_would_collide",
        "items",
    )

    def __init__(
        self, parts: Parts, items: Check | None, is_result: bool, from_text: bool = False
    ) -> None:
        self.items = items
        self._from_text = from_text
        self._parts = parts
        self._is_result = is_result
        self._exact = _exact_types(parts.data)
        self._converters = converters(parts.data)
        self._would_collide = None if is_result else collision_check(parts.data)

    def __call__(self, value: Any) -> Any:
        """The value as the hint has it: a dict has become a dataclass, a list a tuple.

        Raises:
            Mismatch: it is not what the hint says.
        """
        if type(value) in self._exact:
            return value
        parts = self._parts
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
        if _is_instance(value, parts.classes):
            return value
        if parts.classes and isinstance(value, _DATA + _DATA_CONTAINERS):
            return self._convert_or_pass(value)
        return self._convert(value)

    def _convert_or_pass(self, value: Any) -> Any:
        try:
            return self._convert(value)
        except Mismatch:
            return value

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
        if dt.date in self._parts.data and _is_midnight(plain):
            return plain.date()
        return self._try_converters(plain)

    def _try_converters(self, value: Any) -> Any:
        mismatches = []
        for converter in self._converters:
            try:
                return self._try_converter(converter, value)
            except Mismatch as exc:
                mismatches.append(exc)
        parts = self._parts
        if len(mismatches) == 1:
            # msgspec speaks only of what it was asked; of a part of the value it knows more.
            is_whole_hint = not (parts.functions or parts.items or parts.classes)
            if mismatches[0].where or (is_whole_hint and not callable(value)):
                raise mismatches[0]
        raise Mismatch(self._expected(_kind(value)))

    def _try_converter(self, converter: Any, value: Any) -> Any:
        try:
            converted = msgspec.convert(
                {"v": value},
                converter,
                strict=not self._from_text,
                builtin_types=_RESULT_BUILTINS if self._is_result else _ARGUMENT_BUILTINS,
                str_keys=True,
                dec_hook=_as_wire_class,
            ).v
            # What a type checker takes for a float, too; and 3 shall not come back as 3.0.
            return value if type(value) is int and type(converted) is float else converted
        except msgspec.ValidationError as exc:
            raise _mismatch(str(exc)) from None
        except RecursionError:
            raise Mismatch("It is nested too deeply") from None
        except TypeError:  # a class in the hint that cannot be asked about instances
            return value
        except Exception as exc:
            raise Mismatch(f"{type(exc).__name__}: {exc}") from exc

    def _expected(self, got: str) -> str:
        parts = self._parts
        names = [_name(hint) for hint in parts.data]
        names += [cls.__name__ for cls in parts.classes]
        names += ["function"] * parts.functions + ["stream"] * bool(parts.items)
        return f"Expected `{' | '.join(names)}`, got `{got}`"


def _exact_types(data: Iterable[Any]) -> frozenset[Any]:
    """The types whose instances need no look: most values are text or numbers."""
    exact = {hint for hint in data if isinstance(hint, type) and hint in _SCALARS | {list, dict}}
    return frozenset(exact | {list for hint in data if hint == list[Any]})


# ---- values


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


_ROOT = "`$.v"
_AT = (" - at `key` in ", " - at ")
_STEP = re.compile(r"\.(?P<name>[^.\[]+)|\[(?P<index>\d+)\]")


def _mismatch(message: str) -> Mismatch:
    """msgspec's error: its text ends in the path, in which dict keys are not named."""
    # No regular expression: the text may repeat a value, and that is what a peer likes.
    begin, found, where = message.rpartition(_ROOT)
    before = next((words for words in _AT if begin.endswith(words)), "")
    if not (found and before and where.endswith("`")):
        return Mismatch(message)
    where = where[:-1]
    path: list[str | int] = []
    at = 0
    while step := _STEP.match(where, at):
        path.append(step["name"] if step["name"] else int(step["index"]))
        at = step.end()
    return Mismatch(begin.removesuffix(before), tuple(path), where)


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
