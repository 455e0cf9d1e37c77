"""Reads the reply to a call of a Vovk handler: a value, a stream or an error.

Ask :func:`reply_kind` first. A stream goes through
:class:`~kkjupyter.wire.vovk.stream_body.BodyDecoder`; of everything else read the whole body and
give it to :func:`read_value` or, for ``"error"``, to :func:`read_failure`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final, Literal

from kkjupyter.errors import ProtocolError, RemoteError
from kkjupyter.redaction import without_secrets
from kkjupyter.wire.framing import excerpt
from kkjupyter.wire.message_cost import DEFAULT_MEMORY_BYTES
from kkjupyter.wire.values.json_text import loads
from kkjupyter.wire.vovk.media_types import is_json_type, media_type
from kkjupyter.wire.vovk.schema.model import WireFormat

__all__ = ["ReplyKind", "read_failure", "read_value", "reply_kind"]

ReplyKind = Literal["json", "text", "bytes", "empty", "jsonlines", "divider", "error"]

_JSON_LINES: Final = frozenset({"application/jsonl", "application/x-ndjson", "application/ndjson"})
_HTML: Final = frozenset({"text/html", "application/xhtml+xml"})
_OWN: Final = frozenset({"statusCode", "message", "isError", "cause"})
# Where other servers and proxies put the message.
_MESSAGES: Final = ("message", "error", "detail", "title")
_EXCERPT_BYTES: Final = 8192


def reply_kind(
    status: int,
    headers: Mapping[str, str],
    *,
    wire_format: WireFormat = "jsonlines",
    is_stream: bool = False,
    http_method: str = "GET",
) -> ReplyKind:
    """The kind of a reply's body, from its head alone.

    Args:
        status: the HTTP status.
        headers: names may be in any case.
        wire_format: what the server is known to speak.
        is_stream: whether a stream is expected. It matters only if the content type is
            ``text/plain``: 3.x uses that for streams to clients that do not accept JSON Lines, and
            some earlier versions always did.
        http_method: the method of the request.

    Returns:
        ``"jsonlines"`` and ``"divider"`` are streams. A reply that is not a stream counts as a
        stream of one item, if a stream was expected.
    """
    lowered = {name.lower(): value for name, value in headers.items()}
    if not 200 <= status < 300:
        return "error"
    if http_method == "HEAD" or status in (204, 205):
        return "empty"
    stream = _stream(lowered, wire_format, is_stream)
    if stream:
        return stream
    if lowered.get("content-length") == "0":
        return "empty"
    content_type = _media_type(lowered)
    if is_stream and content_type in _HTML:
        return "error"
    if is_json_type(content_type):
        return "json"
    if content_type.startswith("text/") or content_type.endswith(("/xml", "+xml")):
        return "text"
    return "bytes"


def read_value(
    kind: ReplyKind,
    body: bytes,
    headers: Mapping[str, str],
    *,
    memory_bytes: int = DEFAULT_MEMORY_BYTES,
) -> Any:
    """The value of a reply that is neither a stream nor an error; None if it is empty.

    Args:
        kind: the result of :func:`reply_kind`.
        body: the whole body.
        headers: names may be in any case.
        memory_bytes: how much memory the value may take.

    Raises:
        MessageTooBig: the value would take more.
        ProtocolError: the body is declared as JSON and is not.
    """
    if kind == "bytes":
        return body
    if kind == "text":
        return _text(body, headers)
    return loads(body, memory_bytes=memory_bytes) if body.strip() else None


def read_failure(
    status: int, body: bytes, headers: Mapping[str, str]
) -> RemoteError | ProtocolError:
    """The error in an error reply.

    Args:
        status: the HTTP status; a successful one means that a page came instead of a stream.
        body: the whole body, or its beginning.
        headers: names may be in any case.
    """
    lowered = {name.lower(): value for name, value in headers.items()}
    phrase = _phrase(status)
    if _media_type(lowered) in _HTML:
        page = _page_text(body)
        if 200 <= status < 300:
            return ProtocolError("a web page instead of a stream", page)
        return RemoteError(f"{phrase} (a web page: {page})" if page else phrase, status=status)
    if 300 <= status < 400:
        # A redirect repeats what it was asked with.
        target = without_secrets(lowered.get("location", "nowhere"))
        shown = excerpt(target.encode("utf-8", "surrogateescape"))  # it may not have been UTF-8
        return RemoteError(f"{phrase}: the server redirects to {shown}", status=status)
    try:
        json = loads(body) if body.strip() else None
    except ProtocolError:
        text = excerpt(body[:_EXCERPT_BYTES])
        return RemoteError(f"{phrase}: {text}" if text else phrase, status=status)
    if not isinstance(json, dict):
        text = excerpt(body[:_EXCERPT_BYTES])
        return RemoteError(phrase if json is None else f"{phrase}: {text}", status=status)
    messages = (json.get(key) for key in _MESSAGES)
    message = next((text for text in messages if isinstance(text, str) and text), phrase)
    is_vovk = json.get("isError") is True
    return RemoteError(
        message,
        name="HttpException" if is_vovk else "Error",
        status=status,
        cause=json.get("cause"),
        data={key: value for key, value in json.items() if key not in _OWN or not is_vovk},
    )


def _stream(
    lowered: Mapping[str, str], wire_format: WireFormat, is_stream: bool
) -> Literal["jsonlines", "divider"] | None:
    content_type = _media_type(lowered)
    if content_type in _JSON_LINES or lowered.get("x-vovk-stream") == "true":  # 3.0.0 drafts
        return "jsonlines"
    if content_type == "text/event-stream":
        return "divider"
    return wire_format if is_stream and content_type == "text/plain" else None


def _media_type(lowered: Mapping[str, str]) -> str:
    return media_type(lowered.get("content-type", ""))


def _text(body: bytes, headers: Mapping[str, str]) -> str:
    lowered = {name.lower(): value for name, value in headers.items()}
    match = re.search(r"charset=\"?([\w.:-]+)", lowered.get("content-type", ""), re.IGNORECASE)
    try:
        return body.decode(match[1] if match else "utf-8", "replace")
    except LookupError:  # an invented charset
        return body.decode("utf-8", "replace")


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "an error without a name"


def _page_text(body: bytes) -> str:
    """The visible text of a web page, on one line."""
    page = body[:_EXCERPT_BYTES]
    page = re.sub(rb"(?is)<(script|style)\b.*?(?:</\1\s*>|$)", b" ", page)
    page = re.sub(rb"<[^<>]*(?:>|$)", b" ", page)
    return excerpt(b" ".join(page.split()))
