"""What one message may cost: refused before it is spent, by itself, while others are answered."""

from __future__ import annotations

import contextlib
import gzip
import http.client
import json
import logging
import threading
import time
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest
from support.peers.raw import RawPeer, raw_client, raw_server
from support.waiting import until

import kkjupyter as kk
from kkjupyter import vovk
from kkjupyter.calls.buffer import HARD_LIMIT_BYTES
from kkjupyter.wire.events import Requested
from kkjupyter.wire.message_cost import HASH_MODULUS, MAX_DEPTH

MIB = 1024 * 1024
# An honest client is answered within a second; a machine that is busy with other tests is not.
WAIT_S = 5.0


class Api:
    async def ping(self) -> str:
        return "pong"

    async def echo(self, value: Any) -> Any:
        return value

    async def count(self, numbers: list[int]) -> int:
        return len(numbers)

    async def total(self, *numbers: int) -> int:
        return sum(numbers)

    async def distinct(self, numbers: set[int]) -> int:
        return len(numbers)


@pytest.fixture
def server() -> Iterator[Any]:
    with kk.serve(Api(), token=False) as server:
        yield server


@contextlib.contextmanager
def honest_client(url: str) -> Iterator[list[float]]:
    """How long the calls of another client took, in seconds."""
    waits_s: list[float] = []
    is_over = threading.Event()
    api = kk.connect(url, protocol="compact")

    def call() -> None:
        while not is_over.wait(0.01):
            begun_s = time.perf_counter()
            assert api.ping().result(60) == "pong"
            waits_s.append(time.perf_counter() - begun_s)

    thread = threading.Thread(target=call)
    thread.start()
    until(lambda: waits_s)
    try:
        yield waits_s
    finally:
        is_over.set()
        thread.join(60)
        kk.close(api)
    assert max(waits_s) < WAIT_S


def compact(value: str, method: str = "echo", meta: dict[str, Any] | None = None) -> bytes:
    request = f'{{"t":"q","id":"1","op":"call","p":["{method}"],"a":[{value}]}}'
    if meta is not None:
        request = f'{{"json":{request},"meta":{json.dumps(meta)}}}'
    return request.encode()


def classic(value: str, method: str = "echo", meta: dict[str, Any] | None = None) -> bytes:
    request = f'{{"id":"1","method":"{method}","args":[{value}],"type":"request"}}'
    if meta is not None:
        request = f'{{"json":{request},"meta":{json.dumps(meta)}}}'
    return request.encode() + b"\n"


def refusal(url: str, message: bytes, protocol: str = "compact") -> str:
    """What a message is refused with; its connection lives on, and so do all others."""
    with honest_client(url), raw_client(url, protocol) as peer:
        peer.send(message)
        answer = peer.receive(30)
        assert answer.id == "1"
        assert peer.call("ping").value == "pong"
    return str(answer.error)


def nested(levels: int) -> str:
    return "[" * levels + "]" * levels


HEAVY = "[" + ",".join(["[]"] * 1_000_000) + "]"


@pytest.mark.parametrize(("protocol", "write"), [("compact", compact), ("classic", classic)])
def test_a_message_of_empty_lists_is_refused_unmade(server: Any, protocol: str, write: Any) -> None:
    message = write(HEAVY)
    tracemalloc.start()
    try:
        text = refusal(server.url, message, protocol)
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert "message_memory_bytes (67,108,864)" in text
    assert peak_bytes < 40 * MIB  # the text itself, some times over; its lists take 65 MiB


def test_the_limit_can_be_set() -> None:
    limits = kk.ServerLimits(message_memory_bytes=1000)
    with kk.serve(Api(), token=False, limits=limits) as server:
        api = kk.connect(server.url, protocol="compact", codec="json")
        assert api.echo("x" * 100).result(10) == "x" * 100
        with pytest.raises(kk.RemoteError, match=r"message_memory_bytes \(1,000\)"):
            api.echo([[] for _ in range(500)]).result(10)
    limits = kk.ServerLimits(message_bytes=None, message_memory_bytes=None)
    with kk.serve(Api(), token=False, limits=limits) as server:
        api = kk.connect(server.url, protocol="compact", codec="json")
        assert len(api.echo("x" * 5 * MIB).result(30)) == 5 * MIB


