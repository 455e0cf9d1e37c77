"""How much the system holds of what is not read: little in a pause, as it likes after that."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from support.waiting import auntil

from kkjupyter.transports.websocket import transport as websocket
from kkjupyter.transports.websocket.transport import WebSocketTransport

_LOCK = 72  # SO_BUF_LOCK


@pytest.fixture
def sock(monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    monkeypatch.setattr(websocket, "_SHORTEN_S", 0.02)
    monkeypatch.setattr(websocket, "_LENGTHEN_S", 0.1)
    with socket.socket() as sock:
        try:
            sock.getsockopt(socket.SOL_SOCKET, _LOCK)
        except OSError:
            pytest.skip("a kernel that cannot undo it, where it is not done")
        yield sock


def transport_over(sock: socket.socket) -> WebSocketTransport:
    inner = SimpleNamespace(
        get_extra_info=lambda name: sock, pause_reading=lambda: None, resume_reading=lambda: None
    )
    connection: Any = SimpleNamespace(
        transport=inner, hold=lambda: None, let_go=lambda: None, is_paused=False
    )
    return WebSocketTransport(connection, "ws://double")


def is_fixed(sock: socket.socket) -> bool:
    return bool(sock.getsockopt(socket.SOL_SOCKET, _LOCK))


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere it is left alone")
def test_a_pause_shortens_it_until_the_reader_keeps_up_again(sock: socket.socket) -> None:
    async def main() -> None:
        transport = transport_over(sock)
        assert not is_fixed(sock)
        for _ in range(3):
            transport.pause_reading()
            await auntil(lambda: is_fixed(sock))
            assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) <= 2 * 256 * 1024
            transport.resume_reading()
            assert is_fixed(sock)
            await auntil(lambda: not is_fixed(sock))

    asyncio.run(main())


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere it is left alone")
def test_pauses_of_a_moment_change_nothing(
    sock: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(websocket, "_SHORTEN_S", 5.0)

    async def main() -> None:
        transport = transport_over(sock)
        for _ in range(20):
            transport.pause_reading()
            await asyncio.sleep(0)
            transport.resume_reading()
        assert not is_fixed(sock)

    asyncio.run(main())


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere it is left alone")
def test_a_look_into_a_paused_connection_leaves_it_short(
    sock: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(websocket, "_LENGTHEN_S", 5.0)

    async def main() -> None:
        transport = transport_over(sock)
        transport.pause_reading()
        await auntil(lambda: is_fixed(sock))
        transport.resume_reading()
        transport.pause_reading()
        await auntil(lambda: transport._lengthening is None)
        assert is_fixed(sock)

    asyncio.run(main())
