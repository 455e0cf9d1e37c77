"""A Vovk server with its own port."""

from __future__ import annotations

from ssl import SSLContext
from typing import Any

from aiohttp import web

from kkjupyter.client.remote import Remote
from kkjupyter.limits import size_limit
from kkjupyter.server.access import AccessPolicy
from kkjupyter.server.listeners.http_listening import HttpListener
from kkjupyter.server.server import Server
from kkjupyter.vovk.server.http_app import VovkApp, VovkClients
from kkjupyter.wire.vovk.schema.writing import write_metadata, write_schema

__all__ = ["VovkServer"]


class VovkServer(Server):
    """Served controllers; made by ``vovk.serve([...])``. ``with`` closes it at the end.

    Attributes:
        url: the API's address, for ``kk.connect``; clients need the token, too.
        port: the TCP port.
        closed: whether it was closed.
        schema: its schema for clients; the same that it answers to ``_schema_``.
    """

    _clients: VovkClients

    def __init__(
        self, face: VovkApp, door: AccessPolicy, host: str, *, ssl: SSLContext | None
    ) -> None:
        super().__init__(None, face.clients, door, host, "http", ssl)
        self._face = face
        self._path = face.prefix or ""
        self._listener: HttpListener | None = None

    @property
    def schema(self) -> dict[str, Any]:
        """A ``vovk-metadata.json`` if it serves old clients, else a schema of 3.x."""
        schema = self._face.publication.schema
        if schema.wire_format == "divider":
            return write_metadata(schema)
        return write_schema(schema)

    @property
    def callable_names(self) -> tuple[str, ...]:
        """What clients can call: the handlers, as ``"HelloRPC.streamTokens"``."""
        return tuple(one.handler.title for one in self._face.publication.handlers)

    def connect(self, **options: Any) -> Remote:
        """Connect to this server with its token; ``options`` as for :func:`kkjupyter.connect`."""
        options.setdefault("schema", self.schema)
        return super().connect(**options)

    # ---- I/O loop only

    async def _listen(self, port: int) -> int:
        app = web.Application(client_max_size=size_limit(self._clients.load.limits.message_bytes))
        self._face.add_to(app)
        listener = self._listener = HttpListener(app, self._host, self._ssl, self._clients.load)
        self._face.on_admitted = listener.know
        self._clients.count = lambda: listener.connections
        return await listener.start(port)

    async def _stop_listening(self) -> None:
        if self._listener is not None:
            await self._listener.stop()
