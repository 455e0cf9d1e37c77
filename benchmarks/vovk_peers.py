"""Vovk: our client and our server beside the real ones.

    python benchmarks/vovk_peers.py [--runs 5] [--vovk-python PYTHON] [clients] [servers]

Needs what ``make test-peers`` installs and builds. ``clients``: ours, Vovk's own in Node and, with
``--vovk-python``, its Python one read the same streams, taking turns, each in a process of its own:
from the real servers and from a raw one that sends lines it has at hand. Items per second, and CPU
time per item (all threads, user and system). ``servers``: ours and the real ones are left in the
middle of a stream, are not read from, and are read from as fast as a plain socket can.

PYTHON is an interpreter with the package ``vovk_peer`` installed. To make that: in a copy of
``tests/peers/vovk_new``, with ``"name": "vovk-peer", "version": "1.0.0"`` in its package.json, run
``npm i vovk-cli vovk-python`` and
``npx vovk generate --from py --out FOLDER --origin http://127.0.0.1:3000``.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

import psutil
from support.vovk.apps import APPS, NEW, OLD, App, JsClient, NextServer

import kkjupyter as kk

LEFT_ITEMS = 250
UNREAD_BYTES = 131_072
UNREAD_S = 3.0

RAW_SERVER = r"""
import re, socket, threading

HEAD = (b"HTTP/1.1 200 OK\r\ncontent-type: application/jsonl; charset=utf-8\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n")
NONE = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
chunk = lambda data: b"%x\r\n%s\r\n" % (len(data), data)
bodies = {}

def body(shape, count):
    lines = [b'{"i":%d,"t":"tok"}\n' % index for index in range(count)]
    if shape == "burst":  # a chunk for each line, many in a TCP segment
        return b"".join(map(chunk, lines))
    whole = b"".join(lines)
    return b"".join(chunk(whole[at:at + 65536]) for at in range(0, len(whole), 65536))

def serve(connection):
    with connection, connection.makefile("rb") as requests:
        while line := requests.readline():
            while requests.readline().strip():
                pass
            asked = re.match(r"GET /api/streams/([a-z-]+)\?n=(\d+)", line.decode())
            if asked is None:
                connection.sendall(NONE)
                continue
            shape, count = asked.groups()
            if (shape, count) not in bodies:
                bodies[shape, count] = body(shape, int(count))
            connection.sendall(HEAD + bodies[shape, count] + b"0\r\n\r\n")

server = socket.create_server(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)
while True:
    threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()
"""

OURS = r"""
import asyncio, json, sys, time
import kkjupyter as kk

url, schema, suffix = sys.argv[1:]
with kk.connect(url, schema=schema) as api:
    async def read(method, n):
        cpu_s, start_s, items = time.process_time(), time.perf_counter(), 0
        async for item in api["Streams" + suffix][method](query={"n": n}):
            items += 1
        return items, time.perf_counter() - start_s, time.process_time() - cpu_s

    for line in sys.stdin:
        print(json.dumps(asyncio.run(read(*json.loads(line)))), flush=True)
"""

VOVK_PYTHON = r"""
import json, sys, time
from vovk_peer.api_client import ApiClient

client = ApiClient(sys.argv[1])
for line in sys.stdin:
    method, n = json.loads(line)
    cpu_s, start_s, items = time.process_time(), time.perf_counter(), 0
    for item in client.request("", "StreamsRPC", method, None, query={"n": n}):
        items += 1
    used = [items, time.perf_counter() - start_s, time.process_time() - cpu_s]
    print(json.dumps(used), flush=True)
"""

NODE = """
const cpu = process.cpuUsage(), start = performance.now();
let items = 0;
const stream = await rpc("Streams").METHOD({ query: { n: COUNT }, isStream: true });
for await (const item of stream) items++;
const { user, system } = process.cpuUsage(cpu);
return [items, (performance.now() - start) / 1000, (user + system) / 1e6];
"""

TWIN = """
import json, sys
from support.vovk.apps import NEW, OLD
from support.vovk.twin import serve_twin