def test_a_message_over_the_limit_ends_its_connection_and_says_why(server: Any) -> None:
    api = kk.connect(server.url, protocol="compact", codec="json")
    with (
        honest_client(server.url),
        pytest.raises(kk.ConnectionLost, match=r"1009|too big|message_bytes"),
    ):
        api.echo("x" * (4 * MIB + 1)).result(30)
    assert api.ping().result(10) == "pong"


@pytest.mark.parametrize("levels", [260, 985, 100_000])
@pytest.mark.parametrize(("protocol", "write"), [("compact", compact), ("classic", classic)])
def test_deep_nesting_is_answered(server: Any, protocol: str, write: Any, levels: int) -> None:
    assert f"more than {MAX_DEPTH} levels" in refusal(server.url, write(nested(levels)), protocol)


@pytest.mark.parametrize("codec", ["json", "superjson"])
@pytest.mark.parametrize("protocol", ["compact", "classic"])
def test_what_a_client_may_send_is_answered(server: Any, protocol: str, codec: str) -> None:
    """Values nested 980 to 988 deep were sent, and never answered."""
    api = kk.connect(server.url, protocol=protocol, codec=codec)
    refused = []
    for levels in (10, 245, *range(250, 262), 300, 600, 980, 984, 988, 2000):
        value: Any = 1
        for _ in range(levels):
            value = [value]
        try:
            assert api.echo(value).result(10) == value
        except kk.EncodeError as error:
            refused.append((levels, error.reason))
    assert all("nested too deeply" in reason for _, reason in refused)
    refused = [levels for levels, _ in refused]
    assert refused[0] > 245
    assert {300, 600, 980, 984, 988, 2000} <= set(refused)


def test_integers_of_one_hash_are_refused(server: Any) -> None:
    numbers = [HASH_MODULUS * n for n in range(1, 30_000)]
    assert "same hash" in refusal(server.url, compact(json.dumps(numbers), "distinct"))
    tags = {"a.0": ["set", {str(index): ["bigint"] for index in range(len(numbers))}]}
    texts = json.dumps([str(number) for number in numbers])
    meta = {"values": tags, "v": 1}
    assert "same hash" in refusal(server.url, compact(texts, "distinct", meta))
    # The same digits in another spelling.
    hidden = texts.replace("3", "\\u0033")
    assert "same hash" in refusal(server.url, compact(hidden, "distinct", meta))


@pytest.mark.parametrize(("protocol", "write"), [("compact", compact), ("classic", classic)])
def test_half_a_million_arguments_that_do_not_fit_are_refused_at_once(
    server: Any, protocol: str, write: Any
) -> None:
    message = write(",".join(['""'] * 500_000), "total")
    refused = refusal(server.url, message, protocol)
    assert "numbers: Expected `int`, got `str`" in refused
    assert len(refused) < 10_000


def test_large_integers_that_do_not_collide_are_fine(server: Any) -> None:
    numbers = [2**63 + n * 7919 for n in range(10_000)]
    with raw_client(server.url, "compact") as peer:
        peer.send(compact(json.dumps(numbers), "distinct"))
        assert peer.receive(30).value == len(numbers)


def test_a_long_path_with_a_backslash_takes_linear_time(server: Any) -> None:
    key = "a" * 200_000 + "\\" + "b" * 300_000
    path = "a.0." + key.replace("\\", "\\\\")
    value = json.dumps({key: "2020-01-01T00:00:00.000Z"})
    message = compact(value, meta={"values": {path: ["Date"]}, "v": 1})
    with honest_client(server.url), raw_client(server.url, "compact", "superjson") as peer:
        peer.send(message)
        assert peer.receive(30).value[key].year == 2020


def test_many_annotations_under_a_long_prefix_take_linear_time(server: Any) -> None:
    value: Any = ["2020-01-01T00:00:00.000Z"] * 20_000
    for _ in range(240):
        value = [value]
    tags = {"a.0" + ".0" * 240: ["unknown", {str(index): ["Date"] for index in range(20_000)}]}
    message = compact(json.dumps(value), meta={"values": tags, "v": 1})
    with honest_client(server.url), raw_client(server.url, "compact", "superjson") as peer:
        peer.send(message)
        answer = peer.receive(30).value
    while isinstance(answer[0], list):
        answer = answer[0]
    assert len(answer) == 20_000
    assert answer[-1].year == 2020


