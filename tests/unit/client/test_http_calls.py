"""kkrpc over HTTP, asking: what goes out, what an answer becomes, and what is no answer."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import subprocess
import sys
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from support.servers.http_servers import Handler, answering, listening, never, read_request, reply
from support.waiting import auntil

import kkjupyter as kk
from kkjupyter.client.remote import session_of
from kkjupyter.runtime.loop_threads import io_loop

SECRET = "s3cr3t-t0ken"
PROTOCOLS = ("classic", "compact")
Main = Callable[[], Awaitable[Any]]


def run(main: Main) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(10):
            await main()

    asyncio.run(bounded())


def message_of(body: bytes) -> dict[str, Any]:
    """The message in a request's body, of either generation and codec."""
    fields: dict[str, Any] = json.loads(body)
    return fields.get("json", fields)


def result(message: dict[str, Any], value: Any) -> bytes:
    """What a peer answers."""
    if "t" in message:
        return json.dumps({"t": "r", "id": message["id"], "v": value}).encode()
    answer = {"id": message["id"], "method": "", "args": {"result": value}, "type": "response"}
    return json.dumps({"json": answer}).encode() + b"\n"


class Peer:
    """Answers each call with what ``answer`` makes of its message, and notes it all."""

    def __init__(self, answer: Callable[[dict[str, Any]], bytes]) -> None:
        self.answer = answer
        self.heads: list[str] = []
        self.bodies: list[bytes] = []

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head, body = await read_request(reader)
            if head.startswith("HEAD "):
                writer.write(b"HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\n\r\n")
                continue
            self.heads.append(head)
            self.bodies.append(body)
            writer.write(self.answer(message_of(body)))


@contextlib.asynccontextmanager
async def connected(
    handler: Handler, protocol: str = "compact", **options: Any
) -> AsyncIterator[Any]:
    async with listening(handler) as url:
        api = await kk.aconnect(f"{url}/rpc?key={SECRET}", protocol=protocol, **options)
        try:
            yield api
        finally:
            await asyncio.to_thread(kk.close, api)


# ---- what goes out


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_call_is_one_post(protocol: str) -> None:
    peer = Peer(lambda message: reply(result(message, 3)))

    async def main() -> None:
        headers = {"X-Mine": "yes"}
        async with connected(peer, protocol, headers=headers, token=SECRET) as api:
            assert await api.math.add(1, 2) == 3

    run(main)
    [head], [body] = peer.heads, peer.bodies
    assert head.startswith(f"POST /rpc?key={SECRET} HTTP/1.1\r\n")
    sent = ("Content-Type: application/json", "X-Mine: yes", f"Authorization: Bearer {SECRET}")
    for line in sent:
        assert f"{line}\r\n" in head
    message = message_of(body)
    if protocol == "classic":
        assert body.endswith(b"\n"), "a 0.7 peer would hang, and take the next call with it"
        assert body.startswith(b'{"json":'), "a 0.7 peer reads nothing else here"
        assert message["method"] == "math.add"
        assert message["args"] == [1, 2]
    else:
        assert message["p"] == ["math", "add"]
        assert [arg["v"] for arg in message["a"]] == [1, 2]


def connections() -> list[Any]:
    """Those of this module: nobody else connects over HTTP meanwhile."""
    return [shown for shown in kk.status().connections if shown.url.startswith("http")]


def test_the_compact_protocol_in_superjson() -> None:
    peer = Peer(
        lambda message: reply(json.dumps({"json": {"t": "r", "id": message["id"]}}).encode())
    )

    async def main() -> None:
        async with connected(peer, codec="superjson") as api:
            assert await api.nothing() is kk.undefined

    run(main)
    assert peer.bodies[0].startswith(b'{"json":{"t":"q"')


def test_cookies_and_what_is_said_about_a_call() -> None:
    peer = Peer(lambda message: reply(result(message, None)))

    async def main() -> None:
        async with connected(peer, cookies={"a": "b"}, meta=lambda: {"trace": 7}) as api:
            await api.f()

    run(main)
    assert "Cookie: a=b\r\n" in peer.heads[0]
    assert message_of(peer.bodies[0])["meta"] == {"trace": 7}


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    ("arg", "what"),
    [(print, "a function"), (iter([1]), "a stream"), (lambda: None, "a function")],
)
def test_what_http_does_not_carry_is_not_sent(protocol: str, arg: Any, what: str) -> None:
    peer = Peer(lambda message: reply(result(message, 1)))

    async def main() -> None:
        async with connected(peer, protocol) as api:
            with pytest.raises(kk.UsageError, match=f"f: argument 2 is {what} .* only values"):
                api.f(0, arg)
            assert len(session_of(api)._functions) == 0
            call = api.g()
            with pytest.raises(kk.UsageError, match="not its value"):
                api.f(call)
            await call

    run(main)
    assert len(peer.bodies) == 1  # g


