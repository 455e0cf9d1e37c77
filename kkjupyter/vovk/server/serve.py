"""Turns controllers into a listening server, an application to mount, or schema files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from ssl import SSLContext
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from kkjupyter.argument_checks import check_options, check_port
from kkjupyter.errors import UsageError
from kkjupyter.limits import ServerLimits, check_limits, size_limit
from kkjupyter.runtime.loop_threads import handler_loop
from kkjupyter.runtime.waiting import run_blocking
from kkjupyter.server.access import AccessPolicy, make_token
from kkjupyter.server.interceptors import Interceptor, check_interceptors
from kkjupyter.vovk.server.router import Controllers, Router
from kkjupyter.wire.vovk.schema.model import WireFormat
from kkjupyter.wire.vovk.schema.writing import write_files, write_metadata
from kkjupyter.wire.vovk.schema.writing import write_schema as schema_json

if TYPE_CHECKING:
    from aiohttp import web

    from kkjupyter.vovk.server.http_app import VovkApp
    from kkjupyter.vovk.server.response_task import OnError
    from kkjupyter.vovk.server.server import VovkServer

__all__ = ["AppOptions", "ServeOptions", "app", "serve", "write_schema"]

_METADATA_FILE = "vovk-metadata.json"


class AppOptions(TypedDict, total=False):
    """The keyword arguments of ``vovk.app`` and ``vovk.serve``.

    Attributes:
        legacy: True uses the divider format, for clients of Vovk 0.1 to 2.x; else JSON Lines, for
            3.x.
        interceptors: ``async def interceptor(ctx, next)`` around every call.
        limits: what clients may have at once; see :class:`kkjupyter.ServerLimits`.
        validate: whether body, query, path parameters, results and stream items must match the type
            hints; True by default.
        on_error: ``on_error(exception, request)`` is called with what handlers raise, before and
            within streams. It runs on the handlers' loop and must not block.
    """

    legacy: bool
    interceptors: Sequence[Interceptor]
    limits: ServerLimits
    validate: bool
    on_error: OnError | None


class ServeOptions(AppOptions, total=False):
    """The keyword arguments of ``vovk.serve``.

    Attributes:
        prefix: the path of the API.
        token: True (the default) makes one, a string is one, False serves without one, on loopback
            only. Clients send it as ``Authorization: Bearer``, or as ``?token=`` in the address.
            Handlers do not see it in the query; a parameter ``token`` with another value is the
            API's own.
        insecure: also needed to serve without a token where others can reach the server.
        origins: web origins whose pages may call, besides the server's own.
        hosts: names by which clients may address this server, besides the one that it listens on;
            ``["*"]`` for any. Other names are refused only if there is no token.
        ssl: makes it an ``https://`` server; a context for servers, with a certificate loaded.
        gzip: whether the body of a request may be compressed with gzip; not by default. The usual
            limit applies to the decompressed body. Under ``vovk.app`` the surrounding application
            decompresses.
    """

    prefix: str
    token: str | bool
    insecure: bool
    origins: Sequence[str]
    hosts: Sequence[str]
    ssl: SSLContext | None
    gzip: bool


def serve(
    controllers: Controllers,
    host: str = "127.0.0.1",
    port: int = 0,
    **options: Unpack[ServeOptions],
) -> VovkServer:
    """Serve controllers to Vovk clients.

    It asks for a token by default, like :func:`kkjupyter.serve`: on shared hosts, as notebook
    servers often are, loopback is not private. Vovk's own clients send it as a header (``init:
    {headers: {authorization: "Bearer ..."}}``); ``token=False`` is for code that must not change.
    Pages of other origins are always refused.

    Args:
        controllers: classes or instances of :class:`vovk.Controller`; in a mapping, the keys are
            their names.
        host: the address to listen on.
        port: the TCP port; 0 takes a free one.
        options: see :class:`ServeOptions`.

    Raises:
        ConnectError: the server cannot listen on the port.
        UsageError: an argument is not valid.
    """
    from kkjupyter.vovk.server.server import VovkServer  # aiohttp is slow to import

    check_options(options, sorted(ServeOptions.__optional_keys__))
    check_port(port)
    prefix = _prefix(options.get("prefix", "/api"))
    face = _face(controllers, prefix, options)
    token = make_token(host, options.get("token", True), insecure=options.get("insecure", False))
    door = face.door = AccessPolicy(
        host, token, options.get("origins", ()), options.get("hosts", ())
    )
    face.loop = handler_loop()
    face.is_told = True
    face.gzip = options.get("gzip", False)
    server = VovkServer(face, door, host, ssl=options.get("ssl"))
    run_blocking(server.start(port))
    return server


def app(controllers: Controllers, **options: Unpack[AppOptions]) -> web.Application:
    """An aiohttp application: ``main.add_subapp("/api", vovk.app([HelloController]))``.

    Async handlers run on the application's own loop, so that they can use its objects. The
    application controls the access: neither token nor origin is checked here.

    Args:
        controllers: as for :func:`serve`.
        options: see :class:`AppOptions`.

    Raises:
        UsageError: an argument is not valid.
    """
    from aiohttp import web

    from kkjupyter.server.listeners.http_heartbeat import add_heartbeats

    check_options(options, sorted(AppOptions.__optional_keys__))
    face = _face(controllers, None, options)
    limit_bytes = size_limit(face.clients.load.limits.message_bytes)
    application = web.Application(client_max_size=limit_bytes)
    face.add_to(application)
    add_heartbeats(application, face.clients.load.limits)

    async def stop(_: web.Application) -> None:
        face.clients.stop()

    application.on_shutdown.append(stop)
    return application


def write_schema(
    path: str | PathLike[str],
    controllers: Controllers,
    *,
    legacy: bool | None = None,
    prefix: str = "/api",
) -> None:
    """Write the schema that clients need, in the form of their Vovk version.

    ``write_schema(".vovk-schema", ...)`` writes a folder in the form of 3.x; with a name that ends
    in ``.json`` it is one file: ``vovk-metadata.json`` for ``clientizeController`` of 0.1, any
    other for ``createRPC`` of 3.x.

    Args:
        path: the path of the folder or the file.
        controllers: as for :func:`serve`.
        legacy: whether it is for old clients; by default decided by the name of the file.
        prefix: the path of the API, which a schema of 3.x contains.

    Raises:
        UsageError: a controller is not valid, or a folder was asked for with old clients.
        OSError: the file cannot be written.
    """
    target = Path(path)
    is_file = target.suffix == ".json"
    if legacy is None:
        legacy = target.name == _METADATA_FILE
    if legacy and not is_file:
        raise UsageError(f"old clients read one file; pass its path, for example {_METADATA_FILE}")
    schema = Router(
        controllers, wire_format=_wire_format(legacy), root_entry=_prefix(prefix).strip("/")
    ).schema
    if legacy:
        _write(target, write_metadata(schema))
    elif is_file:
        _write(target, schema_json(schema))
    else:
        for name, content in write_files(schema).items():
            _write(target / name, content)


def _face(controllers: Controllers, prefix: str | None, options: AppOptions) -> VovkApp:
    from kkjupyter.vovk.server.http_app import VovkApp, VovkClients

    publication = Router(
        controllers,
        wire_format=_wire_format(options.get("legacy", False)),
        root_entry=(prefix or "").strip("/"),
    )
    return VovkApp(
        publication,
        VovkClients(check_limits(options.get("limits"))),
        prefix=prefix,
        interceptors=check_interceptors(options.get("interceptors", ())),
        validate=options.get("validate", True),
        on_error=options.get("on_error"),
    )


def _prefix(prefix: str) -> str:
    path = prefix.strip("/")
    if any(char in path for char in "?#{} "):
        raise UsageError(f"prefix is the path of the API, like '/api', not {prefix!r}")
    return f"/{path}" if path else ""


def _wire_format(legacy: bool) -> WireFormat:
    return "divider" if legacy else "jsonlines"


def _write(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
