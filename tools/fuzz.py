"""Hostile peers against one server, an honest client beside them: nobody waits, nothing falls.

python tools/fuzz.py --seconds 600 [--seed N] [--limit 1.0]

Mutations of recorded messages go to a server of kkrpc (both generations, WebSocket and HTTP) and
of Vovk (both stream formats); beside it every reader of a peer's text is called with them. An
honest client in a process of its own calls all of them, over and over. It fails when the server
ends, when the honest client gets an error or waits for more than the limit, when a reader raises
anything but an error of kkjupyter's or takes more than a second. What was sent last is then in
.artifacts/fuzz, and the seed is printed in any case.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import queue
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fuzz_inputs
import psutil
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

FOLDER = fuzz_inputs.ROOT / ".artifacts" / "fuzz"
HERE = Path(__file__).resolve().parent
ATTACKERS = 6
MOST_FRAMES = 200
KEPT_FRAMES = 2_000
GRACE_S = 15.0


class Failure(Exception):
    """What must not happen has happened."""


class Process:
    """A child that tells what it does in lines of JSON; ends with ``close``."""

    def __init__(self, name: str, *argv: str) -> None:
        self.name = name
        self.log = FOLDER / f"{name}.log"
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, *argv],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=HERE,
            )
        self._lines: queue.Queue[bytes] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        self._handle = psutil.Process(self._process.pid)
        self.peak_bytes = 0
        self.heard_s = time.monotonic()
        self.last: dict[str, Any] = {}

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line)

    def news(self) -> Iterator[dict[str, Any]]:
        """What it has told since; looks at its memory, too."""
        with contextlib.suppress(psutil.Error):
            self.peak_bytes = max(self.peak_bytes, self._handle.memory_info().rss)
        while not self._lines.empty():
            self.heard_s = time.monotonic()
            self.last = json.loads(self._lines.get())
            yield self.last

    def first(self) -> dict[str, Any]:
        """The first thing it tells.

        Raises:
            Failure: it has ended, or says nothing.
        """
        deadline_s = time.monotonic() + 4 * GRACE_S
        while time.monotonic() < deadline_s and self.is_running:
            for told in self.news():
                return told
            time.sleep(0.05)
        raise Failure(f"the {self.name} did not begin; see {self.log}")

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    def say_where(self) -> None:
        """Have it write the stacks of its threads into its log; one that knows how."""
        if hasattr(signal, "SIGUSR1") and self.is_running:
            self._process.send_signal(signal.SIGUSR1)
            time.sleep(0.5)

    def close(self) -> int:
        """Let it end; its exit status."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            return self._process.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()


class Attack:
    """What hostile clients do to the server, and what they sent last."""

    def __init__(self, seed: int, ports: dict[str, int], until_s: float) -> None:
        self._rnd = random.Random(seed)
        self._ports = ports
        self._until_s = until_s
        self.counts: Counter[str] = Counter()
        self.sent: deque[tuple[str, bytes]] = deque(maxlen=KEPT_FRAMES)
        self._frames = {
            name: fuzz_inputs.messages(name)
            for name in ("classic-json", "classic-superjson", "compact-json", "compact-stdio")
        }
        self._heads = fuzz_inputs.heads()

    async def run(self) -> None:
        """Attack until the time is over."""
        await asyncio.gather(*[self._again_and_again() for _ in range(ATTACKERS)])

    async def _again_and_again(self) -> None:
        while time.monotonic() < self._until_s:
            try:
                async with asyncio.timeout(10):
                    if self._rnd.random() < 0.6:
                        await self._frames_over_websocket()
                    else:
                        await self._heads_over_http()
            except (OSError, TimeoutError, WebSocketException, EOFError):
                self.counts["connections ended by the server"] += 1

    async def _frames_over_websocket(self) -> None:
        name = self._rnd.choice(list(self._frames))
        seeds = self._frames[name]
        url = f"ws://127.0.0.1:{self._ports['websocket']}"
        async with connect(url, compression=None, max_size=None, close_timeout=0.2) as peer:
            reading = asyncio.create_task(_swallow(peer)) if self._rnd.random() < 0.8 else None
            try:
                for _ in range(self._rnd.randrange(1, MOST_FRAMES)):
                    frame = fuzz_inputs.mutated(self._rnd, seeds)
                    self.sent.append((name, frame))
                    is_text = self._rnd.random() < 0.9
                    await peer.send(frame.decode("utf-8", "replace") if is_text else frame)
                    self.counts[name] += 1
                    await asyncio.sleep(0)
            finally:
                if reading is not None:
                    reading.cancel()
                if self._rnd.random() < 0.5:
                    peer.transport.abort()

    async def _heads_over_http(self) -> None:
        name = self._rnd.choice(("http", "vovk", "old vovk", "websocket"))
        reader, writer = await asyncio.open_connection("127.0.0.1", self._ports[name])
        try:
            for _ in range(self._rnd.randrange(1, 8)):
                data = fuzz_inputs.mutated(self._rnd, self._heads)
                self.sent.append((name, data))
                writer.write(data)
                self.counts[f"HTTP {name}"] += 1
                await writer.drain()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(0.05):
                        if not await reader.read(64 * 1024):
                            return
        finally:
            writer.transport.abort()


