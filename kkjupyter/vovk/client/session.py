"""The connection to a Vovk server: a schema, and a pool of HTTP connections."""

from __future__ import annotations

import asyncio
import ssl as ssl_module
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from kkjupyter.argument_checks import check_seconds
from kkjupyter.calls.state import CallState
from kkjupyter.client.http.requests import Requests
from kkjupyter.client.session import note_session
from kkjupyter.errors import ConnectError, ConnectionLost, ConnectTimeout, ProtocolError, UsageError
from kkjupyter.limits import ClientLimits
from kkjupyter.redaction import without_secrets
from kkjupyter.transports.http.client import HttpClient, HttpReply, check_http_url, encoded_url
from kkjupyter.transports.websocket.handshake import request_headers
from kkjupyter.vovk.client.call import VovkState
from kkjupyter.vovk.client.caller import VovkCaller
from kkjupyter.vovk.client.exchange import Exchange
from kkjupyter.vovk.client.fetchers import Fetch, Fetcher
from kkjupyter.vovk.client.json_schema.library import load_library
from kkjupyter.vovk.client.schema_sources import SchemaSource, is_address, load_schema, parse_json
from kkjupyter.wire.vovk.request import HttpRequest, default_api_root
from kkjupyter.wire.vovk.schema.model import Schema
from kkjupyter.wire.vovk.schema.reading import META_FILE, read_files, read_schema

__all__ = ["VovkSession"]

# A stream holds a connection for as long as it runs.
_MAX_REQUESTS = 1024
# A server in development builds a route at its first request.
_SCHEMA_S = 30.0
_ENDPOINT = "_schema_"


