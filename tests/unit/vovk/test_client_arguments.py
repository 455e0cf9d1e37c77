"""What goes out: names, arguments, defaults, checks before anything is sent."""

from __future__ import annotations

import asyncio
import inspect
import json
from typing import Any

import pytest
from support.servers.http_servers import reply
from support.vovk.servers import HELLO, Peer, bounded, connected

import kkjupyter as kk

ANSWER = [reply(b"1", content_type="application/json")]
SECRET = "s3cr3t-t0ken"


def sent(peer: Peer, name: str) -> str:
    """A header of the last request."""
    rows = dict(line.split(": ", 1) for line in peer.heads[-1].split("\r\n")[1:] if line)
    return {key.lower(): value for key, value in rows.items()}.get(name, "")


def target(peer: Peer) -> str:
    return peer.heads[-1].partition(" HTTP/1.1")[0]


def test_a_request_as_3x_wants_it() -> None:
    async def main() -> None:
        peer = Peer(ANSWER)
        async with connected(peer) as api:
            await api.HelloRPC.streamTokens(
                body={"hello": "wörld"}, query={"q": "a&b=c#d", "arr": [1, 2], "o": {"k": "v w"}}
            )
            query = "q=a%26b%3Dc%23d&arr[0]=1&arr[1]=2&o[k]=v%20w"
            assert target(peer) == f"POST /api/hello/stream-tokens?{query}"
            assert json.loads(peer.bodies[0]) == {"hello": "wörld"}
            assert sent(peer, "accept") == "application/jsonl, application/json"
            assert sent(peer, "content-type") == "application/json"
            await api.hello_rpc.get_greeting(params={"id": "a/b ?é%"})
            assert target(peer) == "GET /api/hello/greeting/a%2Fb%20%3F%C3%A9%25"

    bounded(main)


def test_defaults_and_what_a_call_says_itself() -> None:
    async def main() -> None:
        peer = Peer(ANSWER)
        defaults = {
            "headers": {"X-Team": "red", "Authorization": f"Bearer {SECRET}"},
            "query": {"lang": "en", "n": 1},
            "params": {"id": 7},
            "body": {"from": "defaults"},
        }
        async with connected(peer, default_options=defaults, token="other") as api:
            await api.HelloRPC.getGreeting()
            assert target(peer) == "GET /api/hello/greeting/7?lang=en&n=1"
            assert sent(peer, "authorization") == f"Bearer {SECRET}"
            assert peer.bodies[-1] == b""
            await api.HelloRPC.getGreeting(
                params={"id": 8}, query={"n": 2}, headers={"x-team": "blue"}
            )
            assert target(peer) == "GET /api/hello/greeting/8?lang=en&n=2"
            assert sent(peer, "x-team") == "blue"
            await api.HelloRPC.streamTokens()  # has no parameter in its path
            assert json.loads(peer.bodies[-1]) == {"from": "defaults"}
            await api.HelloRPC.streamTokens(body=[])
            assert peer.bodies[-1] == b"[]"

    bounded(main)


def test_what_is_said_about_a_call() -> None:
    async def main() -> None:
        peer = Peer(ANSWER)
        async with connected(peer, meta=lambda: {"trace": "é"}) as api:
            await api.HelloRPC.streamTokens()
            assert json.loads(sent(peer, "x-meta")) == {"trace": "é"}
            await api.HelloRPC.streamTokens(meta={"trace": 2})
            assert json.loads(sent(peer, "x-meta")) == {"trace": 2}

    bounded(main)


@pytest.mark.parametrize(
    ("method", "given", "text"),
    [
        ("getGreeting", {}, r"params\.id: is missing"),
        (
            "getGreeting",
            {"params": {"id": 1, "idd": 2}},
            r"params\.idd: .*did you mean 'id'",
        ),
        ("getGreeting", {"params": {"id": ".."}}, "cannot be a part of a path"),
        ("getGreeting", {"params": {"id": 1}, "body": {}}, "a GET request has no body"),
        ("checked", {"body": {"to": "3"}}, r"body\.to: '3' is not of type 'integer'"),
        ("checked", {"body": {"to": 3, "by": 1.5}}, r"body\.by"),
        ("checked", {}, "body: is missing"),
    ],
)
def test_what_is_refused_before_anything_is_sent(
    method: str, given: dict[str, Any], text: str
) -> None:
    async def main() -> None:
        peer = Peer(ANSWER)
        async with connected(peer) as api:
            with pytest.raises(kk.ValidationError, match=text) as caught:
                api.HelloRPC[method](**given)
            assert caught.value.method == f"HelloRPC.{method}"
            assert caught.value.issues
        assert peer.heads == []

    bounded(main)


def test_checks_can_be_turned_off() -> None:
    async def main() -> None:
        peer = Peer(ANSWER)
        async with connected(peer) as api:
            await api.HelloRPC.checked(body={"to": "3"}, validate=False)
        async with connected(peer, validate=False) as api:
            await api.HelloRPC.checked(body={"to": "3"})
            with pytest.raises(kk.ValidationError):
                api.HelloRPC.checked(body={"to": "3"}, validate=True)
        async with connected(peer, default_options={"validate": False}) as api:
            await api.HelloRPC.checked(body={})
        assert len(peer.heads) == 3

    bounded(main)


