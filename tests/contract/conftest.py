"""One suite, every transport, protocol and codec. A new one is one more entry here."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.endpoints import Endpoint
from support.servers.buses import serve_over
from support.servers.pipes import serve_over_pipes

import kkjupyter as kk
from kkjupyter.api.in_process import serve_in_memory

SERVERS: dict[str, Callable[..., Any]] = {
    "websocket": kk.serve,
    "memory": serve_in_memory,
    "stdio": serve_over_pipes,
    "resumable": functools.partial(kk.serve, resume_s=60),
    "nats": serve_over("nats"),
    "redis": serve_over("redis"),
}
PROTOCOLS = ("classic", "compact")
CODECS = ("superjson", "json")
SPOKEN = [
    {"protocol": protocol, "codec": codec}
    for protocol, codec in itertools.product(PROTOCOLS, CODECS)
]
# Redis differs from NATS below the links of our own ends only, which carry any protocol.
ONE_ROW = {"redis": {"protocol": "compact", "codec": "superjson"}}


HERE = Path(__file__).parent


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "only(name): run on that protocol or transport alone")
    config.addinivalue_line("markers", "half: takes its time; one codec for each other pair")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the rows that ``@pytest.mark.only("compact")`` does not name.

    A resumable connection is one over WebSocket that nothing happens to.

    With ``@pytest.mark.half`` every transport and protocol meet, and every protocol and codec.
    """
    one_codec = config.getoption("--one-codec")
    items[:] = [item for item in items if _is_meant(item, one_codec)]


def _is_meant(item: pytest.Item, one_codec: bool) -> bool:
    callspec = getattr(item, "callspec", None)
    if not item.path.is_relative_to(HERE):
        return True  # another suite's, collected in the same run
    names = [mark.args[0] for mark in item.iter_markers("only")]
    half = one_codec or item.get_closest_marker("half") is not None
    if callspec is None:
        return True
    start, spoken = callspec.params.get("start"), callspec.params.get("spoken")
    if start == "resumable" and spoken and spoken["codec"] != CODECS[0]:
        return False  # it counts frames, whatever they hold
    if spoken and spoken != ONE_ROW.get(start, spoken):
        return False
    if not (names or half):
        return True
    if half and start and spoken and start not in ONE_ROW:
        place = [*SERVERS].index(start) + PROTOCOLS.index(spoken["protocol"])
        if (place + CODECS.index(spoken["codec"])) % 2:
            return False
    kinds = [(PROTOCOLS, (spoken or {}).get("protocol")), (SERVERS, start)]
    return all(
        present is None or name not in known or name == present
        for name in names
        for known, present in kinds
    )


@pytest.fixture(params=SERVERS)
def start(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Starts a server of the transport under test: ``start(obj, interceptors=...)``."""
    return SERVERS[request.param]


@pytest.fixture(params=SPOKEN, ids=lambda spoken: "-".join(spoken.values()))
def spoken(request: pytest.FixtureRequest) -> dict[str, str]:
    """What is spoken, as options of ``connect``."""
    return dict(request.param)


@pytest.fixture
def protocol(spoken: dict[str, str]) -> str:
    return spoken["protocol"]


@pytest.fixture
def endpoint() -> Endpoint:
    return Endpoint()


@pytest.fixture
def server(start: Callable[..., Any], endpoint: Endpoint) -> Iterator[Any]:
    with start(endpoint, writable=["settings"]) as server:
        yield server
        endpoint.gate.set()


@pytest.fixture
def api(server: Any, spoken: dict[str, str]) -> Iterator[kk.client.remote.Remote]:
    with server.connect(**spoken) as api:
        yield api
