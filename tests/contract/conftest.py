"""One suite, every transport, protocol and codec. A new one is one more entry here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.endpoints import Endpoint

import kkjupyter as kk
from kkjupyter.rpc.inprocess import serve_in_memory

SERVERS: dict[str, Callable[..., Any]] = {"websocket": kk.serve, "memory": serve_in_memory}
PROTOCOLS = ("classic",)
CODECS = ("superjson", "json")


@pytest.fixture(params=SERVERS)
def start(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Starts a server of the transport under test: ``start(obj, interceptors=...)``."""
    return SERVERS[request.param]


@pytest.fixture(params=CODECS)
def codec(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=PROTOCOLS)
def protocol(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def endpoint() -> Endpoint:
    return Endpoint()


@pytest.fixture
def server(start: Callable[..., Any], endpoint: Endpoint) -> Iterator[Any]:
    with start(endpoint) as server:
        yield server
        endpoint.gate.set()


@pytest.fixture
def api(server: Any, protocol: str, codec: str) -> Iterator[kk.rpc.remote.Remote]:
    with server.connect(protocol=protocol, codec=codec) as api:
        yield api
