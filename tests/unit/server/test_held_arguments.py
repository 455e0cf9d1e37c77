"""What a call was given is let go of with its answer, not when the garbage collector comes.

It can be tens of megabytes, and of what the collector has yet to find no limit knows.
"""

from __future__ import annotations

import gc
import http.client
import json
import logging
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from support.peers.raw import raw_client
from support.waiting import PATIENCE_S, until

import kkjupyter as kk
from kkjupyter import vovk

MARK = "what is looked for"
PADDING = "x" * 20_000  # so that it is decoded in a thread


class Api:
    async def take(self, value: Any) -> int:
        return 1

    def take_in_a_thread(self, value: Any) -> int:
        return 1

    async def fails(self, value: Any) -> None:
        raise ValueError("no")

    def fails_in_a_thread(self, value: Any) -> None:
        raise ValueError("no")

    async def stream(self, value: Any) -> AsyncIterator[int]:
        yield 1

    def stream_in_a_thread(self, value: Any) -> Iterator[int]:
        yield 1


class Takes(vovk.Controller, prefix="takes"):
    @vovk.post("take")
    async def take(self, body: Any) -> int:
        return 1

    @vovk.post("fails")
    async def fails(self, req: vovk.Request) -> None:
        await req.json()
        raise ValueError("no")

    @vovk.post("stream")
    async def stream(self, body: Any) -> AsyncIterator[int]:
        yield 1


METHODS = [name for name in vars(Api) if not name.startswith("_")] + ["missing"]


@pytest.fixture(autouse=True)
def _uncollected() -> Iterator[None]:
    logging.disable()  # what is captured of it holds the errors, and they what they came from
    gc.collect()
    gc.disable()
    yield
    gc.enable()
    logging.disable(logging.NOTSET)


def marked() -> int:
    # Of text only: other libraries' objects may have an `==` of their own kind.
    lists = (one for one in gc.get_objects() if type(one) is list and one)
    return sum(type(one[0]) is str and one[0] == MARK for one in lists)


def request(method: str) -> bytes:
    message = {"t": "q", "id": "1", "op": "call", "p": [method], "a": [[MARK, [], PADDING]]}
    return json.dumps(message).encode()


async def passes(ctx: Any, following: Any) -> Any:
    return await following()


def post(port: int, path: str, body: bytes) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    try:
        connection.request("POST", path, body, {"Content-Type": "application/json"})
        connection.getresponse().read()
    finally:
        connection.close()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("interceptors", [[], [passes, passes]], ids=["plain", "intercepted"])
def test_over_a_websocket(method: str, interceptors: Any) -> None:
    with (
        kk.serve(Api(), token=False, interceptors=interceptors) as server,
        raw_client(server.url, "compact") as peer,
    ):
        peer.send(request(method))
        answer = peer.receive()
        if "stream" in method:
            peer.send(peer.wire.pull(answer.stream_id, 5))
            peer.take(2)
        until(lambda: marked() == 0)


@pytest.mark.parametrize("method", METHODS)
def test_over_http(method: str) -> None:
    with kk.serve(Api(), token=False, transport="http") as server:
        post(server.port, "/", request(method))
        until(lambda: marked() == 0)


@pytest.mark.parametrize("method", ["take", "fails", "stream"])
def test_vovk(method: str) -> None:
    with vovk.serve([Takes], token=False) as server:
        post(server.port, f"/api/takes/{method}", json.dumps([MARK, [], PADDING]).encode())
        until(lambda: marked() == 0)
