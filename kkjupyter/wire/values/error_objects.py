"""Errors as plain objects: ``{"name", "message", "stack", "cause", ...own properties}``.

The classic wire sends thrown errors in this form, and both wires send causes in it. superjson can
mark a value as an Error; in plain JSON an error has to be written out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kkjupyter.errors import RemoteError, RemoteThrow

__all__ = [
    "permission_hint",
    "read_cause",
    "read_object",
    "read_text",
    "thrown_value",
    "write_cause",
    "write_object",
]

_MAX_CAUSES = 16
_PATH_CHARS = 100
_OWN = frozenset({"name", "message", "stack", "cause"})


def permission_hint(path: Sequence[str], option: str = "writable") -> str:
    """How the server's owner allows clients to set the property at ``path``.

    Args:
        path: the names that lead to it.
        option: the option of ``kk.serve``; ``"expose"`` is for calling and reading.
    """
    name = ".".join(path)[:_PATH_CHARS]
    return f'clients may not do that; the server can allow it: kk.serve(..., {option}=["{name}"])'


def read_object(error: Any, depth: int = 1) -> RemoteError:
    """Read an error as sent: a string or an object; any other value was thrown as it is."""
    if isinstance(error, RemoteError):  # superjson tagged it as an Error value
        return error
    if isinstance(error, str):
        return RemoteError(error)
    if not isinstance(error, dict):
        return RemoteThrow(error, read_text(error))
    stack = error.get("stack")
    return RemoteError(
        read_text(error.get("message", "")),
        name=read_text(error.get("name") or "Error"),
        stack=stack if isinstance(stack, str) else None,
        cause=read_cause(error.get("cause"), depth),
        data={key: value for key, value in error.items() if key not in _OWN},
    )


def read_cause(cause: Any, depth: int = 1) -> Any:
    """Read a cause: as an error if it looks like one, else as the plain value."""
    # An error may be its own cause, so below some depth causes stay as they were sent.
    if isinstance(cause, dict) and isinstance(cause.get("message"), str) and depth < _MAX_CAUSES:
        return read_object(cause, depth + 1)
    return cause


def read_text(value: Any) -> str:
    """``value`` on one line; it may be nested too deeply to be printed."""
    plain = value is None or isinstance(value, str | int | float)
    return str(value) if plain else f"a thrown {type(value).__name__}"


def write_object(error: RemoteError, codec: str, depth: int = 1) -> dict[str, Any]:
    """``error`` as an object."""
    fields: dict[str, Any] = {"name": error.name or "Error", "message": error.message}
    if error.stack is not None:
        fields["stack"] = error.stack
    if error.cause is not None:
        fields["cause"] = write_cause(error.cause, codec, depth)
    return fields | {key: value for key, value in error.data.items() if key not in fields}


def write_cause(cause: Any, codec: str, depth: int = 1) -> Any:
    """A cause; superjson marks errors by itself."""
    if isinstance(cause, RemoteError) and codec == "json" and depth < _MAX_CAUSES:
        return write_object(cause, codec, depth + 1)
    return cause


def thrown_value(error: Any, codec: str) -> Any:
    """What to send for ``error``, an exception or any value, to be thrown at the other end.

    Plain JSON would turn an exception into ``{}``, so it is sent as an object.
    """
    if isinstance(error, RemoteThrow):
        return error.value
    if not isinstance(error, BaseException):
        return error
    remote = _as_remote(error, 1)
    return write_object(remote, codec) if codec == "json" else remote


def _as_remote(error: BaseException, depth: int) -> RemoteError:
    if isinstance(error, RemoteError):
        return error
    cause = error.__cause__
    return RemoteError(
        str(error),
        name=type(error).__name__,
        cause=_as_remote(cause, depth + 1) if cause and depth < _MAX_CAUSES else None,
        data={name: value for name, value in vars(error).items() if not name.startswith("_")},
    )
