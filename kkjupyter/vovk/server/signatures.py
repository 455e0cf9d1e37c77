"""How to call a handler, from its signature; determined once, when it is published."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping
from typing import Any, Literal, TypedDict, get_args, get_origin

from kkjupyter.errors import UsageError
from kkjupyter.validation.checking import Check, check_for, union
from kkjupyter.validation.functions import resolved_hints
from kkjupyter.vovk.server.request import Request
from kkjupyter.vovk.server.validation import ItemCheck, check_input, check_media_type, check_output
from kkjupyter.wire.vovk.schema.model import Part, WireFormat

__all__ = ["HandlerCall"]

InputPart = Literal["body", "query", "params"]
_INPUTS: tuple[InputPart, ...] = ("body", "query", "params")


class HandlerCall:
    """Makes a handler's arguments from requests, and checks its input and output.

    The first parameter gets the request, the second, as in Vovk, the path parameters; ``body``,
    ``query`` and ``params`` get these parts, and a parameter with the name of a path parameter gets
    that one. A method may leave out what it does not need.

    Args:
        function: the handler, bound to its controller.
        title: its name in errors.
        param_names: the path parameters.

    Attributes:
        hints: its type hints for input and output, by part.

    Raises:
        UsageError: a parameter has no counterpart in a request.
    """

    def __init__(
        self, function: Callable[..., Any], title: str, param_names: Collection[str]
    ) -> None:
        self.hints: dict[Part, Any] = {}
        self._by_position: list[str] = []
        self._by_name: dict[str, str] = {}
        self._parameters: dict[str, str] = {}
        hints = resolved_hints(function)
        self._assign(inspect.signature(function), title, param_names)
        self._find_input_hints(hints, param_names)
        self._checks: dict[InputPart, Check] = {
            part: check
            for part in _INPUTS
            if part in self.hints
            and (check := check_for(self.hints[part], from_text=part != "body")) is not None
        }
        self._output: Check | None = None
        self._items: Check | None = None
        if "return" in hints:
            self._find_output_hints(hints["return"])

    @property
    def takes_body(self) -> bool:
        """Whether making its arguments reads the body as JSON."""
        taken = [*self._by_position, *self._by_name.values()]
        return "body" in self._checks or "body" in taken

    def arguments(
        self, request: Request[Any, Any, Any], wire_format: WireFormat, *, validate: bool
    ) -> tuple[list[Any], dict[str, Any]]:
        """The arguments for one request, which then holds the checked parts.

        Raises:
            HttpException: 400 or 415, the input does not match the hints, or the body is not JSON.
        """
        if validate:
            self._check(request, wire_format)
        args = [_given(request, what) for what in self._by_position]
        return args, {name: _given(request, what) for name, what in self._by_name.items()}

    def check_result(self, value: Any) -> Any:
        """The checked result, if it is not a stream; HttpException if it must not be sent."""
        return value if self._output is None else check_output(self._output, value)

    def item_check(self) -> ItemCheck | None:
        """The check for the items of one of its streams, or None if all are allowed."""
        return None if self._items is None else ItemCheck(self._items)

    def _check(self, request: Request[Any, Any, Any], wire_format: WireFormat) -> None:
        for part, check in self._checks.items():
            if part == "body":
                if wire_format == "jsonlines":  # before, clients declared every body as text
                    check_media_type(request)
                request.set_body_value(check_input(part, check, request.body_value()))
            else:
                setattr(request, part, check_input(part, check, getattr(request, part)))

    def _assign(
        self, signature: inspect.Signature, title: str, param_names: Collection[str]
    ) -> None:
        """Decide what each parameter gets: a part of the request, ``"{id}"``, or ``""`` for all."""
        nameless = ["", "params"]
        for p in signature.parameters.values():
            if p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD):
                continue
            by_position = p.kind is not p.KEYWORD_ONLY
            if p.name in param_names:
                what = f"{{{p.name}}}"
            elif p.name in _INPUTS:
                what = p.name
                nameless = [one for one in nameless if one != what]
            elif p.default is not p.empty:
                continue
            elif by_position and nameless:
                what = nameless.pop(0)
            else:
                raise UsageError(
                    f"{title}: nothing fits its parameter {p.name!r}; there are the request, "
                    f"{', '.join([*_INPUTS, *param_names])}"
                )
            self._parameters[p.name] = what
            if p.kind is p.POSITIONAL_ONLY:
                self._by_position.append(what)
            else:
                self._by_name[p.name] = what

    def _find_input_hints(self, hints: Mapping[str, Any], param_names: Collection[str]) -> None:
        for name, what in self._parameters.items():
            hint = hints.get(name, Any)
            if what == "" and get_origin(hint) is Request:
                parts = zip(_INPUTS, get_args(hint), strict=True)
                self.hints |= {part: inner for part, inner in parts if inner is not Any}
        for name, what in self._parameters.items():
            if what in _INPUTS and hints.get(name, Any) is not Any:
                self.hints[what] = hints[name]
        named = {name: hints.get(name, Any) for name in param_names}
        if "params" not in self.hints and any(hint is not Any for hint in named.values()):
            self.hints["params"] = TypedDict("Params", named)  # type: ignore[operator]

    def _find_output_hints(self, hint: Any) -> None:
        check = check_for(hint, is_result=True)
        if check is None:
            return
        self._output, self._items = check, check.items
        parts = check.parts
        if parts.items and not parts.data:
            self.hints["iteration"] = union(parts.items)
        elif not (parts.items or parts.functions or parts.classes):
            self.hints["output"] = union(parts.data)


def _given(request: Request[Any, Any, Any], what: str) -> Any:
    if what == "":
        return request
    if what == "body":
        return request.body_value()
    if what in _INPUTS:
        return getattr(request, what)
    name, params = what[1:-1], request.params
    return params[name] if isinstance(params, Mapping) else getattr(params, name)
