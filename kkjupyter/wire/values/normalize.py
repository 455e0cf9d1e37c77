"""Converts Python's own types to those of the table in :mod:`~kkjupyter.wire.values.javascript`."""

from __future__ import annotations

import dataclasses
import datetime as dt
import re
from array import array
from collections import deque
from collections.abc import Iterable, Mapping
from enum import Enum
from math import copysign
from typing import Any

import msgspec

from kkjupyter.errors import EncodeError, RemoteError, RemoteThrow
from kkjupyter.wire.values.javascript import (
    MAX_SAFE_INTEGER,
    URL,
    BigInt,
    Boxed,
    Date,
    Map,
    RegExp,
    typed_array_name,
    undefined,
)

__all__ = [
    "FORBIDDEN_KEYS",
    "SCALARS",
    "VALUE_SEMANTICS",
    "is_plain",
    "iso_text",
    "normalize_value",
    "plain_key",
]

VALUE_SEMANTICS = (tuple, frozenset, range, Enum, Boxed, RemoteThrow)
"""What has no identity worth keeping: two occurrences of one object are two values."""

SCALARS = frozenset({str, int, float, bool, type(None)})
"""The types of values that never change, and are neither streams nor functions."""

_TEXT_LIKE = frozenset({str, bool, type(None)})
_STR_ONLY = frozenset({str})
# Keys that the peers' superjson refuses to read, for fear of prototype pollution.
FORBIDDEN_KEYS = frozenset({"__proto__", "constructor", "prototype"})


def is_plain(value: Any) -> bool:
    """Whether ``value`` can be sent unchanged in both codecs.

    True for lists and dicts of text, finite numbers, booleans and None, without shared parts. This
    is the fast path of nearly every message: an accepted value needs no further check and no copy.
    """
    return _is_plain(value, set())


def _is_plain(value: Any, seen: set[int]) -> bool:
    kind = type(value)
    if kind in _TEXT_LIKE:
        return True
    if kind is int:
        return bool(-MAX_SAFE_INTEGER <= value <= MAX_SAFE_INTEGER)
    if kind is float:
        # Infinite and NaN do not cancel out; -0.0 differs from 0.0 only in its sign.
        return bool(value - value == 0.0 if value else copysign(1.0, value) > 0.0)
    if kind is dict:
        if not (_STR_ONLY.issuperset(map(type, value)) and FORBIDDEN_KEYS.isdisjoint(value)):
            return False
        items: Iterable[Any] = value.values()
    elif kind is list:
        items = value
    else:
        return False
    if id(value) in seen:
        return False
    seen.add(id(value))
    if _TEXT_LIKE.issuperset(map(type, items)):
        return True
    for item in items:
        kind = type(item)
        # The most common cases are repeated inline: a call for each number would double the time.
        if kind in _TEXT_LIKE or (kind is int and -MAX_SAFE_INTEGER <= item <= MAX_SAFE_INTEGER):
            continue
        if kind is float and item and item - item == 0.0:
            continue
        if not _is_plain(item, seen):
            return False
    return True


def normalize_value(value: Any, path: str) -> Any:
    """``value`` as one of the exact types of the table; its parts are not converted.

    Raises:
        EncodeError: there is no JavaScript value for it; the text says what to send instead.
    """
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, bool | int | float | str):
        return _exact_scalar(value)
    if isinstance(value, bytes | bytearray):
        return bytes(value)
    if isinstance(value, tuple | list | range | deque):
        return list(value)
    if isinstance(value, Mapping):
        return Map(value) if isinstance(value, Map) else dict(value)
    if isinstance(value, set | frozenset):
        return set(value)
    if isinstance(value, Boxed):
        return value.value
    if isinstance(value, dt.date):
        return _date(value, path)
    if isinstance(value, BaseException):
        return _error(value)
    if isinstance(value, re.Pattern):
        return _regexp(value, path)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            field.name: getattr(value, field.name)
            for field in dataclasses.fields(value)
            if not field.name.startswith("_")  # the value's own code may raise anything
        }
    if isinstance(value, msgspec.Struct):
        return _struct_fields(value)
    if value is msgspec.UNSET:
        return undefined
    if type(value).__module__ == "numpy":
        return _from_numpy(value, path)
    if isinstance(value, memoryview | array):
        return _from_buffer(value, path)
    raise EncodeError(path, _refusal(value))


def plain_key(key: Any) -> str | None:
    """A dict's key as exact text, or None if it is not text."""
    if isinstance(key, Enum):
        key = key.value
    return str.__str__(key) if isinstance(key, str) else None


def iso_text(moment: dt.datetime, path: str) -> str:
    """``moment`` in JavaScript's format: UTC, milliseconds, ``Z``."""
    try:
        text = moment.astimezone(dt.UTC).isoformat(timespec="milliseconds")
    except (ValueError, OverflowError) as exc:
        raise EncodeError(path, f"{moment!r} is outside the years 1 to 9999 in UTC") from exc
    return f"{text[:-6]}Z"


