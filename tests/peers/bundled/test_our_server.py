"""The real clients of both generations with our server, over everything they speak."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Literal

import pytest
from support.peers.api import PeerApi
from support.peers.lines import DUPLEX, HTTP, LINES, WEBSOCKET, on, rich
from support.peers.node import Line, NodeClient, NodeError
from support.waiting import until

import kkjupyter as kk
from kkjupyter.server.interceptors import CallContext
from kkjupyter.server.server import Server

# ---- values


@on(LINES)
def test_calls(client: NodeClient) -> None:
    assert client.run("return await api.add(1, 2)") == 3
    assert client.run("return await api.math.grade1.add(40, 2)") == 42
    script = "return await api.echo({ a: [1, 'é😀\\u2028', null, { b: true }] })"
    assert client.run(script) == {"a": [1, "é😀\u2028", None, {"b": True}]}
    script = "return await Promise.all(Array.from({ length: 200 }, (_, i) => api.add(i, i)))"
    assert client.run(script) == [2 * i for i in range(200)]


@on(LINES)
def test_large_values(client: NodeClient) -> None:
    script = """
        const value = "é😀".repeat(200000);
        return (await api.echo(value)) === value;
    """
    assert client.run(script) is True


@on(LINES)
def test_properties_and_constructors(client: NodeClient) -> None:
    script = """
        const before = await api.settings.theme;
        api.settings.theme = "dark";
        await until(async () => (await api.settings.theme) === "dark");
        api.settings.theme = "light";
        const { start, step } = await construct("Counter", [10, 5]);
        return [before, await api.settings.empty, start, step];
    """
    assert client.run(script) == ["light", None, 10, 5]


@on(LINES)
def test_undefined_and_null(client: NodeClient, line: Line) -> None:
    script = "return [(await api.undef()) === undefined, (await api.nil()) === null]"
    assert client.run(script) == [True, True]
    # The classic protocol has no place for undefined among JSON arguments.
    kept = "null" if (line.protocol, line.codec) == ("classic", "json") else "undefined"
    described = client.run("return await api.describe(undefined, null, 1)")
    assert described == [3, kept, "null", "number"]


@on(rich(LINES))
def test_rich_values(client: NodeClient) -> None:
    script = """
        const sent = { when: new Date(0), map: new Map([["a", NaN]]), set: new Set([1]),
                       big: 10n, none: undefined, bytes: new Uint8Array([0, 255]) };
        const got = await api.echo(sent);
        return [got.when.getTime(), [...got.map], [...got.set], String(got.big), "none" in got,
                got.bytes instanceof Uint8Array, got.bytes[1]];
    """
    assert client.run(script) == [0, [["a", None]], [1], "10", True, True, 255]


# ---- errors


@on(LINES)
def test_errors(client: NodeClient, line: Line) -> None:
    with pytest.raises(NodeError) as caught:
        client.run("await api.fail()")
    fields = caught.value.fields
    assert (fields["name"], fields["message"]) == ("Error", "went wrong")
    assert fields["code"] == "E_OURS"
    if line.protocol == "classic":
        assert fields["cause"] == "the root of it"
    with pytest.raises(NodeError, match="missing is not a function"):
        client.run("await api.missing()")


@on(LINES)
def test_validation(client: NodeClient) -> None:
    with pytest.raises(NodeError) as caught:
        client.run('await api.add(1, "two")')
    fields = caught.value.fields
    assert (fields["name"], fields["phase"]) == ("RPCValidationError", "input")
    assert fields["issues"]


async def shouting(ctx: CallContext, proceed: Callable[[], Awaitable[Any]]) -> Any:
    if ctx.method == "fail":
        raise PermissionError("the guard says no")
    result = await proceed()
    return result.upper() if isinstance(result, str) else result


@pytest.mark.parametrize("line", [*WEBSOCKET, *HTTP], ids=str)
def test_interceptors(line: Line) -> None:
    transport: Literal["http", "websocket"] = "http" if line in HTTP else "websocket"
    with (
        kk.serve(PeerApi(), token=False, transport=transport, interceptors=[shouting]) as server,
        NodeClient(server.url, line) as client,
    ):
        assert client.run('return [await api.echo("a"), await api.add(1, 2)]') == ["A", 3]
        with pytest.raises(NodeError, match="the guard says no"):
            client.run("await api.fail()")


# ---- callbacks, and the other direction


@on(DUPLEX)
def test_callbacks(client: NodeClient) -> None:
    script = """
        const calls = [];
        const result = await api.onProgress(3, (i, n) => { calls.push([i, n]) });
        await until(() => calls.length === 3);
        const later = [];
        await api.keep((value) => { later.push(value) });
        await api.callKept(7);
        await until(() => later.length === 1);
        await api.forgetKept();
        return [result, calls, later];
    """
    assert client.run(script) == ["done", [[1, 3], [2, 3], [3, 3]], [7]]


@on(DUPLEX)
def test_we_call_what_they_expose(client: NodeClient) -> None:
    assert client.run('return await api.askClient("you")') == "hello you"


# ---- streams


@on(DUPLEX)
def test_streams(client: NodeClient) -> None:
    script = """
        return [
            await Promise.all([read(api.countdown(5)), read(api.countdown(3))]),
            await read(api.syncCountdown(2)),
            await read(api.empty()),
            (await read(api.tokens(20000))).length,
        ];
    """
    assert client.run(script) == [[[5, 4, 3, 2, 1, 0], [3, 2, 1, 0]], [2, 1, 0], [], 20_000]


@on(DUPLEX)
def test_a_stream_of_large_values(client: NodeClient) -> None:
    script = """
        const value = "é😀".repeat(100000);
        return (await read(api.blobs(20, 600000))).filter((blob) => blob === value).length;
    """
    assert client.run(script) == 20


@on(DUPLEX)
def test_many_streams_at_once(client: NodeClient) -> None:
    script = """
        const streams = Array.from({ length: 100 }, (_, i) => read(api.tokens(i)));
        return (await Promise.all(streams)).map((values) => values.length);
    """
    assert client.run(script) == list(range(100))


@on(DUPLEX)
def test_cancelling(client: NodeClient) -> None:
    """Our producer ends where it sleeps; theirs would sleep for a minute first."""
    script = """
        const start = performance.now();
        for await (const n of await api.sleepy()) {
            if (await api.open() !== 1) throw new Error("not open");
            break;
        }
        await until(async () => (await api.open()) === 0);
        return performance.now() - start;
    """
    took_ms = client.run(script)
    print(f"the whole with break and finally took {took_ms:.1f} ms")
    assert took_ms < 1000


@on(DUPLEX)
def test_streams_that_fail(client: NodeClient) -> None:
    script = """
        const got = [];
        try { for await (const n of await api.failingStream()) got.push(n) }
        catch (error) { return [got, error instanceof Error, error.name, error.message] }
    """
    assert client.run(script) == [[1, 2], True, "Error", "something went wrong"]


# ---- leaving


@pytest.fixture
def server() -> Iterator[Server]:
    with kk.serve(PeerApi(), token=False) as serving:
        yield serving


@on(WEBSOCKET)
def test_a_client_that_leaves_ends_its_streams(server: Server, line: Line) -> None:
    with NodeClient(server.url, line) as client:
        client.run("globalThis.kept = await api.sleepy(); void read(kept)")
        until(lambda: server.running == 1)
    until(lambda: server.running == 0)


def test_the_cause_of_an_error_is_an_error_in_the_first_generation(server: Server) -> None:
    with NodeClient(server.url, Line("0.7.0", "websocket", "superjson")) as client:
        script = "try { await api.fail() } catch (error) { return error.cause instanceof Error }"
        assert client.run(script) is True
