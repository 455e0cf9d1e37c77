"""A fork shares no connection with its parent: it has its own, and ends without a trace."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.endpoints import Endpoint
from support.servers.buses import BROKERS, service_url
from support.waiting import PATIENCE_S, until

import kkjupyter as kk
from kkjupyter import limits
from kkjupyter.client import session
from kkjupyter.client.http import requests
from kkjupyter.runtime import logs, loop_threads
from kkjupyter.runtime.ticker import ticker
from kkjupyter.server import server as server_module

ROOT = Path(next(iter(kk.__path__))).parent

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this platform"),
    pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork.*:DeprecationWarning"),
]


@pytest.fixture
def endpoint() -> Endpoint:
    return Endpoint()


@pytest.fixture(params=["websocket", "http", "nats", "redis"])
def api(endpoint: Endpoint, request: pytest.FixtureRequest) -> Iterator[Any]:
    where: Any = {"token": False, "transport": request.param}
    if request.param in BROKERS:
        where = {"on": service_url(request.param)}
    with (
        kk.serve(endpoint, **where) as server,
        kk.connect(server.url, protocol="compact", codec="json") as api,
    ):
        yield api


def in_fork(act: Callable[[], object]) -> bool:
    """Run ``act()`` in a fork of this process; return whether it came to a true value in time."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            status = 0 if act() else 2
        finally:
            os._exit(status)
    deadline_s = time.monotonic() + 4 * PATIENCE_S
    while time.monotonic() < deadline_s:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status) == 0
        time.sleep(0.01)
    os.kill(child, 9)
    os.waitpid(child, 0)
    return False


def failure_of(call: Any) -> str:
    try:
        call.result(timeout_s=PATIENCE_S)
    except kk.ConnectionLost as error:
        return str(error)
    return ""


def test_each_calls_over_a_connection_of_its_own(api: Any) -> None:
    assert api.add(1, 2).result() == 3
    assert in_fork(lambda: api.add(10, 20).result(timeout_s=PATIENCE_S) == 30)
    assert [api.add(n, 1).result(timeout_s=PATIENCE_S) for n in range(3)] == [1, 2, 3]


def test_closing_it_in_the_fork_leaves_that_of_the_parent(api: Any) -> None:
    assert api.add(1, 2).result() == 3
    assert in_fork(lambda: kk.close(api) is None)
    assert api.add(2, 2).result(timeout_s=PATIENCE_S) == 4


def test_the_answer_to_what_was_called_before_goes_to_the_parent(
    api: Any, endpoint: Endpoint
) -> None:
    call = api.blocked()
    until(lambda: endpoint.calls == ["blocked"])
    assert in_fork(lambda: "forked" in failure_of(call))
    endpoint.gate.set()
    assert call.result(timeout_s=PATIENCE_S) == "released"


def test_closing_a_server_in_the_fork_leaves_that_of_the_parent(endpoint: Endpoint) -> None:
    with kk.serve(endpoint, token=False) as server:
        assert in_fork(lambda: server.close() is None)
        with server.connect() as api:
            assert api.add(2, 2).result(timeout_s=PATIENCE_S) == 4


def test_what_runs_in_threads_runs_in_the_fork_as_well(endpoint: Endpoint) -> None:
    """It has none of those that its parent has started."""

    def is_run() -> bool:
        seen: list[int] = []
        call = api.progress(2, lambda i, n: seen.append(i))  # nobody waits, so a thread is used
        until(lambda: len(seen) == 2)
        ticked = threading.Event()
        ticker().post(ticked.set, 0.001)
        return ticked.wait(PATIENCE_S) and call.result(timeout_s=PATIENCE_S) is not None

    with kk.serve(endpoint, token=False) as server, server.connect() as api:
        assert is_run()
        assert in_fork(is_run)


# Of each module with a lock that any thread may hold at the moment of the fork.
LOCKS = {
    "sessions": lambda: session._sessions_lock,
    "servers": lambda: server_module._servers_lock,
    "HTTP clients": lambda: requests._clients_lock,
    "loops": lambda: loop_threads._lock,
    "generators": lambda: limits.GENERATOR_SLOTS._lock,
    "lines of the log": lambda: next(
        one._lock
        for one in logging.getLogger("kkjupyter").filters
        if isinstance(one, logs.LineLimit)
    ),
}


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_that_a_thread_held_is_free_in_the_fork(endpoint: Endpoint, name: str) -> None:
    def use_everything() -> bool:
        logs.SafeLogger("kkjupyter").warning("in a fork")
        with limits.GENERATOR_SLOTS._lock:
            pass
        for transport in ("websocket", "http"):
            with (
                kk.serve(endpoint, token=False, transport=transport) as server,
                kk.connect(server.url, protocol="compact", codec="json") as api,
            ):
                if api.add(1, 2).result(timeout_s=PATIENCE_S) != 3:
                    return False
        return True

    assert use_everything()
    held, over = threading.Event(), threading.Event()

    def hold() -> None:
        with LOCKS[name]():
            held.set()
            over.wait()

    holder = threading.Thread(target=hold)
    holder.start()
    try:
        assert held.wait(PATIENCE_S)
        assert in_fork(use_everything)
    finally:
        over.set()
        holder.join()


PROGRAM = """
import os, sys
import kkjupyter as kk

class Api:
    def echo(self, value):
        return value
    async def ticks(self):
        while True:
            yield 1

with kk.serve(Api()) as server:
    api = server.connect()
    loop = iter(api.ticks())
    next(loop)
    child = os.fork()
    if child == 0:
        sys.exit(5)
    print("forked", child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    print(next(loop), api.echo(2).result(timeout_s=4))
"""


def test_a_fork_that_ends_as_programs_do_ends() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as program:
        assert program.stdout is not None
        child = int(program.stdout.readline().split()[1])
        try:
            said, _ = program.communicate(timeout=15)
        except subprocess.TimeoutExpired:
            os.kill(child, 9)
            program.kill()
            raise
    assert said.split() == ["5", "1", "2"]
