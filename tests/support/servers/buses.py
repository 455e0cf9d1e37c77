"""Real servers of message buses, by the kind of bus, and serving over them."""

from __future__ import annotations

import atexit
import functools
import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import kkjupyter as kk
from support.servers.broker import Broker
from support.servers.nats import NatsBroker
from support.servers.redis import RedisBroker

__all__ = ["BROKERS", "broker", "own_broker", "serve_over", "service_url"]

BROKERS: dict[str, type[Broker]] = {"nats": NatsBroker, "redis": RedisBroker}

_numbers = itertools.count(1)


@functools.cache
def broker(bus: str) -> Broker:
    """One for all tests of this process, until that ends."""
    found = BROKERS[bus]()
    atexit.register(found.kill)
    return found


@contextmanager
def own_broker(bus: str, *arguments: str) -> Iterator[Broker]:
    """One that a test may do anything to."""
    found = BROKERS[bus](*arguments)
    try:
        yield found
    finally:
        found.kill()


def service_url(bus: str, name: str = "") -> str:
    """The address of a service that nobody else uses, at the common broker."""
    return f"{broker(bus).url}/test.{name or f'n{next(_numbers)}'}"


def serve_over(bus: str) -> Callable[..., Any]:
    """As :func:`kkjupyter.serve`, on a bus."""

    def serve(obj: Any, **options: Any) -> Any:
        return kk.serve(obj, on=service_url(bus), **options)

    return serve
