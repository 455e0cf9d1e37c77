"""Detects a peer that reads nothing, or that has vanished.

The system reports neither: it offers unsent data for ever to a peer that does not read, and for a
quarter of an hour to a machine that is gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import sys
from collections.abc import Callable
from typing import Any, Final

__all__ = ["StallWatch", "set_keepalive"]

_LOOKS: Final = 4
# Of struct tcp_info (Linux 4.1): how many bytes the peer's system has acknowledged.
_TCP_INFO_BYTES: Final = 128
_ACKED_AT: Final = 120


def set_keepalive(sock: Any, silence_timeout_s: float) -> None:
    """Have the system probe the peer's machine when the peer is silent.

    If the machine is gone, a connection with nothing unsent ends after ``silence_timeout_s``: half
    of that passes in silence, in the other half the machine is probed four times.

    Args:
        sock: a socket; one that is closed, or is not TCP, is left alone.
        silence_timeout_s: in seconds; systems count each half in whole seconds, at least one.
    """
    idle_s = max(1, round(silence_timeout_s / 2))
    each_s = max(1, round(silence_timeout_s / 2 / _LOOKS))
    values = {"TCP_KEEPIDLE": idle_s, "TCP_KEEPINTVL": each_s, "TCP_KEEPCNT": _LOOKS}
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in values.items():
            if hasattr(socket, name):  # not every system has all of them
                sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


class StallWatch:
    """Checks now and then whether a peer reads what waits for it. On the transport's loop.

    Args:
        transport: a connection.
        timeout_s: how long the peer may read nothing, in seconds; noticed at most a quarter later.
        on_stall: called once after that; it must end the connection.
        is_excused: whether the limit does not apply at present.
    """

    def __init__(
        self,
        transport: asyncio.WriteTransport,
        timeout_s: float,
        on_stall: Callable[[], object],
        is_excused: Callable[[], bool] = lambda: False,
    ) -> None:
        self._transport = transport
        self._interval_s = timeout_s / _LOOKS
        self._on_stall = on_stall
        self._is_excused = is_excused
        self._looks = 0
        self._taken = _taken_bytes(transport)
        self._waiting_bytes = 0
        self._loop = asyncio.get_running_loop()
        self._timer = self._loop.call_later(self._interval_s, self._look)

    def stop(self) -> None:
        """Stop checking: the connection is gone. Idempotent."""
        self._timer.cancel()

    def _look(self) -> None:
        taken, waiting_bytes = _taken_bytes(self._transport), _waiting_bytes(self._transport)
        has_moved = waiting_bytes < self._waiting_bytes if taken is None else taken != self._taken
        self._taken, self._waiting_bytes = taken, waiting_bytes
        if has_moved or not waiting_bytes or self._is_excused():
            self._looks = 0
        else:
            self._looks += 1
        if self._looks > _LOOKS:  # the first may have come just after something was sent
            self._on_stall()
        else:
            self._timer = self._loop.call_later(self._interval_s, self._look)


def _waiting_bytes(transport: asyncio.WriteTransport) -> int:
    """How much the peer has not read, here and, where the system tells it, in the system."""
    size_bytes = transport.get_write_buffer_size()
    sock = transport.get_extra_info("socket")
    if sys.platform == "linux" and sock is not None and sock.fileno() >= 0:
        import fcntl
        import termios

        with contextlib.suppress(OSError):
            (unacked_bytes,) = struct.unpack("i", fcntl.ioctl(sock, termios.TIOCOUTQ, bytes(4)))
            size_bytes += unacked_bytes
    return size_bytes


def _taken_bytes(transport: asyncio.WriteTransport) -> int | None:
    """How much the peer's system has acknowledged so far; None where that is not known."""
    sock = transport.get_extra_info("socket")
    if sys.platform != "linux" or sock is None or sock.fileno() < 0:
        return None
    try:
        info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_BYTES)
    except OSError:  # not TCP, or closed
        return None
    if len(info) < _TCP_INFO_BYTES:  # an older kernel
        return None
    (acked_bytes,) = struct.unpack_from("Q", info, _ACKED_AT)
    return int(acked_bytes)
