"""What a Vovk server offers: segments, their controllers, their handlers.

One model for ``vovk-metadata.json`` (0.1 to 2.x), ``.vovk-schema`` (3.x) and the answer of
``_schema_``; :mod:`~kkjupyter.wire.vovk.schema.reading` reads them into it, and
:mod:`~kkjupyter.wire.vovk.schema.writing` writes them. Paths are data: ``auto()`` changed its rule
twice, so a client takes paths from the schema and never computes one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, Literal

from kkjupyter.plaintext import plain

__all__ = [
    "PARTS",
    "ROOT_ENTRY",
    "Controller",
    "Handler",
    "JsonSchema",
    "Part",
    "Schema",
    "Segment",
    "WireFormat",
    "split_path",
]

WireFormat = Literal["jsonlines", "divider"]
"""How a server streams: ``jsonlines`` is Vovk 3.x, ``divider`` all before it."""

Part = Literal["body", "query", "params", "output", "iteration"]
PARTS: Final[tuple[Part, ...]] = ("body", "query", "params", "output", "iteration")
"""What a handler may have a JSON Schema for, in the order the real servers write them."""

JsonSchema = Mapping[str, Any]

ROOT_ENTRY: Final = "api"
"""The path of the API where a schema does not name one."""

# 3.x writes {id}, also as a part of a path segment; before, a whole path segment was :id.
_PARAMETER = re.compile(r"\{(\w+)\}|(?:(?<=/)|^):(\w+)(?=/|$)")


@dataclass(frozen=True)
class Handler:
    """One method that can be called.

    Attributes:
        name: as in the schema (``"streamTokens"``).
        http_method: upper case.
        path: as in the schema (``"items/{id}"``, ``"items/:id"``), below ``prefix``.
        controller: the controller's name in the schema.
        prefix: the controller's path; may be empty, and may have parameters, too.
        segment: the segment's name; empty for the root segment.
        force_api_root: the root of the segment's handlers instead of the usual one, or None.
        wire_format: the server's format.
        validation: the JSON Schemas, by part.
        operation: the OpenAPI operation object: ``summary``, ``description`` and more.
        misc: other data that the server's author attached.
    """

    name: str
    http_method: str
    path: str
    controller: str = ""
    prefix: str = ""
    segment: str = ""
    force_api_root: str | None = None
    wire_format: WireFormat = "jsonlines"
    validation: Mapping[Part, JsonSchema] = field(default_factory=dict)
    operation: Mapping[str, Any] = field(default_factory=dict)
    misc: Mapping[str, Any] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """Its name in errors: ``"HelloRPC.streamTokens"``."""
        return plain(f"{self.controller}.{self.name}" if self.controller else self.name)

    @property
    def route(self) -> str:
        """Prefix and path, without slashes at either end."""
        return "/".join(part for part in (self.prefix.strip("/"), self.path.strip("/")) if part)

    @cached_property
    def param_names(self) -> tuple[str, ...]:
        """The names of the path parameters, each once, in the order of the path."""
        return tuple(dict.fromkeys(name for _, name in split_path(self.route) if name))

    @property
    def streams(self) -> bool:
        """Whether the schema says that it streams; even if not, it may."""
        return "iteration" in self.validation

    @property
    def content_types(self) -> tuple[str, ...]:
        """The body's media types, in lower case; if empty, the body is JSON."""
        declared = self.validation.get("body", {}).get("x-contentType", ())
        types = [declared] if isinstance(declared, str) else declared
        return tuple(name.lower() for name in types if isinstance(name, str))

    @property
    def summary(self) -> str:
        """What it does, in a line; may be empty."""
        return _text(self.operation.get("summary"))

    @property
    def description(self) -> str:
        """What it does, at length; may be empty."""
        return _text(self.operation.get("description"))


@dataclass(frozen=True)
class Controller:
    """A group of handlers.

    Attributes:
        name: its key in the schema (``"HelloRPC"``), which is its name in clients.
        handlers: by name.
        original_name: the class on the server (``"HelloController"``); may be empty.
        prefix: the path of all its handlers; may be empty.
    """

    name: str
    handlers: Mapping[str, Handler]
    original_name: str = ""
    prefix: str = ""


@dataclass(frozen=True)
class Segment:
    """A part of an API with a schema of its own.

    Attributes:
        name: its path below the API's root; empty for the root segment.
        controllers: by name.
        type: ``"segment"``, or ``"mixin"`` for what is not the server's own.
        force_api_root: the root of its handlers instead of the usual one, or None.
        emits_schema: whether its server offers its schema.
    """

    name: str = ""
    controllers: Mapping[str, Controller] = field(default_factory=dict)
    type: str = "segment"
    force_api_root: str | None = None
    emits_schema: bool = True


@dataclass(frozen=True)
class Schema:
    """Everything that is known about a server.

    Attributes:
        segments: by name.
        wire_format: the server's format.
        root_entry: the path of the API on its server, without slashes at either end.
    """

    segments: Mapping[str, Segment]
    wire_format: WireFormat = "jsonlines"
    root_entry: str = ROOT_ENTRY


def split_path(route: str) -> list[tuple[str, str]]:
    """A route as pairs of literal text and the name of the parameter after it.

    ``"items/{id}/edit"`` gives ``[("items/", "id"), ("/edit", "")]``.
    """
    parts: list[tuple[str, str]] = []
    at = 0
    for match in _PARAMETER.finditer(route):
        parts.append((route[at : match.start()], match[1] or match[2]))
        at = match.end()
    parts.append((route[at:], ""))
    return parts


def _text(value: Any) -> str:
    return plain(value).strip() if isinstance(value, str) else ""
