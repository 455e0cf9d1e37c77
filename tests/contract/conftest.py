"""One suite, every transport and codec. A new transport is one more entry of SERVERS."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.endpoints import Endpoint

import kkjupyter as kk
from kkjupyter.rpc.inprocess import serve_in_memory

SERVERS: dict[str, Callable[..., Any]] = {"websocket": kk.serve, "memory": serve_in_memory}
CODECS = ("superjson", "json")


@pytest.fixture(params=SERVERS)
def start(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Starts a server of the transport under test: ``start(obj, interceptors=...)``."""
    return SERVERS[request.param]


@pytest.fixture(params=CODECS)
def codec(request: pytest.FixtureRequest) -> str:
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
def api(server: Any, codec: str) -> Iterator[kk.rpc.remote.Remote]:
    with server.connect(codec=codec) as api:
        yield api
