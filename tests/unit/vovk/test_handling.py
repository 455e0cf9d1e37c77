"""One request: what the handler gets of it, what is refused, and what becomes of its outcome."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import http.client
import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, TypedDict

import aiohttp
import pytest
from support.waiting import settle

import kkjupyter as kk
from kkjupyter import vovk
from kkjupyter.server.interceptors import CallContext

MANY = 4_000
"""So many items of 9 kB are more than all buffers on the way hold."""


class Message(TypedDict):
    text: str


class Paging(TypedDict, total=False):
    page: int
    tags: list[str]
    deep: dict[str, bool]


@dataclasses.dataclass
class Where:
    room: int


class Broken(Exception):
    """One that fails when it is looked at."""

    @property
    def cause(self) -> Any:
        raise ZeroDivisionError


class Echo(vovk.Controller):
    @vovk.post("request/{id}")
    async def request(self, req: vovk.Request) -> Any:
        return {
            "method": req.method,
            "path": req.url.partition("/request")[2],
            "params": req.params,
            "query": req.query,
            "text": await req.text(),
            "bytes": list(await req.bytes())[:2],
            "header": req.headers["X-Own"],
            "meta": req.meta,
            "remote": req.remote,
            "handler": req.handler,
            "aborted": req.aborted,
            "repr": repr(req),
            "context": kk.context().method,
        }

    @vovk.post("json")
    async def json(self, _: Any) -> Any:
        return [await _.json(), await _.json()]

    @vovk.post("parts/{room}")
    def parts(self, body: Any, query: Any, params: Any, room: Any, more: int = 5) -> Any:
        return [body, query, params, room, more]

    @vovk.get("second/{room}")
    def second(self, req: Any, given: Any, /, *, room: Any) -> Any:
        return [req.method, given, room]

    @vovk.post("checked/{room}")
    async def checked(self, req: vovk.Request[Message, Paging, Where], room: Any) -> Any:
        where = req.params
        assert isinstance(where, Where)
        return [await req.json(), req.query, where.room, room]

    @vovk.get("number/{room}")
    def number(self, room: int) -> int:
        return room + 1

    @vovk.get("output")
    def output(self) -> int:
        return "no number"  # type: ignore[return-value]

    @vovk.get("nothing")
    def nothing(self) -> Any:
        return kk.undefined

    @vovk.get("bytes")
    def own_bytes(self) -> Any:
        return vovk.Response(b"\0\1", 201, {"X-Own": "1"})

    @vovk.get("text")
    def own_text(self) -> Any:
        return vovk.Response("é")

    @vovk.get("set")
    def no_json(self) -> Any:
        return {1, 2}

    @vovk.get("throw/{what}")
    async def throw(self, what: str) -> Any:
        raise {
            "object": vovk.Throw({"hello": "World"}),
            "text": vovk.Throw("x"),
            "nothing": vovk.Throw(),
            "strange": vovk.Throw({1}),
            "plain": ValueError(),
            "status": vovk.HttpException(404),
            "cause": vovk.HttpException(409, "taken", {"by": {1}}),
            "cancelled": asyncio.CancelledError(),
            "exit": SystemExit(3),
            "broken": Broken(),
        }[what]

    @vovk.get("stream/{what}")
    async def stream(self, what: str) -> Any:
        values = {
            "set": {1},
            "undefined": kk.undefined,
            "error": {"isError": True, "reason": "only a value"},
            "separator": "a\u2028b\n__##DIV123##__",
        }
        yield 1
        yield values[what]
        yield 2

    @vovk.get("thrown/{what}")
    async def thrown(self, what: str) -> Any:
        yield 1
        await self.throw(what)

    @vovk.get("long/{count}")
    async def long(self, count: int) -> Any:
        yield "€😀é" * count

    made = 0

    @vovk.get("many")
    async def many(self) -> Any:
        for type(self).made in range(1, MANY + 1):
            yield "€😀é" * 1_000

    @vovk.get("typed")
    async def typed(self) -> AsyncIterator[int]:
        yield 1
        yield "two"  # type: ignore[misc]

    @vovk.head("stream/{what}")
    def head(self, what: str) -> Any:
        return self.stream(what)


@dataclasses.dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.body.split(b"\n")[:-1]]


Ask = Callable[..., Answer]


def asking(url: str) -> Ask:
    def ask(
        path: str, body: bytes | None = None, method: str | None = None, **headers: str
    ) -> Answer:
        async def main() -> Answer:
            sent = {name.replace("_", "-"): value for name, value in headers.items()}
            async with (
                aiohttp.ClientSession() as session,
                session.request(
                    method or ("GET" if body is None else "POST"),
                    url + path,
                    data=body,
                    headers=sent,
                    skip_auto_headers=["Content-Type"],
                ) as response,
            ):
                told = {name.lower(): value for name, value in response.headers.items()}
                return Answer(response.status, told, await response.read())

        return asyncio.run(main())

    return ask


@pytest.fixture(scope="module")
def ask() -> Iterator[Ask]:
    with vovk.serve([Echo], token=False) as server:
        yield asking(server.url)


@pytest.fixture(scope="module")
def ask_old() -> Iterator[Ask]:
    with vovk.serve([Echo], token=False, legacy=True) as server:
        yield asking(server.url)


def test_what_a_request_has(ask: Ask) -> None:
    path = "/request/a%20b?q=x%20y&q=z&a%5B0%5D=1&token=mine"
    answer = ask(path, b"\xff{", x_own="yes", x_meta='{"trace":1}').json
    assert answer.pop("repr").endswith("/api/request/a%20b>")  # a query may hold secrets
    assert answer == {
        "method": "POST",
        "path": "/a%20b?q=x%20y&q=z&a%5B0%5D=1&token=mine",
        "params": {"id": "a b"},
        "query": {"q": "z", "a": ["1"], "token": "mine"},
        "text": "\ufffd{",
        "bytes": [255, 123],
        "header": "yes",
        "meta": {"trace": 1},
        "remote": "127.0.0.1",
        "handler": "Echo.request",
        "aborted": False,
        "context": "Echo.request",
    }


def test_an_old_query_is_flat(ask_old: Ask) -> None:
    answer = ask_old("/parts/r?q=1&q=2&a[0]=1", b"")
    assert answer.json == [None, {"q": ["1", "2"], "a[0]": "1"}, {"room": "r"}, "r", 5]


def test_arguments(ask: Ask) -> None:
    assert ask("/parts/r?q=1", b'{"a":1}').json == [{"a": 1}, {"q": "1"}, {"room": "r"}, "r", 5]
    assert ask("/second/r").json == ["GET", {"room": "r"}, "r"]
    assert ask("/json", b'{"a":"\\ud83d"}').json == [{"a": "\ud83d"}] * 2


def test_input_is_checked_and_converted(ask: Ask) -> None:
    path = "/checked/7?page=2&tags[0]=a&deep[x]=true&more=1"
    assert ask(path, b'{"text":"x"}', content_type="application/json; charset=utf-8").json == [
        {"text": "x"},
        {"page": 2, "tags": ["a"], "deep": {"x": True}},
        7,
        7,
    ]
    assert ask("/number/41").json == 42


@pytest.mark.parametrize(
    ("path", "body", "status", "said", "at"),
    [
        ("/checked/7", b'{"text":1}', 400, "Invalid body: Expected `str`, got `int`", ["text"]),
        ("/checked/7", b"", 400, "Invalid body: Expected `object`, got `null`", []),
        ("/checked/7?page=x", b'{"text":""}', 400, "Invalid query: Expected `int`", ["page"]),
        ("/checked/x", b'{"text":""}', 400, "Invalid params: Expected `int`", ["room"]),
        ("/number/x", None, 400, "Invalid params: Expected `int`", ["room"]),
        ("/output", None, 500, "Invalid output: Expected `int`, got `str`", []),
    ],
)
def test_what_does_not_fit(
    path: str, body: bytes | None, status: int, said: str, at: list[Any], ask: Ask
) -> None:
    answer = ask(path, body)
    assert answer.status == answer.json["statusCode"] == status
    assert answer.json["message"].startswith(f"Validation failed. {said}")
    assert [issue["path"] for issue in answer.json["cause"]["issues"]] == [at]


def test_bodies_that_are_no_json(ask: Ask, ask_old: Ask) -> None:
    for path in ("/json", "/parts/r", "/checked/1"):
        answer = ask(path, b"{oops")
        assert answer.status == 400
        assert "body: malformed JSON" in answer.json["message"]
    assert ask("/json", b"").json["message"] == "the body is empty; it must be JSON"
    answer = ask("/checked/7", b'{"text":"x"}', content_type="text/plain;charset=UTF-8")
    assert (answer.status, answer.json["cause"]) == (
        415,
        {"contentTypes": ["text/plain"], "allowed": ["application/json"]},
    )
    answer = ask_old("/checked/7", b'{"text":"x"}', content_type="text/plain;charset=UTF-8")
    assert answer.status == 200
    for meta in ("{oops", "[]"):
        assert ask("/nothing", x_meta=meta).status == 400


def test_without_validation_all_goes_through() -> None:
    with vovk.serve([Echo], token=False, validate=False) as server:
        ask = asking(server.url)
        assert ask("/output").json == "no number"
        assert ask("/typed").lines == [1, "two"]
        assert ask("/number/x").status == 500  # "x" + 1


def test_replies(ask: Ask) -> None:
    assert ask("/nothing").json is None
    answer = ask("/bytes")
    assert (answer.status, answer.body, answer.headers["x-own"]) == (201, b"\0\1", "1")
    assert answer.headers["content-type"] == "application/octet-stream"
    answer = ask("/text")
    assert answer.body.decode() == "é"
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert ask("/set").status == 500
    assert "JSON has no Set" in ask("/set").json["message"]


@pytest.mark.parametrize(
    ("what", "status", "message", "cause"),
    [
        ("object", 500, '{"hello":"World"}', {"hello": "World"}),
        ("text", 500, "x", None),
        ("nothing", 500, "undefined", None),
        ("strange", 500, "{1}", None),
        ("plain", 500, "ValueError", None),
        ("status", 404, "Not Found", None),
        ("cause", 409, "taken", None),
        ("cancelled", 500, "cancelled", None),
        ("exit", 500, "3", None),
        ("broken", 500, "the error cannot be sent", None),
    ],
)
def test_what_a_handler_raises(
    what: str, status: int, message: str, cause: Any, ask: Ask, ask_old: Ask
) -> None:
    answer = ask(f"/throw/{what}")
    expected = {"statusCode": status, "message": message, "isError": True}
    assert answer.status == status
    assert answer.json == (expected if cause is None else {"cause": cause, **expected})
    assert ask_old(f"/throw/{what}").json == expected


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        ("object", {"hello": "World"}),
        ("text", "x"),
        ("nothing", kk.undefined),
        ("strange", "{1}"),
        ("status", "Not Found"),
        ("cancelled", "cancelled"),
    ],
)
def test_what_a_stream_raises(what: str, reason: Any, ask: Ask) -> None:
    failure = {"isError": True} if reason is kk.undefined else {"isError": True, "reason": reason}
    assert ask(f"/thrown/{what}").lines == [1, failure]


def test_items(ask: Ask, ask_old: Ask) -> None:
    assert ask("/stream/undefined").lines == [1, None, 2]
    _, failure = ask("/stream/set").lines
    assert "JSON has no Set" in failure["reason"]
    _, failure = ask("/stream/error").lines
    assert "read an object with isError and reason as an error" in failure["reason"]
    assert ask("/stream/separator").lines == [1, "a\u2028b\n__##DIV123##__", 2]
    pieces = ask_old("/stream/separator").body.split(b"__##DIV123##__")
    assert [json.loads(piece) for piece in pieces if piece] == [1, "a\u2028b\n__##DIV123##__", 2]
    _, failure = ask("/typed").lines
    assert failure["reason"] == (
        "Validation failed. Invalid iteration #1: Expected `int`, got `str`"
    )


def test_characters_that_may_be_cut_in_two_are_escaped(ask: Ask, ask_old: Ask) -> None:
    """The real clients decode each piece that arrives on its own."""
    assert ask("/long/3").body.decode() == '"€😀é€😀é€😀é"\n'
    answer = ask("/long/30000")
    assert answer.body.isascii()
    assert answer.lines == ["€😀é" * 30_000]
    assert ask_old("/long/30000").body.isascii()


@pytest.mark.slow
def test_short_items_that_wait_for_a_slow_reader_are_escaped() -> None:
    """Then many leave at once, and may arrive in pieces."""
    Echo.made = 0
    with (
        vovk.serve([Echo], token=False) as server,
        contextlib.closing(http.client.HTTPConnection("127.0.0.1", server.port, 30)) as client,
    ):
        client.request("GET", "/api/many")
        reply = client.getresponse()
        assert 0 < settle(lambda: Echo.made) < MANY  # it waits for the reader
        body = reply.read()
    lines = body.splitlines()
    assert [json.loads(line) for line in (lines[0], lines[-1])] == ["€😀é" * 1_000] * 2
    assert len(lines) == MANY
    # What found the buffer nearly empty leaves alone, and whole.
    assert {b"\\u20ac" in line for line in lines} == {True, False}


def test_head(ask: Ask) -> None:
    answer = ask("/stream/set", method="HEAD")
    assert (answer.status, answer.body) == (200, b"")


def test_interceptors_and_on_error() -> None:
    seen: list[Any] = []

    async def interceptor(ctx: CallContext, next_: Any) -> Any:
        seen.append((ctx.method, ctx.meta, sorted(ctx.kwargs)))
        if ctx.method == "Echo.number":
            ctx.kwargs["room"] += 100
        return await next_()

    def on_error(exc: BaseException, request: vovk.Request) -> None:
        seen.append((type(exc).__name__, request.handler, threading.current_thread().name))
        raise ValueError("a fault of its own")

    options: Any = {"interceptors": [interceptor], "on_error": on_error}
    with vovk.serve([Echo], token=False, **options) as server:
        ask = asking(server.url)
        assert ask("/number/1", x_meta='{"t":1}').json == 102
        assert ask("/throw/plain").json["message"] == "ValueError"
        assert ask("/thrown/plain").lines[1]["reason"] == "ValueError"
    assert seen == [
        ("Echo.number", {"t": 1}, ["room"]),
        ("Echo.throw", {}, ["what"]),
        ("ValueError", "Echo.throw", "kkjupyter-handlers"),
        ("Echo.thrown", {}, ["what"]),
        ("ValueError", "Echo.thrown", "kkjupyter-handlers"),
    ]


def test_exceptions_of_ours() -> None:
    error = vovk.HttpException(403, "not allowed", {"why": "guard"})
    assert (error.status, error.message, error.cause) == (403, "not allowed", {"why": "guard"})
    assert str(error) == "HTTP 403: not allowed"
    assert isinstance(error, kk.RemoteError)
    assert vovk.HttpException(499).message == "Error"
    with pytest.raises(kk.UsageError, match="from 400 to 599"):
        vovk.HttpException(200, "fine")
    thrown = vovk.Throw({"a": 1})
    assert isinstance(thrown, kk.RemoteThrow)
    assert (thrown.value, str(thrown)) == ({"a": 1}, '{"a":1}')
    assert vovk.Throw().value is kk.undefined


class Forms(vovk.Controller):
    @vovk.post.auto()
    async def upload(self, req: vovk.Request) -> dict[str, Any]:
        form = await req.form()
        picture = form.pop("picture", None)
        return {**form, "picture": picture and [picture.name, picture.content_type, *picture.data]}


def test_forms() -> None:
    picture = vovk.File("a.png", b"\x00\xff", "image/png")
    with vovk.serve([Forms]) as server:
        api = server.connect()

        def upload(body: Any, kind: str) -> Any:
            return api.Forms.upload(body=body, headers={"Content-Type": kind}).result()

        assert upload({"n": 1, "l": ["a", "b"], "picture": picture}, "multipart/form-data") == {
            "n": "1",
            "l": ["a", "b"],
            "picture": ["a.png", "image/png", 0, 255],
        }
        plain = upload({"n": 1}, "application/x-www-form-urlencoded")
        assert plain == {"n": "1", "picture": None}
        with pytest.raises(kk.RemoteError, match="body: application/json is not a form") as caught:
            upload({"n": 1}, "application/json")
        assert caught.value.status == 400
        kk.close(api)
