"""Loads schemas from a dict, a file or a folder; the session loads those at addresses."""

from __future__ import annotations

import json
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from kkjupyter.errors import UsageError
from kkjupyter.wire.vovk.schema.model import Schema, Segment
from kkjupyter.wire.vovk.schema.reading import read_controller, read_files, read_schema

__all__ = ["SchemaSource", "is_address", "load_schema", "parse_json", "schema_of_controller"]

SchemaSource = str | PathLike[str] | Mapping[str, Any] | Schema
"""What ``schema=`` takes."""

_EXPECTED = "a .vovk-schema folder, a vovk-metadata.json, the address of either, or its parsed JSON"


def is_address(source: object) -> bool:
    """Whether it has to be fetched over HTTP."""
    return isinstance(source, str) and source.partition("://")[0].lower() in ("http", "https")


def load_schema(source: SchemaSource) -> Schema:
    """Load a schema without a connection.

    Args:
        source: see :data:`SchemaSource`; not an address.

    Raises:
        UsageError: it is not a schema; the text says what is wrong, and where.
    """
    if isinstance(source, Schema):
        return source
    if isinstance(source, Mapping):
        return read_schema(dict(source))
    if not isinstance(source, str | PathLike):
        raise UsageError(f"schema must be {_EXPECTED}; it is {type(source).__name__}")
    path = Path(source).expanduser()
    try:
        if path.is_dir():
            return _load_folder(path)
        return read_schema(parse_json(path.read_bytes(), path.name), path.name)
    except OSError as exc:
        reason = exc.strerror or type(exc).__name__
        raise UsageError(f"schema: {path}: {reason} (it takes {_EXPECTED})") from exc


def parse_json(data: bytes, source: str) -> Any:
    """The JSON of a schema file.

    Raises:
        UsageError: it is not JSON; the text says where.
    """
    try:
        return json.loads(data)
    except ValueError as exc:  # also for bytes that are not UTF-8
        raise UsageError(f"schema: {source} is not JSON: {exc}") from exc
    except RecursionError as exc:
        raise UsageError(f"schema: {source} is nested too deeply") from exc


def schema_of_controller(controller: Mapping[str, Any]) -> tuple[Schema, str]:
    """A schema of one controller, ``metadata["HelloController"]``, and its name there.

    Raises:
        UsageError: it is not a controller.
    """
    if not isinstance(controller, Mapping):
        raise UsageError(
            "clientize takes the JSON of one controller, metadata['HelloController'], "
            f"not {type(controller).__name__}"
        )
    read = read_controller(dict(controller))
    name = read.name or "controller"
    formats = [handler.wire_format for handler in read.handlers.values()]
    segment = Segment(controllers={name: read})
    return Schema({"": segment}, formats[0] if formats else "divider"), name


def _load_folder(folder: Path) -> Schema:
    files = {
        path.relative_to(folder).as_posix(): parse_json(path.read_bytes(), str(path))
        for path in sorted(folder.rglob("*.json"))
    }
    if not files:
        raise UsageError(f"schema: no JSON files in {folder} (it takes {_EXPECTED})")
    if len(files) == 1:
        [(name, parsed)] = files.items()
        return read_schema(parsed, name)
    return read_files(files)
