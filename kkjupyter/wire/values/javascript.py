"""The Python type of each JavaScript value.

===================  =======================================  ====================================
JavaScript           arrives as                               is made from
===================  =======================================  ====================================
undefined            :data:`undefined`                        ``undefined``, ``msgspec.UNSET``
null                 None                                     None
boolean              bool                                     bool
number               int, float (``-0.0``, ``nan``, ``inf``)  int up to ±(2**53 - 1), float
bigint               :class:`BigInt`; int where it is too     :class:`BigInt`, any larger int
                     large for a number
string               str (lone surrogates included)           str
Date                 datetime in UTC; :class:`Date` where     datetime, date, :class:`Date`
                     datetime cannot hold it
Array                list                                     list, tuple, range, deque
plain object         dict                                     dict or mapping with str keys only,
                                                              dataclass, msgspec Struct
Map                  :class:`Map`                             :class:`Map`, any other dict
Set                  set                                      set, frozenset
RegExp               :class:`RegExp`                          :class:`RegExp`, ``re.Pattern``
URL                  :class:`URL`                             :class:`URL`
Error                :class:`~kkjupyter.errors.RemoteError`   any exception
Uint8Array           bytes                                    bytes, bytearray, memoryview
Uint8ClampedArray    :class:`Uint8ClampedArray`               :class:`Uint8ClampedArray`
other typed arrays   ``array.array`` of typecode b, h, i, H,  ``array.array``, typed memoryviews,
                     I, f or d                                one-dimensional numpy arrays
===================  =======================================  ====================================

Details:

- **Numbers.** JavaScript writes ``1.0`` as ``1``, so it arrives as int. A *number* of 2**53 or
  more that is written in digits arrives as int, too, and would go back as a bigint: ``float(x)``
  keeps it a number. Arrays of 64-bit integers, of booleans or with several dimensions go out as
  plain lists: the peers have no typed array for them.
- **Dates** have milliseconds; microseconds are cut off. A datetime without a time zone is local
  time, as everywhere in Python; a ``date`` is midnight UTC, as in JavaScript. A JavaScript Date in
  a year before 1 or after 9999, or an invalid one, is a :class:`Date`, its text.
- **Keys and members that Python cannot hold.** A JavaScript Map may have an array as key, and tells
  ``1`` from ``true``; dict and set cannot. Such a key or member stands in a :class:`Boxed`.
- **Sets** lose their order, like Python's. ``Error`` keeps name, message and cause.
- **Patterns.** The flags i, m and s have a counterpart; verbose patterns and those with Python-only
  syntax are refused. ``\\w`` and ``\\d`` are ASCII-only in JavaScript.
- An Enum member is sent as its value.
- **Shared and circular references** between lists, dicts, sets, objects and errors survive with
  superjson. Tuples and frozensets are values: each occurrence is its own.
"""

from __future__ import annotations

import datetime as dt
from array import array
from dataclasses import dataclass
from typing import Any, Final, final

__all__ = [
    "MAX_SAFE_INTEGER",
    "URL",
    "BigInt",
    "Boxed",
    "Date",
    "Map",
    "RegExp",
    "Uint8ClampedArray",
    "Undefined",
    "parse_date",
    "undefined",
]

MAX_SAFE_INTEGER: Final = 2**53 - 1
"""The largest integer that every JavaScript number up to it represents exactly."""


@final
class Undefined:
    """The type of :data:`undefined`, which is its only instance."""

    __slots__ = ()
    _instance: Undefined | None = None

    def __new__(cls) -> Undefined:
        if cls._instance is None:
            cls._instance = super().__new__(cls)
        return cls._instance

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return "undefined"

    def __reduce__(self) -> str:
        return "undefined"  # copy and pickle look up this name here, which gives the same object


undefined: Final = Undefined()
"""JavaScript's ``undefined``, where it must be told from ``null`` (None)."""


class BigInt(int):
    """An int that is a bigint in JavaScript, however small: ``BigInt(10)`` is ``10n``."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"BigInt({int(self)})"

    __str__ = int.__repr__


class Map(dict[Any, Any]):
    """A dict that is a Map in JavaScript also where its keys are all text."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"Map({super().__repr__()})"


class Boxed:
    """A Map's key or a Set's member that a Python dict or set cannot hold; see ``value``.

    Hashed and compared by identity, as JavaScript does with objects.
    """

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __repr__(self) -> str:
        return f"Boxed({self.value!r})"


class Date(str):
    """A JavaScript Date that ``datetime`` cannot hold, as its ISO text.

    Examples: ``Date("+010000-01-01T00:00:00.000Z")`` and ``Date("Invalid Date")``.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return f"Date({super().__repr__()})"


class URL(str):
    """An absolute URL, which is a URL object in JavaScript."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"URL({super().__repr__()})"


class Uint8ClampedArray(bytes):
    """Bytes that are a Uint8ClampedArray in JavaScript, usually pixels."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"Uint8ClampedArray({super().__repr__()})"


@dataclass(frozen=True, slots=True)
class RegExp:
    """A JavaScript regular expression, in JavaScript's syntax.

    Attributes:
        source: the pattern, without the slashes around it.
        flags: letters of ``dgimsuvy``.
    """

    source: str
    flags: str = ""

    def __str__(self) -> str:
        return f"/{self.source}/{self.flags}"


def parse_date(text: str) -> dt.datetime | Date:
    """The date in an ISO text; without a time zone it is UTC."""
    try:
        moment = dt.datetime.fromisoformat(text)
        if moment.tzinfo is None:
            return moment.replace(tzinfo=dt.UTC)
        return moment.astimezone(dt.UTC)
    except (ValueError, OverflowError):
        return Date(text)


def typecode(name: str) -> str | None:
    """The ``array`` typecode of a JavaScript typed array's name, or None."""
    return _TYPECODES.get(name)


def typed_array_name(code: str) -> str | None:
    """The JavaScript typed array for an ``array`` typecode (or memoryview format), or None."""
    return _NAMES.get(code)


# "l" is as wide as "i" on some platforms, and has no counterpart on others.
_NAMES: Final = {
    code: f"{prefix}{8 * array(code).itemsize}Array"
    for code, prefix in {
        **dict.fromkeys("bhil", "Int"),
        **dict.fromkeys("BHIL", "Uint"),
        **dict.fromkeys("fd", "Float"),
    }.items()
    if array(code).itemsize <= (8 if prefix == "Float" else 4)
}
_TYPECODES: Final = {name: code for code, name in reversed(_NAMES.items())}
