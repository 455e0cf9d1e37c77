"""Our superjson against the real one, in Node, in both directions."""

from __future__ import annotations

import datetime as dt
import json
import math
import os
import re
import shutil
import subprocess
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from support.js_values import describe, linked_values, values

from kkjupyter.errors import EncodeError, RemoteError
from kkjupyter.wire.values import superjson
from kkjupyter.wire.values.javascript import (
    URL,
    BigInt,
    Boxed,
    Map,
    RegExp,
    Uint8ClampedArray,
    undefined,
)
from kkjupyter.wire.values.json_text import dumps, loads

pytestmark = pytest.mark.timeout(180)  # seconds; 15 on a quiet machine

FOLDER = Path(__file__).parent
BATCH = 8  # values in one example of hypothesis: making examples costs more than sending them
TREES = 2_000
LINKED = 1_000


def thoroughly(count: int) -> settings:
    """Settings for ``count`` values, the same ones in each run."""
    return settings(
        max_examples=count // BATCH,
        deadline=None,
        derandomize=True,
        phases=[Phase.explicit, Phase.generate],  # shrinking batches takes minutes
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )


def batches(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    return st.lists(strategy, min_size=BATCH, max_size=BATCH)


class Peer:
    """One Node process that answers a line with a line."""

    def __init__(self, node: str, modules: Path) -> None:
        self.process = subprocess.Popen(
            [node, str(FOLDER / "driver.mjs"), str(modules)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.crossed = 0

    def ask(self, **request: Any) -> dict[str, Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(request).encode() + b"\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, f"Node ended with {self.process.wait(10)}"
        reply: dict[str, Any] = json.loads(line)
        self.crossed += 1
        return reply

    def read(self, text: str) -> dict[str, Any]:
        """What the library makes of ``text``."""
        return self.ask(op="read", text=text)

    def write(self, described: list[Any]) -> dict[str, Any]:
        """What the library writes for the value of that description."""
        return self.ask(op="write", described=described)

    def close(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(10)


@pytest.fixture
def peer() -> Iterator[Peer]:
    node = os.environ.get("KK_NODE") or shutil.which("node")
    if node is None:
        pytest.fail("Node is missing: set KK_NODE, or put `node` on the PATH (make test does)")
    modules = Path(os.environ.get("KK_NODE_MODULES") or FOLDER / "node_modules")
    if not (modules / "superjson").is_dir():
        pytest.fail(f"superjson is missing from {modules}: run `npm ci` in {FOLDER}")
    peer = Peer(node, modules)
    yield peer
    peer.close()


def to_text(value: Any) -> str:
    json_value, meta = superjson.encode(value)
    envelope = {"json": json_value} if meta is None else {"json": json_value, "meta": meta}
    return dumps(envelope).decode()


def from_text(text: str) -> Any:
    envelope = loads(text.encode())
    return superjson.decode(envelope.get("json"), envelope.get("meta"))


def test_the_version_is_the_one_we_speak_of(peer: Peer) -> None:
    assert peer.ask(op="version") == {"version": "2.2.6"}


@pytest.mark.slow
def test_what_we_write_the_library_reads_and_sends_back(peer: Peer) -> None:
    @thoroughly(TREES)
    @given(batches(values()))
    def check(batch: list[Any]) -> None:
        for value in batch:
            expected = describe(value)
            reply = peer.read(to_text(value))
            assert reply.get("described") == expected, reply.get("error")
            assert describe(from_text(reply["text"])) == expected

    check()
    assert peer.crossed >= TREES


@pytest.mark.slow
def test_what_the_library_writes_we_read_and_write_alike(peer: Peer) -> None:
    @thoroughly(TREES)
    @given(batches(values()))
    def check(batch: list[Any]) -> None:
        for value in batch:
            expected = describe(value)
            text = peer.write(expected)["text"]
            ours = from_text(text)
            assert describe(ours) == expected
            if '"set"' not in text:  # Python's sets come in an order of their own
                assert without_equalities(to_text(ours)) == without_equalities(text)

    check()
    assert peer.crossed >= TREES


def without_equalities(text: str) -> Any:
    """A message but for what is said to be shared: the library counts NaN and bigints, too."""
    envelope = json.loads(text, parse_int=float)  # 1e16 is written with and without exponent
    return envelope.get("json"), envelope.get("meta", {}).get("values")


@pytest.mark.slow
def test_shared_and_circular_references_survive_our_writing(peer: Peer) -> None:
    @thoroughly(LINKED)
    @given(batches(linked_values()))
    def check(batch: list[Any]) -> None:
        for value in batch:
            expected = describe(value)
            assert peer.read(to_text(value)).get("described") == expected
            assert describe(from_text(to_text(value))) == expected

    check()
    assert peer.crossed >= LINKED


@pytest.mark.slow
def test_shared_and_circular_references_survive_our_reading(peer: Peer) -> None:
    whole = 0

    @thoroughly(LINKED)
    @given(batches(linked_values()))
    def check(batch: list[Any]) -> None:
        nonlocal whole
        for value in batch:
            expected = describe(value)
            reply = peer.write(expected)
            ours = from_text(reply["text"])
            # The library loses some rings when it writes; then we read what it reads itself.
            assert describe(ours) in (expected, reply["described"])
            if reply["described"] == expected:
                whole += 1
                assert groups_of(to_text(ours)) == groups_of(reply["text"])

    check()
    assert peer.crossed >= LINKED
    assert whole >= LINKED // 2


def groups_of(text: str) -> set[frozenset[str]]:
    """Which paths are one object, whichever of them is named first."""
    equalities = json.loads(text).get("meta", {}).get("referentialEqualities") or {}
    groups: set[frozenset[str]] = set()
    if isinstance(equalities, list):
        groups.add(frozenset(["<root>", *equalities[0]]))
        equalities = equalities[1] if len(equalities) > 1 else {}
    return groups | {frozenset([first, *others]) for first, others in equalities.items()}


# ---- single cases, each of which went wrong somewhere once, or would


def test_every_annotation_is_written_as_the_library_does(peer: Peer) -> None:
    when = dt.datetime(2026, 8, 1, 12, 30, 0, 123000, tzinfo=dt.UTC)
    value = {
        "date": when,
        "nested": {"deep": [1, {"when": when}]},
        "map": Map({"k": when, 2: Map({"x": undefined})}),
        "set": {BigInt(5)},
        "a.b\\c": RegExp("x\\/y", "gi"),
        "numbers": [math.nan, math.inf, -math.inf, -0.0],
        "url": URL("https://example.com/"),
        "error": RemoteError("m", name="RangeError", cause=RemoteError("inner", cause=when)),
        "arrays": [b"\x01", Uint8ClampedArray(b"\x02"), array("h", [-3]), array("d", [0.5])],
        "undefined": undefined,
    }
    reply = peer.write(describe(value))
    theirs, ours = json.loads(reply["text"]), json.loads(to_text(value))
    assert ours["meta"] == theirs["meta"]
    assert ours["json"] == theirs["json"]


def test_a_lone_surrogate_passes_both_ways(peer: Peer) -> None:
    value = {"\ud83d": ["\ude00", "a\ud83d", "\N{GRINNING FACE}"]}
    reply = peer.read(to_text(value))
    assert reply["described"] == describe(value)
    assert from_text(reply["text"]) == value


@pytest.mark.parametrize("code", ["f", "d"])
def test_a_float_array_keeps_what_json_has_not(peer: Peer, code: str) -> None:
    value = array(code, [math.nan, math.inf, -math.inf, -0.0, 1.5])
    assert peer.read(to_text(value))["described"] == describe(value)
    # The library itself writes null for the first three; NaN is the nearest to that.
    came = from_text(peer.write(describe(value))["text"])
    assert [str(item) for item in came] == ["nan", "nan", "nan", "0.0", "1.5"]


def test_an_object_shared_by_two_sets_is_not_lost(peer: Peer) -> None:
    first, second = Boxed([1]), Boxed([2])
    value = [{first, second}, {first, second}, Map({Boxed(first.value): 1, "x": 2})]
    described = peer.read(to_text(value))["described"]
    assert [len(holder[2]) for holder in described[2]] == [2, 2, 2]
    assert [kind for kind, *_ in described[2]] == ["set", "set", "map"]


def test_objects_shared_by_the_librarys_sets_arrive(peer: Peer) -> None:
    one, two = Boxed([1]), Boxed([2])
    value = {"a": {one, two}, "b": {one, two}}
    came = from_text(peer.write(describe_shared_sets())["text"])
    held = [{id(item.value): item.value for item in came[name]} for name in value]
    assert held[0] == held[1]
    assert sorted(held[0].values()) == [[1], [2]]


def describe_shared_sets() -> list[Any]:
    one = ["array", 2, [["number", "3ff0000000000000"]]]
    two = ["array", 3, [["number", "4000000000000000"]]]
    keys = [name.encode("utf-16-be").hex() for name in "ab"]
    first, second = ["set", 1, [one, two]], ["set", 4, [["ref", 2], ["ref", 3]]]
    return ["object", 0, [[keys[0], first], [keys[1], second]]]


def test_rings_the_library_would_break_arrive_whole(peer: Peer) -> None:
    a: dict[str, Any] = {}
    b: dict[str, Any] = {"a": a}
    a["b"] = b
    value = {"p": a, "q": b}
    assert peer.read(to_text(value))["described"] == describe(value)


def test_an_error_with_itself_inside_comes_from_the_library(peer: Peer) -> None:
    error = RemoteError("ring", name="Error")
    error.cause = {"error": error}
    came = from_text(peer.write(describe(error))["text"])
    assert came.cause["error"] is came


@pytest.mark.parametrize("key", ["constructor", "prototype", "__proto__"])
def test_keys_the_library_refuses_are_refused_here(peer: Peer, key: str) -> None:
    raw = json.dumps({"json": {key: "1"}, "meta": {"values": {key: ["bigint"]}, "v": 1}})
    assert "not allowed" in peer.read(raw)["error"]
    with pytest.raises(EncodeError, match=key):
        to_text({key: BigInt(1)})
    # As a Map's key it is harmless.
    assert peer.read(to_text(Map({key: 1})))["described"] == describe(Map({key: 1}))


@pytest.mark.parametrize(
    "pattern",
    [
        re.compile(r"ab+c", re.IGNORECASE | re.DOTALL | re.MULTILINE),
        re.compile(r"a/b(?:c)(?=d)(?!e)(?<=f)(?<!g)[\w+]+?\d{2,}|\\A"),
    ],
)
def test_a_python_pattern_is_a_regexp_there(peer: Peer, pattern: re.Pattern[str]) -> None:
    reply = peer.read(to_text(pattern))
    assert reply["described"][0] == "regexp", reply


def test_annotations_of_an_older_writer_are_read_by_the_older_rule(peer: Peer) -> None:
    raw = json.dumps({"json": {"a\\b.c": "1"}, "meta": {"values": {"a\\b\\.c": ["bigint"]}}})
    reply = peer.read(raw)
    assert reply["described"] == describe({"a\\b.c": BigInt(1)})
    assert describe(from_text(raw)) == reply["described"]
