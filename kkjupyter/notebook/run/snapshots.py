"""Copies items, so that later changes by their owner do not matter.

A generator may yield the same dict again and again with different contents; a view shows it, and a
Reply keeps it, long after the generator has gone on. So mutable items are copied in time.

These are copied, with their contents: dicts, lists, sets, deques, arrays of bytes and numbers, data
frames, figures of matplotlib and images of Pillow, and objects made of attributes (dataclasses,
models, namespaces, plain classes). Immutable objects are not copied, and neither are objects that
are not data: those of the standard library or of C, with a finalizer, or with a large part of a
program behind them.
"""

from __future__ import annotations

import array
import collections
import copyreg
import datetime
import decimal
import fractions
import functools
import io
import operator
import pickle
import sys
import types
import uuid
import weakref
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

__all__ = ["snapshot"]

_ROOM_PARTS = 200_000
_ROOM_OBJECTS = 10_000
_ROOM_BYTES = 64 << 20
_DEPTH = 100
_HEAP_TYPE = 1 << 9  # Py_TPFLAGS_HEAPTYPE

_FIXED = frozenset(
    {
        *{str, bytes, int, float, bool, complex, type(None), frozenset, range, type},
        *{datetime.datetime, datetime.date, datetime.time, datetime.timedelta},
        *{decimal.Decimal, fractions.Fraction, uuid.UUID, types.FunctionType},
    }
)
# Classes whose objects turned out not to be data; they are no longer copied.
_left_alone: weakref.WeakSet[type[Any]] = weakref.WeakSet()


def snapshot(item: Any) -> Any:
    """``item`` itself if nothing in it can change, else a copy. Never raises; any thread.

    A part that cannot be copied, or is too large for a view (an object with 10,000 others in it, 64
    MiB of arrays), is not copied.
    """
    kind = type(item)
    if kind in _FIXED:
        return item
    if kind is dict:
        twin = item.copy()
        if _FIXED.issuperset(map(type, twin.values())):
            return twin  # most rows are like that
    try:
        return _Copying().take(item)
    except Exception:  # noqa: BLE001 - a class of a foreign kind of class; as it is, then
        return item


class _TooLarge(Exception):
    """An object has too many others in it to be data."""


class _Copying:
    """The copying of one item."""

    def __init__(self) -> None:
        self.made: dict[int, Any] = {}
        """What was copied, by the id of the original: objects may hold each other in a circle."""
        self._room_parts = _ROOM_PARTS
        self._room_objects = _ROOM_OBJECTS
        self._room_bytes = _ROOM_BYTES
        self._depth = 0
        self._object_depth = 0

    def take(self, value: Any) -> Any:
        """A copy of ``value``, or itself."""
        kind = type(value)
        if kind in _FIXED:
            return value
        way = _way_of(kind)  # type: ignore[arg-type]  # classes can be hashed
        if way is None or self._depth >= _DEPTH or (way.is_object and kind in _left_alone):
            return value
        key = id(value)
        if key in self.made:
            return self.made[key]
        self._depth += 1
        self._object_depth += way.is_object
        try:
            if way.is_object:
                self._count_object()
            copied = way.copy(self, value)
        except _TooLarge:
            if not way.is_object or self._object_depth > 1:
                raise
            # Only the outermost one: the others may be data elsewhere.
            _left_alone.add(kind)
            copied = value
        except Exception:  # noqa: BLE001 - foreign code; the item is shown as it is
            if way.is_object:
                _left_alone.add(kind)
            copied = value
        finally:
            self._depth -= 1
            self._object_depth -= way.is_object
        self.made[key] = copied
        return copied

    def open_parts(self, parts: Iterable[Any], count: int) -> bool:
        """Whether one of the parts is mutable; no, once too many were checked."""
        self._room_parts -= count
        return self._room_parts >= 0 and not _FIXED.issuperset(map(type, parts))

    def has_room(self, size_bytes: int) -> bool:
        """Whether this many more bytes may be copied."""
        self._room_bytes -= size_bytes
        return self._room_bytes >= 0

    def _count_object(self) -> None:
        if self._object_depth == 1:
            self._room_objects = _ROOM_OBJECTS
        self._room_objects -= 1
        if self._room_objects < 0:
            raise _TooLarge


# ---- ways to copy; each gets the copying and the original


def _dict(copying: _Copying, value: Any) -> Any:
    twin = value.copy()
    copying.made[id(value)] = twin
    if copying.open_parts(twin.values(), len(twin)):
        for key, part in twin.items():
            if type(part) not in _FIXED:
                twin[key] = copying.take(part)
    return twin


def _list(copying: _Copying, value: Any) -> Any:
    twin = value.copy()
    copying.made[id(value)] = twin
    if copying.open_parts(twin, len(twin)):
        for at, part in enumerate(twin):
            if type(part) not in _FIXED:
                twin[at] = copying.take(part)
    return twin


