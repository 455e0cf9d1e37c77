"""Streams and calls outlive a broken connection: nothing is lost, nothing is done twice."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from support.hostile.floods import frame, open_socket
from support.runs import FakeScreen
from support.servers.cutting_link import CuttingLink
from support.waiting import PATIENCE_S, until

import kkjupyter as kk
from kkjupyter.notebook.run.run import Run
from kkjupyter.transports.resumable.control import Again, encode

ITEMS = 8
RESUME_S = 30
PROTOCOLS = ("classic", "compact")


class Api:
    def __init__(self) -> None:
        self.begun = 0
        self.produced = 0
        self.ended = 0

    async def count(self, stop: int, wait_s: float = 0.0) -> AsyncIterator[int]:
        self.begun += 1
        try:
            for number in range(stop):
                await asyncio.sleep(wait_s)
                self.produced += 1
                yield number
        finally:
            self.ended += 1

    async def large(self, stop: int) -> AsyncIterator[str]:
        try:
            for number in range(stop):
                self.produced += 1
                yield f"{number} " + "x" * 10_000
        finally:
            self.ended += 1

    async def add(self, a: int, b: int, wait_s: float = 0.0) -> int:
        self.begun += 1
        await asyncio.sleep(wait_s)
        return a + b

    async def tell(self, times: int, report: Callable[[int], Any]) -> str:
        self.begun += 1
        for number in range(times):
            report(number)
            await asyncio.sleep(0)
        return "told"

    async def total(self, numbers: AsyncIterator[int]) -> int:
        self.begun += 1
        return sum([number async for number in numbers])


@pytest.fixture
def target() -> Api:
    return Api()


@pytest.fixture
def server(target: Api) -> Iterator[Any]:
    with kk.serve(target, resume_s=RESUME_S) as server:
        yield server


@pytest.fixture
def link(server: Any) -> Iterator[CuttingLink]:
    with CuttingLink(server.port) as link:
        yield link


def connect(link: CuttingLink, server: Any, **options: Any) -> Any:
    return kk.connect(
        f"ws://127.0.0.1:{link.port}", **{"token": server.token, "resume": True, **options}
    )


def frames_of(link: CuttingLink, work: Callable[[], Any]) -> int:
    """How many frames it takes when nothing breaks."""
    before = link.frames
    work()
    return link.frames - before


# ---- wherever it is cut


@pytest.mark.parametrize("halves", [False, True], ids=["between frames", "in a frame"])
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_stream_goes_on_wherever_it_is_cut(
    protocol: str, halves: bool, link: CuttingLink, server: Any, target: Api
) -> None:
    link.halves = halves
    with connect(link, server, protocol=protocol) as api:

        def work() -> None:
            assert list(api.count(ITEMS, 0.001)) == list(range(ITEMS))

        frames = frames_of(link, work)
        cuts = 0
        for cut_at in range(frames + 1):
            link.plan(cut_at)
            work()
            cuts += link.is_through  # acknowledgements come at times: there may be fewer frames
        assert target.begun == frames + 2
        until(lambda: target.ended == frames + 2)
        assert cuts >= ITEMS


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_calls_and_callbacks_are_carried_out_once_wherever_they_are_cut(
    protocol: str, link: CuttingLink, server: Any, target: Api
) -> None:
    with connect(link, server, protocol=protocol) as api:

        def work() -> None:
            heard: list[int] = []
            assert api.add(1, 2).result(timeout_s=PATIENCE_S) == 3
            assert api.tell(3, heard.append).result(timeout_s=PATIENCE_S) == "told"
            assert heard == [0, 1, 2]

        cuts = 0
        for cut_at in range(frames_of(link, work) + 1):
            link.plan(cut_at)
            work()
            cuts += link.is_through
        assert target.begun == 2 * (cut_at + 2)
        assert cuts > 5


def test_a_stream_among_the_arguments_goes_on_wherever_it_is_cut(
    link: CuttingLink, server: Any, target: Api
) -> None:
    with connect(link, server) as api:

        def work() -> None:
            assert api.total(iter(range(10))).result(timeout_s=PATIENCE_S) == 45

        for cut_at in range(frames_of(link, work) + 1):
            link.plan(cut_at)
            work()
        assert target.begun == cut_at + 2


def test_it_may_break_again_while_it_comes_back(
    link: CuttingLink, server: Any, target: Api
) -> None:
    """At the request, at its answer, at the first frame of either side, and so on."""
    with connect(link, server) as api:
        for again in range(8):
            link.plan(6, again, again, 0)
            assert list(api.count(ITEMS, 0.001)) == list(range(ITEMS))
            assert link.is_through
        assert target.begun == target.ended == 8


def test_a_first_connection_that_breaks_is_an_error_or_comes_back(
    link: CuttingLink, server: Any, target: Api
) -> None:
    outcomes = []
    for cut_at in range(16):
        link.plan(cut_at)
        try:
            with connect(link, server) as api:
                assert list(api.count(2)) == [0, 1]
            outcomes.append("came back")
        except (kk.ConnectError, kk.ConnectionLost):
            outcomes.append("refused")
        link.plan()
    assert outcomes[0] == "refused"
    assert outcomes[-1] == "came back"
    # A goodbye may be what was cut; then the server waits, though nothing runs.
    until(lambda: server.clients == server.away and not server.running)


@pytest.mark.parametrize(
    "away_s",
    [0.05, 0.5, *(pytest.param(away_s, marks=pytest.mark.matrix) for away_s in (2, 5, 10))],
)
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_network_may_be_away_for_a_while(
    away_s: float, protocol: str, link: CuttingLink, server: Any, target: Api
) -> None:
    link.away_s = away_s
    with connect(link, server, protocol=protocol) as api:
        started_s = time.monotonic()
        link.plan(20)
        assert list(api.count(100, 0.001)) == list(range(100))
        assert time.monotonic() - started_s > away_s
    assert target.begun == 1


def test_what_is_much_is_kept_and_sent_again(link: CuttingLink, server: Any) -> None:
    with connect(link, server) as api:
        for cut_at in (3, 40, 170):
            link.plan(cut_at)
            found = [int(item.split()[0]) for item in api.large(300)]
            assert found == list(range(300))
            assert link.is_through


# ---- while it is away


def test_the_producer_waits_while_its_client_is_away(
    link: CuttingLink, server: Any, target: Api
) -> None:
    with connect(link, server, protocol="classic") as api:
        stream = iter(api.large(100_000))
        next(stream)
        link.cut(down=True)
        until(lambda: server.away == 1)
        last, since_s = target.produced, time.monotonic()
        while time.monotonic() - since_s < 0.3:
            if target.produced != last:
                last, since_s = target.produced, time.monotonic()
            time.sleep(0.01)
        # What is kept, what waits in front of it, and the buffers of sockets and client.
        assert last * 10_000 < 40 * 1024 * 1024
        assert server.running == 1
        link.mend()
        assert [int(next(stream).split()[0]) for _ in range(last + 50)][-1] == last + 50


def test_a_cancel_arrives_when_the_client_is_back(
    link: CuttingLink, server: Any, target: Api
) -> None:
    with connect(link, server) as api:
        call = api.count(1_000_000, 0.001)
        stream = iter(call)
        next(stream)
        link.cut(down=True)
        until(lambda: server.away == 1)
        call.cancel()
        assert call.state == "cancelled"
        assert target.ended == 0
        link.mend()
        until(lambda: target.ended == 1)


def test_what_runs_ends_when_its_client_does_not_come_back(target: Api) -> None:
    with (
        kk.serve(target, resume_s=0.5) as server,
        CuttingLink(server.port) as link,
        connect(link, server) as api,
    ):
        stream = iter(api.count(1_000_000, 0.001))
        next(stream)
        link.cut(down=True)
        started_s = time.monotonic()
        with pytest.raises(kk.ConnectionLost, match=r"no way back within 0\.5 s") as caught:
            for _ in stream:
                pass
        assert caught.value.items_received > 0
        assert 0.4 < time.monotonic() - started_s < PATIENCE_S
        until(lambda: target.ended == 1 and server.clients == 0)
        link.mend()
        assert api.add(1, 2).result(timeout_s=PATIENCE_S) == 3


def test_who_looks_sees_that_it_reconnects(link: CuttingLink, server: Any) -> None:
    with connect(link, server) as api:
        call = api.count(200, 0.01)
        consumer = call.consume()
        assert consumer.away_since_s is None
        link.cut(down=True)
        until(lambda: consumer.away_since_s is not None)
        assert re.search(r"reconnecting for \d+ s", repr(kk.status()))
        assert kk.client.remote.describe(api).state.startswith("reconnecting for ")
        until(lambda: server.away == 1)
        assert "1 client (1 away)" in repr(server)
        assert "1 client (1 away)" in repr(kk.status())
        link.mend()
        until(lambda: consumer.away_since_s is None)
        assert "reconnecting" not in repr(kk.status())
        call.cancel()


def test_a_view_says_so_and_goes_on(link: CuttingLink, server: Any) -> None:
    with connect(link, server) as api:
        run, screen = Run(1, "count(300)", api.count(300, 0.005).consume()), FakeScreen()
        run.add_screen(screen)
        run.start()
        until(lambda: screen.items)
        link.cut(down=True)
        until(lambda: screen.reconnecting_s is not None)
        link.mend()
        until(lambda: screen.reconnecting_s is None)
        assert run.wait(PATIENCE_S)
        assert screen.items == list(range(300))
        assert screen.states[-1] == "done"


def test_a_call_made_while_it_is_away_is_sent_when_it_is_back(
    link: CuttingLink, server: Any, target: Api
) -> None:
    with connect(link, server) as api:
        running = api.add(1, 2, 0.2)
        until(lambda: target.begun == 1)
        link.cut(down=True)
        until(lambda: server.away == 1)
        late = api.add(3, 4)
        hasty = kk.call(api.add, 5, 6, timeout_s=0.05)
        with pytest.raises(kk.CallTimeout):
            hasty.result()
        link.mend()
        assert running.result(timeout_s=PATIENCE_S) == 3
        assert late.result(timeout_s=PATIENCE_S) == 7
        assert target.begun == 2


def test_a_connection_that_nobody_uses_is_made_again_by_the_next_call(
    link: CuttingLink, server: Any
) -> None:
    with connect(link, server) as api:
        assert api.add(1, 2).result() == 3
        session = api._kk_session
        until(lambda: not session.resumable._log.held_bytes)
        link.cut()
        until(lambda: session.state.startswith("lost"))
        assert link.connections == 1
        assert api.add(1, 2).result(timeout_s=PATIENCE_S) == 3
        assert link.connections == 2


# ---- servers that are gone


SERVER = """
import asyncio, sys
import kkjupyter as kk

