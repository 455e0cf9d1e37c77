"""Who is told nothing: our client finds out what a peer speaks, our server hears it."""

from __future__ import annotations

import contextlib

import pytest
from support.peers.api import PeerApi
from support.peers.lines import DUPLEX, WEBSOCKET, on
from support.peers.node import Line, NodeClient, NodeServer

import kkjupyter as kk
from kkjupyter.client.remote import Remote


@on(DUPLEX)
def test_our_client_finds_out(api: Remote, line: Line) -> None:
    (connection,) = kk.status().connections
    assert (connection.protocol, connection.codec) == (line.protocol, line.codec)
    assert api.add(1, 2).result() == 3


@pytest.mark.parametrize("line", WEBSOCKET, ids=str)
def test_it_connects_again_when_the_server_is_back(line: Line) -> None:
    with NodeServer(line) as server:
        api = kk.connect(server.url)
        assert api.add(1, 2).result() == 3
        port = server.port
    with NodeServer(line, port):
        assert list(api.countdown(1)) == [1, 0]
    kk.close(api)


@pytest.mark.parametrize("after", WEBSOCKET, ids=lambda line: f"after-{line}")
@pytest.mark.parametrize("before", WEBSOCKET, ids=lambda line: f"before-{line}")
def test_a_server_may_be_replaced_by_one_of_another_kind(before: Line, after: Line) -> None:
    with NodeServer(before) as server:
        url, port = server.url, server.port
        first = kk.connect(url)
        assert first.add(1, 2).result() == 3
    with NodeServer(after, port):
        second = kk.connect(url)
        assert list(second.countdown(1)) == [1, 0]
        kk.close(second)
    kk.close(first)


def test_both_generations_at_one_port_at_once() -> None:
    lines = [*WEBSOCKET, Line("npm", "websocket", "json"), Line("npm", "websocket", "superjson")]
    script = """
        const sums = await Promise.all(Array.from({ length: 50 }, (_, i) => api.add(i, 1)));
        const calls = [];
        const result = await api.onProgress(3, (i, n) => { calls.push(i) });
        await until(() => calls.length === 3);
        return [sums.length, result, calls];
    """
    streaming = "return [await read(api.countdown(2)), (await read(api.tokens(2000))).length]"
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(kk.serve(PeerApi(), token=False))
        clients = [stack.enter_context(NodeClient(server.url, line)) for line in lines]
        assert [client.run(script) for client in clients] == [[50, "done", [1, 2, 3]]] * len(lines)
        for client in clients[: len(WEBSOCKET)]:
            client.start(streaming)
        for client in clients[: len(WEBSOCKET)]:
            assert client.finish() == [[2, 1, 0], 2000]
        assert server.clients == len(lines)
