"""A peer that takes nothing, and one that takes its time."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Awaitable, Callable

import pytest
from support.waiting import PATIENCE_S, auntil

from kkjupyter.transports.stalls import StallWatch, set_keepalive

TIMEOUT_S = 0.4


def run(test: Callable[[asyncio.Transport, socket.socket], Awaitable[None]]) -> None:
    """Run a test with a connection over TCP, and the socket of its peer."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        with socket.create_server(("127.0.0.1", 0)) as listening:
            sock = socket.create_connection(listening.getsockname())
            far, _ = listening.accept()
        sock.setblocking(False)
        far.setblocking(False)
        transport, _ = await loop.connect_accepted_socket(asyncio.Protocol, sock)
        try:
            await test(transport, far)
        finally:
            transport.abort()
            far.close()
            await asyncio.sleep(0)

    asyncio.run(main())


@pytest.mark.slow
def test_who_takes_nothing_is_told_of_once() -> None:
    async def test(transport: asyncio.Transport, far: socket.socket) -> None:
        stalls: list[str] = []
        watch = StallWatch(transport, TIMEOUT_S, lambda: stalls.append("stalled"))
        transport.write(b"x" * 20_000_000)
        await auntil(lambda: stalls, PATIENCE_S)
        await asyncio.sleep(TIMEOUT_S)
        assert stalls == ["stalled"]
        watch.stop()

    run(test)


@pytest.mark.slow
def test_who_takes_a_little_now_and_then_is_not() -> None:
    async def test(transport: asyncio.Transport, far: socket.socket) -> None:
        stalls: list[str] = []
        watch = StallWatch(transport, 1.0, lambda: stalls.append("stalled"))
        transport.write(b"x" * 60_000_000)
        loop = asyncio.get_running_loop()
        for _ in range(10):
            await asyncio.sleep(0.2)
            for _ in range(20):  # so much that its system asks for more
                await loop.sock_recv(far, 200_000)
        assert transport.get_write_buffer_size()
        assert not stalls
        watch.stop()

    run(test)


@pytest.mark.slow
def test_who_is_sent_nothing_is_not_nor_who_is_excused() -> None:
    async def test(transport: asyncio.Transport, far: socket.socket) -> None:
        stalls: list[str] = []
        idle = StallWatch(transport, TIMEOUT_S, lambda: stalls.append("idle"))
        await asyncio.sleep(3 * TIMEOUT_S)
        idle.stop()
        excused = StallWatch(transport, TIMEOUT_S, lambda: stalls.append("busy"), lambda: True)
        transport.write(b"x" * 20_000_000)
        await asyncio.sleep(3 * TIMEOUT_S)
        excused.stop()
        assert not stalls

    run(test)


def test_a_system_asks_after_silence() -> None:
    with socket.socket() as sock:
        set_keepalive(sock, 40.0)
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        if sys.platform == "linux":
            values = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
            assert [sock.getsockopt(socket.IPPROTO_TCP, one) for one in values] == [20, 5, 4]
    one, other = socket.socketpair()  # not TCP
    set_keepalive(one, 40.0)
    one.close()
    other.close()
    set_keepalive(one, 40.0)  # closed
