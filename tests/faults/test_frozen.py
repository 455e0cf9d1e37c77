"""A peer, or what lies between, that is frozen: its sockets stay open, and nothing moves."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from support.peers.raw import raw_client
from support.servers.freezing_link import FreezingLink
from support.waiting import PATIENCE_S, auntil, until

import kkjupyter as kk
from kkjupyter import vovk
from kkjupyter.transports.stdio.client import spawn_stdio
from kkjupyter.transports.stdio.process_group import is_stopped

LIMITS = kk.ServerLimits(silence_timeout_s=1.0, write_timeout_s=1.0)
finals: set[str] = set()


class FrozenController(vovk.Controller, prefix="frozen"):
    @vovk.get("quiet")
    async def quiet(self) -> AsyncIterator[int]:
        try:
            yield 1
            await asyncio.sleep(3600)
        finally:
            finals.add("quiet")

    @vovk.get("hang")
    async def hang(self) -> int:
        try:
            await asyncio.sleep(3600)
        finally:
            finals.add("hang")
        return 1


class Api:
    async def hang(self) -> None:
        await asyncio.sleep(3600)

    async def flood(self) -> AsyncIterator[str]:
        try:
            while True:
                yield "x" * 10_000
        finally:
            finals.add("flood")


@pytest.fixture(autouse=True)
def no_finals() -> None:
    finals.clear()


@pytest.mark.parametrize("legacy", [False, True])
def test_both_ends_of_a_quiet_vovk_stream_notice(legacy: bool) -> None:
    with (
        vovk.serve([FrozenController], limits=LIMITS, legacy=legacy) as server,
        FreezingLink(server.port) as link,
        connected(link, server) as api,
    ):
        asked: dict[str, Any] = {"isStream": True} if legacy else {}
        items = iter(api.FrozenController.quiet(**asked))
        assert next(items) == 1
        time.sleep(1.5)  # longer than the limit: it is quiet, not frozen
        assert not finals
        link.freeze()
        with pytest.raises(kk.ConnectionLost, match="stopped answering"):
            next_within(items, PATIENCE_S)
        until(lambda: "quiet" in finals)


def test_a_call_over_http_ends_for_its_client() -> None:
    with (
        vovk.serve([FrozenController], limits=LIMITS) as server,
        FreezingLink(server.port) as link,
        connected(link, server) as api,
    ):
        call = api.FrozenController.hang()
        time.sleep(1.5)
        assert server.running == 1, "silence alone is not a failure"
        link.freeze()
        with pytest.raises(kk.ConnectionLost, match="stopped answering"):
            call.result(timeout_s=PATIENCE_S)


def test_a_kkrpc_call_over_http_ends_for_its_client() -> None:
    with (
        kk.serve(Api(), transport="http", limits=LIMITS) as server,
        FreezingLink(server.port) as link,
        kk.connect(f"http://127.0.0.1:{link.port}", token=server.token, protocol="compact") as api,
    ):
        call = api.hang()
        time.sleep(1.5)
        link.freeze()
        with pytest.raises(kk.ConnectionLost, match="stopped answering"):
            call.result(timeout_s=PATIENCE_S)


@pytest.mark.parametrize("protocol", ["classic", "compact"])
def test_a_websocket_client_that_is_frozen_is_disconnected(protocol: str) -> None:
    with (
        kk.serve(Api(), limits=LIMITS, token=False) as server,
        FreezingLink(server.port) as link,
        raw_client(f"ws://127.0.0.1:{link.port}", protocol) as peer,
    ):
        peer.send(peer.wire.request(peer.wire.new_id(), "call", ["hang"], []))
        until(lambda: server.running)
        link.freeze()
        until(lambda: not server.clients)


def test_a_websocket_client_that_does_not_read_is_disconnected() -> None:
    limits = kk.ServerLimits(silence_timeout_s=None, write_timeout_s=0.5)
    with (
        kk.serve(Api(), limits=limits, token=False) as server,
        raw_client(server.url, "classic") as peer,
    ):
        peer.send(peer.wire.request(peer.wire.new_id(), "call", ["flood"], []))
        until(lambda: "flood" in finals)  # nobody takes what comes
        until(lambda: not server.clients)


def test_a_websocket_server_that_takes_nothing_ends_what_waits() -> None:
    from kkjupyter.transports.websocket.client import connect_websocket

    async def main(port: int, link: FreezingLink) -> str:
        reasons: list[str] = []

        class Owner:
            def data_received(self, chunks: Any) -> None: ...
            def writable(self) -> None: ...
            def closed(self, reason: str) -> None:
                reasons.append(reason)

        transport = await connect_websocket(f"ws://127.0.0.1:{port}", write_timeout_s=0.5)
        transport.open(Owner())
        link.freeze()
        for _ in range(40):
            transport.send([b"x" * 1_000_000])
        await auntil(lambda: reasons, PATIENCE_S)
        return reasons[0]

    with kk.serve(Api(), token=False) as server, FreezingLink(server.port) as link:
        assert asyncio.run(main(link.port, link)) == "the other side read nothing for 0.5 s"


@pytest.mark.skipif(sys.platform == "win32", reason="processes are not stopped by signals there")
def test_a_program_that_is_stopped_is_ended() -> None:
    async def main() -> tuple[str, float]:
        reasons: list[str] = []

        class Owner:
            def data_received(self, chunks: Any) -> None: ...
            def writable(self) -> None: ...
            def closed(self, reason: str) -> None:
                reasons.append(reason)

        code = "import sys; sys.stdin.read()"
        transport = await spawn_stdio([sys.executable, "-c", code], stopped_timeout_s=0.4)
        transport.open(Owner())
        await asyncio.sleep(1.0)
        assert not reasons, "silent is not stopped"
        os.kill(transport.pid, signal.SIGSTOP)
        await auntil(lambda: is_stopped(transport.pid), PATIENCE_S)
        os.kill(transport.pid, signal.SIGCONT)
        await auntil(lambda: not is_stopped(transport.pid), PATIENCE_S)
        os.kill(transport.pid, signal.SIGSTOP)
        waited_s = await auntil(lambda: reasons, PATIENCE_S)
        return reasons[0], waited_s

    reason, waited_s = asyncio.run(main())
    assert reason.startswith("the program was stopped for 0.4 s")
    assert waited_s > 0.3


def connected(link: FreezingLink, server: Any) -> Any:
    url = f"http://127.0.0.1:{link.port}/api"
    return kk.connect(url, schema=server.schema, token=server.token)


def next_within(items: Iterator[Any], timeout_s: float) -> Any:
    """The next item; what fails is raised here, and a wait without end is a failure."""
    outcome: list[Any] = []

    def take() -> None:
        try:
            outcome.append(next(items))
        except BaseException as error:  # noqa: BLE001  raised below
            outcome.append(error)

    thread = threading.Thread(target=take, daemon=True)
    thread.start()
    thread.join(timeout_s)
    assert outcome, "it still waits"
    if isinstance(outcome[0], BaseException):
        raise outcome[0]
    return outcome[0]
