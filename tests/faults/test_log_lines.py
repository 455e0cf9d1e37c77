"""What a peer can have written into the log: so many lines a second, and a count of the rest."""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Iterator

import pytest
from support.hostile.raw_http import head, raw_socket
from support.peers.raw import raw_client
from support.waiting import until

import kkjupyter as kk
from kkjupyter.runtime.logs import LINES_PER_S, LINES_PER_S_IN_ALL

_CALLS = 3000


class Failing:
    async def fail(self) -> None:
        raise ValueError("here")


class Lines(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(self.format(record))


@pytest.fixture
def lines() -> Iterator[list[str]]:
    handler, logger = Lines(), logging.getLogger("kkjupyter")
    logger.addHandler(handler)
    yield handler.texts
    logger.removeHandler(handler)


def left_out(texts: list[str]) -> int:
    """How many lines the log says it has not."""
    counts = [re.fullmatch(r"and ([\d,]+) more, within a second", text) for text in texts]
    return sum(int(count[1].replace(",", "")) for count in counts if count)


def is_bounded(texts: list[str], took_s: float, lines_per_s: int = LINES_PER_S) -> bool:
    return len(texts) <= (lines_per_s + 1) * (took_s + 2)


@pytest.mark.parametrize("protocol", ["classic", "compact"])
def test_of_calls_that_fail(protocol: str, lines: list[str]) -> None:
    started_s = time.monotonic()
    with kk.serve(Failing(), token=False) as server, raw_client(server.url, protocol) as peer:
        for _ in range(_CALLS):
            peer.send(peer.wire.request(peer.wire.new_id(), "call", ["fail"], []))
            if _ % 500 == 0:
                peer.receive()
        until(lambda: left_out(lines) + len(without_sums(lines)) >= _CALLS)
    assert is_bounded(lines, time.monotonic() - started_s)
    assert left_out(lines) + len(without_sums(lines)) == _CALLS


def test_of_what_makes_no_sense_on_many_connections(lines: list[str]) -> None:
    """Each connection has a bound of its own; here are so many that it does not help."""
    started_s = time.monotonic()
    with kk.serve(Failing(), token=False) as server:
        for _ in range(40):
            with raw_client(server.url, "compact") as peer:
                peer.call("nothing")
                for _ in range(25):
                    peer.send(b'{"t": "?"}\n')
                peer.call("nothing")
    assert lines
    assert is_bounded(lines, time.monotonic() - started_s, LINES_PER_S_IN_ALL)


def test_of_calls_over_http(lines: list[str]) -> None:
    body = json.dumps({"t": "q", "id": "1", "op": "call", "p": ["fail"]}).encode()
    request = head("POST", "/", None, f"Content-Length: {len(body)}") + body
    started_s = time.monotonic()
    with kk.serve(Failing(), token=False, transport="http") as server:
        with raw_socket(server.port) as sock:
            for _ in range(200):
                sock.sendall(request)
                sock.recv(65_536)
        until(lambda: left_out(lines) + len(without_sums(lines)) >= 200)
    assert is_bounded(lines, time.monotonic() - started_s)


def without_sums(texts: list[str]) -> list[str]:
    return [text for text in texts if not text.endswith("more, within a second")]
