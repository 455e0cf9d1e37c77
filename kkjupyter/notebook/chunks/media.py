"""Pictures and sounds in the blocks of clients, and what tools have returned."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any, Literal

from kkjupyter.notebook.chunks.fields import Fields, fields, flat_text, json_text, string
from kkjupyter.notebook.views.pieces import Media

__all__ = ["media_in", "media_of_bytes", "media_of_url", "result_text"]

# What is larger is named, and not shown.
_LIMIT_CHARS = 12_000_000
_RESULT_CHARS = 100_000
_DATA_URL = re.compile(r"data:([\w.+-]+/[\w.+-]+)((?:;[^,;]*)*);base64,", re.IGNORECASE)
# A block has it itself, or in a part of one of these names.
_INSIDE = (
    *("image_url", "source", "inline_data", "inlineData", "input_audio", "image", "audio"),
    *("content", "file"),
)
_TYPES = ("mime_type", "mimeType", "media_type", "format")
_DATA = ("data", "base64", "b64_json", "result")

_Sort = Literal["image", "audio"]


def media_in(kind: _Sort, block: Any) -> Media:
    """The picture or sound in a block of a message, in whichever of the usual ways."""
    known = fields(block)
    found = _media_of(kind, known)
    for name in _INSIDE:
        if found.data or found.url:
            break
        inner = known.get(name)
        if url := string(inner):
            found = media_of_url(kind, url)
        elif inner is not None:
            inside = _media_of(kind, fields(inner))
            found = inside._replace(mime_type=inside.mime_type or found.mime_type)
    return found


def media_of_url(kind: _Sort, url: str, mime_type: str = "") -> Media:
    """What an address tells: the data if they are in it, else where they are."""
    told = _DATA_URL.match(url[:200])
    if told is None:
        is_web = url[:8].lower().startswith(("http://", "https://"))
        return Media(kind, mime_type, url=url if is_web and len(url) < 2_000 else "")
    return media_of_bytes(kind, url[told.end() :], told[1].lower())


def media_of_bytes(kind: _Sort, data: Any, mime_type: str = "") -> Media:
    """What data tell, as bytes or in base64."""
    if issubclass(type(data), (bytes, bytearray)):
        text = base64.b64encode(data).decode() if len(data) <= _LIMIT_CHARS * 3 // 4 else ""
    else:
        text = string(data)
        if len(text) > _LIMIT_CHARS:
            text = ""
        try:
            # A client may write it with the letters for addresses, or without its end.
            clean = text.replace("-", "+").replace("_", "/").rstrip("=\n\r ")
            raw = base64.b64decode(clean + "=" * (-len(clean) % 4), validate=True)
            text = base64.b64encode(raw).decode()
        except (ValueError, binascii.Error):
            text = ""
    return Media(kind, mime_type, data=text)


def result_text(value: Any) -> str:
    """What a tool has returned, as a text."""
    text = string(value) or flat_text(value) or json_text(value)
    if not text and type(value) in (int, float, bool):
        text = str(value)
    left_out = len(text) - _RESULT_CHARS
    if left_out > 0:
        text = f"{text[:_RESULT_CHARS]}… ({left_out:,} more characters)"
    return text


def _media_of(kind: _Sort, known: Fields) -> Media:
    mime_type = next(filter(None, [string(known.get(name)) for name in _TYPES]), "")
    if mime_type and "/" not in mime_type:
        mime_type = f"{kind}/{mime_type}"
    for name in _DATA:
        data = known.get(name)
        if data is not None and (found := media_of_bytes(kind, data, mime_type)).data:
            return found
    if url := string(known.get("url")):
        return media_of_url(kind, url, mime_type)
    return Media(kind, mime_type)
