"""A proxy that knows CONNECT, and leads to this machine whatever host it is asked for."""

from __future__ import annotations

import asyncio
import base64
import ssl

from support.servers.loop_server import LoopServer

__all__ = ["ConnectProxy"]


class ConnectProxy(LoopServer):
    """A context manager.

    Args:
        answer: the status line it answers with instead of letting through, or what it says at all
            if that ends a line.
        user_info: ``"user:password"`` that it wants to be shown.
        tls: a context for an ``https://`` proxy.

    Attributes:
        address: ``http://127.0.0.1:port``.
        asked: the hosts and ports it was asked for.
        sent_bytes: how much went through from clients.
        received_bytes: how much went through to clients.
    """

    def __init__(
        self, answer: str = "", user_info: str = "", tls: ssl.SSLContext | None = None
    ) -> None:
        super().__init__(tls)
        self.asked: list[str] = []
        self.sent_bytes = 0
        self.received_bytes = 0
        self._answer = answer
        self._user_info = user_info

    @property
    def address(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("ascii")
        asked = head.split()[1]
        self.asked.append(asked)
        shown = base64.b64encode(self._user_info.encode()).decode()
        answer = self._answer
        if self._user_info and f"\r\nProxy-Authorization: Basic {shown}\r\n" not in head:
            answer = "407 Proxy Authentication Required"
        if answer:
            line = answer if answer.endswith("\n") else f"HTTP/1.1 {answer}\r\n\r\n"
            writer.write(line.encode())
            await writer.drain()
            return
        port = int(asked.rpartition(":")[2])
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            there = asyncio.create_task(self._relay(reader, far_writer, sent=True))
            back = asyncio.create_task(self._relay(far_reader, writer, sent=False))
            try:
                await asyncio.wait({there, back}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                there.cancel()
                back.cancel()
                await asyncio.gather(there, back, return_exceptions=True)
        finally:
            far_writer.transport.abort()

    async def _relay(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, sent: bool
    ) -> None:
        while data := await reader.read(65_536):
            if sent:
                self.sent_bytes += len(data)
            else:
                self.received_bytes += len(data)
            writer.write(data)
            await writer.drain()
