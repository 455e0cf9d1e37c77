"""Finding out what the other side speaks: peers of every generation, and what is no peer at all."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.endpoints import Endpoint
from support.peers.raw import RawPeer, raw_server
from support.sessions import carrier
from support.waiting import until
from websockets.exceptions import ConnectionClosed

import kkjupyter as kk
from kkjupyter.connection.negotiation import make_protocol
from kkjupyter.transports.stdio.server import FilesTransport
from kkjupyter.wire.events import NotUnderstood, Requested
from kkjupyter.wire.kkrpc.base import Codec
from kkjupyter.wire.kkrpc.detection import PROBE_NAME

Play = Callable[[RawPeer], None]


def peer_like(
    protocol: str, codec: Codec, *, operations: tuple[str, ...] = ("call", "get", "set", "new")
) -> Play:
    """What a library of one generation and codec does: ``add``, and the errors it has.

    Classic reads either codec and answers in its own; compact overlooks the other codec.
    """

    def play(peer: RawPeer) -> None:
        peer.wire = wire = make_protocol(protocol, codec)
        while True:
            request = peer.receive(30)
            if isinstance(request, NotUnderstood):
                continue
            assert isinstance(request, Requested), request
            if protocol == "compact" and request.codec != codec:
                continue
            if request.operation not in operations:
                continue
            if request.path == ("add",):
                peer.send(wire.reply(request.call_id, sum(request.args), codec))
            else:
                request.codec = codec
                peer.send(wire.refuse(request, "missing"))

    return play


GENERATIONS = {
    "0.2.2": peer_like("classic", "json", operations=("call",)),
    "0.7 superjson": peer_like("classic", "superjson"),
    "0.7 json": peer_like("classic", "json"),
    "2.1 json": peer_like("compact", "json"),
    "2.1 superjson": peer_like("compact", "superjson"),
}
SPOKEN_BY = {
    "0.2.2": ("classic", "json"),
    "0.7 superjson": ("classic", "superjson"),
    "0.7 json": ("classic", "json"),
    "2.1 json": ("compact", "json"),
    "2.1 superjson": ("compact", "superjson"),
}


@pytest.mark.parametrize("generation", GENERATIONS)
def test_a_peer_of_each_generation_is_found_out(generation: str) -> None:
    with raw_server(GENERATIONS[generation]) as url:
        started_s = time.monotonic()
        with kk.connect(url) as api:
            assert time.monotonic() - started_s < 1.8  # the limit for a silent one is 2 s
            assert (api._kk_session.protocol, api._kk_session.codec) == SPOKEN_BY[generation]
            assert api.add(1, 2).result(timeout_s=5) == 3


@pytest.mark.parametrize("generation", GENERATIONS)
def test_what_a_user_says_is_not_asked_for(generation: str) -> None:
    protocol, codec = SPOKEN_BY[generation]
    seen: list[tuple[str, ...]] = []

    def play(peer: RawPeer) -> None:
        peer.wire = make_protocol(protocol, codec)
        request = peer.receive()
        seen.append(request.path)
        peer.send(peer.wire.reply(request.call_id, 3, codec))

    with raw_server(play) as url, kk.connect(url, protocol=protocol, codec=codec) as api:
        assert api.add(1, 2).result(timeout_s=5) == 3
    assert seen == [("add",)]


@pytest.mark.parametrize("generation", ["0.7 superjson", "2.1 json", "2.1 superjson"])
def test_the_codec_alone_may_be_told(generation: str) -> None:
    protocol, codec = SPOKEN_BY[generation]
    with raw_server(GENERATIONS[generation]) as url, kk.connect(url, codec=codec) as api:
        assert (api._kk_session.protocol, api._kk_session.codec) == (protocol, codec)
        assert api.add(1, 2).result(timeout_s=5) == 3


@pytest.mark.parametrize("generation", ["2.1 json", "2.1 superjson"])
def test_the_protocol_alone_may_be_told(generation: str) -> None:
    with raw_server(GENERATIONS[generation]) as url, kk.connect(url, protocol="compact") as api:
        assert api._kk_session.codec == SPOKEN_BY[generation][1]
        assert api.add(1, 2).result(timeout_s=5) == 3


def test_our_own_server_is_found_to_speak_the_newer_one(server: Any) -> None:
    with server.connect() as api:
        assert (api._kk_session.protocol, api._kk_session.codec) == ("compact", "superjson")
        assert api.add(1, 2).result() == 3
        assert list(api.countdown(2)) == [2, 1, 0]


def test_nothing_exposed_is_ever_called_to_find_out(start: Any) -> None:
    touched: list[str] = []

    class Probed:
        def __getattr__(self, name: str) -> Any:
            if name.startswith("_"):
                raise AttributeError(name)
            touched.append(name)
            return lambda *args: touched.append(f"{name} called")

    with start(Probed()) as server, server.connect():
        pass
    assert not [name for name in touched if "called" in name or name != PROBE_NAME]


# ---- what was told and is wrong


def test_compact_was_told_and_classic_is_spoken() -> None:
    with raw_server(GENERATIONS["0.7 json"]) as url:
        with pytest.raises(kk.ConnectError, match="the peer speaks the classic protocol") as caught:
            kk.connect(url, protocol="compact")
        assert caught.value.url == url


def test_what_is_told_counts_more_than_what_was_spoken_there_before() -> None:
    """A port is used again, here by a server of ours, which speaks both."""
    with raw_server(GENERATIONS["0.7 json"]) as url:
        kk.close(kk.connect(url))
    port = int(url.rpartition(":")[2])
    with kk.serve(Endpoint(), port=port, token=False) as server:
        assert server.url.startswith(url)
        with kk.connect(url, protocol="compact") as api:
            assert api.add(1, 2).result() == 3


def test_a_codec_that_the_peer_does_not_understand() -> None:
    """Its calls would never be answered: a compact peer overlooks what is in the other codec."""
    with (
        raw_server(GENERATIONS["2.1 superjson"]) as url,
        pytest.raises(kk.ConnectError, match=r"within 2 s .* \(if it is json\)"),
    ):
        kk.connect(url, codec="json")


def test_an_unknown_name_is_refused_before_connecting() -> None:
    with pytest.raises(kk.UsageError, match="protocol"):
        kk.connect("ws://127.0.0.1:1", protocol="kkrpc")
    with pytest.raises(kk.UsageError, match="codec"):
        kk.connect("ws://127.0.0.1:1", codec="msgpack")


# ---- what is no peer


def echo(peer: RawPeer) -> None:
    while True:
        peer._connection.send(peer.receive_text(30))


def test_an_echo_is_told_at_once() -> None:
    with raw_server(echo) as url:
        started_s = time.monotonic()
        with pytest.raises(kk.ConnectError, match="sends back what it is sent"):
            kk.connect(url)
        assert time.monotonic() - started_s < 1.8  # the limit for a silent one is 2 s


def test_a_silent_server_is_given_up_with_the_cure() -> None:
    def silent(peer: RawPeer) -> None:
        while True:
            peer.receive_text(30)

    with raw_server(silent) as url:
        started_s = time.monotonic()
        with pytest.raises(kk.ConnectError, match="name it: protocol='classic'"):
            kk.connect(url)
        assert 1 < time.monotonic() - started_s < 4


def test_a_server_that_closes_is_told_at_once() -> None:
    def closes(peer: RawPeer) -> None:
        peer.receive_text()

    with raw_server(closes) as url:
        started_s = time.monotonic()
        with pytest.raises(kk.ConnectError, match="before it said which protocol it speaks"):
            kk.connect(url)
        assert time.monotonic() - started_s < 1.8  # the limit for a silent one is 2 s


def test_a_refused_connection_is_told_at_once() -> None:
    with raw_server(echo) as url:
        pass
    started_s = time.monotonic()
    with pytest.raises(kk.ConnectError) as caught:
        kk.connect(url)
    assert time.monotonic() - started_s < 1.8  # the limit for a silent one is 2 s
    assert caught.value.url == url


@pytest.mark.parametrize("generation", GENERATIONS)
@pytest.mark.parametrize("noise", ["Server is up\n", "{\n", '{"t":"r","id":"x","v":1}', "[]"])
def test_noise_before_the_answer_is_overlooked(generation: str, noise: str) -> None:
    def play(peer: RawPeer) -> None:
        peer._connection.send(noise)
        GENERATIONS[generation](peer)

    with raw_server(play) as url, kk.connect(url) as api:
        assert api._kk_session.protocol == SPOKEN_BY[generation][0]
        assert api.add(1, 2).result(timeout_s=5) == 3


@pytest.mark.parametrize("noise", ["x" * 100_000, ""])
def test_noise_without_end_is_an_error_that_says_what_to_do(noise: str) -> None:
    """Long before the two seconds that a silent server gets; messages count, too."""

    def babbles(peer: RawPeer) -> None:
        with contextlib.suppress(ConnectionClosed):
            for _ in range(200_000):
                peer._connection.send(noise)

    with (
        raw_server(babbles) as url,
        pytest.raises(kk.ConnectError, match=r"sent more than 4,194,304 bytes.*name it"),
    ):
        kk.connect(url)


# ---- pieces


@pytest.fixture
def pipes() -> Iterator[tuple[FilesTransport, int, int]]:
    """A transport that keeps no boundaries, and the descriptors of its other side."""
    ours_read, theirs_write = os.pipe()
    theirs_read, ours_write = os.pipe()
    yield FilesTransport(ours_read, ours_write, "stdio:test"), theirs_read, theirs_write
    os.close(theirs_read)
    os.close(theirs_write)


@pytest.mark.parametrize("speaks", SPOKEN_BY.values(), ids="-".join)
def test_an_answer_in_pieces(
    pipes: tuple[FilesTransport, int, int], speaks: tuple[str, Codec]
) -> None:
    """With noise before it, as programs have it, and what comes behind it is not lost."""
    transport, read_fd, write_fd = pipes
    wire = make_protocol(*speaks, keeps_boundaries=False)

    def play() -> None:
        os.write(write_fd, b"Listening on stdin\n")
        answered = 0
        while answered < 2 and (data := os.read(read_fd, 65536)):
            for event in wire.receive([data]):
                if not isinstance(event, Requested):
                    continue
                if speaks[0] == "compact" and event.codec != speaks[1]:
                    continue
                event.codec = speaks[1]
                if event.path == ("add",):
                    answer = wire.reply(event.call_id, sum(event.args), speaks[1])
                else:
                    answer = wire.refuse(event, "missing")
                answered += 1
                for at in range(0, len(answer), 7):
                    os.write(write_fd, answer[at : at + 7])
                    time.sleep(0.001)

    thread = threading.Thread(target=play)
    thread.start()
    with kk.connect(transport) as api:
        assert (api._kk_session.protocol, api._kk_session.codec) == speaks
        assert api.add(1, 2).result(timeout_s=5) == 3
    thread.join(5)


# ---- connecting again


class Changing:
    """A server whose next connection is answered by another generation.

    Attributes:
        asked: what each connection was sent first, as text.
    """

    def __init__(self, *generations: str) -> None:
        self.generations = list(generations)
        self.connections = 0
        self.drop = threading.Event()

    def __call__(self, peer: RawPeer) -> None:
        generation = self.generations[min(self.connections, len(self.generations) - 1)]
        self.connections += 1
        GENERATIONS[generation](peer)


def break_off(api: Any) -> None:
    kk.runtime.loop_threads.io_loop().post(carrier(api)._channel.abort)
    until(lambda: api._kk_session.state != "open")


def test_what_was_found_is_remembered_for_the_address() -> None:
    first_words: list[list[str]] = []

    def play(peer: RawPeer) -> None:
        words: list[str] = []
        first_words.append(words)
        while True:
            text = peer.receive_text(30)
            words.append(text)
            (event,) = make_protocol("classic", "json").receive([text.encode()], whole=True)
            if isinstance(event, Requested):
                wire = make_protocol("classic", "json")
                peer.send(wire.reply(event.call_id, 3, "json"))

    with raw_server(play) as url:
        with kk.connect(url) as api:
            assert api.add(1, 2).result(timeout_s=5) == 3
            break_off(api)
            assert api.add(1, 2).result(timeout_s=5) == 3
        with kk.connect(url) as api:
            assert api.add(1, 2).result(timeout_s=5) == 3
    assert [sum(PROBE_NAME in word for word in words) for words in first_words] == [3, 1, 1]


@pytest.mark.parametrize(
    ("before", "after"),
    [("2.1 json", "0.7 superjson"), ("0.7 json", "2.1 superjson"), ("2.1 superjson", "2.1 json")],
)
def test_another_generation_answers_after_a_reconnect(before: str, after: str) -> None:
    """Calls that were made meanwhile go out in what is spoken now."""
    with raw_server(Changing(before, after)) as url, kk.connect(url) as api:
        assert api.add(1, 2).result(timeout_s=5) == 3
        assert (api._kk_session.protocol, api._kk_session.codec) == SPOKEN_BY[before]
        break_off(api)
        calls = [api.add(number, 1) for number in range(20)]
        assert [call.result(timeout_s=5) for call in calls] == [n + 1 for n in range(20)]
        assert (api._kk_session.protocol, api._kk_session.codec) == SPOKEN_BY[after]


def test_a_call_that_is_being_made_while_another_generation_takes_over() -> None:
    """It is encoded for the one that was there when it was begun."""

    def meta() -> None:
        if break_off_now:
            break_off_now.clear()
            break_off(api)
            assert api.add(1, 2).result(timeout_s=5) == 3

    break_off_now: list[bool] = []
    with raw_server(Changing("2.1 json", "0.7 json")) as url, kk.connect(url, meta=meta) as api:
        assert api.add(1, 2).result(timeout_s=5) == 3
        break_off_now.append(True)
        assert api.add(3, 4).result(timeout_s=5) == 7


def test_what_the_next_generation_cannot_carry_fails_by_itself() -> None:
    with raw_server(Changing("2.1 json", "0.7 json")) as url, kk.connect(url) as api:
        assert api.add(1, 2).result(timeout_s=5) == 3
        break_off(api)
        ordinary, special = api.add(1, 2), api.add(iter([1, 2]))
        with pytest.raises(kk.UsageError, match="is a stream"):
            special.result(timeout_s=5)
        assert ordinary.result(timeout_s=5) == 3


# ---- our server


def test_several_generations_on_one_port_at_once(server: Any, endpoint: Endpoint) -> None:
    options: list[dict[str, Any]] = [
        {"protocol": protocol, "codec": codec}
        for protocol in ("classic", "compact")
        for codec in ("json", "superjson")
    ]
    options.append({})

    async def use(api: Any) -> None:
        assert await asyncio.gather(*(api.add(n, 1) for n in range(20))) == list(range(1, 21))
        assert [n async for n in api.items(200)] == list(range(200))
        with pytest.raises(kk.RemoteError, match="something went wrong"):
            await api.fails()

    async def main() -> None:
        await asyncio.gather(*(use(api) for api in apis))

    apis = [server.connect(**option) for option in options]
    asyncio.run(main())
    assert server.clients == len(options)
    for api in apis:
        kk.close(api)
    until(lambda: server.clients == 0)


def test_a_client_that_says_nothing_costs_little_and_is_counted(server: Any) -> None:
    """It has connected, and the server cannot know yet what it speaks."""
    with server.connect(protocol="compact", codec="json") as api:
        until(lambda: server.clients == 1)
        assert server.running == 0
        assert api.add(1, 2).result() == 3
    until(lambda: server.clients == 0)
