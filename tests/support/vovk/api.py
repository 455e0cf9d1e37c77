"""The API behind the recorded Vovk exchanges, in Python: ``NEW`` for 3.x, ``OLD`` for 0.1."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any, Final, TypedDict

import msgspec

import kkjupyter as kk
from kkjupyter import vovk

__all__ = ["NEW", "OLD", "HelloController", "OldHelloController", "ValidController"]

_TOKENS: Final = ({"message": "Hello,"}, {"message": " World"}, {"message": "!"})
_RAW_3: Final = {
    "malformed": b'{"i":0}\n{oops\n{"i":1}\n',
    "split": b'{"i":0}\n{"i":1}\n',
    "notrailing": b'{"i":0}\n{"i":1}',
    "truncated": b'{"i":0}\n{"i":1',
    "crlf": b'{"i":0}\r\n{"i":1}\r\n',
    "blank": b'\n\n{"i":0}\n\n{"i":1}\n',
}
_RAW_0_1: Final = {
    "malformed": b'{"i":0}#{oops#{"i":1}#',
    "split": b'{"i":0}#{"i":1}#{"i":2}#',
    "split2": b'{"i":0}#{"i":1}#{"i":2}#',
    "truncated": b'{"i":0}#{"i":1',
}


class HelloService:
    """What the controllers delegate to."""

    async def stream_tokens(self, delay_s: float = 0.3) -> AsyncIterator[dict[str, str]]:
        for token in _TOKENS:
            await asyncio.sleep(delay_s)
            yield token

    def stream_sync(self) -> Iterator[dict[str, str]]:
        yield from _TOKENS


class _Hello(vovk.Controller):
    hello = HelloService()

    @vovk.post.auto()
    async def stream_tokens(self, req: Any) -> Any:
        await req.json()
        delay_s = float(req.query.get("delay", 300)) / 1000
        async for token in vovk.delegate(self.hello.stream_tokens(delay_s)):
            yield token

    @vovk.get.auto()
    def stream_sync(self) -> Any:
        yield from self.hello.stream_sync()

    @vovk.get.auto()
    async def fail_object(self) -> Any:
        yield {"message": "one"}
        raise vovk.Throw({"hello": "World"})

    @vovk.get.auto()
    async def fail_string(self) -> Any:
        yield {"message": "one"}
        raise vovk.Throw("a string")

    @vovk.get.auto()
    async def fail_error(self) -> Any:
        yield {"message": "one"}
        raise ValueError("boom")

    @vovk.get.auto()
    async def fail_http_exception(self) -> Any:
        yield {"message": "one"}
        raise vovk.HttpException(418, "teapot", {"why": "short and stout"})

    @vovk.get.auto()
    async def fail_immediate(self) -> Any:
        raise ValueError("immediate")
        yield

    @vovk.get.auto()
    async def fail_undefined(self) -> Any:
        yield {"message": "one"}
        raise vovk.Throw

    @vovk.get.auto()
    async def fail_before_stream(self, req: Any) -> Any:
        raise vovk.HttpException(403, "not allowed", {"why": "guard"})

    @vovk.get.auto()
    async def empty(self) -> Any:
        return
        yield

    @vovk.get.auto()
    async def falsy(self) -> Any:
        for value in ({"n": 0}, 0, "", False, None, [1, 2], {"n": 1}):
            yield value

    @vovk.get.auto()
    async def utf8(self, req: Any) -> Any:
        for i in range(int(req.query.get("n", 3))):
            yield {"i": i, "s": "€😀é" * int(req.query.get("len", 30_000))}

    @vovk.get.auto()
    async def burst(self, req: Any) -> Any:
        for i in range(int(req.query.get("n", 20_000))):
            yield {"i": i, "t": "tok"}

    @vovk.get("greeting/{id}")
    def get_greeting(self, req: Any, params: dict[str, str]) -> Any:
        return {"id": params["id"], "q": req.query.get("q"), "query": req.query}

    @vovk.post("items/{id}")
    async def post_item(self, req: Any, id: str) -> Any:  # noqa: A002  as in the path
        kind = req.headers.get("content-type")
        return {"id": id, "body": await req.json(), "q": req.query.get("q"), "ct": kind}

    @vovk.get.auto()
    def unary_array(self) -> Any:
        return [1, 2, 3]

    @vovk.get.auto()
    def unary_string(self) -> Any:
        return "plain"

    @vovk.get.auto()
    def unary_nothing(self) -> Any:
        return None

    @vovk.get.auto()
    def unary_error(self) -> Any:
        raise kk.RemoteError("unary boom", cause={"why": "x"})

    @vovk.get.auto()
    def unary_http_exception(self) -> Any:
        raise vovk.HttpException(418, "unary teapot", {"why": "y"})


class HelloController(_Hello, name="HelloRPC", prefix="hello"):
    """As the server of 3.7.0 has it."""

    @vovk.get.auto()
    async def yield_is_error_only(self) -> Any:
        yield {"isError": False, "v": 1}
        yield {"message": "after"}

    @vovk.get.auto()
    async def burst_responder(self, req: Any) -> Any:
        return self.burst(req)

    @vovk.get.auto()
    def raw(self, req: Any) -> Any:
        kind = {"content-type": "application/jsonl; charset=utf-8"}
        return vovk.Response(_RAW_3[req.query["mode"]], headers=kind)

    @vovk.put("items/{id}")
    async def put_item(self, body: Any, id: str) -> Any:  # noqa: A002  as in the path
        return {"id": id, "body": body}

    @vovk.get.auto(name="getURLForXMLParser2")
    def get_url(self) -> Any:
        return {"kebab": True}


class Words(TypedDict):
    words: list[Annotated[str, msgspec.Meta(max_length=10)]]


class Delay(TypedDict):
    delay: Annotated[str, msgspec.Meta(pattern=r"^\d+$")]


class Word(TypedDict):
    room: str
    message: Annotated[str, msgspec.Meta(max_length=8)]


class Number(TypedDict):
    n: Annotated[int, msgspec.Meta(ge=1)]


class ValidController(vovk.Controller, name="ValidRPC", prefix="valid"):
    """With type hints, where 3.7.0 has a validation library."""

    @vovk.post("stream/{room}", summary="Stream tokens", description="Streams words back")
    async def stream_tokens(self, body: Words, query: Delay, room: str) -> AsyncIterator[Word]:
        for message in body["words"]:
            await asyncio.sleep(float(query["delay"]) / 1000)
            yield {"room": room, "message": message}

    @vovk.post.auto()
    async def unary(self, req: vovk.Request[Number]) -> dict[str, float]:
        return {"doubled": (await req.json())["n"] * 2}


class OldHelloController(_Hello, name="HelloController", rule="0.1"):
    """As the server of 0.1.7 has it."""

    @vovk.get.auto()
    async def yield_string(self) -> Any:
        for value in ({"n": 0}, "str", {"n": 1}):
            yield value

    @vovk.get("greeting/:id")
    def get_greeting(self, req: Any, params: dict[str, str]) -> Any:
        return {"id": params["id"], "q": req.query.get("q")}

    @vovk.get.auto()
    def raw(self, req: Any) -> Any:
        kind = {
            "content-type": "text/event-stream",
            "content-encoding": "none",
            "cache-control": "no-cache, no-transform",
        }
        body = _RAW_0_1[req.query["mode"]].replace(b"#", b"__##DIV123##__")
        return vovk.Response(body, headers=kind)

    @vovk.get.auto(name="getURLForXML")
    def get_url(self) -> Any:
        return {"kebab": True}


class PrefixedController(vovk.Controller, prefix="pre/fix", rule="0.1"):
    @vovk.get("by/:a/:b")
    def get_by(self, a: str, b: str) -> Any:
        return {"a": a, "b": b}

    @vovk.get.auto()
    def auto_named(self) -> Any:
        return {"ok": True}


NEW: Final = (HelloController, ValidController)
OLD: Final = (OldHelloController, PrefixedController)
