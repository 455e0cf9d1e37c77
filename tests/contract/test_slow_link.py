"""Streams over a link with 50 ms there and back."""

from __future__ import annotations

import time
from typing import Any

import pytest
from support.endpoints import Endpoint
from support.figures import keep_ms
from support.peers.raw import raw_client
from support.servers.delayed_link import delayed_link

import kkjupyter as kk
from kkjupyter.wire.events import Item, Opened

ONE_WAY_S = 0.025
ITEMS = 20_000
FEW_ITEMS = 640


def fixed_window_per_s(url: str) -> float:
    """How fast a consumer is that asks for 32 values, then for 16 after every 16."""
    with raw_client(url, "compact") as peer:
        opened = peer.call("items", ITEMS)
        assert isinstance(opened, Opened)
        started_s = time.monotonic()
        peer.send(peer.wire.pull(opened.stream_id, 32))
        for number in range(1, FEW_ITEMS + 1):
            assert isinstance(peer.receive(), Item)
            if number % 16 == 0:
                peer.send(peer.wire.pull(opened.stream_id, 16))
        return FEW_ITEMS / (time.monotonic() - started_s)


@pytest.mark.parametrize("codec", ["json"])
def test_a_window_that_grows_is_much_faster_than_a_fixed_one(codec: str) -> None:
    """Some forty times on a quiet machine; a busy one has no more than it has."""
    with (
        kk.serve(Endpoint(), token=False) as server,
        delayed_link(server.port, ONE_WAY_S) as port,
    ):
        url = f"ws://127.0.0.1:{port}"
        fixed_per_s = fixed_window_per_s(url)
        with kk.connect(url, protocol="compact", codec=codec) as api:
            api.echo("a round trip").result(timeout_s=5)
            started_s = time.monotonic()
            assert sum(1 for _ in api.items(ITEMS)) == ITEMS
            ours_per_s = ITEMS / (time.monotonic() - started_s)
    print(f"items/s over 50 ms: fixed window {fixed_per_s:,.0f}, ours {ours_per_s:,.0f}")
    keep_ms(f"10,000 items over a link of 50 ms ({codec})", 10_000 / ours_per_s)
    assert ours_per_s > 4 * fixed_per_s


@pytest.mark.parametrize("protocol", ["classic", "compact"])
def test_a_cancel_takes_one_way_and_leaving_a_loop_takes_none(protocol: str) -> None:
    endpoint = Endpoint()
    with (
        kk.serve(endpoint, token=False) as server,
        delayed_link(server.port, 0.2) as port,
        kk.connect(f"ws://127.0.0.1:{port}", protocol=protocol, codec="json") as api,
    ):
        call: Any = api.once_then_wait()
        loop = iter(call)
        assert next(loop) == "first"
        started_s = time.monotonic()
        call.cancel()
        with pytest.raises(kk.CallCancelled):
            next(loop)
        assert time.monotonic() - started_s < 0.15
        while endpoint.finals != ["once_then_wait"]:
            assert time.monotonic() - started_s < 1
            time.sleep(0.001)
        assert time.monotonic() - started_s >= 0.19
