"""Peers that send as much as they can, whatever it is, and read or do not read what comes."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

__all__ = [
    "CONTINUATION",
    "PING",
    "TEXT",
    "flooding",
    "frame",
    "hostile_server",
    "open_socket",
    "worst_cpu_s",
]

CONTINUATION, TEXT, PING = 0, 1, 9
_PATIENCE_S = 15.0
_SLICE_S = 0.2


def frame(
    payload: bytes, opcode: int = TEXT, *, is_last: bool = True, masked: bool = True
) -> bytes:
    """One WebSocket frame; a client's is masked, with zeros."""
    head = bytes([(0x80 if is_last else 0) | opcode])
    mask_bit, size = 0x80 if masked else 0, len(payload)
    if size < 126:
        head += bytes([mask_bit | size])
    elif size < 2**16:
        head += struct.pack(">BH", mask_bit | 126, size)
    else:
        head += struct.pack(">BQ", mask_bit | 127, size)
    return head + (bytes(4) if masked else b"") + payload


def _read_head(sock: socket.socket) -> bytes:
    head = b""
    while b"\r\n\r\n" not in head:
        data = sock.recv(4096)
        assert data, "the connection ended in the handshake"
        head += data
    return head


def open_socket(url: str, *headers: str) -> socket.socket:
    """A WebSocket connection, the handshake over; with a token if a header says it."""
    more = "".join(f"{header}\r\n" for header in headers)
    port = urlsplit(url).port
    sock = socket.create_connection(("127.0.0.1", port), timeout=_PATIENCE_S)
    key = base64.b64encode(os.urandom(16)).decode()
    sock.sendall(
        f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\n"
        f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
        f"Sec-WebSocket-Version: 13\r\n{more}\r\n".encode()
    )
    _read_head(sock)
    return sock


def _drain(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while sock.recv(1024 * 1024):
            pass


def _send_for_ever(sock: socket.socket, blob: bytes, stopped: threading.Event) -> None:
    sock.settimeout(_SLICE_S)
    rest = memoryview(blob)
    while not stopped.is_set():
        try:
            rest = rest[sock.send(rest) :] or memoryview(blob)
        except TimeoutError:
            pass  # it is not read just now
        except OSError:
            return


@contextlib.contextmanager
def flooding(
    url: str, blob: bytes, *, first: bytes = b"", clients: int = 1, reads: bool = True
) -> Iterator[None]:
    """Clients that send ``first`` and then ``blob`` again and again, until the block is left."""
    stopped = threading.Event()
    sockets = [open_socket(url) for _ in range(clients)]
    threads: list[threading.Thread] = []
    for sock in sockets:
        sock.sendall(first)
        threads.append(threading.Thread(target=_send_for_ever, args=(sock, blob, stopped)))
        if reads:
            threads.append(threading.Thread(target=_drain, args=(sock,)))
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stopped.set()
        for sock in sockets:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join(_PATIENCE_S)
        for sock in sockets:
            sock.close()


def _answer_handshake(sock: socket.socket) -> None:
    lines = _read_head(sock).decode().split("\r\n")
    (key,) = [
        line.partition(":")[2].strip()
        for line in lines
        if line.lower().startswith("sec-websocket-key:")
    ]
    digest = hashlib.sha1(f"{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode()).digest()
    sock.sendall(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Accept: {base64.b64encode(digest).decode()}\r\n\r\n".encode()
    )


@contextlib.contextmanager
def hostile_server(blob: bytes) -> Iterator[str]:
    """A WebSocket server that sends ``blob`` again and again to who comes first; its address."""
    stopped = threading.Event()

    def serve() -> None:
        with contextlib.suppress(OSError):
            sock, _ = listener.accept()
            with sock:
                _answer_handshake(sock)
                reader = threading.Thread(target=_drain, args=(sock,))
                reader.start()
                _send_for_ever(sock, blob, stopped)
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)
                reader.join(_PATIENCE_S)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(_PATIENCE_S)
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"ws://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            stopped.set()
            thread.join(_PATIENCE_S)


def worst_cpu_s(ask: Callable[[], object], for_s: float) -> float:
    """What one answer costs at worst, in seconds of this process's CPU; asked every 20 ms.

    Not of a clock's: what others do on the machine does not count. Once at least.
    """
    end_s = time.monotonic() + for_s
    worst_s = 0.0
    while True:
        began_s = time.process_time()
        ask()
        worst_s = max(worst_s, time.process_time() - began_s)
        if time.monotonic() >= end_s:
            return worst_s
        time.sleep(0.02)
