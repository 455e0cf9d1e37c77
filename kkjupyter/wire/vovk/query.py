"""Query parameters <-> the query of a URL, in the format of either generation of Vovk.

3.x nests with brackets: ``arr[0]=1&arr[1]=2&o[k]=v``. Before, a query was flat, and a list was sent
as a repeated name (2.x; 0.1 joined it with commas, which no server splits).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import quote, unquote_plus

from kkjupyter.errors import EncodeError, ProtocolError
from kkjupyter.wire.message_cost import MAX_DEPTH
from kkjupyter.wire.values import json_codec
from kkjupyter.wire.values.json_text import dumps
from kkjupyter.wire.vovk.schema.model import WireFormat

__all__ = ["decode_query", "encode_query", "scalar_text"]

# How far an index may exceed the number of values sent: arr[999999999]=1 is not a list.
_MAX_GAP: Final = 100


def encode_query(query: Mapping[str, Any], wire_format: WireFormat) -> str:
    """``query`` as text without the question mark; empty for an empty query.

    None is left out, also inside of lists and objects, as the real clients do.

    Raises:
        EncodeError: a value has no text form, or is nested and the server's query is flat.
    """
    plain = json_codec.encode(dict(query), prefix="query", tags_bytes=False)
    pairs = _nested("", plain) if wire_format == "jsonlines" else _flat(plain)
    return "&".join(f"{quote(key, safe='[]')}={quote(text, safe='')}" for key, text in pairs)


def decode_query(text: str, wire_format: WireFormat) -> dict[str, Any]:
    """The parameters in ``text``, a query without its question mark; all values are text.

    What is not an escape stays as it is, bytes that are not UTF-8 become U+FFFD. Where a name comes
    twice, the last one counts (``jsonlines``), or they make a list (``divider``).

    Raises:
        ProtocolError: it is nested too deeply; nothing else is refused.
    """
    found: dict[str, Any] = {}
    for pair in text.split("&") if text else ():
        raw_key, _, raw_value = pair.partition("=")
        key, value = unquote_plus(raw_key), unquote_plus(raw_value)
        if wire_format == "jsonlines":
            _put(found, _keys(key), value)
        elif key not in found:
            found[key] = value
        elif isinstance(found[key], list):
            found[key].append(value)
        else:
            found[key] = [found[key], value]
    return {key: _lists(value) for key, value in found.items()}


def scalar_text(value: str | float) -> str:
    """A JSON value that is not a container, as JavaScript would write it into a URL."""
    if isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e21:
        return str(int(value))
    return dumps(value).decode()


def _nested(key: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _nested(f"{key}[{name}]" if key else name, inner)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _nested(f"{key}[{index}]", inner)
    elif value is not None:
        yield key, scalar_text(value)


def _flat(query: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for key, value in query.items():
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, dict | list):
                raise EncodeError(
                    f"query.{key}", "the query of this server is flat: send text, numbers or lists"
                )
            if item is not None:
                yield key, scalar_text(item)


def _keys(key: str) -> list[str]:
    """``z[d][0]`` as ``["z", "d", "0"]``; brackets that do not match are part of the name."""
    name, bracket, rest = key.partition("[")
    if not bracket or not rest.endswith("]"):
        return [key]
    return [name, *rest[:-1].split("][")]


def _put(found: dict[str, Any], keys: list[str], value: str) -> None:
    if len(keys) > MAX_DEPTH:
        raise ProtocolError(f"a query nested more than {MAX_DEPTH} levels deep", keys[0][:60])
    *above, last = keys
    at = found
    for key in above:
        if not key and at is not found:
            key = str(len(at))  # a[]: the next index
        inner = at.setdefault(key, {})
        if not isinstance(inner, dict):
            inner = at[key] = {}
        at = inner
    at[last if last or at is found else str(len(at))] = value


def _lists(value: Any) -> Any:
    """``value`` with dicts whose keys are all indexes as lists. Not recursive: a query can nest
    deeply.
    """
    box = [value]
    waiting: list[tuple[Any, Any]] = [(box, 0)]
    while waiting:
        holder, key = waiting.pop()
        inner = holder[key]
        if isinstance(inner, dict):
            inner = holder[key] = _list(inner)
            waiting.extend(
                (inner, k) for k in (inner if isinstance(inner, dict) else range(len(inner)))
            )
    return box[0]


def _list(found: dict[str, Any]) -> dict[str, Any] | list[Any]:
    if not all(key.isascii() and key.isdecimal() and len(key) < 10 for key in found):
        return found
    size = max(map(int, found)) + 1
    if size > len(found) + _MAX_GAP:
        return found
    items: list[Any] = [None] * size
    for key, value in found.items():
        items[int(key)] = value
    return items
