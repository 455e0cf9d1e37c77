"""Calls of Vovk handlers, our client against raw servers: what a call promises."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import re
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from support.servers.http_servers import listening, never, read_request, reply
from support.vovk.servers import (
    LAST_CHUNK,
    Peer,
    bounded,
    chunk,
    connected,
    head,
    lines,
    until_it_fails,
)
from support.waiting import PATIENCE_S, auntil, until

import kkjupyter as kk
from kkjupyter.calls.buffer import SOFT_LIMIT_BYTES
from kkjupyter.transports.http.client import HttpReply
from kkjupyter.vovk.client import exchange

TOKENS = [{"message": "Hello,"}, {"message": " World"}, {"message": "!"}]
SAID = lines(*map(json.dumps, TOKENS))
ONE_TOKEN = head() + lines('{"message":"Hello,"}')


async def forever(peer: Peer, writer: asyncio.StreamWriter) -> None:
    """One token, and then silence."""
    writer.write(ONE_TOKEN)
    await asyncio.Event().wait()


# ---- what comes


def test_the_response_of_the_guide() -> None:
    async def main() -> None:
        async with connected(Peer([head() + SAID + LAST_CHUNK])) as api:
            resp = await api.HelloRPC.streamTokens(body={"hello": "world"}, isStream=True)
            assert resp.status == 200
            assert [token async for token in resp] == TOKENS
            assert resp.state == "done"

    bounded(main)


def test_every_way_to_read() -> None:
    async def main() -> None:
        async with connected(Peer([head() + SAID + LAST_CHUNK])) as api:
            stream_tokens = api.hello_rpc.stream_tokens
            assert [token async for token in stream_tokens()] == TOKENS
            assert [token async for token in await stream_tokens()] == TOKENS
            assert await asyncio.to_thread(lambda: list(stream_tokens())) == TOKENS
            assert await asyncio.to_thread(lambda: stream_tokens().result()) == TOKENS
            [status] = kk.status().connections
            assert (status.protocol, status.codec, status.state) == ("vovk", "jsonlines", "idle")

    bounded(main)


def test_tokens_come_one_by_one() -> None:
    async def main() -> None:
        go = asyncio.Event()

        async def answer(peer: Peer, writer: asyncio.StreamWriter) -> None:
            writer.write(head())
            for token in TOKENS:
                await go.wait()
                go.clear()
                writer.write(lines(json.dumps(token)))
            writer.write(LAST_CHUNK)

        async with connected(Peer(answer)) as api:
            stream = aiter(await api.HelloRPC.streamTokens())  # open before the first item
            for token in TOKENS:
                go.set()  # the server sends it only now
                assert await anext(stream) == token

    bounded(main)


@pytest.mark.parametrize(
    ("answer", "value"),
    [
        (reply(b'{"a":[1,null]}', content_type="application/json"), {"a": [1, None]}),
        (reply(b"null", content_type="application/json; charset=utf-8"), None),
        (reply("é\u2028".encode(), content_type="text/csv; charset=utf-8"), "é\u2028"),
        (reply(b"\x00\xff", content_type="application/octet-stream"), b"\x00\xff"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", None),
    ],
    ids=["json", "null", "text", "bytes", "empty"],
)
def test_unary_results(answer: bytes, value: Any) -> None:
    async def main() -> None:
        async with connected(Peer([answer])) as api:
            call = api.HelloRPC.getGreeting(params={"id": 1})
            assert await call == value
            assert call.status in (200, 204)
            one = api.HelloRPC.getGreeting(params={"id": 1}, isStream=True)
            items = [item async for item in one]
            assert items == ([] if call.status == 204 else [value])

    bounded(main)


def test_items_cut_anywhere_and_of_every_kind() -> None:
    items = [0, "", False, None, [], {}, "€😀\u2028", {"isError": False, "reason": 1}]
    body = "\n".join(json.dumps(item, ensure_ascii=False) for item in items).encode()

    async def answer(peer: Peer, writer: asyncio.StreamWriter) -> None:
        writer.write(head())
        for at in range(len(body)):
            writer.write(chunk(body[at : at + 1]))
            await writer.drain()
            if not at % 7:
                await asyncio.sleep(0)
        writer.write(LAST_CHUNK)

    async def main() -> None:
        async with connected(Peer(answer)) as api:
            assert [item async for item in api.HelloRPC.streamTokens()] == items

    bounded(main)


def test_a_large_item_and_a_long_stream() -> None:
    large = "é" * 3_000_000
    many = b"".join(chunk(b'{"i":%d}\n' % i) for i in range(100_000))

    async def main() -> None:
        peer = Peer([head(), lines(json.dumps(large)), many, LAST_CHUNK])
        async with connected(peer) as api:
            first, *rest = [item async for item in api.HelloRPC.streamTokens()]
            assert first == large
            assert [item["i"] for item in rest] == list(range(100_000))

    bounded(main)


# ---- failing


def test_a_thrown_object_comes_as_it_is_after_what_was_sent_before() -> None:
    async def main() -> None:
        failed = head() + SAID + lines('{"isError":true,"reason":{"hello":"World"}}')
        async with connected(Peer([failed])) as api:  # the connection stays open
            tokens, error = await until_it_fails(api.HelloRPC.streamTokens(isStream=True))
            assert tokens == TOKENS
            assert isinstance(error, kk.RemoteThrow)
            assert error.value == {"hello": "World"}
            assert str(error) == '{"hello":"World"}'
            assert error.method == "HelloRPC.streamTokens"

    bounded(main)


def test_an_exception_before_the_stream_is_raised_by_the_await() -> None:
    body = b'{"cause":{"why":"guard"},"statusCode":403,"message":"not allowed","isError":true}'

    async def main() -> None:
        answer = reply(body, "403 Forbidden", content_type="application/json")
        async with connected(Peer([answer])) as api:
            call = api.HelloRPC.streamTokens(isStream=True)
            with pytest.raises(kk.RemoteError, match="HTTP 403: not allowed") as caught:
                await call
            assert (caught.value.status, caught.value.message) == (403, "not allowed")
            assert caught.value.cause == {"why": "guard"}
            assert call.status == 403

    bounded(main)


@pytest.mark.parametrize("is_stream", [False, True])
def test_a_page_of_a_gateway_is_no_result(is_stream: bool) -> None:
    page = b"<html><head><title>Bad</title></head><body><h1>502 Bad Gateway</h1>" + b" x" * 99_999

    async def main() -> None:
        answer = reply(page, "502 Bad Gateway", content_type="text/html")
        async with connected(Peer([answer])) as api:
            with pytest.raises(kk.RemoteError, match="HTTP 502: Bad Gateway") as caught:
                await api.HelloRPC.streamTokens(isStream=is_stream)
            assert caught.value.status == 502

    bounded(main)


def test_the_excerpt_of_a_page() -> None:
    async def main() -> None:
        answer = reply(b"<h1>Upstream is <b>down</b></h1>", "502 No", content_type="text/html")
        async with connected(Peer([answer])) as api:
            with pytest.raises(kk.RemoteError, match="Upstream is down"):
                await api.HelloRPC.streamTokens()

    bounded(main)


def test_a_redirect_is_not_followed() -> None:
    async def main() -> None:
        answer = reply(b"", "308 Permanent Redirect", location="/elsewhere")
        async with connected(Peer([answer])) as api:
            with pytest.raises(kk.RemoteError, match="the server redirects to /elsewhere"):
                await api.HelloRPC.streamTokens()

    bounded(main)


@pytest.mark.parametrize("consumer", ["at once", "late"])
def test_a_server_that_dies_in_the_middle(consumer: str) -> None:
    async def dying(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while "HEAD" in (await read_request(reader))[0]:
            writer.write(reply(b""))
        writer.write(head() + SAID)
        await writer.drain()

    async def main() -> None:
        async with connected(dying) as api:
            call = await api.HelloRPC.streamTokens()
            if consumer == "late":
                await auntil(lambda: call.state == "failed")
            tokens, error = await until_it_fails(call)
            assert tokens == TOKENS
            assert isinstance(error, kk.ConnectionLost)
            assert error.items_received == 3
            assert "after 3 items" in str(error)

    bounded(main)


@pytest.mark.parametrize(
    ("tail", "text"),
    [
        (lines("{oops") + LAST_CHUNK, "malformed JSON .*: {oops"),
        (chunk(b'{"mess') + LAST_CHUNK, 'ended within a value: {"mess'),
    ],
)
def test_a_broken_line_is_never_silent(tail: bytes, text: str) -> None:
    async def main() -> None:
        async with connected(Peer([head() + SAID + tail])) as api:
            tokens, error = await until_it_fails(api.HelloRPC.streamTokens())
            assert tokens == TOKENS
            assert isinstance(error, kk.ProtocolError)
            assert re.search(text, str(error))

    bounded(main)


def test_nobody_is_there() -> None:
    with pytest.raises(kk.ConnectError, match="connection refused"):
        kk.connect("http://127.0.0.1:9/api", schema={"controllers": {}})
    assert kk.status().connections == ()


def test_a_server_that_has_gone_and_comes_back() -> None:
    async def main() -> None:
        async with listening(Peer([reply(b"1", content_type="application/json")])) as url:
            api = await kk.aconnect(f"{url}/api", schema=_get_schema())
            assert await api.A.get() == 1
        with pytest.raises((kk.ConnectError, kk.ConnectionLost)):
            await api.A.get()
        [status] = kk.status().connections
        assert status.state.startswith("last call failed: ")
        assert status.state.endswith("; the next call connects again")
        await asyncio.to_thread(kk.close, api)

    bounded(main)


def _get_schema() -> Any:
    return {"controllers": {"A": {"handlers": {"get": {"path": "x", "httpMethod": "GET"}}}}}


@pytest.mark.parametrize("ending", ["cut", "clean"])
def test_an_error_behind_a_full_buffer(ending: str) -> None:
    """Reading has stopped when the server breaks off: what it sent before is not lost."""
    count = 200_000  # far over what is held

    async def main() -> None:
        ended = asyncio.Event()

        async def failing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while "HEAD" in (await read_request(reader))[0]:
                writer.write(reply(b""))
            writer.write(head())
            for start in range(0, count, 1000):
                rows = b"".join(b"[%d]\n" % i for i in range(start, start + 1000))
                writer.write(chunk(rows))
                if kk.status().calls[0].items > 30_000:
                    await asyncio.sleep(0.01)  # so that it stops just before the end
                if kk.status().calls[0].items > 33_000:
                    break
                await writer.drain()
            writer.write(chunk(b"[-1]\n" + b'{"isError":true,"reason":[1]}\n'))
            writer.write(LAST_CHUNK if ending == "clean" else b"")
            await writer.drain()
            writer.close()
            ended.set()

        async with connected(failing) as api:
            call = await api.HelloRPC.streamTokens()
            await ended.wait()
            await asyncio.sleep(0.1)  # its end is here, too
            assert call.state == "streaming"
            items, error = await until_it_fails(call)
            assert items[-1] == [-1]
            assert items[:-1] == [[i] for i in range(len(items) - 1)]
            assert isinstance(error, kk.RemoteThrow)
            assert error.value == [1]

    bounded(main)


# ---- ending


@pytest.mark.parametrize("how", ["break", "cancel", "with", "collected", "task", "close", "error"])
def test_the_request_is_broken_off_at_once(how: str) -> None:
    async def main() -> None:
        peer = Peer(forever)
        async with connected(peer) as api:
            call = await api.HelloRPC.streamTokens()
            if how == "break":
                async for _ in call:
                    break
            elif how == "cancel":
                call.cancel()
            elif how == "with":
                with call:
                    pass
            elif how == "collected":
                logging.getLogger("kkjupyter").disabled = True  # it warns: dropped unread
                del call
                gc.collect()
            elif how == "task":
                task = asyncio.create_task(_read(call))
                await auntil(lambda: kk.status().calls[0].items == 1)
                await asyncio.sleep(0)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
            elif how == "close":
                await asyncio.to_thread(kk.close, api)
            else:
                with pytest.raises(ZeroDivisionError):
                    await _divide(call)
            await asyncio.wait_for(peer.closed.wait(), PATIENCE_S)
            logging.getLogger("kkjupyter").disabled = False
            if how != "collected":
                with pytest.raises((kk.CallCancelled, kk.UsageError)):
                    async for _ in call:
                        pass

    bounded(main)


async def _divide(call: Any) -> None:
    async for _ in call:
        1 / 0  # noqa: B018


async def _read(call: Any) -> list[Any]:
    return [item async for item in call]


def test_a_call_cancelled_before_its_answer() -> None:
    async def silent(peer: Peer, writer: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    async def main() -> None:
        peer = Peer(silent)
        async with connected(peer) as api:
            early = api.HelloRPC.streamTokens()
            early.cancel()  # as a rule before it has even left
            with pytest.raises(kk.CallCancelled):
                await early
            left = len(peer.heads)
            peer.closed.clear()
            call = api.HelloRPC.streamTokens()
            await auntil(lambda: len(peer.heads) > left)
            call.cancel()
            await asyncio.wait_for(peer.closed.wait(), PATIENCE_S)
            with pytest.raises(kk.CallCancelled):
                await call

    bounded(main)


def test_a_connection_is_kept_after_an_end_and_not_after_a_break() -> None:
    async def main() -> None:
        peer = Peer([head() + SAID + LAST_CHUNK])
        async with connected(peer) as api:
            for _ in range(3):
                assert len([token async for token in api.HelloRPC.streamTokens()]) == 3
            assert peer.connections == 1
        peer = Peer(forever)
        async with connected(peer) as api:
            for number in range(1, 4):
                async for _ in api.HelloRPC.streamTokens():
                    break
                assert peer.connections == number

    bounded(main)


def test_the_button_ends_a_plain_loop_in_another_thread() -> None:
    async def main() -> None:
        peer = Peer(forever)
        async with connected(peer) as api:
            call = api.HelloRPC.streamTokens()
            ended: list[BaseException] = []

            def loop() -> None:
                try:
                    for _ in call:
                        pass
                except kk.CallCancelled as error:
                    ended.append(error)

            thread = threading.Thread(target=loop)
            thread.start()
            await auntil(lambda: call._state.buffer.taken_items == 1)
            call.cancel()
            await asyncio.wait_for(peer.closed.wait(), PATIENCE_S)
            await asyncio.to_thread(thread.join, 1)
            assert "after 1 item" in str(ended[0])

    bounded(main)


# ---- time limits


def test_no_answer_in_time() -> None:
    async def silent(peer: Peer, writer: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    async def main() -> None:
        peer = Peer(silent)
        async with connected(peer, timeout_s=0.1) as api:
            with pytest.raises(kk.CallTimeout, match=r"streamTokens: no reply within 0\.1 s"):
                await api.HelloRPC.streamTokens()
            await asyncio.wait_for(peer.closed.wait(), PATIENCE_S)
            with pytest.raises(kk.CallTimeout, match=r"0\.05 s"):
                await kk.call(api.HelloRPC.streamTokens, timeout_s=0.05)

    bounded(main)


def test_no_next_item_in_time() -> None:
    async def main() -> None:
        peer = Peer(forever)
        async with connected(peer, idle_timeout_s=0.1) as api:
            tokens, error = await until_it_fails(api.HelloRPC.streamTokens())
            assert tokens == TOKENS[:1]
            assert isinstance(error, kk.CallTimeout)
            assert "no next item within 0.1 s" in str(error)
            await asyncio.wait_for(peer.closed.wait(), PATIENCE_S)

    bounded(main)


# ---- many, and much


def test_many_streams_at_once() -> None:
    async def main() -> None:
        running: set[int] = set()
        together = asyncio.Event()

        async def answer(peer: Peer, writer: asyncio.StreamWriter) -> None:
            running.add(id(writer))
            writer.write(ONE_TOKEN)
            if len(running) == 100:
                together.set()
            await together.wait()
            writer.write(SAID + LAST_CHUNK)

        async with connected(Peer(answer)) as api:
            calls = [api.HelloRPC.streamTokens(query={"n": n}) for n in range(100)]
            for items in await asyncio.gather(*map(_read, calls)):
                assert items == [TOKENS[0], *TOKENS]
            assert kk.status().calls == ()

    bounded(main)


@pytest.mark.parametrize("size_bytes", [20, 5_000])
def test_a_consumer_that_stops_reading_stops_the_server(size_bytes: int) -> None:
    """What is held here stays below a few MB, whatever the server has; nothing is lost by it."""
    total = 60_000_000 // size_bytes
    many = 1_000_000 // size_bytes
    text = "x" * (size_bytes - 10)

    async def main() -> None:
        sent = [0]
        idle = asyncio.Event()

        async def answer(peer: Peer, writer: asyncio.StreamWriter) -> None:
            writer.write(head())
            for start in range(0, total, many):
                rows = (b'[%d,"%s"]\n' % (i, text.encode()) for i in range(start, start + many))
                writer.write(chunk(b"".join(rows)))
                await writer.drain()
                sent[0] += many * size_bytes
                idle.set()
            writer.write(LAST_CHUNK)

        async with connected(Peer(answer)) as api:
            stream = aiter(await api.HelloRPC.streamTokens())
            first = await anext(stream)
            while True:  # until the server stands still
                idle.clear()
                try:
                    await asyncio.wait_for(idle.wait(), 0.3)
                except TimeoutError:
                    break
            # The kernel's socket buffers hold some MB besides.
            assert sent[0] < 30_000_000
            [call] = kk.status().calls
            held_bytes = call.items * size_bytes
            assert held_bytes < 4 * SOFT_LIMIT_BYTES
            if size_bytes > 1_000:
                numbers = [first[0], *[item[0] async for item in stream]]
                assert numbers == list(range(total // many * many))

    bounded(main, 50)


def test_a_slow_reader_gets_everything_and_stays_awake() -> None:
    count = 200_000
    many = b"".join(b'{"i":%d}\n' % i for i in range(count))

    async def main() -> None:
        pieces = [chunk(many[at : at + 50_000]) for at in range(0, len(many), 50_000)]
        async with connected(Peer([head(), *pieces, LAST_CHUNK])) as api:
            seen = []
            async for item in api.HelloRPC.streamTokens():
                seen.append(item["i"])
                if not len(seen) % 20_000:
                    await asyncio.sleep(0.005)
            assert seen == list(range(count))

    bounded(main)


@pytest.mark.parametrize("cuts", [False, True])
def test_a_busy_stream_of_tokens_is_read_at_intervals(
    monkeypatch: pytest.MonkeyPatch, cuts: bool
) -> None:
    """Nothing of it is lost by that, nor its end."""
    rests: list[float] = []
    monkeypatch.setattr(exchange, "_QUICK_S", 60.0)  # however slow this machine is
    monkeypatch.setattr(HttpReply, "pause_reading", _noting(rests, HttpReply.pause_reading))
    count = 30

    async def main() -> None:
        go = asyncio.Event()

        async def answer(peer: Peer, writer: asyncio.StreamWriter) -> None:
            writer.write(head())
            for number in range(count):
                await go.wait()
                go.clear()
                writer.write(lines(str(number)))
            if cuts:
                writer.close()
            else:
                writer.write(LAST_CHUNK)

        async with connected(Peer(answer)) as api:
            go.set()
            seen = []
            stream = aiter(await api.HelloRPC.streamTokens())
            for _ in range(count):
                seen.append(await anext(stream))
                go.set()  # so each comes in a piece of its own
            assert seen == list(range(count))
            with pytest.raises(kk.ConnectionLost if cuts else StopAsyncIteration):
                await anext(stream)
            assert 10 < len(rests) < count
            assert rests[-1] - rests[0] > (len(rests) - 1) * exchange.REST_S

    bounded(main)


def _noting(times_s: list[float], method: Callable[[Any], None]) -> Callable[[Any], None]:
    def noted(self: Any) -> None:
        times_s.append(time.monotonic())
        method(self)

    return noted


def test_what_is_open_is_shown() -> None:
    async def main() -> None:
        async with connected(Peer(forever), headers={"X-Key": "s3cr3t"}) as api:
            call = await api.HelloRPC.streamTokens(
                body={"a": 1}, headers={"Authorization": "Bearer s3cr3t"}, isStream=True
            )
            [shown] = kk.status().calls
            assert kk.status().connections[0].state == "open"
            assert shown.title == "HelloRPC.streamTokens(body={'a': 1}, isStream=True)"
            assert "s3cr3t" not in repr(kk.status()) + repr(call) + repr(api)
            call.cancel()
            await auntil(lambda: not kk.status().calls)

    bounded(main)


def test_a_connection_nobody_holds_is_closed() -> None:
    async def main() -> None:
        peer = Peer([head() + SAID + LAST_CHUNK])
        async with listening(peer) as url:
            api = await kk.aconnect(f"{url}/api", schema=_get_schema())
            assert len([item async for item in api.A.get()]) == 3
            del api
            gc.collect()
            await asyncio.wait_for(peer.closed.wait(), PATIENCE_S)
        assert kk.status().connections == ()

    bounded(main)


def test_a_silent_server_is_there_all_the_same() -> None:
    async def main() -> None:
        async with connected(never) as api:
            assert kk.status().connections[0].state == "idle"
            assert "HelloRPC" in dir(api)

    bounded(main)


def test_calls_after_the_end() -> None:
    async def main() -> None:
        async with connected(Peer(forever)) as api:
            await asyncio.to_thread(kk.close, api)
            with pytest.raises(kk.UsageError, match=r"is closed; connect again"):
                api.HelloRPC.streamTokens()

    bounded(main)
    until(lambda: not kk.status().connections)
