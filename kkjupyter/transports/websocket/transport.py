"""The transport over WebSocket, on the library ``websockets``."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
from collections.abc import Sequence

from websockets.exceptions import ConnectionClosed
from websockets.frames import CloseCode
from websockets.protocol import State

from kkjupyter.transports.base import Owner
from kkjupyter.transports.stalls import StallWatch
from kkjupyter.transports.websocket.protocol import PushConnection

__all__ = ["WebSocketTransport"]

PING_INTERVAL_S = 20.0
PONG_TIMEOUT_S = 20.0
WRITE_TIMEOUT_S = 300.0
CLOSE_TIMEOUT_S = 1.0
_SHORT_QUEUE_BYTES = 256 * 1024
# A pause of this length is more than a hiccup of a reader that keeps up, even on a busy machine.
# After as long without a pause the kernel may hold as much as it likes again, because hundreds of
# megabytes can arrive in a second. A look into a paused connection is shorter.
_SHORTEN_S = 0.25
_LENGTHEN_S = 0.25
# Linux (since 5.14): whether it may change the size of a queue whose size was set; Python has no
# name for it.
_SO_BUF_LOCK = 72


class WebSocketTransport:
    """One open WebSocket connection, client or server side.

    Args:
        connection: an open one that was not read from yet.
        url: its name in messages.
        ping_interval_s: how often to ping the peer; None never.
        pong_timeout_s: how long it may take to answer a ping.
        write_timeout_s: how long the peer may read nothing of what waits for it (a ping would wait
            behind that); None for no limit.
        front: what stands in front of the peer and opened the connection in its place; see
            :func:`in_front`.
    """

    keeps_boundaries = True

    def __init__(
        self,
        connection: PushConnection,
        url: str,
        *,
        ping_interval_s: float | None = PING_INTERVAL_S,
        pong_timeout_s: float = PONG_TIMEOUT_S,
        write_timeout_s: float | None = WRITE_TIMEOUT_S,
        front: str = "",
    ) -> None:
        self.url = url
        self._front = front  # emptied when the peer itself is heard
        self._connection = connection
        self._owner: Owner | None = None
        self._paused = False
        self._queue_is_short = False
        self._shortening: asyncio.TimerHandle | None = None
        self._lengthening: asyncio.TimerHandle | None = None
        self._ping_interval_s = ping_interval_s
        self._pong_timeout_s = pong_timeout_s
        self._write_timeout_s = write_timeout_s
        self._stall_watch: StallWatch | None = None
        self._abort_reason: str | None = None
        self._tasks: list[asyncio.Task[None]] = []

    def open(self, owner: Owner) -> None:
        self._owner = owner
        early = self._connection.attach(self)
        if early:
            self._front = ""
            owner.data_received(early)
        loop = asyncio.get_running_loop()
        self._tasks.append(loop.create_task(self._watch_close()))
        if self._ping_interval_s is not None:
            self._tasks.append(loop.create_task(self._keep_alive(self._ping_interval_s)))
        if self._write_timeout_s is not None:
            self._stall_watch = StallWatch(
                self._connection.transport, self._write_timeout_s, self._stalled
            )

    def send(self, messages: Sequence[bytes]) -> None:
        connection = self._connection
        if connection.protocol.state is not State.OPEN:
            return
        # Not writelines(): in Python 3.12 and 3.13 it never calls pause_writing(), and a peer that
        # does not read would not be noticed.
        connection.write(messages)

    def send_here(self, message: bytes) -> bool:
        return self._connection.write_here(message)

    @property
    def writable(self) -> bool:
        return not self._connection.paused

    def pause_reading(self) -> None:
        if not self._paused:
            self._paused = True
            loop = asyncio.get_running_loop()
            self._shortening = loop.call_later(_SHORTEN_S, self._shorten_queue)
            self._connection.hold()

    def _shorten_queue(self) -> None:
        """Have the kernel hold little unread data: a ping waits behind all of it.

        Only after reading was paused, because Linux lets the queue grow to tens of megabytes for
        speed, which a reader slower than the peer does not need. And only where it can be undone,
        because the same connection may be read at full speed later.
        """
        if self._lengthening is not None:
            self._lengthening.cancel()
            self._lengthening = None
        sock = self._socket_of_linux()
        if sock is not None and not self._queue_is_short:
            with contextlib.suppress(OSError):  # closed already, or an older kernel
                sock.getsockopt(socket.SOL_SOCKET, _SO_BUF_LOCK)
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SHORT_QUEUE_BYTES)
                self._queue_is_short = True

    def _lengthen_queue(self) -> None:
        self._lengthening = None
        self._queue_is_short = False
        sock = self._socket_of_linux()
        if sock is not None:
            with contextlib.suppress(OSError):  # closed already
                sock.setsockopt(socket.SOL_SOCKET, _SO_BUF_LOCK, 0)

    def _socket_of_linux(self) -> socket.socket | None:
        if sys.platform != "linux":  # other systems keep a size that was set
            return None
        found: socket.socket | None = self._connection.transport.get_extra_info("socket")
        return found

    def resume_reading(self) -> None:
        if self._paused:
            self._paused = False
            if self._shortening is not None:
                self._shortening.cancel()
            if self._queue_is_short and self._lengthening is None:
                loop = asyncio.get_running_loop()
                self._lengthening = loop.call_later(_LENGTHEN_S, self._lengthen_queue)
            self._connection.let_go()

    async def close(self) -> None:
        self.resume_reading()  # otherwise the closing handshake is never read
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await self._connection.close()
        except TimeoutError:
            self.abort()
        except BaseException:
            self.abort()
            raise

    def refuse(self, text: str) -> None:
        """Close the connection and tell the peer why, in a few words; returns at once."""

        async def close() -> None:
            await self._connection.close(CloseCode.POLICY_VIOLATION, text)

        self._tasks.append(asyncio.get_running_loop().create_task(close()))

    def abort(self) -> None:
        self._connection.abort()

    async def wait_closed(self) -> None:
        """Wait until the connection is gone. Cancelling is safe."""
        await self._connection.wait_closed()

    def take(self, messages: list[bytes]) -> None:
        """Called by the connection."""
        self._front = ""
        if self._owner is not None:
            self._owner.data_received(messages)

    def may_write(self) -> None:
        """Called by the connection."""
        if self._owner is not None:
            self._owner.writable()

    def _stalled(self) -> None:
        self._abort_reason = f"the other side read nothing for {self._write_timeout_s:g} s"
        self.abort()

    async def _watch_close(self) -> None:
        await self._connection.wait_closed()
        if self._stall_watch is not None:
            self._stall_watch.stop()
        for task in self._tasks[1:]:
            task.cancel()
        for timer in (self._shortening, self._lengthening):
            if timer is not None:
                timer.cancel()
        owner, self._owner = self._owner, None
        if owner is not None:
            owner.closed(self._abort_reason or _close_reason(self._connection) + self._unheard())

    def _unheard(self) -> str:
        """What may be wrong with a peer that something in front of it did not let us hear."""
        if not self._front:
            return ""
        return (
            f"; {self._front} in front of it let this client in, so the endpoint behind that is "
            "not running, or wants a (different) token: pass token=..."
        )

    async def _keep_alive(self, interval_s: float) -> None:
        """Send pings, but only while we read: an unread pong in the socket proves nothing."""
        while True:
            await asyncio.sleep(interval_s)
            if self._connection.is_paused or not self.writable:
                continue
            self._connection.has_paused = False
            try:
                pong = await self._connection.ping()
                async with asyncio.timeout(self._pong_timeout_s):
                    await pong
            except TimeoutError:
                if self.writable and not self._connection.has_paused:
                    self._abort_reason = f"no answer to a ping within {self._pong_timeout_s:g} s"
                    self.abort()
                    return
            except ConnectionClosed:
                return


def _close_reason(connection: PushConnection) -> str:
    sent = connection.protocol.close_sent
    if sent is not None and sent.code == CloseCode.MESSAGE_TOO_BIG:
        return "the other side sent a message that is too big"
    code = connection.close_code
    text = connection.close_reason
    if code in (1000, 1001, 1005):
        return f"closed by the other side ({text})" if text else "closed by the other side"
    if code == 1006 or code is None:
        return "the connection broke off"
    return f"closed with code {code}" + (f" ({text})" if text else "")
