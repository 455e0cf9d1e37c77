"""Connections: lost, made anew, closed; many calls at once."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import threading
import time
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from support.endpoints import Endpoint
from support.sessions import carrier
from support.waiting import PATIENCE_S, until

import kkjupyter as kk
from kkjupyter.api.status import CallStatus, ConnectionStatus, ServerStatus, Status
from kkjupyter.client.remote import describe
from kkjupyter.runtime.loop_threads import io_loop


def break_off(api: Any) -> None:
    """As a failing network does."""
    io_loop().post(carrier(api)._channel.abort)


# ---- losing it


def test_calls_under_way_fail_once_and_are_never_sent_twice(api: Any, endpoint: Endpoint) -> None:
    unary, stream = api.slow(), iter(api.once_then_wait())
    assert next(stream) == "first"
    until(lambda: sorted(endpoint.calls) == ["once_then_wait", "slow"])
    break_off(api)
    with pytest.raises(kk.ConnectionLost) as caught:
        unary.result()
    assert caught.value.reason
    assert caught.value.url == describe(api).url
    with pytest.raises(kk.ConnectionLost, match="after 1 item") as in_stream:
        next(stream)
    assert in_stream.value.items_received == 1
    assert isinstance(in_stream.value, ConnectionError)
    assert api.add(1, 2).result() == 3
    assert sorted(endpoint.calls) == ["add", "once_then_wait", "slow"]
    until(lambda: sorted(endpoint.finals) == ["once_then_wait", "slow"])


def test_the_next_call_connects_again(api: Any, server: Any) -> None:
    for number in range(3):
        assert api.add(number, 1).result() == number + 1
        assert describe(api).state == "open"
        break_off(api)
        until(lambda: describe(api).state.startswith("lost: "))
    until(lambda: server.clients == 0)
    assert "the next call connects again" in describe(api).state
    assert asyncio.run(awaited(api.add(5, 5))) == 10
    until(lambda: server.clients == 1)


async def awaited(call: Any) -> Any:
    return await call


def test_calls_made_while_it_reconnects_all_go_out_once(api: Any, endpoint: Endpoint) -> None:
    break_off(api)
    until(lambda: describe(api).state != "open")
    calls = [api.add(number, 1) for number in range(50)]
    assert [call.result() for call in calls] == [number + 1 for number in range(50)]
    assert endpoint.calls == ["add"] * 50


def test_a_call_cancelled_before_it_could_be_sent_is_not_sent(api: Any, endpoint: Endpoint) -> None:
    break_off(api)
    until(lambda: describe(api).state != "open")

    def make_and_cancel() -> None:  # on the I/O loop, so that nothing happens in between
        calls.append(api.slow())
        calls[0].cancel()

    calls: list[Any] = []
    io_loop().post(make_and_cancel)
    until(lambda: calls and calls[0].state == "cancelled")
    assert api.add(1, 2).result() == 3
    assert endpoint.calls == ["add"]


def test_what_was_buffered_is_delivered_before_the_loss(api: Any) -> None:
    call = api.items(20)  # as many as compact asks for at the start
    loop = iter(call)
    assert next(loop) == 0
    until(lambda: call.state == "done")  # everything has arrived
    break_off(api)
    until(lambda: describe(api).state != "open")
    assert list(loop) == list(range(1, 20))


def test_losing_it_in_mid_stream_gives_first_what_had_come(api: Any) -> None:
    call = api.ticks(0.001)
    loop = iter(call)
    assert next(loop) == 0
    until(lambda: len(call._state.buffer) > 20)
    break_off(api)
    until(lambda: call.state == "failed")
    came = len(call._state.buffer)
    assert [next(loop) for _ in range(came)] == list(range(1, came + 1))
    with pytest.raises(kk.ConnectionLost) as caught:
        next(loop)
    assert caught.value.items_received == came + 1


# ---- closing


def test_close_is_idempotent_and_ends_what_runs(
    server: Any, endpoint: Endpoint, spoken: dict[str, str]
) -> None:
    api = server.connect(**spoken)
    stream, unary = iter(api.once_then_wait()), api.slow()
    assert next(stream) == "first"
    until(lambda: "slow" in endpoint.calls)
    for _ in range(3):
        kk.close(api)
    with pytest.raises(kk.CallCancelled):
        next(stream)
    with pytest.raises(kk.CallCancelled):
        unary.result()
    until(lambda: sorted(endpoint.finals) == ["once_then_wait", "slow"])
    until(lambda: server.clients == 0)
    assert describe(api).state == "closed"
    with pytest.raises(kk.UsageError, match=r"add: the connection to .* is closed"):
        api.add(1, 2)


class Gate(dict):  # type: ignore[type-arg]
    """An argument with which making a call takes until the test says so."""

    def __init__(self) -> None:
        super().__init__(a=1)
        self.reached, self.opened = threading.Event(), threading.Event()

    def __repr__(self) -> str:
        self.reached.set()
        self.opened.wait(PATIENCE_S)
        return "Gate"


def test_a_call_made_in_the_moment_of_closing_does_not_connect_again(
    server: Any, endpoint: Endpoint, spoken: dict[str, str]
) -> None:
    api = server.connect(**spoken)
    gate = Gate()
    calls: list[Any] = []

    thread = threading.Thread(target=lambda: calls.append(api.echo(gate)))
    thread.start()
    assert gate.reached.wait(PATIENCE_S)
    kk.close(api)
    gate.opened.set()
    thread.join()
    with pytest.raises(kk.CallCancelled):
        calls[0].result(timeout_s=PATIENCE_S)
    until(lambda: server.clients == 0)  # a program that is ended lingers a little
    time.sleep(0.05)
    assert server.clients == 0


def test_with_and_async_with_close(server: Any, spoken: dict[str, str]) -> None:
    with server.connect(**spoken) as api:
        assert api.add(1, 2).result() == 3
    assert describe(api).state == "closed"

    async def main() -> None:
        async with server.connect(**spoken) as api:
            assert await api.add(1, 2) == 3
        assert describe(api).state == "closed"

    asyncio.run(main())
    until(lambda: server.clients == 0)


def test_closing_the_server_ends_its_producers_and_tells_the_clients(
    start: Callable[..., Any], endpoint: Endpoint, spoken: dict[str, str]
) -> None:
    server = start(endpoint)
    api = server.connect(**spoken)
    stream = iter(api.once_then_wait())
    next(stream)
    for _ in range(3):
        server.close()
    until(lambda: endpoint.finals == ["once_then_wait"])
    with pytest.raises(kk.ConnectionLost):
        next(stream)
    assert "closed" in repr(server)
    with pytest.raises(kk.ConnectError) as caught:
        api.add(1, 2).result()
    assert caught.value.url == describe(api).url
    kk.close(api)


@pytest.mark.parametrize("name", ["awaits", "ticks", "sync_ticks"])
def test_when_a_server_has_closed_its_handlers_have_ended(
    name: str, spoken: dict[str, str]
) -> None:
    log: list[str] = []

    class Watch:
        async def awaits(self) -> None:
            async for _ in self.ticks():
                log.append("awaits")

        async def ticks(self) -> AsyncIterator[int]:
            try:
                while True:
                    yield 1
                    await asyncio.sleep(0.01)
            finally:
                await asyncio.sleep(0.05)
                log.append("ended")

        def sync_ticks(self) -> Iterator[int]:
            try:
                while True:
                    yield 1
                    time.sleep(0.01)
            finally:
                time.sleep(0.05)
                log.append("ended")

    server = kk.serve(Watch())
    with server.connect(**spoken) as api:
        call = getattr(api, name)()
        if name == "awaits":
            until(lambda: "awaits" in log)
        else:
            next(iter(call))
        server.close()
        assert log[-1] == "ended"
        call.cancel()


def test_a_handler_that_does_not_end_keeps_no_server_open() -> None:
    release = threading.Event()

    class Stubborn:
        def stays(self) -> Iterator[int]:
            yield 1
            release.wait(60)

    server = kk.serve(Stubborn())
    with server.connect() as api:
        stream = iter(api.stays())
        next(stream)
        started_s = time.monotonic()
        server.close()
        assert time.monotonic() - started_s < PATIENCE_S
        with pytest.raises(kk.ConnectionLost):
            next(stream)
    release.set()


def test_a_connection_nobody_can_use_any_more_is_closed(
    server: Any, spoken: dict[str, str]
) -> None:
    api = server.connect(**spoken)
    assert api.add(1, 2).result() == 3
    session = weakref.ref(carrier(api))
    del api
    gc.collect()
    until(lambda: session() is None)
    until(lambda: server.clients == 0)


def test_a_call_keeps_its_connection(
    server: Any, endpoint: Endpoint, spoken: dict[str, str]
) -> None:
    call = server.connect(**spoken).slow(0.1)
    gc.collect()
    assert call.result() == "done"


def test_status_tells_what_is_open(api: Any, server: Any, protocol: str) -> None:
    stream = api.ticks(0.001)
    loop = iter(stream)
    next(loop)
    status = kk.status()
    url = describe(api).url
    (connection,) = [c for c in status.connections if c.url == url]
    assert (connection.state, connection.calls, connection.protocol) == ("open", 1, protocol)
    (call,) = [c for c in status.calls if c.id == stream.id]
    assert (call.title, call.state, call.url) == ("ticks(0.001)", "streaming", url)
    assert call.items >= 1
    assert f"{stream.id:>4}  ticks(0.001)  streaming" in repr(status)
    assert url in repr(status)
    assert "1 client, 1 call>" in repr(server)
    stream.cancel()
    until(lambda: not [c for c in kk.status().calls if c.id == stream.id])


def test_numbers_in_the_status_table_are_written_as_one_says_them() -> None:
    connection = ConnectionStatus("ws://a", "classic", "json", "open", 2)
    calls = [
        CallStatus(n, "f()", "streaming", items, "ws://a") for n, items in enumerate([0, 1, 1234])
    ]
    servers = [ServerStatus("ws://b", clients, 1) for clients in (0, 1, 2)]
    text = repr(Status((connection,), tuple(calls), tuple(servers)))
    assert [line.rpartition(", ")[2] for line in text.splitlines()[1:4]] == [
        "0 items",
        "1 item",
        "1,234 items",
    ]
    assert text.splitlines()[4:] == [
        "serving ws://b: 0 clients, 1 call",
        "serving ws://b: 1 client, 1 call",
        "serving ws://b: 2 clients, 1 call",
    ]


def test_status_does_not_list_what_could_not_be_connected(
    start: Callable[..., Any], endpoint: Endpoint
) -> None:
    server = start(endpoint)
    server.close()
    with pytest.raises(kk.ConnectError) as caught:  # kept, and with it the session in its frames
        server.connect()
    assert [c for c in kk.status().connections if c.url == caught.value.url] == []


@pytest.mark.half
def test_status_may_be_looked_at_while_connections_come_and_go(
    server: Any, spoken: dict[str, str]
) -> None:
    stop = threading.Event()
    problems: list[BaseException] = []

    def look() -> None:
        try:
            while not stop.is_set():
                repr(kk.status())
                repr(server)
        except Exception as problem:  # noqa: BLE001  looked at below
            problems.append(problem)

    thread = threading.Thread(target=look)
    thread.start()
    for _ in range(10):
        with server.connect(**spoken) as api:
            for _ in range(20):
                api.add(1, 2)
            api.add(1, 2).result()
    stop.set()
    thread.join()
    assert problems == []


# ---- many at once


@contextlib.contextmanager
def quickly() -> Iterator[None]:
    started_s = time.monotonic()
    yield
    assert time.monotonic() - started_s < PATIENCE_S


def test_the_same_id_twice_is_run_twice_and_ended_twice(
    server: Any, endpoint: Endpoint, spoken: dict[str, str]
) -> None:
    with server.connect(**spoken) as api:
        request = carrier(api).wire.request("same", "call", ["slow"])
        send = carrier(api)._channel.send_queue.put
        send(request)
        send(request)
        until(lambda: endpoint.calls == ["slow"] * 2)
        assert server.running == 2
    until(lambda: endpoint.finals == ["slow"] * 2)


def test_many_streams_at_once_and_their_cancels(api: Any, server: Any) -> None:
    with quickly():
        loops = [iter(api.ticks(0.001)) for _ in range(100)]
        assert [next(loop) for loop in loops] == [0] * 100
        loops.clear()
        until(lambda: server.running == 0)


@pytest.mark.only("resumable")
def test_what_may_be_resumed_is(api: Any) -> None:
    """So that all of this suite runs over such a connection, too."""
    assert api._kk_session.resumable is not None
