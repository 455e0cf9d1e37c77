"""Writes a call of a Vovk handler as an HTTP request. The answer is read by
:mod:`~kkjupyter.wire.vovk.reply` and :mod:`~kkjupyter.wire.vovk.stream_body`.

Unlike in the real clients, path parameters are encoded and checked. Facts: a request looks the same
whether its answer is a stream or not; 3.x names the type JSON Lines only for clients that accept
it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urljoin, urlsplit, urlunsplit

from kkjupyter.errors import EncodeError, UsageError, ValidationError, did_you_mean
from kkjupyter.wire.values import json_codec
from kkjupyter.wire.values.javascript import undefined
from kkjupyter.wire.values.json_text import dumps
from kkjupyter.wire.vovk.forms import FORM, MULTIPART, encode_form, form_types, has_files
from kkjupyter.wire.vovk.media_types import JSON, is_json_type, media_type
from kkjupyter.wire.vovk.query import encode_query, scalar_text
from kkjupyter.wire.vovk.schema.model import Handler, Schema, split_path

__all__ = ["ACCEPT", "HttpRequest", "build_path", "build_request", "build_url", "default_api_root"]

ACCEPT: Final = "application/jsonl, application/json"
"""Without it 3.x sends a stream as text/plain, and compressed if it may."""

_PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True)
class HttpRequest:
    """An HTTP request to send.

    Attributes:
        method: upper case.
        url: complete and encoded; do not encode it again.
        headers: names in lower case, except those that the caller gave.
        body: None for no body.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None = None


def build_request(
    handler: Handler,
    api_root: str,
    *,
    body: Any = None,
    query: Mapping[str, Any] | None = None,
    params: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
    meta: Any = None,
) -> HttpRequest:
    """The request that calls ``handler``.

    Args:
        handler: the handler to call.
        api_root: ``http://127.0.0.1:3000/api``; a query in it is sent along.
        body: sent as JSON. Bytes are sent as they are, and so is text if the schema says so or, on
            3.x, says nothing. A dict is sent as a form if the schema, or the caller's Content-Type,
            asks for one: :mod:`~kkjupyter.wire.vovk.forms`. None or ``undefined`` for no body.
        query: see :mod:`~kkjupyter.wire.vovk.query`.
        params: the path's parameters, all of them: text, numbers, dates.
        headers: added to the usual ones, or replacing them.
        meta: for 3.x: any JSON value for ``req.vovk.meta()`` there.

    Raises:
        ValidationError: a path parameter is missing or unknown, or there is a body with GET.
        EncodeError: a value cannot be put on the wire; ``path`` says which.
        UsageError: the handler is on another server, or needs another kind of body.
    """
    own: dict[str, str] = {"accept": ACCEPT} if handler.wire_format == "jsonlines" else {}
    given = dict(headers or {})
    given_names = {name.lower(): name for name in given}
    data: bytes | None = None
    try:
        if meta is not None and meta is not undefined:
            plain_meta = json_codec.encode(meta, prefix="meta", tags_bytes=False)
            own["x-meta"] = json.dumps(plain_meta, separators=(",", ":"))  # headers are ASCII
        if body is not None and body is not undefined:
            if handler.http_method in ("GET", "HEAD"):
                raise ValidationError(
                    handler.title,
                    [{"path": "body", "message": f"a {handler.http_method} request has no body"}],
                )
            wanted_type = given.get(given_names.get("content-type", ""), "")
            data, own["content-type"] = _encode_body(handler, body, wanted_type)
            if own["content-type"].startswith(f"{MULTIPART};"):  # it includes the boundary
                given.pop(given_names.pop("content-type", ""), None)
        url = build_url(handler, api_root, params, query)
    except EncodeError as error:
        error.method = handler.title
        raise
    kept = {name: value for name, value in own.items() if name not in given_names}
    return HttpRequest(handler.http_method, url, kept | given, data)


def build_url(
    handler: Handler,
    api_root: str,
    params: Mapping[str, Any] | None = None,
    query: Mapping[str, Any] | None = None,
) -> str:
    """The address of a call; for arguments and errors see :func:`build_request`."""
    parts = urlsplit(api_root)
    root = parts.path
    if handler.force_api_root is not None:
        root = _forced_root(handler, api_root, handler.force_api_root)
    path = build_path(handler, params)
    queries = (parts.query, encode_query(query or {}, handler.wire_format))
    return urlunsplit(
        (
            parts.scheme,
            parts.netloc,
            "/".join(part for part in (root.rstrip("/"), path) if part) or "/",
            "&".join(part for part in queries if part),
            "",
        )
    )


