"""When a connection is read: what is held on to, and what is owed to a peer that does not read."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import pytest
from support.waiting import PATIENCE_S, auntil

from kkjupyter.calls.callbacks import CallbackRegistry
from kkjupyter.connection import read_flow_control
from kkjupyter.connection.channel import Channel
from kkjupyter.runtime.loop_threads import io_loop
from kkjupyter.wire.kkrpc.compact.protocol import Compact

LARGE = b"x" * (1024 * 1024)
PULL = b'{"t":"sq","id":"p","sid":"none","op":"pull","n":1}\n'


class Double:
    """A transport that takes what it is told to take, and notes when it is not read."""

    keeps_boundaries = True
    url = "double:"

    def __init__(self) -> None:
        self.writable = True
        self.is_read = True
        self.looks = 0
        self.sent_bytes = 0

    def open(self, owner: Any) -> None: ...

    def send(self, messages: Sequence[bytes]) -> None:
        self.sent_bytes += sum(map(len, messages))

    def pause_reading(self) -> None:
        self.is_read = False

    def resume_reading(self) -> None:
        self.looks += not self.is_read
        self.is_read = True

    async def close(self) -> None: ...

    def abort(self) -> None: ...


@pytest.fixture
def on_io() -> Callable[[Coroutine[Any, Any, None]], None]:
    return lambda coro: io_loop().submit(coro).result(2 * PATIENCE_S)


@pytest.fixture
def double() -> Double:
    return Double()


def channel_over(double: Double) -> Channel:
    return Channel(double, Compact("json"), functions=CallbackRegistry())


def test_reading_goes_on_when_the_send_queue_drains_whatever_the_transport_says(
    double: Double, on_io: Any
) -> None:
    """17 MB are queued when a frame comes, and go out without the transport ever being full."""

    async def main() -> None:
        channel = channel_over(double)
        for _ in range(17):
            channel.send_queue.put(LARGE)
        channel.data_received([PULL])
        assert not double.is_read
        channel.send_queue.flush()  # as posted by the first put; the transport takes all of it
        assert double.is_read
        assert channel.send_queue.held_bytes == 0

    on_io(main())


def test_reading_goes_on_half_way_down_where_the_transport_pauses(
    double: Double, on_io: Any
) -> None:
    async def main() -> None:
        channel = channel_over(double)
        double.writable = False
        for _ in range(17):
            channel.send_queue.put(LARGE)
        channel.data_received([PULL])
        channel.writable()
        assert not double.is_read
        double.writable = True
        channel.writable()
        assert double.is_read

    on_io(main())


def test_our_own_calls_do_not_stop_us_from_reading_their_answers(
    double: Double, on_io: Any
) -> None:
    """Both sides would wait for each other for ever."""

    async def main() -> None:
        channel = channel_over(double)
        double.writable = False
        for _ in range(40):
            channel.send_queue.put(LARGE, is_own=True)
        channel.data_received([PULL])
        assert double.is_read
        for _ in range(17):
            channel.send_queue.put(LARGE)
        channel.data_received([PULL])
        assert not double.is_read
        double.writable = True
        channel.writable()
        assert double.is_read
        for _ in range(17):  # nothing is left of the count
            channel.send_queue.put(LARGE)
        assert channel.send_queue.overfull

    on_io(main())


def test_a_little_is_read_now_and_then_of_a_peer_that_does_not_read(
    double: Double, on_io: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may owe us as much, and wait for us to read; but not for more than there is room for."""
    monkeypatch.setattr(read_flow_control, "_OWED_INTERVAL_S", 0.01)
    monkeypatch.setattr(read_flow_control, "_PEEK_S", 0.01)

    async def main() -> None:
        channel = channel_over(double)
        double.writable = False
        for _ in range(17):
            channel.send_queue.put(LARGE)
        channel.data_received([PULL])
        await auntil(lambda: double.looks >= 3)
        await auntil(lambda: not double.is_read)
        for _ in range(150):
            channel.send_queue.put(LARGE)
        await auntil(lambda: not double.is_read)
        looks = double.looks
        await asyncio.sleep(0.1)
        assert double.looks <= looks + 1
        channel.closed("over")

    on_io(main())


def test_a_look_ends_when_it_has_brought_enough(
    double: Double, on_io: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read_flow_control, "_OWED_INTERVAL_S", 0.01)
    monkeypatch.setattr(read_flow_control, "_PEEK_S", 60)
    monkeypatch.setattr(read_flow_control, "_PEEK_BYTES", 100)

    async def main() -> None:
        channel = channel_over(double)
        double.writable = False
        for _ in range(17):
            channel.send_queue.put(LARGE)
        channel.data_received([PULL])
        await auntil(lambda: double.is_read)
        channel.data_received([PULL] * 10)
        assert not double.is_read
        channel.closed("over")

    on_io(main())
