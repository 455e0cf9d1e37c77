"""Telling over HTTP that one is still there, while a reply has not begun or a stream is quiet.

Silence is not a sign of death: a call may compute for an hour, a stream have an item a day. TCP's
keepalive tells of a machine that is gone, but not of a program, or of something in between, that is
frozen. So two of ours, with nothing in between that speaks HTTP, agree upon a heartbeat: the
client offers it with ``Connection: kk-heartbeat``, which a proxy must not pass on; the server says
``Connection: kk-heartbeat`` and ``Kk-Heartbeat: 15``, and from then on

- while a reply has not begun, the server sends the head of an interim reply, ``102 Processing``,
  one more byte of it every 15 s, and its end only when the reply itself begins: for a client a
  head that is complete is the end of all waiting;
- between the items of a stream it sends white space, which no JSON parser minds;
- the client sends empty lines while a stream runs, which servers skip in front of a request;
- each of them gives up when it has heard nothing for 40 s (8/3 of the interval).

Others get none of this, and hear nothing of it.
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
# Whoever adds one of these has taken the request in, and may hold back what he passes on.
_PROXY_HEADERS: Final = frozenset(("via", "forwarded", "x-forwarded-for", "x-real-ip"))


def interval_of(silence_timeout_s: float) -> float:
    """How often to beat, in seconds, for a peer that gives up after ``silence_timeout_s``."""
    return silence_timeout_s / _BEATS_PER_SILENCE


def silence_of(interval_s: float) -> float:
    """After how long without a beat to give up, in seconds."""
    return interval_s * _BEATS_PER_SILENCE


def is_offered(headers: Mapping[str, str]) -> bool:
    """Whether a request comes straight from a client that has a heartbeat."""
    return _is_named(headers) and _PROXY_HEADERS.isdisjoint(map(str.lower, headers))


def told_interval_s(headers: Mapping[str, str]) -> float | None:
    """The interval that a server's reply names, in seconds; None if it has no heartbeat."""
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
