"""Whatever kk.connect may meet instead of an endpoint: one clear error each, and never a hang."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import logging
import socket
import ssl
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest
import websockets.exceptions
from support.endpoints import Endpoint
from support.waiting import PATIENCE_S, until
from websockets.asyncio.server import serve
from websockets.datastructures import Headers
from websockets.frames import Close
from websockets.http11 import Response

import kkjupyter as kk
from kkjupyter.api.connect_options import ConnectOptions
from kkjupyter.redaction import without_secrets
from kkjupyter.runtime.loop_threads import io_loop
from kkjupyter.transports.websocket import client as connecting
from kkjupyter.transports.websocket.client import connect_websocket

SECRET = "s3cr3t-t0ken"


class Elsewhere:
    """Strangers' servers, on a loop of their own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._stack = contextlib.AsyncExitStack()

    def _run(self, coro: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coro, self._loop).result(5)

    def tcp(
        self,
        handler: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
    ) -> int:
        """A TCP server; returns its port."""

        async def serve_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                await handler(reader, writer)
            finally:
                writer.close()

        async def start() -> int:
            server = await asyncio.start_server(serve_one, "127.0.0.1", 0)
            self._stack.push_async_callback(self._close, server)
            return int(server.sockets[0].getsockname()[1])

        return int(self._run(start()))

    @staticmethod
    async def _close(server: asyncio.Server) -> None:
        server.close()

    def websocket(self, handler: Callable[[Any], Awaitable[None]], **options: Any) -> str:
        """A WebSocket server; returns its address."""

        async def start() -> int:
            server = await self._stack.enter_async_context(
                serve(handler, "127.0.0.1", 0, close_timeout=0.1, **options)
            )
            return int(next(iter(server.sockets)).getsockname()[1])

        return f"ws://127.0.0.1:{self._run(start())}"

    def close(self) -> None:
        async def stop() -> None:
            await self._stack.aclose()
            others = asyncio.all_tasks() - {asyncio.current_task()}
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)
            await asyncio.sleep(0.01)  # for what was closed to be gone

        self._run(stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()


@pytest.fixture
def elsewhere() -> Iterator[Elsewhere]:
    elsewhere = Elsewhere()
    yield elsewhere
    elsewhere.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def quickly(limit_s: float = 2.0) -> Iterator[None]:
    started_s = time.monotonic()
    yield
    assert time.monotonic() - started_s < limit_s


def refusal(url: str, **options: Any) -> kk.ConnectError:
    with quickly(), pytest.raises(kk.ConnectError) as caught:
        kk.connect(url, **options)
    error = caught.value
    assert error.url == without_secrets(url)
    assert error.reason
    assert isinstance(error, ConnectionError)
    assert str(error) == f"cannot connect to {error.url}: {error.reason}"
    return error


# ---- no connection


def test_connection_refused() -> None:
    error = refusal(f"ws://127.0.0.1:{free_port()}")
    assert "refused" in error.reason
    assert isinstance(error.__cause__, OSError)


def test_a_name_with_several_addresses() -> None:
    assert "refused" in refusal(f"ws://localhost:{free_port()}").reason


def test_an_unknown_host() -> None:
    assert "cannot be resolved" in refusal("ws://no-such-host.invalid:80").reason


def test_tls_to_a_server_without() -> None:
    with kk.serve(Endpoint(), token=False) as server:
        error = refusal(server.url.replace("ws://", "wss://"))
    assert "TLS failed" in error.reason or "are scheme (ws, wss) and port right" in error.reason


def test_nothing_at_the_path_or_no_websocket_at_all(elsewhere: Elsewhere) -> None:
    def answering(status: str, headers: str = "") -> str:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(f"HTTP/1.1 {status}\r\n{headers}Content-Length: 2\r\n\r\nno".encode())
            await writer.drain()

        return f"ws://127.0.0.1:{elsewhere.tcp(answer)}/somewhere"

    assert "HTTP 404" in refusal(answering("404 Not Found")).reason
    assert "HTTP 200 instead of a WebSocket" in refusal(answering("200 OK")).reason
    assert "HTTP 500" in refusal(answering("500 Oops")).reason
    assert "token" in refusal(answering("401 Unauthorized")).reason
    assert "not a WebSocket server" in refusal(answering("101 Switching Protocols")).reason


def test_a_redirect_is_named_and_not_followed(elsewhere: Elsewhere) -> None:
    """The token was meant for this server, not for wherever it points."""
    seen: list[str] = []

    async def target(connection: Any) -> None:
        seen.append(connection.request.headers.get("Authorization"))

    there = elsewhere.websocket(target)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 302 Found\r\nLocation: {there}/?token=x\r\n\r\n".encode())
        await writer.drain()

    error = refusal(f"ws://127.0.0.1:{elsewhere.tcp(answer)}", token=SECRET)
    assert error.reason == f"HTTP 302: the server redirects to {there}/; connect there"
    assert seen == []


def test_a_server_that_speaks_something_else(elsewhere: Elsewhere) -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-OpenSSH_9.6\r\n")
        await writer.drain()
        await reader.read(1000)

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        pass

    assert "not a WebSocket server" in refusal(f"ws://127.0.0.1:{elsewhere.tcp(greet)}").reason
    assert refusal(f"ws://127.0.0.1:{elsewhere.tcp(hang_up)}").reason


@pytest.mark.parametrize(
    ("greeting", "reason"),
    [
        (b"SSH-2.0-x\r\n", "does not speak HTTP"),
        (b"\x16\x03\x01", "does not speak HTTP"),
        (b"220 mail ESMTP", "does not speak HTTP"),
        (b"HTML" * 50_000, "does not speak HTTP"),
        (b"HTTP/1.0 200 OK\r\n", "is not a WebSocket server (it answered 'HTTP/1.0 200 OK')"),
        (
            b"HTTP/1.0 404 Not Found\r\nContent-Length: 2\r\n\r\nno",
            "is not a WebSocket server (it answered 'HTTP/1.0 404 Not Found')",
        ),
        (b"HTTP/1.1 abc\r\n", "is not a WebSocket server (it answered 'HTTP/1.1 abc')"),
        (b"HTTP/1.1 101 Go\r\nodd\r\n\r\n", "is not a WebSocket server (it answered 'HTTP/1.1 101"),
    ],
)
@pytest.mark.parametrize("step", [1, 1_000_000])
def test_garbage_from_a_server_that_stays_open(
    elsewhere: Elsewhere, greeting: bytes, reason: str, step: int
) -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            for start in range(0, min(len(greeting), 100 * step), step):
                writer.write(greeting[start : start + step])
                await writer.drain()
                await asyncio.sleep(0)
            await reader.read()

    assert reason in refusal(f"ws://127.0.0.1:{elsewhere.tcp(greet)}").reason


@pytest.mark.parametrize("head", ["HTTP/1.1 200 OK\r\n", "HTTP/1.1 503 Busy\r\n"])
def test_the_body_of_a_refusal_may_come_late_and_be_anything(
    elsewhere: Elsewhere, head: str
) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for part in (head[:3], head[3:], "Content-Length: 9\r\n\r\n", "a\r\n\r\n", "body"):
            writer.write(part.encode())
            await writer.drain()
            await asyncio.sleep(0.01)
        await reader.read()

    error = refusal(f"ws://127.0.0.1:{elsewhere.tcp(answer)}")
    assert error.reason == f"HTTP {head.split()[1]} instead of a WebSocket"


def test_a_server_that_says_nothing(elsewhere: Elsewhere) -> None:
    async def wait(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    error = refusal(f"ws://127.0.0.1:{elsewhere.tcp(wait)}", connect_timeout_s=0.2)
    assert isinstance(error, kk.ConnectTimeout)
    assert isinstance(error, TimeoutError)
    assert "0.2 s" in error.reason


def test_connecting_can_be_cancelled(elsewhere: Elsewhere) -> None:
    left = threading.Event()

    async def wait(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while await reader.read(1000):
                pass
        left.set()

    url = f"ws://127.0.0.1:{elsewhere.tcp(wait)}"

    async def main() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(kk.aconnect(url), 0.1)

    with quickly():
        asyncio.run(main())
        assert left.wait(PATIENCE_S)


@pytest.mark.parametrize(
    ("target", "cure"),
    [
        ("http://localhost:3000/api?token=SECRET", "'ws://localhost:3000/api'"),
        ("https://user:SECRET@host/", "'wss://host/'"),
        ("localhost:8765", "did you mean 'ws://localhost:8765'"),
        ("demo", "it looks like 'ws://127.0.0.1:8765'"),
        ("ws://h:1#SECRET", "ws://h:1: the part after '#' is never sent"),
        ("", "it looks like"),
    ],
)
def test_an_address_that_cannot_be_right(target: str, cure: str) -> None:
    with pytest.raises(kk.UsageError) as caught:
        kk.connect(target)
    assert cure in str(caught.value)
    assert "SECRET" not in str(caught.value)


@pytest.mark.parametrize("url", ["ws://", "ws://:99999999/", "ws://[::1", "ws://host:port/"])
def test_a_broken_address(url: str) -> None:
    with pytest.raises(kk.KKError) as caught:
        kk.connect(f"{url}?token={SECRET}")
    assert SECRET not in shown(caught.value)


def test_options_that_cannot_be_right() -> None:
    for options, text in {
        ("codec", "jsn"): "unknown codec 'jsn' (known: 'superjson', 'json'); did you mean 'json'?",
        ("codec", 5): "unknown codec 5 (known: 'superjson', 'json')",
        ("protocol", "clasic"): "unknown protocol 'clasic' (known: 'classic', 'compact'); "
        "did you mean 'classic'?",
        ("tokn", SECRET): "unknown option 'tokn'; did you mean 'token'?",
        ("url", "x"): "unknown option 'url' "
        f"(known: {', '.join(sorted(ConnectOptions.__optional_keys__))})",
        ("headers", 5): "headers must be a mapping of names to values",
    }.items():
        with pytest.raises(kk.UsageError) as caught:
            kk.connect("ws://127.0.0.1:1", **dict([options]))  # type: ignore[arg-type]
        assert str(caught.value) == text
    with pytest.raises(kk.UsageError, match="header 'X-Key' is not one line") as caught:
        kk.connect("ws://127.0.0.1:1", headers={"X-Key": f"{SECRET}\r\nX-Other: 1"})
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("name", ["timeout_s", "idle_timeout_s", "connect_timeout_s"])
@pytest.mark.parametrize("seconds", [-1, 0, "x", float("nan"), True])
def test_a_time_limit_that_cannot_be_right(name: str, seconds: Any) -> None:
    text = f"{name} must be a number of seconds above 0"
    options: dict[str, Any] = {name: seconds}
    with pytest.raises(kk.UsageError, match=text):
        kk.connect("ws://127.0.0.1:1", **options)
    with kk.serve(Endpoint()) as server, server.connect(timeout_s=None) as api:
        with pytest.raises(kk.UsageError, match=text):
            server.connect(**options)
        if name != "connect_timeout_s":
            with pytest.raises(kk.UsageError, match=text):
                kk.call(api.add, 1, 2, **options)
            limits: dict[str, Any] = {name: 5}
            assert kk.call(api.add, 1, 2, **limits).result() == 3


@pytest.mark.parametrize(
    ("target", "text"),
    [
        (5, "not int: 5"),
        (None, "not NoneType: None"),
        (print, "not builtin_function_or_method"),
        (b"ws://127.0.0.1:1", "not bytes"),
    ],
)
def test_what_cannot_be_connected_to(target: Any, text: str) -> None:
    with pytest.raises(kk.UsageError, match=r"an address .* or an open transport") as caught:
        kk.connect(target)
    assert text in str(caught.value)
    with pytest.raises(kk.UsageError, match="an address"):
        asyncio.run(kk.aconnect(target))


@pytest.mark.parametrize("port", [-1, 99_999, "x", "80", 80.0, None, True])
def test_a_port_that_cannot_be_right(port: Any) -> None:
    with pytest.raises(kk.UsageError, match=f"port must be .* 0 for any free one, not {port!r}"):
        kk.serve(Endpoint(), port=port)


def test_a_proxy_is_not_asked_for_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("no_proxy", "")
    with kk.serve(Endpoint()) as server, server.connect() as api:
        assert api.add(1, 2).result() == 3


def test_a_proxy_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", f"http://user:{SECRET}@127.0.0.1:{free_port()}")
    monkeypatch.setenv("no_proxy", "")
    assert SECRET not in shown(refusal("ws://203.0.113.1:80"))


def shown(error: BaseException | None) -> str:
    """All that a traceback would show of an error."""
    texts = []
    while error is not None:
        texts += [repr(error), str(error)]
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return "\n".join(texts)


def foreign_errors() -> Iterator[Exception]:
    """One of every class the library defines, whatever its arguments."""
    response = Response(418, "teapot", Headers())
    made: dict[str, tuple[Any, ...]] = {
        "ConnectionClosed": (Close(1006, ""), None),
        "ConnectionClosedOK": (Close(1000, ""), None),
        "ConnectionClosedError": (Close(1011, ""), None),
        "InvalidURI": ("ws://x", "why"),
        "InvalidProxy": ("http://x", "why"),
        "InvalidStatus": (response,),
        "InvalidProxyStatus": (response,),
        "InvalidHeader": ("name", "value"),
        "InvalidHeaderFormat": ("name", "error", "header", 0),
        "InvalidHeaderValue": ("name", "value"),
        "InvalidOrigin": ("origin",),
        "InvalidUpgrade": ("name", "value"),
        "InvalidParameterName": ("name",),
        "InvalidParameterValue": ("name", "value"),
        "PayloadTooBig": (10, 5),
    }
    for name, kind in vars(websockets.exceptions).items():
        if (
            inspect.isclass(kind)
            and issubclass(kind, Exception)
            and kind.__module__ == "websockets.exceptions"
        ):
            yield kind(*made.get(name, ("a reason",)))


@pytest.mark.parametrize(
    "foreign",
    [
        *foreign_errors(),
        OSError(5, "EIO"),
        ssl.SSLError(1, "odd"),
        EOFError(),
        ImportError("socks"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_no_foreign_error_leaves_connect(
    foreign: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Refusing:
        def __init__(self, *args: Any, **options: Any) -> None:
            pass

        def __await__(self) -> Any:
            raise foreign

    monkeypatch.setattr(connecting, "_Connect", Refusing)
    with pytest.raises(kk.ConnectError) as caught:
        asyncio.run(connect_websocket("ws://127.0.0.1:1"))
    assert caught.value.reason.strip()


# ---- a WebSocket server that is not a kkrpc endpoint


def test_an_echo_server(elsewhere: Elsewhere) -> None:
    async def echo(connection: Any) -> None:
        async for message in connection:
            await connection.send(message)

    url = elsewhere.websocket(echo)
    with kk.connect(url, protocol="classic") as api:
        for _ in range(2):  # the second call connects again, and learns the same
            with quickly(), pytest.raises(kk.ProtocolError, match="not a kkrpc endpoint"):
                api.add(1, 2).result()


def test_a_connection_to_something_else_is_not_left_open(elsewhere: Elsewhere) -> None:
    gone = threading.Event()

    async def echo(connection: Any) -> None:
        with contextlib.suppress(websockets.exceptions.ConnectionClosed):
            async for message in connection:
                await connection.send(message)
        gone.set()

    refusal(elsewhere.websocket(echo))
    assert gone.wait(PATIENCE_S)


@pytest.mark.parametrize("answer", ["hello there", '{"ok": true}\n', "\x00\x01", b"\xff\xfe\xfd"])
def test_a_server_that_answers_something_else(elsewhere: Elsewhere, answer: str | bytes) -> None:
    async def talk(connection: Any) -> None:
        async for _ in connection:
            await connection.send(answer)

    url = elsewhere.websocket(talk)
    with kk.connect(url, protocol="classic") as api:
        with quickly(), pytest.raises(kk.ProtocolError, match="does not speak kkrpc") as caught:
            api.add(1, 2).result()
        assert url in str(caught.value)


def test_a_server_that_closes_with_a_reason(elsewhere: Elsewhere) -> None:
    async def leave(connection: Any) -> None:
        await connection.recv()
        await connection.close(4000, "out of tokens")

    with (
        kk.connect(elsewhere.websocket(leave), protocol="classic") as api,
        quickly(),
        pytest.raises(kk.ConnectionLost, match=r"closed with code 4000 \(out of tokens\)"),
    ):
        api.add(1, 2).result()


STREAM_OPEN = '{"id":"%s","method":"","args":{"result":{"__stream":true}},"type":"response"}\n'
CHUNK = '{"id":"%s","method":"","args":{"value":%s},"type":"stream-chunk"}\n'


def wire_id(message: str) -> str:
    return message.split('"id":"', 1)[1].split('"', 1)[0]


def test_the_late_handle_of_a_cancelled_call_is_returned(elsewhere: Elsewhere) -> None:
    """A peer that ignores the cancel of a call it has not answered yet, as kkrpc does."""
    heard: list[str] = []

    async def late(connection: Any) -> None:
        call_id = wire_id(await connection.recv())
        heard.append(await connection.recv())
        await connection.send(STREAM_OPEN % call_id)
        await connection.send(CHUNK % (call_id, 1))
        heard.append(await connection.recv())
        assert call_id in heard[1]
        await connection.wait_closed()

    with kk.connect(elsewhere.websocket(late), protocol="classic") as api:
        call = api.numbers()
        time.sleep(0.05)
        call.cancel()
        until(lambda: len(heard) == 2)
    assert all('"stream-cancel"' in message for message in heard)


@pytest.mark.parametrize("way", ["abort", "close", "half a frame"])
def test_a_server_that_dies_in_mid_stream(elsewhere: Elsewhere, way: str) -> None:
    async def die(connection: Any) -> None:
        call_id = wire_id(await connection.recv())
        await connection.send(STREAM_OPEN % call_id)
        for number in range(2):
            await connection.send(CHUNK % (call_id, number))
        if way == "close":
            await connection.close()
        else:
            if way == "half a frame":
                connection.transport.write(b'\x81\x7e\x01\x00{"id":"')
            await asyncio.sleep(0.05)
            connection.transport.abort()

    got: list[int] = []
    with kk.connect(elsewhere.websocket(die), protocol="classic") as api:
        with quickly(), pytest.raises(kk.ConnectionLost) as caught:
            got.extend(api.numbers())
        assert got == [0, 1]
        assert caught.value.items_received == 2
        assert caught.value.reason


def test_a_message_that_is_too_big_ends_the_connection(elsewhere: Elsewhere) -> None:
    async def flood(connection: Any) -> None:
        await connection.recv()
        await connection.send("x" * 200_000)
        await connection.wait_closed()

    url = elsewhere.websocket(flood, max_size=None)

    async def small() -> Any:
        return await connect_websocket(url, limit_bytes=100_000)

    transport = io_loop().submit(small()).result(5)
    with (
        kk.connect(transport, protocol="classic") as api,
        quickly(),
        pytest.raises(kk.ConnectionLost) as caught,
    ):
        api.add(1, 2).result()
    assert "too big" in caught.value.reason


def test_a_transport_that_was_handed_over_is_not_opened_twice(elsewhere: Elsewhere) -> None:
    async def leave(connection: Any) -> None:
        await connection.recv()

    transport = io_loop().submit(connect_websocket(elsewhere.websocket(leave))).result(5)
    with kk.connect(transport, protocol="classic") as api:
        with quickly(), pytest.raises(kk.ConnectionLost):
            api.add(1, 2).result()
        with quickly(), pytest.raises(kk.ConnectError, match="cannot be opened again"):
            api.add(1, 2).result()


# ---- keepalive


def test_a_peer_that_stalls_is_noticed(elsewhere: Elsewhere) -> None:
    async def stall(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Shakes hands, and is never heard of again."""
        from websockets.server import ServerProtocol

        protocol = ServerProtocol()
        protocol.receive_data(await reader.readuntil(b"\r\n\r\n"))
        request = protocol.events_received()[0]
        protocol.send_response(protocol.accept(request))  # type: ignore[arg-type]
        for data in protocol.data_to_send():
            writer.write(data)
        await asyncio.sleep(10)

    url = f"ws://127.0.0.1:{elsewhere.tcp(stall)}"

    async def dial() -> Any:
        return await connect_websocket(url, ping_interval_s=0.1, pong_timeout_s=0.2)

    transport = io_loop().submit(dial()).result(5)
    with (
        kk.connect(transport, protocol="classic") as api,
        quickly(),
        pytest.raises(kk.ConnectionLost, match=r"no answer to a ping within 0\.2 s"),
    ):
        api.add(1, 2).result()


def pushing(chunks: int, size: int = 20_000) -> Callable[[Any], Awaitable[None]]:
    async def push(connection: Any) -> None:
        call_id = wire_id(await connection.recv())
        await connection.send(STREAM_OPEN % call_id)
        body = "x" * size
        with contextlib.suppress(websockets.exceptions.ConnectionClosed):
            for number in range(chunks):
                await connection.send(CHUNK % (call_id, f'"{number:06}{body}"'))
            end = '{"id":"%s","method":"","args":{},"type":"stream-end"}\n' % call_id  # noqa: UP031
            await connection.send(end)
            await connection.wait_closed()

    return push


@pytest.mark.parametrize("who", ["we ping", "they ping"])
@pytest.mark.slow
def test_a_pause_longer_than_the_keepalive_survives(
    elsewhere: Elsewhere, who: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The consumer does not read for several ping intervals and timeouts, of either side."""
    monkeypatch.setattr("kkjupyter.connection.read_flow_control._PEEK_INTERVAL_S", 0.1)
    monkeypatch.setattr("kkjupyter.connection.read_flow_control._PEEK_BYTES", 1024 * 1024)
    theirs = (0.5, 1.5) if who == "they ping" else (None, None)
    url = elsewhere.websocket(
        pushing(2000), ping_interval=theirs[0], ping_timeout=theirs[1], compression=None
    )

    async def dial() -> Any:
        interval_s = 0.25 if who == "we ping" else None
        return await connect_websocket(url, ping_interval_s=interval_s, pong_timeout_s=1.0)

    transport = io_loop().submit(dial()).result(5)
    with kk.connect(transport, protocol="classic") as api:
        loop = iter(api.numbers())
        got = [int(next(loop)[:6])]
        until(lambda: api._kk_session.reading_paused)
        time.sleep(2.8)
        got.extend(int(item[:6]) for item in loop)
    assert got == list(range(2000))


# ---- the hard limit


def test_a_flood_ends_the_stream_alone_after_what_was_buffered(
    elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody waits for another answer, so reading goes on, and the idle stream grows."""
    monkeypatch.setattr("kkjupyter.calls.buffer.HARD_LIMIT_BYTES", 4 * 1024 * 1024)
    monkeypatch.setattr("kkjupyter.connection.call_table.HARD_LIMIT_BYTES", 4 * 1024 * 1024)
    cancelled: list[str] = []

    async def push(connection: Any) -> None:
        stream_id = wire_id(await connection.recv())
        other_id = wire_id(await connection.recv())
        await connection.send(STREAM_OPEN % stream_id)
        for number in range(400):
            await connection.send(CHUNK % (stream_id, f'"{number:06}{"x" * 20_000}"'))
        cancelled.append(await connection.recv())
        reply = '{"id":"%s","method":"","args":{"result":"fine"},"type":"response"}\n' % other_id  # noqa: UP031
        await connection.send(reply)
        await connection.wait_closed()

    with kk.connect(elsewhere.websocket(push), protocol="classic") as api:
        flooded, other = api.numbers(), api.other()
        assert other.result(timeout_s=5) == "fine"
        assert '"stream-cancel"' in cancelled[0]
        assert flooded._state.call_id in cancelled[0]
        got: list[int] = []
        with pytest.raises(kk.BufferOverflow) as caught:
            got.extend(int(item[:6]) for item in flooded)
        assert got == list(range(len(got)))
        assert 190 < len(got) < 230
        assert caught.value.limit_bytes == 4 * 1024 * 1024
        assert "numbers: more than" in str(caught.value)


# ---- the door


def test_the_token_in_each_of_its_three_forms() -> None:
    with kk.serve(Endpoint(), token=SECRET) as server:
        for options in (
            {"url": server.url, "headers": {"Authorization": f"Bearer {SECRET}"}},
            {"url": f"{server.url}/?token={SECRET}"},
            {"url": server.url, "subprotocols": [f"kkjupyter.token.{SECRET}"]},
        ):
            transport = io_loop().submit(connect_websocket(**options)).result(5)
            with kk.connect(transport) as api:
                assert api.add(1, 2).result() == 3


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"headers": {"Authorization": "Bearer wrong"}},
        {"headers": {"Authorization": f"Basic {SECRET}"}},
        {"headers": {"Authorization": SECRET}},
        {"url": "/?token="},
        {"url": "/?token=wrong"},
        {"url": "/token/of/no/use"},
        {"subprotocols": ["kkjupyter.token.wrong"]},
        {"headers": {"Authorization": "Bearer ü"}},
    ],
)
def test_no_token_or_a_wrong_one(options: dict[str, Any]) -> None:
    options = dict(options)
    with kk.serve(Endpoint(), token=SECRET) as server:
        url = server.url + options.pop("url", "")
        with pytest.raises(kk.ConnectError, match="token") as caught:
            io_loop().submit(connect_websocket(url, **options)).result(5)
        assert server.clients == 0
    assert SECRET not in shown(caught.value)


def test_the_token_is_shown_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG), kk.serve(Endpoint(), token=SECRET) as server:
        texts = [repr(server), str(server), server.url]
        with server.connect() as api:
            api.add(1, 2).result()
            texts += [repr(api), repr(api.add), repr(kk.status()), repr(api.add(1, 2))]
        url = f"{server.url}/?token={SECRET}"
        with kk.connect(url) as api:
            texts += [repr(api), repr(kk.status())]
        for wrong in (url.replace("ws:", "wss:"), url.replace("?", "nowhere?") + "wrong"):
            with pytest.raises(kk.ConnectError) as caught:
                kk.connect(wrong)
            texts.append(shown(caught.value))
        with kk.connect(f"ws://user:{SECRET}@127.0.0.1:{server.port}/?token={SECRET}") as api:
            texts += [repr(api), repr(kk.status())]
            stream = iter(api.once_then_wait())
            next(stream)
            server.close()
            with pytest.raises(kk.ConnectionLost) as lost:
                next(stream)
            with pytest.raises(kk.ConnectError) as gone:
                api.add(1, 2).result()
            texts += [shown(lost.value), shown(gone.value)]
    assert not [text for text in texts if SECRET in text]
    assert SECRET not in caplog.text


def test_a_server_makes_its_own_token() -> None:
    with kk.serve(Endpoint()) as first, kk.serve(Endpoint()) as second:
        assert first.token
        assert second.token
        assert len(first.token) >= 24
        assert first.token != second.token
        with pytest.raises(kk.ConnectError):
            kk.connect(first.url, token=second.token)


def test_serving_without_a_token() -> None:
    with kk.serve(Endpoint(), token=False) as server:
        assert server.token is None
        assert "open to everybody who can reach it" in repr(server)
        with kk.connect(server.url) as api:
            assert api.add(1, 2).result() == 3
    for host in ("0.0.0.0", "::", "192.0.2.1", "example.org"):
        with pytest.raises(kk.UsageError, match="insecure=True"):
            kk.serve(Endpoint(), host, token=False)
    with pytest.raises(kk.UsageError, match="empty token"):
        kk.serve(Endpoint(), token="")
    with (
        kk.serve(Endpoint(), "0.0.0.0", token=False, insecure=True) as open_server,
        open_server.connect() as api,
    ):
        assert api.add(1, 2).result() == 3


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        ("http://localhost:8888", True),
        ("http://127.0.0.1:8888", True),
        ("http://[::1]:8888", True),
        ("https://evil.example", False),
        ("http://localhost.evil.example", False),
        ("null", False),
        ("https://trusted.example", True),
    ],
)
def test_pages_of_other_origins_may_not_connect(origin: str, allowed: bool) -> None:
    with kk.serve(Endpoint(), token=SECRET, origins=["https://trusted.example"]) as server:
        headers = {"Authorization": f"Bearer {SECRET}", "Origin": origin}
        if allowed:
            with kk.connect(server.url, headers=headers) as api:
                assert api.add(1, 2).result() == 3
        else:
            assert "HTTP 403" in refusal(server.url, headers=headers).reason


def test_a_port_that_is_taken() -> None:
    with (
        kk.serve(Endpoint()) as server,
        pytest.raises(kk.ConnectError, match="cannot listen there") as caught,
    ):
        kk.serve(Endpoint(), port=server.port)
    assert caught.value.url == server.url


def test_clients_that_are_no_websocket_clients_leave_no_trace(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with kk.serve(Endpoint()) as server:
        for greeting in (b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01garbage", b"", b"A" * 100_000):
            with (
                socket.create_connection(("127.0.0.1", server.port)) as stranger,
                contextlib.suppress(ConnectionError),
            ):
                stranger.sendall(greeting)
                stranger.shutdown(socket.SHUT_WR)
                stranger.recv(1000)
        with server.connect() as api:
            assert api.add(1, 2).result() == 3
    assert [record.getMessage() for record in caplog.records] == []


# ---- a client that does not read


@pytest.mark.slow
def test_a_client_that_asks_and_does_not_read_is_not_served_without_end() -> None:
    class Big:
        answered = 0

        async def blob(self) -> str:
            self.answered += 1
            return "x" * 1_000_000

        async def blobs(self) -> AsyncIterator[str]:
            while True:
                self.answered += 1
                yield "x" * 1_000_000

    big = Big()
    with kk.serve(big) as server, server.connect(codec="json") as api:
        transport = api._kk_session._channel._transport
        io_loop().post(transport.pause_reading)
        calls = [api.blob() for _ in range(400)]
        time.sleep(1.0)
        assert big.answered < 100
        io_loop().post(transport.resume_reading)
        assert [len(call.result(timeout_s=20)) for call in calls] == [1_000_000] * 400
