"""What somebody would write by hand over ``websockets`` and msgspec: the yardstick.

Compression is off and messages are taken as bytes; there is no cancel, no time limit, no credit
window, no other thread. Nothing here uses kkjupyter.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.sync.client import connect as connect_plainly

from yardstick.figures import Sample
from yardstick.frames import STREAM_ID, TOKENS, RawServer, Wire, drain
from yardstick.worker import Stopwatch, shares_of

__all__ = [
    "calls",
    "calls_in_flight",
    "draining",
    "echo_server",
    "frame_server",
    "plain_calls",
    "stream",
    "token_server",
]

AsyncRun = Callable[[int], Awaitable[Sample]]

# With the library's own `max_queue` of 16 messages it stops and starts the socket all the time.
OPTIONS: dict[str, Any] = {
    "compression": None,
    "max_size": None,
    "ping_interval": None,
    "max_queue": 1024,
}


class _Compact(msgspec.Struct):
    id: str
    t: str
    d: bool = False
    sid: str = ""
    op: str = ""
    a: Any = None
    v: Any = None


class _Classic(msgspec.Struct):
    id: str
    type: str
    args: Any = None


class _CompactEnvelope(msgspec.Struct):
    json: _Compact
    meta: Any = None


class _ClassicEnvelope(msgspec.Struct):
    json: _Classic
    meta: Any = None


def _decoder(wire: Wire) -> Callable[[bytes], Any]:
    """Bytes to a message."""
    if wire.codec == "json":
        kind: type = _Compact if wire.protocol == "compact" else _Classic
        return msgspec.json.Decoder(kind).decode
    envelope: type = _CompactEnvelope if wire.protocol == "compact" else _ClassicEnvelope
    decode: Callable[[bytes], Any] = msgspec.json.Decoder(envelope).decode
    return lambda data: decode(data).json


# ---- streams


@contextlib.contextmanager
def frame_server(wire: str) -> Iterator[str]:
    """Prebuilt frames."""
    with RawServer(Wire.named(wire)) as url:
        yield url


@contextlib.asynccontextmanager
async def stream(url: str, wire: str, method: str) -> AsyncIterator[AsyncRun]:
    """A loop over the messages of a stream."""
    spoken = Wire.named(wire)
    decode = _decoder(spoken)
    async with connect(url, **OPTIONS) as connection:
        read = _read_compact if spoken.protocol == "compact" else _read_classic

        async def run(count: int) -> Sample:
            with Stopwatch() as watch:
                await connection.send(spoken.request("call", method, count))
                opened = decode(await connection.recv(decode=False))
                if spoken.protocol == "compact":
                    await connection.send(spoken.pull(opened.v["id"], count + 1))
                items = await read(connection, decode)
            return watch.sample(items)

        yield run


async def _read_compact(connection: ClientConnection, decode: Callable[[bytes], Any]) -> int:
    items = 0
    while not (message := decode(await connection.recv(decode=False))).d:
        _ = message.v
        items += 1
    return items


async def _read_classic(connection: ClientConnection, decode: Callable[[bytes], Any]) -> int:
    items = 0
    while (message := decode(await connection.recv(decode=False))).type == "stream-chunk":
        _ = message.args["value"]
        items += 1
    return items


# ---- calls


@contextlib.contextmanager
def echo_server() -> Iterator[str]:
    """Sends back what it is sent."""

    async def echo(connection: ServerConnection) -> None:
        async for message in connection:
            await connection.send(message)

    with _serving(echo) as url:
        yield url


def _requests(wire: Wire) -> Iterator[tuple[str, bytes]]:
    """Calls of ``echo`` with a fresh id each, encoded when they are asked for."""
    encode = msgspec.json.Encoder().encode
    for number in itertools.count():
        call_id, message = str(number), {}
        if wire.protocol == "compact":
            argument = {"__kkrpc_next_arg__": "value", "v": "tok42"}
            message = {"t": "q", "id": call_id, "op": "call", "p": ["echo"], "a": [argument]}
        else:
            message = {"id": call_id, "method": "echo", "args": ["tok42"], "type": "request"}
        yield call_id, encode({"json": message} if wire.codec == "superjson" else message)


@contextlib.asynccontextmanager
async def calls(url: str, wire: str) -> AsyncIterator[AsyncRun]:
    """Send, then wait for the answer; one after another."""
    spoken = Wire.named(wire)
    decode, requests = _decoder(spoken), _requests(spoken)
    async with connect(url, **OPTIONS) as connection:

        async def run(count: int) -> Sample:
            answers = 0
            with Stopwatch() as watch:
                for call_id, request in itertools.islice(requests, count):
                    await connection.send(request, text=True)
                    answer = decode(await connection.recv(decode=False))
                    answers += answer.id == call_id
            return watch.sample(answers)

        yield run


@contextlib.contextmanager
def plain_calls(url: str, wire: str) -> Iterator[Callable[[int], Sample]]:
    """The same in plain code, over websockets' own client for that."""
    spoken = Wire.named(wire)
    decode, requests = _decoder(spoken), _requests(spoken)
    with connect_plainly(url, **OPTIONS) as connection:

        def run(count: int) -> Sample:
            answers = 0
            with Stopwatch() as watch:
                for call_id, request in itertools.islice(requests, count):
                    connection.send(request, text=True)
                    answer = decode(connection.recv(decode=False))
                    answers += answer.id == call_id
            return watch.sample(answers)

        yield run


