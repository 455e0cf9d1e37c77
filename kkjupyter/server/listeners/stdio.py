"""Serves an object over this process's own stdin and stdout."""

from __future__ import annotations

import dataclasses
import os
from typing import Final

from kkjupyter.limits import ClientLimits, ServerLimits
from kkjupyter.runtime.waiting import run_blocking
from kkjupyter.server.clients import Clients
from kkjupyter.server.exposed.offer import Exposed
from kkjupyter.server.finishing import let_finish
from kkjupyter.transports.stdio.server import FilesTransport, own_stdio

__all__ = ["StdioServer", "take_stdio"]

# The only client has started this program and can do anything to it, so its messages may be as long
# as those that a client accepts.
_LIKE_A_CLIENT: Final = ClientLimits()
_LIMITS: Final = ServerLimits(
    message_bytes=_LIKE_A_CLIENT.message_bytes,
    message_memory_bytes=_LIKE_A_CLIENT.message_memory_bytes,
)


class StdioServer:
    """The only connection of a served program; made by :func:`take_stdio`.

    Attributes:
        at_terminal: whether stdin is a terminal, so that a person probably started this program.
    """

    def __init__(self, transport: FilesTransport, *, at_terminal: bool) -> None:
        self.at_terminal = at_terminal
        self._transport = transport

    def serve(self, exposed: Exposed) -> None:
        """Serve ``exposed``, with limits for stdio, and wait in plain code until stdin ends."""
        run_blocking(self._serve(Clients(dataclasses.replace(exposed, limits=_LIMITS))))

    def close(self) -> None:
        """Disconnect, and let running handlers end. Idempotent; waits briefly."""
        run_blocking(self._transport.close())
        let_finish()  # the cancels were posted when the connection closed

    async def _serve(self, clients: Clients) -> None:
        clients.add(self._transport)
        await self._transport.wait_closed()


def take_stdio() -> StdioServer:
    """Take stdin and stdout for a connection; from now on all printed output goes to stderr."""
    at_terminal = os.isatty(0)
    return StdioServer(own_stdio(), at_terminal=at_terminal)
