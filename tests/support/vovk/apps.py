"""Real Vovk servers: the applications in ``tests/peers/vovk_*``, built once and started at will.

    python tests/support/vovk/apps.py        builds both

A build is kept in the application's own ``.next`` and made anew when its sources or its lock file
change. Nothing reaches out to the network: the packages must be there (``npm ci``).
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Self

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from support.peers.node import NODE_DIR, NodeScripts, find_node

__all__ = ["APPS", "NEW", "OLD", "App", "JsClient", "NextServer", "build"]

_NEXT = "node_modules/next/dist/bin/next"
_PRELOADED = NODE_DIR / "drivers" / "ends-with-stdin.cjs"
_BUILD_S = 300.0
_START_S = 60.0
_SOURCES = ("package-lock.json", "next.config.mjs", "tsconfig.json", "src/**/*.ts*")
_ADDRESS = re.compile(r"http://127\.0\.0\.1:(\d+)")


@dataclass(frozen=True)
class App:
    """One of the applications.

    Attributes:
        name: its folder in ``tests/peers``.
        version: of Vovk.
        suffix: what the names of its controllers end in, for clients.
        is_old: whether it streams with dividers.
    """

    name: str
    version: str
    suffix: str
    is_old: bool

    @property
    def folder(self) -> Path:
        return NODE_DIR.parent / self.name

    @property
    def schema_path(self) -> Path:
        """What it has, as the application's own tools write it."""
        return self.folder / ("src/vovk/vovk-metadata.json" if self.is_old else ".vovk-schema")

    def schema(self) -> dict[str, Any]:
        """The same in one piece, as the generation's clients take it."""
        if self.is_old:
            metadata: dict[str, Any] = json.loads(self.schema_path.read_text())
            return metadata
        parts = {path.stem: json.loads(path.read_text()) for path in self.schema_path.iterdir()}
        meta = parts.pop("_meta")
        return {"meta": meta, "segments": {part["segmentName"]: part for part in parts.values()}}

    def __str__(self) -> str:
        return self.version


NEW = App("vovk_new", "3.7.0", "RPC", is_old=False)
OLD = App("vovk_old", "0.1.7", "Controller", is_old=True)
APPS = (NEW, OLD)


def build(app: App) -> None:
    """Build ``app`` for production, unless that was done with the same sources.

    Raises:
        RuntimeError: its packages are not installed, or it cannot be built.
    """
    stamp = app.folder / ".next" / "built-from"
    digest = _digest(app)
    if stamp.exists() and stamp.read_text() == digest:
        return
    command = [find_node(app.folder, "next"), _NEXT, "build"]
    try:
        done = subprocess.run(
            command,
            cwd=app.folder,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_BUILD_S,
            text=True,
            check=False,
        )
    except subprocess.TimeoutExpired as exc:
        raise RuntimeError(f"{app.name} was not built within {_BUILD_S:g} s") from exc
    if done.returncode:
        raise RuntimeError(f"{app.name} cannot be built:\n{done.stdout[-4000:]}")
    stamp.write_text(digest)


def _digest(app: App) -> str:
    digest = hashlib.sha256()
    for path in sorted(path for pattern in _SOURCES for path in app.folder.glob(pattern)):
        digest.update(f"{path.relative_to(app.folder)}\0{path.stat().st_size}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    return {**os.environ, "NEXT_TELEMETRY_DISABLED": "1", **(extra or {})}


class NextServer:
    """A running application, at ``url``; ``with`` ends it for sure.

    Args:
        app: which; it is built if it must be.
        mode: ``"start"`` for production, ``"dev"`` for development, which needs no build.
        env: environment variables besides one's own.

    Attributes:
        app: the same.
        url: the address of its API.
        pid: of its process.

    Raises:
        RuntimeError: it cannot be built or does not start; the text has what it said.
    """

    def __init__(self, app: App, mode: str = "start", env: Mapping[str, str] | None = None) -> None:
        if mode == "start":
            build(app)
        self.app = app
        command = [find_node(app.folder, "next"), "--require", str(_PRELOADED), _NEXT, mode]
        self._process = subprocess.Popen(
            [*command, "-p", "0", "-H", "127.0.0.1"],
            cwd=app.folder,
            env=_environment(env),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.pid = self._process.pid
        self._said: list[str] = []
        self._is_ready = threading.Event()
        assert self._process.stdout is not None
        self._reader = threading.Thread(
            target=self._read, args=(self._process.stdout,), daemon=True
        )
        self._reader.start()
        try:
            self.url = f"http://127.0.0.1:{self._wait_for_port()}/api"
        except BaseException:
            self.close()
            raise

    def _read(self, output: IO[str]) -> None:
        for line in output:
            self._said.append(line)
            if "Ready" in line:
                self._is_ready.set()
        self._is_ready.set()  # it has ended

    def _wait_for_port(self) -> str:
        self._is_ready.wait(_START_S)
        address = _ADDRESS.search(self.said)
        if address is None or "Ready" not in self.said:
            raise RuntimeError(f"{self.app.name} did not start:\n{self.said}")
        return address[1]

    @property
    def said(self) -> str:
        """What it has written so far."""
        return "".join(self._said)

    def close(self) -> None:
        """End it and what it has started. Idempotent."""
        with contextlib.suppress(ProcessLookupError):  # of itself, all of it
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._reader.join()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


class JsClient(NodeScripts):
    """A client of Vovk's own, which runs the JavaScript it is given.

    Args:
        app: with which its packages are installed.
        url: of the API to call.
        schema: the file with what is there, as its generation reads it.
    """

    def __init__(self, app: App, url: str, schema: Path) -> None:
        self.url = url
        self.schema = schema
        node = find_node(app.folder, "vovk")
        super().__init__([node, str(app.folder / "client.mjs"), url, str(schema)], app.folder)


def main() -> None:
    def timed(app: App) -> str:
        started_s = time.monotonic()
        build(app)
        return f"Vovk {app.version}: {time.monotonic() - started_s:.1f} s"

    with ThreadPoolExecutor() as pool:
        for text in pool.map(timed, APPS):
            print(text, flush=True)


if __name__ == "__main__":
    main()
