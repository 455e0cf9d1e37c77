"""Our server and our client against what real peers of kkrpc 2.1.0 said to each other.

As test_transcripts.py does for 0.7.0; README.md says where ours is better, and why.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.waiting import until
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from wire.peers.kkrpc.api import make_api
from wire.peers.kkrpc.compact_play import (
    ClientPlay,
    RecordedServer,
    by_call,
    handle_id,
    without_items,
)
from wire.peers.kkrpc.compact_scenarios import COMPACT_CLIENT
from wire.peers.kkrpc.recordings import Frame, Transcript, exchanges, transcripts
from wire.peers.kkrpc.scenarios import EPOCH, as_json

import kkjupyter as kk
from kkjupyter.server.server import Server
from kkjupyter.wire.events import Item, NotUnderstood
from kkjupyter.wire.kkrpc.compact.protocol import Compact
from kkjupyter.wire.values.javascript import BigInt, RegExp, undefined

TRANSCRIPTS = {t.scenario: t for t in transcripts("compact")}
README = Path(__file__).with_name("README.md")
Messages = list[dict[str, Any]]


def of(*scenarios: str) -> Any:
    """The test runs with these transcripts."""
    return pytest.mark.parametrize(
        "transcript", [TRANSCRIPTS[s] for s in sorted(scenarios)], ids=str
    )


# ---- every frame as bytes

# What is no message, or none that anybody can make sense of; by its number among the frames.
NOT_UNDERSTOOD = {
    "raw-bad-path": 3,
    "raw-binary-garbage": 1,
    "raw-destroy": 1,
    "raw-malformed-json": 1,
    "raw-not-an-object": 4,
    "raw-one-and-a-half": 2,
    "raw-split-across-frames": 2,
    "raw-unknown-op": 1,
    "raw-unknown-stream": 1,
    "raw-unknown-type": 1,
    "remote-ref-unsupported": 1,
}


@of(*TRANSCRIPTS)
def test_every_frame_is_understood(transcript: Transcript) -> None:
    """And what it means goes out again as it came."""
    events = []
    for frame in transcript.frames:
        data = frame.payload if isinstance(frame.payload, bytes) else frame.payload.encode()
        got = Compact("json").receive([data], whole=True)
        events += got
        for event in got:
            if isinstance(event, Item):
                again = json.loads(Compact().item(event.stream_id, event.value, "json"))
                assert {**again, "id": ""} == {**json.loads(data), "id": ""}
    bad = [event for event in events if isinstance(event, NotUnderstood)]
    assert len(bad) == NOT_UNDERSTOOD.get(transcript.scenario, 0)
    blank = sum(not frame.text.strip() for frame in transcript.frames)
    halves = 1 if transcript.scenario in ("raw-two-in-one-frame", "raw-one-and-a-half") else 0
    assert len(events) == len(transcript.frames) - blank + halves


@pytest.mark.parametrize(
    ("session", "from_client", "rubbish"),
    [
        ("compact-http", True, ['[{"t":"q"', "{bad"]),
        ("compact-http", False, []),
        ("compact-stdio", True, ["noise line"]),
        ("compact-stdio", False, []),
    ],
)
def test_what_went_over_other_transports(
    session: str, from_client: bool, rubbish: list[str]
) -> None:
    # An HTTP body is a message; what is written to a stream may be any part of one.
    end = "\n" if session == "compact-http" else ""
    data = "".join(
        f"{exchange.text}{end}"
        for exchange in exchanges(session)
        if exchange.from_client == from_client and exchange.status in (None, 200)
    ).encode()
    events = Compact("json").receive([data])
    assert len(events) > 4
    bad = [event.excerpt for event in events if isinstance(event, NotUnderstood)]
    assert [excerpt.startswith(head) for excerpt, head in zip(bad, rubbish, strict=True)] == [
        True
    ] * len(rubbish)
    protocol = Compact("json")
    bytewise = [event for byte in data for event in protocol.receive([bytes([byte])])]
    assert repr(bytewise) == repr(events)


# ---- our server


@pytest.fixture
def served(transcript: Transcript) -> Iterator[tuple[Any, Server, ClientConnection]]:
    api = make_api()
    with (
        # The recorded servers let every client set everything.
        kk.serve(api, token=False, writable=["counter", "config.theme"]) as server,
        connect(server.url, compression=None, close_timeout=1) as socket,
    ):
        yield api, server, socket


def reply(call_id: str, value: Any) -> dict[str, Any]:
    return {"t": "r", "id": call_id, "v": value}


def refusal(call_id: str, message: str, name: str = "Error") -> dict[str, Any]:
    return {"t": "r", "id": call_id, "e": {"n": name, "m": message}}


def encode_error(call_id: str, reason: str, path: str = "result") -> dict[str, Any]:
    answer = refusal(call_id, f"cannot encode {path}: {reason}", "EncodeError")
    return {**answer, "e": {**answer["e"], "path": path, "reason": reason, "method": ""}}


def with_error(message: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {**message, "e": {**message["e"], **fields}}


def better_rich_values(recorded: Messages) -> Messages:
    advice = "the superjson codec can carry it"
    ours = [
        reply("id-2", {"k": {"v": 1}, "l": 2}),
        encode_error("id-3", f"JSON has no Set: send a list; {advice}"),
        encode_error("id-6", f"JSON has no RegExp: send its source as text; {advice}"),
        encode_error("id-8", f"JSON has no Error: send its message, or raise it; {advice}"),
        reply("id-9", [0, 1, 2, 255]),
        encode_error(
            "id-11", "JavaScript has no object; send a dict, a list, text or a number instead"
        ),
        encode_error("id-12", "function 'make_api' is a function or class, not a value"),
        reply("id-13", {"f32": [1.5], "i16": [-2], "buf": {}}),
    ]
    by_id = {message["id"]: message for message in ours}
    return [by_id.get(message["id"], message) for message in recorded]


NO_PATH = "a request whose path is not a list of names"
STREAM_INSIDE = (
    "a async_generator streams, and a stream cannot be part of a value; send list(...) of it"
)
SUM = reply("a1", 3)

# What our server answers where it is better than the recorded one, made from the recorded answers.
SERVER_BETTER: dict[str, Callable[[Messages], Messages]] = {
    "error-cause-object": lambda r: [with_error(r[0], cause={"reason": "db", "tries": 3})],
    "error-custom": lambda r: [with_error(r[0], cause={"name": "Error", "message": "root cause"})],
    "raw-bad-path": lambda r: [
        refusal("a1", NO_PATH, "ProtocolError"),
        refusal("a2", NO_PATH, "ProtocolError"),
        *r,
    ],
    "raw-empty-path": lambda r: [refusal("a2", "Cannot get empty path"), *r[1:]],
    "raw-one-and-a-half": lambda r: [SUM],
    "raw-proto": lambda r: [
        refusal("a1", "Cannot access name on undefined"),
        refusal("a2", "echo.toString is not a function"),
        refusal("a3", "Cannot access toString on undefined"),
        refusal("a4", "echo.constructor is not a function"),
    ],
    "raw-set-proto": lambda r: [
        refusal("a1", "Cannot set __proto__.polluted on undefined"),
        {"t": "r", "id": "a2"},
    ],
    "raw-two-in-one-frame": lambda r: [SUM, reply("a2", 7)],
    "raw-unknown-op": lambda r: [refusal("a1", "unknown operation 'frob'", "ProtocolError"), *r],
    "raw-unknown-type": lambda r: [
        refusal("a1", "unknown message type 'zz'", "ProtocolError"),
        *r,
    ],
    "remote-ref-unsupported": lambda r: [with_error(r[0], n="ProtocolError")],
    "rich-values": better_rich_values,
    "stream-fail-before-first": lambda r: [
        r[0],
        with_error(r[1], n="TypeError", m="failed before the first yield", code="E_NOW"),
    ],
    "stream-failing": lambda r: [
        *r[:-1],
        with_error(r[-1], m="stream failed intentionally", code="E_FAIL", retryable=True),
    ],
    "stream-in-object": lambda r: [
        encode_error("id-1", STREAM_INSIDE, "result.s"),
        encode_error("id-2", STREAM_INSIDE, "result.0"),
    ],
}
# Timing decides how many items come.
IN_FLIGHT = {
    "destroy-with-stream",
    "stream-cancel-break",
    "stream-return-control",
    "stream-throw-control",
    "stream-throw-control-error-object",
}
SERVER_OWN_TEST = {"raw-destroy", "stream-cancel-slow-producer", "stream-sync-generator"}
SERVER_BETTER_OWN_TEST = {"stream-cancel-slow-producer", "stream-sync-generator"}


@of(*TRANSCRIPTS.keys() - SERVER_OWN_TEST)
def test_our_server_answers_as_the_recorded_one(
    transcript: Transcript, served: tuple[Any, Server, ClientConnection]
) -> None:
    play = ClientPlay(transcript, served[2])
    better = SERVER_BETTER.get(transcript.scenario)
    expected = better(play.expected) if better else play.expected
    play.run()
    play.finish(len(expected))
    answers = play.answers
    if transcript.scenario in IN_FLIGHT:
        answers, expected = without_items(answers), without_items(expected)
    assert by_call(answers) == by_call(expected)
    assert not better or by_call(expected) != by_call(play.expected), "it is the same, not better"


@of("raw-destroy")
def test_a_classic_farewell_means_nothing_here(
    transcript: Transcript, served: tuple[Any, Server, ClientConnection]
) -> None:
    """Unless it is the first that is heard: then the client is a classic one, and is let go."""
    _, server, socket = served
    socket.send('{"t":"q","id":"a0","op":"get","p":["counter"]}')
    play = ClientPlay(transcript, socket)
    assert play.receive() == reply("a0", 0)
    play.answers.clear()
    play.run()
    play.finish(len(play.expected))
    assert play.answers == play.expected
    with connect(server.url, compression=None, close_timeout=1) as other:
        other.send("__DESTROY__")
        with pytest.raises(ConnectionClosed):
            other.recv(timeout=5)


@of("stream-cancel-slow-producer")
def test_a_cancel_ends_a_producer_where_it_sleeps(
    transcript: Transcript, served: tuple[Any, Server, ClientConnection]
) -> None:
    """The recorded one sleeps on, and the client's break waits for that."""
    api, _, socket = served
    play = ClientPlay(transcript, socket)
    request, pull, cancel, *_ = (frame for frame in transcript.frames if frame.from_client)
    play.send(request)
    play.receive()
    play.send(pull)
    play.receive()
    play.send(cancel)
    cancelled_s = time.monotonic()
    acknowledged = play.receive()
    assert time.monotonic() - cancelled_s < 0.5  # it would have slept 0.8 s
    assert api["stats"]["sleeperClosed"] == 1
    assert play.answers == play.expected[:3]
    assert acknowledged["d"] is True