async def _swallow(peer: Any) -> None:
    with contextlib.suppress(WebSocketException):
        async for _ in peer:
            pass


async def fuzz(seed: int, seconds_s: float, limit_s: float) -> dict[str, Any]:
    """Run everything; the figures.

    Raises:
        Failure: the text says what fell; the figures so far are printed by the caller.
    """
    figures: dict[str, Any] = {"seed": seed}
    scratch = FOLDER / f"{seed}-reader.bin"
    children: list[Process] = []
    attack: Attack | None = None
    try:
        server = Process("server", "fuzz_server.py")
        children.append(server)
        ports = server.first()
        honest = Process("honest", "fuzz_honest.py", json.dumps(ports))
        children.append(honest)
        honest.first()
        readers = Process("readers", "fuzz_readers.py", str(seed), str(seconds_s), str(scratch))
        children.append(readers)
        attack = Attack(seed, ports, time.monotonic() + seconds_s)
        running = asyncio.create_task(attack.run())
        while not running.done():
            await asyncio.wait([running], timeout=0.25)
            _look(server, honest, readers, limit_s, scratch)
        await running
        await asyncio.sleep(1.5)  # the honest client's last word
        _look(server, honest, readers, limit_s, scratch)
    except Failure:
        if attack is not None:
            children[0].say_where()
            _save(seed, attack)
        raise
    finally:
        for child in reversed(children):
            figures[f"peak memory of the {child.name}, MB"] = round(child.peak_bytes / 1e6)
            child.close()
        if attack is not None:
            figures["frames sent"] = dict(sorted(attack.counts.items()))
        for child in children[1:]:
            figures[child.name] = child.last
        print(json.dumps(figures, indent=2))
    return figures


def _look(
    server: Process, honest: Process, readers: Process, limit_s: float, scratch: Path
) -> None:
    list(server.news())
    if not server.is_running:
        raise Failure(f"the server has ended; see {server.log}")
    for told in honest.news():
        if told.get("failure"):
            raise Failure(f"the honest client got an error: {told['failure']}")
        if told["worst_s"] > limit_s:
            raise Failure(f"the honest client waited for {told['worst_s']:.2f} s ({told['where']})")
    if time.monotonic() - honest.heard_s > GRACE_S:
        raise Failure("the honest client waits without end")
    for told in readers.news():
        if told.get("failure"):
            raise Failure(f"{told['failure']}; what it read is in {scratch}")
    if readers.is_running and time.monotonic() - readers.heard_s > 2 * GRACE_S:
        raise Failure(f"a reader does not come back from what is in {scratch}")


def _save(seed: int, attack: Attack) -> None:
    path = FOLDER / f"{seed}-frames.jsonl"
    with path.open("w", encoding="utf-8") as file:
        for name, data in attack.sent:
            file.write(json.dumps([name, data.decode("latin-1")]) + "\n")
    print(f"the newest {len(attack.sent):,} frames are in {path}")


def command_line(doc: str | None) -> argparse.ArgumentParser:
    """What this and soak.py take: for how long, and from which seed."""
    parser = argparse.ArgumentParser(description=(doc or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=600.0, help="how long (default: 600)")
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4)))
    return parser


def ran_well(seed: int, run: Callable[[], object]) -> bool:
    """Run it, say with which seed, and how to repeat it if it fails; whether it did not."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    print(f"seed {seed}", flush=True)
    try:
        run()
    except Failure as failure:
        print(f"FAILED: {failure}\nagain with: --seed {seed}", file=sys.stderr)
        return False
    return True


def main() -> int:
    """The command line."""
    parser = command_line(__doc__)
    parser.add_argument(
        "--limit", type=float, default=1.0, help="the honest client's longest wait, in seconds"
    )
    options = parser.parse_args()
    attack = fuzz(options.seed, options.seconds, options.limit)
    if not ran_well(options.seed, lambda: asyncio.run(attack)):
        return 1
    print("nothing fell")
    return 0


if __name__ == "__main__":
    sys.exit(main())
