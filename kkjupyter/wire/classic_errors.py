"""Errors on the classic wire: thrown values as objects, the protocol's own refusals as text."""

from __future__ import annotations

from typing import Any

from kkjupyter.errors import RemoteError, RemoteThrow
from kkjupyter.wire.events import Refusal, Requested

__all__ = ["read_error", "refusal_text", "write_error"]

_MAX_CAUSES = 16


def read_error(error: Any, depth: int = 1) -> RemoteError:
    """An error as sent: a bare string (the protocol's own) or an object (a thrown value)."""
    if isinstance(error, RemoteError):  # superjson tagged it as an Error value
        return error
    if isinstance(error, str):
        return RemoteError(error)
    if not isinstance(error, dict):
        return RemoteThrow(error, _text(error))
    known = {"name", "message", "stack", "cause"}
    cause = error.get("cause")
    # An error may be its own cause; from some depth on causes stay as they were sent.
    if isinstance(cause, dict) and isinstance(cause.get("message"), str) and depth < _MAX_CAUSES:
        cause = read_error(cause, depth + 1)
    stack = error.get("stack")
    return RemoteError(
        _text(error.get("message", "")),
        name=_text(error.get("name") or "Error"),
        stack=stack if isinstance(stack, str) else None,
        cause=cause,
        data={key: value for key, value in error.items() if key not in known},
    )


def _text(value: Any) -> str:
    """``value`` in a line; what is nested may be nested too deeply to be printed."""
    plain = value is None or isinstance(value, str | int | float)
    return str(value) if plain else f"a thrown {type(value).__name__}"


def write_error(error: RemoteError, codec: str, depth: int = 1) -> dict[str, Any]:
    """``error`` as the peers send it; they misread an empty name or message, so neither is sent."""
    fields: dict[str, Any] = {
        "name": error.name or "Error",
        "message": error.message or error.name or "Error",
    }
    if error.stack is not None:
        fields["stack"] = error.stack
    cause = error.cause
    if isinstance(cause, RemoteError) and codec == "json" and depth < _MAX_CAUSES:
        cause = write_error(cause, codec, depth + 1)
    if cause is not None:
        fields["cause"] = cause
    return fields | {key: value for key, value in error.data.items() if key not in fields}


def refusal_text(request: Requested, reason: Refusal, at: int) -> str:
    """Why a request is refused, in the peers' words."""
    path = ".".join(request.path)
    part = request.path[at] if at < len(request.path) else ""
    is_last = at == len(request.path) - 1
    match request.operation, reason:
        case _, "no_api":
            return "No API implementation available"
        case operation, "no_path":
            return f"Invalid {operation} request: missing path"
        case _, "read_only":
            return f"Property {path} cannot be set"
        case (("get" | "set"), _):
            return f"Property path {path} not found at {part}"
        case "new", "missing" if not is_last:
            return f"Constructor path {path} not found at {part}"
        case "new", _:
            return f"{path} is not a constructor function"
        case _, "missing" if not is_last:
            return f"Method path {path} not found at {part}"
    return f"Method {path} is not a function"