# ---- what comes back


def test_answers_come_in_any_order() -> None:
    async def main() -> None:
        go = asyncio.Event()

        async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while True:
                head, body = await read_request(reader)
                if head.startswith("HEAD "):
                    writer.write(reply(b""))
                    continue
                message = message_of(body)
                if message["p"] == ["slow"]:
                    await go.wait()
                writer.write(reply(result(message, message["p"][0])))

        async with connected(handler) as api:
            slow = api.slow()
            assert await api.quick() == "quick"
            assert slow.state == "waiting"
            go.set()
            assert await slow == "slow"
            answers = await asyncio.gather(*(getattr(api, f"f{n}")() for n in range(100)))
            assert answers == [f"f{n}" for n in range(100)]

    run(main)


def test_a_stream_is_refused_in_the_peers_words() -> None:
    async def main() -> None:
        peer = Peer(lambda message: reply(result(message, {"__stream": True})))
        async with connected(peer, "classic") as api:
            with pytest.raises(kk.RemoteError, match=r"^HTTP transport does not support") as caught:
                await api.countdown(3)
            assert caught.value.method == "countdown"
            assert "ws://" in caught.value.message

    run(main)


def test_a_reply_counts_whatever_the_status() -> None:
    def answer(message: dict[str, Any]) -> bytes:
        error = {"n": "RPCTimeoutError", "m": "too slow"}
        body = json.dumps({"t": "r", "id": message["id"], "e": error}).encode()
        return reply(body, "504 Gateway Timeout")

    async def main() -> None:
        async with connected(Peer(answer)) as api:
            with pytest.raises(kk.RemoteError, match="too slow") as caught:
                await api.f()
            assert caught.value.name == "RPCTimeoutError"

    run(main)


PAGE = b"<!DOCTYPE html>\n<html><title>Welcome</title>"


@pytest.mark.parametrize(
    ("answer", "kind", "text"),
    [
        (reply(PAGE), kk.ProtocolError, "something else instead of a reply .*<!DOCTYPE html>"),
        (reply(PAGE, "500 Oh"), kk.ProtocolError, "HTTP 500 instead of a reply"),
        (reply(b"Bad request", "400 No"), kk.ProtocolError, "HTTP 400 .*'classic'.*: Bad request"),
        (reply(b""), kk.ProtocolError, "something else instead"),
        (reply(b'{"t":"r","id":"another","v":1}'), kk.ProtocolError, "something else instead"),
        (reply(b"", "413 Long"), kk.ProtocolError, "HTTP 413"),
        (reply(b"", "401 No"), kk.ConnectError, r"HTTP 401: .* \(different\) token"),
        (reply(b"", "403 No"), kk.ConnectError, "HTTP 403"),
        (reply(b"", "404 No"), kk.ConnectError, "HTTP 404: the server takes no calls at this path"),
        (reply(b"", "405 No"), kk.ConnectError, "HTTP 405"),
        (
            reply(b"", "302 Found", Location=f"https://x/login?s={SECRET}"),
            kk.ConnectError,
            "HTTP 302: the server redirects to https://x/login; connect there",
        ),
        (
            b"HTTP/1.1 302 Found\r\nLocation: /\xff\r\nContent-Length: 0\r\n\r\n",
            kk.ConnectError,
            "HTTP 302: the server redirects to /\ufffd; connect there",
        ),
        (b"", kk.ConnectionLost, "the server ended the connection without an answer"),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf",
            kk.ConnectionLost,
            "in the middle of the answer",
        ),
        (b"garbage\r\n\r\n", kk.ConnectError, "the server does not speak HTTP"),
    ],
)
def test_what_is_no_answer_fails_its_call_only(
    answer: bytes, kind: type[kk.KKError], text: str
) -> None:
    async def main() -> None:
        asked = asyncio.Event()

        async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while True:
                head, body = await read_request(reader)
                if head.startswith("HEAD "):
                    writer.write(reply(b""))
                    continue
                message = message_of(body)
                if message["p"] == ["bad"]:
                    writer.write(answer)
                    await writer.drain()
                    return
                asked.set()
                await failed.wait()
                writer.write(reply(result(message, "fine")))

        failed = asyncio.Event()
        async with connected(handler) as api:
            other = api.good()
            await asked.wait()
            with pytest.raises(kind, match=text) as caught:
                await api.bad()
            assert SECRET not in "".join(traceback.format_exception(caught.value))
            lost = kind is not kk.ProtocolError
            assert session_of(api).state.startswith("last call failed: " if lost else "open")
            failed.set()
            assert await other == "fine"
            assert await api.good() == "fine"
            assert session_of(api).state == "idle"

    run(main)


