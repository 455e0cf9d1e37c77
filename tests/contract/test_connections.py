"""Connections: lost, made anew, closed; and frames that are no messages."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import random
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.endpoints import Endpoint, until

import kkjupyter as kk
from kkjupyter.rpc.inprocess import serve_in_memory
from kkjupyter.rpc.portal import io_loop
from kkjupyter.rpc.remote import describe


def break_off(api: Any) -> None:
    """As a failing network does."""
    io_loop().post(api._kk_session._channel.abort)


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
    call = api.items(100)
    until(lambda: call.state == "done")  # everything has arrived
    break_off(api)
    assert list(call) == list(range(100))


def test_losing_it_in_mid_stream_gives_first_what_had_come(api: Any) -> None:
    call = api.ticks(0.001)
    until(lambda: len(call._state.buffer) > 20)
    break_off(api)
    until(lambda: call.state == "failed")
    came = len(call._state.buffer)
    loop = iter(call)
    assert [next(loop) for _ in range(came)] == list(range(came))
    with pytest.raises(kk.ConnectionLost) as caught:
        next(loop)
    assert caught.value.items_received == came


# ---- closing


def test_close_is_idempotent_and_ends_what_runs(
    server: Any, endpoint: Endpoint, codec: str
) -> None:
    api = server.connect(codec=codec)
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
        self.opened.wait(2)
        return "Gate"


def test_a_call_made_in_the_moment_of_closing_does_not_connect_again(
    server: Any, endpoint: Endpoint, codec: str
) -> None:
    api = server.connect(codec=codec)
    gate = Gate()
    calls: list[Any] = []

    thread = threading.Thread(target=lambda: calls.append(api.echo(gate)))
    thread.start()
    assert gate.reached.wait(2)
    kk.close(api)
    gate.opened.set()
    thread.join()
    with pytest.raises(kk.CallCancelled):
        calls[0].result(timeout_s=2)
    time.sleep(0.05)
    assert server.clients == 0


def test_with_and_async_with_close(server: Any, codec: str) -> None:
    with server.connect(codec=codec) as api:
        assert api.add(1, 2).result() == 3
    assert describe(api).state == "closed"

    async def main() -> None:
        async with server.connect(codec=codec) as api:
            assert await api.add(1, 2) == 3
        assert describe(api).state == "closed"

    asyncio.run(main())
    until(lambda: server.clients == 0)


def test_closing_the_server_ends_its_producers_and_tells_the_clients(
    start: Callable[..., Any], endpoint: Endpoint, codec: str
) -> None:
    server = start(endpoint)
    api = server.connect(codec=codec)
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


def test_a_connection_nobody_can_use_any_more_is_closed(server: Any, codec: str) -> None:
    api = server.connect(codec=codec)
    assert api.add(1, 2).result() == 3
    session = weakref.ref(api._kk_session)
    del api
    gc.collect()
    until(lambda: session() is None)
    until(lambda: server.clients == 0)


def test_a_call_keeps_its_connection(server: Any, endpoint: Endpoint, codec: str) -> None:
    call = server.connect(codec=codec).slow(0.1)
    gc.collect()
    assert call.result() == "done"


def test_status_tells_what_is_open(api: Any, server: Any) -> None:
    stream = api.ticks(0.001)
    loop = iter(stream)
    next(loop)
    status = kk.status()
    url = describe(api).url
    (connection,) = [c for c in status.connections if c.url == url]
    assert (connection.state, connection.calls, connection.protocol) == ("open", 1, "classic")
    (call,) = [c for c in status.calls if c.id == stream.id]
    assert (call.title, call.state, call.url) == ("ticks(0.001)", "streaming", url)
    assert call.items >= 1
    assert f"{stream.id:>4}  ticks(0.001)  streaming" in repr(status)
    assert url in repr(status)
    assert "1 client, 1 call>" in repr(server)
    stream.cancel()
    until(lambda: not [c for c in kk.status().calls if c.id == stream.id])


def test_numbers_in_the_status_table_are_written_as_one_says_them() -> None:
    connection = kk.rpc.status.ConnectionStatus("ws://a", "classic", "json", "open", 2)
    calls = [
        kk.rpc.status.CallStatus(n, "f()", "streaming", items, "ws://a")
        for n, items in enumerate([0, 1, 1234])
    ]
    servers = [kk.rpc.status.ServerStatus("ws://b", clients, 1) for clients in (0, 1, 2)]
    text = repr(kk.rpc.status.Status((connection,), tuple(calls), tuple(servers)))
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


def test_status_may_be_looked_at_while_connections_come_and_go(server: Any, codec: str) -> None:
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
        with server.connect(codec=codec) as api:
            for _ in range(20):
                api.add(1, 2)
            api.add(1, 2).result()
    stop.set()
    thread.join()
    assert problems == []


# ---- frames that are no messages


def raw_channel(api: Any) -> Callable[[bytes], None]:
    """Sends any bytes over the connection of ``api``."""
    outbox = api._kk_session._channel.outbox
    return lambda data: outbox.put(data)


MALFORMED = [
    b"{}\n",
    b"null\n",
    b"[]\n",
    b"{\n",
    b"garbage\n",
    b"\xff\xfe\x00\n",
    b'{"json":{}}\n',
    b'{"json":null,"meta":1}\n',
    b'{"id":"x","args":[],"type":"request"}\n',
    b'{"id":5,"method":"add","args":[1,2],"type":"request"}\n',
    b'{"id":"x","method":"add","args":{"a":1},"type":"request"}\n',
    b'{"id":"x","method":"","args":[],"type":"request"}\n',
    b'{"id":"x","method":"...","args":[],"type":"request"}\n',
    b'{"id":"x","method":"__class__.__init__","args":[],"type":"request"}\n',
    b'{"id":"x","method":"add","args":[1,2],"type":"construct"}\n',
    b'{"id":"x","method":"","args":{},"type":"get"}\n',
    b'{"id":"x","method":"","args":{},"type":"get","path":[]}\n',
    b'{"id":"x","method":"","args":{},"type":"get","path":[null,{},5]}\n',
    b'{"id":"x","method":"","args":{},"type":"set","path":["add"],"value":5}\n',
    b'{"id":"x","method":"","args":{},"type":"set","path":["__class__"],"value":5}\n',
    b'{"id":"x","type":"stream-cancel"}\n',
    b'{"id":"x","type":"stream-chunk","args":null}\n',
    b'{"id":"x","type":"response"}\n',
    b'{"id":"x","type":"callback","method":"nobody","args":[]}\n',
    b'{"id":"x","type":"no such type"}\n',
    b'{"id":"x","method":"echo","args":["__callback__7"],"callbackIds":[7],"type":"request"}\n',
    b'{"json":{"id":"x","method":"echo","args":[1],"type":"request"},'
    b'"meta":{"values":{"args.0.deep.er":["Date"]}}}\n',
    b'{"json":{"id":"x","method":"echo","args":[1],"type":"request"},'
    b'"meta":{"values":{"args.0":[["typed-array","Nonsense"]]}}}\n',
    b'{"json":{"id":"x","method":"echo","args":["("],"type":"request"},'
    b'"meta":{"values":{"args.0":["regexp"]}}}\n',
    b'{"json":{"id":"x","method":"echo","args":[[]],"type":"request"},'
    b'"meta":{"referentialEqualities":{"args.0":["args.0.0.0"]}}}\n',
    b'{"id":"x","method":"echo","args":[' + b"[" * 5000 + b"]" * 5000 + b'],"type":"request"}\n',
    b"\n\n\n",
]


@pytest.mark.parametrize("frame", MALFORMED, ids=lambda frame: frame[:40].decode("latin-1"))
def test_a_malformed_frame_harms_neither_the_server_nor_other_calls(
    api: Any, endpoint: Endpoint, frame: bytes
) -> None:
    stream = iter(api.ticks(0.001))
    assert next(stream) == 0
    raw_channel(api)(frame)
    assert api.add(1, 2).result(timeout_s=2) == 3
    assert [next(stream) for _ in range(3)] == [1, 2, 3]
    assert endpoint.add(1, 1) == 2  # nothing was overwritten


def test_random_frames_harm_nobody(api: Any, endpoint: Endpoint) -> None:
    seed = random.randrange(2**32)
    print("seed", seed)  # shown when the test fails
    chance = random.Random(seed)
    stream = iter(api.ticks(0.001))
    next(stream)
    send = raw_channel(api)
    for _ in range(400):
        send(random_frame(chance))
    assert api.add(1, 2).result(timeout_s=5) == 3
    assert len([next(stream) for _ in range(3)]) == 3
    assert api._kk_session._channel.is_open


def random_frame(chance: random.Random) -> bytes:
    def value(depth: int = 0) -> Any:
        kind = chance.randrange(9 if depth < 4 else 6)
        if kind == 6:
            return [value(depth + 1) for _ in range(chance.randrange(4))]
        if kind == 7:
            return {word(): value(depth + 1) for _ in range(chance.randrange(4))}
        if kind == 8:
            return {"__stream": True}
        return [None, True, chance.random(), chance.randrange(10**9), word(), ""][kind]

    def word() -> str:
        return chance.choice(
            ["id", "x", "add", "echo", "__proto__", "args.0", "values", "Date", "map", "countdown",
             "data.stream", "response", "error", "result", "\ud83d", "1", "__callback__x", "json"]
        )  # fmt: skip

    kinds = ["request", "get", "set", "construct", "response", "callback", "stream-chunk"]
    kinds += ["stream-end", "stream-error", "stream-cancel", "nonsense"]
    message: dict[str, Any] = {}
    for key in ("id", "type", "method", "args", "path", "value", "callbackIds", "version"):
        match chance.randrange(5):
            case 0:
                pass
            case 1:
                message[key] = value()
            case _:
                message[key] = chance.choice(kinds) if key == "type" else word()
    whole: Any = message
    if chance.randrange(2):
        metas = {"values": value(), "referentialEqualities": value(), "v": value()}
        whole = {"json": message, "meta": chance.choice([metas, value()])}
    data = bytearray(json.dumps(whole).encode())
    for _ in range(chance.choice([0, 0, 0, 1, 5])):
        data[chance.randrange(len(data))] = chance.randrange(256)
    # Rubbish without an end may hold on to what follows it, so each ends.
    return bytes(data).replace(b"\n", b" ") + b"\n"


def test_a_server_that_sends_random_frames_harms_no_client(codec: str) -> None:
    """The other direction: our side asks, and rubbish comes between the answers."""
    chance = random.Random(20240607)
    with serve_in_memory(Endpoint()) as server, server.connect(codec=codec) as api:
        assert api.add(1, 2).result() == 3
        outbox = server._channels[0].outbox
        stream = iter(api.ticks(0.001))
        for number in range(20):
            for _ in range(10):
                outbox.put(random_frame(chance))
            assert next(stream) == number
            assert api.add(number, 1).result(timeout_s=2) == number + 1


@contextlib.contextmanager
def quickly() -> Iterator[None]:
    started_s = time.monotonic()
    yield
    assert time.monotonic() - started_s < 2


def test_the_same_id_twice_is_run_twice_and_ended_twice(
    server: Any, endpoint: Endpoint, codec: str
) -> None:
    with server.connect(codec=codec) as api:
        request = b'{"id":"same","method":"slow","args":[],"type":"request"}\n'
        raw_channel(api)(request)
        raw_channel(api)(request)
        until(lambda: endpoint.calls == ["slow"] * 2)
        assert server.running == 2
    until(lambda: endpoint.finals == ["slow"] * 2)


def test_many_streams_at_once_and_their_cancels(api: Any, server: Any) -> None:
    with quickly():
        loops = [iter(api.ticks(0.001)) for _ in range(100)]
        assert [next(loop) for loop in loops] == [0] * 100
        loops.clear()
        until(lambda: server.running == 0)
