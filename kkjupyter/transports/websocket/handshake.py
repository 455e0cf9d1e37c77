"""What a client sends in the handshake: headers, token, cookies, subprotocols.

All of it is checked before anything is sent, and no error repeats what may be a secret.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from kkjupyter.errors import UsageError

__all__ = [
    "COMPRESSIONS",
    "TOKEN_SUBPROTOCOL",
    "check_subprotocols",
    "has_authorization",
    "request_headers",
    "token_subprotocol",
]

COMPRESSIONS = ("deflate",)

TOKEN_SUBPROTOCOL = "kkjupyter.token."
"""Followed by a token, this is a subprotocol. It is for those who have no header for the token: a
browser cannot set any, and that of others may be taken by a proxy's token."""

# RFC 9110, section 5.6.2: the characters of a header's, a cookie's or a subprotocol's name.
_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
# RFC 6265, section 4.1.1. Blanks and commas are not in it, but every server accepts them in quotes.
_COOKIE = re.compile(r"[!#-+\--:<-\[\]-~]*")
_COOKIE_IN_QUOTES = re.compile(r"[ !#-:<-\[\]-~]*")

_OF_THE_HANDSHAKE = {"host", "connection", "upgrade"}
_INSTEAD = {
    "sec-websocket-protocol": "pass subprotocols=[...]",
    "sec-websocket-extensions": "pass compression='deflate'",
}


def request_headers(
    headers: Mapping[str, str] | None, token: str | None, cookies: Mapping[str, str] | None
) -> dict[str, str]:
    """The headers to add to a handshake.

    Args:
        headers: names to values.
        token: sent as ``Authorization: Bearer``.
        cookies: sent as one ``Cookie``; a value with blanks or commas is put in quotes.

    Raises:
        UsageError: HTTP does not allow one of them, or it has its own option.
    """
    if not isinstance(headers, Mapping | None):
        raise UsageError("headers must be a mapping of names to values")
    if not isinstance(token, str | None):
        raise UsageError(f"token must be text, not {type(token).__name__}")
    sent = dict(headers or {})
    if token is not None:
        if has_authorization(sent):
            raise UsageError(
                "token= and an Authorization header exclude each other here, because both are sent "
                "in that header; put one of the tokens into the address: ?token=..."
            )
        sent["Authorization"] = f"Bearer {token}"
    for name, value in sent.items():
        _check_header(name, value)
    if cookies:
        if any(name.lower() == "cookie" for name in sent):
            raise UsageError("cookies= and a Cookie header exclude each other; pass one of them")
        sent["Cookie"] = _cookie_header(cookies)
    return sent


def has_authorization(headers: Mapping[str, str] | None) -> bool:
    """Whether the header that would take a token is among ``headers``."""
    return any(isinstance(name, str) and name.lower() == "authorization" for name in headers or ())


def token_subprotocol(token: str) -> str:
    """The subprotocol that shows ``token`` to a kkjupyter server.

    Raises:
        UsageError: the token has characters that are not allowed there.
    """
    name = f"{TOKEN_SUBPROTOCOL}{token}"
    if not _NAME.fullmatch(name):
        raise UsageError(
            "beside an Authorization header, token= is sent as a subprotocol, and this token has "
            "characters that are not allowed there; put one of the tokens into the address: "
            "?token=..."
        )
    return name


def check_subprotocols(names: Sequence[str] | None) -> list[str]:
    """``names`` as a list, which is empty for None.

    Raises:
        UsageError: these cannot be names of subprotocols.
    """
    if names is None:
        return []
    if isinstance(names, str | bytes) or not isinstance(names, Sequence):
        raise UsageError("subprotocols must be a list of names: subprotocols=['chat']")
    for number, name in enumerate(names, start=1):
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            # The name itself may be a token.
            raise UsageError(
                f"subprotocol {number} is not a valid name: only letters, digits and "
                "!#$%&'*+-.^_`|~ are allowed"
            )
        if name in names[: number - 1]:
            raise UsageError(f"subprotocol {number} is given twice; offer each name once")
    return list(names)


def _check_header(name: Any, value: Any) -> None:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        begin = _NAME.match(name) if isinstance(name, str) else None
        which = f"the header name that begins with {begin[0]!r}" if begin else "the header name"
        raise UsageError(
            f"{which} is not valid: only letters, digits and !#$%&'*+-.^_`|~ are allowed"
        )
    if not isinstance(value, str) or re.search(r"[\r\n\0]", value):
        # The value itself may be a secret.
        raise UsageError(f"the value of header {name!r} is not one line of text")
    lowered = name.lower()
    if lowered in _OF_THE_HANDSHAKE or lowered.startswith("sec-websocket-"):
        raise UsageError(
            f"header {name!r} is part of the handshake itself; "
            f"{_INSTEAD.get(lowered, 'leave it out')}"
        )


def _cookie_header(cookies: Any) -> str:
    if not isinstance(cookies, Mapping):
        raise UsageError("cookies must be a mapping of names to values")
    return "; ".join(_cookie(name, value) for name, value in cookies.items())


def _cookie(name: Any, value: Any) -> str:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise UsageError(
            "the name of a cookie is not valid: only letters, digits and "
            "!#$%&'*+-.^_`|~ are allowed"
        )
    if not isinstance(value, str):
        raise UsageError(f"the value of cookie {name!r} must be text, not {type(value).__name__}")
    in_quotes = len(value) >= 2 and value[0] == value[-1] == '"'
    bare = value[1:-1] if in_quotes else value
    if not in_quotes and _COOKIE.fullmatch(bare):
        return f"{name}={bare}"
    if _COOKIE_IN_QUOTES.fullmatch(bare):
        return f'{name}="{bare}"'
    raise UsageError(
        f"the value of cookie {name!r} has characters that are not allowed in a cookie "
        "(semicolon, quote, backslash, line end, or not ASCII); send urllib.parse.quote(value) "
        "if the server expects that"
    )
