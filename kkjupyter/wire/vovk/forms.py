"""Forms as bodies, written and read: with files (``multipart/form-data``) and without.

As in browsers, a list is a field that occurs several times, and names are UTF-8.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

from kkjupyter.errors import EncodeError, ProtocolError
from kkjupyter.plaintext import plain
from kkjupyter.wire.framing import excerpt
from kkjupyter.wire.values import json_codec
from kkjupyter.wire.vovk.media_types import is_json_type, media_type
from kkjupyter.wire.vovk.query import scalar_text

__all__ = [
    "FORM",
    "MAX_FIELDS",
    "MAX_HEAD_BYTES",
    "MULTIPART",
    "File",
    "encode_form",
    "form_types",
    "form_values",
    "has_files",
    "read_form",
]

FORM: Final = "application/x-www-form-urlencoded"
MULTIPART: Final = "multipart/form-data"

MAX_FIELDS: Final = 10_000
"""How many fields a form may have: one of 4 MiB could have two million, at 200 bytes each."""

MAX_HEAD_BYTES: Final = 16 * 1024
"""How long the head of one part of a form may be."""

_BYTES: Final = "application/octet-stream"
_BOUNDARY: Final = re.compile(r'boundary=(?:"([^"]+)"|([^\s;]+))', re.IGNORECASE)
_PARAMETER: Final = re.compile(r';\s*(name|filename)="([^"]*)"', re.IGNORECASE)
# Characters that could end a name or begin another header line; several servers treat any control
# character as a line end.
_ESCAPED: Final = {char: f"%{ord(char):02X}" for char in ['"', *map(chr, range(0x20)), "\x7f"]}
_ESCAPES: Final = re.compile("|".join(_ESCAPED.values()))
_TO_ESCAPE: Final = re.compile(r'["\x00-\x1f\x7f]')
_ONE_LINE: Final = re.compile(r"[\x20-\x7e]*")


@dataclass(frozen=True, slots=True)
class File:
    """A file in a form.

    Attributes:
        name: the file's name, without a path.
        data: its content.
        content_type: its media type. It becomes a header line in the form; anything but printable
            ASCII is refused when the form is made.
    """

    name: str
    data: bytes
    content_type: str = _BYTES

    def __repr__(self) -> str:
        return f"<File {self.name!r}, {plain(self.content_type)}, {len(self.data):,} bytes>"


def form_types(content_types: Iterable[str]) -> list[str]:
    """Which kinds of form are among these media types; none where JSON will do, too."""
    types = [*map(media_type, content_types)]
    if any(name == "*/*" or is_json_type(name) for name in types):
        return []
    return [kind for kind in (FORM, MULTIPART) if kind in types]


def has_files(body: Any) -> bool:
    """Whether it needs a form with files."""
    fields = _fields(body) if isinstance(body, Mapping) else ()
    return any(isinstance(value, File) for _, value in fields)


def encode_form(body: Any, *, multipart: bool) -> tuple[bytes, str]:
    """A form and its media type.

    Args:
        body: a dict of names to text, numbers, :class:`File`, or bytes (a file with the name of the
            field), or to lists of these. None is left out.
        multipart: whether files are allowed.

    Raises:
        EncodeError: a value cannot be part of a form; ``path`` says which.
    """
    if not isinstance(body, Mapping):
        raise EncodeError("body", f"a form is a dict, not a {type(body).__name__}")
    if not multipart:
        texts: list[tuple[str, str]] = []
        for name, value in _fields(body):
            if isinstance(value, File):
                raise EncodeError(f"body.{name}", "this kind of form carries no files")
            texts.append((name, value))
        return _utf8(urlencode(texts)), FORM
    boundary = f"kkjupyter{secrets.token_hex(16)}"
    pieces: list[bytes] = []
    for name, value in _fields(body):
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{_escape(name)}"'
        if isinstance(value, File):
            _check_content_type(name, value)
            head += f'; filename="{_escape(value.name)}"\r\nContent-Type: {value.content_type}'
            data = value.data
        else:
            data = _utf8(value)
        pieces += [_utf8(f"{head}\r\n\r\n"), data, b"\r\n"]
    pieces.append(f"--{boundary}--\r\n".encode())
    return b"".join(pieces), f"{MULTIPART}; boundary={boundary}"


def form_values(body: Mapping[str, Any]) -> dict[str, Any]:
    """A form in the shape that its JSON Schema describes: a file is a text with a character for
    each byte.

    Raises:
        EncodeError: a value cannot be part of a form.
    """
    values: dict[str, Any] = {}
    for name, value in body.items():
        sent = [
            item.data.decode("latin-1") if isinstance(item, File) else item
            for _, item in _fields({name: value})
        ]
        if isinstance(value, list | tuple):
            values[name] = sent
        elif sent:
            values[name] = sent[0]
    return values


def read_form(data: bytes, content_type: str) -> dict[str, Any]:
    """The fields of a form: text or :class:`File`, or a list if a name occurs several times.

    Args:
        data: the body.
        content_type: the header, with the boundary.

    Raises:
        ProtocolError: it is not a form, or a broken one, or has more than MAX_FIELDS fields.
    """
    kind = media_type(content_type)
    if kind == FORM:
        _check_number(data.count(b"&") + 1, data)
        text = data.decode("utf-8", "replace")
        return _grouped(parse_qsl(text, keep_blank_values=True, errors="replace"))
    boundary = _BOUNDARY.search(content_type)
    if kind != MULTIPART or boundary is None:
        raise ProtocolError(f"{content_type or 'a body without a type'} is not a form")
    end = b"\r\n--" + (boundary[1] or boundary[2]).encode("utf-8", "replace")
    data = b"\r\n" + data
    _check_number(data.count(end) - 1, data)
    _, *parts = data.split(end)
    if not parts or not parts[-1].startswith(b"--"):
        raise ProtocolError("a form without its end", excerpt(data))
    return _grouped(map(_read_part, parts[:-1]))


def _check_number(fields: int, data: bytes) -> None:
    if fields > MAX_FIELDS:
        raise ProtocolError(
            f"a form of {fields:,} fields; it may have {MAX_FIELDS:,}", excerpt(data)
        )


def _read_part(part: bytes) -> tuple[str, str | File]:
    head, separator, content = part.partition(b"\r\n\r\n")
    if len(head) > MAX_HEAD_BYTES:
        raise ProtocolError(
            f"a part of a form with a head of more than {MAX_HEAD_BYTES:,} bytes", excerpt(part)
        )
    headers = {
        name.strip().lower(): value.strip()
        for name, _, value in (
            line.partition(":") for line in head.decode("utf-8", "replace").split("\r\n")
        )
    }
    parameters = {
        name.lower(): _unescape(value)
        for name, value in _PARAMETER.findall(headers.get("content-disposition", ""))
    }
    if not separator or "name" not in parameters:
        raise ProtocolError("a part of a form without a name", excerpt(part))
    if "filename" not in parameters:
        return parameters["name"], content.decode("utf-8", "replace")
    content_type = headers.get("content-type", _BYTES)
    return parameters["name"], File(parameters["filename"], content, content_type)


def _fields(body: Mapping[str, Any]) -> Iterator[tuple[str, str | File]]:
    for name, value in body.items():
        if not isinstance(name, str):
            raise EncodeError("body", f"the names in a form are text, not {name!r:.60}")
        is_list = isinstance(value, list | tuple)
        for item in value if is_list else [value]:
            if isinstance(item, File):
                yield name, item
            elif isinstance(item, bytes | bytearray | memoryview):
                yield name, File(name, bytes(item))
            else:
                plain = json_codec.encode(item, prefix=f"body.{name}", tags_bytes=False)
                if isinstance(plain, dict | list):
                    raise EncodeError(f"body.{name}", "a form is flat: send text, numbers or lists")
                if plain is not None:
                    yield name, scalar_text(plain)


def _grouped(fields: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, list[Any]] = {}
    for name, value in fields:
        found.setdefault(name, []).append(value)
    return {name: values[0] if len(values) == 1 else values for name, values in found.items()}


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as exc:
        raise EncodeError("body", "half a surrogate pair is not text") from exc


def _check_content_type(name: str, file: File) -> None:
    if not isinstance(file.content_type, str) or not _ONE_LINE.fullmatch(file.content_type):
        raise EncodeError(
            f"body.{name}.content_type",
            "it is a media type is one line of printable ASCII, such as 'image/png'",
        )


def _escape(name: str) -> str:
    return _TO_ESCAPE.sub(lambda found: _ESCAPED[found[0]], name)


def _unescape(name: str) -> str:
    return _ESCAPES.sub(lambda found: chr(int(found[0][1:], 16)), name)
