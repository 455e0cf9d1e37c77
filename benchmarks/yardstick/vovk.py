"""Rows about Vovk's JSON Lines: our client beside the barest loop over the library it uses.

A raw server sends the same lines again and again, in the two ways that matter: each line a chunk of
HTTP of its own, many of them in one TCP segment (what a quick producer's stream looks like), and
chunks of 64 KiB.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import aiohttp
import msgspec

from yardstick.figures import Promise, Sample
from yardstick.programs import our_program, program
from yardstick.races import Contestant, Entry, Heat
from yardstick.worker import Stopwatch

__all__ = ["bare_stream", "heats", "line_server"]

COUNT = 150_000
CHUNK_BYTES = 64 * 1024
LINES_IN_SEGMENT = 2_000
SHAPES = ("lines", "blocks")
PROMISED_SHAPE = "lines"
PROMISE = Promise("speed", at_least=0.8)

HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: application/jsonl; charset=utf-8\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n"
)
NOT_FOUND = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"


def heats() -> Iterator[Heat]:
    """One for each shape."""
    server = program("vovk:line_server")
    for shape in SHAPES:
        promises = (PROMISE,) if shape == PROMISED_SHAPE else ()
        yardstick = Contestant(program("vovk:bare_stream", shape=shape), server)
        entries = tuple(
            Entry(
                f"vovk.{shape}.{how}",
                Contestant(our_program(f"ours:{role}", shape=shape), server),
                yardstick,
                promises=promises,
            )
            for how, role in (("async-for", "async_vovk_stream"), ("for", "plain_vovk_stream"))
        )
        yield Heat(entries, "item", COUNT)


# ---- the server


@contextlib.contextmanager
def line_server() -> Iterator[str]:
    """``GET /api/SHAPE/COUNT`` answers with so many lines, made beforehand."""
    bodies: dict[tuple[str, int], list[bytes]] = {}

    def serve(connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as requests:
            while line := requests.readline():
                method, path, _ = line.decode().split(" ")
                while requests.readline().strip():
                    pass
                if method != "GET":
                    connection.sendall(NOT_FOUND)
                    continue
                shape, count = path.split("/")[2:]
                asked = shape, int(count)
                if asked not in bodies:
                    bodies[asked] = list(_body(*asked))
                connection.sendall(HEAD)
                for piece in bodies[asked]:
                    connection.sendall(piece)
                connection.sendall(b"0\r\n\r\n")

    def accept() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return  # closed: it is over
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/api"


def _body(shape: str, count: int) -> Iterator[bytes]:
    lines = [b'{"i":%d,"t":"tok"}\n' % index for index in range(count)]
    if shape == "lines":
        for at in range(0, count, LINES_IN_SEGMENT):
            yield b"".join(map(_chunk, lines[at : at + LINES_IN_SEGMENT]))
    else:
        whole = b"".join(lines)
        for at in range(0, len(whole), CHUNK_BYTES):
            yield _chunk(whole[at : at + CHUNK_BYTES])


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


# ---- the yardstick

AsyncRun = Callable[[int], Awaitable[Sample]]


@contextlib.asynccontextmanager
async def bare_stream(url: str, shape: str) -> AsyncIterator[AsyncRun]:
    """aiohttp's ``iter_any``, split on line feeds, decoded by msgspec; nothing around it."""
    decode = msgspec.json.Decoder().decode
    async with aiohttp.ClientSession() as session:

        async def run(count: int) -> Sample:
            items, rest = 0, b""
            with Stopwatch() as watch:
                async with session.get(f"{url}/{shape}/{count}") as reply:
                    async for chunk in reply.content.iter_any():
                        *lines, rest = (rest + chunk).split(b"\n")
                        for _ in map(decode, lines):
                            items += 1
            return watch.sample(items)

        yield run