async def count():
    n = 0
    while True:
        yield n
        n += 1
        await asyncio.sleep(0.01)

async def add(a, b):
    return a + b

port, resume_s = sys.argv[1:]
api = {"count": count, "add": add}
server = kk.serve(api, port=int(port), token="t", resume_s=float(resume_s))
print(server.port, flush=True)
sys.stdin.read()
"""


def start_program(resume_s: float, port: int = 0) -> tuple[subprocess.Popen[str], int]:
    program = subprocess.Popen(
        [sys.executable, "-c", SERVER, str(port), str(resume_s)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert program.stdout is not None
    return program, int(program.stdout.readline())


def end(program: subprocess.Popen[str]) -> None:
    program.kill()
    program.communicate(timeout=PATIENCE_S)


def test_a_server_that_was_killed() -> None:
    program, port = start_program(1.5)
    try:
        with kk.connect(f"ws://127.0.0.1:{port}", token="t") as api:
            stream = iter(api.count())
            next(stream)
            os.kill(program.pid, signal.SIGKILL)
            until(lambda: "reconnecting" in repr(kk.status()))
            with pytest.raises(kk.ConnectionLost, match=r"no way back.*connection refused"):
                for _ in stream:
                    pass
    finally:
        end(program)


def test_a_server_that_was_started_anew() -> None:
    program, port = start_program(RESUME_S)
    try:
        with kk.connect(f"ws://127.0.0.1:{port}", token="t") as api:
            stream = iter(api.count())
            next(stream)
            end(program)
            program, _ = start_program(RESUME_S, port)
            late = api.add(1, 2)
            started_s = time.monotonic()
            with pytest.raises(kk.ConnectionLost, match="was started anew"):
                for _ in stream:
                    pass
            assert time.monotonic() - started_s < 10
            assert late.result(timeout_s=PATIENCE_S) == 3
    finally:
        end(program)


def test_a_server_that_does_not_resume_any_more(target: Api) -> None:
    server = kk.serve(target, resume_s=RESUME_S)
    port, token = server.port, server.token
    with CuttingLink(port) as link, connect(link, server) as api:
        stream = iter(api.count(1_000, 0.01))
        next(stream)
        link.cut(down=True)
        until(lambda: server.away == 1)
        server.close()
        with kk.serve(target, port=port, token=token):
            link.mend()
            with pytest.raises(kk.ConnectionLost, match="does not have this session"):
                for _ in stream:
                    pass


def test_a_server_that_takes_another_token_now(target: Api) -> None:
    server = kk.serve(target, resume_s=RESUME_S)
    with CuttingLink(server.port) as link, connect(link, server) as api:
        stream = iter(api.count(1_000, 0.01))
        next(stream)
        link.cut(down=True)
        until(lambda: server.away == 1)
        server.close()
        with kk.serve(target, port=server.port, token="another"):
            link.mend()
            with pytest.raises(kk.ConnectionLost, match=r"cannot be resumed.*(401|token)"):
                for _ in stream:
                    pass


def test_a_server_that_is_closed_tells_its_clients_at_once(
    link: CuttingLink, server: Any, target: Api
) -> None:
    with connect(link, server) as api:
        stream = iter(api.count(1_000_000, 0.001))
        next(stream)
        started_s = time.monotonic()
        server.close()
        with pytest.raises(kk.ConnectionLost, match="closed by the other side"):
            for _ in stream:
                pass
        assert time.monotonic() - started_s < 5
        assert target.ended == 1


def test_a_client_that_is_closed_is_not_waited_for(
    link: CuttingLink, server: Any, target: Api
) -> None:
    api = connect(link, server)
    stream = iter(api.count(1_000_000, 0.001))
    next(stream)
    kk.close(api)
    until(lambda: target.ended == 1 and server.clients == 0)


CLIENT = """
import sys
import kkjupyter as kk