@pytest.mark.parametrize(
    ("args", "given", "text"),
    [
        (({"hello": 1},), {}, r"calls have names: body=\.\.\."),
        (({"body": 1, "isStream": True},), {}, r"write \*\* before the dict"),
        ((), {"boddy": 1}, "unknown argument 'boddy'; did you mean 'body'"),
        ((), {"disableClientValidation": True}, "use validate=False"),
        ((), {"timeout_s": 1}, r"kk\.call\("),
        ((), {"isStream": 1}, "isStream must be True or False"),
        ((), {"isStream": True, "is_stream": True}, "pass one of them"),
        ((), {"query": "a=1"}, "query must be a dict"),
        ((), {"query": {1: 2}}, "names in query must be text"),
        ((), {"headers": {"a": "b\r\nc: d"}}, "not one line of text"),
    ],
)
def test_arguments_that_cannot_be_right(
    args: tuple[Any, ...], given: dict[str, Any], text: str
) -> None:
    async def main() -> None:
        async with connected(Peer(ANSWER)) as api:
            with pytest.raises(kk.UsageError, match=text):
                api.HelloRPC.streamTokens(*args, **given)

    bounded(main)


def test_a_value_that_cannot_be_sent() -> None:
    async def main() -> None:
        async with connected(Peer(ANSWER)) as api:
            with pytest.raises(kk.EncodeError, match=r"streamTokens: cannot encode body\.f"):
                api.HelloRPC.streamTokens(body={"f": object()})

    bounded(main)


def test_what_is_no_method_of_a_vovk_server() -> None:
    async def main() -> None:
        async with connected(Peer(ANSWER)) as api:
            with pytest.raises(kk.UsageError, match="have no properties"):
                await api.HelloRPC.streamTokens
            with pytest.raises(kk.UsageError, match="nothing can be set"):
                await kk.aset(api.HelloRPC.streamTokens, 1)
            with pytest.raises(kk.UsageError, match="has no classes"):
                kk.new(api.HelloRPC.streamTokens)
            with pytest.raises(kk.UsageError, match="HelloRPC is not a method; it contains"):
                api.HelloRPC()

    bounded(main)


# ---- looking at it


def test_names_docstrings_and_signatures() -> None:
    async def main() -> None:
        async with connected(Peer(ANSWER)) as api:
            assert dir(api) == ["HelloRPC", "hello_rpc"]
            assert "stream_tokens" in dir(api.HelloRPC)
            assert "streamTokens" in dir(api.HelloRPC)
            checked = api.HelloRPC.checked
            signature = str(inspect.signature(checked))
            assert signature.startswith("(*, body: {to: int, by?: int}, query=None")
            assert "isStream=True" in signature
            text = inspect.getdoc(checked)
            assert text is not None
            assert text.startswith("Counts.\n\nUp to a number.\n\nPOST /hello/checked\n")
            assert "items: int" in text
            greeting = inspect.signature(api.HelloRPC.getGreeting)
            assert greeting.parameters["params"].default is inspect.Parameter.empty
            assert "body" not in greeting.parameters
            assert "HelloRPC.checked(body, query)" in (inspect.getdoc(api) or "")
            assert not hasattr(api.HelloRPC, "__signature__")
            assert not hasattr(api.HelloRPC, "nothing_like_it")
            with pytest.raises(kk.UsageError, match="did you mean 'streamTokens'"):
                api.HelloRPC.streamToken  # noqa: B018
            with pytest.raises(AttributeError):
                api._repr_html_  # noqa: B018

    bounded(main)


def test_names_in_several_segments() -> None:
    one = HELLO["controllers"]["HelloRPC"]
    segment = {"segmentName": "admin/x", "controllers": {"UserRPC": one, "HelloRPC": one}}
    schema = {"meta": {"config": {"rootEntry": "v1"}}, "segments": {"": HELLO, "admin/x": segment}}

    async def main() -> None:
        peer = Peer(ANSWER)
        async with connected(peer, schema) as api:
            await api.UserRPC.streamTokens()
            assert target(peer) == "POST /api/admin/x/hello/stream-tokens"
            await api.admin.x.HelloRPC.streamTokens()
            assert target(peer) == "POST /api/admin/x/hello/stream-tokens"
            await api.HelloRPC.streamTokens()
            assert target(peer) == "POST /api/hello/stream-tokens"

    bounded(main)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"default_options": {"bodi": 1}}, "default_options: unknown argument 'bodi'"),
        ({"default_options": 1}, "default_options must be a dict"),
        ({"default_options": {"headers": {"a": "\n"}}}, "not one line of text"),
        ({"validate": 1}, "validate must be True or False"),
        ({"fetcher": 1}, "fetcher must be a function"),
        ({"stream_fetcher": 1}, "stream_fetcher must be a function"),
        ({"timeout_s": 0}, "timeout_s must be"),
        ({"protocol": "compact"}, "protocol= is for kkrpc"),
        ({"codec": "json"}, "codec= is for kkrpc"),
        ({"expose": {}}, "cannot call back"),
    ],
)
def test_options_that_cannot_be_right(options: dict[str, Any], text: str) -> None:
    with pytest.raises(kk.UsageError, match=text):
        kk.connect("http://127.0.0.1:9/api", schema=HELLO, **options)


@pytest.mark.parametrize("option", ["schema", "default_options", "fetcher", "stream_fetcher"])
def test_options_for_vovk_alone(option: str) -> None:
    with pytest.raises(kk.UsageError, match=f"{option}= is for Vovk servers"):
        kk.connect("ws://127.0.0.1:9", **{option: {}})  # type: ignore[misc]
    if option != "schema":
        with pytest.raises(kk.UsageError, match=f"{option}= is for Vovk servers"):
            kk.connect("http://127.0.0.1:9", protocol="compact", **{option: {}})  # type: ignore[misc]


def test_a_call_from_a_handler_loop_waits_for_nothing() -> None:
    async def main() -> None:
        async with connected(Peer(ANSWER)) as api:
            values = await asyncio.gather(*(api.HelloRPC.streamTokens() for _ in range(50)))
            assert values == [1] * 50

    bounded(main)
