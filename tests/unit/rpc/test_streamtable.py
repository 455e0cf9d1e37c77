"""What a peer says to streams that are over."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

from kkjupyter.rpc.outgoing import OutgoingStream
from kkjupyter.rpc.streamtable import OutgoingStreams
from kkjupyter.wire.compact import Compact
from kkjupyter.wire.events import Thrown


async def nothing() -> AsyncIterator[int]:
    return
    yield 0


async def failing() -> AsyncIterator[int]:
    raise ValueError("boo")
    yield 0


async def said_to_a_throw_at_the_end(source: AsyncIterator[int]) -> list[dict[str, Any]]:
    """What is sent when the peer throws as soon as it sees the end."""
    said: list[dict[str, Any]] = []
    protocol = Compact("json")

    def put(message: bytes) -> None:
        said.append(json.loads(message))
        if len(said) == 1:
            streams.thrown(Thrown("s", "c", "late"))

    outbox: Any = SimpleNamespace(put=put, full=False)
    streams = OutgoingStreams(protocol, outbox)
    stream = OutgoingStream(source, "s", "f()", protocol, outbox, "json")
    streams.add(stream)
    stream.credited(1)
    await stream.run()
    return said


def test_a_stream_that_has_ended_is_not_thrown_into() -> None:
    """It would never be answered, or as if the generator had caught it."""
    for source in (nothing(), failing()):
        end, answer = asyncio.run(said_to_a_throw_at_the_end(source))
        assert end.get("d") or end["e"]["m"] == "boo"
        assert (answer["id"], answer["e"]["m"]) == ("c", "Unknown RPC stream s")
