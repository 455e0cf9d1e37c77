"""A link between two ends over a bus that loses, delays and holds back."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import pytest

from kkjupyter.bus import link as link_module
from kkjupyter.bus.frames import Frame, read_frame, write_frame
from kkjupyter.bus.link import WINDOW_BYTES, Link


class FakeBus:
    """Hands over what is published when it is told to."""

    def __init__(self) -> None:
        self.limit_bytes = 1024 * 1024
        self.writable = True
        self.is_connected = True
        self.published: list[tuple[str, bytes, str]] = []

    def publish(self, name: str, payload: bytes, *, key: str = "") -> None:
        self.published.append((name, payload, key))

    def taken(self, kind: str = "") -> list[Frame]:
        """What was published since the last time."""
        published, self.published = self.published, []
        frames = [read_frame(payload) for _, payload, _ in published]
        return [frame for frame in frames if frame is not None and kind in ("", frame.kind)]


class Home:
    def __init__(self) -> None:
        self.bus: Any = FakeBus()
        self.inbox = "lab._kk.in.me"
        self.gone: list[Link] = []

    def left(self, link: Link) -> None:
        self.gone.append(link)


class Owner:
    def __init__(self) -> None:
        self.data = b""
        self.reasons: list[str] = []
        self.became_writable = 0
        self.on_data: Callable[[], object] = lambda: None

    def data_received(self, chunks: Sequence[bytes]) -> None:
        self.data += b"".join(chunks)
        self.on_data()

    def writable(self) -> None:
        self.became_writable += 1

    def closed(self, reason: str) -> None:
        self.reasons.append(reason)


class End:
    def __init__(self) -> None:
        self.home = Home()
        self.bus: FakeBus = self.home.bus
        self.link = Link(self.home, "L", "lab._kk.in.you", "nats://x/lab", "the worker w1")
        self.owner = Owner()
        self.link.open(self.owner)

    def hear(self, frames: Sequence[Frame]) -> None:
        for frame in frames:
            self.link.take(frame)


def on_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run a test on an event loop of its own."""

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        asyncio.run(test(*args, **kwargs))

    return run


def data(number: int, payload: bytes) -> Frame:
    return Frame("data", "L", number, payload)


@pytest.mark.parametrize(
    "raw", [b"", b"data", b"data L\n", b"data L x\n", b"\xff L 1\n", b"a b 1 2\n"]
)
def test_what_is_no_frame(raw: bytes) -> None:
    assert read_frame(raw) is None


def test_a_frame_comes_back() -> None:
    assert read_frame(write_frame("data", "L", 7, b"a\nb")) == Frame("data", "L", 7, b"a\nb")
    assert read_frame(write_frame("closed", "L", -1)) == Frame("closed", "L", -1, b"")


@on_loop
async def test_a_large_message_is_cut_and_arrives_whole() -> None:
    here, there = End(), End()
    here.bus.limit_bytes = 1000
    message = bytes(range(256)) * 20
    here.link.send([message, b"\n"])
    frames = here.bus.taken("data")
    assert max(len(frame.payload) for frame in frames) <= 1000 - 128
    there.hear(frames)
    assert there.owner.data == message + b"\n"


@on_loop
async def test_no_more_than_a_window_is_on_its_way_and_the_rest_follows() -> None:
    here, there = End(), End()
    for _ in range(40):
        here.link.send([b"x" * 65_536])
    assert not here.link.writable
    frames = here.bus.taken("data")
    assert sum(len(frame.payload) for frame in frames) == WINDOW_BYTES
    there.hear(frames)
    here.hear(there.bus.taken("taken"))
    while frames := here.bus.taken("data"):
        there.hear(frames)
        here.hear(there.bus.taken("taken"))
    assert len(there.owner.data) == 40 * 65_536
    assert here.link.writable
    assert here.owner.became_writable == 1


