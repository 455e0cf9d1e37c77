"""Writes a schema as the JSON that real Vovk clients read; the rules of ``auto()``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from kkjupyter.wire.vovk.schema.model import PARTS, Controller, Handler, Schema, Segment, split_path
from kkjupyter.wire.vovk.schema.reading import META_FILE

__all__ = [
    "auto_path",
    "auto_path_before_3",
    "write_answer",
    "write_files",
    "write_metadata",
    "write_schema",
    "write_segment",
]

_IDS = "https://vovk.dev/api/schema/v3/"


def auto_path(name: str, params: Sequence[str] = ()) -> str:
    """The path of ``.auto()`` in 3.x: ``streamTokens`` is at ``stream-tokens``.

    Args:
        name: the handler's, in camel case.
        params: the path parameters it declares; they follow, as ``/{name}``.
    """
    kebab = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "-", name).lower()
    return "/".join([kebab, *(f"{{{param}}}" for param in params)])


def auto_path_before_3(controller: str, name: str) -> str:
    """The path of ``.auto()`` in 0.1: ``hello-controller/stream-tokens``.

    Every capital begins a word there: ``getURL`` is at ``get-u-r-l``.
    """
    words = (re.sub(r"(?<!^)(?=[A-Z])", "-", word).lower() for word in (controller, name))
    return "/".join(words)


def write_segment(segment: Segment) -> dict[str, Any]:
    """A segment in the form of 3.x, in the order of the real files."""
    json: dict[str, Any] = {
        "$schema": f"{_IDS}segment.json",
        "emitSchema": segment.emits_schema,
        "segmentName": segment.name,
        "segmentType": segment.type,
    }
    if segment.force_api_root is not None:
        json["forceApiRoot"] = segment.force_api_root
    controllers = segment.controllers if segment.emits_schema else {}
    json["controllers"] = {name: _controller(one) for name, one in controllers.items()}
    return json


def write_answer(segment: Segment) -> dict[str, Any]:
    """The answer of 3.x to ``_schema_``."""
    return {"schema": write_segment(segment)}


def write_files(schema: Schema) -> dict[str, Any]:
    """A ``.vovk-schema`` folder: the JSON of each file, by its path inside the folder."""
    files: dict[str, Any] = {META_FILE: _meta(schema)}
    for name, segment in schema.segments.items():
        files[f"{name or 'root'}.json"] = write_segment(segment)
    return files


def write_schema(schema: Schema) -> dict[str, Any]:
    """A whole schema in one value, as generated clients have it and ``createRPC`` takes it."""
    return {
        "$schema": f"{_IDS}schema.json",
        "meta": _meta(schema),
        "segments": {name: write_segment(one) for name, one in schema.segments.items()},
    }


def write_metadata(schema: Schema) -> dict[str, Any]:
    """A ``vovk-metadata.json`` of 0.1, which ``clientizeController`` takes.

    It knows no segments: their names become a part of the prefix.
    """
    json: dict[str, Any] = {}
    for segment in schema.segments.values():
        for name, controller in segment.controllers.items():
            parts = (segment.name, controller.prefix)
            json[name] = {
                "controllerName": name,
                "_prefix": _before_3("/".join(part for part in parts if part)),
                "_handlers": {
                    key: _handler_before_3(handler) for key, handler in controller.handlers.items()
                },
            }
    return json


def _meta(schema: Schema) -> dict[str, Any]:
    return {
        "$schema": f"{_IDS}meta.json",
        "config": {
            "rootEntry": schema.root_entry,
            "libs": {},
            "$schema": f"{_IDS}config.json",
        },
    }


def _controller(controller: Controller) -> dict[str, Any]:
    return {
        "rpcModuleName": controller.name,
        "originalControllerName": controller.original_name or controller.name,
        "prefix": _as_3(controller.prefix),
        "handlers": {name: _handler(one) for name, one in controller.handlers.items()},
    }


def _handler(handler: Handler) -> dict[str, Any]:
    json: dict[str, Any] = {}
    if handler.validation:
        json["validation"] = {
            part: handler.validation[part] for part in PARTS if part in handler.validation
        }
    if handler.operation:
        json["operationObject"] = dict(handler.operation)
    if handler.misc:
        json["misc"] = dict(handler.misc)
    return json | {"path": _as_3(handler.path), "httpMethod": handler.http_method}


def _handler_before_3(handler: Handler) -> dict[str, Any]:
    json: dict[str, Any] = {}
    if "body" in handler.validation or "query" in handler.validation:
        json["clientValidators"] = {
            "body": handler.validation.get("body"),
            "query": handler.validation.get("query"),
        }
    return json | {"path": _before_3(handler.path), "httpMethod": handler.http_method}


def _as_3(route: str) -> str:
    return "".join(text + (f"{{{name}}}" if name else "") for text, name in split_path(route))


def _before_3(route: str) -> str:
    return "".join(text + (f":{name}" if name else "") for text, name in split_path(route))
