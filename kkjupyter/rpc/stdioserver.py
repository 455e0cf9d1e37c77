"""Serving an object over this process's own stdin and stdout."""

from __future__ import annotations

import dataclasses
import os
from typing import Final

from kkjupyter.rpc.blocking import run_blocking
from kkjupyter.rpc.clients import Clients
from kkjupyter.rpc.exposed import Exposed
from kkjupyter.rpc.finishing import let_finish
from kkjupyter.rpc.limits import ServerLimits
from kkjupyter.transports.ownstdio import FilesTransport, own_stdio
from kkjupyter.wire.framing import DEFAULT_LIMIT_BYTES
from kkjupyter.wire.weight import DEFAULT_MEMORY_BYTES

__all__ = ["StdioServer", "take_stdio"]

# The one client has started this program and can do anything to it; so its messages may be as long
# as those that a client takes.
_LIMITS: Final = ServerLimits(
    message_bytes=DEFAULT_LIMIT_BYTES, message_memory_bytes=DEFAULT_MEMORY_BYTES
)


class StdioServer:
    """The one connection of a program that is served; made by :func:`take_stdio`.

    Attributes:
        at_terminal: whether stdin is a terminal, so that most likely somebody has started this
            program by hand.
    """

    def __init__(self, transport: FilesTransport, *, at_terminal: bool) -> None:
        self.at_terminal = at_terminal
        self._transport = transport

    def serve(self, exposed: Exposed) -> None:
        """Serve ``exposed`` until stdin ends, waiting in plain code. Its limits are those for this."""
        run_blocking(self._serve(Clients(dataclasses.replace(exposed, limits=_LIMITS))))

    def close(self) -> None:
        """Disconnect, and let what was running end. Idempotent; waits briefly."""
        run_blocking(self._transport.close())
        let_finish()  # the cancels were posted when the connection closed

    async def _serve(self, clients: Clients) -> None:
        clients.add(self._transport)
        await self._transport.wait_closed()


def take_stdio() -> StdioServer:
    """Take stdin and stdout for a connection; from now on whatever is printed goes to stderr."""
    at_terminal = os.isatty(0)
    return StdioServer(own_stdio(), at_terminal=at_terminal)
