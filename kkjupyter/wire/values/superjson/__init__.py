"""Values <-> superjson 2, the format the kkrpc peers use by default.

A value becomes JSON plus annotations, ``{"values": ..., "referentialEqualities": ..., "v": 1}``:
``values`` maps paths to what the JSON stands for (``{"args.result.when": ["Date"]}``; the content
of a Map, Set or Error is described inside its own annotation, ``["map", {"0.1": ["Date"]}]``);
``referentialEqualities`` lists the paths that are the same object. A dot inside a key is written
``\\.``, a backslash ``\\\\``; annotations without ``v`` (older peers) escape dots only.
"""

from __future__ import annotations

from typing import Any

from kkjupyter.errors import EncodeError, ProtocolError
from kkjupyter.wire.values.json_text import TOO_DEEP
from kkjupyter.wire.values.normalize import is_plain
from kkjupyter.wire.values.superjson.decoder import Decoder, shorten
from kkjupyter.wire.values.superjson.encoder import Encoder

__all__ = ["decode", "encode"]


def encode(value: Any, prefix: str = "") -> tuple[Any, dict[str, Any] | None]:
    """``value`` as JSON and its annotations (None if it needs none).

    The result may share parts with ``value``, so write it out before ``value`` changes.

    Args:
        value: anything the table in :mod:`kkjupyter.wire.values.javascript` has a row for.
        prefix: the path at which the JSON will stand in the message, as written in annotations
            (``"args.result"``); empty when it is the message.

    Raises:
        EncodeError: a part of it has no JavaScript counterpart, or is nested too deeply. ``path``
            (``prefix`` included) says which part. Or its shared parts or annotations would make the
            message too long.
    """
    try:
        if is_plain(value):
            return value, None
        encoder = Encoder(prefix)
        json, values = encoder.encode(value)
    except RecursionError as exc:
        raise EncodeError(prefix, TOO_DEEP) from exc
    meta: dict[str, Any] = {}
    if values:
        meta["values"] = values
    equalities = encoder.equalities()
    if equalities:
        meta["referentialEqualities"] = equalities
    if not meta:
        return json, None
    meta["v"] = 1
    return json, meta


def decode(json: Any, meta: dict[str, Any] | None) -> Any:
    """The value that ``json`` with the annotations ``meta`` stands for.

    ``json`` is changed in place and becomes part of the value. An unknown tag (a class or a custom
    type registered at the peer) leaves the JSON as it is.

    Raises:
        ProtocolError: the annotations do not fit the JSON.
    """
    if not meta:
        return json
    try:
        return Decoder(json, meta).result()
    except RecursionError as exc:
        raise ProtocolError("superjson annotations nested too deeply", shorten(meta)) from exc
