"""Whoever sends much, or odd things, keeps nobody else waiting, and makes nobody hold much."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import logging
import tracemalloc
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from support.hostile.floods import (
    CONTINUATION,
    PING,
    TEXT,
    flooding,
    frame,
    hostile_server,
    open_socket,
    worst_cpu_s,
)
from support.peers.raw import RawPeer, raw_client, raw_server
from support.waiting import PATIENCE_S, until

import kkjupyter as kk
from kkjupyter.runtime.loop_threads import handler_loop, io_loop

LIMIT_S = 1.0
"""So long an honest peer may wait for its answer, whatever others do."""
_FLOOD_S = 0.5


class Api:
    """What is served."""

    def __init__(self) -> None:
        self.begun = self.ended = 0
        self.numbers: list[int] = []

    async def echo(self, value: Any = None) -> Any:
        return value

    async def large(self, size_bytes: int) -> str:
        return "x" * size_bytes

    async def wait(self) -> None:
        self.begun += 1
        try:
            await asyncio.sleep(600)
        finally:
            self.ended += 1

    async def ticks(self) -> AsyncIterator[int]:
        for number in range(10**9):
            yield number

    async def note(self, number: int) -> None:
        self.numbers.append(number)


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    caplog.set_level(logging.CRITICAL)
    # The objects of all other tests are not the server's: looking through them takes the garbage
    # collector up to a second, in the midst of what is measured.
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture
def api() -> Api:
    return Api()


@pytest.fixture
def server(api: Api) -> Iterator[Any]:
    with kk.serve(api, token=False) as server:
        yield server


def compact(number: int, method: str, *args: Any) -> bytes:
    message = {"t": "q", "id": str(number), "op": "call", "p": [method], "a": list(args)}
    return json.dumps(message).encode()


def classic(number: int, method: str, *args: Any) -> bytes:
    message = {"id": str(number), "method": method, "args": list(args), "type": "request"}
    return json.dumps(message).encode() + b"\n"


HELLO = frame(compact(0, "echo", 1))
CLASSIC_HELLO = frame(classic(0, "echo", 1))
REQUESTS = b"".join(frame(compact(number, "echo", 1)) for number in range(5000))

# what is sent again and again, what before it, by how many clients, and whether they read
FLOODS: dict[str, tuple[bytes, bytes, int, bool]] = {
    "line ends in one frame": (frame(b"\n" * 1_000_000), HELLO, 1, True),
    "short lines in one classic frame": (frame(b"x\n" * 500_000), CLASSIC_HELLO, 1, True),
    "broken lines in one frame": (frame(b"{\n" * 500_000), HELLO, 1, True),
    "short lines in the first frame": (frame(b"{\n" * 500_000), b"", 1, True),
    "empty frames": (frame(b"") * 50_000, HELLO, 2, True),
    "frames of one byte": (frame(b"x") * 50_000, HELLO, 2, True),
    "pings": (frame(b"", PING) * 50_000, HELLO, 1, True),
    "empty fragments": (
        frame(b"", CONTINUATION, is_last=False) * 50_000,
        HELLO + frame(b"x", TEXT, is_last=False),
        1,
        True,
    ),
    "requests": (REQUESTS, HELLO, 10, True),
    "requests whose answers are not read": (REQUESTS, HELLO, 10, False),
    "large answers that are not read": (
        b"".join(frame(compact(number, "large", 300_000)) for number in range(500)),
        HELLO,
        4,
        False,
    ),
}


@pytest.mark.parametrize("kind", FLOODS)
def test_a_flood_keeps_no_other_client_waiting(kind: str, server: Any) -> None:
    blob, first, clients, reads = FLOODS[kind]
    with raw_client(server.url, "compact") as honest:
        honest.call("echo", "warm")
        with flooding(server.url, blob, first=first, clients=clients, reads=reads):
            worst_s = worst_cpu_s(lambda: honest.call("echo", 1), _FLOOD_S)
        # And when they have left.
        worst_s = max(worst_s, worst_cpu_s(lambda: honest.call("echo", 1), 0.1))
    assert worst_s < LIMIT_S


def test_streams_that_are_not_read_keep_nobody_waiting(server: Any) -> None:
    streams = b"".join(frame(classic(number, "ticks")) for number in range(1, 6))
    with raw_client(server.url, "compact") as honest:
        honest.call("echo", "warm")
        with contextlib.ExitStack() as stack:
            for _ in range(6):
                sock = stack.enter_context(open_socket(server.url))
                sock.sendall(streams)
            assert worst_cpu_s(lambda: honest.call("echo", 1), _FLOOD_S) < LIMIT_S


def test_who_leaves_with_thousands_of_calls_under_way_keeps_nobody_waiting(api: Api) -> None:
    limits = kk.ServerLimits(requests=None, requests_per_connection=None)
    count = 4_000
    with (
        kk.serve(api, token=False, limits=limits) as server,
        raw_client(server.url, "compact") as honest,
    ):
        honest.call("echo", "warm")
        with open_socket(server.url) as leaving:
            # Half of them by one id.
            ids = (number // 2 * (number % 2) for number in range(count))
            leaving.sendall(b"".join(frame(compact(one, "wait")) for one in ids))
            until(lambda: api.begun == count)
            assert server.running == count
        assert worst_cpu_s(lambda: honest.call("echo", 1), 0.5) < LIMIT_S
        until(lambda: api.ended == count)
        until(lambda: server.running == 0)  # the honest one's last call may be on its way out


def test_what_one_client_sends_keeps_its_order(server: Any, api: Api) -> None:
    """Little, much in one frame, a big message that is decoded in a thread, and little again."""
    padding = "x" * 700_000
    messages = [
        *(frame(classic(number, "note", number)) for number in range(10)),
        frame(b"".join(classic(number, "note", number) for number in range(10, 2000))),
        frame(classic(2000, "note", 2000).replace(b'"args"', f'"pad":"{padding}","args"'.encode())),
        *(frame(classic(number, "note", number)) for number in range(2001, 2010)),
    ]
    with open_socket(server.url) as sock:
        sock.sendall(b"".join(messages))
        until(lambda: len(api.numbers) == 2010)
    assert api.numbers == list(range(2010))


# ---- a client with a hostile server


def served(message: dict[str, Any], count: int) -> bytes:
    return frame(json.dumps(message).encode(), masked=False) * count


HOSTILE: dict[str, bytes] = {
    "items": served({"t": "sr", "id": "x", "sid": "s", "d": False, "v": "y" * 50}, 2000),
    "requests": served({"t": "q", "id": "x", "op": "call", "p": ["x"], "a": []}, 2000),
    "empty frames": frame(b"", masked=False) * 100_000,
    "pings": frame(b"", PING, masked=False) * 100_000,
    "empty fragments": frame(b"x", is_last=False, masked=False)
    + frame(b"", CONTINUATION, is_last=False, masked=False) * 100_000,
    "broken lines": frame(b"{}\n" * 300_000, masked=False),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_server_that_floods_keeps_no_other_connection_waiting(kind: str, server: Any) -> None:
    with hostile_server(HOSTILE[kind]) as url, server.connect(protocol="compact") as honest:
        honest.echo("warm").result()
        with kk.connect(url, protocol="compact", codec="json") as flooded:
            call = flooded.anything()
            asked = worst_cpu_s(lambda: honest.echo(1).result(timeout_s=PATIENCE_S), _FLOOD_S)
            call.cancel()
    assert asked < LIMIT_S


@pytest.mark.parametrize("kind", ["items", "empty frames"])
def test_a_server_that_floods_while_it_is_asked_for_its_protocol(kind: str) -> None:
    tracemalloc.start()
    try:
        with (
            hostile_server(HOSTILE[kind]) as url,
            pytest.raises(kk.ConnectError, match=r"before it said|did not say"),
        ):
            kk.connect(url)
        assert tracemalloc.get_traced_memory()[1] < 32 * 1024 * 1024
    finally:
        tracemalloc.stop()


# ---- ids that cannot be


def test_a_call_with_the_id_of_a_stream_that_was_passed_before(server: Any) -> None:
    with raw_client(server.url, "compact") as peer:
        handle = {"__kkrpc_next_stream__": "async-iterable", "id": "s"}
        argument = {"__kkrpc_next_arg__": "value", "v": handle}
        peer.send_json(t="q", id="first", op="call", p=["wait"], a=[])
        peer.send_json(t="q", id="second", op="call", p=["echo"], a=[argument])
        peer.receive()
        peer.send_json(t="q", id="s", op="call", p=["echo"], a=["answered"])
        answers = []
        while "answered" not in answers:
            answers.append(getattr(peer.receive(), "value", None))
        assert server.clients == 1


def test_a_request_with_the_id_of_a_call_that_is_awaited_harms_that_call_only() -> None:
    def play(peer: RawPeer) -> None:
        first, second = peer.take(2)
        peer.send_json(t="q", id=first.call_id, op="call", p=["anything"], a=[])
        answer = peer.receive()
        while type(answer).__name__ != "Failed":  # the cancel of the call may come first
            answer = peer.receive()
        peer.send(peer.wire.reply(second.call_id, "sound", "json"))
        with contextlib.suppress(TimeoutError):
            peer.receive()

    with raw_server(play) as url, kk.connect(url, protocol="compact", codec="json") as api:
        first, second = api.one(), api.two()
        with pytest.raises(kk.ProtocolError, match="sends back what it is sent"):
            first.result(timeout_s=PATIENCE_S)
        assert second.result(timeout_s=PATIENCE_S) == "sound"


def test_a_message_that_stumbles_harms_only_itself(
    server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kkjupyter.server.dispatch import Producer

    asked = Producer.requested

    def requested(self: Producer, request: Any) -> None:
        if request.path == ("stumble",):
            raise ZeroDivisionError
        asked(self, request)

    monkeypatch.setattr(Producer, "requested", requested)
    with raw_client(server.url, "compact") as peer:
        assert peer.call("stumble").error.name == "InternalError"
        assert peer.call("echo", "still there").value == "still there"


# ---- functions


def test_functions_that_are_called_late_do_not_stay_for_ever(monkeypatch: Any) -> None:
    from kkjupyter.calls import callbacks

    monkeypatch.setattr(callbacks, "_KEPT_FUNCTIONS", 64)
    monkeypatch.setattr(callbacks, "_KEPT_SUBSCRIPTIONS", 32)

    class Late:
        async def take(self, tell: Callable[[int], object]) -> None:
            asyncio.get_running_loop().call_later(0.001, tell, 1)

    with kk.serve(Late(), token=False) as server, server.connect(protocol="classic") as api:
        functions = api._kk_session._functions
        for _ in range(400):
            api.take(lambda number: None).result(timeout_s=PATIENCE_S)
        for loop in (handler_loop(), io_loop()):
            loop.flush(PATIENCE_S)
        assert len(functions) < 300
