"""HTTP as plain sockets speak it: half a request, one too long, a reply that nobody reads."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

__all__ = ["head", "raw_socket", "read_to_end"]


@contextlib.contextmanager
def raw_socket(
    port: int, timeout_s: float = 15.0, receive_bytes: int = 0
) -> Iterator[socket.socket]:
    """A connection to a port of this machine.

    Args:
        port: where to.
        timeout_s: for each operation.
        receive_bytes: how much the system may take that is not read; 0 leaves that to it.
    """
    with socket.socket() as sock:
        if receive_bytes:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        sock.settimeout(timeout_s)
        sock.connect(("127.0.0.1", port))
        yield sock


def head(method: str, path: str, token: str | None = None, *lines: str) -> bytes:
    """The head of a request, complete."""
    shown = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", *lines]
    if token:
        shown.append(f"Authorization: Bearer {token}")
    return "\r\n".join([*shown, "", ""]).encode()


def read_to_end(sock: socket.socket) -> bytes:
    """All that comes until the other side closes; TimeoutError if it does not."""
    received = b""
    with contextlib.suppress(ConnectionError):
        while data := sock.recv(65_536):
            received += data
    return received
