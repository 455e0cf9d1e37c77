"""What the servers of ``tests/peers/vovk_*`` offer, served by us to Vovk's own clients."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any, Final, TypedDict

from kkjupyter import vovk
from kkjupyter.vovk.server.server import VovkServer
from support.vovk.apps import App

__all__ = ["serve_twin", "twin_controllers"]

_TEAPOT: Final = {"why": "short and stout"}


class HelloService:
    """As in the guide."""

    async def stream_tokens(self) -> AsyncIterator[dict[str, str]]:
        for message in ("Hello,", " World", "!"):
            await asyncio.sleep(0.3)
            yield {"message": message}

    async def failing_tokens(self) -> AsyncIterator[dict[str, str]]:
        yield {"message": "Hello,"}
        raise vovk.Throw({"hello": "World"})


class Hello(vovk.Controller, prefix="hello"):
    """As in the guide: it delegates to a service."""

    hello_service = HelloService()

    @vovk.post.auto()
    async def stream_tokens(self, req: Any) -> Any:
        await req.json()
        async for token in vovk.delegate(self.hello_service.stream_tokens()):
            yield token

    @vovk.get.auto()
    async def failing_tokens(self) -> Any:
        async for token in vovk.delegate(self.hello_service.failing_tokens()):
            yield token


class Streams(vovk.Controller, prefix="streams"):
    """Streams, and a diary of what became of the slow ones."""

    def __init__(self) -> None:
        self.pages: dict[str, dict[str, Any]] = {}

    @vovk.get.auto()
    async def burst(self, req: Any) -> Any:
        for i in range(int(req.query["n"])):
            yield {"i": i, "t": "tok"}

    @vovk.get.auto()
    def from_sync(self) -> Any:
        yield from ({"i": i} for i in range(3))

    @vovk.get.auto()
    async def empty(self) -> Any:
        return
        yield

    @vovk.get.auto()
    async def texts(self) -> Any:
        for text in ("Hello,", " World", "", "a\u2028b\u0085c\nd", '"'):
            yield text

    @vovk.get.auto()
    async def slow(self, req: Any) -> Any:
        page = self.pages[req.query["id"]] = {"produced": 0, "endedAt": None}
        n, pause_s = int(req.query.get("n", 500)), float(req.query.get("pauseMs", 20)) / 1000
        s = "x" * int(req.query.get("bytes", 0))
        try:
            while page["produced"] < n:
                await asyncio.sleep(pause_s)
                page["produced"] += 1
                yield {"i": page["produced"] - 1, "s": s}
        finally:
            page["endedAt"] = time.time() * 1000

    @vovk.get.auto()
    def diary(self, req: Any) -> Any:
        return {"now": time.time() * 1000, "page": self.pages.get(req.query["id"])}


class Fails(vovk.Controller, prefix="fails"):
    """Every way to fail."""

    @vovk.get.auto()
    async def thrown(self, req: Any) -> Any:
        yield {"i": 0}
        raise vovk.Throw(json.loads(req.query["value"]))

    @vovk.get.auto()
    async def error(self) -> Any:
        yield {"i": 0}
        raise ValueError("went wrong")

    @vovk.get.auto()
    async def teapot(self) -> Any:
        yield {"i": 0}
        raise vovk.HttpException(418, "a teapot", _TEAPOT)

    @vovk.get.auto()
    async def at_once(self) -> Any:
        raise ValueError("went wrong at once")
        yield

    @vovk.get.auto()
    async def before_stream(self, req: Any) -> Any:
        raise vovk.HttpException(403, "not allowed", {"why": "a guard"})

    @vovk.get.auto()
    def reply(self) -> Any:
        raise ValueError("no reply")

    @vovk.get.auto()
    def reply_teapot(self) -> Any:
        raise vovk.HttpException(418, "a teapot", _TEAPOT)


class Replies(vovk.Controller, prefix="replies"):
    """Single answers."""

    @vovk.get("greeting/{id}/of/{place}")
    def greeting(self, req: Any, params: dict[str, str]) -> Any:
        return {**params, "query": req.query}

    async def _echo(self, req: Any) -> Any:
        return {"method": req.method, "id": req.params["id"], "body": await req.json()}

    @vovk.post("items/{id}")
    async def save(self, req: Any) -> Any:
        return await self._echo(req)

    @vovk.put("items/{id}")
    async def replace(self, req: Any) -> Any:
        return await self._echo(req)

    @vovk.patch("items/{id}")
    async def change(self, req: Any) -> Any:
        return await self._echo(req)

    @vovk.delete("items/{id}")
    def remove(self, req: Any) -> Any:
        return {"method": req.method, "id": req.params["id"]}

    @vovk.get.auto(name="getURLForXMLParser2")
    def get_url(self) -> Any:
        return {"found": True}


class Number(TypedDict):
    n: int


class Words(TypedDict):
    words: list[str]


class Message(TypedDict):
    room: str
    message: str


class Valid(vovk.Controller, prefix="valid"):
    """What is checked, by type hints."""

    @vovk.post.auto()
    async def double(self, req: vovk.Request[Number]) -> dict[str, int]:
        return {"doubled": (await req.json())["n"] * 2}

    @vovk.post("rooms/{room}")
    async def say(self, req: vovk.Request[Words]) -> AsyncIterator[Message]:
        for word in (await req.json())["words"]:
            yield {"room": req.params["room"], "message": word}


def twin_controllers(app: App) -> dict[str, type[vovk.Controller]]:
    """The controllers, called as in ``app``."""
    classes: list[type[vovk.Controller]] = [Hello, Streams, Fails, Replies]
    if not app.is_old:
        classes.append(Valid)
    return {one.__name__ + app.suffix: one for one in classes}


def serve_twin(app: App, *, token: str | bool = False) -> VovkServer:
    """A server of ours that clients of the generation of ``app`` can call."""
    return vovk.serve(twin_controllers(app), token=token, legacy=app.is_old)
