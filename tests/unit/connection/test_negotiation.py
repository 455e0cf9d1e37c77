"""Asking a peer what it speaks, and hearing it from a client, over a transport that is none."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import pytest

import kkjupyter as kk
from kkjupyter.connection import negotiation
from kkjupyter.connection.negotiation import Negotiation, find_protocol, make_protocol
from kkjupyter.wire.events import Requested
from kkjupyter.wire.framing import DEFAULT_LIMIT_BYTES
from kkjupyter.wire.kkrpc.detection import PROBE_NAME


class Wire:
    """A transport whose other side is the test.

    Attributes:
        sent: the messages, in order.
        answer: makes of each message what comes back, if anything.
    """

    url = "test:1"

    def __init__(self, answer: Any = None, *, keeps_boundaries: bool = True) -> None:
        self.keeps_boundaries = keeps_boundaries
        self.sent: list[bytes] = []
        self.owner: Any = None
        self._answer = answer

    writable = True

    def open(self, owner: Any) -> None:
        self.owner = owner

    def send(self, messages: Sequence[bytes]) -> None:
        self.sent += messages
        for message in messages:
            chunks = [] if self._answer is None else self._answer(message)
            if chunks:
                asyncio.get_running_loop().call_soon(self.owner.data_received, chunks)

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    async def close(self) -> None: ...

    def abort(self) -> None: ...


def speaking(protocol: str, codec: Any) -> Any:
    """Answers what is asked in this protocol (and, if compact, codec) and nothing else."""
    wire = make_protocol(protocol, codec)

    def answer(message: bytes) -> list[bytes]:
        (event,) = wire.receive([message], whole=True)
        if not isinstance(event, Requested) or (protocol == "compact" and event.codec != codec):
            return []
        event.codec = codec
        return [wire.refuse(event, "missing")]

    return answer


SPOKEN = [
    ("classic", "json"),
    ("classic", "superjson"),
    ("compact", "json"),
    ("compact", "superjson"),
]


@pytest.mark.parametrize("spoken", SPOKEN, ids="-".join)
@pytest.mark.parametrize("keeps_boundaries", [True, False])
def test_what_is_spoken_is_found(spoken: tuple[str, Any], keeps_boundaries: bool) -> None:
    wire = Wire(speaking(*spoken), keeps_boundaries=keeps_boundaries)
    found = asyncio.run(find_protocol(wire))
    assert (found.protocol, found.codec) == spoken
    assert all(PROBE_NAME.encode() in message for message in wire.sent)
    assert all(message.endswith(b"\n") for message in wire.sent)
    assert [message.count(b"\n") for message in wire.sent] == [1, 1, 1]


@pytest.mark.parametrize("spoken", SPOKEN, ids="-".join)
def test_what_was_spoken_before_is_asked_for_alone(spoken: tuple[str, Any]) -> None:
    wire = Wire(speaking(*spoken))
    found = asyncio.run(find_protocol(wire, spoken))
    assert (found.protocol, found.codec) == spoken
    assert len(wire.sent) == 1


def test_everything_is_asked_for_when_that_is_not_spoken_any_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(negotiation, "_REMEMBERED_S", 0.05)
    wire = Wire(speaking("classic", "json"))
    found = asyncio.run(find_protocol(wire, ("compact", "superjson")))
    assert (found.protocol, found.codec) == ("classic", "json")
    assert len(wire.sent) == 4


def test_who_answers_to_what_is_remembered_too_late_is_found_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(negotiation, "_REMEMBERED_S", 0.05)
    speaks = speaking("compact", "json")
    late: list[bytes] = []

    def answer(message: bytes) -> list[bytes]:
        late.extend(speaks(message))
        return late if len(wire.sent) > 1 else []

    wire = Wire(answer)
    found = asyncio.run(find_protocol(wire, ("compact", "json")))
    assert (found.protocol, found.codec) == ("compact", "json")


@pytest.mark.slow
def test_nobody_says_anything() -> None:
    wire = Wire()
    started_s = time.monotonic()
    with pytest.raises(kk.ConnectError, match="name it"):
        asyncio.run(find_protocol(wire))
    assert 1 < time.monotonic() - started_s < 4


@pytest.mark.parametrize("early", [True, False])
def test_it_closes_instead(early: bool) -> None:
    class Closing(Wire):
        def open(self, owner: Any) -> None:
            super().open(owner)
            if early:
                owner.closed("it went away")

        def send(self, messages: Sequence[bytes]) -> None:
            if not early:
                asyncio.get_running_loop().call_soon(self.owner.closed, "it went away")

    with pytest.raises(
        kk.ConnectError, match="before it said which protocol it speaks: it went away"
    ):
        asyncio.run(find_protocol(Closing()))


def test_it_closes_with_its_answer() -> None:
    """Whoever took the connection over would never hear of it."""

    class Leaving(Wire):
        def send(self, messages: Sequence[bytes]) -> None:
            super().send(messages)
            loop = asyncio.get_running_loop()
            loop.call_soon(self.owner.closed, "it went away")

    with pytest.raises(kk.ConnectError, match="as soon as it had answered: it went away"):
        asyncio.run(find_protocol(Leaving(speaking("compact", "superjson"))))


def test_it_says_more_than_any_message_can_hold() -> None:
    """A program that prints on and on; the transport must not hear of it as an exception."""

    async def main() -> None:
        wire = Wire(keeps_boundaries=False)
        asking = asyncio.create_task(find_protocol(wire))
        await asyncio.sleep(0)
        for _ in range(3):
            wire.owner.data_received([b"x" * (DEFAULT_LIMIT_BYTES // 2 + 1)])
        with pytest.raises(kk.ConnectError, match="bytes"):
            await asking

    asyncio.run(main())


def test_it_sends_back_what_it_is_sent() -> None:
    with pytest.raises(kk.ConnectError, match="sends back"):
        asyncio.run(find_protocol(Wire(lambda message: [message])))


def test_what_comes_with_and_after_the_answer_is_kept_in_order() -> None:
    speaks = speaking("compact", "json")

    def answer(message: bytes) -> list[bytes]:
        answers = speaks(message)
        return [b"before\n", *answers, b"with\n"] if answers else []

    async def find() -> Any:
        wire = Wire(answer)
        asking = asyncio.create_task(find_protocol(wire))
        await asyncio.sleep(0)
        wire.owner.data_received([b"first\n"])
        found = await asking
        wire.owner.data_received([b"after\n"])
        return found

    found = asyncio.run(find())
    assert [chunk.strip() for chunk in found.rest] == [b"first", b"before", b"with", b"after"]


def test_cancelling_leaves_the_transport_to_its_owner() -> None:
    async def main() -> None:
        task = asyncio.create_task(find_protocol(Wire()))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())


# ---- the server's side


class Arrivals:
    def __init__(self, wire: Wire, limit_bytes: int = 10_000) -> None:
        self.wire = wire
        self.channels: list[Any] = []
        self.left: list[Any] = []
        self.step = Negotiation(
            wire,  # type: ignore[arg-type]
            self.channels.append,
            self.left.append,
            limit_bytes=limit_bytes,
        )
        self.step.open()


@pytest.mark.parametrize("spoken", SPOKEN, ids="-".join)
def test_the_first_message_tells_and_is_not_lost(spoken: tuple[str, Any]) -> None:
    async def main() -> None:
        arrivals = Arrivals(Wire(keeps_boundaries=False))
        request = make_protocol(*spoken).request("c1", "call", ["nothing"], [])
        for at in range(0, len(request), 5):
            assert arrivals.channels == []
            arrivals.wire.owner.data_received([request[at : at + 5]])
        (channel,) = arrivals.channels
        assert (channel.protocol.name, channel.protocol.codec) == spoken
        channel.send_queue.flush()
        assert any(b"c1" in message for message in arrivals.wire.sent)  # refused: no handler

    asyncio.run(main())


def test_who_leaves_without_a_word_is_seen_off() -> None:
    async def main() -> None:
        arrivals = Arrivals(Wire())
        arrivals.wire.owner.writable()
        arrivals.wire.owner.closed("left")
        assert arrivals.left == [arrivals.step]
        assert arrivals.channels == []

    asyncio.run(main())
