"""Messages that never come in full, answers that nobody takes: all together have one limit."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.hostile.floods import CONTINUATION, TEXT, frame, open_socket
from support.hostile.raw_http import head
from support.waiting import PATIENCE_S, until

import kkjupyter as kk
from kkjupyter import vovk

MIB = 1024 * 1024
LIMIT_BYTES = 4 * MIB
LIMITS = kk.ServerLimits(buffered_bytes=LIMIT_BYTES, message_bytes=2 * MIB)
PART = b"x" * MIB


class Api:
    async def length(self, text: str) -> int:
        return len(text)

    async def large(self) -> str:
        return "x" * 20 * MIB


class Lengths(vovk.Controller, prefix="lengths"):
    @vovk.post("length")
    async def length(self, req: vovk.Request) -> int:
        return len(await req.text())

    @vovk.get("large")
    async def large(self) -> str:
        return "x" * 20 * MIB


def _served(transport: str) -> Any:
    return kk.serve(Api(), token=False, transport=transport, limits=LIMITS)


def _half_a_frame(port: int) -> socket.socket:
    sock = open_socket(f"ws://127.0.0.1:{port}")
    sock.sendall(frame(b'{"t":"q"' + PART + PART[100:])[: MIB + 100])
    return sock


def _fragments(port: int) -> socket.socket:
    sock = open_socket(f"ws://127.0.0.1:{port}")
    sock.sendall(frame(b'{"t":"q","id":"' + PART, TEXT, is_last=False))
    with contextlib.suppress(ConnectionError):  # there may be no room for it any more
        sock.sendall(frame(b"x", CONTINUATION, is_last=False))
    return sock


def _half_a_first_message(port: int) -> socket.socket:
    sock = open_socket(f"ws://127.0.0.1:{port}")
    sock.sendall(frame(b'{"id":"' + PART))
    return sock


def _half_a_body(port: int, path: str = "/") -> socket.socket:
    sock = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S)
    sock.sendall(head("POST", path, None, f"Content-Length: {MIB + 100}") + PART)
    return sock


KINDS: dict[str, tuple[Callable[[], Any], Callable[[int], socket.socket]]] = {
    "frames": (lambda: _served("websocket"), _half_a_frame),
    "fragments": (lambda: _served("websocket"), _fragments),
    "first messages": (lambda: _served("websocket"), _half_a_first_message),
    "bodies": (lambda: _served("http"), _half_a_body),
    "bodies for Vovk": (
        lambda: vovk.serve([Lengths], token=False, limits=LIMITS),
        lambda port: _half_a_body(port, "/api/lengths/length"),
    ),
}


def _is_ended(sock: socket.socket) -> bool:
    sock.setblocking(False)
    try:
        return not sock.recv(65_536) or _is_ended(sock)
    except BlockingIOError:
        return False
    except ConnectionError:
        return True
    finally:
        sock.setblocking(True)


@contextlib.contextmanager
def _unfinished(begin: Callable[[int], socket.socket], port: int) -> Iterator[list[socket.socket]]:
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(begin(port)) for _ in range(12)]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_unfinished_is_held_up_to_the_limit_of_all(kind: str) -> None:
    serve, begin = KINDS[kind]
    with serve() as server:
        load = server._clients.load
        with _unfinished(begin, server.port) as sockets:
            ended: set[socket.socket] = set()

            def some_are_ended() -> bool:
                ended.update(sock for sock in sockets if sock not in ended and _is_ended(sock))
                return len(ended) >= 7

            until(some_are_ended)
            assert load.budget.held_bytes <= LIMIT_BYTES + MIB
            assert len(ended) < len(sockets)  # only those who came when there was no room
        until(lambda: load.budget.held_bytes == 0)


_CALL = b'{"t":"q","id":"1","op":"call","p":["large"],"a":[]}'
_ASK = {
    "http": head("POST", "/", None, f"Content-Length: {len(_CALL)}") + _CALL,
    "Vovk": head("GET", "/api/lengths/large"),
}


@pytest.mark.parametrize("kind", _ASK)
def test_answers_over_http_that_nobody_takes(kind: str) -> None:
    limits = kk.ServerLimits(buffered_bytes=70 * MIB)
    serving = {
        "http": lambda: kk.serve(Api(), token=False, transport="http", limits=limits),
        "Vovk": lambda: vovk.serve([Lengths], token=False, limits=limits),
    }
    with serving[kind]() as server, contextlib.ExitStack() as stack:
        budget = server._clients.load.budget
        statuses = []
        for _ in range(6):
            sock = stack.enter_context(
                socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_S)
            )
            sock.sendall(_ASK[kind])
            statuses.append(sock.recv(12)[9:])
        assert statuses == [b"200"] * 3 + [b"503"] * 3
        assert budget.held_bytes <= 70 * MIB
        stack.close()
        until(lambda: budget.held_bytes == 0)
