"""Functions passed to the peer: how long either side keeps them."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.endpoints import Endpoint
from support.peers.raw import RawPeer, raw_client, raw_server
from support.sessions import carrier
from support.waiting import PATIENCE_S, until

import kkjupyter as kk
from kkjupyter.runtime.loop_threads import io_loop
from kkjupyter.wire.events import CallbackInvoked, CallbackRef, CallbacksReleased, Replied


class Keeps(Endpoint):
    """Handlers that keep what they were passed."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: list[Any] = []

    async def keep(self, callback: Callable[..., Any]) -> int:
        self.kept.append(callback)
        return len(self.kept)

    async def call_kept(self, *args: Any) -> None:
        for callback in self.kept:
            await callback(*args)

    async def release_kept(self) -> None:
        for callback in self.kept:
            callback.release()
            callback.release()

    async def call_released(self) -> str:
        try:
            self.kept[0]("too late")
        except kk.UsageError as error:
            return str(error)
        return "nothing was said"

    async def forget(self) -> None:
        self.kept.clear()

    async def hand_back(self, callback: Callable[..., Any]) -> None:
        await callback(callback)

    async def are_the_same(self, one: Any, other: Any) -> bool:
        return one is other

    async def many(self, callback: Callable[..., Any], count: int) -> int:
        for number in range(count):
            await callback(number)
        return count


@pytest.fixture
def endpoint() -> Keeps:
    return Keeps()


def held(api: Any) -> int:
    return len(carrier(api)._channel.functions)


@pytest.mark.only("compact")
def test_a_function_is_forgotten_when_the_peer_no_longer_holds_it(api: Any) -> None:
    def work() -> None:
        api.progress(3, lambda number, count: None).result()

    for _ in range(50):
        work()
    until(lambda: (gc.collect(), held(api) == 0)[1], 3)


@pytest.mark.only("compact")
def test_a_function_of_a_call_that_is_not_sent_is_forgotten(api: Any) -> None:
    with pytest.raises(kk.EncodeError):
        api.progress(object(), lambda number, count: None)
    with pytest.raises(kk.UsageError):
        api.progress(api.add(1, 2), 3, lambda number, count: None, api.add)
    io_loop().post(time.sleep, 0.05)  # so that the cancel comes before the call is sent
    api.progress(3, lambda number, count: None).cancel()
    assert api.add(1, 2).result() == 3
    assert held(api) == 0


@pytest.mark.only("classic")
def test_a_function_that_was_passed_before_is_kept(api: Any, endpoint: Keeps) -> None:
    seen: list[int] = []
    assert api.keep(seen.append).result() == 1
    with pytest.raises(kk.EncodeError):
        api.keep(seen.append, object())
    api.call_kept(7).result()
    until(lambda: seen == [7])


@pytest.mark.only("classic")
def test_classic_has_no_word_for_that_so_one_function_is_registered_once(api: Any) -> None:
    def callback(number: int, count: int) -> None:
        pass

    for _ in range(50):
        api.progress(3, callback).result()
    assert held(api) == 1


@pytest.mark.only("compact")
def test_a_function_that_is_kept_can_be_called_until_it_is_let_go(
    api: Any, endpoint: Keeps
) -> None:
    seen: list[Any] = []
    called = threading.Event()

    def callback(value: Any) -> None:
        seen.append(value)
        called.set()

    assert api.keep(callback).result() == 1
    gc.collect()
    assert held(api) == 1
    api.call_kept("later").result()
    assert called.wait(PATIENCE_S)
    assert seen == ["later"]
    api.forget().result()
    until(lambda: (gc.collect(), held(api) == 0)[1], 3)


@pytest.mark.only("compact")
def test_an_explicit_release_is_told_at_once(api: Any, endpoint: Keeps) -> None:
    api.keep(lambda value: None).result()
    assert held(api) == 1
    api.release_kept().result()
    until(lambda: held(api) == 0)
    assert "released" in api.call_released().result()
    assert api.echo("alive").result() == "alive"


def test_many_calls_of_one_function_arrive_in_order_before_the_reply(api: Any) -> None:
    seen: list[int] = []
    assert api.many(seen.append, 5000).result(timeout_s=20) == 5000
    assert seen == list(range(5000))


class Diary:
    def __init__(self) -> None:
        self.seen: list[int] = []

    def note(self, number: int) -> None:
        self.seen.append(number)


def test_a_method_of_another_object_is_another_function(api: Any) -> None:
    one, other = Diary(), Diary()
    mine: list[int] = []
    yours: list[int] = []
    for callback in (one.note, other.note, mine.append, yours.append):
        api.many(callback, 3).result(timeout_s=PATIENCE_S)
    assert one.seen == other.seen == mine == yours == [0, 1, 2]


