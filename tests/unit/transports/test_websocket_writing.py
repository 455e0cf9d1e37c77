"""Messages written in the thread at hand: whole, in order, or not at all."""

from __future__ import annotations

import asyncio
import select
import threading
from collections.abc import Iterator

import pytest
from support.waiting import PATIENCE_S, auntil
from websockets.sync.server import ServerConnection, serve

from kkjupyter.transports.websocket.client import connect_websocket
from kkjupyter.transports.websocket.transport import WebSocketTransport

# More than the system takes at once.
BIG = b'"' + b"x" * (16 * 1024 * 1024) + b'"'


class Peer:
    """A server in a thread of its own, as the loop of the test stands still at times."""

    def __init__(self) -> None:
        self.may_read = threading.Event()
        self.received: list[bytes] = []
        self._server = serve(self._serve, "127.0.0.1", 0, compression=None, max_size=None)
        self.url = f"ws://127.0.0.1:{self._server.socket.getsockname()[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def _serve(self, connection: ServerConnection) -> None:
        self.may_read.wait(PATIENCE_S)
        for message in connection:
            self.received.append(message.encode() if isinstance(message, str) else message)

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()


@pytest.fixture
def peer() -> Iterator[Peer]:
    peer = Peer()
    yield peer
    peer.close()


class Nobody:
    def data_received(self, chunks: object) -> None: ...
    def writable(self) -> None: ...
    def closed(self, reason: str) -> None: ...


async def opened(url: str) -> WebSocketTransport:
    transport = await connect_websocket(url, write_timeout_s=None)
    transport.open(Nobody())
    return transport


def test_nothing_is_written_into_a_frame_that_was_begun(peer: Peer) -> None:
    async def main() -> None:
        transport = await opened(peer.url)
        assert transport.send_here(BIG)
        # The loop stands still, so that the rest waits, and by now the system would take more.
        peer.may_read.set()
        sock = transport._connection.transport.get_extra_info("socket")
        assert select.select([], [sock], [], PATIENCE_S)[1]
        assert not transport.send_here(b"2")
        transport.send([b"2"])
        transport.send([b"3"])
        await auntil(lambda: len(peer.received) == 3)
        await transport.close()

    asyncio.run(main())
    assert peer.received == [BIG, b"2", b"3"]


def test_nothing_is_written_before_what_the_loop_has_to_write(peer: Peer) -> None:
    async def main() -> None:
        transport = await opened(peer.url)
        transport.send([BIG])
        assert not transport.send_here(b"2")
        transport.send([b"2"])
        peer.may_read.set()
        await auntil(lambda: len(peer.received) == 2)
        await transport.close()

    asyncio.run(main())
    assert peer.received == [BIG, b"2"]
