"""Who may come in: the token and the web origin, checked alike by every server that listens."""

from __future__ import annotations

import hmac
import http
import secrets
from collections.abc import Iterable, Sequence
from urllib.parse import parse_qs, urlsplit

from kkjupyter.errors import UsageError
from kkjupyter.transports.connecting import is_loopback

__all__ = ["Door", "Turned", "bearer_tokens", "make_token", "query_tokens"]

Turned = tuple[http.HTTPStatus, str]
"""With what a client is turned away: a status, and a line of text for whoever reads it."""


class Door:
    """The checks at one server's door.

    Args:
        host: where the server listens.
        token: the secret clients must show; None for everybody.
        origins: web origins whose pages may connect, besides the server's own; ``"*"`` for all.
    """

    def __init__(self, host: str, token: str | None, origins: Sequence[str] = ()) -> None:
        self.token = token
        self._host = host
        self._origins = frozenset(origins)

    def turn_away(self, origin: str | None, tokens: Iterable[str]) -> Turned | None:
        """Why a client may not come in; None if it may.

        Args:
            origin: what a browser says whose page this is; None from others.
            tokens: all that the client shows.
        """
        if origin is not None and not self.admits_origin(origin):
            return http.HTTPStatus.FORBIDDEN, f"pages of {origin} may not connect here\n"
        # All are looked at, so that the time tells nothing of which was right.
        if self.token is not None and sum(map(self.is_token, tokens)) == 0:
            return http.HTTPStatus.UNAUTHORIZED, "token missing or wrong\n"
        return None

    def is_token(self, shown: str) -> bool:
        """Whether ``shown`` is this server's token; takes the same time whatever is shown."""
        expected = (self.token or "").encode(errors="replace")
        is_equal = hmac.compare_digest(shown.encode(errors="replace"), expected)
        return is_equal and self.token is not None

    def without_token(self, query: str) -> str:
        """``query``, a URL's, without parameters that show this server's token.

        The handler of a call could repeat it. Other parameters of that name are the API's own.
        """
        if self.token is None:
            return query
        pairs = query.split("&")
        return "&".join([pair for pair in pairs if not self._shows_token(pair)])

    def _shows_token(self, pair: str) -> bool:
        return any(map(self.is_token, query_tokens(f"?{pair}")))

    def admits_origin(self, origin: str) -> bool:
        """A page of another site could use the visitor's network position; loopback pages may."""
        if origin in self._origins or "*" in self._origins:
            return True
        try:
            host = urlsplit(origin).hostname or ""
        except ValueError:  # brackets that do not match
            return False
        return host == self._host or (is_loopback(host) and is_loopback(self._host))


def make_token(host: str, token: str | bool, *, insecure: bool) -> str | None:
    """The secret of a server to be.

    Args:
        host: where it will listen.
        token: a string is the secret, True makes one, False means none.
        insecure: whether none is meant also where others can reach it.

    Raises:
        UsageError: it would protect nothing, and nobody said that this is meant.
    """
    if isinstance(token, str) and not token:
        raise UsageError("an empty token protects nothing; token=False says so openly")
    if token is False and not is_loopback(host) and not insecure:
        raise UsageError(
            f"serving on {host} without a token lets everybody on the network call it; "
            "leave the token on, or say insecure=True (--insecure in a shell) as well"
        )
    return token if isinstance(token, str) else secrets.token_urlsafe(24) if token else None


def bearer_tokens(authorization_headers: Iterable[str]) -> list[str]:
    """The tokens in ``Authorization: Bearer ...`` headers."""
    tokens: list[str] = []
    for header in authorization_headers:
        scheme, _, value = header.partition(" ")
        if scheme.lower() == "bearer":
            tokens.append(value.strip())
    return tokens


def query_tokens(path: str) -> list[str]:
    """The tokens in ``?token=...`` of a request's path."""
    return parse_qs(path.partition("?")[2]).get("token", [])
