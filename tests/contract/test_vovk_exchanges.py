"""Every recorded exchange with a real Vovk server, sent again by a raw one: what a user gets."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from support.servers.http_servers import listening, read_request
from support.vovk.servers import LAST_CHUNK, bounded, chunk, head
from wire.peers.vovk.exchanges import Exchange, exchange, names, schema_file
from wire.peers.vovk.expected import EXPECTED, HELLO, Result, check

import kkjupyter as kk
from kkjupyter.vovk.client.call import VovkCall
from kkjupyter.wire.values.javascript import undefined

SCHEMAS = {
    "jsonlines": schema_file("new-3.7.0-vovk-schema-root.json"),
    "divider": schema_file("old-0.1.7-vovk-metadata.json"),
}


class Replay:
    """Sends one exchange again, chunk by chunk, and notes what was asked."""

    def __init__(self, recorded: Exchange, *, at_once: bool) -> None:
        self.recorded = recorded
        self.at_once = at_once
        self.asked: list[tuple[str, bytes]] = []

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        recorded = self.recorded
        own = {k: v for k, v in recorded.headers.items() if k != "content-encoding" or v != "gzip"}
        for name in ("content-type", "transfer-encoding", "content-length"):
            own.pop(name, None)
        while True:
            request, body = await read_request(reader)
            if request.startswith("HEAD /api HTTP"):
                writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
                continue
            self.asked.append((request, body))
            status = f"{recorded.status} Whatever"
            pieces = [head(status, recorded.headers.get("content-type", ""), own)]
            if recorded.method != "HEAD":
                pieces += map(chunk, recorded.chunks)
                pieces += [] if recorded.is_cut else [LAST_CHUNK]
            if self.at_once:
                writer.write(b"".join(pieces))
            else:
                for piece in pieces:
                    writer.write(piece)
                    await asyncio.sleep(0.001)  # a packet for each, if the kernel will
            await writer.drain()
            if recorded.is_cut:
                return


@contextlib.asynccontextmanager
async def api_of(recorded: Exchange, peer: Replay) -> AsyncIterator[tuple[Any, dict[str, Any]]]:
    """What to call, and with what."""
    expected = EXPECTED[recorded.name]
    call = dict(expected.call)
    schema = SCHEMAS[recorded.wire_format]
    path = expected.handler.split(".")
    if not expected.handler:  # the real schema has none
        route = recorded.target.removeprefix("/api/").partition("?")[0]
        handlers = {"asked": {"path": route, "httpMethod": recorded.method}}
        key = "handlers" if recorded.wire_format == "jsonlines" else "_handlers"
        one = {key: handlers, "prefix": "", "_prefix": "", "controllerName": "Asked"}
        schema = {"controllers": {"Asked": one}} if key == "handlers" else {"Asked": one}
        path = ["Asked", "asked"]
        if recorded.request_body is not None:
            call["body"] = recorded.request_body
    if "streamTokens" in recorded.name:
        call["isStream"] = True
    async with listening(peer) as url:
        api = await kk.aconnect(f"{url}/api", schema=schema, validate=False)
        try:
            yield _at(api, path if path[1:] else [HELLO[recorded.wire_format], *path]), call
        finally:
            await asyncio.to_thread(kk.close, api)


def _at(api: Any, path: list[str]) -> Any:
    for name in path:
        api = api[name]
    return api


async def collect(call: VovkCall) -> Result:
    """What a user gets of a call."""
    result = Result()
    try:
        value = await call
        if value is not call:
            return Result(value=value)
        result.is_stream = True
        async for item in call:
            result.items.append(item)
    except kk.KKError as error:
        result.error = error
    return result


@pytest.mark.parametrize("at_once", [False, True], ids=["piecemeal", "at-once"])
@pytest.mark.parametrize("name", names())
def test_what_a_user_gets(name: str, at_once: bool) -> None:
    recorded = exchange(name)

    async def main() -> None:
        peer = Replay(recorded, at_once=at_once)
        async with api_of(recorded, peer) as (method, given):
            call = method(**given)
            result = await collect(call)
            assert call.status == recorded.status
        check(result, EXPECTED[name], recorded)
        [(request, body)] = peer.asked
        if EXPECTED[name].handler:
            assert request.startswith(f"{recorded.method} {recorded.target} HTTP/1.1\r\n")
            assert body == (recorded.request_body or b"")

    bounded(main)


def test_a_stream_that_failed_before_is_still_told_after_a_pause() -> None:
    """The old server breaks off after an error; the items, and the error, are not lost."""
    recorded = exchange("old-fail-object")

    async def main() -> None:
        peer = Replay(recorded, at_once=True)
        async with api_of(recorded, peer) as (method, given):
            call = await method(**given)
            await asyncio.sleep(0.05)  # all of it has come, and the end of the connection
            result = await collect(call)
        assert isinstance(result.error, kk.RemoteThrow)
        assert result.error.value == {"hello": "World"}
        assert result.items == [{"message": "one"}]
        assert call.return_value is undefined

    bounded(main)
