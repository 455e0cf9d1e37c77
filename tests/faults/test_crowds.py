"""Many who connect and say nothing, beside one who asks; and a process without descriptors."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest
from support.hostile.raw_http import head, raw_socket, read_to_end
from support.waiting import PATIENCE_S, until

import kkjupyter as kk
from kkjupyter import vovk
from kkjupyter.server.listeners import admission


class CrowdController(vovk.Controller, prefix="crowd"):
    @vovk.get("one")
    async def one(self) -> int:
        return 1


class Api:
    async def one(self) -> int:
        return 1


SERVERS: dict[str, Callable[..., Any]] = {
    "websocket": lambda **options: kk.serve(Api(), **options),
    "http": lambda **options: kk.serve(Api(), transport="http", **options),
    "vovk": lambda **options: vovk.serve([CrowdController], **options),
}
# What an honest client gets that asks for something, in a plain request.
STATUSES = {"websocket": b"426", "http": b"405", "vovk": b"404"}


def asks(server: Any) -> tuple[bytes, float]:
    """The status that an honest client gets, and how long it waits for that."""
    started_s = time.monotonic()
    with raw_socket(server.port) as sock:
        sock.sendall(head("GET", "/nothing", server.token))
        status = sock.recv(65_536)[9:12]
    return status, time.monotonic() - started_s


@pytest.mark.parametrize("kind", SERVERS)
def test_who_asks_comes_before_who_is_silent(kind: str) -> None:
    limits = kk.ServerLimits(unauthenticated_connections=20, handshake_timeout_s=PATIENCE_S)
    with SERVERS[kind](limits=limits) as server, contextlib.ExitStack() as stack:
        for number in range(60):
            sock = stack.enter_context(raw_socket(server.port))
            if number % 2:
                sock.sendall(b"GET / HTTP/1.1\r\nX-Slow: ")
        waits = [asks(server) for _ in range(5)]
    assert {status for status, _ in waits} == {STATUSES[kind]}
    assert sorted(waited_s for _, waited_s in waits)[2] < 1.0


@pytest.mark.parametrize("kind", ["http", "vovk"])
def test_a_connection_that_idles_makes_room_for_one_that_asks(kind: str) -> None:
    limits = kk.ServerLimits(connections=5)
    with SERVERS[kind](limits=limits) as server, contextlib.ExitStack() as stack:
        idle = [stack.enter_context(raw_socket(server.port)) for _ in range(5)]
        for sock in idle:
            sock.sendall(head("GET", "/nothing", server.token))
            assert sock.recv(65_536).startswith(b"HTTP/1.1 40")
        assert asks(server)[0] == STATUSES[kind]
        assert read_to_end(idle[0]) == b""  # the one that had idled longest


@pytest.mark.parametrize("kind", SERVERS)
def test_one_address_has_so_many(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    limits = kk.ServerLimits(connections_per_address=2)
    with SERVERS[kind](limits=limits) as server, contextlib.ExitStack() as stack:
        for _ in range(4):  # those of this machine do not count by address
            stack.enter_context(raw_socket(server.port))
        assert asks(server)[0] == STATUSES[kind]
        monkeypatch.setattr(admission, "counted_address", lambda transport: "203.0.113.9")
        others = [stack.enter_context(raw_socket(server.port)) for _ in range(3)]
        answer = read_to_end(others[2])
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"connections_per_address (2)" in answer
        others[0].close()
        until(lambda: asks(server)[0] == STATUSES[kind])


# A server of its own, which may open 100 files. What it logs goes to stderr.
_POOR = """
import json, resource, sys, time
import kkjupyter as kk
resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))
server = kk.serve({"one": lambda: 1}, transport=sys.argv[1], token=False,
                  limits=kk.ServerLimits(**json.loads(sys.argv[2])))
print(server.port, flush=True)
held = []
for line in sys.stdin:
    if line == "take\\n":
        try:
            while True:
                held.append(open("/dev/null"))
        except OSError:
            print(len(held), flush=True)
    else:
        for file in held:
            file.close()
        print("given back", flush=True)
"""


@contextlib.contextmanager
def poor_server(transport: str, **limits: Any) -> Any:
    command = [sys.executable, "-c", _POOR, transport, json.dumps(limits)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        process.port = int(process.stdout.readline())  # type: ignore[attr-defined]
        process.token = None  # type: ignore[attr-defined]
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("transport", ["http", "websocket"])
def test_silent_connections_leave_descriptors_to_others(transport: str) -> None:
    with (
        poor_server(transport, spare_descriptors=40, handshake_timeout_s=PATIENCE_S) as server,
        contextlib.ExitStack() as stack,
    ):
        for _ in range(150):
            stack.enter_context(raw_socket(server.port))
        time.sleep(1.1)  # those that came first have had their time
        answered = [asks(server) for _ in range(5)]
        assert STATUSES[transport] in {status for status, _ in answered}
        server.stdin.write("take\n")
        server.stdin.flush()
        assert int(server.stdout.readline()) > 10


@pytest.mark.parametrize("transport", ["http", "websocket"])
def test_a_process_without_descriptors_says_so_once_and_recovers(transport: str) -> None:
    with poor_server(transport, spare_descriptors=None) as server:
        server.stdin.write("take\n")
        server.stdin.flush()
        assert int(server.stdout.readline()) > 0
        with raw_socket(server.port), raw_socket(server.port):
            time.sleep(2.5)  # asyncio tries again each second
        server.stdin.write("give back\n")
        server.stdin.flush()
        server.stdout.readline()
        until(lambda: asks(server)[0] == STATUSES[transport])
        server.stdin.close()
        server.kill()
        said = server.stderr.read()
    assert said.count("\n") == 1, said
    assert "cannot accept connections: Too many open files" in said
    assert "ulimit -n" in said
