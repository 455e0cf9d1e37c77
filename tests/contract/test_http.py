"""kkrpc over HTTP, our client against our server: what a call promises, in either generation."""

from __future__ import annotations

import asyncio
import gzip
import http.client
import json
import logging
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from support.endpoints import Endpoint
from support.servers.tls import AUTHORITY_FILE, server_context
from support.waiting import PATIENCE_S, until

import kkjupyter as kk
from kkjupyter.server.interceptors import CallContext
from kkjupyter.server.listeners.http import HttpServer

NO_STREAMS = "HTTP transport does not support async iterable streams"
NO_CALLBACKS = "HTTP transport does not support callback arguments"
SPOKEN = {
    "compact-json": {"protocol": "compact", "codec": "json"},
    "compact-superjson": {"protocol": "compact", "codec": "superjson"},
    "classic-superjson": {"protocol": "classic"},
}


class HttpEndpoint(Endpoint):
    """With what must never begin over HTTP."""

    def __init__(self) -> None:
        super().__init__()
        self.feed = self.ticks()

    async def guarded(self) -> AsyncIterator[int]:
        self.calls.append("guarded")
        yield 1

    def opened(self) -> Any:
        """An iterator that holds something."""
        finals = self.finals

        class Source:
            def __iter__(self) -> Source:
                return self

            def __next__(self) -> int:
                raise AssertionError("nobody may ask for an item")

            def close(self) -> None:
                finals.append("closed")

        return Source()

    def exits(self) -> None:
        raise SystemExit(1)

    def not_json(self) -> Any:
        return object()


@pytest.fixture
def endpoint() -> HttpEndpoint:
    return HttpEndpoint()


@pytest.fixture
def server(endpoint: HttpEndpoint) -> Iterator[HttpServer]:
    with kk.serve(endpoint, transport="http", writable=["settings"]) as server:
        yield server
        endpoint.gate.set()


@pytest.fixture(params=SPOKEN)
def api(request: pytest.FixtureRequest, server: HttpServer) -> Iterator[Any]:
    with server.connect(**SPOKEN[request.param]) as api:
        yield api


# ---- values and errors


def test_values(api: Any) -> None:
    assert api.add(40, 2).result() == 42
    assert api.echo({"a": [1, "é😀", None, True]}).result() == {"a": [1, "é😀", None, True]}
    assert api.nothing().result() is None
    assert api.undefined().result() is kk.undefined
    assert api.options(2, scale=10, shift=1).result() == 21
    assert api.add(b=2, a=40).result() == 42
    with pytest.raises(kk.RemoteError, match="unexpected keyword argument 'c'"):
        api.add(a=1, b=2, c=2).result()
    assert kk.new(api.Point, 1, 2).result() == {"x": 1, "y": 2}

    async def main() -> None:
        assert await api.add(40, 2) == 42

    asyncio.run(main())


def test_properties(api: Any, endpoint: Endpoint) -> None:
    assert kk.get(api.settings.theme) == "light"
    api.settings.theme = "dark"
    assert endpoint.settings.theme == "dark"
    assert kk.get(api.settings.theme) == "dark"


def test_a_failure_of_the_other_side(api: Any) -> None:
    with pytest.raises(kk.RemoteError, match="ValueError: no good") as caught:
        api.fails("no good").result()
    assert (caught.value.name, caught.value.message) == ("ValueError", "no good")
    assert caught.value.stack is None
    assert caught.value.method == "fails"
    for name in ("nope", "_looked_at", "settings.__class__"):
        with pytest.raises(kk.RemoteError):
            api[name]().result()


def test_a_value_that_cannot_be_sent_is_an_ordinary_error(api: Any) -> None:
    with pytest.raises(kk.RemoteError, match="cannot encode"):
        api.not_json().result()


def test_a_handler_cannot_end_the_server(api: Any) -> None:
    with pytest.raises(kk.RemoteError):
        api.exits().result()
    assert api.add(1, 2).result() == 3


def test_a_large_message_both_ways(api: Any) -> None:
    text = "x" * (3 * 1024 * 1024)
    assert api.echo(text).result() == text


def test_many_calls_at_once(api: Any) -> None:
    async def main() -> None:
        answers = await asyncio.gather(*(api.add(number, 1000) for number in range(200)))
        assert answers == [number + 1000 for number in range(200)]

    asyncio.run(main())


def test_a_slow_call_delays_no_other(api: Any, endpoint: Endpoint) -> None:
    slow = api.blocked()
    until(lambda: endpoint.calls == ["blocked"])
    assert api.add(1, 2).result() == 3
    endpoint.gate.set()
    assert slow.result() == "released"