@on_loop
async def test_a_reader_that_pauses_takes_nothing() -> None:
    here, there = End(), End()
    there.link.pause_reading()
    for _ in range(40):
        here.link.send([b"x" * 65_536])
    there.hear(here.bus.taken("data"))
    assert there.owner.data == b""
    assert there.bus.taken("taken") == []
    there.link.resume_reading()
    assert there.owner.data == b""  # in a turn of its own
    await asyncio.sleep(0)
    assert len(there.owner.data) == WINDOW_BYTES
    assert there.bus.taken("taken")[-1].number == WINDOW_BYTES


@pytest.mark.parametrize(
    "frame", [data(2, b"x"), Frame("alive", "L", 2, b""), Frame("closed", "L", 2, b"bye")], ids=str
)
@on_loop
async def test_what_is_missing_ends_it(frame: Frame) -> None:
    end = End()
    end.hear([data(0, b"a"), frame])
    await asyncio.sleep(0)
    assert end.owner.reasons == ["messages were lost on the way (1 of them)"]
    assert end.home.gone == [end.link]
    assert [frame.kind for frame in end.bus.taken()] == ["closed"]


@on_loop
async def test_all_that_came_before_the_end_is_read() -> None:
    end = End()
    end.link.pause_reading()
    end.hear([data(0, b"a"), Frame("closed", "L", 1, b"that was all")])
    await asyncio.sleep(0)
    assert (end.owner.data, end.owner.reasons) == (b"a", ["that was all"])
    end.link.abort("again")
    await asyncio.sleep(0)
    assert end.owner.reasons == ["that was all"]
    assert end.bus.taken() == []  # the other end knows


@on_loop
async def test_an_end_that_comes_before_its_owner_is_told_to_it() -> None:
    home = Home()
    link = Link(home, "L", "you", "nats://x/lab", "the worker w1")
    link.unread()
    await asyncio.sleep(0)
    owner = Owner()
    link.open(owner)
    await asyncio.sleep(0)
    assert owner.reasons == ["the worker w1 is gone"]


@on_loop
async def test_silence_ends_it_and_sleep_of_our_own_does_not() -> None:
    end = End()
    now_s = asyncio.get_running_loop().time()
    end.link.look(now_s + link_module.SILENCE_S - 1)
    assert [frame.kind for frame in end.bus.taken()] == ["alive"]
    end.link.excuse(now_s + 100)
    end.link.look(now_s + 101)
    assert not end.home.gone
    end.link.look(now_s + 100 + link_module.SILENCE_S + 1)
    await asyncio.sleep(0)
    assert end.owner.reasons == ["the worker w1 gave no sign of life for 10 s"]


@on_loop
async def test_closing_sends_what_waits_and_then_a_farewell() -> None:
    here, there = End(), End()
    for _ in range(40):
        here.link.send([b"x" * 65_536])
    await here.link.close()
    there.hear(here.bus.taken())
    await asyncio.sleep(0)
    assert len(there.owner.data) == 40 * 65_536
    assert there.owner.reasons == ["closed by the other side"]
    assert here.owner.reasons == ["closed"]
    here.link.send([b"late"])
    assert here.bus.taken() == []


@on_loop
async def test_a_broker_that_does_not_keep_up_holds_it_back() -> None:
    end = End()
    end.bus.writable = False
    assert not end.link.writable
    end.link.send([b"x"])
    assert end.bus.taken() == []
    end.bus.writable = True
    end.link.bus_is_writable()
    assert [frame.payload for frame in end.bus.taken("data")] == [b"x"]
    assert end.owner.became_writable == 1


@on_loop
async def test_an_end_that_sends_more_than_was_granted_is_given_up() -> None:
    end = End()
    end.link.pause_reading()
    frames = [data(number, b"x" * 65_536) for number in range(2 * WINDOW_BYTES // 65_536 + 1)]
    end.hear(frames[:-1])
    assert not end.home.gone
    end.hear(frames[-1:])
    await asyncio.sleep(0)
    assert end.owner.reasons == ["the worker w1 sends more than was granted"]
