"""Compressed messages (RFC 7692) beside plain ones, whole and in fragments, in both directions."""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.frames import Frame, Opcode

from kkjupyter.transports.websocket.client import connect_websocket
from kkjupyter.transports.websocket.protocol import PushServerConnection
from kkjupyter.transports.websocket.transport import WebSocketTransport

TEXTS = ["a", "b" * 200, "text, " * 1000, "x" * 200_000, "\N{SNOWMAN}" * 30_000, ""]


class Listener:
    """An owner that remembers."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.reason = ""
        self._changed = asyncio.Event()

    def data_received(self, chunks: Sequence[bytes]) -> None:
        self.heard += [chunk.decode() for chunk in chunks]
        self._changed.set()

    def writable(self) -> None:
        pass

    def closed(self, reason: str) -> None:
        self.reason = reason
        self._changed.set()

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(10):
            while not condition():
                await self._changed.wait()
                self._changed.clear()


@contextlib.asynccontextmanager
async def stranger(
    handler: Callable[[ServerConnection], Awaitable[None]], **options: Any
) -> AsyncIterator[str]:
    async with serve(
        handler, "127.0.0.1", 0, close_timeout=0.1, max_size=None, **options
    ) as server:
        yield f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"


@contextlib.asynccontextmanager
async def opened(url: str, **options: Any) -> AsyncIterator[tuple[WebSocketTransport, Listener]]:
    transport = await connect_websocket(url, **options)
    listener = Listener()
    transport.open(listener)
    try:
        yield transport, listener
    finally:
        await transport.close()
        await transport.wait_closed()


def extensions(transport: WebSocketTransport) -> list[str]:
    return [extension.name for extension in transport._connection.protocol.extensions]


@pytest.mark.parametrize(
    ("ours", "theirs", "agreed"),
    [
        (None, None, []),
        (None, "deflate", []),
        ("deflate", None, []),
        ("deflate", "deflate", ["permessage-deflate"]),
    ],
)
def test_it_is_agreed_to_only_if_both_want_it(
    ours: str | None, theirs: str | None, agreed: list[str]
) -> None:
    async def echo(connection: ServerConnection) -> None:
        async for message in connection:
            await connection.send(message)

    async def main() -> None:
        async with (
            stranger(echo, compression=theirs) as url,
            opened(url, compression=ours) as (transport, listener),
        ):
            assert extensions(transport) == agreed
            transport.send([text.encode() for text in TEXTS])
            await listener.until(lambda: len(listener.heard) == len(TEXTS))
            assert listener.heard == TEXTS

    asyncio.run(main())


def plain(text: str) -> bytes:
    """A whole message that is not compressed, which a server may send all the same."""
    return Frame(Opcode.TEXT, text.encode()).serialize(mask=False)


def compressed(connection: ServerConnection, fragments: Sequence[str]) -> list[bytes]:
    """A compressed message in as many frames."""
    parts = [fragment.encode() for fragment in fragments]
    last = len(parts) - 1
    return [
        Frame(Opcode.CONT if index else Opcode.TEXT, part, fin=index == last).serialize(
            mask=False, extensions=connection.protocol.extensions
        )
        for index, part in enumerate(parts)
    ]


kinds = st.one_of(
    st.text(max_size=300).map(lambda text: ("plain", [text])),
    st.lists(st.text(max_size=300), min_size=1, max_size=4).map(lambda texts: ("deflated", texts)),
    st.just(("deflated", ["x" * 70_000, "y" * 100])),
)


@settings(max_examples=40)
@given(
    messages=st.lists(kinds, min_size=1, max_size=8),
    pings=st.booleans(),
    shares=st.lists(st.floats(0, 1), max_size=6),
)
def test_what_comes_is_read_however_it_is_cut(
    messages: list[tuple[str, list[str]]], pings: bool, shares: list[float]
) -> None:
    ping = Frame(Opcode.PING, b"are you there").serialize(mask=False) if pings else b""

    async def push(connection: ServerConnection) -> None:
        stream = b""
        for kind, texts in messages:
            frames = [plain(texts[0])] if kind == "plain" else compressed(connection, texts)
            stream += ping.join(frames) + ping
        cuts = sorted(int(share * len(stream)) for share in shares)
        for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
            connection.transport.write(stream[start:end])
            await asyncio.sleep(0)
        await connection.wait_closed()

    async def main() -> None:
        async with (
            stranger(push) as url,
            opened(url, compression="deflate") as (_, listener),
        ):
            await listener.until(lambda: len(listener.heard) == len(messages))
            assert listener.heard == ["".join(texts) for _, texts in messages]

    asyncio.run(main())


def test_a_server_of_ours_reads_fragments_and_answers_compressed() -> None:
    async def main() -> None:
        listener = Listener()

        async def serve_one(connection: ServerConnection) -> None:
            assert isinstance(connection, PushServerConnection)
            transport = WebSocketTransport(connection, "client")
            transport.open(listener)
            await listener.until(lambda: len(listener.heard) == 3)
            transport.send([text.encode() for text in TEXTS])
            await transport.wait_closed()

        make = functools.partial(PushServerConnection, limit_bytes=1_000_000)
        options: dict[str, Any] = {"create_connection": make}
        async with (
            stranger(serve_one, compression="deflate", **options) as url,
            connect(url, proxy=None, max_size=None) as connection,
        ):
            await connection.send(["in ", "x" * 100_000, " parts"])
            await connection.send("whole")
            await connection.send(["", "and ", "", "parts"])
            answers = [await connection.recv(decode=True) for _ in TEXTS]
        assert answers == TEXTS
        assert listener.heard == ["in " + "x" * 100_000 + " parts", "whole", "and parts"]

    asyncio.run(main())


@pytest.mark.parametrize("in_fragments", [False, True])
def test_what_swells_over_the_limit_ends_the_connection(in_fragments: bool) -> None:
    async def push(connection: ServerConnection) -> None:
        await connection.send(["x" * 60_000] * 20 if in_fragments else "x" * 10_000_000)
        await connection.wait_closed()

    async def main() -> None:
        async with (
            stranger(push) as url,
            opened(url, compression="deflate", limit_bytes=100_000) as (_, listener),
        ):
            await listener.until(lambda: listener.reason)
            assert listener.reason == "the other side sent a message that is too big"
            assert listener.heard == []

    asyncio.run(main())


@pytest.mark.parametrize("compression", [None, "deflate"])
def test_what_is_compressed_wrongly_ends_the_connection(compression: str | None) -> None:
    """Not agreed to, or no deflate at all: the first bits of 0xc1 say "compressed text"."""

    async def push(connection: ServerConnection) -> None:
        connection.transport.write(plain("before") + b"\xc1\x02\xff\xff" + plain("after"))
        await connection.wait_closed()

    async def main() -> None:
        async with (
            stranger(push, compression=compression) as url,
            opened(url, compression=compression) as (transport, listener),
        ):
            await listener.until(lambda: listener.reason)
            sent = transport._connection.protocol.close_sent
            assert sent is not None
            assert sent.code == 1002
            assert listener.heard == ["before"]

    asyncio.run(main())
