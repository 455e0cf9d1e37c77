"""Vovk's streaming guide, the side that calls: block by block, against a server of the guide's age.

The server is raw: it sends what a real one of 0.1.7 does, one HTTP chunk for each token, 300 ms
apart, and breaks the connection off after an error.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from support.servers.http_servers import listening
from support.vovk.servers import LAST_CHUNK, Peer, bounded, chunk

import kkjupyter as kk
from kkjupyter import vovk
from kkjupyter.vovk.client.fetchers import Fetch

TOKENS = [{"message": "Hello,"}, {"message": " World"}, {"message": "!"}]
APART_S = 0.3
HEAD = (
    b"HTTP/1.1 200 OK\r\ncache-control: no-cache, no-transform\r\nconnection: keep-alive\r\n"
    b"content-encoding: none\r\ncontent-type: text/event-stream\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n"
)
# `import metadata from '../vovk-metadata.json'`; the guide's controller has this controllerName.
METADATA = {
    "StreamingController": {
        "controllerName": "StreamingController",
        "_prefix": "",
        "_handlers": {
            "streamTokens": {"path": "streaming-controller/stream-tokens", "httpMethod": "POST"}
        },
    },
    "workers": {},
}


def message(value: Any) -> bytes:
    return chunk(json.dumps(value, separators=(",", ":")).encode() + b"__##DIV123##__")


async def stream_tokens(peer: Peer, writer: asyncio.StreamWriter) -> None:
    writer.write(HEAD)
    for token in TOKENS:
        await asyncio.sleep(APART_S)
        writer.write(message(token))
    writer.write(LAST_CHUNK)


async def throw(peer: Peer, writer: asyncio.StreamWriter) -> None:
    writer.write(HEAD + message(TOKENS[0]))
    writer.write(message({"isError": True, "reason": {"hello": "World"}}))
    await writer.drain()
    writer.close()


def with_controller(
    peer: Peer, test: Callable[[Any], Any], *, seconds: float = 20, **options: Any
) -> None:
    async def main() -> None:
        async with listening(peer) as url:
            metadata = METADATA
            controller = vovk.clientize(
                metadata["StreamingController"], api_root=f"{url}/api", **options
            )
            try:
                await test(controller)
            finally:
                await asyncio.to_thread(kk.close, controller)

    bounded(main, seconds)


def test_log_tokens(capsys: pytest.CaptureFixture[str]) -> None:
    """``logTokens``, with ``await`` and ``async`` where Python has them."""

    async def log_tokens(controller: Any) -> None:
        resp = await controller.streamTokens(
            body={"hello": "world"},
            isStream=True,  # !
        )

        async for token in resp:
            print(token)

    peer = Peer(stream_tokens)
    with_controller(peer, log_tokens)
    assert capsys.readouterr().out == "".join(f"{token}\n" for token in TOKENS)
    assert peer.heads[0].startswith("POST /api/streaming-controller/stream-tokens HTTP/1.1\r\n")
    assert json.loads(peer.bodies[0]) == {"hello": "world"}


def test_tokens_arrive_300_ms_apart() -> None:
    async def test(controller: Any) -> None:
        started_s = time.monotonic()
        resp = await controller.streamTokens(body={"hello": "world"}, isStream=True)
        assert time.monotonic() - started_s < APART_S, "the response is there before a token is"
        arrived_s = [time.monotonic() async for _ in resp]
        gaps_s = [b - a for a, b in itertools.pairwise([started_s, *arrived_s])]
        assert all(gap_s > APART_S / 2 for gap_s in gaps_s)

    with_controller(Peer(stream_tokens), test)


def test_the_thrown_object_is_raised_again(capsys: pytest.CaptureFixture[str]) -> None:
    """``throw { hello: 'World' }``; "casted to the client-side as-is and re-thrown there"."""

    async def log_tokens(controller: Any) -> None:
        resp = await controller.streamTokens(
            isStream=True,
        )

        try:
            async for token in resp:
                print(token)
        except kk.RemoteThrow as e:
            print(e.value)  # { hello: 'World' }

    with_controller(Peer(throw), log_tokens)
    assert capsys.readouterr().out == f"{TOKENS[0]}\n{{'hello': 'World'}}\n"


def test_a_custom_stream_fetcher() -> None:
    """``streamFetcher: myCustomStreamFetcher``."""
    counted = 0

    async def my_custom_stream_fetcher(request: Fetch) -> AsyncIterator[Any]:
        nonlocal counted
        headers = {**request.headers, "X-Counted": "yes"}
        async for token in vovk.default_stream_fetcher(request.replace(headers=headers)):
            counted += 1
            yield token

    async def test(controller: Any) -> None:
        resp = await controller.streamTokens(body={"hello": "world"}, isStream=True)
        assert [token async for token in resp] == TOKENS

    peer = Peer(stream_tokens)
    with_controller(peer, test, stream_fetcher=my_custom_stream_fetcher)
    assert counted == 3
    assert "X-Counted: yes\r\n" in peer.heads[0]


def test_the_same_with_a_whole_schema() -> None:
    async def main() -> None:
        async with listening(Peer(stream_tokens)) as url:
            api = await kk.aconnect(f"{url}/api", schema=METADATA)
            tokens = [
                token async for token in api.StreamingController.stream_tokens(body={"hello": 1})
            ]
            assert tokens == TOKENS
            await asyncio.to_thread(kk.close, api)

    bounded(main)
