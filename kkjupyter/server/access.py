"""Access to a server: checks of token, host and web origin, the same for every listener."""

from __future__ import annotations

import dataclasses
import functools
import hmac
import http
import ipaddress
import secrets
import socket
from collections.abc import Callable, Iterable, Sequence
from urllib.parse import parse_qs, unquote_plus, urlsplit

from kkjupyter.errors import UsageError
from kkjupyter.plaintext import one_line
from kkjupyter.transports.websocket.client import is_loopback

__all__ = ["AccessPolicy", "Rejection", "Visit", "bearer_tokens", "make_token", "query_tokens"]

Rejection = tuple[http.HTTPStatus, str]
"""With what a client is turned away: a status, and a line of text for whoever reads it."""

_ONCE = ("Host", "Origin", "Sec-Fetch-Site", "Sec-Fetch-Mode")
_SHOWN_CHARS = 100
_LONG_TOKEN_CHARS = 16


@dataclasses.dataclass(frozen=True, slots=True)
class Visit:
    """The origin and the tokens of a request.

    Attributes:
        headers: all that came under each name that the policy looks at.
        tokens: all that it shows.
    """

    headers: dict[str, list[str]]
    tokens: list[str]

    @classmethod
    def of(
        cls, get_all: Callable[[str], list[str]], path: str, more_tokens: Iterable[str] = ()
    ) -> Visit:
        """The visit of a request.

        Args:
            get_all: all values of a header; an empty list if there is none.
            path: the requested path, with its query.
            more_tokens: tokens from other places.
        """
        tokens = [*bearer_tokens(get_all("Authorization")), *query_tokens(path), *more_tokens]
        return cls({name: get_all(name) for name in _ONCE}, tokens)

    @property
    def doubled(self) -> str:
        """The name of a header that is repeated and must not be; else empty."""
        return next((name for name, values in self.headers.items() if len(values) > 1), "")

    def header(self, name: str) -> str | None:
        """The only value of a header; None if it is missing or repeated."""
        values = self.headers[name]
        return values[0].strip() if len(values) == 1 else None

    @property
    def origin(self) -> str | None:
        """The origin of the page that it comes from, if the browser says so; else None."""
        return self.header("Origin")


