"""Fetchers: which one carries out a call, what it gets, and what it may return."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from support.servers.http_servers import listening, reply
from support.vovk.servers import (
    HELLO,
    LAST_CHUNK,
    Peer,
    bounded,
    chunk,
    connected,
    head,
    lines,
    until_it_fails,
)
from support.waiting import PATIENCE_S, auntil

import kkjupyter as kk
from kkjupyter import vovk
from kkjupyter.api import clientize
from kkjupyter.vovk.client.fetchers import Fetch

STREAM = [head() + lines("1", "2", "3") + LAST_CHUNK]
VALUE = [reply(b'{"a":1}', content_type="application/json")]


class Chosen:
    """Two fetchers that note which was asked."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, Fetch]] = []

    def fetcher(self, request: Fetch) -> Any:
        self.requests.append(("fetcher", request))
        return vovk.default_fetcher(request)

    def stream_fetcher(self, request: Fetch) -> Any:
        self.requests.append(("stream_fetcher", request))
        return vovk.default_stream_fetcher(request)

    @property
    def options(self) -> dict[str, Any]:
        return {"fetcher": self.fetcher, "stream_fetcher": self.stream_fetcher}


@pytest.mark.parametrize(
    ("method", "given", "chosen"),
    [
        ("streamTokens", {}, "fetcher"),
        ("streamTokens", {"isStream": True}, "stream_fetcher"),
        ("streamTokens", {"is_stream": True}, "stream_fetcher"),
        ("streamTokens", {"isStream": False}, "fetcher"),
        ("checked", {"body": {"to": 1}}, "stream_fetcher"),  # the schema has validation.iteration
        ("checked", {"body": {"to": 1}, "isStream": False}, "fetcher"),
    ],
)
def test_which_one_is_asked(method: str, given: dict[str, Any], chosen: str) -> None:
    async def main() -> None:
        noted = Chosen()
        async with connected(Peer(STREAM), **noted.options) as api:
            call = await api.HelloRPC[method](**given)  # the content type decides for both
            assert [item async for item in call] == [1, 2, 3]
        [(name, request)] = noted.requests
        assert name == chosen
        assert request.is_stream is (chosen == "stream_fetcher")

    bounded(main)


def test_what_a_fetcher_gets() -> None:
    noted: list[Fetch] = []

    def fetcher(request: Fetch) -> str:
        noted.append(request)
        return "mine"

    async def main() -> None:
        peer = Peer(VALUE)
        defaults = {"headers": {"X-A": "1"}}
        async with connected(peer, fetcher=fetcher, default_options=defaults) as api:
            value = await api.HelloRPC.getGreeting(params={"id": "a b"}, query={"q": [1]})
            assert value == "mine"
            assert peer.heads == []
            request = noted[0]
            assert (request.name, request.http_method) == ("getGreeting", "GET")
            assert request.api_root.endswith("/api")
            assert (request.body, request.is_stream) == (None, False)
            assert (request.params, request.query) == ({"id": "a b"}, {"q": [1]})
            assert request.headers == {"X-A": "1"}
            assert request.get_path() == "hello/greeting/a%20b?q[0]=1"
            assert request.get_path({"id": 7}, {}) == "hello/greeting/7"
            with pytest.raises(kk.ValidationError, match=r"params\.id: is missing"):
                request.get_path({})
            # Nothing was checked: that is the fetcher's, as it is in the real client.
            await api.HelloRPC.checked(body={"to": "x"}, isStream=False)
            with pytest.raises(kk.ValidationError, match=r"body\.to"):
                noted[1].validate()
            noted[1].validate(body={"to": 3})
            await api.HelloRPC.checked(body={"to": "x"}, isStream=False, validate=False)
            noted[2].validate()
            assert "caller" not in repr(request)

    bounded(main)