with serve_twin(OLD if sys.argv[1] == OLD.name else NEW) as server:
    print(json.dumps(server.url), flush=True)
    sys.stdin.read()
"""

Read = Callable[[str, int], list[float]]


@dataclass(frozen=True)
class Run:
    """One stream read to its end."""

    items: int
    wall_s: float
    cpu_s: float


@contextlib.contextmanager
def program(python: str, script: str, *args: str) -> Iterator[subprocess.Popen[str]]:
    """A Python program that is spoken to line by line; it ends with its standard input."""
    folders = [str(Path(__file__).resolve().parent.parent / "tests"), *sys.path]
    bootstrap = f"import sys; sys.path[:0] = {folders!r}\n" if python == sys.executable else ""
    with subprocess.Popen(
        [python, "-c", bootstrap + script, *args],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def asking(process: subprocess.Popen[str]) -> Read:
    def read(method: str, n: int) -> list[float]:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps([method, n]) + "\n")
        process.stdin.flush()
        answer: list[float] = json.loads(process.stdout.readline())
        return answer

    return read


@contextlib.contextmanager
def readers(app: App, url: str, vovk_python: str | None) -> Iterator[dict[str, Read]]:
    """Every client that can read from this server."""
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        schema = Path(folder) / "schema.json"
        schema.write_text(json.dumps(app.schema()))
        ours = program(sys.executable, OURS, url, str(app.schema_path), app.suffix)
        node = stack.enter_context(JsClient(app, url, schema))

        def in_node(method: str, n: int) -> list[float]:
            script = NODE.replace("METHOD", method).replace("COUNT", str(n))
            answer: list[float] = node.run(script)
            return answer

        found = {"kkjupyter": asking(stack.enter_context(ours)), f"vovk {app.version}": in_node}
        if vovk_python and not app.is_old:
            found["vovk-python"] = asking(
                stack.enter_context(program(vovk_python, VOVK_PYTHON, url))
            )
        yield found


def compare(title: str, clients: dict[str, Read], method: str, n: int, runs: int) -> None:
    print(f"{title}: {n:,} items, median of {runs}")
    done: dict[str, list[Run]] = {name: [] for name in clients}
    for read in clients.values():
        read(method, max(100, n // 10))
    for _ in range(runs):
        for name, read in clients.items():
            items, wall_s, cpu_s = read(method, n)
            done[name].append(Run(int(items), wall_s, cpu_s))
    for name, measured in done.items():
        fewest = min(run.items for run in measured)
        assert name != "kkjupyter" or fewest == n
        per_s = statistics.median(run.items / run.wall_s for run in measured)
        cpu_us = statistics.median(run.cpu_s / run.items * 1e6 for run in measured)
        # That of 0.1.7 loses items that come in two pieces.
        lost = "" if fewest == n else f"  (lost up to {n - fewest:,} items)"
        print(f"  {name:<12} {per_s:>11,.0f}/s  {cpu_us:6.2f} µs CPU/item{lost}", flush=True)


def clients(runs: int, vovk_python: str | None) -> None:
    for app in APPS:
        with (
            NextServer(app) as server,
            readers(app, server.url, vovk_python) as found,
        ):
            title = f"Vovk {app.version}"
            if app is NEW:
                compare(f"{title}, async generator", found, "burst", 2000, runs)
                compare(f"{title}, JSONLinesResponder", found, "quickBurst", 20_000, runs)
            else:
                compare(f"{title}, async generator", found, "burst", 50_000, runs)
    with program(sys.executable, RAW_SERVER) as raw:
        assert raw.stdout is not None
        url = f"http://127.0.0.1:{raw.stdout.readline().strip()}/api"
        with readers(NEW, url, vovk_python) as found:
            compare("raw server, a chunk per line", found, "burst", 100_000, runs)
            compare("raw server, 64 KiB chunks", found, "quickBurst", 100_000, runs)


# ---- servers


def ask(url: str, path: str, query: dict[str, Any]) -> socket.socket:
    """A connection on which a stream has been asked for."""
    host, port = url.split("/")[2].split(":")
    line = socket.create_connection((host, int(port)), timeout=60)
    target = f"/api/{path}?" + "&".join(f"{name}={value}" for name, value in query.items())
    head = f"GET {target} HTTP/1.1\r\nHost: {host}\r\nAccept: application/jsonl\r\n\r\n"
    line.sendall(head.encode())
    return line


def page_of(url: str, path: str, number: str) -> dict[str, Any]:
    with urllib.request.urlopen(f"{url}/{path}?id={number}", timeout=30) as reply:
        page: dict[str, Any] = json.load(reply)["page"]
        return page


def rss_mb(pid: int) -> float:
    process = psutil.Process(pid)
    everyone = [process, *process.children(recursive=True)]
    return sum(one.memory_info().rss for one in everyone) / 1e6


def left_alone(path: str, url: str, number: str) -> str:
    """After how long a stream ends whose client has gone after a few items."""
    line = ask(url, f"{path}/slow", {"id": number, "n": LEFT_ITEMS, "pauseMs": 20})
    while page_of(url, f"{path}/diary", number)["produced"] < 5:
        time.sleep(0.005)
    left_s = time.time()
    line.close()
    while not (page := page_of(url, f"{path}/diary", number))["endedAt"]:
        time.sleep(0.005)
    took_ms = page["endedAt"] - left_s * 1000
    return f"{took_ms:,.1f} ms to its finally ({page['produced']} of {LEFT_ITEMS} items made)"


def not_read(path: str, url: str, number: str, pid: int) -> str:
    """What a client costs that reads nothing."""
    before_mb = rss_mb(pid)
    query = {"id": number, "n": 20_000, "pauseMs": 0, "bytes": UNREAD_BYTES}
    with ask(url, f"{path}/slow", query):
        time.sleep(UNREAD_S)
        after_mb = rss_mb(pid)
        produced = page_of(url, f"{path}/diary", number)["produced"]
    made_mb = produced * UNREAD_BYTES / 1e6
    return f"{before_mb:.0f} to {after_mb:.0f} MB after {UNREAD_S:g} s; {made_mb:,.1f} MB made"


def drained(path: str, url: str, n: int) -> float:
    """Items per second, read by a plain socket."""
    start_s = time.perf_counter()
    with ask(url, f"{path}/burst", {"n": n}) as line:
        end = b""
        while not end.endswith(b"\r\n0\r\n\r\n"):
            chunk = line.recv(1 << 20)
            assert chunk, "the server hung up"
            end = (end + chunk)[-7:]
    return n / (time.perf_counter() - start_s)


def servers(runs: int) -> None:
    for app in APPS:
        counts = {"theirs": 2000 if app is NEW else 50_000, "ours": 50_000}
        for whose, n in counts.items():
            with contextlib.ExitStack() as stack:
                if whose == "theirs":
                    server = stack.enter_context(NextServer(app))
                    url, pid = server.url, server.pid
                    path = "streams-controller" if app is OLD else "streams"
                else:
                    twin = stack.enter_context(program(sys.executable, TWIN, app.name))
                    assert twin.stdout is not None
                    url, pid, path = json.loads(twin.stdout.readline()), twin.pid, "streams"
                print(f"{whose}, as of {app.version}")
                drained(path, url, n // 10)
                print(f"  left:     {left_alone(path, url, 'left')}")
                rates = [drained(path, url, n) for _ in range(runs)]
                print(f"  burst:    {statistics.median(rates):,.0f} items/s, drained")
                print(f"  not read: {not_read(path, url, 'unread', pid)}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="Our Vovk client and server beside the real ones.")
    parser.add_argument("parts", nargs="*", help="clients, servers; both if none is named")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--vovk-python", metavar="PYTHON")
    options = parser.parse_args()
    parts = options.parts or ["clients", "servers"]
    print(f"kkjupyter {kk.__version__}, Python {sys.version.split()[0]}")
    if "clients" in parts:
        clients(options.runs, options.vovk_python)
    if "servers" in parts:
        servers(options.runs)


if __name__ == "__main__":
    main()
