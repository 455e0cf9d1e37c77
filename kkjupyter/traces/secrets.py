"""The text of a frame as a trace may show it: short, readable, and without secrets."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Final

from kkjupyter.plaintext import readable
from kkjupyter.redaction import is_secret_name

__all__ = ["HIDDEN", "Excerpts", "without_secret_fields"]

HIDDEN: Final = "(hidden)"

_HEAD_CHARS: Final = 3072
_TAIL_CHARS: Final = 1024
# What is cut away may hold the name of a secret whose value is not: so more is looked through.
_MARGIN_BYTES: Final = 4 * 1024
_WHOLE_BYTES: Final = _HEAD_CHARS + _TAIL_CHARS + 2 * _MARGIN_BYTES

# In a message, names like these say nothing of headers: "token" is what a language model sends,
# "key" is in any table. So some names always hide their value, others only one that looks like a
# secret: long, and without a space.
_ALWAYS = (
    r"(?:proxy[-_]?)?authorization|(?:set[-_]?)?cookies?|bearer|passw(?:or)?d|passphrase|pwd"
    r"|credentials?|(?:[\w-]*[-_])?secret(?:[-_]?key)?|client[-_]?secret"
    r"|(?:[\w-]*[-_])?api[-_]?key|apikey|private[-_]?key|access[-_]?key(?:[-_]?id)?"
    r"|(?:access|refresh|id|auth|bearer|session|csrf|xsrf)[-_]?token|session[-_]?id"
)
_IF_LONG = r"(?:[\w-]*[-_])?(?:token|key)|\w*(?-i:[a-z](?:Token|Key))|auth|session"
# Inside a text that is JSON itself the quotes are escaped, as often as it is nested. A peer can
# send as many backslashes as it likes, so a quote is looked for at the first of a run only.
_MEMBER = re.compile(
    rf'(?<!\\)(?P<quote>\\*["\'])(?P<name>(?:x-)?(?:(?P<always>{_ALWAYS})|{_IF_LONG}))(?P=quote)'
    r"(?P<middle>\s*:\s*)"
    r"(?:(?P=quote)(?P<text>.*?)(?P<end>(?<!\\)(?P=quote)|\Z)|(?P<bare>-?\d[\w.+-]*))",
    re.IGNORECASE | re.DOTALL,
)
_FIELD = re.compile(rf"(^|[?&\s])((?:{_ALWAYS}|{_IF_LONG})=)([^&\s]+)", re.IGNORECASE)
# A field of a form with files: a head of lines, an empty one, and the value up to the boundary. The
# head is bounded, as text may hold many that begin and none that ends.
_PART = re.compile(
    rf'(\bname="(?:{_ALWAYS}|{_IF_LONG})"[^\n]{{0,500}}\n(?:[^\r\n]{{1,500}}\r?\n){{0,8}}\r?\n)'
    r"(.*?)(?=\r?\n--|\Z)",
    re.IGNORECASE | re.DOTALL,
)
_BEARER = re.compile(r"\b(Bearer|Basic)(\s+)[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE)
_LONG_CHARS: Final = 16


class Kept:
    """What is kept of one frame. Its text is made when it is first wanted: of a run, most are not.

    Args:
        payload: the frame.
        excerpts: makes the text.
    """

    __slots__ = ("_excerpts", "_payload", "_size_bytes", "_text", "size_bytes")

    def __init__(self, payload: bytes, excerpts: Excerpts) -> None:
        self._excerpts = excerpts
        self._size_bytes = len(payload)
        self._payload = payload if len(payload) <= _WHOLE_BYTES else _ends(payload)
        self._text: str | None = None
        self.size_bytes = len(self._payload)

    @property
    def text(self) -> str:
        """What to read of it."""
        if self._text is None:
            self._text = self._excerpts.text_of(self._payload, self._size_bytes)
        return self._text


def _ends(payload: bytes) -> bytes:
    return payload[: _HEAD_CHARS + _MARGIN_BYTES] + payload[-(_TAIL_CHARS + _MARGIN_BYTES) :]


class Excerpts:
    """Makes the text of payloads.

    Args:
        secrets: what must not be seen, wherever it stands.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        # Longest first: one may be part of another. Inside JSON it may be escaped.
        forms = {form for secret in secrets if secret for form in _forms(secret)}
        ordered = sorted(forms, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, ordered))) if ordered else None

    def text_of(self, payload: bytes, size_bytes: int = 0) -> str:
        """What a frame holds: its beginning and its end if it is long.

        Args:
            payload: the frame, or both its ends, without what is in between.
            size_bytes: of the frame, if it is only its ends.
        """
        if max(len(payload), size_bytes) <= _WHOLE_BYTES:
            text = self.hide(payload.decode("utf-8", "replace")).rstrip("\r\n")
            left_out = len(text) - _HEAD_CHARS - _TAIL_CHARS
            if left_out <= 0:
                return readable(text)
            head, tail = text[:_HEAD_CHARS], text[-_TAIL_CHARS:]
            return readable(f"{head}\n… {left_out:,} characters left out …\n{tail}")
        head_bytes = payload[: _HEAD_CHARS + _MARGIN_BYTES]
        tail_bytes = payload[-(_TAIL_CHARS + _MARGIN_BYTES) :]
        head = self.hide(head_bytes.decode("utf-8", "replace"))[:_HEAD_CHARS]
        tail = self.hide(tail_bytes.decode("utf-8", "replace")).rstrip("\r\n")[-_TAIL_CHARS:]
        left_out = max(len(payload), size_bytes) - len(head.encode()) - len(tail.encode())
        return readable(f"{head}\n… {left_out:,} bytes left out …\n{tail}")

    def hide(self, text: str) -> str:
        """``text`` without secrets."""
        if self._known is not None:
            text = self._known.sub(HIDDEN, text)
        text = _FIELD.sub(rf"\1\2{HIDDEN}", _MEMBER.sub(_without_value, text))
        text = _PART.sub(rf"\1{HIDDEN}", text)
        return _BEARER.sub(rf"\1\2{HIDDEN}", text)

    def head(self, first_line: str, headers: Mapping[str, str]) -> bytes:
        """The head of an HTTP message; values of headers that may be secret are left out."""
        lines = [
            f"{name}: {HIDDEN if is_secret_name(name) else value}"
            for name, value in headers.items()
        ]
        return "\n".join([first_line, *lines, "", ""]).encode("utf-8", "replace")


def _forms(secret: str) -> set[str]:
    return {secret, json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}


def _without_value(found: re.Match[str]) -> str:
    text = found["text"]
    value = text if text is not None else found["bare"]
    looks_secret = len(value) >= _LONG_CHARS and not re.search(r"\s", value)
    if not value or (found["always"] is None and not looks_secret):
        return found[0]
    quote = found["quote"]
    end = quote if text is None else found["end"]
    return f"{quote}{found['name']}{quote}{found['middle']}{quote}{HIDDEN}{end}"


def without_secret_fields(target: str) -> str:
    """The path and query of a request; what may be secret in the query is left out."""
    path, mark, query = target.partition("?")
    fields = [field.partition("=") for field in query.split("&")]
    shown = [f"{n}{is_}{HIDDEN if is_ and is_secret_name(n) else v}" for n, is_, v in fields]
    return path + mark + "&".join(shown)