def test_a_header_is_added_and_tokens_are_counted() -> None:
    counted: list[int] = []

    async def counting(request: Fetch) -> AsyncIterator[Any]:
        headers = {**request.headers, "X-Trace": "7"}
        async for token in vovk.default_stream_fetcher(request.replace(headers=headers)):
            counted.append(token)
            yield token

    async def main() -> None:
        peer = Peer(STREAM)
        async with connected(peer, stream_fetcher=counting) as api:
            resp = await api.HelloRPC.streamTokens(isStream=True)
            assert [token async for token in resp] == [1, 2, 3]
            assert counted == [1, 2, 3]
            assert resp.status == 200
            assert resp.title == "HelloRPC.streamTokens(isStream=True)"
            assert await asyncio.to_thread(
                lambda: api.HelloRPC.streamTokens(isStream=True).result()
            ) == [1, 2, 3]
        assert "X-Trace: 7\r\n" in peer.heads[0]

    bounded(main)


def test_what_a_fetcher_may_return() -> None:
    async def main() -> None:
        async def coroutine(request: Fetch) -> Any:
            return {"wrapped": await vovk.default_fetcher(request)}

        async def a_call(request: Fetch) -> Any:
            return vovk.default_fetcher(request)

        def generator(request: Fetch) -> Iterator[Any]:
            yield from [1, 2]

        async with connected(Peer(VALUE), fetcher=coroutine) as api:
            assert await api.HelloRPC.streamTokens() == {"wrapped": {"a": 1}}
        async with connected(Peer(VALUE), fetcher=a_call) as api:
            assert await api.HelloRPC.streamTokens() == {"a": 1}
        async with connected(Peer(STREAM), fetcher=a_call) as api:
            call = api.HelloRPC.streamTokens()
            assert [item async for item in call] == [1, 2, 3]
        async with connected(Peer(VALUE), fetcher=generator) as api:
            assert [item async for item in api.HelloRPC.streamTokens()] == [1, 2]
        async with connected(Peer(VALUE), fetcher=lambda request: [1, 2]) as api:
            assert await api.HelloRPC.streamTokens() == [1, 2]

    bounded(main)


def test_what_a_fetcher_raises() -> None:
    async def main() -> None:
        def at_once(request: Fetch) -> Any:
            raise LookupError("mine")

        async def later(request: Fetch) -> Any:
            raise LookupError("mine")

        async def in_the_middle(request: Fetch) -> AsyncIterator[Any]:
            yield 1
            raise LookupError("mine")

        async with connected(Peer(VALUE), fetcher=at_once) as api:
            with pytest.raises(LookupError):
                api.HelloRPC.streamTokens()
        async with connected(Peer(VALUE), fetcher=later) as api:
            with pytest.raises(LookupError):
                await api.HelloRPC.streamTokens()
        async with connected(Peer(VALUE), fetcher=in_the_middle) as api:
            items, error = await until_it_fails(api.HelloRPC.streamTokens())
            assert items == [1]
            assert isinstance(error, LookupError)
        body = b'{"statusCode":403,"message":"no","isError":true}'
        refused = [reply(body, "403 No", content_type="application/json")]

        async def through(request: Fetch) -> Any:
            return await vovk.default_fetcher(request)

        async with connected(Peer(refused), fetcher=through) as api:
            call = api.HelloRPC.streamTokens()
            with pytest.raises(kk.RemoteError, match="HTTP 403: no"):
                await call
            assert call.status == 403

    bounded(main)


def generator_of(kind: str, ended: list[str]) -> Any:
    def plain(request: Fetch) -> Iterator[Any]:
        try:
            yield from vovk.default_stream_fetcher(request)
        finally:
            ended.append(kind)

    async def asynchronous(request: Fetch) -> AsyncIterator[Any]:
        try:
            async for item in vovk.default_stream_fetcher(request):
                yield item
        finally:
            ended.append(kind)

    return plain if kind == "plain" else asynchronous


@pytest.mark.parametrize("kind", ["plain", "async"])
@pytest.mark.parametrize("how", ["break", "cancel", "close"])
def test_the_request_of_a_wrapped_fetcher_is_broken_off_at_once(kind: str, how: str) -> None:
    async def forever(peer: Peer, writer: asyncio.StreamWriter) -> None:
        writer.write(head() + lines("1"))
        await asyncio.Event().wait()

    async def main() -> None:
        ended: list[str] = []
        peer = Peer(forever)
        async with connected(peer, stream_fetcher=generator_of(kind, ended)) as api:
            call = await api.HelloRPC.streamTokens(isStream=True)
            stream = aiter(call)
            assert await anext(stream) == 1
            if how == "break":
                del stream
            elif how == "cancel":
                call.cancel()
            else:
                await asyncio.to_thread(kk.close, api)
            await asyncio.wait_for(peer.closed.wait(), PATIENCE_S)
            await auntil(lambda: ended == [kind])

    bounded(main)


