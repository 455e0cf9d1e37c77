"""Our server and client over stdio against what real peers of kkrpc 0.7.0 and 2.1.0 wrote there.

What was written to the recorded server goes to ``kkjupyter serve --stdio``, which must answer
alike; what the recorded server wrote goes to our client, from a program that plays its part. The
borders between writes are the recorded ones, and characters are cut wherever they can be. Where
ours is better on purpose, that is what is asserted.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from support.waiting import until
from wire.peers.kkrpc.compact_play import handle_id, meaning
from wire.peers.kkrpc.recordings import comparable, exchanges

import kkjupyter as kk
from kkjupyter.client.remote import Remote

if sys.platform == "win32":
    pytest.skip("tells whether a pipe has been read as POSIX does", allow_module_level=True)

from wire.peers.kkrpc.stdio_player import pieces, requests, write_apart

TESTS = Path(__file__).resolve().parents[3]
README = Path(__file__).with_name("README.md")
VERSIONS = {"classic": "0.7.0", "compact": "2.1.0"}
PATIENCE_S = 20.0


@dataclass(frozen=True)
class Step:
    """One write of the recorded client, and what the server wrote before the next."""

    name: str
    written: str
    answered: str

    @property
    def answers(self) -> list[str]:
        return self.answered.splitlines()


STEP_NAMES = (
    "a message",
    "two messages and the beginning of a third",
    "the rest of the third",
    "a line that is no message",
    "a request for a stream",
    "a message with characters cut in two",
)


def steps(protocol: str) -> list[Step]:
    found: list[Step] = []
    for exchange in exchanges(f"{protocol}-stdio"):
        if exchange.from_client:
            found.append(Step(STEP_NAMES[len(found)], exchange.text, ""))
        else:
            last = found.pop()
            found.append(Step(last.name, last.written, last.answered + exchange.text))
    return found


def meant(line: str) -> dict[str, Any]:
    """A message without what carries no meaning; arguments without their envelopes."""
    if '"t":' not in line:
        return comparable(line)
    fields = meaning(json.loads(line), set())
    if handle_id(fields.get("v")) is not None:
        fields["v"] = {**fields["v"], "id": "<uuid>"}
    if "a" in fields:
        fields["a"] = [
            arg["v"] if isinstance(arg, dict) and "__kkrpc_next_arg__" in arg else arg
            for arg in fields["a"]
        ]
    return fields


@pytest.fixture(params=VERSIONS)
def protocol(request: pytest.FixtureRequest) -> str:
    return str(request.param)


# ---- our server


@pytest.fixture
def server() -> Iterator[subprocess.Popen[bytes]]:
    target = f"{Path(__file__).with_name('api.py')}:make_api"
    with subprocess.Popen(
        [sys.executable, "-m", "kkjupyter.cli", "serve", target, "--stdio"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        watchdog = threading.Timer(PATIENCE_S, process.kill)
        watchdog.start()
        yield process
        watchdog.cancel()
        watchdog.join()
        process.kill()


# What our server answers where the recorded one did otherwise.
SERVER_BETTER: dict[tuple[str, str], Callable[[list[dict[str, Any]]], list[dict[str, Any]]]] = {
    ("classic", "a line that is no message"): lambda recorded: [],
    ("classic", "a message with characters cut in two"): lambda recorded: [
        {**recorded[0], "args": {"result": "é😀"}}
    ],
}


def recorded_answers(step: Step) -> list[dict[str, Any]]:
    return [
        meant(line) if line.startswith("{") else {"not a message": line} for line in step.answers
    ]


def test_our_server_answers_as_the_recorded_one(
    protocol: str, server: subprocess.Popen[bytes]
) -> None:
    assert server.stdin is not None
    assert server.stdout is not None
    assert server.stderr is not None
    for step in steps(protocol):
        recorded = recorded_answers(step)
        better = SERVER_BETTER.get((protocol, step.name))
        expected = better(recorded) if better else recorded
        assert not better or expected != recorded, "then it is not better, but the same"
        write_apart(server.stdin.fileno(), pieces(step.written.encode()))
        answers = [meant(server.stdout.readline().decode()) for _ in expected]
        assert answers == expected, step.name
    server.stdin.close()
    assert server.stdout.read() == b"", "one answer too many"
    assert server.wait() == 0
    assert server.stderr.read() == b"ignored a message from stdin: not a message: noise line\n"


# ---- our client


def stream(api: Remote, protocol: str) -> list[Any]:
    call = api.countdown(2)
    if protocol == "classic":
        return list(call)
    # Nobody asked for its items when this was recorded.
    until(lambda: call.state == "streaming")
    call.cancel()
    return []


# What our client asks for in each step, and what it makes of the recorded answers.
CLIENT: dict[str, Callable[[Remote, str], list[Any]]] = {
    "a message": lambda api, protocol: [api.add(1, 2).result()],
    "two messages and the beginning of a third": lambda api, protocol: [
        call.result() for call in (api.add(1, 2), api.add(3, 4))
    ],
    "the rest of the third": lambda api, protocol: [api.add(5, 6).result()],
    "a request for a stream": stream,
    "a message with characters cut in two": lambda api, protocol: [api.echo("é😀").result()],
}


def recorded_results(step: Step) -> list[Any]:
    """What the recorded answers say, in plain reading."""
    results = []
    for message in recorded_answers(step):
        args = message.get("args", {})
        value = message.get("v", args.get("result", args.get("value")))
        if not isinstance(value, dict) and value is not None:
            results.append(value)
    return results


def test_our_client_asks_and_understands_as_the_recorded_bytes_say(
    protocol: str, tmp_path: Path
) -> None:
    report = tmp_path / "asked.jsonl"
    player = [
        sys.executable,
        "-m",
        "wire.peers.kkrpc.stdio_player",
        f"{protocol}-stdio",
        str(report),
    ]
    recorded = steps(protocol)
    with kk.connect(
        player,
        env={"PYTHONPATH": str(TESTS)},
        protocol=protocol,
        codec="json",
        timeout_s=PATIENCE_S,
    ) as api:
        for step in recorded:
            if play := CLIENT.get(step.name):
                assert play(api, protocol) == recorded_results(step), step.name
    heard = report.read_text("utf-8")
    asked = requests(heard)
    theirs = requests("".join(step.written for step in recorded))
    assert [without_id(line) for line in asked] == [without_id(line) for line in theirs]
    extra = {json.loads(line)["op"] for line in heard.splitlines() if line not in asked}
    # What nobody reads is returned to the peer; the recording ends before that.
    assert extra <= ({"pull", "return"} if protocol == "compact" else set())


def without_id(line: str) -> dict[str, Any]:
    fields = meant(line)
    del fields["id"]
    return fields


# ---- every write is accounted for


def test_every_step_stands_in_the_readme_s_table() -> None:
    _, _, text = README.read_text("utf-8").partition("## Standard input and output")
    table = {
        (cells[0], cells[1]): tuple(cells[2:])
        for line in text.splitlines()
        if line.startswith(tuple(f"| {version}" for version in VERSIONS.values()))
        for cells in [[cell.strip() for cell in line.strip("|").split("|")]]
    }
    truth = {
        (version, step.name): (
            "better" if (protocol, step.name) in SERVER_BETTER else "same",
            "same" if step.name in CLIENT else "–",
        )
        for protocol, version in VERSIONS.items()
        for step in steps(protocol)
    }
    assert {name: cells[:2] for name, cells in table.items()} == truth
    assert len(truth) == len(VERSIONS) * len(STEP_NAMES)
    for name, (server, _, why) in table.items():
        assert bool(why) or server == "same", f"{name}: say why"
    assert CLIENT.keys() < set(STEP_NAMES)