def test_a_long_key_is_not_repeated_for_each_value_in_it(server: Any) -> None:
    key = "k" * MIB
    value = f'{{"{key}":[-0.0{",0" * 30_000}]}}'
    for meta in (None, {"v": 1}):
        with honest_client(server.url), raw_client(server.url, "compact") as peer:
            peer.send(compact(value, meta=meta))
            assert len(peer.receive(30).value[key]) == 30_001


def doubling(lines: int) -> tuple[str, dict[str, Any]]:
    """``lines`` lists, each of which holds the one after it twice."""
    value = [[None, None] for _ in range(lines)] + [1]
    same = {f"a.0.{n + 1}": [f"a.0.{n}.0", f"a.0.{n}.1"] for n in reversed(range(lines))}
    return json.dumps(value), {"referentialEqualities": same, "v": 1}


@pytest.mark.parametrize("method", ["echo", "count"])
def test_references_make_nothing_much_larger_than_it_was(server: Any, method: str) -> None:
    value, meta = doubling(50)
    assert "references make larger" in refusal(server.url, compact(value, method, meta))


def test_shared_parts_are_fine(server: Any) -> None:
    value, meta = doubling(10)
    with raw_client(server.url, "compact", "superjson") as peer:
        peer.send(compact(value, meta=meta))
        lists = peer.receive(30).value
    assert lists[0][0] is lists[0][1] is lists[1]


# ---- clients


def served(reply: bytes, protocol: str = "compact") -> Any:
    """A server that answers the first call with ``reply``, and others with ``"fine"``."""

    def play(peer: RawPeer) -> None:
        request = peer.receive()
        peer.send(reply.replace(b"ID", request.call_id.encode()))
        while True:
            event = peer.receive()
            if isinstance(event, Requested):
                peer.send(peer.wire.reply(event.call_id, "fine", "json"))

    return raw_server(play, protocol)


@pytest.mark.parametrize(
    ("protocol", "reply"),
    [
        ("compact", b'{"t":"r","id":"ID","v":%s}'),
        ("compact", b'{"json":{"t":"r","id":"ID","v":%s}}'),
        ("classic", b'{"id":"ID","args":{"result":%s},"type":"response"}\n'),
    ],
)
def test_an_answer_that_would_take_too_much_memory_fails_its_call(
    protocol: str, reply: bytes
) -> None:
    lists = b"[" + b",".join([b"[]"] * 4_000_000) + b"]"
    with served(reply % lists, protocol) as url:
        del lists
        api = kk.connect(url, protocol=protocol, codec="json")
        tracemalloc.start()
        try:
            with pytest.raises(kk.MessageTooBig) as caught:
                api.anything().result(60)
            peak_bytes = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert caught.value.in_memory
        assert caught.value.limit_bytes == 256 * MIB
        assert peak_bytes < 128 * MIB  # its text, as often as it is handed on
        assert api.anything().result(30) == "fine"


def test_a_client_can_set_how_much_an_answer_may_take() -> None:
    reply = b'{"t":"r","id":"ID","v":[%s]}' % b",".join([b"[]"] * 200)
    with served(reply) as url:
        limits = kk.ClientLimits(message_memory_bytes=1000)
        api = kk.connect(url, protocol="compact", codec="json", limits=limits)
        with pytest.raises(kk.MessageTooBig, match=r"message_memory_bytes \(1,000\)"):
            api.anything().result(30)
    with served(reply) as url:
        api = kk.connect(url, protocol="compact", codec="json", limits=kk.ClientLimits())
        assert len(api.anything().result(30)) == 200


@pytest.mark.parametrize("limits", [{"message_bytes": 0}, {"message_memory_bytes": True}])
def test_a_limit_is_a_positive_number(limits: dict[str, Any]) -> None:
    with pytest.raises(kk.UsageError, match="positive number"):
        kk.ClientLimits(**limits)


