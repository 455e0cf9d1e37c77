"""The HTTP side of a Vovk server: access, paths, replies and streams, over aiohttp."""

from __future__ import annotations

import asyncio
import dataclasses
import http
from collections.abc import Callable, Sequence
from typing import Any, Final
from urllib.parse import unquote

from aiohttp import hdrs, web

from kkjupyter.errors import ConnectionLost, ProtocolError
from kkjupyter.limits import LimitExceeded, ServerLimits, ServerLoad, size_limit
from kkjupyter.server.access import AccessPolicy, Visit
from kkjupyter.server.interceptors import Interceptor
from kkjupyter.server.listeners.http_body import BadBody, read_body
from kkjupyter.server.listeners.http_heartbeat import BEATS, Beats
from kkjupyter.vovk.server.request import Request
from kkjupyter.vovk.server.response_task import HandlerLoop, OnError, ResponseTask
from kkjupyter.vovk.server.responses import Response, status_reply
from kkjupyter.vovk.server.router import Router
from kkjupyter.wire.values.json_text import dumps
from kkjupyter.wire.vovk.encoding import REPLY_HEADERS, missing_route, stream_headers
from kkjupyter.wire.vovk.schema.model import WireFormat
from kkjupyter.wire.vovk.schema.writing import write_answer, write_metadata

__all__ = ["VovkApp", "VovkClients"]

_PREFLIGHT_S = 600
_WRITES_AT_ONCE = 64
_SCHEMA_PATH = "_schema_"
# White space without a meaning there, for a heartbeat.
_BETWEEN_ITEMS: Final[dict[WireFormat, bytes]] = {"jsonlines": b"\n", "divider": b" "}
_METHODS = "GET, POST, PUT, PATCH, DELETE, HEAD, OPTIONS"


class VovkClients:
    """The running requests.

    Args:
        limits: how many they may be, and more of the kind.

    Attributes:
        count: how many clients are connected; set by the listener.
        load: the count of what clients use at once.
    """

    def __init__(self, limits: ServerLimits | None = None) -> None:
        self.load = ServerLoad(limits)
        self.count: Callable[[], int] = lambda: self.running
        self._answerings: set[ResponseTask] = set()

    def __len__(self) -> int:
        return self.count()

    away = 0  # over HTTP nobody is waited for

    @property
    def running(self) -> int:
        """How many requests run. Any thread."""
        return len(self._answerings)

    def add(self, answering: ResponseTask) -> None:
        """Add a request."""
        self._answerings.add(answering)

    def discard(self, answering: ResponseTask) -> None:
        """Remove a request. Any thread."""
        self._answerings.discard(answering)

    def stop(self) -> None:
        """Cancel all running requests."""
        for answering in list(self._answerings):
            answering.cancel()


