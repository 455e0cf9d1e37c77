"""Clients that keep an HTTP server waiting: for a request, for its body, for room to write."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from support.hostile.raw_http import head, raw_socket, read_to_end
from support.waiting import PATIENCE_S, until

import kkjupyter as kk
from kkjupyter import vovk

finals: list[str] = []


class WaitsController(vovk.Controller, prefix="waits"):
    @vovk.post("length")
    async def length(self, body: Any) -> int:
        return len(body)

    @vovk.get("slow")
    async def slow(self) -> str:
        await asyncio.sleep(1.0)
        return "done"

    @vovk.get("flood")
    async def flood(self) -> AsyncIterator[str]:
        try:
            while True:
                yield "x" * 10_000
        finally:
            finals.append("flood")

    @vovk.get("quiet")
    async def quiet(self) -> AsyncIterator[int]:
        yield 1
        await asyncio.sleep(1.0)
        yield 2


class Api:
    def length(self, text: str) -> int:
        return len(text)

    def large(self) -> str:
        return "x" * 30_000_000

    async def slow(self) -> str:
        await asyncio.sleep(1.0)
        return "done"


SERVERS: dict[str, Callable[[kk.ServerLimits], Any]] = {
    "http": lambda limits: kk.serve(Api(), transport="http", limits=limits),
    "vovk": lambda limits: vovk.serve([WaitsController], limits=limits),
}
PATHS = {"http": "/", "vovk": "/api/waits/length"}


@pytest.fixture(params=SERVERS)
def kind(request: pytest.FixtureRequest) -> str:
    finals.clear()
    return str(request.param)


def asked(kind: str, text: str) -> bytes:
    """The body that asks for the length of ``text``."""
    if kind == "vovk":
        return json.dumps(text).encode()
    return json.dumps({"t": "q", "id": "1", "op": "call", "p": ["length"], "a": [text]}).encode()


@pytest.mark.parametrize("begun", ["", "POST / HT"])
def test_a_further_request_has_its_time_from_its_first_byte(kind: str, begun: str) -> None:
    limits = kk.ServerLimits(handshake_timeout_s=0.5, keepalive_timeout_s=PATIENCE_S * 2)
    with SERVERS[kind](limits) as server, raw_socket(server.port) as sock:
        sock.sendall(head("GET", "/nothing", server.token))
        assert sock.recv(65_536).startswith(b"HTTP/1.1 40")
        if begun:
            sock.sendall(begun.encode())
            assert read_to_end(sock) == b""
        else:
            sock.settimeout(1.5)
            with pytest.raises(TimeoutError):
                sock.recv(1)


def test_a_connection_is_kept_for_so_long(kind: str) -> None:
    limits = kk.ServerLimits(keepalive_timeout_s=0.3)
    with SERVERS[kind](limits) as server, raw_socket(server.port) as sock:
        sock.sendall(head("GET", "/nothing", server.token))
        assert read_to_end(sock).startswith(b"HTTP/1.1 40")


def test_half_a_body_is_answered_and_ended(kind: str) -> None:
    limits = kk.ServerLimits(body_timeout_s=0.3)
    framing = {"http": "Content-Length: 1000", "vovk": "Transfer-Encoding: chunked"}[kind]
    with SERVERS[kind](limits) as server, raw_socket(server.port) as sock:
        sock.sendall(head("POST", PATHS[kind], server.token, framing) + b"3\r\n{")
        answer = read_to_end(sock)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"body_timeout_s" in answer


def test_a_body_that_keeps_coming_may_take_longer(kind: str) -> None:
    """A second more for each 1,000 bytes: what is slow is not what is dead."""
    limits = kk.ServerLimits(body_timeout_s=0.5)
    body = asked(kind, "x" * 9000)
    with SERVERS[kind](limits) as server, raw_socket(server.port) as sock:
        sock.sendall(
            head("POST", PATHS[kind], server.token, f"Content-Length: {len(body)}") + body[:3000]
        )
        for part in range(3000, len(body), 1000):
            time.sleep(0.2)
            sock.sendall(body[part : part + 1000])
        answer = sock.recv(65_536)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"9000" in answer


def test_a_trickle_is_no_progress(kind: str) -> None:
    limits = kk.ServerLimits(body_timeout_s=0.5)
    with SERVERS[kind](limits) as server, raw_socket(server.port) as sock:
        sock.sendall(head("POST", PATHS[kind], server.token, "Content-Length: 100000"))
        sock.settimeout(0.1)
        answer = b""
        while b"\r\n\r\n" not in answer:
            sock.sendall(b"x")
            with contextlib.suppress(TimeoutError):
                answer += sock.recv(65_536)
    assert answer.startswith(b"HTTP/1.1 408 ")


def test_a_stream_that_is_not_read_is_given_up() -> None:
    finals.clear()
    limits = kk.ServerLimits(write_timeout_s=0.4)
    with SERVERS["vovk"](limits) as server, raw_socket(server.port, receive_bytes=4096) as sock:
        sock.sendall(head("GET", "/api/waits/flood", server.token))
        until(lambda: finals)


def test_a_reply_that_is_not_read_is_given_up() -> None:
    limits = kk.ServerLimits(write_timeout_s=0.4)
    body = json.dumps({"t": "q", "id": "1", "op": "call", "p": ["large"]}).encode()
    with SERVERS["http"](limits) as server, raw_socket(server.port, receive_bytes=4096) as sock:
        sock.sendall(head("POST", "/", server.token, f"Content-Length: {len(body)}") + body)
        until(lambda: server._listener.connections)
        until(lambda: not server._listener.connections)


def test_a_consumer_that_pauses_is_not_cut_off() -> None:
    """Its connection says that it is there: a debugger's pause, a cell that trains a model."""
    finals.clear()
    limits = kk.ServerLimits(write_timeout_s=0.4, silence_timeout_s=1.0)
    with SERVERS["vovk"](limits) as server, server.connect() as api:
        items = iter(api.WaitsController.flood())
        assert next(items)
        time.sleep(2.5)
        assert not finals
        for _ in range(2000):  # more than what lay in the buffers
            assert len(next(items)) == 10_000


def test_silence_of_who_computes_ends_nothing() -> None:
    """Neither a reply that takes its time nor a stream that is quiet."""
    limits = kk.ServerLimits(silence_timeout_s=0.3, write_timeout_s=0.3, body_timeout_s=0.3)
    with SERVERS["vovk"](limits) as server, server.connect() as api:
        assert api.WaitsController.slow().result(timeout_s=PATIENCE_S) == "done"
        assert list(api.WaitsController.quiet()) == [1, 2]
    with SERVERS["http"](limits) as server, server.connect() as api:
        assert api.slow().result(timeout_s=PATIENCE_S) == "done"


def test_others_hear_nothing_of_the_heartbeat(kind: str) -> None:
    limits = kk.ServerLimits(silence_timeout_s=0.3, keepalive_timeout_s=0.3)
    body = json.dumps({"t": "q", "id": "1", "op": "call", "p": ["slow"]}).encode()
    request = head("GET", "/api/waits/slow")
    if kind == "http":
        request = head("POST", "/", None, f"Content-Length: {len(body)}") + body
    for proxied in ("", "Connection: kk-heartbeat\r\nVia: 1.1 proxy\r\n"):
        with SERVERS[kind](limits) as server, raw_socket(server.port) as sock:
            lines = f"{proxied}Authorization: Bearer {server.token}\r\nHost:"
            sock.sendall(request.replace(b"Host:", lines.encode()))
            answer = read_to_end(sock)
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert b"heartbeat" not in answer.lower()
