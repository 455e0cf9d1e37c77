"""Telling the protocol from bytes."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kkjupyter.errors import MessageTooBig, RemoteError
from kkjupyter.wire.events import Event, NotUnderstood, Requested
from kkjupyter.wire.framing import LineBuffer
from kkjupyter.wire.kkrpc import detection
from kkjupyter.wire.kkrpc.base import Codec, Protocol
from kkjupyter.wire.kkrpc.classic.protocol import Classic
from kkjupyter.wire.kkrpc.compact.protocol import Compact
from kkjupyter.wire.kkrpc.detection import FirstFrame, Found, Probe, is_probe, recognise
from kkjupyter.wire.values.javascript import undefined

CODECS: tuple[Codec, ...] = ("json", "superjson")
FORMS = [(kind, codec) for kind in (Classic, Compact) for codec in CODECS]
each_form = pytest.mark.parametrize(("kind", "codec"), FORMS)
Kind = type[Classic] | type[Compact]


def asked(probe: Probe, protocol: Protocol) -> list[Requested]:
    """What a peer that speaks only ``protocol`` makes of a probe's frames."""
    events: list[Event] = protocol.receive(probe.frames, whole=True)
    # All else is overlooked by the peers, and answered by nobody.
    assert all(isinstance(event, Requested | NotUnderstood) for event in events)
    return [event for event in events if isinstance(event, Requested)]


# ---- the client asks


def test_nothing_that_may_exist_is_asked_for() -> None:
    compact = asked(Probe(), Compact())
    assert [(event.operation, event.path, event.codec) for event in compact] == [
        ("get", ("kk-probe",), "superjson"),
        ("get", ("kk-probe",), "json"),
    ]
    [classic] = asked(Probe(), Classic())
    assert (classic.operation, classic.path, classic.args) == ("call", ("kk-probe",), [])
    assert all(frame.endswith(b"\n") for frame in Probe().frames)


def test_a_server_knows_a_probe_from_what_quotes_it() -> None:
    assert all(map(is_probe, Probe().frames))
    for frame in (
        Compact().request("probe-x", "get", ["settings"]),
        Compact().request("1", "call", ["say"], ["kk-probe"]),
        Compact().request("probe-x", "call", ["say"], ["kk-probe", "x" * 1024]),
        b"kk-probe",
        b"",
    ):
        assert not is_probe(frame)


@pytest.mark.parametrize("codec", CODECS)
def test_a_compact_peer_answers_with_undefined_or_an_error(codec: Codec) -> None:
    peer = Compact(codec)
    for answer in (
        lambda call_id: peer.reply(call_id, undefined, codec),
        lambda call_id: peer.fail_call(call_id, RemoteError("no"), codec),
    ):
        probe = Probe()
        request = asked(probe, peer)[0]
        assert probe.read([answer(request.call_id)], whole=True) == ("compact", codec)
        assert (probe.rest, probe.echoed) == ([], False)
    # As superjson writes undefined.
    probe = Probe()
    body = {"t": "r", "id": asked(probe, peer)[0].call_id, "v": None}
    frame = json.dumps({"json": body, "meta": {"values": {"v": ["undefined"]}, "v": 1}}).encode()
    assert probe.read([frame]) is None, "a byte stream has lines"
    assert probe.read([b"\n"]) == Found("compact", "superjson")


@pytest.mark.parametrize("codec", CODECS)
def test_a_classic_peer_answers_in_its_own_codec(codec: Codec) -> None:
    probe, peer = Probe(), Classic(codec)
    [request] = asked(probe, peer)
    request.codec = codec
    assert probe.read([peer.refuse(request, "not_callable")], whole=True) == ("classic", codec)


@each_form
def test_only_what_is_expected_is_asked_for(kind: Kind, codec: Codec) -> None:
    probe = Probe([(kind.name, codec)])
    [frame] = probe.frames
    assert recognise(frame) == (kind.name, codec)
    assert len(asked(probe, kind(codec))) == 1