def test_a_lost_connection_forgets_the_functions(api: Any, server: Any) -> None:
    api.keep(lambda value: None).result()
    assert held(api) == 1
    kk.runtime.loop_threads.io_loop().post(carrier(api)._channel.abort)
    until(lambda: api._kk_session.state != "open")
    assert api.echo(1).result() == 1
    assert held(api) == 0


# ---- message by message


@pytest.fixture
def peer(endpoint: Keeps) -> Iterator[Any]:
    with kk.serve(endpoint, token=False) as server, raw_client(server.url, "compact") as peer:
        yield peer


def test_one_id_is_one_function_while_it_is_held(peer: Any, endpoint: Keeps) -> None:
    assert peer.call("keep", CallbackRef("f1")).value == 1
    assert peer.call("keep", CallbackRef("f1")).value == 2
    assert peer.call("are_the_same", CallbackRef("f1"), CallbackRef("f1")).value is True
    assert peer.call("are_the_same", CallbackRef("f1"), CallbackRef("f2")).value is False
    assert endpoint.kept[0] is endpoint.kept[1]
    release = peer.receive()
    assert release == CallbacksReleased(("f2",))
    assert peer.is_quiet(0.2)
    endpoint.kept.clear()
    gc.collect()
    assert peer.receive() == CallbacksReleased(("f1",))


def test_a_release_comes_once_and_behind_the_last_call(peer: Any) -> None:
    answer = peer.call("many", CallbackRef("f1"), 3)
    events = [answer, *peer.take(4)]
    assert [event.args for event in events if isinstance(event, CallbackInvoked)] == [
        [0],
        [1],
        [2],
    ]
    assert any(isinstance(event, Replied) for event in events)
    assert events[-1] == CallbacksReleased(("f1",))
    assert peer.is_quiet(0.2)


def test_releases_of_many_functions_travel_together(peer: Any, endpoint: Keeps) -> None:
    for number in range(100):
        peer.call("keep", CallbackRef(f"f{number}"))
    endpoint.kept.clear()
    gc.collect()
    released: set[str] = set()
    messages = 0
    while len(released) < 100:
        event = peer.receive()
        assert isinstance(event, CallbacksReleased)
        released.update(event.callback_ids)
        messages += 1
    assert messages <= 3
    assert peer.is_quiet(0.1)


def test_an_id_that_is_passed_again_at_once_is_not_released_in_between(peer: Any) -> None:
    for _ in range(5):
        answer = peer.call("many", CallbackRef("f1"), 0)
        assert isinstance(answer, Replied), answer
    assert peer.receive() == CallbacksReleased(("f1",))
    assert peer.is_quiet(0.2)


def test_a_peer_may_pass_a_function_to_a_function_of_ours() -> None:
    """In compact; classic has no place for it in a callback's arguments."""
    theirs: list[Any] = []
    answers: list[Any] = []

    def play(peer: RawPeer) -> None:
        request = peer.receive()
        (ours,) = request.args
        peer.send(
            peer.wire.invoke_callback(ours.id, [CallbackRef("f1")], "json"),
            peer.wire.reply(request.call_id, "done", "json"),
        )
        answers.extend(peer.take(2))

    with raw_server(play) as url, kk.connect(url, protocol="compact", codec="json") as api:
        assert api.give(theirs.append).result(timeout_s=5) == "done"
        theirs.pop()("back again")
        gc.collect()
        until(lambda: answers)
    assert answers == [CallbackInvoked("f1", ["back again"]), CallbacksReleased(("f1",))]


def test_in_classic_nothing_is_said_about_functions(endpoint: Keeps) -> None:
    with kk.serve(endpoint, token=False) as server, raw_client(server.url, "classic") as peer:
        peer.call("keep", CallbackRef("f1"))
        endpoint.kept[0].release()
        endpoint.kept.clear()
        gc.collect()
        assert peer.is_quiet(0.2)


def test_a_function_is_not_passed_to_a_function_of_the_other_side(api: Any) -> None:
    with pytest.raises(kk.RemoteError, match="a function cannot be passed to a function"):
        api.hand_back(print).result(timeout_s=5)


@pytest.mark.only("compact")
def test_a_function_that_was_released_is_held_by_nobody_here(api: Any) -> None:
    def function(value: int) -> None:
        got.append(value)

    got: list[int] = []
    alive = weakref.ref(function)
    api.keep(function).result()
    del function
    api.call_kept(1).result()
    until(lambda: got == [1])
    api.release_kept().result()
    until(lambda: alive() is None)