def test_a_codec_that_the_peers_do_not_read_is_named_as_what_may_be_wrong() -> None:
    async def main() -> None:
        peer = Peer(lambda message: reply(b"Bad request", "400 Bad Request"))
        async with connected(peer, codec="superjson") as api:
            with pytest.raises(kk.ProtocolError, match="leave codec out"):
                await api.f()

    run(main)


def test_a_reply_over_the_limit_fails_its_call() -> None:
    async def main() -> None:
        async with connected(Peer(lambda message: reply(result(message, "x" * 5000)))) as api:
            session_of(api)._limit_bytes = 1000
            with pytest.raises(kk.ProtocolError, match="over the limit of 1,000 bytes"):
                await api.f()

    run(main)


# ---- ends


class Waiting:
    """Never answers; notes who asks and who leaves."""

    def __init__(self) -> None:
        self.asked = 0
        self.left = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head, _ = await read_request(reader)
        if head.startswith("HEAD "):
            writer.write(reply(b"", Connection="close"))
            return
        self.asked += 1
        assert await reader.read() == b"", "nothing else may be said, a cancel neither"
        self.left += 1


@contextlib.asynccontextmanager
async def waiting(**options: Any) -> AsyncIterator[tuple[Any, Waiting]]:
    server = Waiting()
    async with listening(server) as url:
        api = await kk.aconnect(url, protocol="classic", **options)
        try:
            yield api, server
        finally:
            await asyncio.to_thread(kk.close, api)


def test_a_cancel_breaks_the_request_off() -> None:
    async def main() -> None:
        async with waiting() as (api, server):
            call, other = api.f(), api.g()
            await auntil(lambda: server.asked == 2)
            call.cancel()
            call.cancel()
            with pytest.raises(kk.CallCancelled):
                await call
            await auntil(lambda: server.left == 1)
            assert other.state == "waiting"
            assert [state.method for state in session_of(api).calls] == ["g"]

    run(main)


def test_an_interrupted_await_breaks_the_request_off() -> None:
    async def main() -> None:
        async with waiting() as (api, server):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2):
                    await api.f()
            await auntil(lambda: server.left == 1)

    run(main)


def test_a_time_limit_breaks_the_request_off() -> None:
    async def main() -> None:
        async with waiting(timeout_s=0.2) as (api, server):
            with pytest.raises(kk.CallTimeout, match=r"f: no reply within 0\.2 s"):
                await api.f()
            await auntil(lambda: server.left == 1)
            assert session_of(api).calls == []

    run(main)


def test_closing_cancels_what_is_under_way() -> None:
    async def main() -> None:
        async with waiting() as (api, server):
            call = api.f()
            await auntil(lambda: server.asked == 1)
            await asyncio.to_thread(kk.close, api)
            await auntil(lambda: server.left == 1)
            with pytest.raises(kk.CallCancelled):
                await call
            assert session_of(api).state == "closed"
            with pytest.raises(kk.UsageError, match="is closed; connect again"):
                api.f()
            await asyncio.to_thread(kk.close, api)

    run(main)


def test_a_connection_nobody_holds_is_closed() -> None:
    async def main() -> None:
        gone = asyncio.Event()

        async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await read_request(reader)  # HEAD
            writer.write(reply(b""))
            assert await reader.read() == b""
            gone.set()

        async with listening(handler) as url:
            api: Any = await kk.aconnect(url, protocol="compact")
            assert len(connections()) == 1
            del api
            gc.collect()
            await asyncio.to_thread(io_loop().flush, 1)
            await gone.wait()
            assert connections() == []

    run(main)


