"""kkrpc 2.1.0 over message buses, in both roles, and where several share a name."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from support.peers.node import BusNode, bus_bundles
from support.servers.buses import broker, service_url
from support.waiting import until

import kkjupyter as kk
from kkjupyter.bus import kkrpc_peer

NAMES = itertools.count(1)


def their(url: str, role: str, own_id: str, remote_id: str = "") -> BusNode:
    bus = url.partition(":")[0]
    return BusNode(bus, broker(bus).url, url.rpartition("/")[2], role, own_id, remote_id)


@pytest.fixture(params=bus_bundles())
def url(request: pytest.FixtureRequest) -> str:
    return service_url(request.param, f"peers{next(NAMES)}")


# ---- they serve


@pytest.fixture(params=["", "client"], ids=["to everybody", "to one client"])
def api(url: str, request: pytest.FixtureRequest) -> Iterator[kk.client.remote.Remote]:
    query = f"?peer_id={request.param}" if request.param else ""
    with their(url, "server", "server", request.param), kk.connect(url + query) as remote:
        yield remote


def test_our_client_calls_their_server(api: Any) -> None:
    assert (api._kk_session.protocol, api._kk_session.codec) == ("compact", "json")
    assert api.add(2, 3).result(timeout_s=20) == 5
    assert list(api.countdown(200)) == [*range(200, -1, -1)]
    assert api["sum"](iter(range(300))).result(timeout_s=20) == sum(range(300))
    seen: list[Any] = []
    api.onProgress(3, lambda i, n: seen.append(i)).result(timeout_s=20)
    assert seen == [1, 2, 3]
    with pytest.raises(kk.RemoteError, match="not wanted"):
        api.refuseStream(iter([1])).result(timeout_s=20)


def test_a_break_ends_their_producer(api: Any) -> None:
    with api.tokens(1_000_000) as call:
        assert next(iter(call)) == "tok0"
    until(lambda: len({api.produced().result() for _ in range(5)}) == 1)
    assert api.produced().result() < 1000


def test_their_server_that_is_killed_is_noticed(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """On NATS when it is asked for the first time; Redis does not tell that nobody reads."""
    monkeypatch.setattr(kkrpc_peer, "ASK_S", 2.0)
    monkeypatch.setattr(kkrpc_peer, "SILENCE_S", 6.0)
    with their(url, "server", "server") as node, kk.connect(url) as api:
        assert api.add(1, 2).result(timeout_s=20) == 3
        stream = iter(api.tokens(1_000_000))
        next(stream)
        node.close()
        with pytest.raises(kk.ConnectionLost, match=r"server (is gone|gave no sign of life)"):
            for _ in stream:
                pass


# ---- they call


class Api:
    """What their client calls."""

    def __init__(self, name: str = "") -> None:
        self.name = name
        self.ended = 0

    def whoami(self) -> str:
        return self.name

    async def count(self, to: int) -> AsyncIterator[str]:
        try:
            for i in range(to):
                yield f"{self.name} {i}"
                if i % 16 == 0:
                    await asyncio.sleep(0)
        finally:
            self.ended += 1

    async def total(self, numbers: AsyncIterable[int]) -> int:
        return sum([number async for number in numbers])

    async def tell(self, count: int, function: Callable[[int], Any]) -> str:
        for i in range(count):
            await function(i)
        return "told"


SOME = """
const called = [];
for (let i = 0; i < 40; i++) called.push(await api.whoami());
const streams = [];
for (let i = 0; i < 20; i++) streams.push(await read(api.count(70)));
const sums = [];
for (let i = 0; i < 20; i++)
  sums.push(await api.total((async function* () { for (let n = 0; n < 60; n++) yield n; })()));
const told = [];
for (let i = 0; i < 10; i++) {
  const heard = [];
  await api.tell(5, (n) => void heard.push(n));
  await sleep(20);
  told.push(heard.join());
}
for (let i = 0; i < 5; i++) for await (const _ of await api.count(100000)) break;
return { called, streams, sums, told };
"""


def test_their_clients_share_our_workers_and_nothing_goes_wrong(url: str) -> None:
    """With workers of theirs, 12 of 60 streams are whole and no sum is right."""
    apis = [Api(f"w{number}") for number in range(3)]
    with ExitStack() as stack:
        for one in apis:
            stack.enter_context(kk.serve(one, on=url, workers="shared"))
        clients = [stack.enter_context(their(url, "client", f"c{i}", "server")) for i in range(2)]
        for client in clients:
            client.start(SOME)
        for client in clients:
            found = client.finish()
            assert {*Counter(found["called"])} == {"w0", "w1", "w2"}
            for values in found["streams"]:
                worker = values[0].partition(" ")[0]
                assert values == [f"{worker} {i}" for i in range(70)]
            assert found["sums"] == [sum(range(60))] * 20
            assert found["told"] == ["0,1,2,3,4"] * 10
        until(lambda: sum(one.ended for one in apis) == 2 * (20 + 5))


def test_a_client_that_names_nobody_is_served(url: str) -> None:
    with kk.serve(Api("alone"), on=url), their(url, "client", "c") as client:
        assert client.run("return [await api.whoami(), (await read(api.count(40))).length]") == [
            "alone",
            40,
        ]
