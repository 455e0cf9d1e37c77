"""What happens to a service on a message bus when its parts are killed, frozen or slow."""

from __future__ import annotations

import asyncio
import os
import signal
import ssl
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from support.figures import keep_ms
from support.peers.bus import BusPeer
from support.servers import tls
from support.servers.buses import BROKERS, own_broker, service_url
from support.servers.loop_server import LoopServer
from support.sessions import carrier
from support.waiting import PATIENCE_S, until

import kkjupyter as kk
from kkjupyter.bus import client as bus_client
from kkjupyter.bus import kkrpc_peer, link
from kkjupyter.runtime.loop_threads import io_loop

TLS = Path(tls.__file__).parent
WORKER = """
import asyncio, os, sys
import kkjupyter as kk

class Api:
    def pid(self): return os.getpid()
    async def nap(self, seconds):
        await asyncio.sleep(seconds)
        return os.getpid()
    async def ticks(self):
        while True:
            yield os.getpid()
            await asyncio.sleep(0.01)

server = kk.serve(Api(), on=sys.argv[1], workers="shared")
print("ready", flush=True)
sys.stdin.read()
"""
CLIENT = """
import sys
import kkjupyter as kk

api = kk.connect(sys.argv[1])
for _ in api.ticks():
    print("tick", flush=True)
"""


