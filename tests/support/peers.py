"""Real kkrpc peers in Node: servers for our client, clients for our server.

The drivers in ``tests/peers/node/drivers`` run either the kkrpc that npm has installed beside them
(``"npm"``) or a bundle made elsewhere, by its path.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
from pathlib import Path
from typing import Any, Self

__all__ = [
    "BUNDLE_VARIABLE",
    "NODE_DIR",
    "NodeClient",
    "NodeError",
    "NodeServer",
    "find_node",
    "real_bundle",
]

NODE_DIR = Path(__file__).resolve().parent.parent / "peers" / "node"
BUNDLE_VARIABLE = "KKRPC_PEERS"
BUNDLE_NAME = "kkrpc-0.7.0.mjs"
_ANSWER_S = 30.0


class NodeError(Exception):
    """A script failed in Node.

    Attributes:
        fields: the error object: ``name``, ``message``, ``cause`` and own properties.
    """

    def __init__(self, fields: dict[str, Any]) -> None:
        super().__init__(f"{fields.get('name')}: {fields.get('message')}")
        self.fields = fields


def find_node() -> str:
    """The Node to use: the one named by KK_NODE, else the first on PATH.

    Raises:
        RuntimeError: there is none, or the packages are not installed.
    """
    node = os.environ.get("KK_NODE") or shutil.which("node")
    if node is None or not Path(node).exists():
        raise RuntimeError(
            "the peers need Node 20.19 or later: `make test-peers` brings it, "
            "or name one: KK_NODE=/path/to/node"
        )
    if not (NODE_DIR / "node_modules" / "kkrpc").exists():
        raise RuntimeError(
            "kkrpc is not installed for the peers: `make test-peers` does that, "
            f"or run `npm ci` in {NODE_DIR}"
        )
    return node


def real_bundle() -> Path | None:
    """The bundle of kkrpc 0.7.0 in the folder that KKRPC_PEERS names, None if it names none.

    Raises:
        RuntimeError: the variable is set and the bundle is not there.
    """
    folder = os.environ.get(BUNDLE_VARIABLE)
    if not folder:
        return None
    bundle = Path(folder) / BUNDLE_NAME
    if not bundle.exists():
        raise RuntimeError(f"{BUNDLE_VARIABLE}={folder}, but there is no {BUNDLE_NAME} in it")
    return bundle.resolve()


class _Node:
    """A Node process that answers on standard output, a line at a time."""

    def __init__(self, driver: str, *args: str) -> None:
        self._process = subprocess.Popen(
            [find_node(), str(NODE_DIR / "drivers" / driver), *args],
            cwd=NODE_DIR,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        self._errors: list[str] = []
        self._reader = threading.Thread(target=self._read_errors, daemon=True)
        self._reader.start()

    def _read_errors(self) -> None:
        assert self._process.stderr is not None
        self._errors.extend(self._process.stderr)

    def _answer(self) -> Any:
        """The next line; what does not come in time ends the process, and that raises."""
        assert self._process.stdout is not None
        watchdog = threading.Timer(_ANSWER_S, self._process.kill)
        watchdog.start()
        try:
            line = self._process.stdout.readline()
        finally:
            watchdog.cancel()
        if not line:
            self._process.wait()
            self._reader.join()
            raise RuntimeError(f"Node ended or did not answer:\n{self.errors()}")
        return json.loads(line)

    def errors(self) -> str:
        """What it has written to standard error."""
        return "".join(self._errors)

    def close(self) -> None:
        """End the process. Idempotent."""
        process = self._process
        if process.poll() is None:
            process.kill()
        process.wait()
        self._reader.join()
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


class NodeServer(_Node):
    """A server of kkrpc's own, with the API of ``drivers/api.mjs``.

    Args:
        which: ``"npm"`` or the path of a bundle.
        codec: ``"json"`` or ``"superjson"``.
    """

    def __init__(self, which: str | Path = "npm", codec: str = "superjson") -> None:
        super().__init__("server.mjs", str(which), codec)
        self.url = f"ws://127.0.0.1:{self._answer()['port']}"


class NodeClient(_Node):
    """A client of kkrpc's own, which runs the JavaScript it is given.

    Args:
        url: the server to connect to.
        which: ``"npm"`` or the path of a bundle.
        codec: ``"json"`` or ``"superjson"``.
    """

    def __init__(self, url: str, which: str | Path = "npm", codec: str = "superjson") -> None:
        super().__init__("client.mjs", str(which), codec, url)

    def run(self, script: str) -> Any:
        """Run the body of an async function with ``api``, ``channel`` and ``sleep`` in scope.

        Returns what it returned, through JSON. Raises NodeError if it threw.
        """
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"script": script}) + "\n")
        self._process.stdin.flush()
        answer = self._answer()
        if "error" in answer:
            raise NodeError(answer["error"])
        return answer["value"]