@of("stream-sync-generator")
def test_a_generator_streams(
    transcript: Transcript, served: tuple[Any, Server, ClientConnection]
) -> None:
    """The recorded server sends {} for one."""
    play = ClientPlay(transcript, served[2])
    play.send(transcript.frames[0])
    stream_id = handle_id(play.receive()["v"])
    pull = {"t": "sq", "id": "p", "sid": stream_id, "op": "pull", "n": 32}
    play.send(Frame(True, json.dumps(pull)))
    got = [play.receive() for _ in range(3)]
    assert [(message["d"], message.get("v")) for message in got] == [
        *((False, 0), (False, 1), (True, None))
    ]


@of("callback")
def test_functions_are_released_at_once(
    transcript: Transcript, served: tuple[Any, Server, ClientConnection]
) -> None:
    """The recorded server waits for its garbage collector."""
    play = ClientPlay(transcript, served[2])
    play.run()
    while not play.released:
        play.receive()
    assert play.released == ["id-2"]


@of("stream-arg-error")
def test_a_message_that_was_prefixed_stays_as_it_was_sent(
    transcript: Transcript, served: tuple[Any, Server, ClientConnection]
) -> None:
    """Nothing tells "Error: x" from an error whose own message begins so."""
    play = ClientPlay(transcript, served[2])
    play.run()
    assert play.answers[-1]["v"]["message"] == "Error: arg failed"


