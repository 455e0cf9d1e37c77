"""The real servers of both generations, each started once, and connections to them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from functools import cache

import pytest
from support.vovk_apps import APPS, App, NextServer

import kkjupyter as kk
from kkjupyter.rpc.remote import Remote


@pytest.fixture(scope="session")
def started() -> Iterator[Callable[[App], tuple[NextServer, Remote]]]:
    """A real server in production, and our client connected to it, for each application asked for.

    They run until all is over: tests of the two come in turns.
    """
    with contextlib.ExitStack() as stack:

        @cache
        def start(app: App) -> tuple[NextServer, Remote]:
            server = stack.enter_context(NextServer(app))
            return server, stack.enter_context(kk.connect(server.url, schema=app.schema_path))

        yield start


@pytest.fixture(params=APPS, ids=str)
def app(request: pytest.FixtureRequest) -> App:
    """Which application."""
    chosen: App = request.param
    return chosen


@pytest.fixture
def server(started: Callable[[App], tuple[NextServer, Remote]], app: App) -> NextServer:
    return started(app)[0]


@pytest.fixture
def api(started: Callable[[App], tuple[NextServer, Remote]], app: App) -> Remote:
    return started(app)[1]
