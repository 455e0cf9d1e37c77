"""Real kkrpc peers in Node: servers for our client, clients for our server.

The drivers in ``tests/peers/node/drivers`` run either the kkrpc that npm has installed beside them
(version ``"npm"``) or a bundle made elsewhere.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

__all__ = [
    "BUNDLED_VERSIONS",
    "BUNDLE_VARIABLE",
    "BUS_BUNDLES",
    "NODE_DIR",
    "BusNode",
    "Line",
    "NodeClient",
    "NodeError",
    "NodeScripts",
    "NodeServer",
    "bundles_are_there",
    "bus_bundles",
    "find_node",
    "server_command",
]

NODE_DIR = Path(__file__).resolve().parents[2] / "peers" / "node"
BUNDLE_VARIABLE = "KKRPC_PEERS"
BUNDLED_VERSIONS = ("0.7.0", "2.1.0")
BUS_BUNDLES = {"nats": "kkrpc-nats-2.1.0.mjs", "redis": "kkrpc-redis-2.1.0.mjs"}
_ANSWER_S = 30.0


@dataclasses.dataclass(frozen=True)
class Line:
    """What a peer is and how it is spoken to.

    Attributes:
        version: ``"npm"`` (kkrpc 0.2.2) or one of :data:`BUNDLED_VERSIONS`.
        transport: ``"websocket"``, ``"stdio"`` or ``"http"``.
        codec: ``"json"`` or ``"superjson"``.
    """

    version: str
    transport: str
    codec: str

    @property
    def protocol(self) -> str:
        """Our name of the protocol it speaks."""
        return "compact" if self.version == "2.1.0" else "classic"

    @property
    def module(self) -> str:
        """What the drivers shall run."""
        return "npm" if self.version == "npm" else str(_bundle(self.version))

    def __str__(self) -> str:
        return f"{self.version}-{self.transport}-{self.codec}"


class NodeError(Exception):
    """A script failed in Node.

    Attributes:
        fields: the error object: ``name``, ``message``, ``cause`` and own properties.
    """

    def __init__(self, fields: dict[str, Any]) -> None:
        super().__init__(f"{fields.get('name')}: {fields.get('message')}")
        self.fields = fields


def find_node(folder: Path = NODE_DIR, package: str = "kkrpc") -> str:
    """The Node to use: the one named by KK_NODE, else the first on PATH.

    Args:
        folder: where packages have to be installed.
        package: one of them.

    Raises:
        RuntimeError: there is none, or the packages are not installed.
    """
    node = os.environ.get("KK_NODE") or shutil.which("node")
    if node is None or not Path(node).exists():
        raise RuntimeError(
            "the peers need Node 20.19 or later: `make test-peers` brings it, "
            "or name one: KK_NODE=/path/to/node"
        )
    if not (folder / "node_modules" / package).exists():
        raise RuntimeError(
            f"{package} is not installed for the peers: `make test-peers` does that, "
            f"or run `npm ci` in {folder}"
        )
    return node


def bundles_are_there() -> bool:
    """Whether KKRPC_PEERS names a folder with the bundles; False if it is not set.

    Raises:
        RuntimeError: it is set, and a bundle is missing there.
    """
    if not os.environ.get(BUNDLE_VARIABLE):
        return False
    missing = [path.name for path in map(_bundle, BUNDLED_VERSIONS) if not path.is_file()]
    if missing:
        folder = os.environ[BUNDLE_VARIABLE]
        raise RuntimeError(
            f"{BUNDLE_VARIABLE}={folder}, but there is no {' and no '.join(missing)} in it "
            "(tests/peers/README.md says what they are)"
        )
    return True


def bus_bundles() -> list[str]:
    """The buses that the folder has a bundle for, too: each is one of its own."""
    folder = Path(os.environ.get(BUNDLE_VARIABLE) or os.devnull)
    return [bus for bus, name in BUS_BUNDLES.items() if (folder / name).is_file()]


def _bundle(version: str) -> Path:
    return Path(os.environ[BUNDLE_VARIABLE]).resolve() / f"kkrpc-{version}.mjs"


def server_command(line: Line, port: int = 0) -> list[str]:
    """The command of a server of kkrpc's own, with the API of ``drivers/api.mjs``."""
    driver = str(NODE_DIR / "drivers" / "server.mjs")
    return [find_node(), driver, line.module, line.codec, line.transport, str(port)]


class _Node:
    """A Node process that answers on standard output, a line at a time."""

    def __init__(self, command: Sequence[str], cwd: Path = NODE_DIR) -> None:
        self._process = subprocess.Popen(
            command,
            cwd=cwd,
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

    @property
    def pid(self) -> int:
        """The process id of Node."""
        return self._process.pid

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
    """A server of kkrpc's own, at ``url``; over WebSocket or HTTP.

    Args:
        line: what to run and how to speak.
        port: where to listen; 0 takes a free one.
    """

    def __init__(self, line: Line, port: int = 0) -> None:
        super().__init__(server_command(line, port))
        scheme = {"websocket": "ws", "http": "http"}[line.transport]
        self.port = int(self._answer()["port"])
        self.url = f"{scheme}://127.0.0.1:{self.port}"


class NodeScripts(_Node):
    """A Node process that runs the JavaScript it is given; see ``drivers/scripts.mjs``."""

    def run(self, script: str) -> Any:
        """Run the body of an async function; what it has in scope stands in the driver.

        Returns what it returned, through JSON. Raises NodeError if it threw.
        """
        self.start(script)
        return self.finish()

    def start(self, script: str) -> None:
        """As :meth:`run`, but do not wait for it; :meth:`finish` does."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"script": script}) + "\n")
        self._process.stdin.flush()

    def finish(self) -> Any:
        """What the script that was started returned."""
        answer = self._answer()
        if "error" in answer:
            raise NodeError(answer["error"])
        return answer["value"]


class NodeClient(NodeScripts):
    """A client of kkrpc's own, which runs the JavaScript it is given.

    Args:
        target: the address of the server, or the command of one to start, for stdio.
        line: what to run and how to speak.
    """

    def __init__(self, target: str | Sequence[str], line: Line) -> None:
        driver = str(NODE_DIR / "drivers" / "client.mjs")
        to = target if isinstance(target, str) else json.dumps(target)
        super().__init__([find_node(), driver, line.module, line.codec, to])


class BusNode(NodeScripts):
    """A peer of kkrpc's own on a message bus, which runs the JavaScript it is given.

    Args:
        bus: which kind of it.
        broker: the broker's address.
        name: what all peers share.
        role: ``"server"`` exposes ``drivers/api.mjs``, ``"client"`` nothing.
        own_id: its ``localPeerId``.
        remote_id: its ``remotePeerId``; empty for none.
    """

    def __init__(
        self, bus: str, broker: str, name: str, role: str, own_id: str, remote_id: str = ""
    ) -> None:
        bundle = str(Path(os.environ[BUNDLE_VARIABLE]).resolve() / BUS_BUNDLES[bus])
        driver = str(NODE_DIR / "drivers" / "bus.mjs")
        command = [find_node(), driver, bundle, broker, name, role, own_id]
        super().__init__(command + ([remote_id] if remote_id else []))
        self.run("return 1")  # it is connected