stream = iter(kk.connect(sys.argv[1], token=sys.argv[2]).count(1_000_000, 0.001))
next(stream)
print("begun", flush=True)
"""


def test_a_client_whose_program_ends_is_not_waited_for(server: Any, target: Api) -> None:
    command = [sys.executable, "-c", CLIENT, server.url, server.token]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S)
    assert (done.stdout, done.stderr) == ("begun\n", "")
    until(lambda: target.ended == 1 and server.clients == 0)


# ---- who may come back, and how many


def visit(server: Any, *headers: str) -> socket.socket:
    """Another connection to the server."""
    return open_socket(server.url, f"Authorization: Bearer {server.token}", *headers)


def offered(link: CuttingLink) -> bytes:
    """The server's offer on the first connection, which holds the secret."""
    return next(one for one in link.carried[0][1] if b'"offer"' in one)


def come_back(server: Any, again: Again) -> bytes:
    """What the server answers to somebody who says to be a client that was there."""
    with visit(server) as sock:
        sock.sendall(frame(encode(again)))
        answer = b""
        while b"}" not in answer and (data := sock.recv(4096)):
            answer += data
        return answer


def test_who_does_not_know_the_secret_is_refused_and_harms_nobody(
    link: CuttingLink, server: Any
) -> None:
    with connect(link, server) as api:
        stream = iter(api.count(200, 0.002))
        next(stream)
        handle = offered(link).partition(b'"handle":"')[2].partition(b'"')[0].decode()
        for again in (Again(handle, "x" * 43, 0), Again(handle, "", 0), Again("x", "x", 0)):
            assert b"does not have this session" in come_back(server, again)
        assert list(stream) == list(range(1, 200))
        assert link.connections == 1


