"""Rows about the real peers: our client and server beside kkrpc's own, in Node.

Only where KKRPC_PEERS names a folder with the bundles (tests/peers/README.md). Mostly the server
sets the pace for both clients; so the promise of our client is, for streams, "not slower, and less
CPU".
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator

import psutil
from support.peers.node import BUNDLED_VERSIONS, Line, NodeClient, NodeServer, bundles_are_there

from yardstick.figures import Promise, Sample, Unit
from yardstick.programs import Client, Server, our_program
from yardstick.races import Contestant, Entry, Heat

__all__ = ["heats"]

STREAM_COUNT = 50_000
CALL_COUNT = 1_500
# 5 % are noise.
PROMISES = (Promise("speed", at_least=0.95), Promise("cpu", at_most=1.0))

SCRIPTS = {
    "stream": "let n = 0; for await (const token of await api.tokens(COUNT)) n++;",
    "call": 'let n = 0; for (let i = 0; i < COUNT; i++) n += (await api.echo("x")) === "x";',
}
TIMED = """
const cpu = process.cpuUsage(), start = performance.now();
SCRIPT
const { user, system } = process.cpuUsage(cpu);
return [n, (performance.now() - start) / 1000, (user + system) / 1e6];
"""


def heats() -> Iterator[Heat]:
    """None where there are no bundles.

    Raises:
        RuntimeError: KKRPC_PEERS is set, and a bundle is missing.
    """
    if not bundles_are_there():
        return
    for version in BUNDLED_VERSIONS:
        for codec in ("json", "superjson"):
            line = Line(version, "websocket", codec)
            yield _heat(line, "stream", "item", STREAM_COUNT, "async_stream", method="tokens")
            yield _heat(line, "call", "call", CALL_COUNT, "async_calls")


def _heat(line: Line, what: str, unit: Unit, count: int, role: str, **options: str) -> Heat:
    node_server = NodePeer(line)
    node_client = NodePeer(line, what)
    theirs = Contestant(node_client, node_server)
    names = {"protocol": line.protocol, "codec": line.codec}
    ours = Contestant(our_program(f"ours:{role}", **names, **options), node_server)
    mixed = Contestant(node_client, our_program("ours:server"))
    name = f"{line.version}-{line.codec}.{what}"
    entries = (
        Entry(f"peers.client.{name}", ours, theirs, promises=PROMISES if what == "stream" else ()),
        Entry(f"peers.server.{name}", mixed, theirs, "server"),
    )
    return Heat(entries, unit, count)


@dataclasses.dataclass(frozen=True)
class NodePeer:
    """kkrpc's own in Node; a client with ``what`` it does, else a server."""

    line: Line
    what: str = ""

    @contextlib.contextmanager
    def server(self) -> Iterator[Server]:
        """See :class:`yardstick.programs.Starter`."""
        with NodeServer(self.line) as node:
            yield _NodeServer(node)

    @contextlib.contextmanager
    def client(self, address: str) -> Iterator[Client]:
        """See :class:`yardstick.programs.Starter`."""
        with NodeClient(address, self.line) as node:
            yield _NodeClient(node, TIMED.replace("SCRIPT", SCRIPTS[self.what]))

    def with_python(self, python: str) -> NodePeer:
        """Itself: there is no Python in it."""
        return self


class _NodeServer:
    def __init__(self, node: NodeServer) -> None:
        self.address = node.url
        self._process = psutil.Process(node.pid)

    def cpu_s(self) -> float:
        times = self._process.cpu_times()
        return float(times.user + times.system)


class _NodeClient:
    def __init__(self, node: NodeClient, script: str) -> None:
        self._node = node
        self._script = script

    def run(self, count: int) -> Sample:
        done, wall_s, cpu_s = self._node.run(self._script.replace("COUNT", str(count)))
        return Sample(count=int(done), wall_s=wall_s, cpu_s=cpu_s)