def test_other_limits_are_refused() -> None:
    with pytest.raises(kk.UsageError, match=r"must be a kk\.ClientLimits, not ServerLimits"):
        kk.connect("ws://127.0.0.1:1", limits=kk.ServerLimits())  # type: ignore[arg-type]


def _until_overflow(stream: Iterator[Any]) -> Iterator[int]:
    with pytest.raises(kk.BufferOverflow):  # noqa: PT012  the loop raises it
        for items in stream:
            yield len(items)


def test_unread_items_are_weighed() -> None:
    """Items of empty lists from a server that ignores credit took 1.6 GB for 64 MiB of text."""
    item = b'{"t":"sr","id":"x","sid":"s","d":false,"v":[%s]}' % b",".join([b"[]"] * 10_000)

    def play(peer: RawPeer) -> None:
        request = peer.receive()
        peer.send(peer.wire.open_stream(request.call_id, "s", "json"))
        peer.receive()  # the first credits
        for _ in range(300):
            peer.send(item)
        while True:
            peer.receive(60)

    with raw_server(play) as url:
        api = kk.connect(url, protocol="compact", codec="json")
        call = api.anything()
        stream = iter(call)
        next(stream)
        until(lambda: call.state == "failed", 60)
        taken = list(_until_overflow(stream))
        kk.close(api)
    # 10,000 lists take 560 KB and more; the first MiB is counted by its text.
    assert len(taken) < (HARD_LIMIT_BYTES + 40 * MIB) / 560_000


# ---- bodies


GZIPPED = {"Content-Encoding": "gzip", "Content-Type": "application/json"}


def post(url: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
    host, _, path = url.partition("://")[2].partition("/")
    connection = http.client.HTTPConnection(host, timeout=30)
    try:
        connection.request("POST", f"/{path}", body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


class Echo(vovk.Controller, prefix="echo"):
    @vovk.post("echo")
    async def echo(self, req: vovk.Request[Any]) -> Any:
        return await req.json()


@contextlib.contextmanager
def http_servers(**options: Any) -> Iterator[list[tuple[str, bytes]]]:
    """Addresses of kkrpc over HTTP and of Vovk, each with a body it takes."""
    with (
        kk.serve(Api(), token=False, transport="http", **options) as kkrpc,
        vovk.serve([Echo], token=False, **options) as served,
    ):
        yield [(kkrpc.url, compact("[1]")), (f"{served.url}/echo/echo", b"[1]")]


BOMB = gzip.compress(b"[" + b"[]," * 10_000_000 + b"[]]", 1)


def test_packed_bodies_are_refused_by_default(caplog: pytest.LogCaptureFixture) -> None:
    with http_servers() as servers, caplog.at_level(logging.INFO):
        for url, body in servers:
            assert post(url, gzip.compress(body), GZIPPED)[0] == 415
            assert post(url, BOMB, GZIPPED)[0] == 415
            assert post(url, body, GZIPPED)[0] == 400  # it says gzip and is not
            assert post(url, body, {"Content-Type": "application/json"})[0] == 200
    assert "Traceback" not in caplog.text


def test_packed_bodies_are_unpacked_up_to_the_limit(caplog: pytest.LogCaptureFixture) -> None:
    with http_servers(gzip=True) as servers, caplog.at_level(logging.INFO):
        for url, body in servers:
            assert post(url, gzip.compress(body), GZIPPED)[0] == 200
            assert post(url, gzip.compress(body)[:-4], GZIPPED)[0] == 400
            assert post(url, b"\x1f\x8bnonsense", GZIPPED)[0] == 400
            assert post(url, body, GZIPPED | {"Content-Encoding": "br"})[0] == 415
            tracemalloc.start()
            try:
                assert post(url, BOMB, GZIPPED)[0] == 413
                peak_bytes = tracemalloc.get_traced_memory()[1]
            finally:
                tracemalloc.stop()
            assert peak_bytes < 24 * MIB
    assert "Traceback" not in caplog.text


def test_a_body_of_empty_lists_is_refused_unmade() -> None:
    with http_servers() as servers:
        for (url, _), body in zip(servers, (compact(HEAVY), HEAVY.encode()), strict=True):
            status, answer = post(url, body, {"Content-Type": "application/json"})
            assert status in (400, 413)
            assert b"message_memory_bytes" in answer