@pytest.mark.slow
def test_a_script_that_ends_without_closing_says_nothing() -> None:
    script = """
import kkjupyter as kk
server = kk.serve({"add": lambda a, b: a + b}, transport="http")
api = server.connect()
print(api.add(1, 2).result())
late = server.connect().add(3, 4)
"""
    done = subprocess.run(
        [sys.executable, "-W", "default", "-c", script],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert done.stdout == "3\n"
    assert "nclosed" not in done.stderr
    assert "Traceback" not in done.stderr


def test_a_call_that_ends_before_it_is_sent_is_not_sent() -> None:
    async def main() -> None:
        async with waiting() as (api, server):

            async def on_the_io_loop() -> list[Any]:
                # What is posted here waits until this has returned.
                cancelled = api.f()
                cancelled.cancel()
                late = api.g()
                await session_of(api).close()
                return [cancelled, late]

            for call in await asyncio.wrap_future(io_loop().submit(on_the_io_loop())):
                with pytest.raises(kk.CallCancelled):
                    await call
            assert server.asked == 0

    run(main)


def test_a_call_cancelled_at_once_is_not_sent() -> None:
    peer = Peer(lambda message: reply(result(message, 1)))

    async def main() -> None:
        async with connected(peer) as api:

            async def on_the_io_loop() -> None:
                api.f().cancel()

            await asyncio.wrap_future(io_loop().submit(on_the_io_loop()))
            assert await api.g() == 1

    run(main)
    assert [message_of(body)["p"] for body in peer.bodies] == [["g"]]


def test_an_error_that_nobody_thought_of_ends_its_call(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        async with waiting() as (api, _):
            session = session_of(api)

            def broken(*args: Any, **options: Any) -> None:
                raise LookupError("a fault of ours")

            monkeypatch.setattr(session._requests.client, "open", broken)
            with pytest.raises(LookupError, match="a fault of ours"):
                await api.f()
            assert session.calls == []

    run(main)
    gc.collect()
    io_loop().flush(1)
    assert "a fault of ours" in caplog.text, "it is told, too, and not swallowed"


# ---- connecting


def test_connecting_posts_nothing_and_takes_any_answer() -> None:
    async def main() -> None:
        heads: list[str] = []

        async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            heads.append((await read_request(reader))[0])
            writer.write(reply(b"", "500 Oh", Connection="close"))

        async with connected(handler) as api:
            assert session_of(api).state == "idle"
        [head] = heads
        assert head.startswith("HEAD ")

    run(main)


@pytest.mark.slow
def test_a_server_that_is_silent_on_head_is_there_all_the_same() -> None:
    async def main() -> None:
        async with connected(never) as api:
            assert session_of(api).state == "idle"

    run(main)


def test_a_server_that_wants_a_token_says_so_at_once() -> None:
    async def main() -> None:
        async with listening(answering(b"", "401 No")) as url:
            with pytest.raises(kk.ConnectError, match=r"HTTP 401: .* \(different\) token"):
                await kk.aconnect(url, protocol="compact")

    run(main)
    assert connections() == []


def test_nobody_is_there() -> None:
    with pytest.raises(kk.ConnectError, match="connection refused") as caught:
        kk.connect(f"http://127.0.0.1:9/?key={SECRET}", protocol="compact")
    assert SECRET not in "".join(traceback.format_exception(caught.value))
    assert connections() == []


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({}, "name it: protocol='classic' for kkrpc 0.x, protocol='compact'"),
        ({"protocol": "compct"}, "did you mean 'compact'"),
        ({"protocol": "compact", "codec": "jason"}, "did you mean 'json'"),
        ({"protocol": "classic", "codec": "json"}, "only superjson; leave codec out"),
        ({"protocol": "compact", "expose": {}}, "the other side cannot call back"),
        ({"protocol": "compact", "subprotocols": ["a"]}, "is for ws:// and wss:// addresses"),
        ({"protocol": "compact", "compression": "deflate"}, "is for ws:// and wss:// addresses"),
        ({"protocol": "compact", "timeout_s": 0}, "timeout_s must be"),
        ({"protocol": "compact", "proxy": "socks5h://h:1"}, "must be http:// or https://"),
        ({"protocol": "compact", "ca_file": "x.pem"}, "did you mean 'https://127.0.0.1:9/'"),
    ],
)
def test_options_that_cannot_be_right(options: dict[str, Any], text: str) -> None:
    with pytest.raises(kk.UsageError, match=text) as caught:
        kk.connect(f"http://127.0.0.1:9/?key={SECRET}", **options)
    assert SECRET not in str(caught.value)


def test_what_is_shown_of_a_connection() -> None:
    async def main() -> None:
        async with connected(Peer(lambda message: reply(b"")), "classic", token=SECRET) as api:
            assert SECRET not in repr(api) + repr(kk.status())
            [shown] = connections()
            assert (shown.protocol, shown.codec, shown.state) == ("classic", "superjson", "idle")
            assert shown.url.endswith("/rpc")

    run(main)
