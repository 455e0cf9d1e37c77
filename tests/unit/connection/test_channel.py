"""What a connection does when reading, or what is done with a message, fails: every wait ends."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Any

import pytest
from support.endpoints import Endpoint
from support.waiting import PATIENCE_S, until

import kkjupyter as kk
from kkjupyter.api.in_process import serve_in_memory
from kkjupyter.calls.callbacks import CallbackRegistry
from kkjupyter.calls.state import CallState
from kkjupyter.client.remote import session_of
from kkjupyter.client.session import Session
from kkjupyter.connection.call_table import CallTable
from kkjupyter.connection.channel_trace import ChannelTrace
from kkjupyter.wire.events import (
    Acknowledged,
    CallbackInvoked,
    Cancelled,
    Credited,
    Ended,
    Failed,
    Item,
    Opened,
    Replied,
    Thrown,
)

# The latter is decoded in a thread.
SIZES = {"small": 10, "large": 1024 * 1024}


@pytest.mark.parametrize("size", SIZES)
def test_what_cannot_be_read_ends_the_connection_and_says_why(
    size: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = kk.ServerLimits(message_bytes=None, message_memory_bytes=None)
    with serve_in_memory(Endpoint(), limits=limits) as server, server.connect() as api:
        text = "x" * SIZES[size]
        assert api.echo(text).result() == text
        channel: Any = session_of(api)._channel  # type: ignore[attr-defined]

        def out_of_memory(chunks: Sequence[bytes], *, whole: bool = False) -> Any:
            raise MemoryError("no room")

        monkeypatch.setattr(channel.protocol, "receive", out_of_memory)
        with pytest.raises(kk.ProtocolError, match=r"could not be read \(MemoryError: no room\)"):
            api.echo(text).result(timeout_s=15)
        monkeypatch.undo()
        assert api.echo(1).result() == 1  # over a new connection


# ---- a fault of this side's, with one message


class Api(Endpoint):
    async def catching(self) -> AsyncIterator[Any]:
        while True:
            try:
                yield "on"
            except kk.RemoteError as error:
                yield str(error)

    async def returning(self) -> AsyncIterator[Any]:
        try:
            while True:
                yield "on"
        except kk.RemoteError:
            return


def fault(*args: Any, **options: Any) -> Any:
    raise ZeroDivisionError("a fault")


@pytest.fixture
def api() -> Iterator[Any]:
    with serve_in_memory(Api()) as server, server.connect() as api:
        assert api.echo(1).result() == 1
        yield api
        assert api.echo(2).result(timeout_s=PATIENCE_S) == 2
        assert server.clients == 1  # over the same connection


def _thrown(stream: Any) -> Any:
    loop = iter(stream)
    next(loop)
    control = stream.throw(ValueError("a word"))
    control._loop = loop  # a loop that nobody holds cancels its stream
    return control


# what fails (what is done with an event, or a step of it), and a call that waits for it
STUMBLES: dict[str, tuple[type | tuple[type, str], Callable[[Any], Any]]] = {
    "a reply": (Replied, lambda api: api.echo(1)),
    "a reply that is noted": ((ChannelTrace, "replied"), lambda api: api.echo(1)),
    "a stream": (Opened, lambda api: api.countdown(3)),
    "a stream that is opened": ((CallState, "opened"), lambda api: api.countdown(3)),
    "an item": (Item, lambda api: api.countdown(3)),
    "an item that is put": ((CallState, "put"), lambda api: api.countdown(3)),
    "the end": (Ended, lambda api: api.countdown(3)),
    "an error": (Failed, lambda api: api.fails()),
    "an acknowledgement": (Acknowledged, lambda api: _thrown(api.catching())),
    "what an acknowledgement ends": (
        (CallTable, "ended"),
        lambda api: _thrown(api.returning()),
    ),
    "a call back": (CallbackInvoked, lambda api: api.progress(3, print)),
    "a call back that is made": ((CallbackRegistry, "invoke"), lambda api: api.progress(3, print)),
}


@pytest.mark.parametrize("kind", STUMBLES)
def test_whoever_waits_for_a_message_that_stumbles_is_told(
    kind: str, api: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    what, make = STUMBLES[kind]
    with monkeypatch.context() as patch:
        if isinstance(what, tuple):
            patch.setattr(*what, fault)
        else:
            patch.setitem(session_of(api)._channel._on, what, fault)  # type: ignore[attr-defined]
        call = make(api)
        with pytest.raises(kk.ProtocolError, match=r"handled \(ZeroDivisionError: a fault\)"):
            call.result(timeout_s=PATIENCE_S)
    assert "could not be handled" in caplog.text


@pytest.mark.parametrize("name", ["credited", "thrown", "cancelled"])
def test_a_peer_that_waits_for_what_stumbles_here_is_told(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve_in_memory(Api()) as server, server.connect() as api, monkeypatch.context() as patch:
        loop = iter(call := api.catching())
        assert next(loop) == "on"
        (producer,) = server._clients._producers
        on = producer.channel._on
        kinds = {"credited": Credited, "thrown": Thrown, "cancelled": Cancelled}
        patch.setitem(on, kinds[name], fault)
        if name == "thrown":
            with pytest.raises(kk.RemoteError, match="could not be handled"):
                call.throw(ValueError("a word")).result(timeout_s=PATIENCE_S)
        elif name == "credited":
            with pytest.raises(kk.RemoteError, match="could not be handled"):
                for _ in loop:
                    pass
        else:
            call.cancel()
        until(lambda: not server.running)
        assert api.echo(2).result(timeout_s=PATIENCE_S) == 2


def test_where_telling_it_fails_too_the_connection_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with serve_in_memory(Api()) as server, server.connect() as api:
        assert api.echo(1).result() == 1
        channel: Any = session_of(api)._channel  # type: ignore[attr-defined]
        monkeypatch.setitem(channel._on, Replied, fault)
        monkeypatch.setattr(channel.calls, "stumbled", fault)
        with pytest.raises(kk.ProtocolError, match="could not be handled"):
            api.echo(1).result(timeout_s=PATIENCE_S)
        assert api.echo(1).result(timeout_s=PATIENCE_S) == 1  # over a new connection


@pytest.mark.parametrize("trace_fails", [False, True])
def test_what_fails_between_two_portions_ends_the_connection(
    trace_fails: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve_in_memory(Api()) as server, server.connect() as api:
        assert api.echo(1).result() == 1
        channel: Any = session_of(api)._channel  # type: ignore[attr-defined]
        monkeypatch.setattr(channel._arrivals, "step", fault)
        if trace_fails:
            monkeypatch.setattr(ChannelTrace, "lost", fault)
        with pytest.raises(kk.ProtocolError, match="could not be read"):
            api.echo("x" * 400_000).result(timeout_s=PATIENCE_S)


def test_a_call_that_cannot_be_sent_by_a_fault_here_fails(
    api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Session, "_send", fault)
        with pytest.raises(ZeroDivisionError):
            api.progress(1, print).result(timeout_s=PATIENCE_S)
