"""A connection to one of kkrpc's own peers: what it takes, what it asks, when it gives up."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine, Sequence
from functools import wraps
from typing import Any

import pytest

from kkjupyter.bus.kkrpc_peer import ASK_S, HELD_BYTES, SILENCE_S, KkrpcPeer
from kkjupyter.wire.kkrpc.bus import Opened


class FakeBus:
    transport_id = "nats"
    limit_bytes = 1024 * 1024

    def __init__(self) -> None:
        self.writable = True
        self.published: list[tuple[dict[str, Any], str]] = []

    def publish(self, name: str, payload: bytes, *, key: str = "") -> None:
        assert name == "lab"
        self.published.append((json.loads(payload), key))


class Home:
    name = "lab"

    def __init__(self) -> None:
        self.bus: Any = FakeBus()
        self.gone: list[KkrpcPeer] = []

    def peer_left(self, peer: KkrpcPeer) -> None:
        self.gone.append(peer)


class Owner:
    def __init__(self) -> None:
        self.data: list[bytes] = []
        self.reasons: list[str] = []
        self.became_writable = 0

    def data_received(self, chunks: Sequence[bytes]) -> None:
        self.data += chunks

    def writable(self) -> None:
        self.became_writable += 1

    def closed(self, reason: str) -> None:
        self.reasons.append(reason)


class End:
    def __init__(self, id_mark: str = "") -> None:
        self.home = Home()
        self.peer = KkrpcPeer(self.home, "server", "client", "client of nats://x/lab", id_mark)
        self.owner = Owner()
        self.peer.open(self.owner)


def on_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run a test on an event loop of its own."""

    @wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        asyncio.run(test(*args, **kwargs))

    return run


def said(kind: str, message_id: str = "", stream_id: str = "", message: bytes = b"m") -> Opened:
    return Opened("client", "server", kind, message_id, stream_id, message)


@on_loop
async def test_what_is_about_ids_of_another_worker_is_not_taken() -> None:
    end = End("w1.2")
    for opened in (
        said("sq", "1", "w1.2-7", b"mine"),
        said("sq", "1", "w1.20-7"),
        said("sq", "1", "w2.2-7"),
        said("cb", "w1.2-8", "", b"mine, too"),
        said("cb", "w2.1-8"),
        said("sr", "x", "y", b"an item"),
    ):
        end.peer.take(opened)
    assert end.owner.data == [b"mine", b"mine, too", b"an item"]


@on_loop
async def test_a_silent_peer_is_asked_and_then_given_up() -> None:
    end = End()
    now_s = asyncio.get_running_loop().time()
    end.peer.look(now_s + ASK_S - 1)
    assert end.home.bus.published == []
    end.peer.look(now_s + ASK_S + 1)
    end.peer.look(now_s + ASK_S + 2)
    ((asked, key),) = end.home.bus.published
    assert (asked["to"], asked["message"]["p"], key) == ("client", ["kk-probe"], end.peer.key)
    end.peer.take(said("r", asked["message"]["id"]))
    assert end.owner.data == []  # it was this side's question
    end.peer.look(now_s + SILENCE_S - 1)
    assert not end.home.gone
    end.peer.look(now_s + SILENCE_S + 1)
    await asyncio.sleep(0)
    assert end.owner.reasons == ["client gave no sign of life for 40 s"]
    assert end.home.gone == [end.peer]


@on_loop
async def test_a_peer_that_sends_what_nobody_reads_is_given_up() -> None:
    end = End()
    end.peer.pause_reading()
    megabyte = b"x" * 1_000_000
    for _ in range(HELD_BYTES // len(megabyte)):
        end.peer.take(said("cb", message=megabyte))
    assert not end.home.gone
    end.peer.take(said("cb", message=megabyte))
    await asyncio.sleep(0)
    assert "67,108,864 bytes that were not read" in end.owner.reasons[0]


@on_loop
async def test_it_reads_on_after_a_pause() -> None:
    end = End()
    end.peer.pause_reading()
    end.peer.take(said("q"))
    end.peer.resume_reading()
    assert end.owner.data == []  # in a turn of its own
    await asyncio.sleep(0)
    assert end.owner.data == [b"m"]


@on_loop
async def test_a_broker_that_keeps_up_again_is_told() -> None:
    end = End()
    end.home.bus.writable = False
    assert not end.peer.writable
    end.home.bus.writable = True
    end.peer.bus_is_writable()
    assert end.owner.became_writable == 1


@pytest.mark.parametrize(
    ("happens", "reason"),
    [
        (lambda peer: peer.unread(), "client is gone"),
        (lambda peer: peer.lost("no broker"), "no broker"),
        (lambda peer: peer.abort(), "closed"),
    ],
)
@on_loop
async def test_its_end_is_told_once(happens: Callable[[KkrpcPeer], object], reason: str) -> None:
    end = End()
    happens(end.peer)
    await end.peer.close()
    end.peer.send([b"late"])
    await asyncio.sleep(0)
    assert end.owner.reasons == [reason]
    assert end.home.bus.published == []