def _tuple(copying: _Copying, value: Any) -> Any:
    if not copying.open_parts(tuple.__iter__(value), tuple.__len__(value)):
        return value
    parts = list(map(copying.take, tuple.__iter__(value)))
    if all(map(operator.is_, parts, tuple.__iter__(value))):
        return value
    return tuple.__new__(type(value), parts)


def _set(_: _Copying, value: Any) -> Any:
    return value.copy()  # members of a set do not change, or the set would lose them


def _buffer(copying: _Copying, value: Any) -> Any:
    return value[:] if copying.has_room(value.__sizeof__()) else value


def _memoryview(copying: _Copying, value: Any) -> Any:
    if (value.readonly and type(value.obj) is bytes) or not copying.has_room(value.nbytes):
        return value
    twin = memoryview(value.tobytes())
    if value.ndim == 1 and value.format == "B":
        return twin
    return twin.cast("B").cast(value.format, value.shape)


def _array(copying: _Copying, value: Any) -> Any:
    """Copy a numpy array or record; an array of objects with its objects."""
    flags = value.flags
    if flags.owndata and not flags.writeable:
        return value
    if not copying.has_room(value.nbytes):
        return value
    twin = value.copy()
    if twin.dtype.kind == "O" and twin.ndim and copying.open_parts((value,), twin.size):
        flat = twin.reshape(-1)
        for at in range(len(flat)):
            flat[at] = copying.take(flat[at])
    return twin


def _frame(copying: _Copying, value: Any) -> Any:
    """Copy a table or column of pandas or polars."""
    if hasattr(value, "estimated_size"):
        return value.clone()  # polars shares what it does not change
    return value.copy() if copying.has_room(8 * value.size) else value


def _figure(_: _Copying, value: Any) -> Any:
    """Copy a figure of matplotlib, which a loop may draw over; takes a tenth of drawing it."""
    file = io.BytesIO()
    _FigurePickler(file, pickle.HIGHEST_PROTOCOL).dump(value)
    return pickle.loads(file.getvalue())


class _FigurePickler(pickle.Pickler):
    """Copies a figure without its window, which pyplot would otherwise open again."""

    def reducer_override(self, obj: Any) -> Any:
        if not any(base.__module__ == "matplotlib.figure" for base in type(obj).__mro__):
            return NotImplemented
        state = {**obj.__getstate__(), "_restore_to_pylab": False}
        return copyreg.__newobj__, (type(obj),), state  # type: ignore[attr-defined]


def _image(copying: _Copying, value: Any) -> Any:
    """Copy an image of Pillow."""
    width, height = value.size
    return value.copy() if copying.has_room(4 * width * height) else value


def _read_only(copying: _Copying, value: Any) -> Any:
    """Copy a dict behind a proxy, which its owner may change."""
    return types.MappingProxyType(copying.take(value.copy()))


def _namespace(copying: _Copying, value: Any) -> Any:
    twin = types.SimpleNamespace.__new__(type(value))
    copying.made[id(value)] = twin
    twin.__dict__.update(copying.take(value.__dict__))
    return twin


def _object(copying: _Copying, value: Any) -> Any:
    twin = object.__new__(type(value))
    return twin if _copy_attributes(copying, value, twin) else value


def _struct(copying: _Copying, value: Any) -> Any:
    """Copy a msgspec object."""
    twin = value.__copy__()
    return twin if _copy_attributes(copying, value, twin) else value


def _dict_like(copying: _Copying, value: Any) -> Any:
    base: Any = collections.OrderedDict if isinstance(value, collections.OrderedDict) else dict
    twin = base.__new__(type(value))
    copying.made[id(value)] = twin
    for key, part in list(base.items(value)):
        base.__setitem__(twin, key, copying.take(part))
    _copy_attributes(copying, value, twin)
    return twin


def _list_like(copying: _Copying, value: Any) -> Any:
    twin = list.__new__(type(value))
    copying.made[id(value)] = twin
    list.extend(twin, map(copying.take, list.copy(value)))
    _copy_attributes(copying, value, twin)
    return twin


def _set_like(copying: _Copying, value: Any) -> Any:
    twin = set.__new__(type(value))
    set.update(twin, list(set.__iter__(value)))
    _copy_attributes(copying, value, twin)
    return twin


