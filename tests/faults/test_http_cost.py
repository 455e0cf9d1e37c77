"""Bodies over HTTP that are dear to decode: who sends them, or answers so, keeps nobody waiting."""

from __future__ import annotations

import contextlib
import gc
import http.client
import json
import logging
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.hostile.floods import worst_cpu_s
from support.hostile.raw_http import head
from support.waiting import PATIENCE_S

import kkjupyter as kk
from kkjupyter import vovk

LIMIT_S = 1.0
"""So long an honest peer may wait for its answer, whatever others do."""
_FLOOD_S = 1.5
_CLIENTS = 3


class Api:
    async def take(self, value: Any = None) -> int:
        return 1


class Takes(vovk.Controller, prefix="takes"):
    @vovk.post("body")
    async def body(self, body: Any) -> int:
        return 1

    @vovk.post("form")
    async def form(self, req: vovk.Request) -> int:
        return len(await req.form())


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    caplog.set_level(logging.CRITICAL)
    gc.collect()
    gc.freeze()  # the objects of other tests would be looked through in the midst of it
    yield
    gc.unfreeze()


def _list_of(text: str, count: int) -> str:
    return f"[{','.join([text] * count)}]"


# Close to the limit on bytes, or on the memory that their values take.
VALUES = {
    "empty lists": _list_of("[]", 450_000),
    "short texts": _list_of('"ab"', 690_000),
    "small objects": _list_of('{"a":1}', 220_000),
}


def _compact(value: str) -> str:
    return f'{{"t":"q","id":"1","op":"call","p":["take"],"a":[{value}]}}'


def _reply(value: str) -> str:
    return f'{{"t":"r","id":"ID","v":{value}}}'


def _annotated(message: str, path: str, tag: str, count: int) -> str:
    meta = {"values": {f"{path}.{index}": [tag] for index in range(count)}, "v": 1}
    return f'{{"json":{message},"meta":{json.dumps(meta)}}}'


KKRPC = {name: _compact(value) for name, value in VALUES.items()} | {
    "annotated dates": _annotated(
        _compact(_list_of('"2020-01-01T00:00:00.000Z"', 70_000)), "a.0", "Date", 70_000
    ),
    "annotated integers": _annotated(_compact(_list_of('"1"', 120_000)), "a.0", "bigint", 120_000),
}
VOVK = VALUES | {"a form": "&".join(f"a{number}=" for number in range(450_000))}


@contextlib.contextmanager
def _asking(port: int, path: str, body: str) -> Iterator[Callable[[], object]]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)

    def ask() -> None:
        connection.request("POST", path, body)
        answer = connection.getresponse()
        assert answer.read()
        assert answer.status == 200

    try:
        yield ask
    finally:
        connection.close()


@contextlib.contextmanager
def _posting(port: int, path: str, content_type: str, body: str) -> Iterator[None]:
    """Clients that post the same again and again, until the block is left."""
    lines = (f"Content-Type: {content_type}", f"Content-Length: {len(body)}")
    request = head("POST", path, None, *lines) + body.encode()
    statuses: list[bytes] = []
    sockets = [socket.create_connection(("127.0.0.1", port), timeout=60) for _ in range(_CLIENTS)]

    def post(sock: socket.socket) -> None:
        with contextlib.suppress(OSError):
            sock.sendall(request)
            while answer := sock.recv(65_536):
                statuses.append(answer[9:12])
                sock.sendall(request)

    threads = [threading.Thread(target=post, args=(sock,)) for sock in sockets]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        for sock in sockets:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join(60)
        for sock in sockets:
            sock.close()
    assert set(statuses) <= {b"200", b"400"}


@pytest.mark.parametrize("kind", KKRPC)
def test_who_posts_what_is_dear_keeps_no_other_client_waiting(kind: str) -> None:
    with (
        kk.serve(Api(), token=False, transport="http") as server,
        _asking(server.port, "/", _compact("1")) as ask,
    ):
        ask()
        with _posting(server.port, "/", "application/json", KKRPC[kind]):
            assert worst_cpu_s(ask, _FLOOD_S) < LIMIT_S


@pytest.mark.parametrize("kind", VOVK)
def test_vovk_who_posts_what_is_dear_keeps_no_other_client_waiting(kind: str) -> None:
    is_form = kind == "a form"
    content_type = "application/x-www-form-urlencoded" if is_form else "application/json"
    with (
        vovk.serve([Takes], token=False) as server,
        _asking(server.port, "/api/takes/body", "1") as ask,
    ):
        ask()
        path = f"/api/takes/{'form' if is_form else 'body'}"
        with _posting(server.port, path, content_type, VOVK[kind]):
            assert worst_cpu_s(ask, _FLOOD_S) < LIMIT_S


