"""The peer's functions as they are held here: one object for an id, and who is told of its end."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from typing import Any

import pytest
from support.endpoints import PATIENCE_S, until

import kkjupyter as kk
from kkjupyter.connection.remote_callbacks import RemoteCallbacks
from kkjupyter.runtime.loop_threads import io_loop
from kkjupyter.runtime.waiting import Notifier
from kkjupyter.wire.events import CallbackInvoked, CallbacksReleased
from kkjupyter.wire.kkrpc.classic.protocol import Classic
from kkjupyter.wire.kkrpc.compact.protocol import Compact


class Sent:
    """An outbox that keeps what it is given."""

    def __init__(self) -> None:
        self.bell = Notifier()
        self.full = False
        self.messages: list[bytes] = []
        self.put = self.messages.append

    def read(self, protocol: Any) -> list[Any]:
        return list(protocol.receive(self.messages, whole=True))


@pytest.fixture
def sent() -> Sent:
    return Sent()


@pytest.fixture
def held(sent: Sent) -> RemoteCallbacks:
    return RemoteCallbacks(Compact("json"), sent)  # type: ignore[arg-type]


def on_io(fn: Callable[..., Any], *args: Any) -> Any:
    async def run() -> Any:
        return fn(*args)

    return io_loop().submit(run()).result(PATIENCE_S)


def test_a_call_is_one_message(held: RemoteCallbacks, sent: Sent) -> None:
    facade = on_io(held.get, "f1", "json")
    facade(1, "two")
    assert sent.read(Compact("json")) == [CallbackInvoked("f1", [1, "two"])]
    assert repr(facade) == "<RemoteCallback f1>"


def test_it_answers_in_the_codec_it_came_in(held: RemoteCallbacks, sent: Sent) -> None:
    facade = on_io(held.get, "f1", "superjson")
    facade({1, 2})
    assert sent.read(Compact("json")) == [CallbackInvoked("f1", [{1, 2}])]


def test_one_id_is_one_object_while_it_is_held(held: RemoteCallbacks) -> None:
    first = on_io(held.get, "f1", "json")
    assert on_io(held.get, "f1", "json") is first
    assert on_io(held.get, "f2", "json") is not first
    first.release()
    assert on_io(held.get, "f1", "json") is not first  # the peer has passed it anew


def test_collected_ones_are_told_together(held: RemoteCallbacks, sent: Sent) -> None:
    facades = [on_io(held.get, f"f{number}", "json") for number in range(10)]
    facades.clear()
    gc.collect()
    until(lambda: sent.messages)
    assert sent.read(Compact("json")) == [CallbacksReleased(tuple(f"f{n}" for n in range(10)))]


def test_one_that_is_passed_again_is_not_released(held: RemoteCallbacks, sent: Sent) -> None:
    async def again() -> Any:
        held.get("f1", "json")  # collected at once
        gc.collect()
        await asyncio.sleep(0)
        facade = held.get("f1", "json")
        await asyncio.sleep(0.15)
        return facade

    facade = io_loop().submit(again()).result(PATIENCE_S)
    assert sent.messages == []
    del facade
    gc.collect()
    until(lambda: sent.read(Compact("json")) == [CallbacksReleased(("f1",))])


def test_a_release_is_told_once_and_at_once(held: RemoteCallbacks, sent: Sent) -> None:
    facade = on_io(held.get, "f1", "json")
    for _ in range(3):
        facade.release()
    until(lambda: sent.messages)
    with pytest.raises(kk.UsageError, match="was released"):
        facade()
    del facade
    gc.collect()
    on_io(lambda: None)
    io_loop().submit(asyncio.sleep(0.1)).result(PATIENCE_S)
    assert sent.read(Compact("json")) == [CallbacksReleased(("f1",))]


def test_classic_has_no_word_for_it(sent: Sent) -> None:
    held = RemoteCallbacks(Classic("json"), sent)  # type: ignore[arg-type]
    facade = on_io(held.get, "f1", "json")
    facade.release()
    del facade
    on_io(held.get, "f2", "json")
    gc.collect()
    io_loop().submit(asyncio.sleep(0.1)).result(PATIENCE_S)
    assert sent.messages == []


def test_awaiting_a_call_waits_for_room(held: RemoteCallbacks, sent: Sent) -> None:
    facade = on_io(held.get, "f1", "json")

    async def call() -> list[str]:
        log: list[str] = []

        async def wait() -> None:
            await facade(1)
            log.append("room")

        sent.full = True
        waiting = asyncio.create_task(wait())
        await asyncio.sleep(0.02)
        assert len(sent.messages) == 1
        log.append("full")
        sent.full = False
        sent.bell.ring()
        await asyncio.wait_for(waiting, 1)
        return log

    assert asyncio.run(call()) == ["full", "room"]


def test_what_cannot_be_sent_is_said_to_the_caller(held: RemoteCallbacks, sent: Sent) -> None:
    facade = on_io(held.get, "f1", "json")
    with pytest.raises(kk.EncodeError):
        facade(object())
    assert sent.messages == []
    facade.release()
