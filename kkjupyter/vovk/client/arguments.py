"""The arguments of a call of a Vovk handler: checked, and merged with the connection's defaults."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from kkjupyter.calls.titles import title_of
from kkjupyter.errors import UsageError, did_you_mean
from kkjupyter.wire.values.javascript import undefined
from kkjupyter.wire.vovk.schema.model import Handler

__all__ = ["OPTIONS", "CallInput", "call_title", "read_input"]

OPTIONS = ("body", "query", "params", "headers", "isStream", "is_stream", "validate", "meta")
"""The keyword arguments of a call, and of ``default_options``."""

_SAID_OTHERWISE = {
    "disableClientValidation": "validate=False",
    "disable_client_validation": "validate=False",
    "interpretAs": "isStream=True",
    "interpret_as": "isStream=True",
    "apiRoot": "api_root= where you connect",
    "api_root": "it where you connect",
    "timeout": "kk.call(api.X.y, timeout_s=..., body=...)",
    "timeout_s": "kk.call(api.X.y, timeout_s=..., body=...)",
    "idle_timeout_s": "kk.call(api.X.y, idle_timeout_s=..., body=...)",
}
_SECRET = ("headers", "meta")
_NO_BODY = ("GET", "HEAD")


@dataclass(frozen=True)
class CallInput:
    """The arguments of one call.

    Attributes:
        body: None for no body.
        query: by name.
        params: the path parameters, by name.
        headers: by name.
        is_stream: whether a stream is expected; None if not given.
        validate: whether to check JSON Schemas; None if not given.
        meta: for 3.x: any JSON value for the server's ``req.vovk.meta()``; None for no value.
    """

    body: Any = None
    query: Mapping[str, Any] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    is_stream: bool | None = None
    validate: bool | None = None
    meta: Any = None

    def over(self, defaults: CallInput, handler: Handler) -> CallInput:
        """This input, completed from ``defaults``.

        A default that does not fit ``handler`` is left out: a body for GET, a parameter that is not
        in its path.
        """
        names = {name.lower() for name in self.headers}
        headers = {k: v for k, v in defaults.headers.items() if k.lower() not in names}
        params = {k: v for k, v in defaults.params.items() if k in handler.param_names}
        takes_default = self.body is None and handler.http_method not in _NO_BODY
        return replace(
            self,
            body=defaults.body if takes_default else self.body,
            query={**defaults.query, **self.query},
            params={**params, **self.params},
            headers={**headers, **self.headers},
            is_stream=defaults.is_stream if self.is_stream is None else self.is_stream,
            validate=defaults.validate if self.validate is None else self.validate,
            meta=defaults.meta if self.meta is None else self.meta,
        )


def read_input(where: str, args: Sequence[Any], given: Mapping[str, Any]) -> CallInput:
    """The arguments of a call, or ``default_options``.

    Args:
        where: the method's name, for errors.
        args: positional arguments, which are refused with a hint.
        given: keyword arguments.

    Raises:
        UsageError: there is no such argument, or it is not valid.
    """
    if args:
        hint = ", ".join(f"{name}=..." for name in ("body", "query", "params", "headers"))
        if isinstance(args[0], Mapping) and args[0] and set(args[0]) <= set(OPTIONS):
            hint = "write ** before the dict, or " + hint
        raise UsageError(f"{where}: arguments of Vovk calls have names: {hint}")
    for name in given:
        if name not in OPTIONS:
            raise UsageError(f"{where}: unknown argument {name!r}{_meant(name)}")
    if given.get("isStream") is not None and given.get("is_stream") is not None:
        raise UsageError(f"{where}: isStream and is_stream are the same option; pass one of them")
    body = given.get("body")
    is_stream = given.get("is_stream") if given.get("isStream") is None else given["isStream"]
    return CallInput(
        None if body is undefined else body,
        _mapping(where, "query", given),
        _mapping(where, "params", given),
        _mapping(where, "headers", given),
        _flag(where, "isStream", is_stream),
        _flag(where, "validate", given.get("validate")),
        given.get("meta"),
    )


def call_title(method: str, given: Mapping[str, Any]) -> str:
    """The call as it was written, without values that may be secret."""
    shown = {name: value for name, value in given.items() if name not in _SECRET}
    return title_of("call", method, (), shown, undefined)


def _meant(name: str) -> str:
    if name in _SAID_OTHERWISE:
        return f"; use {_SAID_OTHERWISE[name]}"
    return did_you_mean(name, OPTIONS) or f" (known: {', '.join(OPTIONS)})"


def _mapping(where: str, name: str, given: Mapping[str, Any]) -> dict[str, Any]:
    value = given.get(name)
    if value is None or value is undefined:
        return {}
    if not isinstance(value, Mapping):
        raise UsageError(f"{where}: {name} must be a dict of names to values, not {value!r:.60}")
    for key in value:
        if not isinstance(key, str):
            raise UsageError(f"{where}: the names in {name} must be text, not {key!r:.60}")
    return dict(value)


def _flag(where: str, name: str, value: Any) -> bool | None:
    if value is None or isinstance(value, bool):
        return value
    raise UsageError(f"{where}: {name} must be True or False, not {value!r:.60}")