# ---- our client


@pytest.fixture
def recorded(transcript: Transcript) -> Iterator[RecordedServer]:
    # There the server took its time, and the client's limit of 0.1 s ran out first.
    delay_s = 0.3 if transcript.scenario == "timeout" else 0.0
    server = RecordedServer(transcript, lambda: time.sleep(delay_s))
    yield server
    server.close()


@contextlib.contextmanager
def connected(recorded: RecordedServer) -> Iterator[Any]:
    api = kk.connect(recorded.url, protocol="compact", codec="json")
    try:
        yield api
    finally:
        kk.close(api)
        recorded.close()
        if recorded.trouble is not None:
            raise recorded.trouble


CLIENT_BETTER = {
    "callback-nested-in-object",
    "rich-args",
    "stream-arg-error",
    "stream-throw-uncaught",
    "timeout",
}
CLIENT_NOT_APPLICABLE = {
    "remote-ref-unsupported",  # ours never asks for one
    "stream-return-control",  # cancelling sends no value along
    "stream-stubborn-return",
}
# Ours returns to the peer what nobody reads on; whether a message is still under way is a race.
LEFT_OPEN = {
    "destroy-with-stream",
    "stream-not-consumed",
    "stream-throw-control",
    "stream-throw-control-error-object",
}


@of(*COMPACT_CLIENT.keys() & TRANSCRIPTS.keys() - CLIENT_BETTER)
def test_our_client_asks_and_understands_as_the_recorded_one(
    recorded: RecordedServer, transcript: Transcript
) -> None:
    with connected(recorded) as api:
        result = as_json(COMPACT_CLIENT[transcript.scenario](api, "json"))
    expected = transcript.client_result
    if transcript.scenario == "stream-cancel-slow-producer":
        del expected["breakMs"]
    assert result == expected
    ops = {message.get("op", message["t"]) for message in recorded.extra}
    assert ops <= ({"return"} if transcript.scenario in LEFT_OPEN else set())