def test_a_slow_consumer_stops_a_wrapped_fetcher() -> None:
    made = [0]
    ended: list[int] = []

    async def endless(request: Fetch) -> AsyncIterator[int]:
        try:
            while True:
                made[0] += 1
                yield made[0]
        finally:
            ended.append(made[0])

    async def main() -> None:
        async with connected(Peer(VALUE), fetcher=endless) as api:
            stream = aiter(api.HelloRPC.streamTokens())
            assert await anext(stream) == 1
            await asyncio.sleep(0.1)
            before = made[0]
            assert before < 10_000
            for _ in range(before + 1000):
                await anext(stream)
            assert made[0] > before
        await auntil(lambda: ended)
        assert ended[0] < before + 20_000

    bounded(main)


def test_no_time_limit_is_lost_in_a_fetcher_of_ones_own() -> None:
    async def never(request: Fetch) -> Any:
        await asyncio.Event().wait()

    async def main() -> None:
        async with connected(Peer(VALUE), fetcher=never) as api:
            with pytest.raises(kk.CallTimeout, match=r"no reply within 0\.05 s"):
                await kk.call(api.HelloRPC.streamTokens, timeout_s=0.05)

    bounded(main)


# ---- clientize


def test_one_controller_of_the_old_schema() -> None:
    metadata = {
        "HelloController": {
            "controllerName": "HelloController",
            "_prefix": "hello",
            "_handlers": {"streamTokens": {"path": "stream-tokens", "httpMethod": "POST"}},
        }
    }
    divider = b"__##DIV123##__"
    body = b"".join(json.dumps(i).encode() + divider for i in range(3))

    async def main() -> None:
        peer = Peer([head(content_type="text/event-stream") + chunk(body) + LAST_CHUNK])
        async with listening(peer) as url:
            controller = vovk.clientize(
                metadata["HelloController"], api_root=f"{url}/api", default_options={"body": 1}
            )
            assert peer.connections == 0
            assert dir(controller) == ["streamTokens", "stream_tokens"]
            resp = await controller.streamTokens(isStream=True)
            assert [item async for item in resp] == [0, 1, 2]
            assert peer.heads[0].startswith("POST /api/hello/stream-tokens HTTP")
            assert peer.bodies == [b"1"]
            await asyncio.to_thread(kk.close, controller)

    bounded(main)


@pytest.mark.parametrize("validate", [True, False])
def test_what_checks_is_loaded_meanwhile(validate: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its import may take seconds: it is begun before the first call, and holds nothing up."""
    loading, may_end = threading.Event(), threading.Event()

    def load() -> None:
        loading.set()
        may_end.wait(10)

    monkeypatch.setattr(clientize, "load_library", load)
    one = HELLO["controllers"]["HelloRPC"]
    controller = vovk.clientize(one, api_root="http://127.0.0.1:9/api", validate=validate)
    try:
        assert loading.wait(10 if validate else 0.05) == validate
    finally:
        may_end.set()
        kk.close(controller)


def test_what_is_no_controller() -> None:
    with pytest.raises(kk.UsageError, match="has neither handlers nor _handlers"):
        vovk.clientize({"a": 1}, api_root="http://127.0.0.1:9/api")
    with pytest.raises(kk.UsageError, match="clientize takes the JSON of one controller"):
        vovk.clientize("HelloController", api_root="http://127.0.0.1:9/api")  # type: ignore[arg-type]
    one = HELLO["controllers"]["HelloRPC"]
    with pytest.raises(kk.UsageError, match="is not an HTTP address"):
        vovk.clientize(one, api_root="/api")
    with pytest.raises(kk.UsageError, match=r"schema= is for kk\.connect"):
        vovk.clientize(one, api_root="http://127.0.0.1:9/api", schema=HELLO)
