"""The routes of controllers: their schema, and the handler for each path."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import unquote

import msgspec

from kkjupyter.errors import UsageError
from kkjupyter.vovk.server.controller import AutoRule, Controller, Route, routes_of
from kkjupyter.vovk.server.signatures import HandlerCall
from kkjupyter.wire.vovk.schema import model
from kkjupyter.wire.vovk.schema.model import (
    PARTS,
    ROOT_ENTRY,
    JsonSchema,
    Schema,
    Segment,
    WireFormat,
    split_path,
)
from kkjupyter.wire.vovk.schema.names import camel_case
from kkjupyter.wire.vovk.schema.writing import auto_path, auto_path_before_3

__all__ = ["Controllers", "Published", "Router"]

Controllers = Iterable[Controller | type[Controller]] | Mapping[str, Controller | type[Controller]]
"""Classes, of which an instance is made, or instances; a mapping says what they are called."""

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_REF = "#/$defs/"
# Between decoded path segments, where a slash may be part of one.
_PART = "\0"


@dataclasses.dataclass(frozen=True, slots=True)
class Published:
    """One handler.

    Attributes:
        handler: its entry in the schema.
        function: the function to call.
        call: how to call it.
    """

    handler: model.Handler
    function: Callable[..., Any]
    call: HandlerCall


class Router:
    """Everything that a server offers.

    Args:
        controllers: see :data:`Controllers`.
        wire_format: the format of its streams.
        root_entry: the path of the API, for the schema.

    Attributes:
        schema: the schema for clients.
        handlers: the handlers by name.

    Raises:
        UsageError: a controller is not valid, or two handlers have the same name or path.
    """

    def __init__(
        self,
        controllers: Controllers,
        *,
        wire_format: WireFormat = "jsonlines",
        root_entry: str = ROOT_ENTRY,
    ) -> None:
        self.wire_format = wire_format
        self.handlers: list[Published] = []
        published: dict[str, model.Controller] = {}
        for name, controller in _named(controllers):
            if name in published:
                raise UsageError(f"two controllers have the name {name!r}; name= in the class line")
            published[name] = self._publish(name, controller)
        segment = Segment(controllers=published)
        self.schema = Schema({"": segment}, wire_format, root_entry)
        self._routes = sorted(map(_Pattern, self.handlers), key=lambda one: one.rank)
        self._refuse_doubles()

    @property
    def segment(self) -> Segment:
        """The only segment, the root's."""
        return self.schema.segments[""]

    def find(self, http_method: str, raw_path: str) -> tuple[Published, dict[str, str]] | None:
        """The handler for a path, and its path parameters; None if there is no handler.

        Literal text in a path takes precedence over a parameter. A parameter may hold an encoded
        slash.

        Args:
            http_method: upper case.
            raw_path: below the API's root, without a slash at its beginning, still encoded.
        """
        path = _PART.join(unquote(part).replace(_PART, "") for part in raw_path.split("/"))
        for route in self._routes:
            if route.http_method == http_method and (found := route.pattern.fullmatch(path)):
                return route.published, dict(zip(route.names, found.groups(), strict=True))
        return None

    def _publish(self, name: str, controller: Controller) -> model.Controller:
        handlers: dict[str, model.Handler] = {}
        for attribute, route in routes_of(type(controller)).items():
            published = self._publish_handler(name, controller, attribute, route)
            handler = published.handler
            if handler.name in handlers:
                raise UsageError(f"two methods of {name} are published as {handler.name!r}")
            handlers[handler.name] = handler
            self.handlers.append(published)
        return model.Controller(name, handlers, type(controller).__name__, controller.prefix)

    def _publish_handler(
        self, controller_name: str, controller: Controller, attribute: str, route: Route
    ) -> Published:
        as_is = type(controller)._names == "as_is"
        name = route.name or (attribute if as_is else camel_case(attribute))
        function = getattr(controller, attribute)
        handler = model.Handler(
            name,
            route.http_method,
            route.path or "",
            controller_name,
            controller.prefix,
            wire_format=self.wire_format,
            operation=_describe(function, route),
        )
        call = HandlerCall(function, handler.title, handler.param_names)
        validation = {
            part: schema
            for part in PARTS
            if part in call.hints and (schema := _json_schema(call.hints[part])) is not None
        }
        handler = dataclasses.replace(handler, validation=validation)
        if route.path is None:
            handler = dataclasses.replace(
                handler, path=_auto_path(handler, route.rule or controller._rule)
            )
        return Published(handler, function, call)

    def _refuse_doubles(self) -> None:
        taken: dict[tuple[str, str], model.Handler] = {}
        for route in self._routes:
            handler = route.published.handler
            other = taken.setdefault((handler.http_method, route.pattern.pattern), handler)
            if other is not handler:
                raise UsageError(
                    f"{other.title} and {handler.title} are both at "
                    f"{handler.http_method} {handler.route}; give one of them a path or a prefix"
                )