@of("error-custom")
def test_an_error_of_a_real_peer_keeps_all_it_has(
    recorded: RecordedServer, transcript: Transcript
) -> None:
    with connected(recorded) as api, pytest.raises(kk.RemoteError) as caught:
        api.throwCustom().result()
    error = caught.value
    assert (error.name, error.message) == ("CustomError", "custom failure")
    assert error.data == {"code": "E_CUSTOM", "status": 418, "details": {"field": "age", "min": 18}}
    assert error.stack is not None
    assert error.stack.startswith("CustomError: custom failure\n    at ")


@of("callback-nested-in-object")
def test_a_function_inside_an_object_is_refused(
    recorded: RecordedServer, transcript: Transcript
) -> None:
    """The recorded client drops it silently."""
    api = kk.connect(recorded.url, protocol="compact", codec="json")
    with pytest.raises(kk.EncodeError) as caught:
        api.cbObject({"cb": print})
    assert caught.value.path == "args.0.cb"
    kk.close(api)


@of("rich-args")
def test_what_json_would_silently_empty_is_refused(
    recorded: RecordedServer, transcript: Transcript
) -> None:
    """The recorded client sends {} for a Map, a Set and a RegExp."""
    del recorded
    with kk.serve(make_api(), token=False) as server:
        api = server.connect(protocol="compact", codec="json")
        for value in ({1}, RegExp("a", "g"), BigInt(5)):
            with pytest.raises(kk.EncodeError) as caught:
                api.echoAll(EPOCH, value)
            assert caught.value.path == "args.1"
        got = api.echoAll(EPOCH, undefined, math.nan, b"\x01\x02").result()
        # What still tells what it was goes as recorded; bytes as the list they are.
        assert as_json(got[:3]) == [transcript.client_result[index] for index in (0, 3, 4)]
        assert got[3] == [1, 2]
        kk.close(api)