def test_interceptors_are_around_every_call(endpoint: Endpoint) -> None:
    seen: list[str] = []

    async def note(context: CallContext, next_: Any) -> Any:
        seen.append(context.method)
        assert context.caller is None, "there is no way to it"
        return await next_() + 1

    with (
        kk.serve(endpoint, interceptors=[note], transport="http") as server,
        server.connect(protocol="classic") as api,
    ):
        assert api.add(1, 2).result() == 4
    assert seen == ["add"]


# ---- streams and callbacks


def test_a_stream_never_begins(api: Any, endpoint: Endpoint, server: HttpServer) -> None:
    for name in ("guarded", "countdown", "sync_ticks", "opened", "late_stream"):
        with pytest.raises(kk.RemoteError, match=f"^{NO_STREAMS}"):
            (api[name](3) if name == "countdown" else api[name]()).result()
    assert endpoint.calls == []
    assert endpoint.finals == ["closed"]
    until(lambda: server.running == 0)


def test_a_property_that_is_a_stream_is_refused(api: Any, server: HttpServer) -> None:
    with pytest.raises(kk.RemoteError, match=f"^{NO_STREAMS}"):
        kk.get(api.feed)
    until(lambda: server.running == server.clients == 0)


# ---- cancelling


def test_a_cancel_ends_the_handler_where_it_waits(
    api: Any, endpoint: Endpoint, server: HttpServer
) -> None:
    call = api.slow()
    until(lambda: endpoint.calls == ["slow"])
    assert (server.clients, server.running) == (1, 1)
    call.cancel()
    until(lambda: endpoint.finals == ["slow"])
    until(lambda: (server.clients, server.running) == (0, 0))


def test_a_time_limit_ends_the_handler(api: Any, endpoint: Endpoint) -> None:
    with pytest.raises(kk.CallTimeout):
        kk.call(api.slow, timeout_s=0.2).result()
    until(lambda: endpoint.finals == ["slow"])


def test_closing_the_server_ends_what_runs(endpoint: HttpEndpoint) -> None:
    with kk.serve(endpoint, transport="http") as server, server.connect() as api:
        call = api.slow()
        until(lambda: endpoint.calls == ["slow"])
        started_s = time.monotonic()
        kk.close(server)
        assert time.monotonic() - started_s < PATIENCE_S
        with pytest.raises(kk.ConnectionLost):
            call.result()
        until(lambda: endpoint.finals == ["slow"])
        with pytest.raises(kk.ConnectError, match="connection refused"):
            api.add(1, 2).result()
        server.close()
        assert repr(server) == f"<Server {server.url}: closed>"


def test_the_next_call_reaches_a_server_that_is_back(endpoint: HttpEndpoint) -> None:
    with kk.serve(endpoint, token=False, transport="http") as server:
        api = server.connect()
        assert api.add(1, 2).result() == 3
    with pytest.raises(kk.ConnectError):
        api.add(1, 2).result()
    with kk.serve(endpoint, port=server.port, token=False, transport="http"):
        assert api.add(1, 2).result() == 3
        kk.close(api)


# ---- the door


