"""What a client, or a server, can have the other side hold or do at once; and what it is told."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from support.hostile.raw_http import raw_socket, read_to_end
from support.sessions import carrier
from support.waiting import PATIENCE_S, until
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect as connect_raw

import kkjupyter as kk
from kkjupyter import vovk
from kkjupyter.calls.callback_jobs import CALLBACK_LIMITS
from kkjupyter.runtime.loop_threads import io_loop

Start = Callable[..., Any]
NegotiatedProtocol = dict[str, str]


class Api:
    """What is served; ``gate`` ends what blocks."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.begun = 0
        self.closed: list[str] = []
        self.flood_ended_with = ""

    async def echo(self, value: Any) -> Any:
        return value

    async def wait(self, *args: Any) -> str:
        self.begun += 1
        await asyncio.to_thread(self.gate.wait, PATIENCE_S * 2)
        return "waited"

    def block(self) -> str:
        self.begun += 1
        self.gate.wait(PATIENCE_S * 2)
        return "blocked"

    def quick(self) -> str:
        return "quick"

    def tail(self) -> Iterator[str]:
        self.begun += 1
        self.gate.wait(PATIENCE_S * 5)
        yield "a line"

    def count(self) -> Iterator[int]:
        yield from range(3)

    async def ticks(self) -> AsyncIterator[int]:
        try:
            for number in range(10**6):
                yield number
                await asyncio.sleep(0.001)
        finally:
            self.closed.append("ticks")

    async def three(self) -> AsyncIterator[int]:
        for number in range(3):
            yield number

    async def total(self, numbers: Any) -> int:
        return sum([number async for number in numbers])

    async def large(self, size_bytes: int) -> str:
        return "x" * size_bytes

    async def flood(self, tell: Any, count: int, size_bytes: int) -> str:
        block = "x" * size_bytes
        try:
            for number in range(count):
                tell(number, block)
                await asyncio.sleep(0)
        except Exception as exc:
            self.flood_ended_with = type(exc).__name__
            raise
        return "flooded"

    async def subscribe(self, tell: Any, count: int, size_bytes: int) -> None:
        self.subscription = self.flood(tell, count, size_bytes)

    async def publish(self) -> None:
        self.task = asyncio.create_task(self.subscription)


@pytest.fixture
def served() -> Iterator[Api]:
    served = Api()
    yield served
    served.gate.set()


# ---- a server bounds its clients


def refused(call: Any) -> kk.RemoteError:
    with pytest.raises(kk.RemoteError) as caught:
        call.result(timeout_s=PATIENCE_S)
    assert caught.value.name == "LimitExceeded"
    return caught.value


def has_room(api: Any) -> bool:
    with contextlib.suppress(kk.RemoteError):
        return bool(api.echo("again").result(timeout_s=PATIENCE_S) == "again")
    return False


def test_requests_beyond_the_limit_are_refused_and_harm_none(
    start: Start, spoken: NegotiatedProtocol, served: Api, caplog: pytest.LogCaptureFixture
) -> None:
    limits = kk.ServerLimits(requests_per_connection=3)
    with start(served, limits=limits) as server, server.connect(**spoken) as api:
        calls = [api.wait() for _ in range(3)]
        until(lambda: served.begun == 3)
        for _ in range(50):
            error = refused(api.echo(1))
        assert "requests_per_connection (3)" in str(error)
        assert "kk.ServerLimits(requests_per_connection=" in str(error)
        assert error.data == {"limit": "requests_per_connection", "value": 3}
        with server.connect(**spoken) as other:
            assert other.echo("another client").result() == "another client"
        calls[0].cancel()
        until(lambda: has_room(api))
        served.gate.set()
        assert [call.result(timeout_s=PATIENCE_S) for call in calls[1:]] == ["waited"] * 2
    (line,) = [r.getMessage() for r in caplog.records if r.name == "kkjupyter.server"]
    assert "echo is refused" in line


def test_a_cancelled_call_makes_room_before_it_has_begun(
    start: Start, spoken: NegotiatedProtocol, served: Api
) -> None:
    limits = kk.ServerLimits(requests_per_connection=1)
    with start(served, limits=limits) as server, server.connect(**spoken) as api:
        for _ in range(20):
            api.echo(0).cancel()
            until(lambda: has_room(api))


