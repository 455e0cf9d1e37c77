"""A stream is opened: what the peer may say about it can be heard before it knows of it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from kkjupyter.api.in_process import serve_in_memory
from kkjupyter.connection.outgoing_streams import OutgoingStreams
from kkjupyter.connection.send_queue import SendQueue


class Api:
    def countdown(self, start: int) -> Iterator[int]:
        yield from range(start, 0, -1)


def test_it_can_be_pulled_before_the_peer_is_told_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the first pull, which may come at any moment then, finds no such stream."""
    happened: list[str] = []
    threads: list[str] = []
    add, put = OutgoingStreams.add, SendQueue.put

    def noted_add(self: OutgoingStreams, stream: Any) -> None:
        add(self, stream)
        happened.append(f"known: {stream.stream_id}")
        threads.append(threading.current_thread().name)

    def noted_put(self: SendQueue, message: bytes, **options: Any) -> None:
        happened.append(f"told: {message.decode()}")
        threads.append(threading.current_thread().name)
        put(self, message, **options)

    monkeypatch.setattr(OutgoingStreams, "add", noted_add)
    monkeypatch.setattr(SendQueue, "put", noted_put)
    with serve_in_memory(Api()) as server, server.connect(protocol="compact") as api:
        happened.clear()
        threads.clear()
        assert list(api.countdown(3)) == [3, 2, 1]
    known = next(number for number, text in enumerate(happened) if text.startswith("known"))
    stream_id = happened[known].removeprefix("known: ")
    told = [n for n, text in enumerate(happened) if text.startswith("told") and stream_id in text]
    assert known < min(told)
    assert threads[known] == threads[min(told)]  # not by luck: one follows the other
