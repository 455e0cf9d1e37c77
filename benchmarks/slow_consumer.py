"""Memory beside a slow consumer: our client and server, and kkrpc's own.

    KKRPC_PEERS=FOLDER python benchmarks/slow_consumer.py [--count 4000] [--pause-ms 2]

FOLDER holds bundles of kkrpc (see tests/peers/README.md); without it only our own lines are
measured. Linux only: memory is read from /proc. It takes a minute and a half.

A line is a server and a client, each in a process of its own that nothing else uses.

slow    ``count`` chunks of 64 KiB (of UTF-8), of which the client takes one every ``pause-ms``.
        Peak resident memory of both processes in MB, and how long it took.
idle    60 chunks of 4 MiB. The client takes one, then nothing for 3 s. By how much the peak of both
        processes has grown since they were at rest, in MB.

The promise is: against kkrpc's servers our client never needs more than kkrpc's own. It exits with
1 where that does not hold. How much a server of 0.7.0 keeps is its own affair: its protocol has no
word for "wait", and it does not look at its socket.
"""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from support.peers import api as peer_api
from support.peers.node import (
    BUNDLE_VARIABLE,
    BUNDLED_VERSIONS,
    Line,
    NodeClient,
    NodeServer,
    bundles_are_there,
)

import kkjupyter as kk

MB = 1024 * 1024
SMALL_BYTES = 64 * 1024
BIG_BYTES = 4 * MB
BIG_COUNT = 60
IDLE_S = 3.0
PATIENCE_S = 30.0
NODE_SCRIPT = """
let taken = 0;
for await (const blob of await api.blobs(COUNT, SIZE)) {
  await sleep(PAUSE_MS);
  if (++taken === TAKE) break;
}
return taken;
"""


@dataclass(frozen=True)
class Load:
    """A stream of blobs, of which the first ``take`` are taken, with a pause after each."""

    count: int
    size_bytes: int
    take: int
    pause_s: float


WARM_UP = Load(count=3, size_bytes=6, take=3, pause_s=0.0)
IDLE = Load(BIG_COUNT, BIG_BYTES, take=1, pause_s=IDLE_S)


