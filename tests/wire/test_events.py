"""What a peer says is the same, however many bytes it took."""

from __future__ import annotations

import pytest

from kkjupyter.wire.events import CallbackInvoked, Requested
from kkjupyter.wire.kkrpc.base import Protocol
from kkjupyter.wire.kkrpc.classic.protocol import Classic
from kkjupyter.wire.kkrpc.compact.protocol import Compact
from kkjupyter.wire.values.javascript import undefined


def test_the_size_of_a_message_makes_no_difference() -> None:
    assert CallbackInvoked("f", [1], 10) == CallbackInvoked("f", [1], 20)
    assert not CallbackInvoked("f", [1], 10) != CallbackInvoked("f", [1], 20)  # noqa: SIM202
    assert CallbackInvoked("f", [1]) != CallbackInvoked("f", [2])
    assert not CallbackInvoked("f", [1]) == ("f", [1], 0)  # noqa: SIM201
    assert CallbackInvoked("f", [1]) != ("f", [1], 0)
    request = Requested("c", "call", ("f",), [], None, "json")
    assert request != Requested("c", "call", ("g",), [], None, "json")
    assert request == Requested("c", "call", ("f",), [], None, "json", None, 99)


@pytest.mark.parametrize("protocol", [Classic("json"), Compact("json")], ids=lambda p: p.name)
def test_requests_and_callbacks_know_their_size(protocol: Protocol) -> None:
    said = [
        protocol.request("c", "call", ("f",), ["x" * 1000], undefined, None),
        protocol.invoke_callback("f", ["x" * 2000], "json"),
    ]
    for frame, event in zip(said, protocol.receive(said, whole=True), strict=True):
        assert isinstance(event, (Requested, CallbackInvoked))
        # With or without its line end; the envelope's own fields are weighed, too.
        assert len(frame) - 1 <= event.size_bytes <= len(frame) + 4000
