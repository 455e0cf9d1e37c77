"""Over HTTP, which has one answer to a request: what the real peers and we refuse each other."""

from __future__ import annotations

import pytest
from support.peers.api import PeerApi
from support.peers.lines import HTTP, on
from support.peers.node import Line, NodeClient, NodeError, NodeServer

import kkjupyter as kk
from kkjupyter.client.remote import Remote

NO_STREAMS = "HTTP transport does not support async iterable streams"


@on(HTTP)
def test_their_streams(api: Remote) -> None:
    with pytest.raises(kk.RemoteError, match=NO_STREAMS):
        api.countdown(3).result()
    assert api.add(1, 2).result() == 3


@on(HTTP)
def test_our_streams(client: NodeClient) -> None:
    with pytest.raises(NodeError, match=NO_STREAMS):
        client.run("return await api.countdown(3)")
    assert client.run("return await api.add(1, 2)") == 3


@on(HTTP)
def test_our_callbacks_are_not_sent(api: Remote) -> None:
    with pytest.raises(kk.UsageError, match="HTTP carries only values"):
        api.onProgress(3, print)


@on(HTTP)
def test_their_callbacks(client: NodeClient) -> None:
    with pytest.raises(NodeError, match="HTTP transport does not support callback"):
        client.run("return await api.onProgress(3, () => {})")
    assert client.run("return await api.add(1, 2)") == 3


def test_both_generations_at_one_port() -> None:
    with kk.serve(PeerApi(), token=False, transport="http") as server:
        for line in HTTP:
            with NodeClient(server.url, line) as client:
                assert client.run("return await api.add(1, 2)") == 3


@pytest.mark.parametrize("line", HTTP, ids=str)
def test_nothing_is_sent_to_find_out_the_protocol(line: Line) -> None:
    with NodeServer(line) as server, pytest.raises(kk.UsageError, match="protocol="):
        kk.connect(server.url)