class AccessPolicy:
    """The checks of who may call one server.

    A token keeps strangers out, and web pages, too, because no page knows it. Besides, a page's
    origin must be allowed if the browser sends it. Without a token there are more checks. If the
    browser does not send the origin (images, links, old forms), the request must not come from
    another site. And only requests for this server's names are answered, because a page that has
    pointed its own name here (DNS rebinding) asks for that name.

    Args:
        host: the address that the server listens on.
        token: the secret that clients must send; None to admit everybody.
        origins: web origins whose pages may connect, besides the server's own; ``"*"`` for all.
        hosts: further names by which clients may address it; ``"*"`` for all. The hosts of
            ``origins`` are included.
    """

    def __init__(
        self,
        host: str,
        token: str | None,
        origins: Sequence[str] = (),
        hosts: Sequence[str] = (),
    ) -> None:
        for option, given in (("origins", origins), ("hosts", hosts)):
            if isinstance(given, str):
                raise UsageError(f"{option} takes a list, even for one entry: [{given!r}]")
        self.token = token
        self._host = host
        self._origins = frozenset(origins)
        self._is_local = is_loopback(host)
        names = {_plain_host(host), *map(_plain_host, hosts), *map(_host_of_origin, origins)}
        self._hosts = names - {""}
        self._any_host = "*" in hosts or "*" in origins

    @property
    def warning(self) -> str:
        """A warning if there is no token, else empty."""
        if self.token is not None:
            return ""
        if self._is_local:
            return (
                "no token: every program of every user on this machine can call this, and so can "
                "web pages served from this machine"
            )
        return (
            "no token: everybody on the network can call this, and so can web pages that their "
            "browsers show"
        )

    def rejection(self, visit: Visit) -> Rejection | None:
        """Why a client may not come in; None if it may."""
        reason = self.page_rejection(visit)
        # All are looked at, so that the time tells nothing of which was right.
        if reason is None and self.token is not None and not sum(map(self.is_token, visit.tokens)):
            return http.HTTPStatus.UNAUTHORIZED, "token missing or wrong\n"
        return reason

    def page_rejection(self, visit: Visit) -> Rejection | None:
        """As :meth:`rejection`, of one that need not show a token yet: a preflight."""
        if name := visit.doubled:
            return http.HTTPStatus.BAD_REQUEST, f"{name} came more than once\n"
        host, origin = visit.header("Host"), visit.origin
        if host is not None and not self.admits_host(host):
            shown = one_line(host[:_SHOWN_CHARS])
            text = f"this server does not answer to the name {shown}; its owner can allow it: "
            return http.HTTPStatus.FORBIDDEN, f"{text}hosts=[...]\n"
        if origin is not None and not self.admits_origin(origin):
            shown = one_line(origin[:_SHOWN_CHARS])
            return http.HTTPStatus.FORBIDDEN, f"pages of {shown} may not connect here\n"
        if self.token is None and origin is None and self._is_from_another_site(visit):
            return http.HTTPStatus.FORBIDDEN, "pages of other sites may not call this\n"
        return None

    def is_token(self, shown: str) -> bool:
        """Whether ``shown`` is this server's token; takes the same time for any text."""
        expected = (self.token or "").encode(errors="replace")
        is_equal = hmac.compare_digest(shown.encode(errors="replace"), expected)
        return is_equal and self.token is not None

    def without_token(self, query: str) -> str:
        """``query`` of a URL without parameters that contain this server's token.

        The handler of a call could repeat it. Names and values are compared after decoding. Other
        parameters with that name belong to the API; but a token that cannot be a common word is
        removed under any name. A part after ``#`` does not belong to a query and is removed, too.
        """
        if self.token is None:
            return query
        pairs = query.partition("#")[0].split("&")
        return "&".join([pair for pair in pairs if not self._shows_token(pair)])

    def _shows_token(self, pair: str) -> bool:
        if any(map(self.is_token, query_tokens(f"?{pair}"))):
            return True
        token = self.token or ""
        return len(token) >= _LONG_TOKEN_CHARS and token in unquote_plus(pair)

    def admits_origin(self, origin: str) -> bool:
        """Whether pages of ``origin`` may connect; loopback pages may, pages of other sites may
        not.
        """
        if origin in self._origins or "*" in self._origins:
            return True
        host = _host_of_origin(origin)
        return host == self._host or (is_loopback(host) and self._is_local)

    def admits_host(self, host: str) -> bool:
        """Whether ``host``, as a request has it, is a name of this server.

        With a token any name is accepted, because proxies and tunnels use names that are unknown
        here. Without one, the loopback names are accepted on loopback; elsewhere addresses, because
        no page can own one, and this machine's own names.
        """
        if self._any_host or self.token is not None:
            return True
        name = _plain_host(host)
        if name in self._hosts or (self._is_local and is_loopback(name)):
            return True
        return not self._is_local and (_is_address(name) or name in _names_of_this_machine())

    def _is_from_another_site(self, visit: Visit) -> bool:
        """Whether the browser says so, for a request without an origin."""
        match visit.header("Sec-Fetch-Site"):
            case None | "none" | "same-origin":  # not a browser, its user, or our own page
                return False
            case "same-site":  # another port of this machine, whose pages may always call
                return not (self._is_local and visit.header("Sec-Fetch-Mode") == "navigate")
        return True


def make_token(host: str, token: str | bool, *, insecure: bool) -> str | None:
    """The secret for a new server.

    Args:
        host: the address that it will listen on.
        token: a string is the secret, True makes one, False means no token.
        insecure: whether to allow no token even if others can reach it.

    Raises:
        UsageError: the server would be unprotected, and ``insecure`` is not set.
    """
    if isinstance(token, str) and not token:
        raise UsageError("an empty token protects nothing; pass token=False to serve without one")
    if token is False and not is_loopback(host) and not insecure:
        raise UsageError(
            f"serving on {host} without a token lets everybody on the network call it; "
            "leave the token on, or also pass insecure=True (--insecure in a shell) as well"
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


def _host_of_origin(origin: str) -> str:
    try:
        return urlsplit(origin).hostname or ""
    except ValueError:  # brackets that do not match
        return ""


def _plain_host(host: str) -> str:
    """``host`` without port and brackets, as names are compared; empty if it is malformed."""
    if host.count(":") > 1 and not host.startswith("["):  # an address of IPv6
        return host
    try:
        parts = urlsplit(f"//{host}")
        name = parts.hostname or ""
    except ValueError:
        return ""
    is_more = "@" in host or parts.path or parts.query or parts.fragment
    return "" if is_more else name.removesuffix(".")


def _is_address(name: str) -> bool:
    try:
        return not ipaddress.ip_address(name).is_unspecified
    except ValueError:
        return False


@functools.cache
def _names_of_this_machine() -> frozenset[str]:
    name = socket.gethostname().lower()
    return frozenset({"localhost", name, f"{name}.local"})
