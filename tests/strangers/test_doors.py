"""Who comes in at the doors of the three servers: programs that may, and no page that may not."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import pytest

import kkjupyter as kk
from kkjupyter import vovk

WEBSOCKET = (
    ("Connection", "Upgrade"),
    ("Upgrade", "websocket"),
    ("Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA=="),
    ("Sec-WebSocket-Version", "13"),
)
CALL = b'{"t":"q","id":"1","op":"call","p":["add"],"a":[1]}'

called: list[str] = []


def add(number: int) -> int:
    called.append("add")
    return number + 1


class EchoController(vovk.Controller, prefix="echo"):
    @vovk.get("url")
    async def url(self, req: vovk.Request) -> dict[str, Any]:
        called.append("url")
        return {"url": req.url, "query": req.query, "repr": repr(req)}


Ask = Callable[..., tuple[int, str]]


def send(port: int, head: str, headers: Any, body: bytes = b"") -> tuple[int, str]:
    """Say exactly this; the status of the answer, and all of it."""
    lines = [head, *(f"{name}: {value}" for name, value in headers)]
    if body:
        lines += ["Content-Type: text/plain", f"Content-Length: {len(body)}"]
    if ("Upgrade", "websocket") not in headers:
        lines.append("Connection: close")
    answer = b""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode() + body)
        while not (answer.startswith(b"HTTP/1.1 101") and b"\r\n\r\n" in answer):
            data = connection.recv(65_536)
            if not data:
                break
            answer += data
    return int(answer.split()[1]), answer.decode(errors="replace")


@pytest.fixture(params=["websocket", "http", "vovk"])
def ask(request: pytest.FixtureRequest) -> Iterator[Ask]:
    """A request to a server without a token; ``Host`` is its own unless it is said."""
    called.clear()
    server: Any
    if request.param == "vovk":
        server = vovk.serve([EchoController], token=False)
    else:
        server = kk.serve({"add": add}, token=False, transport=request.param)

    def ask(*headers: tuple[str, str]) -> tuple[int, str]:
        given = list(headers)
        if not any(name == "Host" for name, _ in given):
            given.insert(0, ("Host", f"127.0.0.1:{server.port}"))
        if request.param == "vovk":
            return send(server.port, "GET /api/echo/url HTTP/1.1", given)
        if request.param == "http":
            return send(server.port, "POST / HTTP/1.1", given, CALL)
        return send(server.port, "GET / HTTP/1.1", [*given, *WEBSOCKET])

    with server:
        yield ask


def test_a_program_comes_in(ask: Ask) -> None:
    assert ask()[0] in (101, 200)
    assert ask(("Origin", "http://localhost:8888"))[0] in (101, 200)
    assert ask(("Host", "localhost:1"))[0] in (101, 200)


@pytest.mark.parametrize(
    "headers",
    [
        [("Host", "rebound.example:8765")],
        [("Host", "rebound.example"), ("Origin", "http://rebound.example")],
        [("Host", "rebound.example"), ("Sec-Fetch-Site", "same-origin")],
        [("Host", "0.0.0.0:8765")],
        [("Host", "localhost.rebound.example")],
        [("Origin", "https://evil.example")],
        [("Origin", "null")],
        [("Origin", "http://localhost.evil.example")],
        [("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "no-cors")],  # an image, a script
        [("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "navigate")],  # a link, a form
        [("Sec-Fetch-Site", "same-site"), ("Sec-Fetch-Mode", "no-cors")],
    ],
    ids=lambda headers: " ".join(f"{name}={value}" for name, value in headers),
)
def test_a_page_that_may_not_call_does_not(ask: Ask, headers: list[tuple[str, str]]) -> None:
    status, text = ask(*headers)
    assert status == 403, text
    assert "access-control-allow-origin" not in text.lower()
    assert called == []


@pytest.mark.parametrize("name", ["Origin", "Sec-Fetch-Site", "Sec-Fetch-Mode"])
def test_what_comes_twice_is_a_bad_request_and_no_failure(
    ask: Ask, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        status, text = ask((name, "http://localhost:1"), (name, "https://evil.example"))
    assert status == 400, text
    assert called == []
    assert not [r for r in caplog.records if r.levelno >= logging.ERROR or r.exc_info]


def test_two_hosts_are_a_bad_request(ask: Ask, caplog: pytest.LogCaptureFixture) -> None:
    status, _ = ask(("Host", "127.0.0.1"), ("Host", "rebound.example"))
    assert status == 400
    assert called == []
    assert not [r for r in caplog.records if r.levelno >= logging.ERROR]


def test_a_preflight_of_a_rebound_name_is_not_answered() -> None:
    with (
        kk.serve({"add": add}, token=False, transport="http") as rpc,
        vovk.serve([EchoController], token=False) as api,
    ):
        for server in (rpc, api):
            headers = [
                ("Host", "rebound.example"),
                ("Origin", "http://localhost:1"),
                ("Access-Control-Request-Method", "POST"),
            ]
            status, text = send(server.port, "OPTIONS /api/echo/url HTTP/1.1", headers)
            assert status == 403, text
            assert "allow-methods" not in text.lower()
            headers[0] = ("Host", "localhost")
            assert send(server.port, "OPTIONS /api/echo/url HTTP/1.1", headers)[0] == 204


def test_names_can_be_added() -> None:
    options: dict[str, Any] = {"token": False, "hosts": ["api.example"]}
    with kk.serve({"add": add}, **options) as rpc, vovk.serve([EchoController], **options) as api:
        host = [("Host", "API.example:443")]
        assert send(rpc.port, "GET / HTTP/1.1", [*host, *WEBSOCKET])[0] == 101
        assert send(api.port, "GET /api/echo/url HTTP/1.1", host)[0] == 200


@pytest.mark.parametrize("name", ["token", "%74oken", "t%6Fken", "%74%6f%6b%65%6e", "other"])
def test_a_handler_never_sees_the_token_in_the_address(name: str) -> None:
    secret = "the secret & more+of it"
    with vovk.serve([EchoController], token=secret) as server:
        shown = f"{name}={quote(secret, safe='')}"
        path = f"/api/echo/url?a=1&{shown}&b=2"
        headers = [("Host", "127.0.0.1")]
        if name == "other":
            headers.append(("Authorization", f"Bearer {secret}"))
        status, text = send(server.port, f"GET {path} HTTP/1.1", headers)
        assert status == 200, text
        assert "a=1&b=2" in text
        assert "secret" not in text
        assert send(server.port, "GET /api/echo/url HTTP/1.1", headers[:1])[0] == 401


def test_only_what_is_decorated_is_there_for_vovk() -> None:
    class Service:
        def run(self) -> str:
            called.append("run")
            return "run"

    class Held(vovk.Controller, prefix="held"):
        service = Service()

        @vovk.get("open")
        async def open(self) -> str:
            return "open"

        def plain(self) -> str:
            called.append("plain")
            return "plain"

    called.clear()
    with vovk.serve([Held], token=False) as server:
        assert server.callable_names == ("Held.open",)
        for path in ("plain", "service", "service/run", "open/__globals__", "..%2fplain", "prefix"):
            head = f"GET /api/held/{path} HTTP/1.1"
            assert send(server.port, head, [("Host", "localhost")])[0] == 404, path
        assert send(server.port, "GET /api/held/open HTTP/1.1", [("Host", "localhost")])[0] == 200
    assert called == []
