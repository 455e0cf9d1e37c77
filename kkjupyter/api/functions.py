"""The public functions of ``import kkjupyter as kk``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Unpack

from kkjupyter.api.addresses import make_session, remote_of
from kkjupyter.api.connect_options import ConnectOptions
from kkjupyter.calls.call import Call
from kkjupyter.client.remote import (
    Remote,
    call_remote,
    get_remote,
    new_remote,
    session_of,
    set_remote,
)
from kkjupyter.errors import UsageError, did_you_mean
from kkjupyter.runtime.hooks import run_before_connect
from kkjupyter.runtime.waiting import run_async, run_blocking
from kkjupyter.server.serve import ServeOptions, start_server
from kkjupyter.server.server import Server, open_servers
from kkjupyter.transports.base import Transport

__all__ = [
    "ConnectOptions",
    "ServeOptions",
    "aconnect",
    "aset",
    "call",
    "close",
    "connect",
    "get",
    "new",
    "serve",
    "set",
]


def connect(target: str | Sequence[str] | Transport, **options: Unpack[ConnectOptions]) -> Remote:
    """Connect and return the remote API.

    Args:
        target: an address (``"ws://127.0.0.1:8765"``, or that of a service on a message bus,
            ``"nats://127.0.0.1:4222/lab.models"`` or ``redis://``), a command to start and talk to
            over its stdin and stdout (``["node", "server.mjs"]``), or an open transport.
        options: see :class:`ConnectOptions`.

    Raises:
        ConnectError: it cannot be reached or started, or is not a WebSocket server; with url and
            reason.
        UsageError: an argument is not valid.
    """
    run_before_connect()
    session = make_session(target, **options)
    run_blocking(session.connect())
    return remote_of(session)


async def aconnect(
    target: str | Sequence[str] | Transport, **options: Unpack[ConnectOptions]
) -> Remote:
    """Like :func:`connect`, but awaited. Cancelling is safe."""
    run_before_connect()
    session = make_session(target, **options)
    await run_async(session.connect())
    return remote_of(session)


def close(what: Remote | Server | str) -> None:
    """Close a connection or a server: cancel what runs on it, then disconnect. Idempotent.

    Args:
        what: the connection, the server, or the address of a server in this process.

    Raises:
        UsageError: it is something else, or no server in this process has that address.
    """
    if isinstance(what, str):
        _server_at(what).close()
    elif isinstance(what, Server):
        what.close()
    elif isinstance(what, Remote):
        run_blocking(session_of(what).close())
    else:
        raise UsageError(f"cannot close a {type(what).__name__}; give a connection or a server")


def _server_at(url: str) -> Server:
    servers = {server.url: server for server in open_servers()}
    if url.rstrip("/") not in servers:
        raise UsageError(
            f"no server in this process has the address {url!r}"
            f"{did_you_mean(url, list(servers))} (kk.status() lists them)"
        )
    return servers[url.rstrip("/")]


def get(remote: Remote) -> Any:
    """Get a remote property and wait for it, in plain code: ``kk.get(api.settings.theme)``."""
    return get_remote(_remote(remote, "get")).result()


def set(remote: Remote, value: Any) -> None:  # noqa: A001  `kk.set`, beside `kk.get`
    """Set a remote property and wait, in plain code; like ``api.settings.theme = value``."""
    set_remote(_remote(remote, "set"), value).result()


async def aset(remote: Remote, value: Any) -> None:
    """Like :func:`set`, but awaited."""
    await set_remote(_remote(remote, "aset"), value)


def new(remote: Remote, *args: Any, **kwargs: Any) -> Call:
    """Create a remote instance: ``kk.new(api.Counter, 10).result()``. It arrives as a copy."""
    return new_remote(_remote(remote, "new"), *args, **kwargs)


def call(
    remote: Remote,
    *args: Any,
    timeout_s: float | None = None,
    idle_timeout_s: float | None = None,
    **kwargs: Any,
) -> Call:
    """Call with time limits: ``kk.call(api.slow, 1, timeout_s=5)``.

    Args:
        remote: the remote method to call.
        args: its arguments.
        timeout_s: for the reply, in seconds; then the call fails with CallTimeout and the peer is
            told. None takes the connection's own limit.
        idle_timeout_s: for each next item of a stream, in seconds, while somebody waits for it;
            then the stream fails with CallTimeout and the peer is told. None takes the connection's
            own limit, which by default is none: silence alone ends no stream.
        kwargs: by name to a kkjupyter server, as one trailing object to any other peer.

    Raises:
        UsageError: ``remote`` is not a remote name, or a limit is not a positive number.
    """
    return call_remote(
        _remote(remote, "call"), *args, timeout_s=timeout_s, idle_timeout_s=idle_timeout_s, **kwargs
    )


def serve(
    obj: Any, host: str = "127.0.0.1", port: int = 0, **options: Unpack[ServeOptions]
) -> Server:
    """Serve the public names of ``obj`` to kkrpc clients of all versions.

    Args:
        obj: a dict, module, instance or class with functions, generators and nested objects.
        host: the address to listen on.
        port: the TCP port; 0 takes a free one.
        options: see :class:`ServeOptions`.

    Raises:
        ConnectError: the server cannot listen on the port, or not serve under the name on a bus.
        UsageError: an argument is not valid.
    """
    return start_server(obj, host, port, **options)


def _remote(what: Any, function: str) -> Remote:
    if isinstance(what, Remote):
        return what
    if isinstance(what, Call):
        raise UsageError(f"kk.{function} takes the name itself, without calling it: no ()")
    raise UsageError(
        f"kk.{function} takes a remote name (api.something), not {type(what).__name__}"
    )