def test_a_page_cannot_come_back_for_a_program(link: CuttingLink, server: Any) -> None:
    with connect(link, server) as api:
        stream = iter(api.count(100, 0.002))
        next(stream)
        said = offered(link)
        handle, secret = (
            said.partition(b'"%s":"' % name)[2].partition(b'"')[0].decode()
            for name in (b"handle", b"secret")
        )
        assert len(secret) >= 43
        with visit(server, "Origin: http://127.0.0.1") as sock:
            sock.sendall(frame(encode(Again(handle, secret, 0))))
            assert b"does not have this session" in sock.recv(4096)
        assert list(stream) == list(range(1, 100))


def test_a_count_that_cannot_be_ends_that_session_alone(
    link: CuttingLink, server: Any, target: Api
) -> None:
    with connect(link, server) as api, server.connect() as other:
        stream = iter(api.count(1_000_000, 0.001))
        next(stream)
        said = offered(link)
        handle, secret = (
            said.partition(b'"%s":"' % name)[2].partition(b'"')[0].decode()
            for name in (b"handle", b"secret")
        )
        assert b"disagree" in come_back(server, Again(handle, secret, 10**9))
        until(lambda: target.ended == 1)
        assert other.add(1, 2).result() == 3
        with pytest.raises(kk.ConnectionLost):
            for _ in stream:
                pass


