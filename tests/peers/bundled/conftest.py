"""What the tests of both generations share: a line, and who is connected over it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.peers.lines import calling, connected
from support.peers.node import Line, NodeClient

from kkjupyter.client.remote import Remote


@pytest.fixture(scope="module")
def line(request: pytest.FixtureRequest) -> Line:
    """Which peer and how; a test says with ``@on(LINES)`` on which it runs."""
    found: Line = request.param
    return found


@pytest.fixture(scope="module")
def api(line: Line) -> Iterator[Remote]:
    """Our client, with a server of theirs, not told what that speaks."""
    with connected(line) as remote:
        yield remote


@pytest.fixture(scope="module")
def client(line: Line) -> Iterator[NodeClient]:
    """Their client, with a server of ours, which is not told what it will hear."""
    with calling(line) as node:
        yield node
