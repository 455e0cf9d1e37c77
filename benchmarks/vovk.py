"""Streams of a Vovk server: our client beside the barest loop there is over the same library.

    python benchmarks/vovk.py [--count 200000] [--runs 7]

A raw server on this machine, in a process of its own, sends the same lines again and again, in the
two ways that matter: each line an HTTP chunk of its own, many of them in one TCP segment (what a
quick producer's stream looks like), and chunks of 64 KB. The yardstick is aiohttp's ``iter_any``,
split on line feeds and decoded by msgspec, on one loop, with nothing around it: no buffer, no
cancel, no time limits, no other thread. They take turns.

The promise is 80 % of its throughput where each line is a chunk. What else the machine does takes
time away and never gives any, so the best run of each counts. It exits with 1 otherwise.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import aiohttp
import msgspec

import kkjupyter as kk

WARM_UP_ITEMS = 20_000
PROMISED = 0.8
PROMISED_SHAPE = "lines"
SHAPES = ("lines", "blocks")

SERVER = r"""
import json, socket, sys, threading

HEAD = (b"HTTP/1.1 200 OK\r\ncontent-type: application/jsonl; charset=utf-8\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n")
NONE = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"

def chunk(data):
    return b"%x\r\n%s\r\n" % (len(data), data)

def body(shape, count):
    lines = [b'{"i":%d,"t":"tok"}\n' % index for index in range(count)]
    if shape == "lines":
        return [b"".join(map(chunk, lines[at:at + 2000])) for at in range(0, count, 2000)]
    whole = b"".join(lines)
    return [chunk(whole[at:at + 65536]) for at in range(0, len(whole), 65536)]

bodies = {}

def serve(connection):
    with connection, connection.makefile("rb") as requests:
        while line := requests.readline():
            method, path = line.decode().split(" ")[:2]
            while requests.readline().strip():
                pass
            if method != "GET":
                connection.sendall(NONE)
                continue
            shape, count = path.split("/")[2:4]
            key = shape, int(count)
            if key not in bodies:
                bodies[key] = body(*key)
            connection.sendall(HEAD)
            for piece in bodies[key]:
                connection.sendall(piece)
            connection.sendall(b"0\r\n\r\n")

server = socket.create_server(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)
while True:
    threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()
"""

SCHEMA = {
    "controllers": {
        "RawRPC": {
            "prefix": "",
            "handlers": {"stream": {"path": "{shape}/{count}", "httpMethod": "GET"}},
        }
    }
}


@dataclass(frozen=True)
class Run:
    """One stream read to its end."""

    items: int
    wall_s: float
    cpu_s: float

    @property
    def per_s(self) -> float:
        return self.items / self.wall_s


Reader = Callable[[str, int], Awaitable[int]]


def timed(read: Reader, shape: str, count: int) -> Run:
    async def main() -> Run:
        cpu_s, start_s = time.process_time(), time.perf_counter()
        items = await read(shape, count)
        return Run(items, time.perf_counter() - start_s, time.process_time() - cpu_s)

    return asyncio.run(main())


def yardstick(url: str) -> Reader:
    decode = msgspec.json.Decoder().decode

    async def read(shape: str, count: int) -> int:
        items = 0
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{url}/{shape}/{count}") as reply,
        ):
            rest = b""
            async for chunk in reply.content.iter_any():
                *lines, rest = (rest + chunk).split(b"\n")
                for _ in map(decode, lines):
                    items += 1
        return items

    return read


def in_async_for(api: kk.rpc.remote.Remote) -> Reader:  # type: ignore[name-defined]
    async def read(shape: str, count: int) -> int:
        items = 0
        async for _ in api.RawRPC.stream(params={"shape": shape, "count": count}):
            items += 1
        return items

    return read


def in_plain_for(api: kk.rpc.remote.Remote) -> Reader:  # type: ignore[name-defined]
    async def read(shape: str, count: int) -> int:
        items = 0
        for _ in api.RawRPC.stream(params={"shape": shape, "count": count}):
            items += 1
        return items

    return read


def best_per_s(runs: list[Run]) -> float:
    return max(run.per_s for run in runs)


def main() -> int:
    parser = argparse.ArgumentParser(description="Our Vovk client beside a bare loop.")
    parser.add_argument("--count", type=int, default=200_000, help="items per stream")
    parser.add_argument("--runs", type=int, default=7, help="measured runs for each reader")
    options = parser.parse_args()
    with subprocess.Popen(
        [sys.executable, "-c", SERVER], stdout=subprocess.PIPE, text=True
    ) as server:
        try:
            assert server.stdout is not None
            url = f"http://127.0.0.1:{server.stdout.readline().strip()}/api"
            return compare(url, options.count, options.runs)
        finally:
            server.terminate()


def compare(url: str, count: int, runs: int) -> int:
    kept = True
    with kk.connect(url, schema=SCHEMA) as api:
        readers = {
            "iter_any+split+msgspec": yardstick(url),
            "kkjupyter, async for": in_async_for(api),
            "kkjupyter, for": in_plain_for(api),
        }
        for shape in SHAPES:
            print(f"{shape}: {count:,} items, best of {runs} (median)")
            found: dict[str, list[Run]] = {name: [] for name in readers}
            for read in readers.values():
                timed(read, shape, WARM_UP_ITEMS)
            for _ in range(runs):
                for name, read in readers.items():
                    found[name].append(timed(read, shape, count))
            base, *_ = found.values()
            for name, measured in found.items():
                assert {run.items for run in measured} == {count}, name
                per_s = best_per_s(measured)
                middle_per_s = statistics.median(run.per_s for run in measured)
                cpu_us = min(run.cpu_s / run.items * 1e6 for run in measured)
                share = per_s / best_per_s(base)
                print(
                    f"  {name:<24} {per_s:>11,.0f}/s ({middle_per_s:>9,.0f})  {share:4.0%}"
                    f"  {cpu_us:5.2f} µs CPU/item"
                )
                if shape == PROMISED_SHAPE and share < PROMISED:
                    kept = False
    print("the promise is kept" if kept else "THE PROMISE IS NOT KEPT")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
