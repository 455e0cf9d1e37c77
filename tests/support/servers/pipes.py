"""Serving an object inside this process over two pipes, as a program's stdin and stdout are."""

from __future__ import annotations

import itertools
import os
from collections.abc import Sequence
from typing import Any

from kkjupyter.api.in_process import MemoryServer
from kkjupyter.errors import ConnectError
from kkjupyter.limits import ServerLimits
from kkjupyter.server.exposed.offer import Exposed
from kkjupyter.server.exposed.reach import Reach
from kkjupyter.server.exposed.writable import WritableOption, permission
from kkjupyter.server.interceptors import Interceptor
from kkjupyter.transports.base import Transport
from kkjupyter.transports.stdio.server import FilesTransport

__all__ = ["serve_over_pipes"]

_numbers = itertools.count(1)


class _PipeServer(MemoryServer):
    async def _dial(self) -> Transport:
        if self.closed:
            raise ConnectError(self.url, "the server is closed")
        ours_read, theirs_write = os.pipe()
        theirs_read, ours_write = os.pipe()
        far = FilesTransport(theirs_read, theirs_write, "stdin")
        self._ends.append(far)  # type: ignore[arg-type]
        self._clients.add(far)
        return FilesTransport(ours_read, ours_write, self.url)


def serve_over_pipes(
    obj: Any,
    *,
    interceptors: Sequence[Interceptor] = (),
    writable: WritableOption = (),
    debug: bool = False,
    limits: ServerLimits | None = None,
) -> MemoryServer:
    """As :func:`kkjupyter.api.in_process.serve_in_memory`, over pipes that keep no boundaries."""
    reach = Reach(obj)
    exposed = Exposed(
        reach,
        interceptors,
        permission=permission(writable, reach),
        debug=debug,
        limits=limits or ServerLimits(),
    )
    return _PipeServer(exposed, f"stdio:{next(_numbers)}")
