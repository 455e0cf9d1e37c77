"""Reading and writing messages in either codec, the same for both protocols."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from kkjupyter.errors import ProtocolError
from kkjupyter.wire.framing import excerpt
from kkjupyter.wire.message_cost import DEFAULT_MEMORY_BYTES
from kkjupyter.wire.values import superjson
from kkjupyter.wire.values.json_text import dumps, loads

__all__ = ["UNREADABLE", "convert", "parse_leniently", "revive", "write_message"]

_T = TypeVar("_T")

# What msgspec raises for bytes that are not a message, or not one that it can read.
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def parse_leniently(
    line: bytes, kind: type[_T], refused: Exception, memory_bytes: int = DEFAULT_MEMORY_BYTES
) -> _T:
    """Parse a line that msgspec ``refused`` for lone surrogates: Node sends them, and json reads
    them.

    Raises:
        ProtocolError: it was refused for another reason.
    """
    if isinstance(refused, msgspec.ValidationError):
        raise ProtocolError(f"not a message ({refused})", excerpt(line)) from refused
    return convert(loads(line, memory_bytes=memory_bytes), kind, line)


def convert(json: Any, kind: type[_T], line: bytes) -> _T:
    """Parsed JSON as a ``kind``.

    Raises:
        ProtocolError: it is not one; the error shows ``line``.
    """
    try:
        return msgspec.convert(json, kind)
    except (msgspec.ValidationError, UnicodeEncodeError) as exc:  # the latter for a field's name
        raise ProtocolError(f"not a message ({exc})", excerpt(line)) from exc


def revive(parts: dict[str, Any], meta: Any) -> dict[str, Any]:
    """The fields of a message with superjson's annotations applied to them; UNSET is left out.

    Raises:
        ProtocolError: the annotations do not fit.
    """
    if not isinstance(meta, dict):
        raise ProtocolError("superjson annotations that are not an object")
    root = superjson.decode({k: v for k, v in parts.items() if v is not msgspec.UNSET}, meta)
    if type(root) is not dict:
        raise ProtocolError("superjson annotations on the message itself")
    return root


def write_message(message: dict[str, Any], meta: dict[str, Any] | None, codec: str) -> bytes:
    """One message as a line; ``meta`` holds superjson's annotations, if any."""
    if codec != "superjson":
        return dumps(message) + b"\n"
    envelope = {"json": message} if meta is None else {"json": message, "meta": meta}
    return dumps(envelope) + b"\n"
