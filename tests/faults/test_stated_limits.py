"""Rows of the table of limits in docs/security.md that no other test holds to their word."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from support.hostile.raw_http import head, raw_socket
from support.peers.raw import RawPeer, raw_client, raw_server
from support.waiting import PATIENCE_S, until

import kkjupyter as kk
from kkjupyter import vovk
from kkjupyter.calls.callback_jobs import CALLBACK_THREADS
from kkjupyter.server.listeners import stdio
from kkjupyter.vovk.client import session as vovk_session
from kkjupyter.vovk.client.json_schema.library import load_library
from kkjupyter.vovk.client.json_schema.validation import HandlerChecks
from kkjupyter.wire.vovk.schema.model import Handler


class Api:
    def __init__(self) -> None:
        self.gate = threading.Event()
        self.ended_with: list[str] = []

    async def echo(self, value: Any = None) -> Any:
        return value

    async def ticks(self) -> AsyncIterator[int]:
        while True:
            yield 1
            await asyncio.sleep(0.001)

    async def tell(self, function: Callable[[], object]) -> str:
        function()
        await asyncio.to_thread(self.gate.wait, PATIENCE_S)
        return "told"

    async def pass_one(self) -> None:
        """Pass a function to the client, which is busy when it is called."""
        caller: Any = kk.context().caller

        async def busy(number: int) -> None:
            await asyncio.to_thread(self.gate.wait, PATIENCE_S)

        try:
            await caller.take(busy)
        except kk.KKError as error:
            self.ended_with.append(type(error).__name__)


class Numbers(vovk.Controller, prefix="numbers"):
    @vovk.get("one")
    async def one(self, req: vovk.Request) -> int:
        return len(req.query)

    @vovk.post("form")
    async def form(self, req: vovk.Request) -> int:
        return len(await req.form())


@pytest.fixture
def api() -> Iterator[Api]:
    api = Api()
    yield api
    api.gate.set()


# ---- messages


def test_a_message_to_a_client_over_its_limit_ends_its_connection() -> None:
    def play(peer: RawPeer) -> None:
        request = peer.receive()
        peer.send(peer.wire.reply(request.call_id, "x" * 2000, "json"))
        with contextlib.suppress(TimeoutError):
            peer.receive()

    limits = kk.ClientLimits(message_bytes=1000)
    with (
        raw_server(play) as url,
        kk.connect(url, protocol="compact", codec="json", limits=limits) as client,
        pytest.raises(kk.ConnectionLost, match="too big"),
    ):
        client.anything().result(timeout_s=PATIENCE_S)


_ANSWERS = """
import json, sys
for line in sys.stdin:
    request = json.loads(line)
    value = "x" * 5_000_000 if request["p"] == ["long"] else [[]] * 300
    print(json.dumps({"t": "r", "id": request["id"], "v": value}), flush=True)