def test_so_many_clients_may_be_away(target: Api) -> None:
    limits = kk.ServerLimits(away_clients=1)
    with (
        kk.serve(target, resume_s=RESUME_S, limits=limits) as server,
        CuttingLink(server.port) as link,
        CuttingLink(server.port) as second,
        connect(link, server) as one,
        connect(second, server) as other,
    ):
        streams = [iter(api.count(1_000, 0.002)) for api in (one, other)]
        for stream in streams:
            next(stream)
        link.cut(down=True)
        until(lambda: server.away == 1)
        second.cut()
        until(lambda: target.ended == 1)
        with pytest.raises(kk.ConnectionLost, match="too many others were"):
            for _ in streams[1]:
                pass
        link.mend()
        assert list(streams[0]) == list(range(1, 1_000))


def test_those_for_whom_nothing_runs_make_room(target: Api) -> None:
    limits = kk.ServerLimits(away_clients=1)
    with (
        kk.serve(target, resume_s=RESUME_S, limits=limits) as server,
        CuttingLink(server.port) as link,
        CuttingLink(server.port) as second,
        connect(link, server) as idle,
        connect(second, server) as busy,
    ):
        assert idle.add(1, 2).result() == 3
        link.cut(down=True)
        until(lambda: server.away == 1)
        stream = iter(busy.count(100, 0.002))
        next(stream)
        second.cut()
        assert list(stream) == list(range(1, 100))
        until(lambda: server.clients == 1)


def test_a_client_that_acknowledges_nothing_is_sent_a_stated_amount(target: Api) -> None:
    limits = kk.ServerLimits(resume_bytes_per_connection=256 * 1024)
    with (
        kk.serve(target, resume_s=RESUME_S, limits=limits) as server,
        connect_silently(server) as sock,
    ):
        received = 0
        sock.settimeout(1.0)
        with contextlib.suppress(TimeoutError):
            while data := sock.recv(1 << 20):
                received += len(data)
        assert 200 * 1024 < received < 1024 * 1024
        assert server.running == 1


def connect_silently(server: Any) -> socket.socket:
    """A client that accepts the offer, asks for much, reads it, and never says that it has it."""
    sock = visit(server)
    probe = b'{"id":"probe-x","method":"kk-probe","args":[],"type":"request","version":"json"}'
    sock.sendall(frame(probe))
    until(lambda: b"offer" in sock.recv(4096))
    sock.sendall(frame(b'~{"kk":"accept"}'))
    request = b'{"id":"1","method":"large","args":[100000],"type":"request","version":"json"}'
    sock.sendall(frame(request))
    return sock


# ---- those who do not take part


def said_by_server(link: CuttingLink) -> list[bytes]:
    """The messages on its first connection, without what is chosen by chance."""
    chosen = re.compile(rb'"(s?id)":"[^"]*"|[0-9a-f]{12,}')
    return [chosen.sub(rb"\1", frame[2:]) for frame in link.carried[0][1][1:]]


@pytest.mark.parametrize("codec", ["superjson", "json"])
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_who_does_not_take_part_gets_and_sends_the_same_bytes(protocol: str, codec: str) -> None:
    said = []
    for resume_s in (None, RESUME_S):
        with (
            kk.serve(Api(), resume_s=resume_s, token=False) as server,
            CuttingLink(server.port) as link,
        ):
            api = kk.connect(f"ws://127.0.0.1:{link.port}", protocol=protocol, codec=codec)
            with api:
                assert api.add(1, 2).result() == 3
                assert list(api.count(3)) == [0, 1, 2]
            sent = b"".join(link.carried[0][0][1:])
            assert b"kk-" not in sent
            said.append(said_by_server(link)[:6])
    assert said[0] == said[1]


def test_a_server_without_it_is_sent_nothing_of_it(target: Api) -> None:
    with kk.serve(target, token=False) as server, CuttingLink(server.port) as link:
        with kk.connect(f"ws://127.0.0.1:{link.port}") as api:
            stream = iter(api.count(1_000, 0.001))
            next(stream)
            assert api._kk_session.resumable is None
            link.cut()
            with pytest.raises(kk.ConnectionLost, match="broke off"):
                for _ in stream:
                    pass
        assert not any(b"~" in one[2:] for one in link.carried[0][1][1:])


def test_a_client_that_does_not_want_it(link: CuttingLink, server: Any, target: Api) -> None:
    with connect(link, server, resume=False) as api:
        stream = iter(api.large(3_000))  # more than is kept for those who take part
        assert len(list(stream)) == 3_000
        stream = iter(api.count(1_000, 0.001))
        next(stream)
        link.cut()
        with pytest.raises(kk.ConnectionLost, match="broke off"):
            for _ in stream:
                pass
        until(lambda: target.ended == 2)
