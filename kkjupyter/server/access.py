"""Who may come in: token, host and web origin, checked alike by every server that listens."""

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
    """What a request says of where it comes from, and what it shows.

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
        """That of a request.

        Args:
            get_all: all values of a header; an empty list if there is none.
            path: as asked for, with its query.
            more_tokens: what it shows elsewhere.
        """
        tokens = [*bearer_tokens(get_all("Authorization")), *query_tokens(path), *more_tokens]
        return cls({name: get_all(name) for name in _ONCE}, tokens)

    @property
    def doubled(self) -> str:
        """The name of a header that came several times and must not; else empty."""
        return next((name for name, values in self.headers.items() if len(values) > 1), "")

    def header(self, name: str) -> str | None:
        """The one value of a header; None if there is none, or more than one."""
        values = self.headers[name]
        return values[0].strip() if len(values) == 1 else None

    @property
    def origin(self) -> str | None:
        """Whose page it comes from, as a browser says; None if it does not say."""
        return self.header("Origin")


class AccessPolicy:
    """The checks of who may call one server.

    A token keeps strangers out, and pages with them: no page knows it. Besides, a page's origin
    must be admitted where the browser tells it. Without a token, more is looked at. Where the
    browser does not tell the origin (images, links, forms of old), the request must not come from
    another site; and only names of this server are answered, as a page that has made its own name
    point here (DNS rebinding) asks for that name.

    Args:
        host: where the server listens.
        token: the secret clients must show; None for everybody.
        origins: web origins whose pages may connect, besides the server's own; ``"*"`` for all.
        hosts: names by which clients may ask for it, besides; ``"*"`` for all. Those of ``origins``
            are among them.
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
                raise UsageError(f"{option} takes a list, also for a single one: [{given!r}]")
        self.token = token
        self._host = host
        self._origins = frozenset(origins)
        self._is_local = is_loopback(host)
        names = {_plain_host(host), *map(_plain_host, hosts), *map(_host_of_origin, origins)}
        self._hosts = names - {""}
        self._any_host = "*" in hosts or "*" in origins

    @property
    def warning(self) -> str:
        """What it means that there is no token; empty if there is one."""
        if self.token is not None:
            return ""
        if self._is_local:
            return (
                "no token: every program of every user on this machine can call this, and so can "
                "every web page that comes from a port of this machine"
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
            text = f"nothing is served as {shown}; whoever serves it can allow that name: "
            return http.HTTPStatus.FORBIDDEN, f"{text}hosts=[...]\n"
        if origin is not None and not self.admits_origin(origin):
            shown = one_line(origin[:_SHOWN_CHARS])
            return http.HTTPStatus.FORBIDDEN, f"pages of {shown} may not connect here\n"
        if self.token is None and origin is None and self._is_from_another_site(visit):
            return http.HTTPStatus.FORBIDDEN, "pages of other sites may not call this\n"
        return None

    def is_token(self, shown: str) -> bool:
        """Whether ``shown`` is this server's token; takes the same time whatever is shown."""
        expected = (self.token or "").encode(errors="replace")
        is_equal = hmac.compare_digest(shown.encode(errors="replace"), expected)
        return is_equal and self.token is not None

    def without_token(self, query: str) -> str:
        """``query``, a URL's, without parameters that show this server's token.

        The handler of a call could repeat it. Names and values are compared as decoded. Other
        parameters of that name are the API's own; but a token that nobody takes for a word is
        taken out under any name. What follows ``#`` is no part of a query, and goes, too.
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
        """A page of another site could use the visitor's network position; loopback pages may."""
        if origin in self._origins or "*" in self._origins:
            return True
        host = _host_of_origin(origin)
        return host == self._host or (is_loopback(host) and self._is_local)

    def admits_host(self, host: str) -> bool:
        """Whether ``host``, as a request has it, is a name of this server.

        With a token any is, as proxies and tunnels give it names that nobody here knows. Without,
        on loopback those of loopback are; elsewhere addresses, as no page can make one its own, and
        this machine's own names.
        """
        if self._any_host or self.token is not None:
            return True
        name = _plain_host(host)
        if name in self._hosts or (self._is_local and is_loopback(name)):
            return True
        return not self._is_local and (_is_address(name) or name in _names_of_this_machine())

    def _is_from_another_site(self, visit: Visit) -> bool:
        """Whether a browser says so of a request whose origin it does not tell."""
        match visit.header("Sec-Fetch-Site"):
            case None | "none" | "same-origin":  # no browser, or its user, or our own page
                return False
            case "same-site":  # another port of this machine, where pages may call in any case
                return not (self._is_local and visit.header("Sec-Fetch-Mode") == "navigate")
        return True


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
