"""Our server and our client on a message bus against what real peers of kkrpc 2.1.0 said there.

Where several peers share a name, theirs often go wrong; bus.md says what ours do instead.
"""

from __future__ import annotations

import json
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from support.peers.bus import TRANSPORT_IDS, BusPeer, enveloped
from support.servers.buses import BROKERS, service_url
from support.waiting import PATIENCE_S, until
from wire.peers.kkrpc.api import CustomError, make_api
from wire.peers.kkrpc.compact_play import ClientPlay, RecordedServer, by_call, parsed, without_items
from wire.peers.kkrpc.recordings import Frame, Transcript
from wire.peers.sessions import scenarios

import kkjupyter as kk
from kkjupyter.wire.kkrpc.bus import Sealer, open_envelope

LINES = {bus: scenarios(Path(__file__).with_name(f"bus-{bus}.jsonl")) for bus in BROKERS}
SCENARIOS = [(bus, scenario) for bus, recorded in LINES.items() for scenario in recorded]
SERVERS = ("server", "server-a", "server-b")


def lines_of(bus: str, scenario: str) -> list[dict[str, Any]]:
    """What was said, but not what was too long to be kept."""
    lines = [line for line in LINES[bus][scenario][1:] if "text" in line]
    return [line for line in lines if not line["text"].endswith(" characters)")]


def transcript_of(bus: str, scenario: str) -> Transcript:
    """The messages alone, as over any other transport."""
    frames = []
    asked: set[str] = set()
    for line in lines_of(bus, scenario):
        message = (parsed(line["text"]) or {}).get("message")
        assert message is not None
        if message["t"] == "q":
            asked.add(message["id"])
        elif message["t"] == "r" and message["id"] not in asked:
            continue  # the question is among the lines that were left out
        frames.append(Frame(line["dir"] == "c2s", json.dumps(message, separators=(",", ":"))))
    client_result = LINES[bus][scenario][0]["client_result"]
    return Transcript(scenario, "json", tuple(frames), client_result, False)


@pytest.fixture(params=BROKERS)
def bus(request: pytest.FixtureRequest) -> str:
    return str(request.param)


# ---- every envelope


@pytest.mark.parametrize(("bus", "scenario"), SCENARIOS)
def test_what_a_peer_accepts_is_accepted_and_nothing_else(bus: str, scenario: str) -> None:
    heard_by = {"client", "server", "raw"}
    for line in lines_of(bus, scenario):
        opened = open_envelope(line["text"].encode())
        envelope = parsed(line["text"]) or {}
        message = envelope.get("message")
        if isinstance(message, dict) and message.get("t") == "cbr":
            assert opened is not None  # theirs drop it, and so never forget a function
            assert not line["acceptedBy"]
        elif opened is None:
            assert not line["acceptedBy"], line["text"]
        else:
            assert opened.sender == envelope["from"]
            assert opened.to == envelope.get("to", "")
            assert json.loads(opened.message) == message
            is_for_them = opened.to in heard_by or not opened.to
            if not line["acceptedBy"]:  # somebody else's, or nobody is there any more
                assert (
                    not is_for_them
                    or scenario in ("client-vanishes", "server-restart")
                    or (scenario == "leftovers-new-server")
                    or "<frames>" in line["text"]  # who took it was found by a text without that
                )


@pytest.mark.parametrize(("bus", "scenario"), SCENARIOS)
def test_our_envelopes_are_theirs_byte_for_byte(bus: str, scenario: str) -> None:
    transport_id = TRANSPORT_IDS[bus]
    for line in lines_of(bus, scenario):
        opened = open_envelope(line["text"].encode())
        envelope = parsed(line["text"]) or {}
        if opened is None or envelope.get("transportId") != transport_id:
            continue
        sealed = Sealer(transport_id, opened.sender, opened.to).seal(
            opened.message + b"\n", envelope["sentAt"]
        )
        assert sealed.decode() == line["text"]