@dataclasses.dataclass(slots=True)
class VovkApp:
    """Answers the requests to one publication.

    Attributes:
        publication: what there is.
        clients: told of every request.
        loop: where handlers run; None for the loop that the requests come in on.
        door: who may come in; None leaves that to whoever mounts this.
        prefix: the path of the API, ``"/api"`` or empty; None takes where it is mounted.
        interceptors: around every call.
        validate: whether type hints are held to.
        on_error: told what handlers raise.
        is_told: whether aiohttp cancels the task of a client that is gone.
        gzip: whether the body of a request may be packed.
        on_admitted: called with each request that may come in.
    """

    publication: Router
    clients: VovkClients
    loop: HandlerLoop | None = None
    door: AccessPolicy | None = None
    prefix: str | None = None
    interceptors: Sequence[Interceptor] = ()
    validate: bool = True
    on_error: OnError | None = None
    is_told: bool = False
    gzip: bool = False
    on_admitted: Callable[[web.Request], object] = lambda request: None

    @property
    def wire_format(self) -> WireFormat:
        """The format of streams."""
        return self.publication.wire_format

    def add_to(self, application: web.Application) -> None:
        """Take all paths of ``application``."""
        application.router.add_route("*", "/{path:.*}", self.serve)

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Answer one request, as a handler for aiohttp. Cancelling ends what runs for it."""
        common: dict[str, str] = {}
        turned = self._at_the_door(request, common)
        if turned is not None:
            return _web_response(turned, common)
        self.on_admitted(request)
        raw_path = request.raw_path.partition("?")[0]
        if len(raw_path) > 1 and raw_path.endswith("/"):
            return _redirect(request, common)
        inner = self._inner_path(request, raw_path)
        if inner is None:
            return _web_response(self._missing(request.method, raw_path.strip("/")), common)
        if inner == _SCHEMA_PATH and request.method == hdrs.METH_GET:
            return _web_response(self._schema(), common)
        found = self.publication.find(request.method, inner)
        if found is None:
            return _web_response(self._missing(request.method, inner), common)
        may_hold = self.clients.load.unfinished()
        limits = self.clients.load.limits
        try:
            body = await read_body(
                request,
                limit_bytes=size_limit(limits.message_bytes),
                timeout_s=limits.body_timeout_s,
                gzip=self.gzip,
                may_hold=may_hold,
                is_unpacked=not self.is_told,
            )
        except BadBody as exc:
            refusal = _web_response(self._refusal(exc.status, exc.text), common)
            if exc.is_late:
                refusal.force_close()
            return refusal
        finally:
            may_hold(0)
        published, params = found
        query = self._query(request)
        try:
            asked = Request[Any, Any, Any](
                method=request.method,
                url=f"{request.scheme}://{request.host}{raw_path}{'?' if query else ''}{query}",
                headers=request.headers,
                params=params,
                query_text=query,
                body=body,
                wire_format=self.wire_format,
                remote=request.remote,
                handler=published.handler.title,
                memory_bytes=size_limit(limits.message_memory_bytes),
            )
        except ProtocolError as exc:
            return _web_response(self._refusal(400, str(exc)), common)
        loop = self.loop or _SameLoop()
        load = self.clients.load
        try:
            load.admit(len(body))
        except LimitExceeded as exc:
            return _web_response(self._refusal(503, exc.message), common)
        answering = ResponseTask(published, asked, self, loop, self.clients.discard, load)
        self.clients.add(answering)
        answering.start()
        try:
            return await self._answer(request, answering, common)
        except ConnectionLost:
            return _cut_off(request)
        finally:
            answering.cancel()
            load.release(len(body))

    async def _answer(
        self, request: web.Request, answering: ResponseTask, common: dict[str, str]
    ) -> web.StreamResponse:
        def is_gone() -> bool:
            return request.transport is None or request.transport.is_closing()

        look = None if self.is_told else is_gone
        reply = await answering.opened(look)
        if reply is not None:
            return _web_response(reply, common)
        accept = ", ".join(request.headers.getall(hdrs.ACCEPT, []))
        headers = stream_headers(self.wire_format, accept)
        response = web.StreamResponse(headers=headers | common)
        beats: Beats | None = request.get(BEATS)
        if beats is not None:
            beats.begin_stream(response, _BETWEEN_ITEMS[self.wire_format])
        try:
            await response.prepare(request)  # the head is sent before the first item
            while messages := await answering.read(look):
                await self._write(response, messages)
                if beats is not None:
                    beats.has_written = True
            await response.write_eof()
        except ConnectionError as exc:
            if isinstance(exc, ConnectionLost):
                raise
            raise ConnectionLost(request.path, "the client is gone") from exc
        return response

    async def _write(self, response: web.StreamResponse, messages: list[bytes]) -> None:
        if self.wire_format == "jsonlines":  # the fewer chunks, the less work for all
            messages = [b"".join(messages)]
        # The client of 0.1 loses data that shares a chunk with the beginning of an item.
        for at in range(0, len(messages), _WRITES_AT_ONCE):
            for message in messages[at : at + _WRITES_AT_ONCE]:
                await response.write(message)
            # With a quick reader no write ever waits; but others need the loop, too, and only on it
            # one learns that the client is gone.
            await asyncio.sleep(0)

    # ---- access

    def _at_the_door(self, request: web.Request, common: dict[str, str]) -> Response | None:
        """Why not, or the answer to a preflight; None to go on. ``common``: for every answer."""
        if self.door is None:
            return None
        common[hdrs.SERVER] = "kkjupyter"
        visit = Visit.of(lambda name: request.headers.getall(name, []), request.raw_path)
        origin = visit.origin
        if origin is not None and self.door.admits_origin(origin):
            common[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = origin
            common[hdrs.VARY] = hdrs.ORIGIN
            if _is_preflight(request) and self.door.page_rejection(visit) is None:
                return _preflight_reply(request)
        turned = self.door.rejection(visit)
        return None if turned is None else self._refusal(turned[0], turned[1].strip())

    def _query(self, request: web.Request) -> str:
        """The query without our own secret, which a handler might repeat."""
        text = request.raw_path.partition("?")[2]
        return text if self.door is None else self.door.without_token(text)

    # ---- paths

    def _inner_path(self, request: web.Request, raw_path: str) -> str | None:
        """The path below the API's root, without a slash at its beginning; None if it is not."""
        prefix = self.prefix
        if prefix is None:
            resource = request.match_info.route.resource
            canonical = resource.canonical if resource is not None else ""
            prefix = canonical.removesuffix("/{path}")
        if prefix and raw_path != prefix and not raw_path.startswith(f"{prefix}/"):
            return None
        return raw_path.removeprefix(prefix).removeprefix("/")

    def _missing(self, http_method: str, raw_path: str) -> Response:
        text = missing_route(unquote(raw_path), http_method, wire_format=self.wire_format)
        return self._refusal(404, text)

    def _schema(self) -> Response:
        if self.wire_format == "divider":
            return Response(dumps(write_metadata(self.publication.schema)), 200, REPLY_HEADERS)
        return Response(dumps(write_answer(self.publication.segment)), 200, REPLY_HEADERS)

    def _refusal(self, status: int, text: str) -> Response:
        return status_reply(status, text, wire_format=self.wire_format)


