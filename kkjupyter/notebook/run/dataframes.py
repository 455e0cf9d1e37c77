"""A reply's items as a data frame of the installed library."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Sequence
from typing import Any

from kkjupyter.errors import UsageError, did_you_mean
from kkjupyter.notebook.views.table.rows import record_of
from kkjupyter.wire.values.javascript import undefined

__all__ = ["dataframe_of"]


def dataframe_of(items: Sequence[Any], library: str | None = None) -> Any:
    """A row for each item, a column for each name.

    Args:
        items: mappings, dataclasses, named tuples, objects of pydantic, msgspec or attrs; lists and
            tuples, whose columns are numbered; any other value goes into a column ``value``.
        library: ``"pandas"`` or ``"polars"``; by default the first of them that is installed.

    Raises:
        UsageError: it is not installed, or there is no such library.
    """
    if library is None:
        library = next((name for name in _MAKERS if importlib.util.find_spec(name)), None)
        if library is None:
            raise UsageError("a data frame needs pandas or polars: %pip install pandas")
    elif library not in _MAKERS:
        raise UsageError(
            f"unknown data frame library {library!r}{did_you_mean(library, list(_MAKERS))} "
            f"(libraries: {', '.join(_MAKERS)})"
        )
    try:
        module = importlib.import_module(library)
    except ImportError as exc:
        raise UsageError(f"{library} cannot be imported ({exc}): %pip install {library}") from exc
    return _MAKERS[library](module, [_without_undefined(record_of(item)) for item in items])


def _without_undefined(record: dict[Any, Any]) -> dict[Any, Any]:
    if any(value is undefined for value in record.values()):
        return {key: value for key, value in record.items() if value is not undefined}
    return record


def _pandas(module: Any, records: list[dict[Any, Any]]) -> Any:
    return module.DataFrame(records)


def _polars(module: Any, records: list[dict[Any, Any]]) -> Any:
    named = [{str(key): value for key, value in record.items()} for record in records]
    # Columns and types are made from all rows; a column with different types becomes text.
    return module.DataFrame(named, infer_schema_length=None, strict=False)


_MAKERS: dict[str, Callable[[Any, list[dict[Any, Any]]], Any]] = {
    "pandas": _pandas,
    "polars": _polars,
}