# ---- our server


class _ClientSocket:
    """Sends a recorded client's messages in the envelopes that they came in."""

    def __init__(self, peer: BusPeer, bus: str, scenario: str) -> None:
        self.answered_to: dict[str, str] = {}
        self._peer = peer
        self.senders: dict[str, str] = {}
        self._targets: dict[str, str] = {}
        for line in lines_of(bus, scenario):
            envelope = parsed(line["text"]) or {}
            message = envelope.get("message")
            if line["dir"] == "c2s" and isinstance(message, dict) and "id" in message:
                self.senders[message["id"]] = envelope["from"]
                self._targets[message["id"]] = envelope.get("to", "")
        self._first = next(iter(self.senders.values()))

    def send(self, text: str) -> None:
        message = json.loads(text)
        call_id = message.get("id", "")
        to = self._targets.get(call_id, "server")
        self._peer.say(message, self.senders.get(call_id, self._first), to)

    def recv(self, timeout: float) -> str:
        envelope = self._peer.hear(timeout)
        assert envelope["from"] in SERVERS
        message = envelope["message"]
        if message["t"] == "r":
            self.answered_to[message["id"]] = envelope["to"]
        assert envelope["to"] in {*self.senders.values()}
        return json.dumps(message, ensure_ascii=False)


def make_bus_api() -> dict[str, Any]:
    held: list[Any] = []
    seen: list[str] = []

    def mark(word: str) -> str:
        seen.append(word)
        return "marked"

    def keep(callback: Any) -> str:
        held.append(callback)
        callback.release()
        return "kept"

    def throw_custom() -> None:
        raise CustomError("custom failure")

    own = {"mark": mark, "keep": keep, "whoami": lambda: "server", "seen": seen}
    return make_api() | own | {"throwCustom": throw_custom}


@pytest.fixture
def url(bus: str) -> str:
    return service_url(bus)


