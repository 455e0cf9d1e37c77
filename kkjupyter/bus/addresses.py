"""Addresses of services on a bus, as users write them: ``nats://127.0.0.1:4222/lab.models``."""

from __future__ import annotations

import dataclasses
import re
from urllib.parse import parse_qsl, unquote, urlsplit

from kkjupyter.errors import UsageError, did_you_mean

__all__ = ["BusAddress", "is_bus_address", "parse_bus_address"]

_DEFAULT_NAMES = {"nats": "kkrpc.messages"}
_PARAMETERS = ("peer_id", "remote_peer_id", "creds")
# What every kind of bus takes in a name; wildcards would be somebody else's service, too.
_NAME = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")


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
    """

    scheme: str
    brokers: tuple[str, ...] = dataclasses.field(repr=False)
    name: str
    peer_id: str
    remote_peer_id: str
    credentials: str
    secrets: tuple[str, ...] = dataclasses.field(repr=False)
    shown: str


def is_bus_address(target: object) -> bool:
    """Whether this is the address of a service on a bus."""
    scheme, colon, _ = target.partition("://") if isinstance(target, str) else ("", "", "")
    return bool(colon) and scheme.lower() in _DEFAULT_NAMES


def parse_bus_address(url: str) -> BusAddress:
    """Take an address apart.

    Raises:
        UsageError: it is not valid; the text shows no secret.
    """
    example = "nats://127.0.0.1:4222/lab.models"
    try:
        parts = urlsplit(url)
        user, at, hosts = parts.netloc.rpartition("@")
        single = [urlsplit(f"//{host}") for host in hosts.split(",")]
        is_right = all(one.hostname and (one.port is None or one.port) for one in single)
    except ValueError:  # brackets that do not match, a port that is not a number
        is_right = False
    scheme = url.partition("://")[0].lower()
    if not is_right:
        raise UsageError(f"this {scheme}:// address names no broker; it looks like {example!r}")
    name = unquote(parts.path.strip("/")) or _DEFAULT_NAMES[scheme]
    shown = f"{scheme}://{hosts}/{name}"
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{shown}: the name of a service has letters, digits, '_', '-' and single dots; it "
            f"looks like {example!r}"
        )
    if parts.fragment:
        raise UsageError(f"{shown}: the part after '#' has no meaning here; leave it out")
    given = dict(parse_qsl(parts.query, keep_blank_values=True))
    for parameter in given:
        if parameter not in _PARAMETERS:
            raise UsageError(
                f"{shown}: there is no parameter {parameter!r}"
                f"{did_you_mean(parameter, list(_PARAMETERS))}"
            )
    return BusAddress(
        scheme=scheme,
        brokers=tuple(f"{scheme}://{user}{at}{host}" for host in hosts.split(",")),
        name=name,
        peer_id=given.get("peer_id", ""),
        remote_peer_id=given.get("remote_peer_id", ""),
        credentials=given.get("creds", ""),
        secrets=(unquote(user.rpartition(":")[2]),) if user else (),
        shown=shown,
    )