def _copy_attributes(copying: _Copying, value: Any, twin: Any) -> bool:
    """Give ``twin`` the attributes of ``value``; return whether one of them can change."""
    kind: Any = type(value)
    copying.made[id(value)] = twin
    can_change = False
    for member in _members_of(kind):
        try:
            part = member.__get__(value)
        except AttributeError:
            continue  # not set
        copied = copying.take(part)
        can_change = can_change or copied is not part or not _is_frozen(kind)
        member.__set__(twin, copied)
    attributes = _attributes_of(value)
    if attributes:
        copied = copying.take(attributes)
        can_change = can_change or not _is_frozen(kind)
        can_change = can_change or any(map(operator.is_not, copied.values(), attributes.values()))
        object.__setattr__(twin, "__dict__", copied)
    return can_change


# ---- how to copy each class


class _Way(NamedTuple):
    copy: Callable[[_Copying, Any], Any]
    is_object: bool


_WAYS: dict[type[Any], Callable[[_Copying, Any], Any]] = {
    dict: _dict,
    collections.OrderedDict: _dict,
    collections.defaultdict: _dict,
    collections.Counter: _dict,
    list: _list,
    collections.deque: _list,
    tuple: _tuple,
    set: _set,
    bytearray: _buffer,
    array.array: _buffer,
    memoryview: _memoryview,
    types.MappingProxyType: _read_only,
}
_LIKE: tuple[tuple[type[Any], Callable[[_Copying, Any], Any]], ...] = (
    (tuple, _tuple),
    (dict, _dict_like),
    (list, _list_like),
    (set, _set_like),
)
# From the standard library, only these are data, themselves or as bases.
_DATA_BASES = {
    *{object, types.SimpleNamespace},
    *{collections.UserDict, collections.UserList, collections.OrderedDict, collections.ChainMap},
    *{collections.defaultdict, collections.Counter},
    *{tuple, dict, list, set},
}
_DATA_MODULES = {"abc", "argparse", "collections.abc", "typing"}
# An object with one of these is a resource, or does something when it is deleted.
_RESOURCE_METHODS = ("__del__", "__enter__", "__aenter__", "__next__", "__anext__", "__await__")


@functools.lru_cache(maxsize=1024)
def _way_of(kind: type[Any]) -> _Way | None:
    if kind in _WAYS:
        return _Way(_WAYS[kind], False)
    if issubclass(kind, (type, BaseException)):
        return None
    names = {f"{base.__module__.partition('.')[0]}.{base.__qualname__}" for base in kind.__mro__}
    if not names.isdisjoint({"numpy.ndarray", "numpy.void"}):
        return _Way(_array, False)
    if not names.isdisjoint(
        {"pandas.DataFrame", "pandas.Series", "polars.DataFrame", "polars.Series"}
    ):
        return _Way(_frame, False)
    if "matplotlib.Figure" in names:
        return _Way(_figure, False)
    if "PIL.Image" in names:
        return _Way(_image, False)
    if not all(map(_is_data_base, kind.__mro__)):
        return None
    if any(_has(kind, name) for name in _RESOURCE_METHODS):
        return None
    if issubclass(kind, types.SimpleNamespace):
        return _Way(_namespace, True)
    if not kind.__flags__ & _HEAP_TYPE:
        return None
    if _has(kind, "__struct_fields__"):
        return _Way(_struct, True)
    found = next((way for base, way in _LIKE if issubclass(kind, base)), _object)
    return _Way(found, True)


def _has(kind: type[Any], name: str) -> bool:
    return any(name in vars(base) for base in kind.__mro__)


def _is_data_base(base: type[Any]) -> bool:
    if base in _DATA_BASES:
        return True
    root = base.__module__.partition(".")[0]
    if root == "kkjupyter":
        return False
    return base.__module__ in _DATA_MODULES or root not in sys.stdlib_module_names


@functools.lru_cache(maxsize=1024)
def _members_of(kind: type[Any]) -> tuple[types.MemberDescriptorType, ...]:
    """The slots of a class."""
    return tuple(
        member
        for base in kind.__mro__
        if base.__flags__ & _HEAP_TYPE or base is collections.defaultdict
        for member in vars(base).values()
        if isinstance(member, types.MemberDescriptorType)
    )


@functools.lru_cache(maxsize=1024)
def _is_frozen(kind: type[Any]) -> bool:
    parameters = getattr(kind, "__dataclass_params__", None) or getattr(
        kind, "__struct_config__", None
    )
    return bool(getattr(parameters, "frozen", False)) or issubclass(kind, tuple)


@functools.lru_cache(maxsize=1024)
def _dict_member(kind: type[Any]) -> Any:
    found = next(
        (vars(base)["__dict__"] for base in kind.__mro__ if "__dict__" in vars(base)), None
    )
    return found if isinstance(found, types.GetSetDescriptorType) else None


def _attributes_of(value: Any) -> dict[str, Any] | None:
    """The object's own ``__dict__``, without running its code."""
    member = _dict_member(type(value))  # type: ignore[arg-type]
    attributes = None if member is None else member.__get__(value)
    return attributes if isinstance(attributes, dict) else None