FLOODS: dict[str, tuple[bytes, bytes]] = {
    "chunks of one byte": (
        head("POST", "/api/takes/body", None, "Transfer-Encoding: chunked"),
        b"1\r\nx\r\n" * 40_000,
    ),
    "heads of requests": (b"", head("GET", "/api/takes") * 5_000),
    "queries of many lists": (
        b"",
        head("GET", f"/api/takes/none?{'&'.join(f'a{n}[99]=' for n in range(700))}") * 30,
    ),
}


@contextlib.contextmanager
def _flooding(port: int, first: bytes, blob: bytes, clients: int) -> Iterator[None]:
    """Clients that send ``first`` and then ``blob`` again and again, and come back when put out."""
    stopped = threading.Event()

    def send() -> None:
        while not stopped.is_set():
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)) as one:
                one.settimeout(0.2)
                one.sendall(first)
                while not stopped.is_set():
                    with contextlib.suppress(TimeoutError):
                        one.send(blob)

    threads = [threading.Thread(target=send) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stopped.set()
        for thread in threads:
            thread.join(60)


@pytest.mark.parametrize("kind", FLOODS)
def test_what_has_to_be_parsed_is_read_a_little_at_a_time(kind: str) -> None:
    with (
        vovk.serve([Takes], token=False) as server,
        _asking(server.port, "/api/takes/body", "1") as ask,
    ):
        ask()
        with _flooding(server.port, *FLOODS[kind], clients=60):
            assert worst_cpu_s(ask, _FLOOD_S) < LIMIT_S


# ---- a client with a hostile server


@contextlib.contextmanager
def _answering(body: bytes, content_type: str) -> Iterator[str]:
    """An HTTP server that answers everything with ``body``; ``ID`` in it is the id of the call."""

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = listener.accept()
                with sock:
                    asked = sock.recv(65_536)
                    call_id = asked.partition(b'"id":"')[2].partition(b'"')[0] or b"ID"
                    answer = body.replace(b"ID", call_id, 1)
                    line = f"HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\n"
                    size = f"Content-Length: {len(answer)}\r\nConnection: close\r\n\r\n"
                    sock.sendall((line + size).encode())
                    if not asked.startswith(b"HEAD "):
                        sock.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(PATIENCE_S)


# A client takes four times as much as a server.
COUNT = 1_800_000
LISTS = _list_of("[]", COUNT)
ANNOTATED = 200_000
SCHEMA = {
    "segments": {
        "": {
            "segmentName": "",
            "controllers": {
                "TakesRPC": {
                    "rpcModuleName": "TakesRPC",
                    "prefix": "takes",
                    "handlers": {"take": {"path": "take", "httpMethod": "GET"}},
                }
            },
        }
    }
}


@pytest.mark.parametrize("kind", ["kkrpc", "kkrpc, annotated", "Vovk", "a stream of Vovk"])
def test_a_server_that_answers_so_keeps_no_other_connection_waiting(kind: str) -> None:
    content_type = "application/jsonl" if "stream" in kind else "application/json"
    options: dict[str, Any] = {"schema": SCHEMA}
    body, count = f"{LISTS}\n", COUNT
    if kind == "kkrpc":
        body, options = _reply(LISTS), {"protocol": "compact"}
    elif kind == "kkrpc, annotated":
        count, options = ANNOTATED, {"protocol": "compact", "codec": "superjson"}
        body = _annotated(_reply(_list_of('"1"', count)), "v", "bigint", count)
    with (
        _answering(body.encode(), content_type) as url,
        kk.serve(Api(), token=False) as server,
        server.connect(protocol="compact") as honest,
        kk.connect(url, **options) as hostile,
    ):
        honest.take().result()
        stopped = threading.Event()
        answers: list[int] = []

        def call() -> None:
            while not stopped.is_set():
                made = hostile.take() if "kkrpc" in kind else hostile.TakesRPC.take()
                value = made.result(timeout_s=60)
                answers.append(len(value[0] if "stream" in kind else value))

        thread = threading.Thread(target=call)
        thread.start()
        worst_s = worst_cpu_s(lambda: honest.take().result(timeout_s=PATIENCE_S), _FLOOD_S)
        stopped.set()
        thread.join(60)
    assert set(answers) == {count}
    assert worst_s < LIMIT_S
