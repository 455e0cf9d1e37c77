"""The peer's functions as they are held here: one object for an id, and who is told of its end."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from typing import Any

import pytest
from support.waiting import PATIENCE_S, until

import kkjupyter as kk
from kkjupyter.connection.remote_callbacks import RemoteCallbacks
from kkjupyter.runtime.loop_threads import io_loop
from kkjupyter.runtime.waiting import Notifier
from kkjupyter.wire.events import CallbackInvoked, CallbacksReleased
from kkjupyter.wire.kkrpc.classic.protocol import Classic
from kkjupyter.wire.kkrpc.compact.protocol import Compact


class Sent:
    """A send queue that keeps what it is given."""

    def __init__(self) -> None:
        self.notifier = Notifier()
        self.full = False
        self.messages: list[bytes] = []
        self.put = self.messages.append

    def read(self, protocol: Any) -> list[Any]:
        return list(protocol.receive(self.messages, whole=True))


@pytest.fixture
def sent() -> Sent:
    return Sent()


@pytest.fixture
def callbacks(sent: Sent) -> RemoteCallbacks:
    return RemoteCallbacks(Compact("json"), sent)  # type: ignore[arg-type]


def on_io(fn: Callable[..., Any], *args: Any) -> Any:
    async def run() -> Any:
        return fn(*args)

    return io_loop().submit(run()).result(PATIENCE_S)


def test_a_call_is_one_message(callbacks: RemoteCallbacks, sent: Sent) -> None:
    callback = on_io(callbacks.get, "f1", "json")
    callback(1, "two")
    assert sent.read(Compact("json")) == [CallbackInvoked("f1", [1, "two"])]
    assert repr(callback) == "<RemoteCallback f1>"


def test_it_answers_in_the_codec_it_came_in(callbacks: RemoteCallbacks, sent: Sent) -> None:
    callback = on_io(callbacks.get, "f1", "superjson")
    callback({1, 2})
    assert sent.read(Compact("json")) == [CallbackInvoked("f1", [{1, 2}])]


def test_one_id_is_one_object_while_it_is_held(callbacks: RemoteCallbacks) -> None:
    first = on_io(callbacks.get, "f1", "json")
    assert on_io(callbacks.get, "f1", "json") is first
    assert on_io(callbacks.get, "f2", "json") is not first
    first.release()
    assert on_io(callbacks.get, "f1", "json") is not first  # the peer has passed it anew


def test_collected_ones_are_told_together(callbacks: RemoteCallbacks, sent: Sent) -> None:
    objects = [on_io(callbacks.get, f"f{number}", "json") for number in range(10)]
    objects.clear()
    gc.collect()
    until(lambda: sent.messages)
    assert sent.read(Compact("json")) == [CallbacksReleased(tuple(f"f{n}" for n in range(10)))]


def test_one_that_is_passed_again_is_not_released(callbacks: RemoteCallbacks, sent: Sent) -> None:
    async def again() -> Any:
        callbacks.get("f1", "json")  # collected at once
        gc.collect()
        await asyncio.sleep(0)
        callback = callbacks.get("f1", "json")
        await asyncio.sleep(0.15)
        return callback

    callback = io_loop().submit(again()).result(PATIENCE_S)
    assert sent.messages == []
    del callback
    gc.collect()
    until(lambda: sent.read(Compact("json")) == [CallbacksReleased(("f1",))])


def test_a_release_is_told_once_and_at_once(callbacks: RemoteCallbacks, sent: Sent) -> None:
    callback = on_io(callbacks.get, "f1", "json")
    for _ in range(3):
        callback.release()
    until(lambda: sent.messages)
    with pytest.raises(kk.UsageError, match="was released"):
        callback()
    del callback
    gc.collect()
    on_io(lambda: None)
    io_loop().submit(asyncio.sleep(0.1)).result(PATIENCE_S)
    assert sent.read(Compact("json")) == [CallbacksReleased(("f1",))]


def test_classic_has_no_word_for_it(sent: Sent) -> None:
    callbacks = RemoteCallbacks(Classic("json"), sent)  # type: ignore[arg-type]
    callback = on_io(callbacks.get, "f1", "json")
    callback.release()
    del callback
    on_io(callbacks.get, "f2", "json")
    gc.collect()
    io_loop().submit(asyncio.sleep(0.1)).result(PATIENCE_S)
    assert sent.messages == []


def test_awaiting_a_call_waits_for_room(callbacks: RemoteCallbacks, sent: Sent) -> None:
    callback = on_io(callbacks.get, "f1", "json")

    async def call() -> list[str]:
        log: list[str] = []

        async def wait() -> None:
            await callback(1)
            log.append("room")

        sent.full = True
        waiting = asyncio.create_task(wait())
        await asyncio.sleep(0.02)
        assert len(sent.messages) == 1
        log.append("full")
        sent.full = False
        sent.notifier.notify()
        await asyncio.wait_for(waiting, 1)
        return log

    assert asyncio.run(call()) == ["full", "room"]


def test_what_cannot_be_sent_is_said_to_the_caller(callbacks: RemoteCallbacks, sent: Sent) -> None:
    callback = on_io(callbacks.get, "f1", "json")
    with pytest.raises(kk.EncodeError):
        callback(object())
    assert sent.messages == []
    callback.release()