def test_what_else_comes_is_kept() -> None:
    probe = Probe()
    peer = Compact("json")
    request = asked(probe, peer)[0]
    answer = peer.reply(request.call_id, undefined, "json")
    assert probe.read([b'welcome\n\n{"t":"cb",']) is None
    assert probe.read([b'"id":"x"}\n' + answer + b'late\n{"t"']) == ("compact", "json")
    assert probe.rest == [b"welcome\n", b'{"t":"cb","id":"x"}\n', b"late\n", b'{"t"']

    probe = Probe()
    request = asked(probe, peer)[0]
    answer = peer.reply(request.call_id, undefined, "json")
    frames = [b"welcome", b"", answer + b'{"t":"cbr","ids":[]}\n', b"late"]
    assert probe.read(frames, whole=True) == ("compact", "json")
    assert probe.rest == [b"welcome", b"", b'{"t":"cbr","ids":[]}\n', b"late"]


def test_what_only_quotes_the_probe_is_no_answer() -> None:
    probe = Probe()
    probe_id = asked(probe, Compact())[0].call_id
    for message in (f"got {probe_id}", json.dumps({"t": "r", "id": [probe_id]}), f'["{probe_id}"]'):
        assert probe.read([message.encode()], whole=True) is None
    assert len(probe.rest) == 3
    assert not probe.echoed


@pytest.mark.parametrize("whole", [True, False])
def test_an_echo_is_no_answer(whole: bool) -> None:
    probe = Probe()
    assert probe.read(probe.frames, whole=whole) is None
    assert (probe.echoed, probe.rest) == (True, [])


def test_endless_text_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(detection, "LineBuffer", lambda: LineBuffer(100))
    probe = Probe()
    assert probe.read([b"x" * 200]) is None
    with pytest.raises(MessageTooBig):
        probe.read([b"x"])


# ---- the server hears


@each_form
def test_every_message_of_ours_is_recognised(kind: Kind, codec: Codec) -> None:
    protocol = kind(codec)
    for frame in (
        protocol.request("a", "call", ["f"], [{"t": 1, "type": 2, "json": {}}]),
        protocol.request("a", "get", ["x"]),
        protocol.cancel("a"),
        protocol.reply("a", {"t": "q", "type": "x"}, codec),
    ):
        expected = (kind.name, "json" if frame.startswith(b'{"id"') else codec)
        for padded in (frame, frame.strip(), b" \r\n\t" + frame + b" "):
            assert recognise(padded) == expected
            assert FirstFrame().feed([padded], whole=True) == expected


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"__DESTROY__", ("classic", "json")),
        (b" __DESTROY__\n", ("classic", "json")),
        (b'{"meta":{},"json":{"t":"q"}}', ("compact", "superjson")),
        (b'{"json":{"type":"get","\\ud83d":1}}', ("classic", "superjson")),
        (b'{"t":"q","type":"x"}', ("compact", "json")),
        (b'{"json":{"t":"q"},"type":"get"}', ("classic", "json")),
        (b'noise\n\n[1]\n{"t":"q"}\n{"type":"get"}', ("compact", "json")),
        (b'{\n"t":\n"q"}', ("compact", "json")),
        *((rubbish, None) for rubbish in (b"", b"\n", b"hello", b"[]", b"5", b"{}", b"\xff\n{")),
        *((rubbish, None) for rubbish in (b'{"t":5}', b'{"type":null}', b'{"json":5}', b"{}\n{}")),
        (b'{"t":"q","v":' + b"[" * 100_000, None),
    ],
)
def test_recognising(data: bytes, expected: Any) -> None:
    assert recognise(data) == expected


@each_form
def test_the_first_message_in_any_pieces(kind: Kind, codec: Codec) -> None:
    frame = kind(codec).request("a", "call", ["f"], ["}{\u2028" * 10])
    for size in (1, 3, 20, len(frame)):
        pieces = [frame[start : start + size] for start in range(0, len(frame), size)]
        first = FirstFrame()
        *before, last = [first.feed([piece]) for piece in pieces]
        assert set(before) <= {None}
        assert last == (kind.name, codec)
        assert b"".join(first.chunks) == frame
    head, tail = frame[:30], frame[30:]
    for end in (b"\n", b""):  # frames need no line end
        first = FirstFrame()
        assert first.feed([head], whole=True) is None
        assert first.feed([tail.strip() + end], whole=True) == (kind.name, codec)
        assert first.chunks == [head, tail.strip() + end]