@of("stream-arg-error")
def test_the_error_of_a_stream_argument_keeps_what_it_has(transcript: Transcript) -> None:
    """The recorded client sends a text, "Error: arg failed", and nothing else of it."""
    frames = list(transcript.frames)
    at = next(i for i, f in enumerate(frames) if f.from_client and '"e":' in f.text)
    frames[at] = Frame(True, frames[at].text.replace("Error: arg failed", "arg failed"))
    assert frames[at] != transcript.frames[at]
    recorded = RecordedServer(dataclasses.replace(transcript, frames=tuple(frames)), lambda: None)
    with connected(recorded) as api:
        result = COMPACT_CLIENT["stream-arg-error"](api, "json")
    assert result == transcript.client_result


@of("stream-throw-uncaught")
def test_nothing_is_thrown_into_a_stream_that_is_over(transcript: Transcript) -> None:
    """The recorded client asks, and is told that there is no such stream."""
    frames = transcript.frames[:-2]
    recorded = RecordedServer(dataclasses.replace(transcript, frames=frames), lambda: None)
    with connected(recorded) as api:
        call = api.countdown(5)
        iterator = iter(call)
        assert next(iterator) == 5
        until(lambda: call.state == "done")
        with pytest.raises(kk.UsageError, match="nothing can be thrown"):
            call.throw("boo")
        assert list(iterator) == [4, 3, 2, 1]


@of("timeout")
def test_a_timeout_is_told_to_the_peer(recorded: RecordedServer, transcript: Transcript) -> None:
    """The recorded client tells nobody, so that the work goes on for ever."""
    with connected(recorded) as api:
        calls = [kk.call(api.never, timeout_s=0.1), kk.call(api.slow, 150, "late", timeout_s=0.1)]
        for call, method in zip(calls, ("never", "slow"), strict=True):
            with pytest.raises(kk.CallTimeout) as caught:
                call.result()
            assert (caught.value.method, caught.value.timeout_s) == (method, 0.1)
        # The late answer harms nobody.
        until(recorded.played.is_set)
        until(lambda: len(recorded.extra) == 2)
    assert [message["op"] for message in recorded.extra] == ["return"] * 2


# ---- every file is accounted for


def our_server(scenario: str) -> str:
    is_better = scenario in SERVER_BETTER or scenario in SERVER_BETTER_OWN_TEST
    return "better" if is_better else "same"


def our_client(scenario: str, is_raw: bool) -> str:
    if is_raw or scenario in CLIENT_NOT_APPLICABLE:
        return "–"
    assert scenario in COMPACT_CLIENT or scenario in CLIENT_BETTER, f"{scenario}: no client test"
    return "better" if scenario in CLIENT_BETTER else "same"


def test_every_transcript_stands_in_the_readme_s_table() -> None:
    _, _, text = README.read_text("utf-8").partition("## kkrpc 2.1.0")
    table = {
        cells[0]: tuple(cells[1:])
        for line in text.splitlines()
        if line.startswith("| `")
        for cells in [[cell.strip(" `") for cell in line.strip("|").split("|")]]
    }
    truth = {
        name: (our_server(name), our_client(name, t.is_raw)) for name, t in TRANSCRIPTS.items()
    }
    assert {name: cells[:2] for name, cells in table.items()} == truth
    for name, (server, client, why) in table.items():
        assert bool(why) or (server == "same" and client in ("same", "–")), f"{name}: say why"


def test_every_scenario_has_its_tests() -> None:
    assert len(TRANSCRIPTS) == 75
    assert TRANSCRIPTS.keys() >= SERVER_OWN_TEST | SERVER_BETTER.keys() | IN_FLIGHT
    assert TRANSCRIPTS.keys() >= COMPACT_CLIENT.keys() - {"destroy-signal"}