@dataclass(frozen=True)
class Process:
    """A running server or client: ``target`` is the server's address, ``play`` the client's job."""

    pid: int
    target: str = ""
    play: Callable[[Load], int] = lambda load: 0

    def peak_mb(self) -> float:
        """The most memory it has had since it began."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        found = re.search(r"VmHWM:\s+(\d+) kB", status)
        assert found is not None
        return int(found[1]) / 1024


# ---- ours


def consume(pipe: Connection, url: str, protocol: str) -> None:
    """Our client: takes what the loads say that come down the pipe. Runs in its own process."""
    with kk.connect(url, protocol=protocol, codec="json") as api:
        while load := pipe.recv():
            taken = 0
            for _ in api.blobs(load.count, load.size_bytes):
                time.sleep(load.pause_s)
                taken += 1
                if taken == load.take:
                    break
            pipe.send(taken)


@contextlib.contextmanager
def our_client(url: str, protocol: str) -> Iterator[Process]:
    context = multiprocessing.get_context("spawn")
    pipe, theirs = context.Pipe()
    process = context.Process(target=consume, args=(theirs, url, protocol))
    process.start()
    theirs.close()

    def play(load: Load) -> int:
        pipe.send(load)
        if not pipe.poll(PATIENCE_S):
            raise TimeoutError("our client does not answer")
        return int(pipe.recv())

    assert process.pid is not None
    try:
        yield Process(process.pid, play=play)
        pipe.send(None)
        process.join(PATIENCE_S)
    finally:
        process.kill()
        process.join()
        pipe.close()


@contextlib.contextmanager
def our_server() -> Iterator[Process]:
    exposed = f"{peer_api.__file__}:PeerApi"
    command = [sys.executable, "-m", "kkjupyter.cli", "serve", exposed]
    with subprocess.Popen(
        [*command, "--port", "0", "--no-token"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            yield Process(process.pid, target=process.stdout.readline().split()[-1])
        finally:
            process.kill()


# ---- theirs


@contextlib.contextmanager
def node_client(url: str, line: Line) -> Iterator[Process]:
    with NodeClient(url, line) as node:

        def play(load: Load) -> int:
            values = {
                "COUNT": load.count,
                "SIZE": load.size_bytes,
                "PAUSE_MS": load.pause_s * 1000,
                "TAKE": load.take,
            }
            script = re.sub("|".join(values), lambda m: str(values[m[0]]), NODE_SCRIPT)
            return int(node.run(script))

        yield Process(node.pid, play=play)


@contextlib.contextmanager
def node_server(line: Line) -> Iterator[Process]:
    with NodeServer(line) as node:
        yield Process(node.pid, target=node.url)


# ---- the table


@dataclass(frozen=True)
class Pair:
    """One line of the table."""

    server_name: str
    client_name: str
    server: Callable[[], AbstractContextManager[Process]]
    client: Callable[[str], AbstractContextManager[Process]]


def pairs() -> Iterator[Pair]:
    if bundles_are_there():
        for version in BUNDLED_VERSIONS:
            line = Line(version, "websocket", "json")
            name = f"kkrpc {version}"

            def serve(line: Line = line) -> AbstractContextManager[Process]:
                return node_server(line)

            def theirs(url: str, line: Line = line) -> AbstractContextManager[Process]:
                return node_client(url, line)

            def ours(url: str, line: Line = line) -> AbstractContextManager[Process]:
                return our_client(url, line.protocol)

            yield Pair(name, name, serve, theirs)
            yield Pair(name, "kkjupyter", serve, ours)
    for protocol in ("classic", "compact"):

        def our_own(url: str, protocol: str = protocol) -> AbstractContextManager[Process]:
            return our_client(url, protocol)

        yield Pair("kkjupyter", f"kkjupyter, {protocol}", our_server, our_own)


@dataclass(frozen=True)
class Memory:
    """Of a load: the peaks of both processes, their growth, and the time it took."""

    client_mb: float
    server_mb: float
    client_growth_mb: float
    server_growth_mb: float
    wall_s: float


def measure(pair: Pair, load: Load) -> Memory:
    """Play a load in new processes."""
    with pair.server() as server, pair.client(server.target) as client:
        assert client.play(WARM_UP) == WARM_UP.take
        client_rest_mb, server_rest_mb = client.peak_mb(), server.peak_mb()
        started_s = time.perf_counter()
        assert client.play(load) == load.take
        wall_s = time.perf_counter() - started_s
        client_mb, server_mb = client.peak_mb(), server.peak_mb()
    return Memory(
        client_mb, server_mb, client_mb - client_rest_mb, server_mb - server_rest_mb, wall_s
    )


def main() -> int:
    parser = argparse.ArgumentParser(description="Memory beside a slow consumer.")
    parser.add_argument("--count", type=int, default=4000, help="chunks for the slow consumer")
    parser.add_argument("--pause-ms", type=float, default=2.0, help="its pause after each")
    options = parser.parse_args()
    if not bundles_are_there():
        print(f"only our own lines: {BUNDLE_VARIABLE} names no folder with the bundles of kkrpc")

    slow = Load(options.count, SMALL_BYTES, options.count, options.pause_ms / 1000)
    total_mb = slow.count * slow.size_bytes / 1e6
    print(f"slow: {total_mb:.0f} MB, a chunk of 64 KiB every {options.pause_ms:g} ms; peak RSS, MB")
    print(f"idle: chunks of 4 MiB, one taken, then {IDLE_S:g} s idle; growth of peak RSS, MB")
    print(f"{'':42}{'slow':^26}  {'idle':^18}")
    print(f"{'server':<14}{'client':<28}{'client':>8}{'server':>9}{'s':>8}", end="")
    print(f"{'client':>11}{'server':>9}")
    kept = True
    theirs: dict[str, tuple[float, float]] = {}  # by server: what kkrpc's own client needs
    for pair in pairs():
        under_slow, under_idle = measure(pair, slow), measure(pair, IDLE)
        needed = under_slow.client_mb, under_idle.client_growth_mb
        limits = theirs.setdefault(pair.server_name, needed)
        if pair.server_name != "kkjupyter":
            kept = kept and all(mb <= limit for mb, limit in zip(needed, limits, strict=True))
        print(
            f"{pair.server_name:<14}{pair.client_name:<28}"
            f"{under_slow.client_mb:8.0f}{under_slow.server_mb:9.0f}{under_slow.wall_s:8.1f}"
            f"{under_idle.client_growth_mb:11.0f}{under_idle.server_growth_mb:9.0f}",
            flush=True,
        )
    if theirs.keys() != {"kkjupyter"}:
        print("the promise is kept" if kept else "THE PROMISE IS NOT KEPT")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