def build_path(handler: Handler, params: Mapping[str, Any] | None = None) -> str:
    """The path of a call below the API's root, encoded, without a slash at either end.

    Raises:
        ValidationError: a path parameter is missing, unknown, or cannot be part of a path.
    """
    issues: list[dict[str, str]] = []
    given = dict(params or {})
    texts: dict[str, str] = {}
    for name in handler.param_names:
        value = given.pop(name, None)
        try:
            texts[name] = quote(_param_text(value), safe="")
        except ValueError as exc:
            issues.append({"path": f"params.{name}", "message": str(exc)})
    for name in given:
        hint = did_you_mean(str(name), handler.param_names)
        known = f"the path is {handler.route!r}"
        issues.append({"path": f"params.{name}", "message": f"no such parameter: {known}{hint}"})
    if issues:
        raise ValidationError(handler.title, issues)
    filled = "".join(
        quote(text, safe="/%!$&'()*+,;=:@") + (texts[name] if name else "")
        for text, name in split_path(handler.route)
    )
    segment = "" if handler.force_api_root is not None else quote(handler.segment, safe="/")
    return "/".join(part for part in (segment, filled) if part)


def default_api_root(url: str, schema: Schema) -> str:
    """The root of the API for the user's address: its own path, or else the schema's."""
    parts = urlsplit(url)
    path = parts.path.rstrip("/") or f"/{schema.root_entry}"
    return urlunsplit((parts.scheme, parts.netloc, path, parts.query, ""))


def _forced_root(handler: Handler, api_root: str, force_api_root: str) -> str:
    """The path that a schema names as root, only on the server that is connected.

    The headers, with a token among them, must not go to another server that a schema names.
    """
    try:
        forced = urljoin(api_root, force_api_root)
        is_here = _origin(forced) == _origin(api_root)
    except ValueError as exc:
        raise UsageError(f"{handler.title} is at {force_api_root!r}: {exc}") from exc
    if not is_here:
        raise UsageError(
            f"{handler.title} is at {force_api_root}, which is another server: connect to that"
        )
    return urlsplit(forced).path


def _param_text(value: Any) -> str:
    """One path parameter as text; raises ValueError if it cannot be one."""
    if value is None or value is undefined:
        raise ValueError("is missing")
    try:
        plain = json_codec.encode(value)
    except EncodeError as exc:
        raise ValueError(exc.reason) from exc
    if plain is None or isinstance(plain, dict | list):
        raise ValueError(f"a {type(value).__name__} cannot be a part of a path")
    text = scalar_text(plain)
    # Programs on the way would shorten the address, perhaps to that of another handler.
    if text in ("", ".", ".."):
        raise ValueError(f"{text!r} cannot be a part of a path")
    return text


def _encode_body(handler: Handler, body: Any, wanted_type: str) -> tuple[bytes, str]:
    """The body and its media type. ``wanted_type`` is the caller's Content-Type, or empty."""
    declared = [wanted_type.lower()] if wanted_type else list(handler.content_types)
    if isinstance(body, bytes | bytearray | memoryview):
        other = next(
            (name for name in declared if not _takes_json(name)), "application/octet-stream"
        )
        return bytes(body), other
    json_type = next((name for name in declared if _takes_json(name)), "")
    if not json_type and declared:
        if isinstance(body, str):
            return _text_bytes(body), declared[0]
        forms = form_types(declared)
        if forms:
            is_multipart = MULTIPART in forms and (FORM not in forms or has_files(body))
            return encode_form(body, multipart=is_multipart)
        raise UsageError(
            f"{handler.title} takes {', '.join(declared)}: pass the body as bytes or text, "
            "with a Content-Type header if it needs one"
        )
    if isinstance(body, str) and _takes_text(handler) and not declared:
        return _text_bytes(body), "text/plain"
    data = dumps(json_codec.encode(body, prefix="body", tags_bytes=False))
    return data, json_type if json_type not in ("", "*/*") else JSON


def _takes_text(handler: Handler) -> bool:
    """Whether text is sent as it is. 0.1 sends everything as JSON; 3.x validates only JSON."""
    return handler.wire_format == "jsonlines" and "body" not in handler.validation


def _takes_json(content_type: str) -> bool:
    return media_type(content_type) == "*/*" or is_json_type(content_type)


def _text_bytes(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as exc:
        raise EncodeError("body", "half a surrogate pair is not text") from exc


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or _PORTS.get(parts.scheme)
