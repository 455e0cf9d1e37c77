"""JSON values as text and back, lone surrogates included.

JavaScript strings may hold half a surrogate pair (``"😀"[0]``), and Node sends it as ``"\\ud83d"``.
msgspec, which is fast, refuses such text in both directions; the standard library then does it.
"""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec

from kkjupyter.errors import EncodeError, ProtocolError
from kkjupyter.wire.framing import excerpt
from kkjupyter.wire.message_cost import (
    CHECKED_FROM_BYTES,
    DEFAULT_MEMORY_BYTES,
    LARGE_BYTES,
    MAX_DEPTH,
    check_weight,
    is_too_deep,
    uncollected,
)

__all__ = ["TOO_DEEP", "dumps", "escape_non_ascii", "loads"]

TOO_DEEP = (
    f"it is nested too deeply: a message has at most {MAX_DEPTH} levels, its envelope included; "
    "send a flat list of parts, or text"
)
"""Why a value cannot be sent."""

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode
_NON_ASCII = re.compile("[^\x00-\x7f]+")
_PLACE = re.compile(r" \((byte \d+)\)$")  # as msgspec says it


def dumps(value: Any) -> bytes:
    """``value``, which has only JSON's own types, as UTF-8 without line ends.

    Raises:
        EncodeError: something in it is not a JSON value, or it is nested too deeply.
    """
    try:
        try:
            data = _encode(value)
        except UnicodeEncodeError:  # a lone surrogate
            text = json.dumps(value, separators=(",", ":"), allow_nan=False)
            data = text.encode("ascii")
    except (TypeError, ValueError, OverflowError) as exc:
        raise EncodeError("", str(exc)) from exc
    except RecursionError as exc:
        raise EncodeError("", f"{TOO_DEEP}, or it contains itself") from exc
    if len(data) >= CHECKED_FROM_BYTES and is_too_deep(data):
        raise EncodeError("", TOO_DEEP)
    return data


def escape_non_ascii(text: bytes) -> bytes:
    """The same JSON with every character beyond ASCII escaped."""
    if text.isascii():
        return text
    return _NON_ASCII.sub(_escaped, text.decode()).encode("ascii")


def _escaped(found: re.Match[str]) -> str:
    return json.dumps(found[0])[1:-1]


def loads(data: bytes, *, memory_bytes: int = DEFAULT_MEMORY_BYTES) -> Any:
    """The value that JSON text in UTF-8 stands for.

    Args:
        data: the text.
        memory_bytes: how much memory the value may take, estimated before it is decoded.

    Raises:
        MessageTooBig: the value would take more.
        ProtocolError: it is not JSON, or nested too deeply; ``excerpt`` shows its beginning.
    """
    if len(data) >= CHECKED_FROM_BYTES:
        check_weight(data, memory_bytes)
    if len(data) < LARGE_BYTES:
        return _loads(data)
    with uncollected():
        return _loads(data)


def _loads(data: bytes) -> Any:
    try:
        try:
            return _decode(data)
        except msgspec.DecodeError:
            if b"\\ud" not in data and b"\\uD" not in data:
                raise
            return json.loads(data.decode("utf-8"), parse_constant=_refuse)
    except RecursionError as exc:
        raise ProtocolError("JSON nested too deeply", excerpt(data)) from exc
    except ValueError as exc:  # msgspec's and json's own errors, and text that is not UTF-8
        detail = _PLACE.sub(r", \1", str(exc).removeprefix("JSON is malformed: "))
        raise ProtocolError(f"malformed JSON ({detail})", excerpt(data)) from exc


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not a JSON value")
