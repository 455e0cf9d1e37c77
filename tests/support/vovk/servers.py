"""Vovk servers that do exactly what a test says: heads and chunks, written by hand."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any

import kkjupyter as kk
from kkjupyter.vovk.client.json_schema.library import load_library
from support.servers.http_servers import listening, read_request

__all__ = ["HELLO", "Peer", "bounded", "chunk", "connected", "head", "lines", "until_it_fails"]

# Takes seconds of a busy machine, and whoever is timed beside it waits for the interpreter's lock.
load_library()

LAST_CHUNK = b"0\r\n\r\n"
JSON_LINES = "application/jsonl; charset=utf-8"

HELLO: dict[str, Any] = {
    "$schema": "https://vovk.dev/api/schema/v3/segment.json",
    "emitSchema": True,
    "segmentName": "",
    "segmentType": "segment",
    "controllers": {
        "HelloRPC": {
            "rpcModuleName": "HelloRPC",
            "originalControllerName": "HelloController",
            "prefix": "hello",
            "handlers": {
                "streamTokens": {"path": "stream-tokens", "httpMethod": "POST"},
                "getGreeting": {"path": "greeting/{id}", "httpMethod": "GET"},
                "checked": {
                    "path": "checked",
                    "httpMethod": "POST",
                    "operationObject": {"summary": "Counts.", "description": "Up to a number."},
                    "validation": {
                        "body": {
                            "type": "object",
                            "properties": {"to": {"type": "integer"}, "by": {"type": "integer"}},
                            "required": ["to"],
                        },
                        "iteration": {"type": "integer"},
                    },
                },
            },
        }
    },
}
"""A segment as 3.x has it."""


def head(
    status: str = "200 OK",
    content_type: str = JSON_LINES,
    headers: Mapping[str, str] | None = None,
) -> bytes:
    """The head of a chunked answer."""
    fields = {"content-type": content_type, "Transfer-Encoding": "chunked", **(headers or {})}
    lines = [f"{name}: {value}" for name, value in fields.items() if value]
    return "\r\n".join([f"HTTP/1.1 {status}", *lines, "", ""]).encode()


def chunk(data: bytes) -> bytes:
    """One HTTP chunk."""
    return b"%x\r\n%s\r\n" % (len(data), data)


def lines(*texts: str | bytes) -> bytes:
    """A chunk for each line."""
    encoded = (text.encode() if isinstance(text, str) else text for text in texts)
    return b"".join(chunk(text + b"\n") for text in encoded)


Answer = Callable[["Peer", asyncio.StreamWriter], Awaitable[None]]


class Peer:
    """Answers each call with what ``answer`` writes, and notes what it sees.

    Attributes:
        heads: of the requests, HEAD and ``_schema_`` left out.
        bodies: of these.
        connections: how many were made.
        closed: set when the client has ended a connection.
    """

    def __init__(self, answer: Answer | Sequence[bytes], *, schema: bytes = b"") -> None:
        self.heads: list[str] = []
        self.bodies: list[bytes] = []
        self.connections = 0
        self.closed = asyncio.Event()
        self._answer = answer
        self._schema = schema

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            await self._serve(reader, writer)
        except asyncio.IncompleteReadError:
            self.closed.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            request, body = await read_request(reader)
            if request.startswith("HEAD ") or "/_schema_" in request.partition("\r\n")[0]:
                status = "200 OK" if self._schema else "404 Not Found"
                writer.write(head(status, "application/json"))
                if not request.startswith("HEAD "):
                    writer.write((chunk(self._schema) if self._schema else b"") + LAST_CHUNK)
                continue
            self.heads.append(request)
            self.bodies.append(body)
            answering = asyncio.ensure_future(self._write(writer))
            watching = asyncio.ensure_future(reader.read(1))
            try:
                await asyncio.wait([answering, watching], return_when=asyncio.FIRST_COMPLETED)
                if watching.done():  # the client never sends ahead, so this is its end
                    self.closed.set()
                    return
            finally:
                answering.cancel()
                await _cancelled(watching)
                await asyncio.gather(answering, return_exceptions=True)
            await answering

    async def _write(self, writer: asyncio.StreamWriter) -> None:
        if callable(self._answer):
            await self._answer(self, writer)
            return
        for piece in self._answer:
            writer.write(piece)
            await writer.drain()


async def _cancelled(task: asyncio.Future[Any]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def until_it_fails(call: Any) -> tuple[list[Any], BaseException | None]:
    """The items of a stream, and what it failed with."""
    items: list[Any] = []
    try:
        async for item in call:
            items.append(item)
    except Exception as error:  # noqa: BLE001  the test says which
        return items, error
    return items, None


@contextlib.asynccontextmanager
async def connected(peer: Any, schema: Any = HELLO, **options: Any) -> AsyncIterator[Any]:
    """A connection of ours to ``peer``, closed at the end."""
    async with listening(peer) as url:
        if schema is not None:
            options["schema"] = schema
        api = await kk.aconnect(f"{url}/api", **options)
        try:
            yield api
        finally:
            await asyncio.to_thread(kk.close, api)


def bounded(main: Callable[[], Awaitable[Any]], timeout_s: float = 20.0) -> None:
    """Run ``main()``; nothing may hang."""

    async def run() -> None:
        async with asyncio.timeout(timeout_s):
            await main()

    asyncio.run(run())