def _exact_scalar(value: Any) -> Any:
    for kind in (BigInt, URL, Date, bool, int, float):
        if isinstance(value, kind):
            return kind(value)
    return str.__str__(value)


def _date(value: dt.date, path: str) -> dt.datetime:
    if isinstance(value, dt.datetime):
        try:
            return dt.datetime.fromisoformat(value.isoformat())
        except ValueError as exc:
            raise EncodeError(path, f"{value!r} is not a date; send None instead") from exc
    return dt.datetime(value.year, value.month, value.day, tzinfo=dt.UTC)


def _error(error: BaseException) -> Any:
    if isinstance(error, RemoteThrow):
        return error.value
    if isinstance(error, RemoteError):
        return RemoteError(error.message, name=error.name, cause=error.cause)
    return RemoteError(str(error), name=type(error).__name__, cause=error.__cause__)


# Groups that JavaScript lacks or writes differently; one it cannot read would spoil the message.
_PYTHON_ONLY = re.compile(r"(?<!\\)(?:\\\\)*(?:\(\?[P#>(aiLmsux-]|\\[AZ]|[*+?}]\+)")
_FLAGS = {re.IGNORECASE: "i", re.MULTILINE: "m", re.DOTALL: "s"}


def _regexp(pattern: re.Pattern[Any], path: str) -> RegExp:
    source = pattern.pattern
    if not isinstance(source, str):
        raise EncodeError(path, "JavaScript has no bytes patterns; compile it from str")
    if pattern.flags & (re.VERBOSE | re.LOCALE) or _PYTHON_ONLY.search(source):
        raise EncodeError(
            path,
            f"{pattern!r} uses features that only Python has; send RegExp(source, flags) instead",
        )
    return RegExp(
        source, "".join(letter for flag, letter in _FLAGS.items() if pattern.flags & flag)
    )


def _struct_fields(struct: msgspec.Struct) -> dict[str, Any]:
    config = struct.__struct_config__
    fields: dict[str, Any] = {}
    if config.tag_field is not None:
        fields[config.tag_field] = config.tag
    for name, encoded in zip(
        struct.__struct_fields__, struct.__struct_encode_fields__, strict=True
    ):
        value = getattr(struct, name)
        if value is not msgspec.UNSET and not name.startswith("_"):
            fields[encoded] = value
    return fields


def _from_numpy(value: Any, path: str) -> Any:
    """Convert a numpy array or scalar through its own methods, without importing numpy."""
    dtype = getattr(value, "dtype", None)
    if dtype is None or getattr(dtype, "kind", "V") == "V":
        raise EncodeError(path, _refusal(value))
    if value.ndim == 1 and dtype.isnative and typed_array_name(dtype.char):
        return _from_buffer(value, path)
    return value.tolist()  # a scalar becomes Python's own, an array a list (of lists)


def _from_buffer(value: Any, path: str) -> Any:
    try:
        view = memoryview(value)
        if view.ndim == 1 and view.format in ("B", "c"):
            return view.tobytes()
        items = view.tolist()
    except (NotImplementedError, ValueError) as exc:  # an unusual format, or a released buffer
        raise EncodeError(path, f"this buffer cannot be read ({exc}); send a list") from exc
    if view.ndim == 1 and typed_array_name(view.format):
        return array(view.format, items)
    return items


def _refusal(value: Any) -> str:
    """Why ``value`` cannot be sent, and what to send instead."""
    name = type(value).__qualname__
    if hasattr(value, "__await__"):
        return f"a {name} is not a value yet; await it first"
    if hasattr(value, "__aiter__") or hasattr(value, "__next__"):
        return f"a {name} streams, and a stream cannot be part of a value; send list(...) of it"
    if callable(value):
        return f"{name} {getattr(value, '__name__', '')!r} is a function or class, not a value"
    for method, advice in _ADVICE.items():
        if hasattr(value, method):
            columns = getattr(value, "columns", ()) if method == "to_records" else ()
            if not all(isinstance(name, str) for name in columns):
                advice = f".rename(columns=str){advice}"
            return f"JavaScript has no {name}; send {advice}"
    return f"JavaScript has no {name}; send a dict, a list, text or a number instead"


_ADVICE = {
    "model_dump": ".model_dump() of it",
    # Tables are sent as rows: other forms have numbers as keys, which JSON does not allow.
    "to_dicts": ".to_dicts() of it",
    "to_pylist": ".to_pylist() of it",
    "to_records": '.to_dict("records") of it',
    "tolist": ".tolist() of it",
    "to_list": ".to_list() of it",
    "to_dict": ".to_dict() of it",
    "total_seconds": ".total_seconds() of it",
    "isoformat": ".isoformat() of it",
    "as_integer_ratio": "float(...) or str(...) of it",
    "__complex__": "its .real and .imag",
    "__fspath__": "str(...) of it",
    "hex": "str(...) of it",
}
