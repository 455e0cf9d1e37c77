"""Items as rows: their names, and their values by name."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

__all__ = ["named_values", "record_of"]

_VALUE = "value"


def named_values(item: Any) -> Mapping[Any, Any] | None:
    """The values of ``item`` by name, or None if they have no names.

    Rows are mappings, dataclasses, named tuples, and objects of pydantic, msgspec and attrs. A
    field that is not set is left out.
    """
    if isinstance(item, Mapping):
        return item
    names = _field_names(type(item))  # type: ignore[arg-type]  # classes can be hashed
    if names is None:
        return None
    return {name: getattr(item, name) for name in names if hasattr(item, name)}


def record_of(item: Any) -> dict[Any, Any]:
    """Any item as a row: values without names are numbered, a single one is called ``value``."""
    values = named_values(item)
    if values is not None:
        return dict(values)
    return dict(enumerate(item)) if isinstance(item, (list, tuple)) else {_VALUE: item}


@lru_cache(maxsize=256)
def _field_names(kind: type[Any]) -> tuple[str, ...] | None:
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
