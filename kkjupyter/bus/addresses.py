"""Addresses of services on a bus, as users write them: ``nats://127.0.0.1:4222/lab.models``."""

from __future__ import annotations

import dataclasses
import re
from urllib.parse import parse_qsl, unquote, urlsplit

from kkjupyter.errors import UsageError, did_you_mean

__all__ = ["BusAddress", "is_bus_address", "parse_bus_address"]

_PEERS = ("peer_id", "remote_peer_id")


@dataclasses.dataclass(frozen=True, slots=True)
class _Kind:
    example: str
    default_name: str
    parameters: tuple[str, ...]
    extra_letters: str = ""
    has_many_brokers: bool = False


_NATS = _Kind(
    "nats://127.0.0.1:4222/lab.models",
    "kkrpc.messages",
    (*_PEERS, "creds"),
    has_many_brokers=True,
)
_REDIS = _Kind("redis://127.0.0.1:6379/lab.models", "kkrpc-stream", (*_PEERS, "db"), ":")
_KINDS = {"nats": _NATS, "redis": _REDIS, "rediss": _REDIS}
# Wildcards would be somebody else's service, too.
_LETTERS = r"A-Za-z0-9_\-"


@dataclasses.dataclass(frozen=True, slots=True)
class BusAddress:
    """Where a service is.

    Attributes:
        scheme: tells the kind of bus.
        brokers: their addresses, with the credentials that stand in them.
        name: of the service, on the bus.
        peer_id: what this side calls itself to kkrpc's own peers; empty if that does not matter.
        remote_peer_id: what the other side calls itself; empty for whoever answers first.
        credentials: a file with the user's credentials, if any.
        secrets: what stands in the address and must never be seen.
        shown: the address without secrets.
        database: the number of the database, where a broker has several.
    """

    scheme: str
    brokers: tuple[str, ...] = dataclasses.field(repr=False)
    name: str
    peer_id: str
    remote_peer_id: str
    credentials: str
    secrets: tuple[str, ...] = dataclasses.field(repr=False)
    shown: str
    database: int = 0


def is_bus_address(target: object) -> bool:
    """Whether this is the address of a service on a bus."""
    scheme, colon, _ = target.partition("://") if isinstance(target, str) else ("", "", "")
    return bool(colon) and scheme.lower() in _KINDS


def parse_bus_address(url: str) -> BusAddress:
    """Take an address apart.

    Raises:
        UsageError: it is not valid; the text shows no secret.
    """
    scheme = url.partition("://")[0].lower()
    kind = _KINDS[scheme]
    example = kind.example
    try:
        parts = urlsplit(url)
        user, at, hosts = parts.netloc.rpartition("@")
        single = [urlsplit(f"//{host}") for host in hosts.split(",")]
        is_right = all(one.hostname and (one.port is None or one.port) for one in single)
    except ValueError:  # brackets that do not match, a port that is not a number
        is_right = False
    if not is_right:
        raise UsageError(f"this {scheme}:// address names no broker; it looks like {example!r}")
    name = unquote(parts.path.strip("/")) or kind.default_name
    shown = f"{scheme}://{hosts}/{name}"
    if len(single) > 1 and not kind.has_many_brokers:
        raise UsageError(f"{shown}: a {scheme}:// address names one broker")
    letters = f"[{_LETTERS}{kind.extra_letters}]+"
    if not re.fullmatch(rf"{letters}(\.{letters})*", name):
        raise UsageError(
            f"{shown}: the name of a service has letters, digits, '_', '-' and single dots; it "
            f"looks like {example!r}"
        )
    if kind is _REDIS and name.isdigit():
        raise UsageError(
            f"{shown}: {name} is not a service; the number of a database stands in ?db={name}, "
            f"and the address looks like {example!r}"
        )
    if parts.fragment:
        raise UsageError(f"{shown}: the part after '#' has no meaning here; leave it out")
    given = dict(parse_qsl(parts.query, keep_blank_values=True))
    for parameter in given:
        if parameter not in kind.parameters:
            raise UsageError(
                f"{shown}: there is no parameter {parameter!r}"
                f"{did_you_mean(parameter, list(kind.parameters))}"
            )
    database = given.get("db", "0")
    if not (database.isascii() and database.isdigit()):
        raise UsageError(f"{shown}: db= is the number of a database, not {database!r}")
    return BusAddress(
        scheme=scheme,
        brokers=tuple(f"{scheme}://{user}{at}{host}" for host in hosts.split(",")),
        name=name,
        peer_id=given.get("peer_id", ""),
        remote_peer_id=given.get("remote_peer_id", ""),
        credentials=given.get("creds", ""),
        secrets=(unquote(user.rpartition(":")[2]),) if user else (),
        shown=f"{shown}?db={database}" if int(database) else shown,
        database=int(database),
    )