def test_one_call_after_the_other_never_meets_the_limit(
    start: Start, spoken: NegotiatedProtocol, served: Api
) -> None:
    limits = kk.ServerLimits(requests_per_connection=1, streams_per_connection=1)
    with start(served, limits=limits) as server, server.connect(**spoken) as api:
        for number in range(50):
            assert api.echo(number).result() == number
            assert list(api.three()) == [0, 1, 2]
            with pytest.raises(kk.RemoteError, match="missing"):
                api.missing().result()


def test_the_limit_of_a_server_is_shared_by_its_clients(
    start: Start, spoken: NegotiatedProtocol, served: Api
) -> None:
    with (
        start(served, limits=kk.ServerLimits(requests=2)) as server,
        server.connect(**spoken) as one,
        server.connect(**spoken) as two,
    ):
        calls = [one.wait(), two.wait()]
        until(lambda: served.begun == 2)
        assert "limit requests (2)" in str(refused(one.echo(1)))
        assert "limit requests (2)" in str(refused(two.echo(1)))
        served.gate.set()
        assert [call.result(timeout_s=PATIENCE_S) for call in calls] == ["waited"] * 2


def test_a_stream_beyond_the_limit_is_refused_and_closed(
    start: Start, spoken: NegotiatedProtocol, served: Api
) -> None:
    limits = kk.ServerLimits(streams_per_connection=1)
    with start(served, limits=limits) as server, server.connect(**spoken) as api:
        loop = iter(api.ticks())
        assert next(loop) == 0
        assert "streams_per_connection (1)" in str(refused(api.ticks()))
        assert api.echo("no stream").result() == "no stream"
        del loop
        until(lambda: served.closed == ["ticks"])
        until(lambda: server.running == 0)
        assert next(iter(api.ticks())) == 0


@pytest.mark.only("compact")
def test_streams_among_arguments_count(
    start: Start, spoken: NegotiatedProtocol, served: Api
) -> None:
    limits = kk.ServerLimits(streams_per_connection=1)
    with start(served, limits=limits) as server, server.connect(**spoken) as api:
        assert api.total(iter([1, 2])).result(timeout_s=PATIENCE_S) == 3
        loop = iter(api.ticks())
        assert next(loop) == 0
        numbers = closing([1, 2])
        refused(api.total(numbers))
        until(lambda: numbers.gi_frame is None)
        del loop
        until(lambda: server.running == 0)
        assert api.total(iter([1, 2])).result(timeout_s=PATIENCE_S) == 3


def closing(numbers: list[int]) -> Any:
    return (number for number in numbers)


def test_bytes_of_requests_under_way_are_bounded(
    start: Start, spoken: NegotiatedProtocol, served: Api
) -> None:
    limits = kk.ServerLimits(buffered_bytes_per_connection=1_000_000)
    with start(served, limits=limits) as server, server.connect(**spoken) as api:
        assert len(api.echo("x" * 1_500_000).result()) == 1_500_000  # one alone
        held = api.wait("x" * 700_000)
        until(lambda: served.begun == 1)
        error = refused(api.echo("x" * 700_000))
        assert "buffered_bytes_per_connection (1,000,000)" in str(error)
        assert api.echo("little").result() == "little"
        served.gate.set()
        assert held.result(timeout_s=PATIENCE_S) == "waited"


def test_many_large_answers_at_once_wait_for_the_reader(
    start: Start, spoken: NegotiatedProtocol, served: Api
) -> None:
    """And both sides' requests and answers may be large without any waiting for ever."""
    with start(served) as server, server.connect(**spoken) as api:
        block = "x" * 1_000_000
        calls = [api.echo(block) for _ in range(60)]
        assert all(call.result(timeout_s=60) == block for call in calls)


@pytest.mark.half
@pytest.mark.parametrize("limits", [{}, {"function_threads": 8}], ids=["client", "server"])
def test_plain_functions_that_block_keep_their_own_client_waiting(
    start: Start, spoken: NegotiatedProtocol, served: Api, limits: dict[str, int]
) -> None:
    with (
        start(served, limits=kk.ServerLimits(**limits)) as server,
        start(served) as elsewhere,
        server.connect(**spoken) as api,
        elsewhere.connect(**spoken) as stranger,
    ):
        calls = [api.block() for _ in range(40)]
        until(lambda: served.begun == limits.get("function_threads", 32))
        assert stranger.quick().result(timeout_s=PATIENCE_S) == "quick"
        if not limits:
            with server.connect(**spoken) as other:
                assert other.quick().result(timeout_s=PATIENCE_S) == "quick"
        served.gate.set()
        assert [call.result(timeout_s=PATIENCE_S) for call in calls] == ["blocked"] * 40