class _SameLoop:
    """The running loop, for handlers in an application of the user's."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()

    def post(self, fn: Callable[..., object], *args: Any) -> None:
        self._loop.call_soon_threadsafe(fn, *args)


def _web_response(reply: Response, common: dict[str, str]) -> web.Response:
    body = reply.body.encode() if isinstance(reply.body, str) else reply.body
    headers = {name.lower(): value for name, value in reply.headers.items()}
    kind = (
        "text/plain; charset=utf-8" if isinstance(reply.body, str) else "application/octet-stream"
    )
    if body:
        headers.setdefault("content-type", kind)
    return web.Response(status=int(reply.status), body=body, headers=headers | common)


def _redirect(request: web.Request, common: dict[str, str]) -> web.Response:
    """Redirect to the address without trailing slashes, as Next does; never to another host."""
    path, mark, query = request.raw_path.partition("?")
    target = "/" + path.strip("/\\") + mark + query
    headers = {hdrs.LOCATION: target, "refresh": f"0;url={target}"}
    return web.Response(status=308, text=target, headers=headers | common)


def _is_preflight(request: web.Request) -> bool:
    asks = hdrs.ACCESS_CONTROL_REQUEST_METHOD in request.headers
    return request.method == hdrs.METH_OPTIONS and asks


def _preflight_reply(request: web.Request) -> Response:
    """The answer to the question that a browser asks before the real request with its token."""
    wanted = request.headers.get(hdrs.ACCESS_CONTROL_REQUEST_HEADERS)
    return Response(
        status=http.HTTPStatus.NO_CONTENT,
        headers={
            hdrs.ACCESS_CONTROL_ALLOW_METHODS: _METHODS,
            hdrs.ACCESS_CONTROL_ALLOW_HEADERS: wanted or "authorization, content-type, x-meta",
            hdrs.ACCESS_CONTROL_MAX_AGE: str(_PREFLIGHT_S),
        },
    )


def _cut_off(request: web.Request) -> web.StreamResponse:
    """Abort the connection: the client must see that the answer is incomplete."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=499)