class _Pattern:
    """The paths that one handler answers."""

    def __init__(self, published: Published) -> None:
        handler = published.handler
        self.published = published
        self.http_method = handler.http_method
        parts = split_path(handler.route)
        self.names = [name for _, name in parts if name]
        self.pattern = re.compile(
            "".join(
                re.escape(text.replace("/", _PART)) + (f"([^{_PART}]+)" if name else "")
                for text, name in parts
            )
        )
        # Text first, then text with a parameter in it, then parameters.
        self.rank = [
            0 if not any(name for _, name in split) else 1 if any(text for text, _ in split) else 2
            for split in map(split_path, handler.route.split("/"))
        ]


def _named(controllers: Controllers) -> list[tuple[str, Controller]]:
    if isinstance(controllers, type | Controller | str):
        raise UsageError("controllers takes a list, even for one controller: [HelloController]")
    if isinstance(controllers, Mapping):
        return [(str(name), _instance(one)) for name, one in controllers.items()]
    instances = [_instance(one) for one in controllers]
    return [(one.controller_name, one) for one in instances]


def _instance(controller: Any) -> Controller:
    kind = controller if isinstance(controller, type) else type(controller)
    if not issubclass(kind, Controller):
        raise UsageError(
            f"{kind.__name__} is not a vovk.Controller; derive it from vovk.Controller"
        )
    if not isinstance(controller, type):
        made: Controller = controller
    else:
        try:
            made = controller()
        except TypeError as exc:
            raise UsageError(f"{kind.__name__}() fails ({exc}); give an instance instead") from exc
    for attribute in ("controller_name", "prefix"):
        if not isinstance(getattr(made, attribute), str):
            raise UsageError(f"{kind.__name__}.{attribute} is a setting and must be text")
    if not routes_of(kind):
        raise UsageError(
            f"{kind.__name__} has no published methods; decorate one: @vovk.get.auto()"
        )
    return made


def _auto_path(handler: model.Handler, rule: AutoRule) -> str:
    if rule == "0.1":
        return auto_path_before_3(handler.controller, handler.name)
    params = handler.validation.get("params", {}).get("properties", {})
    return auto_path(handler.name, list(params))


def _json_schema(hint: Any) -> JsonSchema | None:
    """``hint`` as JSON Schema; None if that cannot say it, or says nothing."""
    try:
        schema = msgspec.json.schema(hint)
    except Exception:  # noqa: BLE001  a hint can be anything; what clients are not told they send
        return None
    schema = _without_outer_ref(schema)
    return {"$schema": _DIALECT, **schema} if schema else None


def _describe(function: Callable[..., Any], route: Route) -> Mapping[str, Any]:
    """Summary and description, from the decorator or else the docstring."""
    first, _, rest = (inspect.getdoc(function) or "").partition("\n")
    summary = first.strip() if route.summary is None else route.summary
    description = rest.strip() if route.description is None else route.description
    told = {"summary": summary, "description": description}
    return {key: text for key, text in told.items() if text}


def _without_outer_ref(schema: dict[str, Any]) -> dict[str, Any]:
    """The definition itself where there was only a reference to it; else readers look twice."""
    ref = schema.get("$ref", "")
    definitions = dict(schema.get("$defs", {}))
    outer = definitions.pop(ref.removeprefix(_REF), None)
    if outer is None or f'"{ref}"'.encode() in msgspec.json.encode([outer, definitions]):
        return schema
    return {**outer, "$defs": definitions} if definitions else dict(outer)
