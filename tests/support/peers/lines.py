"""The ways to speak to real peers that the tests go through, in both directions."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import pytest

import kkjupyter as kk
from kkjupyter.client.remote import Remote
from support.peers import api as peer_api
from support.peers.node import Line, NodeClient, NodeServer, server_command

__all__ = [
    "COMPACT",
    "DUPLEX",
    "HTTP",
    "LINES",
    "WEBSOCKET",
    "calling",
    "connected",
    "on",
    "rich",
]

# Over HTTP each generation has one codec only. There are no streams and no callbacks.
LINES = [
    Line("0.7.0", "websocket", "json"),
    Line("0.7.0", "websocket", "superjson"),
    Line("0.7.0", "stdio", "json"),
    Line("0.7.0", "stdio", "superjson"),
    Line("0.7.0", "http", "superjson"),
    Line("2.1.0", "websocket", "json"),
    Line("2.1.0", "websocket", "superjson"),
    Line("2.1.0", "stdio", "json"),
    Line("2.1.0", "stdio", "superjson"),
    Line("2.1.0", "http", "json"),
]
DUPLEX = [line for line in LINES if line.transport != "http"]
WEBSOCKET = [line for line in LINES if line.transport == "websocket"]
HTTP = [line for line in LINES if line.transport == "http"]
COMPACT = [line for line in DUPLEX if line.protocol == "compact"]


def on(lines: Sequence[Line]) -> pytest.MarkDecorator:
    """Have a test run on each of these lines; its fixtures ``line``, ``api`` or ``client`` obey."""
    return pytest.mark.parametrize("line", lines, indirect=True, ids=str, scope="module")


def rich(lines: Sequence[Line]) -> list[Line]:
    """Those whose codec carries more than JSON has."""
    return [line for line in lines if line.codec == "superjson"]


@contextlib.contextmanager
def connected(line: Line, **options: Any) -> Iterator[Remote]:
    """Our client with a server of theirs, each used by nobody else."""
    with contextlib.ExitStack() as stack:
        if line.transport == "stdio":
            api = kk.connect(server_command(line), **options)
        else:
            url = stack.enter_context(NodeServer(line)).url
            if line.transport == "http":  # nothing is sent there to find out what it speaks
                options.setdefault("protocol", line.protocol)
            api = kk.connect(url, **options)
        stack.callback(kk.close, api)
        yield api


@contextlib.contextmanager
def calling(line: Line) -> Iterator[NodeClient]:
    """Their client with a server of ours, which serves a PeerApi and is used by nobody else."""
    target: str | list[str]
    with contextlib.ExitStack() as stack:
        if line.transport == "stdio":
            exposed = f"{peer_api.__file__}:PeerApi"
            target = [sys.executable, "-m", "kkjupyter.cli", "serve", exposed, "--stdio"]
            target += ["--writable", "settings"]
        else:
            transport: Literal["websocket", "http"]
            transport = "http" if line.transport == "http" else "websocket"
            server = kk.serve(
                peer_api.PeerApi(), token=False, transport=transport, writable=["settings"]
            )
            target = stack.enter_context(server).url
        yield stack.enter_context(NodeClient(target, line))
