"""Reads the JSON of every kind of schema that Vovk has written into one model.

Shapes, as seen: 0.1 has ``{controller: {"controllerName", "_prefix", "_handlers"}}``; from 0.2.3
to 2.x the name is ``_controllerName``; in both the key ``workers`` is not a controller. 3.x has a
file for each segment and ``_meta.json`` beside them, all of them joined under ``segments`` in
generated clients, and a segment under ``schema`` in the answer of ``_schema_``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from kkjupyter.errors import UsageError
from kkjupyter.wire.vovk.schema.model import (
    PARTS,
    ROOT_ENTRY,
    Controller,
    Handler,
    JsonSchema,
    Part,
    Schema,
    Segment,
    WireFormat,
)

__all__ = ["META_FILE", "read_controller", "read_files", "read_schema"]

META_FILE: Final = "_meta.json"
_HTTP_METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"})
_EXPECTED = "a vovk-metadata.json, a .vovk-schema folder or a file of it"


def read_schema(json: Any, source: str = "schema") -> Schema:
    """The schema in one JSON value, in any of the shapes.

    Args:
        json: a parsed file, or the answer of ``_schema_``.
        source: its name in errors, such as a file's name.

    Raises:
        UsageError: it is not a schema; the text has the path of the wrong part.
    """
    top = _Node(json, source)
    fields = top.object()
    if "segments" in fields:
        return _joined(top)
    if "schema" in fields and "controllers" not in fields:
        return _of_segments([_segment(top.child("schema"))])
    if "controllers" in fields:
        return _of_segments([_segment(top)])
    if "_handlers" in fields or "handlers" in fields:
        return _of_controllers([_controller(top, "", _Place())])
    if "openapi" in fields:
        raise top.fault(f"an OpenAPI document, not {_EXPECTED}")
    if "config" in fields:
        raise top.fault(f"no controllers in it: {META_FILE} needs the other files of its folder")
    return _metadata(top)


def read_files(files: Mapping[str, Any]) -> Schema:
    """The schema in the files of a ``.vovk-schema`` folder.

    Args:
        files: parsed, by their path inside the folder (``"_meta.json"``, ``"admin/users.json"``).

    Raises:
        UsageError: a file is not a schema, there is no segment, or two files have the same one.
    """
    root_entry = ROOT_ENTRY
    segments: list[Segment] = []
    sources: dict[str, str] = {}
    for name, json in files.items():
        node = _Node(json, name)
        if name.rpartition("/")[2] == META_FILE:
            root_entry = _root_entry(node)
            continue
        if "controllers" not in node.object():
            raise node.fault("no segment: it has no controllers")
        segment = _segment(node)
        if segment.name in sources:
            raise node.fault(f"the segment {segment.name!r} is in {sources[segment.name]}, too")
        sources[segment.name] = name
        segments.append(segment)
    if not segments:
        raise UsageError(f"no segment among the files of the schema; it takes {_EXPECTED}")
    return _of_segments(segments, root_entry)


def read_controller(json: Any, source: str = "controller", name: str = "") -> Controller:
    """One controller of a schema: ``metadata["HelloController"]``.

    Args:
        json: its JSON.
        source: its name in errors.
        name: its key in the schema; by default its own name.

    Raises:
        UsageError: it is not a controller; the text has the path of the wrong part.
    """
    return _controller(_Node(json, source), name, _Place())


class _Node:
    """A JSON value and its path."""

    def __init__(self, json: Any, source: str, path: str = "") -> None:
        self.json = json
        self.source = source
        self.path = path

    def fault(self, what: str) -> UsageError:
        where = f"{self.source}: {self.path}" if self.path else self.source
        return UsageError(f"{where}: {what}")

    def child(self, key: str) -> _Node:
        return _Node(self.json.get(key), self.source, f"{self.path}.{key}" if self.path else key)

    def first(self, *keys: str) -> _Node:
        """The value under the first of several alternative names that is present, or else the
        first.
        """
        return self.child(next((key for key in keys if key in self.json), keys[0]))

    def items(self) -> Iterator[tuple[str, _Node]]:
        for key in self.object():
            yield key, self.child(key)

    def object(self) -> dict[str, Any]:
        if not isinstance(self.json, dict):
            raise self.fault(f"{_kind(self.json)}, but it must be an object")
        return self.json

    def optional_object(self) -> dict[str, Any]:
        return {} if self.json is None else self.object()

    def text(self) -> str:
        if not isinstance(self.json, str):
            raise self.fault(f"{_kind(self.json)}, but it must be text")
        return self.json

    def optional_text(self) -> str:
        return "" if self.json is None else self.text()


class _Place:
    """What a handler inherits from its controller and segment."""

    def __init__(
        self,
        wire_format: WireFormat = "divider",
        segment: str = "",
        force_api_root: str | None = None,
    ) -> None:
        self.wire_format: WireFormat = wire_format
        self.segment = segment
        self.force_api_root = force_api_root


def _joined(top: _Node) -> Schema:
    root_entry = _root_entry(top.child("meta")) if "meta" in top.json else ROOT_ENTRY
    segments = [_segment(node, key) for key, node in top.child("segments").items()]
    return _of_segments(segments, root_entry)


def _of_segments(segments: list[Segment], root_entry: str = ROOT_ENTRY) -> Schema:
    return Schema({segment.name: segment for segment in segments}, "jsonlines", root_entry)


def _of_controllers(controllers: list[Controller]) -> Schema:
    formats = [handler.wire_format for one in controllers for handler in one.handlers.values()]
    segment = Segment(controllers={controller.name: controller for controller in controllers})
    return Schema({"": segment}, formats[0] if formats else "divider")


def _root_entry(meta: _Node) -> str:
    config = meta.child("config") if meta.optional_object() else meta
    if not config.optional_object():
        return ROOT_ENTRY
    return config.child("rootEntry").optional_text().strip("/") or ROOT_ENTRY


def _segment(node: _Node, key: str = "") -> Segment:
    node.object()
    name = (node.child("segmentName").optional_text() or key).strip("/")
    force_api_root = node.child("forceApiRoot").optional_text() or None
    place = _Place("jsonlines", name, force_api_root)
    controllers = node.child("controllers")
    controllers.optional_object()  # a segment that does not emit its schema has no controllers
    return Segment(
        name,
        {
            key: _controller(child, key, place)
            for key, child in (controllers.items() if controllers.json else ())
        },
        node.child("segmentType").optional_text() or "segment",
        force_api_root,
        node.json.get("emitSchema") is not False,
    )


def _metadata(top: _Node) -> Schema:
    controllers: list[Controller] = []
    for key, node in top.items():
        if key == "workers":
            continue
        if not isinstance(node.json, dict) or "_handlers" not in node.json:
            raise node.fault(f"no controller: it has no _handlers; this takes {_EXPECTED}")
        controllers.append(_controller(node, key, _Place()))
    if not controllers:
        raise top.fault(f"no controllers in it; this takes {_EXPECTED}")
    return _of_controllers(controllers)


def _controller(node: _Node, key: str, place: _Place) -> Controller:
    fields = node.object()
    handlers = node.first("_handlers", "handlers")
    if handlers.json is None:
        raise node.fault("no controller: it has neither handlers nor _handlers")
    if "handlers" in fields:
        place = _Place("jsonlines", place.segment, place.force_api_root)
    names = ("rpcModuleName", "controllerName", "_controllerName")
    name = key or node.first(*names).optional_text()
    prefix = node.first("_prefix", "prefix").optional_text().strip("/")
    original = node.first("originalControllerName", "controllerName", "_controllerName")
    pattern = Handler(
        "",
        "",
        "",
        controller=name,
        prefix=prefix,
        segment=place.segment,
        force_api_root=place.force_api_root,
        wire_format=place.wire_format,
    )
    return Controller(
        name,
        {key: _handler(child, key, pattern) for key, child in handlers.items()},
        original.optional_text(),
        prefix,
    )


def _handler(node: _Node, name: str, pattern: Handler) -> Handler:
    node.object()
    method = node.child("httpMethod")
    http_method = method.text().upper()
    if http_method not in _HTTP_METHODS:
        raise method.fault(f"{http_method!r} is not an HTTP method")
    return replace(
        pattern,
        name=name,
        http_method=http_method,
        path=node.child("path").text(),
        validation=_validation(node),
        operation=node.child("operationObject").optional_object(),
        misc=node.first("misc", "customMetadata").optional_object(),
    )


def _validation(node: _Node) -> dict[Part, JsonSchema]:
    """The JSON Schemas of a handler.

    clientValidators hold anything that the server's author put there: only an object is a schema.
    """
    found: dict[Part, JsonSchema] = {}
    is_free = "clientValidators" in node.json and "validation" not in node.json
    parts = node.first("validation", "clientValidators")
    if is_free and not isinstance(parts.json, dict):
        return found
    for part in PARTS if parts.optional_object() else ():
        schema = parts.child(part)
        if not is_free:
            schema.optional_object()
        if isinstance(schema.json, dict):
            found[part] = schema.json
    return found


def _kind(json: Any) -> str:
    if json is None:
        return "missing or null"
    names = {dict: "an object", list: "a list", str: "text", bool: "a boolean"}
    return names.get(type(json), "a number")
