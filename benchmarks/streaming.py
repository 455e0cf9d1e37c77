"""Streaming from the real peer: our client beside kkrpc's own, against the same server.

    KKRPC_PEERS=FOLDER python benchmarks/streaming.py [--count 100000] [--runs 5]

FOLDER holds bundles of kkrpc (see tests/peers/README.md). One Node server streams ``count``
tokens; the two clients take turns, each in a process of its own, after a warm-up. For each
generation and codec the medians are printed: chunks per second, and CPU time per item (all threads,
user and system).
The promise is: not slower, and less CPU. It exits with 1 where that does not hold. Mostly the
server sets the pace for both; so "slower" compares runs next to each other, and 5 % are noise.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from support.peers import (
    BUNDLE_VARIABLE,
    BUNDLED_VERSIONS,
    Line,
    NodeClient,
    NodeServer,
    bundles_are_there,
)

import kkjupyter as kk
from kkjupyter.rpc.remote import Remote

WARM_UP_ITEMS = 20_000
NOISE = 0.05
LINES = [
    Line(version, "websocket", codec)
    for version in BUNDLED_VERSIONS
    for codec in ("json", "superjson")
]
NODE_SCRIPT = """
const cpu = process.cpuUsage(), start = performance.now();
let items = 0;
for await (const token of await api.tokens(COUNT)) items++;
const { user, system } = process.cpuUsage(cpu);
return { items, wall_s: (performance.now() - start) / 1000, cpu_s: (user + system) / 1e6 };
"""


@dataclass(frozen=True)
class Run:
    """One stream read to its end."""

    items: int
    wall_s: float
    cpu_s: float


def run_ours(api: Remote, count: int) -> Run:
    cpu_s, start_s = time.process_time(), time.perf_counter()
    items = sum(1 for _ in api.tokens(count))
    return Run(items, time.perf_counter() - start_s, time.process_time() - cpu_s)


def run_node(client: NodeClient, count: int) -> Run:
    return Run(**client.run(NODE_SCRIPT.replace("COUNT", str(count))))


def report(name: str, runs: list[Run]) -> float:
    """Print the medians; return the CPU time per item, in µs."""
    per_s = statistics.median(run.items / run.wall_s for run in runs)
    cpu_us = statistics.median(run.cpu_s / run.items * 1e6 for run in runs)
    print(f"  {name:<12} {per_s:>10,.0f} chunks/s   {cpu_us:6.2f} µs CPU/item")
    return cpu_us


def main() -> int:
    parser = argparse.ArgumentParser(description="Our client beside kkrpc's own.")
    parser.add_argument("--count", type=int, default=100_000, help="items per stream")
    parser.add_argument("--runs", type=int, default=5, help="measured runs per client")
    options = parser.parse_args()
    if not bundles_are_there():
        parser.error(f"{BUNDLE_VARIABLE} must name a folder with the bundles of kkrpc")

    kept = True
    for line in LINES:
        print(f"kkrpc {line.version}, {line.codec}")
        with NodeServer(line) as server, NodeClient(server.url, line) as node:
            api = kk.connect(server.url)
            ours: list[Run] = []
            theirs: list[Run] = []
            run_ours(api, WARM_UP_ITEMS)
            run_node(node, WARM_UP_ITEMS)
            for _ in range(options.runs):
                theirs.append(run_node(node, options.count))
                ours.append(run_ours(api, options.count))
            assert {run.items for run in ours + theirs} == {options.count}
            kk.close(api)
        node_cpu_us = report("kkrpc (Node)", theirs)
        our_cpu_us = report("kkjupyter", ours)
        pairs = zip(ours, theirs, strict=True)
        speed = statistics.median(their.wall_s / our.wall_s for our, their in pairs)
        cpu = our_cpu_us / node_cpu_us
        print(f"  ours beside theirs: {speed:.2f} x the speed, {cpu:.2f} x the CPU")
        kept = kept and speed >= 1 - NOISE and cpu < 1
    print("the promise is kept" if kept else "THE PROMISE IS NOT KEPT")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
