"""Rows about kkrpc over WebSocket: streams, calls, and what our server makes."""

from __future__ import annotations

from collections.abc import Iterator

from yardstick.figures import Promise
from yardstick.frames import WIRES, Wire
from yardstick.ours import SLOWEST
from yardstick.programs import Program, our_program, program
from yardstick.races import Contestant, Entry, Heat

__all__ = ["heats"]

SMALL_COUNT = 100_000
BLOB_COUNT = 2_000
MADE_COUNT = 60_000
CALL_COUNT = 1_500
MANY_COUNT = 5_000
IN_FLIGHT = 64
CROWD = 200
CROWD_COUNT = 200 * CROWD
CROWD_PROMISE = Promise(SLOWEST, at_most=1.5)

OURS = our_program("ours:server")


def heats() -> Iterator[Heat]:
    """In the order of the table."""
    for wire in WIRES:
        yield _streams("stream", wire, "tokens", SMALL_COUNT)
    for wire in WIRES:
        if wire.codec == "json":
            yield _streams("blobs", wire, "blobs", BLOB_COUNT)
    for wire in WIRES:
        yield _calls(wire)
        if wire.codec == "json":
            yield _calls_in_flight(wire)
    for wire in WIRES:
        if wire.codec == "json":
            yield _crowd(wire)
    for wire in WIRES:
        yield _producing(wire)


def _ours(role: str, wire: Wire, **options: str | int) -> Program:
    names = {"protocol": wire.protocol, "codec": wire.codec}
    return our_program(f"ours:{role}", **(names | options))


def _bare(role: str, wire: Wire, **options: str | int) -> Program:
    return program(f"bare:{role}", wire=str(wire), **options)


def _streams(topic: str, wire: Wire, method: str, count: int) -> Heat:
    server = _bare("frame_server", wire)
    yardstick = Contestant(_bare("stream", wire, method=method), server)

    def entry(role: str, how: str) -> Entry:
        ours = Contestant(_ours(role, wire, method=method), server)
        return Entry(f"{topic}.{wire}.{how}", ours, yardstick)

    entries = (entry("async_stream", "async-for"), entry("plain_stream", "for"))
    return Heat(entries, "item", count)


def _calls(wire: Wire) -> Heat:
    echo = program("bare:echo_server")

    def entry(how: str, ours: str, bare: str) -> Entry:
        yardstick = Contestant(_bare(bare, wire), echo)
        return Entry(f"call.{wire}.{how}", Contestant(_ours(ours, wire), OURS), yardstick)

    entries = (
        entry("await", "async_calls", "calls"),
        entry("result", "plain_calls", "plain_calls"),
    )
    return Heat(entries, "call", CALL_COUNT)


def _calls_in_flight(wire: Wire) -> Heat:
    yardstick = Contestant(
        _bare("calls_in_flight", wire, width=IN_FLIGHT), program("bare:echo_server")
    )

    def entry(how: str, role: str) -> Entry:
        ours = Contestant(_ours(role, wire, width=IN_FLIGHT), OURS)
        return Entry(f"call.{wire}.{how}-{IN_FLIGHT}", ours, yardstick)

    entries = (entry("await", "calls_in_flight"), entry("result", "plain_calls_in_flight"))
    return Heat(entries, "call", MANY_COUNT, least=IN_FLIGHT)


def _crowd(wire: Wire) -> Heat:
    ours = Contestant(_ours("crowd", wire, width=CROWD), OURS)
    entry = Entry(f"crowd.{wire}.{CROWD}-streams", ours, promises=(CROWD_PROMISE,))
    return Heat((entry,), "item", CROWD_COUNT, least=CROWD)


def _producing(wire: Wire) -> Heat:
    yardstick = Contestant(_bare("draining", wire, method="tokens"), _bare("token_server", wire))

    def entry(how: str, method: str) -> Entry:
        ours = Contestant(_bare("draining", wire, method=method), OURS)
        return Entry(f"produce.{wire}.{how}", ours, yardstick, "server")

    entries = (entry("async-generator", "tokens"), entry("generator", "plain_tokens"))
    return Heat(entries, "item", MADE_COUNT)
