"""Keyword arguments: by name where the server is ours, as one object where it is anybody's."""

from __future__ import annotations

import logging
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from support.peers.raw import RawPeer, raw_client, raw_server
from support.sessions import carrier
from support.waiting import PATIENCE_S

import kkjupyter as kk
from kkjupyter.client import peer_kind
from kkjupyter.client.remote import session_of
from kkjupyter.wire.events import Failed, Replied, Requested
from kkjupyter.wire.kkrpc.reserved import DESCRIBE_NAME, KEYWORDS_NAME


class Api:
    def __init__(self) -> None:
        self.order: list[Any] = []

    def chat(self, prompt, repeat=1, pause_s=0.5):  # type: ignore[no-untyped-def]
        return [prompt, repeat, pause_s]

    # A default that its own hint refuses is taken as it is.
    def typed(self, prompt: str, model: str = None, *, top: int = 1) -> list[Any]:  # type: ignore[assignment]  # noqa: RUF013
        return [prompt, model, top]

    def by_place(self, a: Any, /, b: Any = 2) -> list[Any]:
        return [a, b]

    def any_name(self, *args: Any, **kwargs: Any) -> list[Any]:
        return [list(args), kwargs]

    def settings(self, options: dict[str, Any]) -> dict[str, Any]:
        return options

    async def note(self, what: Any) -> None:
        self.order.append(what)

    class Point:
        def __init__(self, x: float, y: float = 0) -> None:
            self.x = x
            self.y = y


@pytest.fixture
def api(start: Callable[..., Any], spoken: dict[str, str]) -> Any:
    with start(Api()) as server, server.connect(**spoken) as api:
        yield api


def test_each_is_meant_by_name(api: Any) -> None:
    assert api.chat(prompt="x").result() == ["x", 1, 0.5]
    assert api.chat("x", pause_s=2).result() == ["x", 1, 2]
    assert api.chat(repeat=3, prompt="x").result() == ["x", 3, 0.5]
    assert api.typed(prompt="x", top=2).result() == ["x", None, 2]
    assert api.by_place("x", b="y").result() == ["x", "y"]
    assert api.any_name(1, a=2, b={"c": 3}).result() == [[1], {"a": 2, "b": {"c": 3}}]
    assert api.settings(options={"a": 1}).result() == {"a": 1}
    assert kk.new(api.Point, y=2, x=1).result() == {"x": 1, "y": 2}
    assert kk.call(api.chat, prompt="x", timeout_s=PATIENCE_S).result() == ["x", 1, 0.5]


def test_an_object_given_by_position_stays_one(api: Any) -> None:
    assert api.any_name(a=1).result() == [[], {"a": 1}]
    assert api.settings({"a": 1}).result() == {"a": 1}
    assert api.chat({"prompt": "x"}).result() == [{"prompt": "x"}, 1, 0.5]


def test_what_does_not_fit_is_refused(api: Any) -> None:
    for call, words in [
        (lambda: api.chat(prompt="x", repat=3), "unexpected keyword argument 'repat'; .*chat"),
        (lambda: api.chat(repeat=3), "missing a required argument: 'prompt'"),
        (lambda: api.chat("x", prompt="y"), "multiple values for argument 'prompt'"),
        (lambda: api.settings(a=1), "settings"),
        (lambda: api.by_place(a=1), "by_place"),
        (lambda: api.typed(prompt=3), "prompt: Expected `str`, got `int`"),
        (lambda: api.nope(a=1), "nope is not a function"),
    ]:
        with pytest.raises(kk.RemoteError, match=words):
            call().result()


def test_a_name_as_long_as_a_message_is_not_sent_back(api: Any) -> None:
    with pytest.raises(kk.RemoteError, match="unexpected keyword argument") as caught:
        api.chat("x", **{"y" * 100_000: 1}).result()
    assert len(str(caught.value)) < 1_000


def test_calls_arrive_in_the_order_they_were_made(
    start: Callable[..., Any], spoken: dict[str, str]
) -> None:
    target = Api()
    with start(target) as server, server.connect(**spoken) as api:
        calls = [api.note(what=1), api.note(2), api.note(what=3), api.note(4)]
        for call in calls:
            call.result()
    assert target.order == [1, 2, 3, 4]


def test_it_is_asked_once_and_only_for_keywords(api: Any, monkeypatch: Any) -> None:
    asked: list[Any] = []
    make = peer_kind.make_question
    monkeypatch.setattr(
        "kkjupyter.client.session.make_question",
        lambda caller: asked.append(caller) or make(caller),
    )
    api.chat("x").result()
    assert not asked
    calls = [api.chat(prompt=number) for number in range(5)]
    assert [call.result()[0] for call in calls] == [0, 1, 2, 3, 4]
    assert asked == [carrier(api)]


def test_interceptors_find_arguments_in_their_places(
    start: Callable[..., Any], spoken: dict[str, str]
) -> None:
    seen: list[Any] = []

    async def interceptor(ctx: Any, call_next: Callable[[], Awaitable[Any]]) -> Any:
        seen.append((ctx.method, list(ctx.args), dict(ctx.kwargs)))
        return await call_next()

    with start(Api(), interceptors=[interceptor]) as server, server.connect(**spoken) as api:
        assert api.chat("x", pause_s=2).result() == ["x", 1, 2]
        assert api.typed(prompt="x", top=2).result() == ["x", None, 2]
    assert seen == [("chat", ["x", 1, 2], {}), ("typed", ["x"], {"top": 2})]


