"""What a peer says to streams that are over."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from types import SimpleNamespace
from typing import Any

import pytest

from kkjupyter.connection.outgoing_streams import OutgoingStream, OutgoingStreams
from kkjupyter.runtime.loop_threads import handler_loop, io_loop
from kkjupyter.wire.events import Credited, Thrown
from kkjupyter.wire.kkrpc.compact.protocol import Compact


async def nothing() -> AsyncIterator[int]:
    return
    yield 0


async def failing() -> AsyncIterator[int]:
    raise ValueError("boo")
    yield 0


def said_at_the_end(source: AsyncIterator[int], late: Credited | Thrown) -> list[dict[str, Any]]:
    """What is sent when the peer says something while the end is on its way to the send queue."""
    said: list[dict[str, Any]] = []
    protocol = Compact("json")

    def put(message: bytes) -> None:
        if not said:
            streams.credited(late) if isinstance(late, Credited) else streams.thrown(late)
        said.append(json.loads(message))

    send_queue: Any = SimpleNamespace(put=put, full=False)
    streams = OutgoingStreams(protocol, send_queue)
    stream = OutgoingStream(source, "s", "f()", protocol, send_queue, "json")
    streams.add(stream)
    stream.credited(1)
    handler_loop().submit(stream.run()).result(timeout=10)
    for loop in (handler_loop(), io_loop()):
        loop.flush(timeout_s=10)
    return said


@pytest.mark.parametrize("source", [nothing, failing])
@pytest.mark.parametrize("late", [Thrown("s", "c", "late"), Credited("s", 1, "c")])
def test_what_is_said_to_a_stream_as_it_ends_is_answered_after_its_end(
    source: Callable[[], AsyncIterator[int]], late: Credited | Thrown
) -> None:
    """It would never be answered, as if the generator had caught it, or in place of the end."""
    end, answer = said_at_the_end(source(), late)
    assert end.get("d") or end["e"]["m"] == "boo"
    assert (answer["id"], answer["e"]["m"]) == ("c", "Unknown RPC stream s")
