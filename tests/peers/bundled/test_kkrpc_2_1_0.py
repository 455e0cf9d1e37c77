"""What only the second generation has: pulled streams, streams as arguments, releases, controls."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator

import pytest
from support.peers.api import PeerApi
from support.peers.lines import COMPACT, connected, on
from support.peers.node import Line, NodeClient, NodeError
from support.waiting import until

import kkjupyter as kk
from kkjupyter.client.remote import Remote

# ---- they serve


@on(COMPACT)
def test_the_return_value_of_a_generator(api: Remote) -> None:
    call = api.withReturn(2)
    assert list(call) == [0, 1]
    assert call.return_value == "the end"


@on(COMPACT)
def test_a_producer_waits_for_its_consumer(api: Remote) -> None:
    with api.tokens(1_000_000) as call:
        loop = iter(call)
        assert next(loop) == "tok0"
        # Were it not waiting, the loop over there would go on between any two calls.
        until(lambda: len({api.produced().result() for _ in range(20)}) == 1)
        assert api.produced().result() < 200
        assert next(loop) == "tok1"


@on(COMPACT)
def test_throwing_into_their_generator(api: Remote) -> None:
    with api.catching() as call:
        loop = iter(call)
        assert next(loop) == 0
        assert call.throw("a text").result() == "caught a text"
        # An error crosses JSON as an object without its text, unless who throws sees to that.
        assert "caught" in call.throw(ValueError("went wrong")).result()


@on(COMPACT)
def test_meta_reaches_their_middleware(line: Line) -> None:
    with connected(line, meta=lambda: {"requestId": "r-1"}) as api:
        assert api.metaOf().result() == {"requestId": "r-1"}


async def numbers(count: int) -> AsyncIterator[int]:
    for i in range(count):
        yield i


class Endless:
    """A stream of ours that says when it is over."""

    def __init__(self) -> None:
        self.closed = False

    async def __aiter__(self) -> AsyncIterator[int]:
        try:
            i = 0
            while True:
                yield i
                i += 1
                await asyncio.sleep(0)
        finally:
            self.closed = True


@on(COMPACT)
def test_streams_as_arguments(api: Remote) -> None:
    assert api.sum(numbers(100)).result() == 4950
    assert api.sum(iter([1, 2, 3])).result() == 6
    assert list(api.doubled(numbers(3))) == [0, 2, 4]


@on(COMPACT)
def test_a_stream_argument_that_they_leave(api: Remote) -> None:
    stream = Endless()
    assert api.firstOf(stream, 3).result() == [0, 1, 2]
    until(lambda: stream.closed)


@on(COMPACT)
def test_a_stream_argument_that_fails(api: Remote) -> None:
    async def failing() -> AsyncIterator[int]:
        yield 1
        raise ValueError("ours went wrong")

    assert "ours went wrong" in api.errorOf(failing()).result()


@on(COMPACT)
def test_a_stream_argument_that_nobody_wants(api: Remote) -> None:
    stream = numbers(3)
    alive = weakref.ref(stream)
    with pytest.raises(kk.RemoteError, match="not wanted"):
        api.refuseStream(stream).result()
    del stream
    until(lambda: gc.collect() >= 0 and alive() is None)


@on(COMPACT)
def test_they_give_our_function_back(api: Remote) -> None:
    def function(value: int) -> None:
        got.append(value)

    got: list[int] = []
    alive = weakref.ref(function)
    api.keep(function).result()
    del function
    api.callKept(1).result()
    until(lambda: got == [1])
    assert alive() is not None
    api.releaseKept().result()
    until(lambda: alive() is None)


# ---- we serve


@on(COMPACT)
def test_they_get_the_return_value(client: NodeClient) -> None:
    script = """
        const stream = (await api.syncWithReturn(1))[Symbol.asyncIterator]();
        return [await stream.next(), await stream.next(), (await stream.next()).done];
    """
    first, second = {"done": False, "value": 0}, {"done": True, "value": "the end"}
    assert client.run(script) == [first, second, True]


@on(COMPACT)
def test_our_producer_waits_for_its_consumer(client: NodeClient) -> None:
    script = """
        const before = await api.produced();
        const stream = (await api.tokens(100000))[Symbol.asyncIterator]();
        await stream.next();
        const produced = [];
        for (let i = 0; i < 20; i++) produced.push(await api.produced() - before);
        await stream.return();
        return produced;
    """
    produced = client.run(script)
    assert produced[-1] == produced[10]
    assert produced[-1] <= 48, "more than they have asked for"


@on(COMPACT)
def test_their_meta_reaches_our_handlers(client: NodeClient) -> None:
    script = """
        meta.requestId = "r-1";
        const seen = await api.metaOf();
        delete meta.requestId;
        return [seen, await api.metaOf()];
    """
    assert client.run(script) == [{"requestId": "r-1"}, {}]


@on(COMPACT)
def test_they_pass_streams(client: NodeClient) -> None:
    script = """
        async function* numbers(count) { for (let i = 0; i < count; i++) yield i }
        return [await api.sum(numbers(100)), await read(api.doubled(numbers(3)))];
    """
    assert client.run(script) == [4950, [0, 2, 4]]


@on(COMPACT)
def test_we_leave_their_stream(client: NodeClient) -> None:
    script = """
        let closed = 0;
        async function* endless() { try { for (let i = 0; ; i++) yield i } finally { closed++ } }
        const first = await api.firstOf(endless(), 3);
        let message;
        try { await api.refuseStream(endless()) } catch (error) { message = error.message }
        await until(() => closed === 1 && channel.localStreams.size === 0);
        return [first, message];
    """
    assert client.run(script) == [[0, 1, 2], "not wanted"]


@on(COMPACT)
def test_their_stream_fails(client: NodeClient) -> None:
    script = """
        async function* failing() { yield 1; throw new TypeError("theirs went wrong") }
        return await api.errorOf(failing());
    """
    assert "theirs went wrong" in client.run(script)


@on(COMPACT)
def test_they_throw_into_our_generator(client: NodeClient) -> None:
    script = """
        const stream = (await api.catching())[Symbol.asyncIterator]();
        await stream.next();
        return await stream.throw("a text");
    """
    assert client.run(script) == {"done": False, "value": "caught a text"}


@on(COMPACT)
def test_we_give_their_function_back(client: NodeClient) -> None:
    script = """
        await api.keep(() => {});
        const held = channel.callbacks.size;
        await api.forgetKept();
        await until(() => channel.callbacks.size < held);
        return held - channel.callbacks.size;
    """
    assert client.run(script) == 1


@on(COMPACT)
def test_their_timeouts_and_aborts_harm_nothing(client: NodeClient) -> None:
    with pytest.raises(NodeError, match="timed out"):
        client.run("await kkrpc.withCallOptions(api, { timeout: 20 }).slow(300)")
    script = """
        const abort = new AbortController();
        const call = kkrpc.withCallOptions(api, { signal: abort.signal }).slow(300);
        setTimeout(() => abort.abort(), 20);
        await call;
    """
    with pytest.raises(NodeError) as caught:
        client.run(script)
    assert caught.value.fields["name"] == "AbortError"
    assert client.run("return await api.add(1, 2)") == 3
    client.run("await until(async () => (await api.open()) === 0)")


def test_a_client_without_streams_gets_a_handle() -> None:
    line = Line("2.1.0", "websocket", "json")
    with kk.serve(PeerApi(), token=False) as server, NodeClient(server.url, line) as client:
        script = """
            const line = kkrpc.webSocketClientTransport({ url: URL });
            const core = new kkrpc.CoreRPCChannel(line).getAPI();
            const handle = await core.countdown(2);
            return [Object.keys(handle), await core.add(1, 2)];
        """
        got = client.run(script.replace("URL", repr(server.url)))
        assert got == [["__kkrpc_next_stream__", "id"], 3]
