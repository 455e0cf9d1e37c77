"""JSON text in ASCII alone, for readers who take bytes for text piece by piece.

kkrpc 0.7 decodes each chunk of its stdin by itself and spoils every character that is cut in two;
other programs read in the encoding of their locale. ASCII comes through both.
"""

from __future__ import annotations

import codecs
from json.encoder import encode_basestring_ascii

__all__ = ["to_ascii"]

_ESCAPE = "kkjupyter-json-escape"


def to_ascii(message: bytes) -> bytes:
    """The same JSON with ``\\u`` escapes; anything that is no UTF-8 stays as it is.

    Outside of strings JSON is ASCII anyway, so no parsing is needed.
    """
    if message.isascii():
        return message
    try:
        return message.decode().encode("ascii", _ESCAPE)
    except UnicodeDecodeError:
        return message


def _escape(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    # A run of characters without quotation marks and backslashes.
    return encode_basestring_ascii(error.object[error.start : error.end])[1:-1], error.end


codecs.register_error(_ESCAPE, _escape)