def same(recorded: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return recorded


def with_error(message: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {**message, "e": {**message["e"], **fields}}


# What ours says instead, and why.
BETTER = {
    # Theirs puts the class of the error into its text and drops its fields.
    "stream-failing": lambda r: [
        *r[:-1],
        with_error(r[-1], m="stream failed intentionally", code="E_FAIL", retryable=True),
    ],
}


ANSWERED = (
    *("callback", "error", "nested-call", "pair-and-second-client", "same-peer-id"),
    *("self-delivery", "stream-arg", "stream-basic", "stream-cancel-break", "stream-failing"),
    *("two-clients", "unary-call", "unary-call-no-target", "unary-call-pair"),
)


@pytest.mark.parametrize(
    ("bus", "scenario"),
    [
        *((bus, scenario) for bus in BROKERS for scenario in ANSWERED),
        *(("redis", scenario) for scenario in ("no-group", "no-group-missed")),
    ],
)
def test_our_server_answers_as_theirs(scenario: str, bus: str, url: str) -> None:
    transcript = transcript_of(bus, scenario)
    with kk.serve(make_bus_api(), on=url), BusPeer(url) as peer:
        socket = _ClientSocket(peer, bus, scenario)
        play = ClientPlay(transcript, socket)  # type: ignore[arg-type]
        expected = BETTER.get(scenario, same)(play.expected)
        play.run()
        play.finish(len(expected))
    answers = play.answers
    if scenario == "stream-cancel-break":
        answers, expected = without_items(answers), without_items(expected)
    assert by_call(answers) == by_call(expected)
    # Each alone: also the second client, which theirs never answers.
    for call_id, to in socket.answered_to.items():
        assert to == socket.senders.get(call_id, to)


def test_our_server_forgets_a_function_that_is_released(bus: str, url: str) -> None:
    """callback-release: theirs publishes that, and nobody listens."""
    request, _, release = lines_of(bus, "callback-release")
    with kk.serve(make_bus_api(), on=url), BusPeer(url) as peer:
        peer.publish(request["text"])
        said = [peer.hear()["message"], peer.hear()["message"]]
    recorded = json.loads(release["text"])["message"]
    assert {m["t"] for m in said} == {"r", "cbr"}
    ids = next(m["ids"] for m in said if m["t"] == "cbr")
    assert ids == recorded.get("ids", ids)


def test_our_server_drops_what_theirs_drops(bus: str, url: str) -> None:
    """malformed."""
    with kk.serve(make_bus_api(), on=url), BusPeer(url) as peer:
        for line in lines_of(bus, "malformed"):
            if line["dir"] != "s2c" or "raw" in line["text"]:
                peer.publish(line["text"])
        answers: dict[str, Any] = {}
        while "id-2" not in answers:
            message = peer.hear()["message"]
            answers[message["id"]] = message.get("v", message.get("e"))
    good = {"id-1": 2, "id-2": 3, **dict.fromkeys(("m5", "m7", "m8", "m10", "m18", "m19"), 42)}
    assert {key: answers.pop(key) for key in good} == good
    # Accepted by theirs, too: m12 is refused in the same words; m13 theirs leaves unanswered.
    assert answers.pop("m12")["m"] == "Remote reference operations require kkrpc/remote-refs"
    assert answers.pop("m13")["n"] == "ProtocolError"
    assert answers == {}


@pytest.mark.parametrize("scenario", ["leftovers-new-server", "server-restart"])
def test_our_server_executes_nothing_that_was_said_before_it_came(
    scenario: str, bus: str, url: str
) -> None:
    api = make_bus_api()
    requests = [line for line in lines_of(bus, scenario) if '"mark"' in line["text"]]
    with BusPeer(url) as peer:
        for line in requests:
            peer.publish(line["text"])
        with kk.serve(api, on=url):
            peer.say({"t": "q", "id": "x", "op": "call", "p": ["whoami"], "a": []}, "late")
            assert peer.hear()["message"]["v"] == "server"
    assert requests
    assert api["seen"] == []


@pytest.mark.parametrize("bus", ["nats"])
def test_a_stream_value_that_is_too_big_fails_its_stream(bus: str, url: str) -> None:
    """big-result: with theirs the consumer hangs."""
    api = make_bus_api() | {"blobs": lambda n, size: iter(["x" * size] * n)}
    with kk.serve(api, on=url), BusPeer(url) as peer:
        play = ClientPlay(
            transcript_of(bus, "big-result"),
            _ClientSocket(peer, bus, "big-result"),  # type: ignore[arg-type]
        )
        play.run()
        play.finish(3)
    (failure,) = [m for m in play.answers if m["t"] == "sr"]
    assert failure["e"]["n"] == "EncodeError"
    assert "1,100,0" in failure["e"]["m"]
    assert {"t": "r", "id": "id-4", "v": 2} in play.answers


@pytest.mark.parametrize("bus", ["redis"])
def test_big_values_are_whole_where_the_bus_takes_them(bus: str, url: str) -> None:
    """big-result: the texts of the big ones were not kept."""
    request = json.loads(lines_of(bus, "big-result")[0]["text"])["message"]
    size = request["a"][1]["v"]
    api = {"blobs": lambda n, size: iter(["x" * size] * n)}
    with kk.serve(api, on=url), BusPeer(url) as peer:
        peer.say(request, "client", "server")
        assert read_stream(peer) == ["x" * size]
    assert size == 1_100_000


@pytest.mark.parametrize("bus", ["redis"])
def test_a_stream_that_is_trimmed_meanwhile_is_whole(bus: str, url: str) -> None:
    """maxlen: their option keeps no more than that in the log."""
    (request,) = lines_of(bus, "maxlen")
    broker_url, _, name = url.rpartition("/")
    with kk.serve(make_bus_api(), on=url), BusPeer(url) as peer:
        peer.publish(request["text"])
        with redis.Redis.from_url(broker_url) as client:
            values = read_stream(peer, lambda: client.xtrim(name, maxlen=100))
            assert client.xlen(name) < 700
    assert values == [*range(600, 0, -1)]


def read_stream(peer: BusPeer, each: Callable[[], object] = lambda: None) -> list[Any]:
    """All values of the stream that is opened next."""
    stream_id = peer.hear()["message"]["v"]["id"]
    values: list[Any] = []
    while True:
        if len(values) % 32 == 0:
            pull = {"t": "sq", "id": f"p{len(values)}", "sid": stream_id, "op": "pull", "n": 32}
            peer.say(pull, "client", "server")
        message = peer.hear()["message"]
        assert message.get("e") is None
        if message["d"]:
            return values
        values.append(message["v"])
        each()


def test_our_server_calls_back_into_their_client(bus: str, url: str) -> None:
    """call-back-into-client."""
    first, answer, back, reply = lines_of(bus, "call-back-into-client")

    async def add(a: int, b: int) -> int:
        said.append(await kk.context().caller.hello("hi"))
        return a + b

    said: list[str] = []
    with kk.serve({"add": add}, on=url), BusPeer(url) as peer:
        peer.publish(first["text"])
        asked = peer.hear()
        recorded = json.loads(back["text"])["message"]
        assert asked["to"] == "client"
        assert asked["message"] == {**recorded, "id": asked["message"]["id"]}
        said_back = json.loads(reply["text"])["message"]
        peer.say({**said_back, "id": asked["message"]["id"]}, "client", "server")
        assert peer.hear()["message"] == json.loads(answer["text"])["message"]
    assert said == ["client says hi"]


# ---- several workers of ours, where several servers of theirs go wrong


@pytest.fixture
def workers(bus: str, url: str) -> Iterator[list[dict[str, Any]]]:
    """Two workers that share the work."""
    apis = [make_bus_api() for _ in range(2)]
    with kk.serve(apis[0], on=url, workers="shared"), kk.serve(apis[1], on=url, workers="shared"):
        yield apis


@pytest.mark.parametrize(
    "scenario",
    ["queue-group", "queue-group-target", "two-servers-no-target", "two-servers-target"],
)
def test_two_workers_answer_every_request_once(
    scenario: str, bus: str, url: str, workers: list[dict[str, Any]]
) -> None:
    requests = []
    for line in lines_of(bus, scenario):
        envelope = json.loads(line["text"])
        if envelope["message"]["t"] == "q" and envelope["message"]["p"] in (
            ["whoami"],
            ["countdown"],
        ):
            requests.append(envelope["message"] | {"id": f"r{len(requests)}"})
    with BusPeer(url) as peer:
        values: dict[str, list[Any]] = {}
        expected: dict[str, list[Any]] = {}
        for request in requests:
            peer.say(request, "client", "server")
            count = 0
            if request["p"] == ["countdown"]:
                count = request["a"][0]["v"]
            expected[request["id"]] = [*range(count, 0, -1)] if count else ["server"]
        calls_of: dict[str, str] = {}
        done = 0
        while done < len(requests):
            message = peer.hear()["message"]
            if message["t"] == "r" and isinstance(message["v"], dict):
                stream_id = message["v"]["id"]
                calls_of[stream_id] = message["id"]
                values[message["id"]] = []
                pull = {"t": "sq", "id": f"p{stream_id}", "sid": stream_id, "op": "pull", "n": 64}
                peer.say(pull, "client", "server")
            elif message["t"] == "r":
                assert message["id"] not in values, "answered twice"
                values[message["id"]] = [message["v"]]
                done += 1
            elif message["d"]:
                done += 1
            else:
                assert "e" not in message
                values[calls_of[message["sid"]]].append(message["v"])
    assert values == expected


def test_a_stream_argument_stays_with_its_worker(
    bus: str, url: str, workers: list[dict[str, Any]]
) -> None:
    """queue-group: theirs gives wrong sums, or none."""
    with BusPeer(url) as peer:
        for number in range(20):
            call_id, stream_id = f"c{number}", f"s{number}"
            handle = {"__kkrpc_next_stream__": "async-iterable", "id": stream_id}
            arg = {"__kkrpc_next_arg__": "value", "v": handle}
            request = {"t": "q", "id": call_id, "op": "call", "p": ["sum"], "a": [arg]}
            peer.say(request, "client", "server")
            sent = 0
            while True:
                message = peer.hear()["message"]
                if message["t"] == "r":
                    break
                if message.get("op") != "pull":
                    continue
                for _ in range(message["n"]):
                    item = {"t": "sr", "id": f"i{sent}", "sid": stream_id, "d": sent == 40}
                    peer.say(item if sent == 40 else item | {"v": sent}, "client", "server")
                    sent += 1
                    if sent > 40:
                        break
            assert (message["id"], message["v"]) == (call_id, sum(range(40)))


# ---- our client


class _ServerSocket:
    """Lets a recorded server talk to a client of ours."""

    def __init__(self, peer: BusPeer) -> None:
        self._peer = peer
        self.client = ""

    def send(self, text: str) -> None:
        self._peer.say(json.loads(text), "server", self.client)

    def recv(self, timeout: float | None) -> str:
        while True:
            envelope = self._peer.hear(PATIENCE_S if timeout is None else timeout)
            assert envelope.get("to", "server") == "server"
            self.client = envelope["from"]
            message = envelope["message"]
            if message.get("p") == ["kk-probe"]:  # asks who is there
                self._peer.say({"t": "r", "id": message["id"]}, "server", self.client)
                continue
            return json.dumps(message, ensure_ascii=False)

    def close(self) -> None:
        """It is the test's."""


class _RecordedBusServer(RecordedServer):
    def __init__(self, transcript: Transcript, peer: BusPeer) -> None:

        self.extra = []
        self.trouble = None
        self.played = threading.Event()
        self._delay = lambda: None
        self._frames = transcript.frames
        self._ids: dict[str, str] = {}
        self._credits: Counter[str] = Counter()
        self._returned: dict[str, dict[str, Any]] = {}
        self._thread = threading.Thread(
            target=self._serve,
            args=(_ServerSocket(peer),),
            daemon=True,
        )
        self._thread.start()


def progress(api: Any) -> Any:
    seen: list[Any] = []
    return [api.onProgress(3, lambda i, n: seen.append([i, n])).result(), seen]


def error_of(call: Any) -> str:
    try:
        call.result()
    except kk.RemoteError as error:
        return f"{error.name}: {error.message}"
    return "no error"


CLIENT = {
    "callback": progress,
    "error": lambda api: [
        error_of(api.throwCustom()),
        error_of(api.noSuchMethod(1)),
        error_of(api.throwString()),
    ],
    "nested-call": lambda api: [
        api.math.grade1.add(40, 2).result(),
        kk.get(api.config.nested.level),
    ],
    "self-delivery": lambda api: [api.add(1, 1).result()],
    "stream-arg": lambda api: api["sum"](iter([1, 2, 3])).result(),
    "stream-basic": lambda api: list(api.countdown(3)),
    "stream-failing": lambda api: error_of(api.failAfter(2)),
    "unary-call": lambda api: [api.add(2, 3).result(), api.echo({"a": [1, "x", None]}).result()],
    "unary-call-no-target": lambda api: api.add(2, 3).result(),
    "unary-call-pair": lambda api: api.add(2, 3).result(),
}
CLIENT_SAYS = {
    "error": [
        "CustomError: custom failure",
        "Error: noSuchMethod is not a function",
        "Error: just a string",
    ],
    # Of an error in a stream theirs sends a text, with the class in it.
    "stream-failing": "Error: Error: stream failed intentionally",
}


@pytest.mark.parametrize("scenario", CLIENT)
def test_our_client_says_what_theirs_did(scenario: str, bus: str, url: str) -> None:
    transcript = transcript_of(bus, scenario)
    with BusPeer(url) as peer:
        server = _RecordedBusServer(transcript, peer)
        with kk.connect(url) as api:
            result = CLIENT[scenario](api)
            assert server.played.wait(PATIENCE_S)
            if server.trouble is not None:
                raise server.trouble
    assert result == CLIENT_SAYS.get(scenario, transcript.client_result)


def test_another_peer_that_exposes_nothing_does_not_spoil_calls(bus: str, url: str) -> None:
    """two-clients-no-target: with theirs the faster answer wins."""
    with BusPeer(url) as other, BusPeer(url) as server:
        refused: list[str] = []
        answered: list[str] = []

        def take(peer: BusPeer, sender: str) -> None:
            while not peer.heard.empty():
                envelope = peer.hear()
                message = envelope["message"]
                if message["t"] != "q" or envelope.get("to", sender) != sender:
                    continue
                if sender == "bystander":
                    refused.append(message["id"])
                    error = {"n": "Error", "m": "No API exposed"}
                    peer.say({"t": "r", "id": message["id"], "e": error}, sender, envelope["from"])
                else:
                    answered.append(message["id"])
                    value = {"v": 5} if message["p"] == ["add"] else {}
                    peer.say({"t": "r", "id": message["id"], **value}, sender, envelope["from"])

        api: list[Any] = []
        connecting = threading.Thread(target=lambda: api.append(kk.connect(url)))
        connecting.start()
        until(lambda: (take(other, "bystander"), bool(refused))[1])
        until(lambda: (take(server, "server"), not connecting.is_alive())[1])
        call = api[0].add(2, 3)
        until(lambda: (take(other, "bystander"), take(server, "server"), call._state.over)[2])
        assert call.result() == 5
        assert len(refused) == 1  # what followed was addressed to the server
        kk.close(api[0])


def test_a_server_that_answers_one_client_alone_says_which(bus: str, url: str) -> None:
    """pair-and-second-client: with theirs the second client waits for its time limit."""
    with BusPeer(url) as peer:
        problem: list[BaseException] = []

        def connect() -> None:
            try:
                kk.connect(url)
            except kk.ConnectError as error:
                problem.append(error)

        connecting = threading.Thread(target=connect)
        connecting.start()
        asked = peer.hear()
        peer.say({"t": "r", "id": asked["message"]["id"]}, "server", "client")
        connecting.join(PATIENCE_S)
        assert "add ?peer_id=client to the address" in str(problem[0])


def test_a_forged_answer_is_not_taken(bus: str, url: str) -> None:
    """Anybody on the name may answer theirs."""
    with BusPeer(url) as peer:
        api: list[Any] = []
        connecting = threading.Thread(target=lambda: api.append(kk.connect(url)))
        connecting.start()
        asked = peer.hear()
        peer.say({"t": "r", "id": asked["message"]["id"]}, "server", asked["from"])
        connecting.join(PATIENCE_S)
        call = api[0].add(1, 1)
        request = peer.hear()
        assert request["to"] == "server"
        call_id = request["message"]["id"]
        peer.publish(enveloped(bus, {"t": "r", "id": call_id, "v": 666}, "mallory", asked["from"]))
        peer.publish(enveloped(bus, {"t": "r", "id": call_id, "v": 2}, "server", asked["from"]))
        assert call.result(timeout_s=PATIENCE_S) == 2
        kk.close(api[0])


def test_every_transcript_is_replayed_and_stands_in_the_table() -> None:
    text = Path(__file__).read_text(encoding="utf-8")
    assert [scenario for _, scenario in SCENARIOS if scenario not in text] == []
    table = Path(__file__).with_name("bus.md").read_text("utf-8")
    named = re.findall(r"^\| `([\w-]+)` ", table, re.MULTILINE)
    assert named == sorted({scenario for _, scenario in SCENARIOS})