@contextlib.asynccontextmanager
async def calls_in_flight(url: str, wire: str, width: int) -> AsyncIterator[AsyncRun]:
    """``width`` tasks that call, and one that hands each answer to whoever waits for it."""
    spoken = Wire.named(wire)
    decode, requests = _decoder(spoken), _requests(spoken)
    waiting: dict[str, asyncio.Future[Any]] = {}
    async with connect(url, **OPTIONS) as connection:
        loop = asyncio.get_running_loop()

        async def call_times(count: int) -> int:
            answers = 0
            for call_id, request in itertools.islice(requests, count):
                answered = waiting[call_id] = loop.create_future()
                await connection.send(request, text=True)
                answers += (await answered).id == call_id
            return answers

        async def hand_over(count: int) -> None:
            for _ in range(count):
                answer = decode(await connection.recv(decode=False))
                waiting.pop(answer.id).set_result(answer)

        async def run(count: int) -> Sample:
            with Stopwatch() as watch:
                answered = asyncio.gather(*map(call_times, shares_of(count, width)))
                await hand_over(count)
                answers = sum(await answered)
            return watch.sample(answers)

        yield run


# ---- producing


@contextlib.contextmanager
def token_server(wire: str) -> Iterator[str]:
    """An async generator whose items are encoded and sent one by one."""
    spoken = Wire.named(wire)
    decode, encode = _decoder(spoken), msgspec.json.Encoder().encode

    async def tokens(count: int) -> AsyncIterator[str]:
        for token in itertools.islice(itertools.cycle(TOKENS), count):
            yield token

    def item(call_id: str, value: str) -> dict[str, Any]:
        if spoken.protocol == "compact":
            message = {"t": "sr", "id": call_id, "sid": STREAM_ID, "d": False, "v": value}
        else:
            args = {"value": value}
            message = {"id": call_id, "method": "", "args": args, "type": "stream-chunk"}
        return {"json": message} if spoken.codec == "superjson" else message

    async def produce(connection: ServerConnection) -> None:
        request = decode(await connection.recv(decode=False))
        await connection.send(spoken.opened(request.id))
        if spoken.protocol == "compact":
            await connection.recv()  # the credit for all of it
        count = (request.a if spoken.protocol == "compact" else request.args)[0]
        async for value in tokens(count):
            await connection.send(encode(item(request.id, value)), text=True)
        await connection.send(spoken.end(request.id))

    with _serving(produce) as url:
        yield url


@contextlib.contextmanager
def draining(url: str, wire: str, method: str) -> Iterator[Callable[[int], Sample]]:
    """Takes a stream as fast as the socket gives it; works with any server."""

    def run(count: int) -> Sample:
        taking = drain(url, Wire.named(wire), method, count)
        with contextlib.closing(taking):
            next(taking)
            with Stopwatch() as watch:
                items = next(taking)
        return watch.sample(items)

    yield run


@contextlib.contextmanager
def _serving(handle: Callable[[ServerConnection], Awaitable[None]]) -> Iterator[str]:
    """A server of websockets' own, on a loop of its own, whose address is given."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def start() -> int:
        server = await serve(handle, "127.0.0.1", 0, **OPTIONS)
        port: int = next(iter(server.sockets)).getsockname()[1]
        return port

    port = asyncio.run_coroutine_threadsafe(start(), loop).result()
    try:
        yield f"ws://127.0.0.1:{port}"
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
