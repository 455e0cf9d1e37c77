"""The real kkrpc 0.7.0, as server and as client, with both of its codecs. See README.md."""

from __future__ import annotations

import asyncio
import datetime as dt
import itertools
import math
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from support.peers import Line, NodeClient, NodeError, NodeServer

import kkjupyter as kk
from kkjupyter.rpc.call import Call
from kkjupyter.rpc.remote import Remote
from kkjupyter.rpc.server import Server
from kkjupyter.wire.values import BigInt, Map

CODECS = ["superjson", "json"]


def line(codec: str) -> Line:
    return Line("0.7.0", "websocket", codec)


def until(condition: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline_s, "waited in vain"
        time.sleep(0.005)


# ---- it serves, we are the client


@pytest.fixture(
    scope="module", params=[*CODECS, "json to superjson"], ids=lambda codec: f"client-{codec}"
)
def api(request: pytest.FixtureRequest) -> Iterator[Remote]:
    # A server answers in its own codec, whatever it is asked in.
    ours, _, theirs = request.param.partition(" to ")
    with NodeServer(line(theirs or ours)) as server:
        remote = kk.connect(server.url, codec=ours)
        yield remote
        kk.close(remote)


def test_we_call_it(api: Remote) -> None:
    assert api.add(1, 2).result() == 3
    assert api.math.grade1.add(40, 2).result() == 42
    value = {"a": [1, "é😀\u2028\ud83d", None, {"b": True}]}
    assert api.echo(value).result() == value
    calls = [api.add(i, i) for i in range(200)]
    assert [call.result() for call in calls] == [2 * i for i in range(200)]


def test_properties_constructors_and_callbacks(api: Remote) -> None:
    api.settings.theme = "dark"
    assert kk.get(api.settings.theme) == "dark"
    assert kk.new(api.Counter, 10, 5).result() == {"start": 10, "step": 5}
    calls: list[tuple[int, int]] = []
    assert api.onProgress(3, lambda i, n: calls.append((i, n))).result() == "done"
    assert calls == [(1, 3), (2, 3), (3, 3)]


def test_rich_values_with_superjson() -> None:
    with NodeServer(line("superjson")) as server:
        api = kk.connect(server.url)
        got = api.rich().result()
        assert got["when"] == dt.datetime.fromtimestamp(0, dt.UTC)
        assert (got["tags"], got["big"]) == ({1}, 10)
        assert math.isnan(got["map"]["a"])
        for value in (Map({1: "x"}), {1, 2}, b"\x00\xff", [kk.undefined, BigInt(7)]):
            assert api.echo(value).result() == value
        kk.close(api)


def test_we_read_its_streams(api: Remote) -> None:
    async def read(call: Call) -> list[int]:
        return [n async for n in await call]

    async def both() -> list[list[int]]:
        return await asyncio.gather(read(api.countdown(5)), read(api.countdown(3)))

    assert list(api.countdown(5)) == [5, 4, 3, 2, 1, 0]
    assert asyncio.run(both()) == [[5, 4, 3, 2, 1, 0], [3, 2, 1, 0]]
    assert list(api.data.stream(3)) == ["item-0", "item-1", "item-2"]
    assert sum(1 for _ in api.tokens(20_000)) == 20_000


def test_we_cancel_its_streams(api: Remote) -> None:
    for n in api.ticks():
        if n == 2:
            break
    until(lambda: api.openTicks().result() == 0)
    call = api.ticks()
    loop = iter(call)
    assert next(loop) == 0
    assert api.openTicks().result() == 1
    call.cancel()
    with pytest.raises(kk.CallCancelled):
        next(loop)
    until(lambda: api.openTicks().result() == 0)


def test_we_get_its_errors(api: Remote) -> None:
    with pytest.raises(kk.RemoteError) as caught:
        api.fail().result()
    error = caught.value
    assert (error.name, error.message, error.data) == ("TypeError", "bad type", {"code": "E_TYPE"})
    assert error.stack is not None
    assert "api.mjs" in error.stack
    loop = iter(api.failingStream())
    assert [next(loop), next(loop)] == [1, 2]
    with pytest.raises(kk.RemoteError, match="something went wrong") as caught:
        next(loop)
    assert caught.value.data == {"code": "E_FAIL"}
    with pytest.raises(kk.RemoteError, match="Method missing is not a function"):
        api.missing().result()


def test_a_server_that_dies_fails_what_is_under_way() -> None:
    with NodeServer(line("superjson")) as server:
        api = kk.connect(server.url)
        loop = iter(api.ticks())
        waiting = api.slow(60_000)
        assert next(loop) == 0
    with pytest.raises(kk.ConnectionLost):
        list(loop)
    with pytest.raises(kk.ConnectionLost):
        waiting.result()
    kk.close(api)


# ---- it is the client, we serve


class Error(Exception):
    """JavaScript's own, by name."""


class Counter:
    def __init__(self, start: int, step: int = 1) -> None:
        self.start = start
        self.step = step


class OurApi:
    Counter = Counter

    def __init__(self) -> None:
        self.settings = {"theme": "light"}
        self._open = 0

    def add(self, a: int, b: int) -> int:
        return a + b

    def echo(self, value: Any) -> Any:
        return value

    def fail(self) -> None:
        error = Error("went wrong")
        error.code = "E_OURS"  # type: ignore[attr-defined]
        raise error from ValueError("the root of it")

    async def onProgress(self, count: int, callback: Callable[[int, int], Any]) -> str:
        for i in range(1, count + 1):
            callback(i, count)
        return "done"

    async def countdown(self, start: int) -> AsyncIterator[int]:
        for i in range(start, -1, -1):
            yield i

    def syncCountdown(self, start: int) -> Iterator[int]:
        yield from range(start, -1, -1)

    async def tokens(self, count: int) -> AsyncIterator[str]:
        for i in range(count):
            yield f"tok{i % 100}"

    async def failingStream(self) -> AsyncIterator[int]:
        yield 1
        yield 2
        raise Error("something went wrong")

    async def sleepy(self) -> AsyncIterator[int]:
        """One value, and then a long wait for the next."""
        self._open += 1
        try:
            for i in itertools.count():
                yield i
                await asyncio.sleep(60)
        finally:
            self._open -= 1

    def openSleepers(self) -> int:
        return self._open


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with kk.serve(OurApi(), token=False) as serving:
        yield serving


@pytest.fixture(scope="module", params=CODECS, ids=lambda codec: f"server-{codec}")
def client(server: Server, request: pytest.FixtureRequest) -> Iterator[NodeClient]:
    with NodeClient(server.url, line(request.param)) as node:
        yield node


def test_it_calls_us(client: NodeClient) -> None:
    assert client.run("return await api.add(1, 2)") == 3
    script = """
        api.settings.theme = "dark";
        const calls = [];
        const result = await api.onProgress(3, (i, n) => { calls.push([i, n]) });
        // `new api.Counter(10, 5)` throws in the library's own proxy.
        const counter = await channel.callConstructor("Counter", [10, 5]);
        return [await api.settings.theme, result, calls, counter];
    """
    got = client.run(script)
    assert got == ["dark", "done", [[1, 3], [2, 3], [3, 3]], {"start": 10, "step": 5}]


def test_it_reads_our_streams(client: NodeClient) -> None:
    script = """
        return [
            await Promise.all([read(api.countdown(5)), read(api.countdown(3))]),
            await read(api.syncCountdown(2)),
            (await read(api.tokens(20000))).length,
        ];
    """
    assert client.run(script) == [[[5, 4, 3, 2, 1, 0], [3, 2, 1, 0]], [2, 1, 0], 20_000]


def test_it_cancels_our_streams(client: NodeClient) -> None:
    """Our producer ends where it sleeps; theirs would sleep for a minute first."""
    script = """
        for await (const n of await api.sleepy()) {
            if (await api.openSleepers() !== 1) throw new Error("not open");
            break;
        }
        const start = performance.now();
        while (await api.openSleepers() > 0) await sleep(1);
        return performance.now() - start;
    """
    took_ms = client.run(script)
    print(f"after the break our producer was closed in {took_ms:.1f} ms")
    assert took_ms < 1000


def test_it_gets_our_errors(client: NodeClient) -> None:
    with pytest.raises(NodeError) as caught:
        client.run("await api.fail()")
    fields = caught.value.fields
    assert (fields["name"], fields["message"]) == ("Error", "went wrong")
    assert (fields["code"], fields["cause"]) == ("E_OURS", "the root of it")
    script = """
        const got = [];
        try { for await (const n of await api.failingStream()) got.push(n) }
        catch (error) { return [got, error instanceof Error, error.name, error.message] }
    """
    assert client.run(script) == [[1, 2], True, "Error", "something went wrong"]
    with pytest.raises(NodeError, match="Method missing is not a function"):
        client.run("await api.missing()")


def test_rich_values_to_it(server: Server) -> None:
    with NodeClient(server.url, line("superjson")) as client:
        script = """
            const sent = { when: new Date(0), map: new Map([["a", NaN]]), set: new Set([1]),
                           big: 10n, none: undefined, bytes: new Uint8Array([0, 255]) };
            const got = await api.echo(sent);
            return [got.when.getTime(), [...got.map], [...got.set], String(got.big), "none" in got,
                    got.bytes instanceof Uint8Array, got.bytes[1]];
        """
        assert client.run(script) == [0, [["a", None]], [1], "10", True, True, 255]
        with pytest.raises(NodeError) as caught:
            client.run("await api.fail()")
        assert caught.value.fields["cause"] == "the root of it"
        script = "try { await api.fail() } catch (error) { return error.cause instanceof Error }"
        assert client.run(script) is True


def test_a_client_that_leaves_ends_its_streams(server: Server) -> None:
    with NodeClient(server.url, line("superjson")) as client:
        client.run(
            "const s = await api.sleepy(); for await (const n of s) { globalThis.s = s; break }"
        )
        client.run("globalThis.s = await api.sleepy()")
        until(lambda: server.running == 1)
    until(lambda: server.running == 0)
