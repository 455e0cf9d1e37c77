"""kkrpc 0.2.2, from npm: an older peer that knows no streams."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from support.peers.lines import calling, connected
from support.peers.node import NODE_DIR, Line, NodeClient, NodeError, NodeServer, find_node

import kkjupyter as kk
from kkjupyter.client.remote import Remote


class Error(Exception):
    """JavaScript's own, by name."""


def fail() -> None:
    raise Error("went wrong")


async def countdown(start: int) -> AsyncIterator[int]:
    for i in range(start, -1, -1):
        yield i


async def on_progress(count: int, callback: Callable[[int, int], Any]) -> str:
    for i in range(1, count + 1):
        callback(i, count)
        await asyncio.sleep(0)
    return "done"


OUR_API = {
    "add": lambda a, b: a + b,
    "echo": lambda value: value,
    "math": {"grade1": {"add": lambda a, b: a + b}},
    "fail": fail,
    "countdown": countdown,
    "onProgress": on_progress,
}


def test_it_is_the_version_it_should_be() -> None:
    find_node()
    package = json.loads((NODE_DIR / "node_modules" / "kkrpc" / "package.json").read_text())
    assert package["version"] == "0.2.2"


# ---- it is the client, we serve


@pytest.fixture(scope="module", params=["superjson", "json", "json, resumable"])
def client(request: pytest.FixtureRequest) -> Iterator[NodeClient]:
    """Also of a server that resumes the connections of clients that know of it."""
    codec, _, is_resumable = request.param.partition(", ")
    with (
        kk.serve(OUR_API, token=False, resume_s=60 if is_resumable else None) as server,
        NodeClient(server.url, Line("npm", "websocket", codec)) as node,
    ):
        yield node


def test_it_calls_us(client: NodeClient) -> None:
    assert client.run("return await api.add(1, 2)") == 3
    assert client.run("return await api.math.grade1.add(40, 2)") == 42
    value = {"a": [1, "é😀\u2028", None, {"b": True}]}
    assert client.run(f"return await api.echo({json.dumps(value)})") == value


def test_many_calls_at_once(client: NodeClient) -> None:
    script = "return await Promise.all(Array.from({length: 200}, (_, i) => api.add(i, i)))"
    assert client.run(script) == [2 * i for i in range(200)]


def test_it_gets_our_errors(client: NodeClient) -> None:
    # An error is an object since a later version; this one expects text and shows the object.
    with pytest.raises(NodeError, match="object Object"):
        client.run("await api.fail()")
    with pytest.raises(NodeError, match="Method nothing is not a function"):
        client.run("await api.nothing()")


def test_we_call_its_functions_back(client: NodeClient) -> None:
    script = """
        const calls = [];
        const result = await api.onProgress(3, (i, n) => { calls.push([i, n]) });
        await until(() => calls.length === 3);
        return [result, calls];
    """
    assert client.run(script) == ["done", [[1, 3], [2, 3], [3, 3]]]


def test_a_stream_is_the_marker_object_to_it(client: NodeClient) -> None:
    """The guide: older consumers that don't understand streaming receive the marker object."""
    assert client.run("return await api.countdown(5)") == {"__stream": True}
    # The chunks that follow do it no harm.
    assert client.run("await sleep(20); return await api.add(1, 2)") == 3


@pytest.mark.parametrize("transport", ["stdio", "http"])
def test_it_calls_us_over(transport: str) -> None:
    with calling(Line("npm", transport, "superjson")) as node:
        assert node.run("return await api.math.grade1.add(40, 2)") == 42


# ---- it serves, we are the client


@pytest.fixture(scope="module", params=["superjson", "json"])
def server(request: pytest.FixtureRequest) -> Iterator[NodeServer]:
    with NodeServer(Line("npm", "websocket", request.param)) as node:
        yield node


TOLD: dict[str, dict[str, Any]] = {
    "found out": {},
    "protocol told": {"protocol": "classic"},
    "superjson told": {"codec": "superjson"},
    "all told": {"protocol": "classic", "codec": "json"},
}


@pytest.fixture(scope="module", params=TOLD.values(), ids=TOLD)
def api(server: NodeServer, request: pytest.FixtureRequest) -> Iterator[Remote]:
    remote = kk.connect(server.url, **request.param)
    yield remote
    kk.close(remote)


def test_what_it_speaks(api: Remote, server: NodeServer) -> None:
    (connection,) = [c for c in kk.status().connections if c.url == server.url]
    assert connection.protocol == "classic"


def test_we_call_it(api: Remote) -> None:
    async def client() -> Any:
        return await api.add(1, 2)

    assert api.add(1, 2).result() == asyncio.run(client()) == 3
    assert api.math.grade1.add(40, 2).result() == 42
    value = {"a": [1, "é😀\u2028", None, {"b": True}]}
    assert api.echo(value).result() == value


def test_we_get_its_errors(api: Remote) -> None:
    with pytest.raises(kk.RemoteError) as caught:
        api.fail().result()
    assert caught.value.message == "bad type"
    with pytest.raises(kk.RemoteError, match="nothing"):
        api.nothing().result()


def test_it_calls_our_functions_back(api: Remote) -> None:
    calls: list[tuple[int, int]] = []
    assert api.onProgress(3, lambda i, n: calls.append((i, n))).result() == "done"
    assert calls == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize("transport", ["stdio", "http"])
def test_we_call_it_over(transport: str) -> None:
    with connected(Line("npm", transport, "superjson")) as remote:
        assert remote.math.grade1.add(40, 2).result() == 42
