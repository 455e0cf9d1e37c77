"""The two ends of a resumable connection, over transports in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest
from support.waiting import auntil

from kkjupyter.errors import ConnectError
from kkjupyter.transports.base import Relay
from kkjupyter.transports.memory import MemoryTransport, memory_pair
from kkjupyter.transports.resumable import control
from kkjupyter.transports.resumable.client import ClientEnd, find_offer
from kkjupyter.transports.resumable.frame_log import FrameLog
from kkjupyter.transports.resumable.server import Guest, ResumableSessions, ServerEnd

QUESTION = b"who are you?"


class Listener:
    """The owner of an end: it notes what it is told."""

    def __init__(self) -> None:
        self.received: list[bytes] = []
        self.written = 0
        self.reason: str | None = None

    def data_received(self, chunks: Sequence[bytes]) -> None:
        self.received += chunks

    def writable(self) -> None:
        self.written += 1

    def closed(self, reason: str) -> None:
        assert self.reason is None, "the end is told once"
        self.reason = reason


class Here:
    """A server and a client that agreed, and how the client gets there again."""

    def __init__(self, **options: Any) -> None:
        self.sessions = ResumableSessions(
            options.pop("resume_s", 5), **{"log_bytes": 4096, **options}
        )
        self.guest = Guest()
        self.is_down = False
        self.dialled = 0
        self.pairs: list[tuple[MemoryTransport, MemoryTransport]] = []

    async def dial(self) -> MemoryTransport:
        self.dialled += 1
        if self.is_down:
            raise ConnectError("memory:", "nobody there")
        near, far = memory_pair()
        self.pairs.append((near, far))
        server = self

        class Door(Listener):
            """Takes those who come back."""

            def data_received(self, chunks: Sequence[bytes]) -> None:
                again = control.read(chunks[0])
                assert isinstance(again, control.Again)
                server.sessions.resume(far, relay, again, server.guest)

        relay = Relay(Door())
        far.open(relay)
        return near

    async def connect(self) -> tuple[ClientEnd, Listener, ServerEnd, Listener]:
        near, far = memory_pair()
        self.pairs.append((near, far))
        to_client, to_server = Listener(), Listener()
        server_relay = Relay(to_server)
        far.open(server_relay)
        server = self.sessions.offer(far, server_relay, self.guest, QUESTION.__eq__)
        server.open(to_server)
        waiting = Listener()
        client_relay = Relay(waiting)
        near.open(client_relay)
        await auntil(lambda: waiting.received)
        found = find_offer(waiting.received)
        assert found is not None
        client = ClientEnd(near, client_relay, found[1], self.dial)
        client.open(to_client)
        return client, to_client, server, to_server

    def cut(self) -> None:
        self.pairs[-1][0].abort("cut")


def run(work: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(work(), 20))


# ---- what is said


@pytest.mark.parametrize(
    "said",
    [
        control.Offer("h", "s", 120.0),
        control.Accept(),
        control.Again("h", "s", 7),
        control.Go(0),
        control.Refused("no"),
        control.Bye(),
    ],
)
def test_what_is_said_is_understood(said: control.Control) -> None:
    frame = control.encode(said)
    assert frame.startswith(control.MARK)
    assert control.read(frame) == said


def test_an_acknowledgement_is_a_number() -> None:
    assert control.acknowledgement(1024) == b"~1024"
    assert control.read(b"~1024") == 1024


@pytest.mark.parametrize(
    "frame",
    [
        b"~",
        b"~-1",
        b"~1e3",
        b"~{}",
        b'~{"kk":"x"}',
        b'~{"kk":"go"}',
        b'~{"kk":"again","handle":1,"secret":"","received":0}',
        b"~\xff",
        b"~" + b"9" * 30,
        b"~" + b" " * 5000 + b"1",
    ],
)
def test_what_makes_no_sense_is_not_guessed(frame: bytes) -> None:
    assert control.read(frame) is None


# ---- what is kept


def test_a_full_log_takes_no_more_until_it_is_trimmed() -> None:
    log = FrameLog(300)
    assert log.has_room
    log.add([b"a" * 100, b"b" * 100])
    assert not log.has_room
    assert log.trim(1)
    assert log.has_room
    assert log.frames == [b"b" * 100]
    assert (log.acknowledged, log.sent) == (1, 2)


def test_a_count_that_cannot_be_changes_nothing() -> None:
    log = FrameLog()
    log.add([b"a", b"b"])
    assert log.trim(1)
    assert not log.trim(0)
    assert not log.trim(3)
    assert log.frames == [b"b"]


def test_an_empty_log_has_room_however_much_others_hold() -> None:
    class Exhausted:
        is_exhausted = True
        held_bytes = 0

        def hold(self, held_bytes: int) -> None:
            self.held_bytes = held_bytes

    holding = Exhausted()
    log = FrameLog(1 << 20, holding)
    assert log.has_room
    log.add([b"a"])
    assert not log.has_room
    assert holding.held_bytes == log.held_bytes > 0
    log.clear()
    assert holding.held_bytes == 0
    assert log.has_room


# ---- both ends


def test_what_was_lost_is_sent_again_and_nothing_else() -> None:
    async def work() -> None:
        here = Here()
        client, to_client, server, to_server = await here.connect()
        server.send([b"1", b"2"])
        client.send([b"a"])
        await auntil(lambda: to_client.received == [b"1", b"2"] and to_server.received == [b"a"])
        here.pairs[-1][0].pause_reading()
        here.pairs[-1][1].pause_reading()
        server.send([b"3"])
        client.send([b"b", b"c"])
        await asyncio.sleep(0)
        here.cut()
        await auntil(lambda: len(to_server.received) == 3 and len(to_client.received) == 3)
        assert to_client.received == [b"1", b"2", b"3"]
        assert to_server.received == [b"a", b"b", b"c"]
        assert client.away_since_s is None is server.away_since_s
        client.abort()

    run(work)


def test_what_is_acknowledged_is_forgotten() -> None:
    async def work() -> None:
        client, to_client, server, _ = await Here().connect()
        server.send([b"x" * 5000])
        assert not server.writable
        await auntil(lambda: to_client.received)
        await auntil(lambda: server.writable)
        assert not server._log.held_bytes
        client.abort()

    run(work)


def test_away_it_takes_nothing_and_keeps_what_is_sent_all_the_same() -> None:
    async def work() -> None:
        here = Here()
        client, to_client, server, to_server = await here.connect()
        changes: list[float | None] = []
        client.on_change = lambda: changes.append(client.away_since_s)
        here.is_down = True
        here.cut()
        await auntil(lambda: client.away_since_s is not None and server.away_since_s is not None)
        assert here.sessions.away == 1
        assert not client.writable
        assert not server.writable
        client.send([b"a"])
        server.send([b"1"])
        client.pause_reading()
        here.is_down = False
        client.hurry()
        await auntil(lambda: to_server.received == [b"a"])
        await auntil(lambda: to_client.received == [b"1"])  # it came with the answer
        server.send([b"2"])
        await asyncio.sleep(0.05)
        assert to_client.received == [b"1"]  # it is not read
        client.resume_reading()
        await auntil(lambda: to_client.received == [b"1", b"2"])
        assert here.sessions.away == 0
        assert len(changes) == 2
        assert changes[1] is None
        client.abort()

    run(work)


def test_an_owner_that_pauses_until_it_is_rid_of_something_gets_rid_of_it() -> None:
    async def work() -> None:
        client, to_client, server, to_server = await Here().connect()
        server.pause_reading()
        server.send([b"x" * 5000])
        assert server.writable  # though no acknowledgement can be read
        server.resume_reading()
        await auntil(lambda: to_client.received)
        server.pause_reading()
        server.send([b"x" * 5000])
        server.resume_reading()
        server.pause_reading()  # nothing was acknowledged in between
        assert not server.writable
        server.resume_reading()
        await auntil(lambda: server.writable)
        assert to_server.written
        client.abort()

    run(work)


def test_an_end_that_is_meant_is_not_waited_for() -> None:
    async def work() -> None:
        here = Here()
        client, to_client, _, to_server = await here.connect()
        await client.close()
        await auntil(lambda: to_server.reason is not None and to_client.reason is not None)
        client, to_client, server, to_server = await here.connect()
        client.send([b"a"])
        await auntil(lambda: to_server.received)
        server.abort()
        await auntil(lambda: to_server.reason is not None and to_client.reason is not None)
        assert here.dialled == 0
        assert here.sessions.away == 0

    run(work)


@pytest.mark.parametrize("frame", [b"~x", b"~99", control.encode(control.Go(1))])
def test_nonsense_ends_the_connection_for_good(frame: bytes) -> None:
    async def work() -> None:
        here = Here()
        _, to_client, _, to_server = await here.connect()
        here.pairs[-1][1].send([frame])
        await auntil(lambda: to_client.reason is not None)
        assert "the other side" in str(to_client.reason)
        assert here.dialled == 0
        await auntil(lambda: to_server.reason is not None or here.sessions.away == 0)

    run(work)


def test_there_may_be_no_way_back() -> None:
    async def work() -> None:
        here = Here(resume_s=0.2)
        _, to_client, _, to_server = await here.connect()
        here.is_down = True
        here.cut()
        await auntil(lambda: to_client.reason is not None and to_server.reason is not None)
        assert "no way back within 0.2 s (nobody there)" in str(to_client.reason)
        assert "did not come back within 0.2 s" in str(to_server.reason)
        assert here.dialled > 1
        assert here.sessions.away == 0

    run(work)


def test_a_connection_that_nobody_needs_is_not_made_again() -> None:
    async def work() -> None:
        here = Here()
        client, to_client, _, _ = await here.connect()
        client.is_wanted = lambda: False
        here.cut()
        await auntil(lambda: to_client.reason is not None)
        assert here.dialled == 0

    run(work)


def test_closing_while_it_is_away() -> None:
    async def work() -> None:
        here = Here()
        client, to_client, _, _ = await here.connect()
        here.is_down = True
        here.cut()
        await auntil(lambda: client.away_since_s is not None)
        await client.close()
        await auntil(lambda: to_client.reason == "closed")
        dialled = here.dialled
        await asyncio.sleep(0.15)
        assert here.dialled == dialled

    run(work)


def test_a_fault_while_it_comes_back_is_not_waited_for() -> None:
    async def work() -> None:
        here = Here()
        client, to_client, _, _ = await here.connect()

        async def dial() -> MemoryTransport:
            raise LookupError("a fault")

        client._dial = dial
        here.cut()
        await auntil(lambda: to_client.reason is not None)
        assert "cannot be resumed: LookupError" in str(to_client.reason)
        assert client._returning is not None
        assert isinstance(client._returning.exception(), LookupError)

    run(work)


def test_a_client_that_does_not_know_of_it_is_served_as_ever() -> None:
    async def work() -> None:
        here = Here()
        near, far = memory_pair()
        to_server, to_client = Listener(), Listener()
        relay = Relay(to_server)
        far.open(relay)
        near.open(to_client)
        server = here.sessions.offer(far, relay, Guest(), QUESTION.__eq__)
        server.open(to_server)
        near.send([QUESTION])
        await auntil(lambda: to_server.received == [QUESTION])
        server.send([b"x" * 5000])
        assert not server.writable
        near.send([b"a", b"b"])
        await auntil(lambda: to_server.received == [QUESTION, b"a", b"b"])
        assert server.writable
        server.send([b"x" * 5000] * 3)
        near.send([b"c"])
        await auntil(lambda: to_server.received[-1] == b"c")
        assert not server._log.held_bytes
        near.abort()
        await auntil(lambda: to_server.reason is not None)
        assert here.sessions.away == 0

    run(work)


def test_so_many_of_one_address_may_be_away() -> None:
    async def work() -> None:
        here = Here(away_limit=10, away_per_address_limit=1)
        here.is_down = True
        owners = []
        for address in ("192.0.2.1", "192.0.2.1", "192.0.2.2"):
            here.guest = Guest(address=address)
            _, _, _, to_server = await here.connect()
            here.cut()
            owners.append(to_server)
        await auntil(lambda: here.sessions.away == 2 and owners[1].reason is not None)
        assert owners[0].reason is None
        assert owners[2].reason is None
        here.sessions.stop()
        assert all(owner.reason is not None for owner in owners)
        assert here.sessions.away == 0

    run(work)


def test_who_comes_back_takes_the_place_of_a_connection_that_is_dead() -> None:
    async def work() -> None:
        here = Here()
        client, to_client, server, _ = await here.connect()
        near, far = here.pairs[-1]
        far.pause_reading()  # the server does not notice
        near.abort()
        await auntil(lambda: len(here.pairs) == 2 and client.away_since_s is None)
        server.send([b"1"])
        await auntil(lambda: to_client.received == [b"1"])
        assert far.closed
        client.abort()

    run(work)


def test_an_interrupt_while_it_sends_here_loses_and_doubles_nothing() -> None:
    class Interrupted(MemoryTransport):
        """Its frame may be on its way, or not: nobody knows."""

        def send_here(self, message: bytes) -> bool:
            raise KeyboardInterrupt

    async def work() -> None:
        here = Here()
        client, _, _, to_server = await here.connect()
        near = here.pairs[-1][0]
        near.__class__ = Interrupted
        client._carry(near)
        client.send([b"a"])
        await auntil(lambda: to_server.received == [b"a"])
        with pytest.raises(KeyboardInterrupt):
            client.send_here(b"b")
        client.send([b"c"])  # on the next connection, behind it
        await auntil(lambda: len(here.pairs) == 2 and len(to_server.received) == 3)
        assert to_server.received == [b"a", b"b", b"c"]
        assert not client.send_here(b"d")  # this one sends from its own loop only
        client.abort()

    run(work)