@contextmanager
def program(source: str, url: str, word: str) -> Iterator[subprocess.Popen[str]]:
    """Another process, once it has said its first word."""
    process = subprocess.Popen(
        [sys.executable, "-c", source, url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == f"{word}\n"
        yield process
    finally:
        process.kill()
        process.communicate()


class Api:
    """Counts what it produces, and the streams that have ended."""

    def __init__(self) -> None:
        self.produced = 0
        self.ended = 0
        self.ended_at_s = 0.0

    def add(self, a: int, b: int) -> int:
        return a + b

    async def ticks(self, size: int = 1) -> AsyncIterator[str]:
        try:
            while True:
                self.produced += 1
                yield "x" * size
                await asyncio.sleep(0.001)
        finally:
            self.ended_at_s = time.monotonic()
            self.ended += 1

    async def tell(self, function: Callable[[str], Any], count: int) -> int:
        for _ in range(count):
            await function("x" * 1000)
            self.produced += 1
        return count


@pytest.fixture(params=BROKERS)
def bus(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def url(bus: str) -> str:
    return service_url(bus)


def loses(stream: Iterator[Any]) -> tuple[kk.ConnectionLost, float]:
    """Read a stream to its end, which is a loss; that, and when it came."""
    with pytest.raises(kk.ConnectionLost) as caught:
        for _ in stream:
            pass
    return caught.value, time.monotonic()


# ---- the broker


def test_a_stream_ends_when_the_broker_is_killed_and_the_next_call_works_when_it_is_back(
    bus: str,
) -> None:
    api = Api()
    with (
        own_broker(bus) as mine,
        kk.serve(api, on=f"{mine.url}/faults") as server,
        server.connect() as remote,
    ):
        stream = iter(remote.ticks())
        next(stream)
        killed_s = time.monotonic()
        mine.kill()
        lost, lost_s = loses(stream)
        assert f"the connection to the {mine.label} server is lost" in lost.reason
        assert lost.items_received > 0
        assert lost_s - killed_s < PATIENCE_S
        until(lambda: api.ended == 1)  # the server's own connection is lost, too
        waiting = remote.add(1, 2)  # waits for the broker, within its time to connect
        mine.start()
        assert waiting.result(timeout_s=PATIENCE_S) == 3
        assert kk.status().connections[-1].state == "open"


def test_without_a_broker_nothing_is_served_and_nobody_connects(bus: str) -> None:
    with own_broker(bus) as mine:
        mine.kill()
        started_s = time.monotonic()
        why = f"connection refused; is the {mine.label} server running"
        with pytest.raises(kk.ConnectError, match=why):
            kk.connect(f"{mine.url}/faults")
        with pytest.raises(kk.ConnectError, match=why):
            kk.serve(Api(), on=f"{mine.url}/faults")
        assert time.monotonic() - started_s < PATIENCE_S


def test_a_call_while_the_broker_is_away_fails_when_its_time_to_connect_is_over(bus: str) -> None:
    with (
        own_broker(bus) as mine,
        kk.serve(Api(), on=f"{mine.url}/faults") as server,
        server.connect(connect_timeout_s=0.5) as remote,
    ):
        assert remote.add(1, 2).result() == 3
        mine.kill()
        until(lambda: "lost" in kk.status().connections[-1].state)
        with pytest.raises(kk.ConnectTimeout, match=r"did not come back within 0.5 s"):
            remote.add(1, 2).result(timeout_s=PATIENCE_S)
        mine.start()
        until(lambda: _can_add(remote))


def _can_add(remote: Any) -> bool:
    try:
        return bool(remote.add(1, 2).result(timeout_s=PATIENCE_S) == 3)
    except kk.ConnectError:
        return False


def test_a_broker_that_is_frozen_for_a_moment_loses_nothing(bus: str) -> None:
    with (
        own_broker(bus) as mine,
        kk.serve(Api(), on=f"{mine.url}/faults") as server,
        server.connect() as remote,
    ):
        assert remote.add(1, 2).result() == 3
        mine.signal(signal.SIGSTOP)
        call = remote.add(3, 4)
        with pytest.raises(TimeoutError):
            call.result(timeout_s=1.5)
        later = remote.add(4, 5)
        mine.signal(signal.SIGCONT)
        assert later.result(timeout_s=PATIENCE_S) == 9


# ---- workers


def test_a_stream_of_a_worker_that_is_killed_ends_within_seconds_and_another_goes_on(
    bus: str, url: str
) -> None:
    with program(WORKER, url, "ready") as first, program(WORKER, url, "ready") as second:
        workers = {first.pid: first, second.pid: second}
        with kk.connect(url) as api:
            stream = iter(api.ticks())
            pid = next(stream)
            workers[pid].kill()
            killed_s = time.monotonic()
            lost, lost_s = loses(stream)
            assert "is gone" in lost.reason
            keep_ms(f"{bus}: a killed worker's stream ends", lost_s - killed_s)
            assert lost_s - killed_s < 5
            (other,) = workers.keys() - {pid}
            until(lambda: _pid(api) == other)


def _pid(api: Any) -> int | None:
    try:
        return int(api.pid().result(timeout_s=PATIENCE_S))
    except kk.KKError:
        return None


def test_a_worker_that_is_frozen_is_given_up(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "SILENCE_S", 2.5)
    with program(WORKER, url, "ready") as worker, kk.connect(url) as api:
        call = api.nap(60)
        assert api.pid().result() == worker.pid
        os.kill(worker.pid, signal.SIGSTOP)
        try:
            with pytest.raises(kk.ConnectionLost, match=r"gave no sign of life for 2.5 s"):
                call.result(timeout_s=PATIENCE_S)
        finally:
            os.kill(worker.pid, signal.SIGCONT)
        until(lambda: _pid(api) == worker.pid)  # it says that it is there again


def test_a_worker_that_is_frozen_before_anybody_connects_is_told_from_none(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bus_client, "_OPEN_S", 1.0)
    with program(WORKER, url, "ready") as worker:
        os.kill(worker.pid, signal.SIGSTOP)
        try:
            with pytest.raises(kk.ConnectTimeout, match="a worker is there, but gave no answer"):
                kk.connect(url)
        finally:
            os.kill(worker.pid, signal.SIGCONT)


def test_calls_are_shared_out_and_stay_with_their_worker(url: str) -> None:
    with (
        program(WORKER, url, "ready"),
        program(WORKER, url, "ready"),
        program(WORKER, url, "ready"),
        kk.connect(url) as api,
    ):
        until(lambda: len(api._kk_session._candidates) == 3)
        calls = [api.nap(0.05) for _ in range(60)]
        shares = Counter(call.result(timeout_s=PATIENCE_S) for call in calls)
        assert len(shares) == 3
        assert min(shares.values()) >= 15
        streams = [iter(api.ticks()) for _ in range(6)]
        for stream in streams:
            assert len({next(stream) for _ in range(20)}) == 1
        assert len({next(stream) for stream in streams}) == 3


def test_a_worker_that_leaves_is_called_no_more(url: str) -> None:
    with program(WORKER, url, "ready") as first, kk.connect(url) as api:
        with kk.serve({"pid": os.getpid}, on=url, workers="shared"):
            until(lambda: len(api._kk_session._candidates) == 2)
        until(lambda: len(api._kk_session._candidates) == 1)
        assert {api.pid().result() for _ in range(10)} == {first.pid}


def test_kkrpcs_own_client_of_a_worker_that_is_killed_is_told_by_another(url: str) -> None:
    """With theirs it waits for ever."""
    with (
        program(WORKER, url, "ready") as first,
        program(WORKER, url, "ready") as second,
        BusPeer(url) as peer,
    ):
        workers = {first.pid: first, second.pid: second}
        pids: dict[str, int] = {}
        for number in range(10):
            request = {"t": "q", "id": f"c{number}", "op": "call", "p": ["ticks"], "a": []}
            peer.say(request, "client", "server")
        while len(pids) < 10:
            message = peer.hear()["message"]
            if message["t"] == "r":
                stream_id = message["v"]["id"]
                pull = {"t": "sq", "id": f"p{stream_id}", "sid": stream_id, "op": "pull", "n": 1}
                peer.say(pull, "client", "server")
            elif message["t"] == "sr":
                pids[message["sid"]] = message["v"]
        dead = first.pid
        # It has said what it owes: one of its fellows knows.
        time.sleep(0.2)
        workers[dead].kill()
        killed_s = time.monotonic()
        lost: set[str] = set()
        while lost != {stream_id for stream_id, pid in pids.items() if pid == dead}:
            message = peer.hear()["message"]
            if "e" in message:
                assert message["e"]["n"] == "WorkerLost"
                lost.add(message["sid"])
        keep_ms("NATS: kkrpc's own client is told of a dead worker", time.monotonic() - killed_s)
        assert lost
        assert time.monotonic() - killed_s < 8


def test_kkrpcs_own_client_is_told_when_its_server_is_closed(url: str) -> None:
    with kk.serve(Api(), on=url) as server, BusPeer(url) as peer:
        request = {"t": "q", "id": "c", "op": "call", "p": ["ticks"], "a": []}
        peer.say(request, "client", "server")
        stream_id = peer.hear()["message"]["v"]["id"]
        server.close()
        message = peer.hear()["message"]
        assert (message["sid"], message["e"]["m"]) == (stream_id, "the server was closed")


# ---- clients


def test_the_producer_of_a_client_that_is_killed_ends_within_seconds(bus: str, url: str) -> None:
    api = Api()
    with kk.serve(api, on=url) as server, program(CLIENT, url, "tick") as client:
        assert server.running == 1
        client.kill()
        killed_s = time.monotonic()
        until(lambda: api.ended == 1)
        keep_ms(f"{bus}: a killed client's producer ends", time.monotonic() - killed_s)
        assert time.monotonic() - killed_s < 5
        until(lambda: server.clients == 0)


@pytest.mark.parametrize("is_there", [True, False], ids=["client-silent", "client-vanishes"])
def test_one_of_kkrpcs_own_clients_that_vanishes_is_noticed_by_asking_it(
    url: str, is_there: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With theirs the producer stays open for ever."""
    monkeypatch.setattr(kkrpc_peer, "ASK_S", 0.5)
    monkeypatch.setattr(kkrpc_peer, "SILENCE_S", 3.0)
    api = Api()
    with kk.serve(api, on=url) as server, BusPeer(url) as peer, BusPeer(url):
        peer.say(
            {"t": "q", "id": "id-1", "op": "call", "p": ["ticks"], "a": []}, "client", "server"
        )
        opened = peer.hear()["message"]
        stream_id = opened["v"]["id"]
        pull = {"t": "sq", "id": "id-3", "sid": stream_id, "op": "pull", "n": 32}
        peer.say(pull, "client", "server")
        until_s = time.monotonic() + 5
        while time.monotonic() < until_s and api.ended == 0:
            message = peer.hear()["message"] if not peer.heard.empty() else {"t": ""}
            if is_there and message["t"] == "q":
                error = {"n": "Error", "m": "No API exposed"}
                peer.say({"t": "r", "id": message["id"], "e": error}, "client", "server")
            time.sleep(0.01)
        assert api.ended == (0 if is_there else 1)
        assert server.clients == (1 if is_there else 0)


def test_a_cancel_ends_the_right_producer_at_once(bus: str, url: str) -> None:
    api, other = Api(), Api()
    with (
        kk.serve(api, on=url, workers="shared"),
        kk.serve(other, on=url, workers="shared"),
        kk.connect(url) as remote,
    ):
        until(lambda: len(remote._kk_session._candidates) == 2)
        streams = [remote.ticks(), remote.ticks()]
        loops = [iter(stream) for stream in streams]
        assert [next(loop) for loop in loops] == ["x", "x"]
        until(lambda: api.produced > 0 and other.produced > 0)
        cancelled_s = time.monotonic()
        streams[0].cancel()
        until(lambda: api.ended + other.ended == 1)
        ended_s = max(api.ended_at_s, other.ended_at_s)
        keep_ms(f"{bus}: cancel to finally", ended_s - cancelled_s)
        assert ended_s - cancelled_s < 1
        streams[1].cancel()
        until(lambda: (api.ended, other.ended) == (1, 1))


def test_a_slow_reader_stops_its_producer(url: str) -> None:
    api = Api()
    with kk.serve(api, on=url), kk.connect(url) as remote:
        stream = iter(remote.ticks(100_000))
        next(stream)
        rest = _rest(lambda: api.produced)
        # What is granted of one stream, and what the link holds.
        assert rest * 100_000 < 12 * 1024 * 1024
        assert remote.add(1, 2).result(timeout_s=PATIENCE_S) == 3  # others are not held up
        for _ in range(rest + 50):
            next(stream)
        assert api.produced > rest


def test_a_function_that_is_slow_stops_who_calls_it(url: str) -> None:
    api = Api()
    gate = threading.Event()
    with kk.serve(api, on=url), kk.connect(url) as remote:

        def function(text: str) -> None:
            gate.wait(60)

        call = remote.tell(function, 200_000)

        def wait() -> None:
            with pytest.raises(kk.CallCancelled):
                call.result(timeout_s=120)

        waiting = threading.Thread(target=wait)
        waiting.start()
        rest = _rest(lambda: api.produced)
        assert 0 < rest * 1000 < 64 * 1024 * 1024
        assert rest < 200_000
        gate.set()
        until(lambda: api.produced > rest)
        call.cancel()
        waiting.join(PATIENCE_S)


def _rest(value: Callable[[], int]) -> int:
    """What it comes to rest at."""
    last, since_s = -1, time.monotonic()
    while time.monotonic() - since_s < 1:
        if value() != last:
            last, since_s = value(), time.monotonic()
        time.sleep(0.01)
    return last


# ---- what is on its way


def test_lost_messages_end_the_connection_by_name(url: str) -> None:
    with kk.serve(Api(), on=url), kk.connect(url) as remote:
        stream = iter(remote.ticks())
        next(stream)
        transport = carrier(remote)._channel._transport
        io_loop().post(setattr, transport, "_received_frames", 10**9)
        lost, _ = loses(stream)
        assert "messages were lost on the way" in lost.reason
        assert remote.add(1, 2).result(timeout_s=PATIENCE_S) == 3


def test_a_value_larger_than_the_broker_takes_is_cut_between_our_own_ends(url: str) -> None:
    big = "äx" * 2_000_000
    with kk.serve({"echo": lambda text: text}, on=url, limits=_big()), kk.connect(url) as remote:
        assert remote.echo(big).result(timeout_s=60) == big


def _big() -> kk.ServerLimits:
    return kk.ServerLimits(message_bytes=32 * 1024 * 1024)


def test_a_value_too_large_for_one_of_kkrpcs_own_servers_is_refused_before_it_is_sent(
    bus: str,
) -> None:
    with own_broker(bus, *BROKERS[bus].with_limit_of_1_mib()) as mine:
        url = f"{mine.url}/faults"
        peer = BusPeer(url)
        api: list[Any] = []
        connecting = threading.Thread(target=lambda: api.append(kk.connect(url)))
        connecting.start()
        asked = peer.hear()
        peer.say({"t": "r", "id": asked["message"]["id"]}, "server", asked["from"])
        connecting.join(PATIENCE_S)
        with pytest.raises(kk.EncodeError, match=r"what carries it takes 1,04[78],"):
            api[0].echo("x" * 1_100_000)
        assert peer.heard.empty()
        kk.close(api[0])
        peer.close()


# ---- who may come in


def test_the_brokers_token_is_asked_for_and_never_seen(
    bus: str, caplog: pytest.LogCaptureFixture
) -> None:
    token = "s3cret-tok3n"
    with own_broker(bus, *BROKERS[bus].with_token(token)) as mine:
        url = f"{mine.url}/faults"
        with pytest.raises(kk.ConnectError, match="refuses these credentials; pass token=") as no:
            kk.connect(url)
        with pytest.raises(kk.ConnectError, match="refuses these credentials") as wrong:
            kk.serve(Api(), on=url, token=f"{token}!")
        with kk.serve(Api(), on=url, token=token) as server, server.connect() as remote:
            assert remote.add(1, 2).result() == 3
            inside = f"{mine.url.replace('//', f'//{mine.user_of(token)}@')}/faults"
            with kk.connect(inside) as other:
                assert other.add(1, 2).result() == 3
                seen = [repr(server), repr(remote), repr(other), repr(kk.status()), server.url]
        seen += [str(no.value), str(wrong.value), repr(wrong.value.__cause__), caplog.text]
    assert not [text for text in seen if token in text]


def test_tls_is_checked(bus: str) -> None:
    with tls_broker(bus) as broker_url:
        url = f"{broker_url.replace('127.0.0.1', 'localhost')}/faults"
        with pytest.raises(kk.ConnectError, match="certificate"):
            kk.connect(url)
        authority = TLS / "authority.pem"
        context = ssl.create_default_context(cafile=str(authority))
        with kk.serve(Api(), on=url, ssl=context), kk.connect(url, ca_file=authority) as api:
            assert api.add(1, 2).result() == 3


# ---- one server or many


@contextmanager
def tls_broker(bus: str) -> Iterator[str]:
    """The address of a broker with a certificate of our own."""
    if bus == "nats":
        pem = str(TLS / "localhost.pem")
        with own_broker(bus, "--tls", "--tlscert", pem, "--tlskey", pem) as mine:
            yield mine.url
    else:  # the server at hand is built without TLS
        with own_broker(bus) as mine, TlsRelay(mine.port) as relay:
            yield f"{bus}s://127.0.0.1:{relay.port}"


class TlsRelay(LoopServer):
    """Leads to a port of this machine, and shows a certificate."""

    def __init__(self, to_port: int) -> None:
        super().__init__(tls.server_context("localhost"))
        self._to_port = to_port

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._to_port)
        try:
            await asyncio.gather(_relay(reader, far_writer), _relay(far_reader, writer))
        finally:
            far_writer.close()


async def _relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


@pytest.mark.parametrize(("first", "second"), [(None, "shared"), ("shared", None), (None, None)])
def test_a_second_server_is_refused_unless_both_share(url: str, first: Any, second: Any) -> None:
    with kk.serve(Api(), on=url, workers=first) as server, kk.connect(url) as api:
        with pytest.raises(kk.ConnectError, match=r"another server .* pass workers='shared'"):
            kk.serve(Api(), on=url, workers=second)
        assert server.url == url
        assert api.add(1, 2).result() == 3


def test_a_full_service_says_so(url: str) -> None:
    limits = kk.ServerLimits(connections=1)
    with kk.serve(Api(), on=url, limits=limits), kk.connect(url) as first:
        with pytest.raises(kk.ConnectError, match=r"limit connections \(1\) is reached"):
            kk.connect(url)
        assert first.add(1, 2).result() == 3


def test_nobody_serves_there_is_said_soon(bus: str, url: str) -> None:
    started_s = time.monotonic()
    with pytest.raises(kk.ConnectError, match="nobody serves 'test"):
        kk.connect(url)
    # Redis does not tell who reads a stream, so kkrpc's own servers are asked three times.
    assert time.monotonic() - started_s < {"nats": 3, "redis": 6}[bus]
