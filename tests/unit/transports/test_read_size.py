"""How much is read at once: little where little comes, much where much does."""

from __future__ import annotations

from typing import Any

from support.endpoints import Endpoint
from support.waiting import PATIENCE_S

import kkjupyter as kk
from kkjupyter.client.remote import session_of
from kkjupyter.runtime.loop_threads import io_loop
from kkjupyter.transports.websocket.frames import text_frames

ITEM = b'{"t":"sr","id":"x","sid":"of a stream that is over","d":false,"v":"%s"}'
LITTLE, MUCH = 64 * 1024, 256 * 1024


def test_it_follows_what_comes() -> None:
    with kk.serve(Endpoint(), port=0) as server, server.connect() as api:
        connection: Any = session_of(api)._channel._transport._connection  # type: ignore[attr-defined]

        async def read(value_bytes: int) -> int:
            connection.data_received(text_frames([ITEM % (b"x" * value_bytes)], masked=False))
            return int(connection.transport.max_size)

        for value_bytes, next_bytes in [(LITTLE, MUCH), (MUCH, MUCH), (1_000, LITTLE)]:
            assert io_loop().submit(read(value_bytes)).result(PATIENCE_S) == next_bytes
        assert api.add(1, 2).result() == 3
        assert connection.transport.max_size == LITTLE
