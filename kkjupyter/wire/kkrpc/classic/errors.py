"""Errors on the classic wire: thrown values as objects, the protocol's own refusals as text."""

from __future__ import annotations

from typing import Any

from kkjupyter.errors import RemoteError
from kkjupyter.wire.events import Refusal, Requested
from kkjupyter.wire.values.error_objects import permission_hint, write_object

__all__ = ["refusal_text", "write_error"]


def write_error(error: RemoteError, codec: str) -> dict[str, Any]:
    """``error`` as the peers send it; they misread an empty name or message, so neither is sent."""
    fields = write_object(error, codec)
    fields["message"] = error.message or fields["name"]
    return fields


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
        case _, "not_writable":
            return f"Property {path} cannot be set: {permission_hint(request.path)}"
        case (("call" | "new"), "not_exposed"):
            return f"Method {path} cannot be called: {permission_hint(request.path, 'expose')}"
        case _, "not_exposed":
            return f"Property {path} cannot be read: {permission_hint(request.path, 'expose')}"
        case (("get" | "set"), _):
            return f"Property path {path} not found at {part}"
        case "new", "missing" if not is_last:
            return f"Constructor path {path} not found at {part}"
        case "new", _:
            return f"{path} is not a constructor function"
        case _, "missing" if not is_last:
            return f"Method path {path} not found at {part}"
    return f"Method {path} is not a function"
