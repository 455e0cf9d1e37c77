"""Asking a peer what it speaks, over a transport that is played by the test."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

import kkjupyter as kk
from kkjupyter.rpc.detection import find_protocol
from kkjupyter.transports.base import Owner
from kkjupyter.transports.memory import MemoryTransport, memory_pair
from kkjupyter.wire.compact import Compact
from kkjupyter.wire.events import Requested


class AnswersAndLeaves:
    """Answers the first probe, and is gone before anybody can know."""

    def __init__(self, transport: MemoryTransport) -> None:
        self._transport = transport
        self._wire = Compact("json")

    def data_received(self, chunks: Sequence[bytes]) -> None:
        for event in self._wire.receive(chunks, whole=True):
            if isinstance(event, Requested):
                self._transport.send([self._wire.reply(event.call_id, None, event.codec)])
        self._transport.abort()

    def writable(self) -> None:
        """It has said all."""

    def closed(self, reason: str) -> None:
        """It knows."""


def test_a_peer_that_answers_and_leaves_at_once() -> None:
    """Who takes the connection over would never hear that it is closed."""

    async def play() -> None:
        near, far = memory_pair("memory:leaving")
        owner: Owner = AnswersAndLeaves(far)
        far.open(owner)
        with pytest.raises(kk.ConnectError, match="as soon as it had answered") as caught:
            await find_protocol(near)
        assert caught.value.url == "memory:leaving"

    asyncio.run(play())