class VovkSession(VovkCaller):
    """Calls to one Vovk server, many at a time; used like a session over a channel.

    A call is one request, sent once; cancelling it aborts the request.

    Args:
        url: ``http://`` or ``https://``; secrets in it are never shown.
        schema: the server's schema; None asks its ``_schema_``.
        headers: sent with every request.
        ssl: a context for ``https://``; the library's default otherwise.
        proxy: an address; True for the one in the environment; None or False for no proxy.
        connect_timeout_s: for connecting, in seconds.
        no_schema: makes the error to raise if ``_schema_`` does not answer, from the reason.
        limits: how large a reply, or a value of a stream, may be.
        options: see :class:`~kkjupyter.vovk.client.caller.VovkCaller`.

    Raises:
        UsageError: an argument is not valid, or the schema is not one.
    """

    def __init__(
        self,
        url: str,
        schema: SchemaSource | None,
        *,
        headers: Mapping[str, str] | None = None,
        ssl: ssl_module.SSLContext | None = None,
        proxy: str | bool | None = True,
        connect_timeout_s: float = 10.0,
        limits: ClientLimits | None = None,
        no_schema: Callable[[str], UsageError] | None = None,
        validate: bool | None = None,
        default_options: Mapping[str, Any] | None = None,
        fetcher: Fetcher | None = None,
        stream_fetcher: Fetcher | None = None,
        timeout_s: float | None = None,
        idle_timeout_s: float | None = None,
        meta: Callable[[], Mapping[str, Any] | None] | None = None,
    ) -> None:
        check_http_url(url, headers or {})
        check_seconds("timeout_s", timeout_s)
        check_seconds("idle_timeout_s", idle_timeout_s)
        super().__init__(
            without_secrets(url),
            validate=validate,
            default_options=default_options,
            fetcher=fetcher,
            stream_fetcher=stream_fetcher,
            timeout_s=timeout_s,
            idle_timeout_s=idle_timeout_s,
            meta=meta,
        )
        request_headers(self._defaults.headers, None, None)
        self.recorder.hide_headers(headers)
        self.recorder.hide_headers(self._defaults.headers)
        self._address = encoded_url(url)
        self._source = schema
        self._no_schema = no_schema or self._no_schema_there
        self._connect_timeout_s = connect_timeout_s
        self._limits = limits or ClientLimits()
        make_client = partial(HttpClient, ssl=ssl, proxy=proxy, connect_timeout_s=connect_timeout_s)
        self._make_client = make_client
        self._requests = Requests(self, make_client(headers=headers, max_requests=_MAX_REQUESTS))
        if schema is not None and not is_address(schema):
            self.use(load_schema(schema))
        note_session(self)

    def use(self, schema: Schema) -> None:
        super().use(schema)
        self.api_root = default_api_root(self._address, schema)

    # ---- what users of a session see

    @property
    def state(self) -> str:
        if self.closed:
            return "closed"
        if self._schema is None:
            return "connecting"
        return self._requests.state

    @property
    def calls(self) -> list[CallState]:
        return self._requests.calls

    async def connect(self) -> None:
        """Check that the server can be reached, and fetch its schema if necessary. I/O loop only.

        Raises:
            ConnectError: it cannot be reached.
            UsageError: no schema was found at its address, or the server does not offer one.
        """
        try:
            if self._source is None:
                await self._ask_server()
            else:
                await self._requests.greet(self.api_root if self._schema else self._address)
                if self._schema is None:
                    self.use(await self._ask_address(str(self._source)))
            if self.has_checks:
                await asyncio.to_thread(load_library)
        except BaseException:
            await self.close()  # it is not handed out
            raise

    async def close(self) -> None:
        self.closed = True
        self._cancel_custom()
        await self._requests.close()

    def forked(self) -> None:
        self._requests.forked(self.url)

    # ---- calls

    def _new_state(self, fetch: Fetch, request: HttpRequest) -> VovkState:
        request_headers(fetch.headers, None, None)  # UsageError for what HTTP does not allow
        handler = fetch._handler
        exchange = Exchange(
            self._requests, request, handler.wire_format, fetch.is_stream, self, self._limits
        )
        return VovkState(
            handler.title,
            fetch._title,
            exchange,
            timeout_s=self.timeout_s if fetch.timeout_s is None else fetch.timeout_s,
            idle_timeout_s=(
                self.idle_timeout_s if fetch.idle_timeout_s is None else fetch.idle_timeout_s
            ),
        )

    def _start(self, state: VovkState, request: HttpRequest, fetch: Fetch) -> None:
        if self.closed:  # closed since the call was made
            state.cancel()
        elif not state.over:
            exchange = state.backend
            assert isinstance(exchange, Exchange)
            self._requests.start(state, partial(exchange.run, state))

    # ---- schemas

    async def _ask_server(self) -> None:
        """Fetch the schema from the server; 3.x offers it in development."""
        root = default_api_root(self._address, Schema({}))
        try:
            status, body = await self._get(self._requests.client, _below(root, _ENDPOINT))
        except (ConnectError, ConnectionLost) as exc:
            raise self._no_schema(exc.reason) from exc
        if status != 200:
            raise self._no_schema(f"HTTP {status}")
        try:
            schema = read_schema(parse_json(body, _ENDPOINT), _ENDPOINT)
        except UsageError as exc:
            raise self._no_schema("the answer is not a schema") from exc
        self.use(schema)
        self.api_root = _without_segment(root, schema)

    async def _ask_address(self, address: str) -> Schema:
        """The schema at the address of a file, or of a folder with one segment."""
        shown_url = without_secrets(address)
        check_http_url(address, {})
        client = self._requests.client
        if _origin(address) != _origin(self._address):
            client = self._make_client()  # the headers are not meant for that server
        try:
            status, body = await self._get(client, encoded_url(address))
            is_file = urlsplit(address).path.lower().endswith(".json")
            if status == 200 and (is_file or body.lstrip()[:1] == b"{"):
                return read_schema(parse_json(body, shown_url), shown_url)
            files = {} if is_file else await self._folder(client, address)
            if not files:
                raise UsageError(f"schema: {shown_url}: HTTP {status}; no schema there")
            return read_files(files)
        finally:
            if client is not self._requests.client:
                await client.close()

    async def _folder(self, client: HttpClient, address: str) -> dict[str, Any]:
        """The files of a folder. HTTP cannot list it, so only the files that every folder has."""
        files: dict[str, Any] = {}
        for name in (META_FILE, "root.json"):
            status, body = await self._get(client, encoded_url(_below(address, name)))
            if status == 200:
                files[name] = parse_json(body, name)
        return files if "root.json" in files else {}

    async def _get(self, client: HttpClient, address: str) -> tuple[int, bytes]:
        headers = {"Accept": "application/json"}
        try:
            async with (
                asyncio.timeout(self._connect_timeout_s + _SCHEMA_S),
                client.open("GET", address, headers=headers, is_encoded=True) as reply,
            ):
                return reply.status, await _body(reply)
        except TimeoutError as exc:
            if isinstance(exc, ConnectTimeout):
                raise
            shown_url = without_secrets(address)
            raise ConnectTimeout(shown_url, "the schema did not arrive in time") from exc

    def _no_schema_there(self, reason: str) -> UsageError:
        return UsageError(
            f"{self.url} does not offer its schema ({reason}), as Vovk 3.x does in development; "
            "pass schema= (a .vovk-schema folder or a vovk-metadata.json)"
        )


async def _body(reply: HttpReply) -> bytes:
    try:
        return await reply.read()
    except ProtocolError as exc:  # too long
        raise UsageError(f"schema: {exc}") from exc


def _below(address: str, name: str) -> str:
    parts = urlsplit(address)
    return urlunsplit(
        (parts.scheme, parts.netloc, f"{parts.path.rstrip('/')}/{name}", parts.query, "")
    )


def _origin(address: str) -> tuple[str, str]:
    parts = urlsplit(address)
    return parts.scheme.lower(), parts.netloc.lower()


def _without_segment(root: str, schema: Schema) -> str:
    """The root of the API, if the address was that of a segment: paths begin with its name."""
    [name] = schema.segments if len(schema.segments) == 1 else [""]
    parts = urlsplit(root)
    if name and schema.segments[name].force_api_root is None:
        path = parts.path.rstrip("/").removesuffix(f"/{name}")
        return urlunsplit(parts._replace(path=path or "/"))
    return root
