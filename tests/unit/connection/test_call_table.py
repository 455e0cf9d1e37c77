"""Our calls on one connection, where what two threads do meets."""

from __future__ import annotations

import contextvars
import threading
from typing import Any

import pytest
from support.waiting import until

import kkjupyter as kk
from kkjupyter.calls.state import CallState
from kkjupyter.connection.call_table import CallTable
from kkjupyter.connection.outgoing_call import OutgoingCall
from kkjupyter.runtime.loop_threads import io_loop
from kkjupyter.wire.events import Cancelled, Opened
from kkjupyter.wire.kkrpc.classic.protocol import Classic
from kkjupyter.wire.kkrpc.compact.protocol import Compact


class Sent:
    """A send queue that keeps what it is given."""

    def __init__(self) -> None:
        self.messages: list[bytes] = []

    def put(self, message: bytes, *, is_own: bool = False) -> None:
        self.messages.append(message)


class ReadFlowControl:
    """Of a connection that is always read."""

    paused = is_full = False
    over_soft: frozenset[Any] = frozenset()

    def reconsider(self) -> None: ...

    def forget(self, state: CallState) -> None: ...


@pytest.mark.parametrize("protocol", [Classic("json"), Compact("json")], ids=lambda p: p.name)
def test_a_stream_that_is_opened_while_its_call_is_cancelled_goes_back(protocol: Any) -> None:
    """The call has ended in one thread, and the I/O loop hears of it behind the answer."""
    sent = Sent()
    table = CallTable(protocol, sent, ReadFlowControl(), None)  # type: ignore[arg-type]
    state = CallState("ticks", "ticks()", "c1", table)
    call = OutgoingCall(
        *(state, "call", ("ticks",), [], kk.undefined, None, {}),  # type: ignore[arg-type]
        contextvars.copy_context(),
    )
    stream_id = "c1" if protocol.name == "classic" else "s1"
    gate = threading.Event()
    io = io_loop()
    io.post(table.start, call)
    io.post(gate.wait, 5)
    io.post(table.opened, Opened("c1", stream_id))
    state.cancel()
    gate.set()
    until(lambda: len(sent.messages) == 2)
    (cancelled,) = protocol.receive(sent.messages[1:], whole=True)
    assert isinstance(cancelled, Cancelled)
    assert cancelled.stream_id == stream_id
    assert table.under_way == []
