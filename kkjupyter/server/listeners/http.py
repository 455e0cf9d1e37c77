"""Serves an object over HTTP: kkrpc, one POST for each call, both protocols at one address."""

from __future__ import annotations

import http
from ssl import SSLContext
from typing import Any

from aiohttp import hdrs, web

from kkjupyter.client.remote import Remote
from kkjupyter.limits import size_limit
from kkjupyter.server.access import AccessPolicy, Visit
from kkjupyter.server.exposed.offer import Exposed
from kkjupyter.server.listeners.http_body import BadBody, read_body
from kkjupyter.server.listeners.http_calls import UnaryClients
from kkjupyter.server.listeners.http_listening import HttpListener
from kkjupyter.server.server import Server

__all__ = ["HttpServer"]

_PREFLIGHT_S = 600


class HttpServer(Server):
    """A served object; made by ``kk.serve(obj, transport="http")``. ``with`` closes it at the end.

    It returns values and errors only: streams and callbacks are refused, as by the peers. A client
    that disconnects during a call cancels it. Any path is answered.

    Attributes:
        url: its address; clients need the token, too: ``Authorization: Bearer``, or ``?token=``.
        port: the TCP port.
        closed: whether :meth:`close` was called.
    """

    _clients: UnaryClients

    def __init__(
        self,
        exposed: Exposed,
        access: AccessPolicy,
        host: str,
        *,
        ssl: SSLContext | None,
        gzip: bool = False,
    ) -> None:
        super().__init__(exposed, UnaryClients(exposed), access, host, "http", ssl)
        self._gzip = gzip
        self._limit_bytes = size_limit(exposed.limits.message_bytes)
        self._listener: HttpListener | None = None

    def connect(self, **options: Any) -> Remote:
        """Connect to this server with its token; ``options`` as for :func:`kkjupyter.connect`.

        The protocol is compact unless ``protocol`` names another.
        """
        options.setdefault("protocol", "compact")
        return super().connect(**options)

    # ---- I/O loop only

    async def _listen(self, port: int) -> int:
        app = web.Application(client_max_size=self._limit_bytes)
        app.router.add_route("*", "/{path:.*}", self._serve)
        self._listener = HttpListener(app, self._host, self._ssl, self._clients.load)
        return await self._listener.start(port)

    async def _stop_listening(self) -> None:
        if self._listener is not None:
            await self._listener.stop()

    async def _serve(self, request: web.Request) -> web.Response:
        visit = Visit.of(lambda name: request.headers.getall(name, []), request.raw_path)
        answer = self._preflight(request, visit) or await self._answer(request, visit)
        answer.headers[hdrs.SERVER] = "kkjupyter"
        origin = visit.origin
        if origin is not None and self._access.admits_origin(origin):
            answer.headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = origin
            answer.headers[hdrs.VARY] = hdrs.ORIGIN
        return answer

    def _preflight(self, request: web.Request, visit: Visit) -> web.Response | None:
        """Answer the question that a browser asks before the real request with its token."""
        asks = hdrs.ACCESS_CONTROL_REQUEST_METHOD in request.headers
        if request.method != hdrs.METH_OPTIONS or visit.origin is None or not asks:
            return None
        if self._access.page_rejection(visit) is not None:
            return None  # turned away like everything else from there
        return web.Response(
            status=http.HTTPStatus.NO_CONTENT,
            headers={
                hdrs.ACCESS_CONTROL_ALLOW_METHODS: hdrs.METH_POST,
                hdrs.ACCESS_CONTROL_ALLOW_HEADERS: "authorization, content-type",
                hdrs.ACCESS_CONTROL_MAX_AGE: str(_PREFLIGHT_S),
            },
        )

    async def _answer(self, request: web.Request, visit: Visit) -> web.Response:
        turned = self._access.rejection(visit)
        if turned is not None:
            return web.Response(status=turned[0], text=turned[1])
        if self._listener is not None:
            self._listener.know(request)
        if request.method != hdrs.METH_POST:
            return web.Response(status=405, headers={hdrs.ALLOW: "POST, OPTIONS"})
        may_hold = self._clients.load.unfinished()
        try:
            body = await read_body(
                request,
                limit_bytes=self._limit_bytes,
                timeout_s=self._clients.load.limits.body_timeout_s,
                gzip=self._gzip,
                may_hold=may_hold,
            )
            answer = await self._clients.answer(body)
        except BadBody as exc:
            refusal = web.Response(status=exc.status, text=f"{exc.text}\n")
            if exc.is_late:
                refusal.force_close()
            return refusal
        finally:
            may_hold(0)
        if not answer.understood:
            return web.Response(status=400, body=answer.body, content_type="text/plain")
        return web.Response(body=answer.body, content_type="application/json")
