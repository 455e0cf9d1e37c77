"""The real servers of both generations, each started once, and connections to them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from functools import cache

import pytest
from support.vovk.apps import APPS, App, NextServer

import kkjupyter as kk
from kkjupyter.client.remote import Remote

Start = Callable[[App], NextServer]


@pytest.fixture(scope="session")
def started() -> Iterator[Start]:
    """Starts a real server in production, once for each application that is asked for.

    They run until all is over: tests of the two come in turns.
    """
    with contextlib.ExitStack() as stack:
        yield cache(lambda app: stack.enter_context(NextServer(app)))


@pytest.fixture(params=APPS, ids=str)
def app(request: pytest.FixtureRequest) -> App:
    """Which application."""
    chosen: App = request.param
    return chosen


@pytest.fixture
def server(started: Start, app: App) -> NextServer:
    """It, running."""
    return started(app)


@pytest.fixture
def api(server: NextServer) -> Iterator[Remote]:
    """Our client, connected to it."""
    with kk.connect(server.url, schema=server.app.schema_path) as remote:
        yield remote
