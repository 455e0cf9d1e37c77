"""The other side of a connection, played by the test message by message."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.sync.server import serve

from kkjupyter.connection.negotiation import make_protocol
from kkjupyter.wire.events import Event
from kkjupyter.wire.kkrpc.base import Codec

__all__ = ["RawPeer", "raw_client", "raw_server"]

PATIENCE_S = 15.0


class RawPeer:
    """One end of a WebSocket that does only what the test has it do.

    Args:
        connection: of ``websockets.sync``.
        protocol: makes and reads its messages.
        codec: theirs.

    Attributes:
        wire: what makes the messages, for :meth:`send`.
    """

    def __init__(self, connection: Any, protocol: str, codec: Codec = "json") -> None:
        self.wire: Any = make_protocol(protocol, codec)
        self._connection = connection
        self._events: deque[Event] = deque()

    def send(self, *messages: bytes) -> None:
        for message in messages:
            self._connection.send(message.decode())

    def send_json(self, **message: Any) -> None:
        self._connection.send(json.dumps(message) + "\n")

    def receive(self, timeout_s: float = PATIENCE_S) -> Any:
        """The next event; TimeoutError if there is none."""
        while not self._events:
            data = self._connection.recv(timeout=timeout_s)
            chunk = data.encode() if isinstance(data, str) else data
            self._events.extend(self.wire.receive([chunk], whole=True))
        return self._events.popleft()

    def receive_text(self, timeout_s: float = PATIENCE_S) -> str:
        """The next frame as it is; not to be mixed with :meth:`receive`."""
        data = self._connection.recv(timeout=timeout_s)
        return data if isinstance(data, str) else data.decode()

    def take(self, count: int) -> list[Any]:
        return [self.receive() for _ in range(count)]

    def is_quiet(self, for_s: float = 0.1) -> bool:
        """Whether nothing comes."""
        try:
            event = self.receive(for_s)
        except TimeoutError:
            return True
        self._events.appendleft(event)
        return False

    def call(self, method: str, *args: Any) -> Any:
        """Send a request; return the answer."""
        self.send(self.wire.request(self.wire.new_id(), "call", method.split("."), args))
        return self.receive()

    def vanish(self) -> None:
        """Close the socket without a word."""
        self._connection.socket.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def raw_client(url: str, protocol: str, codec: Codec = "json") -> Iterator[RawPeer]:
    """A client of a server without a token."""
    # It may not have read what lies before the server's answer to the closing.
    with connect(url, compression=None, max_size=None, close_timeout=0.2) as connection:
        yield RawPeer(connection, protocol, codec)


@contextlib.contextmanager
def raw_server(
    play: Callable[[RawPeer], object], protocol: str = "compact", codec: Codec = "json"
) -> Iterator[str]:
    """A server that has ``play(peer)`` called for each connection; gives its address.

    The connection ends when ``play`` returns. What ``play`` raises fails the test.
    """
    problems: list[BaseException] = []

    def handle(connection: Any) -> None:
        try:
            play(RawPeer(connection, protocol, codec))
        except (ConnectionClosed, TimeoutError):
            pass  # the client has left
        except BaseException as problem:  # noqa: BLE001  raised below
            problems.append(problem)

    with serve(handle, "127.0.0.1", 0, compression=None, max_size=None) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}"
        finally:
            server.shutdown()
            thread.join(5)
            _await_handlers()
    if problems:
        raise problems[0]


def _await_handlers() -> None:
    deadline_s = time.monotonic() + 5
    while any(t.name.startswith("connection-handler") for t in threading.enumerate()):
        if time.monotonic() > deadline_s:
            return
        time.sleep(0.01)
