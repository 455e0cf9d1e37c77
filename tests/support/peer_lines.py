"""The ways to speak to real peers that the tests go through, and how our client takes them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

import kkjupyter as kk
from kkjupyter.rpc.remote import Remote
from support.peers import Line, NodeServer, server_command

__all__ = ["CLASSIC", "COMPACT", "DUPLEX", "HTTP", "LINES", "RICH", "connected", "on"]

_PAIRS = [(way, codec) for way in ("websocket", "stdio") for codec in ("json", "superjson")]
CLASSIC = [Line("0.7.0", way, codec) for way, codec in _PAIRS]
COMPACT = [Line("2.1.0", way, codec) for way, codec in _PAIRS]
DUPLEX = [*CLASSIC, *COMPACT]
# Over HTTP each generation has one codec only. There are no streams and no callbacks.
HTTP = [Line("0.7.0", "http", "superjson"), Line("2.1.0", "http", "json")]
LINES = [*DUPLEX, *HTTP]
RICH = [line for line in LINES if line.codec == "superjson"]


def on(lines: Sequence[Line]) -> pytest.MarkDecorator:
    """Have a test run on each of these lines; its fixtures ``line``, ``api`` or ``client`` obey."""
    return pytest.mark.parametrize("line", lines, indirect=True, ids=str, scope="module")


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