"""


@pytest.mark.parametrize(
    ("method", "limits", "text"),
    [
        ("long", kk.ClientLimits(message_bytes=300_000), r"message_bytes|300,000"),
        ("heavy", kk.ClientLimits(message_memory_bytes=1000), r"message_memory_bytes \(1,000\)"),
    ],
)
def test_a_message_of_a_program_over_stdio(method: str, limits: kk.ClientLimits, text: str) -> None:
    program = [sys.executable, "-c", _ANSWERS]
    with (
        kk.connect(program, protocol="compact", codec="json", limits=limits) as client,
        pytest.raises(kk.ProtocolError, match=text),
    ):
        client[method]().result(timeout_s=PATIENCE_S)


def test_who_serves_over_stdio_takes_what_a_client_takes() -> None:
    client = kk.ClientLimits()
    assert stdio._LIMITS.message_bytes == client.message_bytes
    assert stdio._LIMITS.message_memory_bytes == client.message_memory_bytes


@pytest.mark.parametrize(
    ("query", "status"),
    [("a" + "[b]" * 255, b"200"), ("a" + "[b]" * 256, b"400"), ("a" + "[b]" * 2000, b"400")],
)
def test_a_query_nests_so_deep(query: str, status: bytes) -> None:
    with vovk.serve([Numbers], token=False) as server, raw_socket(server.port) as sock:
        sock.sendall(head("GET", f"/api/numbers/one?{query}=1"))
        answer = sock.recv(65_536)
    assert answer[9:12] == status
    assert (b"nested more than 256 levels" in answer) == (status == b"400")


@pytest.mark.parametrize(("fields", "status"), [(10_000, b"200"), (10_001, b"400")])
def test_a_form_has_so_many_fields(fields: int, status: bytes) -> None:
    body = "&".join(["a=1"] * fields).encode()
    lines = ("Content-Type: application/x-www-form-urlencoded", f"Content-Length: {len(body)}")
    with vovk.serve([Numbers], token=False) as server, raw_socket(server.port) as sock:
        sock.sendall(head("POST", "/api/numbers/form", None, *lines) + body)
        answer = sock.recv(65_536)
    assert answer[9:12] == status
    assert (b"10,000" in answer) == (status == b"400")


@pytest.mark.parametrize("kind", ["kkrpc", "Vovk"])
@pytest.mark.parametrize(
    "lines",
    [[f"X-Long: {'x' * 8200}"], [f"X-{n}: 1" for n in range(130)]],
    ids=["a long line", "many lines"],
)
def test_the_head_of_a_request(kind: str, lines: list[str], caplog: Any) -> None:
    serving = {
        "kkrpc": lambda: kk.serve(Api(), token=False, transport="http"),
        "Vovk": lambda: vovk.serve([Numbers], token=False),
    }
    with serving[kind]() as server, raw_socket(server.port) as sock:
        sock.sendall(head("GET", "/api/numbers/one", None, *lines))
        assert sock.recv(65_536)[9:12] == b"400"
    assert "Traceback" not in caplog.text


# ---- a server's clients


def test_the_streams_of_all_clients_together(api: Api) -> None:
    limits = kk.ServerLimits(streams=2)
    with (
        kk.serve(api, token=False, limits=limits) as server,
        server.connect(protocol="compact") as one,
        server.connect(protocol="compact") as other,
    ):
        loops = [iter(client.ticks()) for client in (one, other)]
        assert [next(loop) for loop in loops] == [1, 1]
        with pytest.raises(kk.RemoteError, match=r"limit streams \(2\) is reached") as caught:
            next(iter(other.ticks()))
        assert caught.value.name == "LimitExceeded"
        assert [next(loop) for loop in loops] == [1, 1]


def test_waiting_calls_of_a_function_that_a_handler_has_passed(api: Api) -> None:
    limits = kk.ServerLimits(callbacks_per_call=5)
    with (
        kk.serve(api, token=False, limits=limits) as server,
        raw_client(server.url, "compact") as peer,
    ):
        peer.send(peer.wire.request("1", "call", ["pass_one"]))
        function = peer.receive().args[0]
        for number in range(20):
            peer.send(peer.wire.invoke_callback(function.id, [number], "json"))
        peer.send(peer.wire.request("2", "call", ["echo"], [2]))
        while getattr(answer := peer.receive(), "call_id", "") != "2":
            pass
        assert answer.value == 2
        api.gate.set()  # the handler runs the function itself, and is told behind that
        until(lambda: api.ended_with == ["BufferOverflow"])


def test_a_path_has_so_many_names() -> None:
    served: dict[str, Any] = {"a": lambda: "reached"}
    for _ in range(99):
        served = {"a": served, "reached": lambda: "reached"}
    with kk.serve(served, token=False) as server, raw_client(server.url, "compact") as peer:
        assert peer.call("a." * 63 + "reached").value == "reached"
        for names in ("a." * 64 + "reached", "a." * 99 + "a", "a." * 5000 + "a"):
            assert isinstance(peer.call(names).error, kk.RemoteError)


def test_what_makes_no_sense_is_reported_so_often(
    api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        kk.serve(api, token=False) as server,
        raw_client(server.url, "compact") as peer,
        caplog.at_level(logging.WARNING),
    ):
        peer.call("echo")
        for _ in range(100):
            peer.send(b'{"t": "?"}\n')
        assert peer.call("echo", 1).value == 1
        lines = [one for one in caplog.messages if "ignored a message from" in one]
    assert 1 <= len(lines) <= 20


# ---- a client


def test_so_many_functions_run_at_the_same_time(api: Api) -> None:
    gate, running = threading.Event(), []
    with kk.serve(api, token=False) as server, server.connect(protocol="compact") as client:

        def busy() -> None:
            running.append(1)
            gate.wait(PATIENCE_S)

        calls = [client.tell(busy) for _ in range(CALLBACK_THREADS + 10)]
        until(lambda: len(running) == CALLBACK_THREADS)
        assert client.echo(1).result(timeout_s=PATIENCE_S) == 1
        assert len(running) == CALLBACK_THREADS
        gate.set()
        until(lambda: len(running) == len(calls))
        api.gate.set()
        for call in calls:
            assert call.result(timeout_s=PATIENCE_S) == "told"


def test_a_schema_that_does_not_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vovk_session, "_SCHEMA_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(kk.ConnectTimeout, match="the schema did not arrive in time"):
            kk.connect(
                f"http://127.0.0.1:{port}/api",
                schema=f"http://127.0.0.1:{port}/schema.json",
                connect_timeout_s=0.2,
            )


def test_a_pattern_of_so_many_characters_is_left_to_the_server() -> None:
    load_library()  # which takes longer than a check may

    def check(characters: int) -> None:
        text = {"type": "string", "pattern": f"^{'a' * (characters - 1)}"}
        schema = {"type": "object", "properties": {"a": text}}
        HandlerChecks(Handler("act", "POST", "p", validation={"body": schema})).check(
            body={"a": "b"}
        )

    with pytest.raises(kk.ValidationError):
        check(10_000)
    check(10_001)
