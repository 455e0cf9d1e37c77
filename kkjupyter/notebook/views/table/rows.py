"""Turns items into rows: their values by name."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from kkjupyter.notebook.views.foreign import is_a, parts_of, type_name

__all__ = ["Unreadable", "named_values", "record_of"]

_VALUE = "value"
_UNSET = object()
# A user's own mapping may be endless.
_MOST_NAMES = 1_000_000


def named_values(item: Any) -> Mapping[Any, Any] | None:
    """The values of ``item`` by name, or None if they have no names.

    Rows are mappings, dataclasses, named tuples, and objects of pydantic, msgspec and attrs. A
    field that is not set is left out. Never raises: an item that cannot be read has no names, and a
    field that cannot be read is replaced by the reason.
    """
    kind = type(item)
    if kind is dict:
        return item  # type: ignore[no-any-return]
    try:
        if isinstance(item, Mapping):
            return dict(parts_of(item, _MOST_NAMES, is_mapping=True))
        names = _field_names(kind)
    except Exception:  # noqa: BLE001 - the item's own code
        return None
    if names is None:
        return None
    values = {name: _field(item, name) for name in names}
    return {name: value for name, value in values.items() if value is not _UNSET}


def record_of(item: Any) -> dict[Any, Any]:
    """Any item as a row: values without names are numbered, a single one is called ``value``."""
    values = named_values(item)
    if values is not None:
        return dict(values)
    if is_a(item, (list, tuple)):
        try:
            return dict(enumerate(item))
        except Exception:  # noqa: BLE001 - the item's own code
            return {_VALUE: item}
    return {_VALUE: item}


def _field(item: Any, name: str) -> Any:
    try:
        return getattr(item, name)
    except AttributeError:
        return _UNSET
    except Exception as exc:  # noqa: BLE001 - the item's own code
        return Unreadable(type_name(exc))


class Unreadable:
    """Replaces the value of a field that cannot be read.

    Args:
        error: the name of the error that reading it raised.
    """

    def __init__(self, error: str) -> None:
        self._error = error

    def __repr__(self) -> str:
        return f"<reading it raised {self._error}>"


@lru_cache(maxsize=256)
def _names_of(kind: type[Any]) -> tuple[str, ...] | None:
    if dataclasses.is_dataclass(kind):
        return tuple([field.name for field in dataclasses.fields(kind)])
    if issubclass(kind, tuple):
        names = getattr(kind, "_fields", None)
        return names if isinstance(names, tuple) else None
    structure = getattr(kind, "__struct_fields__", None)  # msgspec
    if isinstance(structure, tuple):
        return structure
    attributes = getattr(kind, "__attrs_attrs__", None)
    if isinstance(attributes, tuple):
        return tuple([attribute.name for attribute in attributes])
    fields = getattr(kind, "__pydantic_fields__", None)
    return tuple(fields) if isinstance(fields, Mapping) else None


def _field_names(kind: type[Any]) -> tuple[str, ...] | None:
    try:
        return _names_of(kind)  # type: ignore[arg-type]  # most classes can be hashed
    except TypeError:  # an unhashable class
        return _names_of.__wrapped__(kind)
