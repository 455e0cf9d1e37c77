"""Errors on the compact wire: ``{"n": name, "m": message, "s": stack, ...own properties}``.

A cause is sent as one more property, an object with ``name`` and ``message``. The kkrpc library
never sends one itself, and makes any that it receives a property of the error.
"""

from __future__ import annotations

from typing import Any

from kkjupyter.errors import RemoteError
from kkjupyter.wire.events import Refusal, Requested
from kkjupyter.wire.values.error_objects import (
    permission_hint,
    read_cause,
    read_object,
    read_text,
    write_cause,
)

__all__ = ["NO_REFERENCES", "read_error", "refusal", "unknown_stream", "write_error"]

NO_REFERENCES = "Remote reference operations require kkrpc/remote-refs"

_OWN = frozenset({"n", "m", "s", "cause"})
# The library would overwrite what it has read from n, m and s with these.
_UNSENDABLE = _OWN | {"name", "message", "stack"}


def read_error(error: Any) -> RemoteError:
    """An error as sent."""
    if type(error) is not dict or not ("m" in error or "n" in error):
        return read_object(error)
    stack = error.get("s")
    return RemoteError(
        read_text(error.get("m", "")),
        name=read_text(error.get("n") or "Error"),
        stack=stack if isinstance(stack, str) else None,
        cause=read_cause(error.get("cause")),
        data={key: value for key, value in error.items() if key not in _OWN},
    )


def write_error(error: RemoteError, codec: str) -> dict[str, Any]:
    """``error`` as the peers send it, and its cause."""
    fields: dict[str, Any] = {"n": error.name or "Error", "m": error.message}
    if error.stack is not None:
        fields["s"] = error.stack
    fields |= {key: value for key, value in error.data.items() if key not in _UNSENDABLE}
    if error.cause is not None:
        fields["cause"] = write_cause(error.cause, codec)
    return fields


def unknown_stream(stream_id: str) -> RemoteError:
    """The peers' answer to a control of a stream that does not exist, or is over."""
    return RemoteError(f"Unknown RPC stream {stream_id}")


def refusal(request: Requested, reason: Refusal, at: int) -> RemoteError | None:
    """Why a request is refused, in the peers' words; None where they answer undefined."""
    path = ".".join(request.path)
    is_last = at >= len(request.path) - 1
    following = "" if is_last else request.path[at + 1]
    match request.operation, reason:
        case _, "no_api":
            return RemoteError("No API exposed")
        case "set", "no_path":
            return RemoteError("Cannot set empty path")
        case "get", "no_path":
            return RemoteError("Cannot get empty path")
        case _, "read_only":
            return RemoteError(f"Cannot set {path}: it is read-only")
        case _, "not_writable":
            return RemoteError(f"Cannot set {path}: {permission_hint(request.path)}")
        case (("call" | "new"), "not_exposed"):
            return RemoteError(f"Cannot call {path}: {permission_hint(request.path, 'expose')}")
        case _, "not_exposed":
            return RemoteError(f"Cannot read {path}: {permission_hint(request.path, 'expose')}")
        case "set", "missing" if at == len(request.path) - 2:
            return RemoteError(f"Cannot set {path} on undefined")
        case _, "missing" if not is_last:
            return RemoteError(f"Cannot access {following} on undefined")
        case "get", "missing":
            return None
        case "set", _:
            return RemoteError(f"Cannot set {path}")
        case "get", _:
            return RemoteError(f"Cannot get {path}")
        case "new", "missing":
            return RemoteError("undefined is not a constructor", name="TypeError")
        case "new", _:
            return RemoteError(f"{path} is not a constructor", name="TypeError")
    return RemoteError(f"{path} is not a function")