class Asking:
    """Plain HTTP to a server of ours."""

    def __init__(self, server: HttpServer) -> None:
        self._host = urlsplit(server.url).netloc
        self._token = server.token

    def __call__(
        self, method: str, body: bytes | None = None, path: str = "/", **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        sent = {"Authorization": f"Bearer {self._token}"} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        connection = http.client.HTTPConnection(self._host, timeout=10)
        try:
            connection.request(method, path, body, sent)
            answer = connection.getresponse()
            got = {name.lower(): value for name, value in answer.getheaders()}
            return answer.status, got, answer.read()
        finally:
            connection.close()


@pytest.fixture
def ask(server: HttpServer) -> Asking:
    return Asking(server)


ADD = b'{"t":"q","id":"1","op":"call","p":["add"],"a":[1,2]}'


def test_any_path_is_answered(ask: Asking) -> None:
    for path in ("/", "/rpc", "/a/b%20c?d=e", "//["):
        status, headers, body = ask("POST", ADD, path)
        assert (status, json.loads(body)) == (200, {"t": "r", "id": "1", "v": 3})
        assert headers["content-type"] == "application/json"


def test_without_the_token_nothing_is_called(ask: Asking, endpoint: Endpoint) -> None:
    for headers in ({"Authorization": ""}, {"Authorization": "Bearer wrong"}):
        for method in ("POST", "GET", "HEAD", "OPTIONS"):
            status, _, body = ask(method, ADD, "/?token=", **headers)
            assert status == 401
            assert body == (b"" if method == "HEAD" else b"token missing or wrong\n")
    assert endpoint.calls == []


def test_the_token_in_the_address(ask: Asking, server: HttpServer) -> None:
    assert ask("POST", ADD, f"/?token={server.token}", Authorization="")[0] == 200
    with kk.connect(f"{server.url}/?token={server.token}", protocol="compact") as api:
        assert api.add(1, 2).result() == 3
        assert str(server.token) not in repr(api) + repr(kk.status()) + repr(server)


def test_a_server_without_a_token(endpoint: HttpEndpoint) -> None:
    with kk.serve(endpoint, token=False, transport="http") as server:
        assert server.token is None
        with kk.connect(server.url, protocol="classic") as api:
            assert api.add(1, 2).result() == 3
    with pytest.raises(kk.UsageError, match="lets everybody on the network call it"):
        kk.serve(endpoint, "0.0.0.0", token=False, transport="http")


def test_a_port_that_is_taken(server: HttpServer) -> None:
    with pytest.raises(kk.ConnectError, match="cannot listen there"):
        kk.serve({}, port=server.port, transport="http")


def test_pages_of_other_origins_are_turned_away(endpoint: HttpEndpoint) -> None:
    trusted = "https://trusted.example"
    with kk.serve(endpoint, origins=[trusted], transport="http") as server:
        ask = Asking(server)
        for origin in ("https://evil.example", "null", "http://[::1"):
            for method in ("POST", "OPTIONS"):
                status, headers, _ = ask(
                    method, ADD, Origin=origin, Access_Control_Request_Method="POST"
                )
                assert status == 403
                assert "access-control-allow-origin" not in headers
        assert endpoint.calls == []
        for origin in (trusted, "http://localhost:8888"):
            status, headers, _ = ask("POST", ADD, Origin=origin)
            assert (status, headers["access-control-allow-origin"]) == (200, origin)
            assert headers["vary"] == "Origin"


def test_a_browser_may_ask_before_it_shows_the_token(ask: Asking) -> None:
    origin = "http://localhost:8888"
    status, headers, body = ask(
        "OPTIONS",
        Authorization="",
        Origin=origin,
        Access_Control_Request_Method="POST",
        Access_Control_Request_Headers="authorization,content-type",
    )
    assert (status, body) == (204, b"")
    assert headers["access-control-allow-origin"] == origin
    assert headers["access-control-allow-methods"] == "POST"
    assert headers["access-control-allow-headers"] == "authorization, content-type"
    # Without a page that asks, it is no such question.
    assert ask("OPTIONS")[0] == 405
    assert "access-control-allow-origin" not in ask("POST", ADD)[1]


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_calls_are_posted(ask: Asking, method: str) -> None:
    status, headers, body = ask(method)
    assert (status, headers["allow"]) == (405, "POST, OPTIONS")
    assert b"add" not in body


# ---- what is posted


COMPACT = '{"t":"q","id":"1","op":"call","p":["%s"],"a":[%s]}'


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        (COMPACT % ("options", "3"), '{"t":"r","id":"1","v":3}'),
        (COMPACT % ("options", "3") + "\n", '{"t":"r","id":"1","v":3}'),
        (
            COMPACT % ("progress", '1,{"__kkrpc_next_arg__":"callback","id":"c"}'),
            f'{{"t":"r","id":"1","e":{{"n":"Error","m":"{NO_CALLBACKS}"}}}}',
        ),
        (
            COMPACT % ("echo", '{"__kkrpc_next_stream__":"async-iterable","id":"s"}'),
            f'{{"t":"r","id":"1","e":{{"n":"Error","m":"{NO_STREAMS}"}}}}',
        ),
        (
            '{"id":"1","method":"options","args":[3],"type":"request","version":"json"}',
            '{"id":"1","method":"","args":{"result":3},"type":"response","version":"json"}\n',
        ),
        (
            '{"json":{"id":"1","method":"options","args":[3],"type":"request"}}',
            '{"json":{"id":"1","method":"","args":{"result":3},"type":"response",'
            '"version":"superjson"}}\n',
        ),
    ],
)
def test_the_generation_and_the_codec_are_told_from_the_body(
    ask: Asking, body: str, answer: str
) -> None:
    status, headers, got = ask("POST", body.encode())
    assert (status, headers["content-type"]) == (200, "application/json")
    assert got.decode() == answer