def test_a_sound_message_after_a_broken_one() -> None:
    first = FirstFrame()
    assert first.feed([b"{broken", b"hello", b"\n", b"", b'{"t":"q",'], whole=True) is None
    assert first.feed([b'{"t":"q"}', b'{"type":"get"}'], whole=True) == ("compact", "json")
    assert len(first.chunks) == 7


@pytest.mark.parametrize(
    ("chunk", "whole"),
    [
        *((b"some more noise\n", whole) for whole in (False, True)),
        *((b"noise", whole) for whole in (False, True)),
        (b"{}", True),
    ],
)
def test_rubbish_is_waited_out_but_not_for_ever(chunk: bytes, whole: bool) -> None:
    first = FirstFrame()
    fed_bytes = 0
    while (found := first.feed([chunk], whole=whole)) is None:
        fed_bytes += len(chunk)
        assert fed_bytes < 100_000
    assert found == ("classic", "json")
    assert fed_bytes > 50_000


@pytest.mark.parametrize("chunk", [b"", b"\n", b"x\n", b"\n" * 1_000_000])
def test_frames_that_say_nothing_are_not_waited_out_for_ever(chunk: bytes) -> None:
    first = FirstFrame()
    frames = 0
    while (found := first.feed([chunk], whole=True)) is None:
        frames += 1
        assert frames < 5_000
    assert found == ("classic", "json")


def test_lines_beyond_the_limit_are_not_looked_at() -> None:
    message = Compact("json").request("a", "call", ["f"])
    assert FirstFrame().feed([b"x\n" * 1_000 + message], whole=True) == ("compact", "json")
    assert FirstFrame().feed([b"x\n" * 100_000 + message], whole=True) == ("classic", "json")


def test_a_message_in_tiny_pieces_is_kept_as_few() -> None:
    first = FirstFrame()
    for byte in b'{"t":"' + b"x" * 50_000:
        assert first.feed([bytes([byte])]) is None
    assert len(first.chunks) < 20


def test_frames_beyond_number_are_not_kept() -> None:
    first = FirstFrame(limit_bytes=100_000)
    frames = 0
    while first.feed([b"{x"], whole=True) is None:
        frames += 1
    assert 1_000 < frames < 2_000


def test_a_long_first_message_is_no_rubbish() -> None:
    frame = Compact("json").request("a", "call", ["f"], ["x" * 300_000])
    pieces = [frame[start : start + 65536] for start in range(0, len(frame), 65536)]
    for whole in (True, False):
        assert FirstFrame().feed(pieces, whole=whole) == ("compact", "json")


def test_an_unfinished_message_has_a_limit() -> None:
    first = FirstFrame(limit_bytes=1000)
    assert first.feed([b'{"t":"' + b"x" * 900]) is None
    assert first.feed([b"x" * 200]) == ("classic", "json")


def test_many_pieces_take_linear_time() -> None:
    first = FirstFrame()
    started_s = time.perf_counter()
    for piece in [b'{"x":[' + b'"}', *([b'","}'] * 30_000)]:
        assert first.feed([piece], whole=True) is None
    assert time.perf_counter() - started_s < 10


@settings(deadline=None, max_examples=300)
@given(
    st.lists(
        st.binary(max_size=20)
        | st.sampled_from([b'{"json":', b'{"t":"q"}', b'{"type":', b"}", b"\n", b'"x"']),
        max_size=6,
    ),
    st.booleans(),
)
@pytest.mark.slow
def test_anything_at_all_is_survived(chunks: list[bytes], whole: bool) -> None:
    first, probe = FirstFrame(), Probe()
    found = first.feed(chunks, whole=whole)
    assert found is None or found.protocol in ("classic", "compact")
    assert first.chunks == chunks if whole else b"".join(first.chunks) == b"".join(chunks)
    assert probe.read(chunks, whole=whole) is None
    assert not probe.echoed