def read_on(call: Any) -> None:
    with contextlib.suppress(kk.CallCancelled):
        list(call)


@pytest.mark.half
def test_plain_generators_that_block_are_counted_for_their_own_client(
    start: Start, spoken: NegotiatedProtocol, served: Api
) -> None:
    with (
        start(served) as server,
        start(served) as elsewhere,
        server.connect(**spoken) as api,
        elsewhere.connect(**spoken) as stranger,
    ):
        for number in range(64):
            call = api.tail()
            reader = threading.Thread(target=read_on, args=(call,))
            reader.start()
            until(lambda number=number: served.begun == number + 1)  # type: ignore[misc]
            call.cancel()
            reader.join(PATIENCE_S)
        error = refused(api.tail())
        assert "64 sync generators are running already" in str(error)
        assert list(stranger.count()) == [0, 1, 2]
        with server.connect(**spoken) as other:
            assert list(other.count()) == [0, 1, 2]
        served.gate.set()
        until(lambda: kk.status().busy_after_cancel == 0)
        assert list(api.count()) == [0, 1, 2]


# ---- a peer that calls a function that is busy


def test_a_busy_function_pauses_reading_and_goes_on_without_a_gap(
    start: Start, spoken: NegotiatedProtocol, served: Api
) -> None:
    """20 MB are sent to it while it waits; about 1 MB of them is held."""
    gate, seen = threading.Event(), []

    def tell(number: int, block: str) -> None:
        gate.wait(PATIENCE_S * 2)
        seen.append(number)

    with start(served) as server, server.connect(**spoken) as api:
        call = api.flood(tell, 200, 100_000)
        until(lambda: carrier(api).reading_paused)
        time.sleep(0.1)
        assert call._state.jobs._held_bytes < 4_000_000
        gate.set()
        assert call.result(timeout_s=20) == "flooded"
    assert seen == [*range(200)]


