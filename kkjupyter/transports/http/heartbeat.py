"""A heartbeat over HTTP, for the time before a reply begins or while a stream is quiet.

Silence does not mean that a peer is gone: a call may compute for an hour, and a stream may have one
item a day. TCP's keepalive notices a machine that is gone, but not a frozen program or a frozen
machine in between. So two kkjupyter peers with nothing in between that speaks HTTP agree on a
heartbeat: the client offers it with ``Connection: kk-heartbeat``, which a proxy must not pass on;
the server answers ``Connection: kk-heartbeat`` and ``Kk-Heartbeat: 15``, and from then on

- while a reply has not begun, the server sends the head of an interim reply, ``102 Processing``,
  one more byte of it every 15 s, and its end only when the reply itself begins, because a client
  stops waiting at a complete head;
- between the items of a stream it sends white space, which JSON parsers ignore;
- while a stream runs, the client sends empty lines, which servers skip before a request;
- each side gives up after 40 s of silence (8/3 of the interval).

Other peers neither send nor receive any of this.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = [
    "CLIENT_BEAT",
    "INTERIM_BEAT",
    "INTERIM_BEGINNING",
    "INTERIM_END",
    "NAME",
    "interval_of",
    "is_offered",
    "silence_of",
    "told_interval_s",
]

NAME: Final = "kk-heartbeat"
"""An option of ``Connection``, and the name of a header."""

INTERIM_BEGINNING: Final = b"HTTP/1.1 102 Processing\r\nKk-Heartbeat: "
"""What a server sends first, while a reply has not begun."""

INTERIM_BEAT: Final = b"."
"""What follows that."""

INTERIM_END: Final = b"\r\n\r\n"
"""What ends that, right before the head of the reply."""

CLIENT_BEAT: Final = b"\r\n"
"""What a client sends while a stream runs."""

_BEATS_PER_SILENCE: Final = 8 / 3
# A proxy that adds one of these has read the request, and may hold back what it passes on.
_PROXY_HEADERS: Final = frozenset(("via", "forwarded", "x-forwarded-for", "x-real-ip"))


def interval_of(silence_timeout_s: float) -> float:
    """How often to beat, in seconds, for a peer that gives up after ``silence_timeout_s``."""
    return silence_timeout_s / _BEATS_PER_SILENCE


def silence_of(interval_s: float) -> float:
    """How long to wait for a beat before giving up, in seconds."""
    return interval_s * _BEATS_PER_SILENCE


def is_offered(headers: Mapping[str, str]) -> bool:
    """Whether a request comes directly from a client that offers a heartbeat."""
    return _is_named(headers) and _PROXY_HEADERS.isdisjoint(map(str.lower, headers))


def told_interval_s(headers: Mapping[str, str]) -> float | None:
    """The interval that a server's reply names, in seconds; None without a heartbeat."""
    if not _is_named(headers):
        return None
    try:
        interval_s = float(headers.get(NAME, ""))
    except ValueError:
        return None
    return interval_s if 0.01 <= interval_s <= 3600 else None


def _is_named(headers: Mapping[str, str]) -> bool:
    options = headers.get("Connection")
    if options is None or options == NAME:  # nearly always
        return options is not None
    return NAME in [option.strip().lower() for option in options.split(",")]
