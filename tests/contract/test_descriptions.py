"""What a server tells of its methods: to whom, how much, and how a client shows it."""

from __future__ import annotations

import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from support.peers.raw import RawPeer, raw_client, raw_server

import kkjupyter as kk
from kkjupyter.api.in_process import serve_in_memory
from kkjupyter.client.remote import Remote, session_of
from kkjupyter.wire.events import Failed, Replied
from kkjupyter.wire.kkrpc.reserved import DESCRIBE_NAME


class Group:
    def below(self) -> None:
        """Deeper."""


class Api:
    def __init__(self) -> None:
        self.group = Group()
        self.called: list[str] = []

    def chat(
        self, prompt: str, repeat: int = 1, api_key: str = "sk-1", *, where: Any = Group
    ) -> list[str]:
        """Say something.

        At length.
        """
        self.called.append("chat")
        return [prompt]

    def _hidden(self) -> None:
        """Nobody's business."""

    @property
    def made(self) -> Any:
        self.called.append("made")
        return Group()


def _fresh(server: Any, **options: Any) -> Any:
    """A connection that knows no names beforehand, as to an address."""
    return server.connect(methods=(), **options)


def test_signature_docstring_and_names(start: Callable[..., Any], spoken: dict[str, str]) -> None:
    target = Api()
    with start(target) as server, _fresh(server, **spoken) as api:
        assert dir(api) == ["chat", "group"]
        assert dir(api.group) == ["below"]
        assert str(inspect.signature(api.chat)) == (
            "(prompt: str, repeat: int = 1, api_key: str = ..., *, where: Any = ...) -> list[str]"
        )
        assert api.chat.__doc__.endswith("\n\nSay something.\n\nAt length.")
        assert api.chat.__doc__.startswith("chat(prompt: str, repeat: int = 1,")
        assert inspect.getdoc(api.group.below) == "below() -> None\n\nDeeper."
    assert target.called == []


def test_what_may_not_be_called_is_not_described(
    start: Callable[..., Any], spoken: dict[str, str]
) -> None:
    target = Api()
    with start(target) as server, _fresh(server, **spoken) as api:
        for remote in (api["_hidden"], api.nope, api.made.below, api.called.append, api.group):
            assert not hasattr(remote, "__signature__")
            assert remote.__doc__ == Remote.__doc__
    assert target.called == []


def test_interceptors_decide_what_is_described(
    start: Callable[..., Any], spoken: dict[str, str]
) -> None:
    async def guard(ctx: Any, call_next: Callable[[], Awaitable[Any]]) -> Any:
        if ctx.method.startswith("group"):
            raise PermissionError("not for you")
        return await call_next()

    with start(Api(), interceptors=[guard]) as server, _fresh(server, **spoken) as api:
        assert dir(api) == []  # it cannot be asked about each
        assert hasattr(api.chat, "__signature__")
        assert not hasattr(api.group.below, "__signature__")


def test_it_can_be_turned_off() -> None:
    with serve_in_memory(Api(), describe=False) as server, _fresh(server) as api:
        assert dir(api) == []
        assert not hasattr(api.chat, "__signature__")
        assert api.chat(prompt="x").result() == ["x"]  # names still bind


def test_over_http() -> None:
    with (
        kk.serve(Api(), transport="http") as server,
        _fresh(server, protocol="compact") as api,
    ):
        assert dir(api) == ["chat", "group"]
        assert api.group.below.__doc__ == "below() -> None\n\nDeeper."


def test_ten_thousand_methods_are_bounded() -> None:
    def f() -> None: ...

    f.__doc__ = "long " * 100_000
    with kk.serve({f"method_{n:05}": f for n in range(12_000)}, token=False) as server:
        with raw_client(server.url, "compact") as peer:
            answer = peer.call(DESCRIBE_NAME, "names")
            assert isinstance(answer, Replied)
            assert len(answer.value["names"]) == 10_000
        with kk.connect(server.url, protocol="compact", codec="json") as api:
            assert len(api.method_00001.__doc__) < 10_000


@pytest.mark.parametrize("args", [["what"], ["names", 1], ["method"], ["method", "chat"], [1]])
def test_other_questions_are_refused(args: list[Any]) -> None:
    with kk.serve(Api(), token=False) as server, raw_client(server.url, "compact") as peer:
        assert isinstance(peer.call(DESCRIBE_NAME, *args), Failed)


# ---- peers that are not ours, or do not mean well


def test_a_foreign_server_is_asked_once_however_often_one_looks(protocol: str) -> None:
    def play(peer: RawPeer) -> None:
        question = peer.receive()
        assert (question.path, question.args) == ((DESCRIBE_NAME,), [])
        error = kk.RemoteError("no such method")
        peer.send(peer.wire.fail_call(question.call_id, error, "json"))
        request = peer.receive()
        assert request.path == ("end",)
        peer.send(peer.wire.reply(request.call_id, "ended", "json"))
        peer.receive()

    with (
        raw_server(play, protocol) as url,
        kk.connect(url, protocol=protocol, codec="json") as api,
    ):
        for _ in range(3):
            assert dir(api) == []
            assert not hasattr(api.chat, "__signature__")
        assert api.end().result() == "ended"


def test_a_server_that_is_silent_is_waited_for_once_and_briefly(protocol: str) -> None:
    def play(peer: RawPeer) -> None:
        while True:
            peer.receive()

    with (
        raw_server(play, protocol) as url,
        kk.connect(url, protocol=protocol, codec="json") as api,
    ):
        began_s = time.monotonic()
        for _ in range(20):
            assert dir(api) == []
        assert time.monotonic() - began_s < 3.0


def test_what_a_server_tells_is_cleaned(protocol: str) -> None:
    answers = {
        (): {"keywords": True},
        ("names",): {"names": ["good", "b\x1b[2Jad", "", 7, "x" * 1000, "\u202eevil"]},
        ("method", ("good",)): {
            "parameters": [
                {"name": "a", "kind": 1, "annotation": "\x1b]0;title\x07st\nr", "default": "\x9b1"}
            ],
            "returns": ["no text"],
            "doc": "Clear\x1b[2J this\u202e." + "y" * 100_000,
        },
        ("method", ("bad",)): {"parameters": [{"name": "not a name", "kind": 99}], "doc": 3},
        ("method", ("worse",)): ["no object"],
    }

    def play(peer: RawPeer) -> None:
        while True:
            request = peer.receive()
            key = tuple(tuple(a) if isinstance(a, list) else a for a in request.args)
            peer.send(peer.wire.reply(request.call_id, answers[key], "json"))

    with (
        raw_server(play, protocol) as url,
        kk.connect(url, protocol=protocol, codec="json") as api,
    ):
        assert dir(api) == ["good"]
        assert str(inspect.signature(api.good)) == "(a: st\\nr = 1)"
        assert api.good.__doc__.startswith("good(a: st\\nr = 1)\n\nClear this.yyy")
        assert len(api.good.__doc__) < 10_000
        assert api.bad.__doc__ == "bad(...)"
        assert api.worse.__doc__ == Remote.__doc__


def test_nothing_is_asked_of_a_connection_that_is_not_open(start: Callable[..., Any]) -> None:
    with start(Api()) as server:
        api = _fresh(server)
    kk.close(api)
    assert dir(api) == []
    assert not hasattr(api.chat, "__signature__")
    assert session_of(api).state == "closed"
