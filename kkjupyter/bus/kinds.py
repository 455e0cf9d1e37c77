"""The kinds of bus, by the scheme of their addresses; a new one is one more row."""

from __future__ import annotations

from collections.abc import Callable
from ssl import SSLContext

from kkjupyter.bus.addresses import BusAddress
from kkjupyter.bus.base import Bus
from kkjupyter.bus.nats import NatsBus
from kkjupyter.bus.redis import RedisBus

__all__ = ["bus_maker"]

_KINDS: dict[str, Callable[[BusAddress, str | None, SSLContext | None], Bus]] = {
    "nats": NatsBus,
    "redis": RedisBus,
    "rediss": RedisBus,
}


def bus_maker(address: BusAddress, token: str | None, ssl: SSLContext | None) -> Callable[[], Bus]:
    """Makes connections to the broker at an address, each time it is called.

    Args:
        address: of the service.
        token: for the broker.
        ssl: how to check a broker that wants TLS.
    """
    kind = _KINDS[address.scheme]
    return lambda: kind(address, token, ssl)