def test_an_entry_of_a_served_dict_under_a_reserved_name_is_meant(
    start: Callable[..., Any], spoken: dict[str, str]
) -> None:
    served = {DESCRIBE_NAME: lambda: "mine", "f": lambda *args: list(args)}
    with start(served) as server, server.connect(**spoken) as api:
        assert api[DESCRIBE_NAME]().result() == "mine"
        assert api.f(a=1).result() == [{"a": 1}]  # as it does not say that it is ours


def test_a_connection_closed_while_it_is_asked(protocol: str) -> None:
    is_asked = threading.Event()

    def play(peer: RawPeer) -> None:
        assert peer.receive().path == (DESCRIBE_NAME,)
        is_asked.set()
        peer.receive()

    with raw_server(play, protocol) as url:
        api: Any = kk.connect(url, protocol=protocol, codec="json")
        call = api.f(a=1)
        later = api.f(2)
        assert is_asked.wait(PATIENCE_S)
        kk.close(api)
        for one in (call, later):
            with pytest.raises(kk.CallCancelled):
                one.result(timeout_s=PATIENCE_S)


# ---- what others see


def _refuses_the_question(peer: RawPeer) -> Requested:
    question = peer.receive()
    assert (question.operation, question.path, question.args) == ("call", (DESCRIBE_NAME,), [])
    error = kk.RemoteError(f"{DESCRIBE_NAME} is not a function")
    peer.send(peer.wire.fail_call(question.call_id, error, "json"))
    return question


def test_a_foreign_server_is_asked_once_and_gets_one_object(protocol: str) -> None:
    def play(peer: RawPeer) -> None:
        _refuses_the_question(peer)
        for _ in range(2):
            request = peer.receive()
            assert (request.path, request.args) == (("f",), [1, {"a": 2}])
            peer.send(peer.wire.reply(request.call_id, "done", "json"))
        peer.receive()

    with raw_server(play, protocol) as url, kk.connect(url, protocol=protocol, codec="json") as api:
        assert api.f(1, a=2).result() == "done"
        assert api.f(1, a=2).result() == "done"


def test_a_foreign_server_is_not_asked_without_keywords(protocol: str) -> None:
    def play(peer: RawPeer) -> None:
        request = peer.receive()
        assert (request.path, request.args) == (("f",), [1, {"a": 2}])
        peer.send(peer.wire.reply(request.call_id, "done", "json"))
        peer.receive()

    with raw_server(play, protocol) as url, kk.connect(url, protocol=protocol, codec="json") as api:
        assert api.f(1, {"a": 2}).result() == "done"


def test_a_server_that_answers_anything_is_foreign(protocol: str) -> None:
    def play(peer: RawPeer) -> None:
        for value in ("done", "done"):
            request = peer.receive()
            assert KEYWORDS_NAME not in request.path
            peer.send(peer.wire.reply(request.call_id, value, "json"))
        peer.receive()

    with raw_server(play, protocol) as url, kk.connect(url, protocol=protocol, codec="json") as api:
        assert api.f(a=2).result() == "done"


def test_a_server_that_does_not_answer_gets_one_object_after_a_warning(
    protocol: str, monkeypatch: Any, caplog: Any
) -> None:
    monkeypatch.setattr(peer_kind, "ASK_S", 0.05)

    def play(peer: RawPeer) -> None:
        while (request := peer.receive()).__class__ is not Requested or request.path != ("f",):
            pass
        assert request.args == [{"a": 2}]
        peer.send(peer.wire.reply(request.call_id, "done", "json"))
        peer.receive()

    with (
        raw_server(play, protocol) as url,
        caplog.at_level(logging.WARNING, "kkjupyter"),
        kk.connect(url, protocol=protocol, codec="json") as api,
    ):
        assert api.f(a=2).result() == "done"
    assert "did not answer within 0.05 s" in caplog.text


def test_the_next_server_at_the_address_is_asked_anew(protocol: str) -> None:
    paths: list[tuple[str, ...]] = []

    def play(peer: RawPeer) -> None:
        for answer in ({"keywords": True}, "done"):
            request = peer.receive()
            paths.append(request.path)
            peer.send(peer.wire.reply(request.call_id, answer, "json"))
        if len(paths) == 2:
            peer.vanish()
        peer.receive()

    with raw_server(play, protocol) as url, kk.connect(url, protocol=protocol, codec="json") as api:
        assert api.f(a=2).result(timeout_s=PATIENCE_S) == "done"
        while session_of(api).state == "open":
            threading.Event().wait(0.01)
        assert api.f(a=2).result(timeout_s=PATIENCE_S) == "done"
    assert paths == [(DESCRIBE_NAME,), (KEYWORDS_NAME, "f")] * 2


def test_a_foreign_client_has_what_it_had(protocol: str) -> None:
    with (
        kk.serve({"f": lambda *args: list(args)}, token=False) as server,
        raw_client(server.url, protocol) as peer,
    ):
        answer = peer.call("f", 1, {"a": 2})
        assert isinstance(answer, Replied)
        assert answer.value == [1, {"a": 2}]
        assert isinstance(peer.call("nope"), Failed)