def test_a_classic_callback_is_refused(ask: Asking, endpoint: Endpoint) -> None:
    message = {
        "id": "1",
        "method": "progress",
        "args": [1, "__callback__c"],
        "type": "request",
        "callbackIds": ["c"],
    }
    status, _, body = ask("POST", json.dumps(message).encode())
    assert status == 200
    assert json.loads(body)["args"]["error"]["message"] == NO_CALLBACKS


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\n",
        b"hello",
        b"{bad",
        b"[]",
        b"null",
        b"\xff\xfe",
        b"__DESTROY__",
        b'{"t":"q"}',
        b'{"t":"q","id":"1","op":"odd","p":["add"]}',
        b'{"t":"sq","id":"1","sid":"2","op":"pull","n":1}',
        b'{"t":"sq","id":"1","sid":"2","op":"return"}',
        b'{"t":"cb","id":"1","a":[]}',
        b'{"t":"r","id":"1","v":3}',
        ADD + b"\n" + ADD,
        b"[" + ADD + b"]",
        b'{"id":"1","method":"","args":{},"type":"stream-cancel"}\n',
        b'{"id":"1","method":"","args":{"result":3},"type":"response"}\n',
        b'{"id":"1","method":"c","args":[],"type":"callback"}\n',
        b"[" * 100_000,
    ],
)
def test_what_is_no_call_is_a_bad_request(ask: Asking, endpoint: Endpoint, body: bytes) -> None:
    status, headers, answer = ask("POST", body)
    assert status == 400
    assert headers["content-type"].startswith("text/plain")
    assert answer.startswith(b"Bad request: ")
    assert ask("POST", ADD)[0] == 200
    assert endpoint.calls == ["add"]


def test_a_request_without_a_method_ends_no_server(ask: Asking) -> None:
    status, _, body = ask("POST", b'{"id":"1","args":[],"type":"request"}\n')
    assert status == 200
    assert "error" in json.loads(body)["args"]
    assert ask("POST", ADD)[0] == 200


def test_clients_share_nothing(ask: Asking, server: HttpServer, endpoint: Endpoint) -> None:
    """Defects of the peers: a body without line end swallowed the next, ids were everybody's."""
    assert ask("POST", b'{"json":{"id":"1","method":"add",')[0] == 400
    blocked = b'{"id":"1","method":"blocked","args":[],"type":"request"}\n'
    answers: list[bytes] = []
    waiting = threading.Thread(target=lambda: answers.append(ask("POST", blocked)[2]))
    waiting.start()
    until(lambda: endpoint.calls == ["blocked"])
    # The same id, from another client, is another call.
    assert json.loads(ask("POST", ADD)[2]) == {"t": "r", "id": "1", "v": 3}
    assert ask("POST", b'{"id":"1","method":"","args":{},"type":"stream-cancel"}\n')[0] == 400
    assert server.running == 1
    endpoint.gate.set()
    waiting.join(5)
    assert json.loads(answers[0])["args"] == {"result": "released"}


def test_a_body_over_the_limit(ask: Asking) -> None:
    status, _, body = ask("POST", None, Content_Length=str(4 * 1024 * 1024 + 1))
    assert (status, body) == (413, b"over 4,194,304 bytes, the server's limit message_bytes\n")


def test_a_packed_body_is_not_unpacked(ask: Asking, endpoint: Endpoint) -> None:
    assert ask("POST", gzip.compress(ADD), Content_Encoding="gzip")[0] == 415
    assert ask("POST", ADD, Content_Encoding="gzip")[0] == 400
    assert endpoint.calls == []
    assert ask("POST", ADD, Content_Encoding="identity")[0] == 200


def test_what_is_no_http_harms_nobody(
    ask: Asking, server: HttpServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    for garbage in (b"\x16\x03\x01\x02\x00", b"hello\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n"):
        with socket.create_connection(("127.0.0.1", server.port), timeout=5) as sock:
            sock.sendall(garbage)
            sock.shutdown(socket.SHUT_WR)
            while sock.recv(4096):
                pass
    assert ask("POST", ADD)[0] == 200
    assert caplog.records == []


def test_a_client_that_leaves_in_mid_request(server: HttpServer, endpoint: Endpoint) -> None:
    slow = b'{"t":"q","id":"1","op":"call","p":["slow"],"a":[]}'
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as sock:
        head = f"POST /?token={server.token} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(slow)}"
        sock.sendall(head.encode() + b"\r\n\r\n" + slow)
        until(lambda: endpoint.calls == ["slow"])
    until(lambda: endpoint.finals == ["slow"])


# ---- TLS


@pytest.mark.parametrize("spoken", SPOKEN.values(), ids=SPOKEN)
def test_over_tls(endpoint: HttpEndpoint, spoken: dict[str, str]) -> None:
    with kk.serve(endpoint, ssl=server_context("localhost"), transport="http") as server:
        assert server.url.startswith("https://")
        with server.connect(**spoken) as api:
            assert api.add(1, 2).result() == 3
        with kk.connect(server.url, token=server.token, ca_file=AUTHORITY_FILE, **spoken) as api:
            assert api.add(1, 2).result() == 3
        with pytest.raises(kk.ConnectError, match="the TLS certificate was refused"):
            kk.connect(server.url, token=server.token, **spoken)