def test_one_who_waits_for_something_else_gets_it_up_to_the_hard_limit(
    start: Start, spoken: NegotiatedProtocol, served: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then the call that the function was passed with fails, and nothing else."""
    monkeypatch.setitem(CALLBACK_LIMITS, "limit_bytes", 4_000_000)
    gate = threading.Event()
    with start(served) as server, server.connect(**spoken) as api:
        waiting = api.wait()
        call = api.flood(lambda number, block: gate.wait(8), 200, 100_000)
        with pytest.raises(kk.BufferOverflow, match="called faster than it returns") as caught:
            _wait_elsewhere(call)
        assert caught.value.what == "callback"
        gate.set()
        served.gate.set()
        assert waiting.result(timeout_s=PATIENCE_S) == "waited"
        assert api.echo("alive").result(timeout_s=PATIENCE_S) == "alive"


def _wait_elsewhere(call: Any) -> None:
    """Without running its callbacks here, which would wait themselves."""
    until(lambda: call.state != "waiting", 20)
    call.result()


def test_a_subscription_that_is_busy_too_long_is_given_up_and_said_so(
    start: Start,
    spoken: NegotiatedProtocol,
    served: Api,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setitem(CALLBACK_LIMITS, "limit_bytes", 4_000_000)
    gate = threading.Event()

    def on_block(number: int, block: str) -> None:
        gate.wait(PATIENCE_S * 2)

    def said() -> list[str]:
        return [r.getMessage() for r in caplog.records if "on_block" in r.getMessage()]

    with start(served) as server, server.connect(**spoken) as api:
        waiting = api.wait()  # else reading pauses
        api.subscribe(on_block, 200, 100_000).result(timeout_s=PATIENCE_S)
        # Apart: what is called before the reply would run where the reply is waited for.
        api.publish().result(timeout_s=PATIENCE_S)
        until(lambda: bool(said()), 20)
        assert "it is no longer called" in said()[0]
        gate.set()
        served.gate.set()
        assert waiting.result(timeout_s=PATIENCE_S) == "waited"


def test_functions_of_other_calls_are_not_held_up(
    start: Start, spoken: NegotiatedProtocol, served: Api
) -> None:
    gate, seen = threading.Event(), []
    with start(served) as server, server.connect(**spoken) as api:
        slow = api.flood(lambda number, block: gate.wait(PATIENCE_S * 2), 3, 1)
        quick = api.flood(lambda number, block: seen.append(number), 50, 1)
        until(lambda: len(seen) == 50)
        assert seen == [*range(50)]
        gate.set()
        assert slow.result(timeout_s=PATIENCE_S) == quick.result(timeout_s=PATIENCE_S) == "flooded"


def test_a_handler_that_goes_on_calling_one_who_does_not_read_is_told(
    start: Start, spoken: NegotiatedProtocol, served: Api
) -> None:
    gate = threading.Event()
    limits = kk.ServerLimits(buffered_bytes_per_connection=2_000_000)
    with start(served, limits=limits) as server, server.connect(**spoken) as api:
        call = api.flood(lambda number, block: gate.wait(PATIENCE_S * 2), 1000, 100_000)
        until(lambda: served.flood_ended_with == "BufferOverflow", 20)
        gate.set()
        with pytest.raises(kk.RemoteError, match="the other side does not read"):
            call.result(timeout_s=20)


# ---- who has not come in yet


LISTENERS: dict[str, Callable[..., Any]] = {
    "websocket": lambda limits: kk.serve(Api(), limits=limits),
    "http": lambda limits: kk.serve(Api(), transport="http", limits=limits),
    "vovk": lambda limits: vovk.serve([ApiController], limits=limits),
}


class ApiController(vovk.Controller, prefix="api"):
    """What is served to Vovk clients."""

    gate = threading.Event()
    begun = 0

    @vovk.get("one")
    async def one(self) -> int:
        return 1

    @vovk.get("wait")
    async def wait(self) -> str:
        ApiController.begun += 1
        await asyncio.to_thread(self.gate.wait, PATIENCE_S * 2)
        return "waited"

    @vovk.get("block")
    def block(self) -> str:
        ApiController.begun += 1
        self.gate.wait(PATIENCE_S * 2)
        return "blocked"

    @vovk.get("ticks")
    async def ticks(self) -> AsyncIterator[int]:
        for number in range(10**6):
            yield number
            await asyncio.sleep(0.001)


def asks(server: Any) -> Any:
    """Whether a client with a token is served."""
    with server.connect() as api:
        if isinstance(server, vovk_server()):
            return api.ApiController.one().result(timeout_s=PATIENCE_S)
        return api.echo(1).result(timeout_s=PATIENCE_S)


def vovk_server() -> type:
    from kkjupyter.vovk.server.server import VovkServer

    return VovkServer


@pytest.mark.parametrize("kind", LISTENERS)
def test_sockets_that_show_no_token_are_few_and_soon_closed(kind: str) -> None:
    limits = kk.ServerLimits(unauthenticated_connections=3, handshake_timeout_s=0.5)
    with LISTENERS[kind](limits) as server, contextlib.ExitStack() as stack:
        silent = [stack.enter_context(raw_socket(server.port, PATIENCE_S)) for _ in range(3)]
        silent[0].sendall(b"GET / HT")  # begun, and never ended
        turned_away = stack.enter_context(raw_socket(server.port, PATIENCE_S))
        answer = read_to_end(turned_away)
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"unauthenticated_connections" in answer
        for sock in silent:
            read_to_end(sock)  # returns when it is closed
        assert asks(server) == 1


@pytest.mark.parametrize("kind", LISTENERS)
def test_honest_clients_that_come_all_at_once_are_all_served(kind: str) -> None:
    limits = kk.ServerLimits(unauthenticated_connections=2)
    with LISTENERS[kind](limits) as server:
        asks(server)  # which loads what a client needs, and may take its time
        with contextlib.ExitStack() as stack:
            socks = [stack.enter_context(raw_socket(server.port, PATIENCE_S)) for _ in range(40)]
            for sock in socks:
                sock.sendall(
                    b"GET /api/_schema_ HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n"
                    b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                    b"Authorization: Bearer " + server.token.encode() + b"\r\n\r\n"
                )
            statuses = {sock.recv(1000).split()[1] for sock in socks}
        assert statuses == {{"websocket": b"101", "http": b"405", "vovk": b"200"}[kind]}


@pytest.mark.parametrize("kind", LISTENERS)
def test_a_server_that_closes_lets_nobody_in_who_still_waits(kind: str) -> None:
    limits = kk.ServerLimits(unauthenticated_connections=1)
    with LISTENERS[kind](limits) as server, contextlib.ExitStack() as stack:
        socks = [stack.enter_context(raw_socket(server.port, PATIENCE_S)) for _ in range(4)]
        for _ in range(20):  # what the system has taken, the server has, too
            io_loop().flush(PATIENCE_S)
            time.sleep(0.005)
        started_s = time.monotonic()
        server.close()
        assert time.monotonic() - started_s < 0.8 * kk.ServerLimits().handshake_timeout_s
        for sock in socks:
            read_to_end(sock)  # returns when it is closed


@pytest.mark.parametrize("kind", LISTENERS)
def test_clients_beyond_the_limit_are_turned_away(kind: str) -> None:
    limits = kk.ServerLimits(connections=1, handshake_timeout_s=None)
    with LISTENERS[kind](limits) as server:
        assert asks(server) == 1  # which loads what a client needs, and may take its time
        until(lambda: server.clients == 0)
        with raw_socket(server.port, PATIENCE_S) if kind != "websocket" else server.connect():
            until(lambda: "503" in said_to_a_client(server))
            assert "the server's limit connections (1) is reached" in said_to_a_client(server)
        until(lambda: said_to_a_client(server) == "")


def said_to_a_client(server: Any) -> str:
    """Why a client with a token is not served; empty if it is."""
    try:
        asks(server)
    except kk.KKError as error:
        return str(error)
    return ""


def test_a_client_that_says_nothing_is_disconnected_and_told_why(
    caplog: pytest.LogCaptureFixture,
) -> None:
    limits = kk.ServerLimits(first_message_timeout_s=0.2)
    with (
        kk.serve(Api(), token=False, limits=limits) as server,
        connect_raw(server.url) as silent,
        server.connect() as api,
    ):
        with pytest.raises(ConnectionClosed, match="first_message_timeout_s"):
            silent.recv(timeout=PATIENCE_S)
        assert silent.close_code == 1008
        time.sleep(0.3)
        assert api.echo("said something").result() == "said something"
    (line,) = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert "no message within 0.2 s" in line


# ---- HTTP and Vovk


def test_requests_over_http_are_bounded(served: Api) -> None:
    limits = kk.ServerLimits(requests=1)
    with kk.serve(served, transport="http", limits=limits) as server, server.connect() as api:
        call = api.wait()
        until(lambda: served.begun == 1)
        assert "limit requests (1)" in str(refused(api.echo(1)))
        served.gate.set()
        assert call.result(timeout_s=PATIENCE_S) == "waited"
        until(lambda: server.running == 0)
        assert api.echo(1).result() == 1


def test_requests_and_streams_of_vovk_are_bounded() -> None:
    ApiController.gate.clear()
    limits = kk.ServerLimits(requests=2, streams=1)
    with vovk.serve([ApiController], limits=limits) as server, server.connect() as remote:
        api = remote.ApiController
        begun = ApiController.begun
        call = api.wait()
        until(lambda: ApiController.begun == begun + 1)
        loop = iter(api.ticks())
        assert next(loop) == 0
        with pytest.raises(kk.RemoteError, match=r"limit requests \(2\)") as caught:
            api.one().result(timeout_s=PATIENCE_S)
        assert caught.value.status == 503
        ApiController.gate.set()
        assert call.result(timeout_s=PATIENCE_S) == "waited"
        until(lambda: server.running == 1)
        with pytest.raises(kk.RemoteError, match=r"limit streams \(1\)"):
            next(iter(api.ticks()))
        del loop
        until(lambda: server.running == 0)
        assert next(iter(api.ticks())) == 0


def test_blocked_functions_of_vovk_cost_their_own_server_only() -> None:
    ApiController.gate.clear()
    limits = kk.ServerLimits(function_threads=2)
    with (
        vovk.serve([ApiController], limits=limits) as server,
        server.connect() as one,
        kk.serve(Api()) as elsewhere,
        elsewhere.connect() as other,
    ):
        begun = ApiController.begun
        calls = [one.ApiController.block() for _ in range(4)]
        until(lambda: ApiController.begun == begun + 2)
        assert other.quick().result(timeout_s=PATIENCE_S) == "quick"
        ApiController.gate.set()
        assert [call.result(timeout_s=PATIENCE_S) for call in calls] == ["blocked"] * 4
