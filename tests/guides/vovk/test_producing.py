"""Vovk's streaming guide, the side that serves: block by block in Python, called by our client.

Each class is the block that its docstring names, spelt as Python spells it: ``async for`` over
``vovk.delegate`` is ``yield*``, ``raise vovk.Throw`` is ``throw`` of what is no error.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import itertools
import json
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, TypedDict

import pytest
from support.figures import keep_ms
from support.vovk.servers import bounded, until_it_fails
from support.waiting import until

import kkjupyter as kk
from kkjupyter import vovk

TOKENS = [{"message": "Hello,"}, {"message": " World"}, {"message": "!"}]
APART_S = 0.3
# The promise is 0.1 s, and the figure is kept; a busy machine must not make a red build of it.
ALLOWED_S = 1.0


class Token(TypedDict):
    """``export type Token = { message: string }``"""

    message: str


class HelloService:
    """``async *streamTokens()`` of the first block."""

    async def stream_tokens(self) -> AsyncIterator[Token]:
        tokens: list[Token] = [{"message": "Hello,"}, {"message": " World"}, {"message": "!"}]

        for token in tokens:
            await asyncio.sleep(0.3)
            yield token


class HelloController(vovk.Controller):
    """The controller of the second block: ``yield* this.helloService.streamTokens(response)``."""

    controller_name = "StreamingController"

    hello_service = HelloService()

    @vovk.post.auto()
    async def stream_tokens(self, req: vovk.Request[dict[str, str]]) -> AsyncIterator[Token]:
        await req.json()  # handle body if needed
        async for token in vovk.delegate(self.hello_service.stream_tokens()):
            yield token


class ReturningController(HelloController, name="StreamingController"):
    """The same, shorter: what the service streams is what the handler returns."""

    @vovk.post.auto()
    def stream_tokens(self, req: vovk.Request[dict[str, str]]) -> AsyncIterator[Token]:
        return self.hello_service.stream_tokens()


class ThrowingService:
    """``throw { hello: 'World' }``, of "Error handling"."""

    def __init__(self, thrown: BaseException) -> None:
        self.thrown = thrown

    async def stream_tokens(self) -> AsyncIterator[Token]:
        yield {"message": "Hello,"}
        raise self.thrown


class Delta:
    def __init__(self, content: str | None) -> None:
        self.delta = self
        self.content = content


class Part:
    def __init__(self, *choices: Delta) -> None:
        self.choices = choices


class Completion:
    """What ``openai.chat.completions.create(..., stream=True)`` gives, without the library."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.failure = failure
        self.closed = threading.Event()

    async def __aenter__(self) -> AsyncIterator[Part]:
        return self.parts()

    async def __aexit__(self, *_: object) -> None:
        self.closed.set()

    async def parts(self) -> AsyncIterator[Part]:
        for content in ("This", " is", None, " a test"):
            yield Part(Delta(content))
        yield Part()
        if self.failure is not None:
            raise self.failure
        await asyncio.sleep(3600)


class OpenAiService:
    """``yield part.choices[0]?.delta?.content || ''``, and ``throw { openAiError: String(e) }``."""

    def __init__(self, completion: Completion) -> None:
        self.completion = completion

    async def stream_tokens(self) -> AsyncIterator[str]:
        async with self.completion as stream:
            try:
                async for part in stream:
                    yield (part.choices[0].delta.content if part.choices else None) or ""
            except Exception as e:
                raise vovk.Throw({"openAiError": str(e)}) from e


def delegating_to(service: Any) -> type[vovk.Controller]:
    """The guide's controller, with another service."""

    class Controller(vovk.Controller, name="StreamingController"):
        hello_service = service

        @vovk.post.auto()
        async def stream_tokens(self) -> AsyncIterator[Any]:
            async for token in vovk.delegate(self.hello_service.stream_tokens()):
                yield token

    return Controller


@pytest.fixture(params=["3.x", "0.1"])
def legacy(request: pytest.FixtureRequest) -> bool:
    """Whether clients of the guide's own generation are served."""
    return bool(request.param == "0.1")


def with_client(
    controller: type[vovk.Controller], test: Callable[[Any], Any], *, legacy: bool
) -> None:
    async def main() -> None:
        with vovk.serve([controller], legacy=legacy) as server:
            api = await kk.aconnect(server.url, schema=server.schema, token=server.token)
            try:
                await test(api.StreamingController)
            finally:
                await asyncio.to_thread(kk.close, api)

    bounded(main)


async def until_thrown(controller: Any) -> tuple[list[Any], kk.RemoteError]:
    """What ``logTokens`` with its ``try`` and ``catch`` logs."""
    resp = await controller.streamTokens(
        isStream=True,
    )
    tokens, e = await until_it_fails(resp)
    assert isinstance(e, kk.RemoteError)
    return tokens, e


# ---- Generators


@pytest.mark.parametrize("controller", [HelloController, ReturningController])
def test_tokens_arrive_300_ms_apart(controller: type[vovk.Controller], legacy: bool) -> None:
    async def log_tokens(controller: Any) -> None:
        # Also because the first check has to import its library, which takes its time.
        with pytest.raises(kk.ValidationError):
            controller.streamTokens(body={"hello": 1})

        started_s = time.monotonic()
        resp = await controller.streamTokens(
            body={"hello": "world"},
            isStream=True,  # !
        )
        assert time.monotonic() - started_s < APART_S, "the response is there before a token is"

        tokens, arrived_s = [], [started_s]
        async for token in resp:
            tokens.append(token)
            arrived_s.append(time.monotonic())
        assert tokens == TOKENS
        gaps_s = [b - a for a, b in itertools.pairwise(arrived_s)]
        assert all(gap_s > APART_S / 2 for gap_s in gaps_s), gaps_s

    with_client(controller, log_tokens, legacy=legacy)


@pytest.mark.parametrize(
    ("serves_old", "content_type", "end"),
    [
        (False, "application/jsonl; charset=utf-8", b"\n"),
        (True, "text/event-stream", b"__##DIV123##__"),
    ],
)
def test_each_token_is_on_the_wire_as_soon_as_it_is_made(
    serves_old: bool, content_type: str, end: bytes
) -> None:
    """Read without our client, which could not tell what the server holds back."""
    with vovk.serve([HelloController], token=False, legacy=serves_old) as server:
        accept = {"accept": "application/jsonl, application/json"}  # as 3.x; 0.1 sends none
        address = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
        with contextlib.closing(address) as connection:
            connection.request("POST", "/api/stream-tokens", '{"hello":"world"}', accept)
            pieces, arrived_s = [], [time.monotonic()]
            response = connection.getresponse()
            assert response.headers["content-type"] == content_type
            while piece := response.read1():
                pieces.append(piece)
                arrived_s.append(time.monotonic())
    whole = [json.dumps(token, separators=(",", ":")).encode() + end for token in TOKENS]
    assert pieces == whole
    gaps_s = [b - a for a, b in itertools.pairwise(arrived_s)]
    assert all(gap_s > APART_S / 2 for gap_s in gaps_s), gaps_s


def test_the_controller_is_published_as_the_guide_calls_it(legacy: bool) -> None:
    """``controllerName``, and nothing of it but what a decorator names."""
    with vovk.serve([HelloController], legacy=legacy) as server:
        schema = server.schema
        controllers = schema if legacy else schema["segments"][""]["controllers"]
        assert list(controllers) == ["StreamingController"]
        handlers = controllers["StreamingController"]["_handlers" if legacy else "handlers"]
        assert list(handlers) == ["streamTokens"]
        assert handlers["streamTokens"]["httpMethod"] == "POST"
        assert handlers["streamTokens"]["path"] == "stream-tokens"


def test_the_path_of_the_guides_generation() -> None:
    class Controller(HelloController, rule="0.1"):
        controller_name = "StreamingController"

    with vovk.serve([Controller], legacy=True) as server:
        handler = server.schema["StreamingController"]["_handlers"]["streamTokens"]
        assert handler["path"] == "streaming-controller/stream-tokens"


def test_clientize_controller() -> None:
    """``clientizeController<typeof HelloController>(metadata.HelloController)``."""

    async def main() -> None:
        with vovk.serve([HelloController], legacy=True) as server:
            metadata = server.schema
            controller = vovk.clientize(
                metadata["StreamingController"], api_root=server.url, token=server.token
            )
            resp = await controller.streamTokens(body={"hello": "world"}, isStream=True)
            assert [token async for token in resp] == TOKENS
            await asyncio.to_thread(kk.close, controller)

    bounded(main)


# ---- Delegating


class KeptService:
    """Its streams end only when they are ended, and are also kept, as a cache would."""

    def __init__(self, *, waits: bool) -> None:
        self.waits = waits
        self.kept: list[Any] = []
        self.waiting = threading.Event()
        self.ended_s: list[float] = []

    def stream_tokens(self) -> AsyncIterator[Token]:
        self.kept.append(self._tokens())
        return self.kept[-1]

    def stream_tokens_sync(self) -> Iterator[Token]:
        self.kept.append(self._tokens_sync())
        return self.kept[-1]

    async def _tokens(self) -> AsyncIterator[Token]:
        try:
            while True:
                yield {"message": "Hello," * 1000}
                if self.waits:
                    self.waiting.set()
                    await asyncio.sleep(3600)
        finally:
            self.ended_s.append(time.monotonic())

    def _tokens_sync(self) -> Iterator[Token]:
        try:
            while True:
                yield {"message": "Hello," * 1000}
                if self.waits:
                    time.sleep(0.01)  # nothing ends a sync generator that waits
        finally:
            self.ended_s.append(time.monotonic())


def delegating_ways(service: KeptService) -> type[vovk.Controller]:
    class Controller(vovk.Controller, name="StreamingController"):
        @vovk.post.auto()
        async def delegate(self) -> AsyncIterator[Token]:
            async for token in vovk.delegate(service.stream_tokens()):
                yield token

        @vovk.post.auto()
        def returned(self) -> AsyncIterator[Token]:
            return service.stream_tokens()

        @vovk.post.auto()
        async def returned_by_async(self) -> AsyncIterator[Token]:
            return service.stream_tokens()

        @vovk.post.auto()
        def yield_from(self) -> Iterator[Token]:
            yield from service.stream_tokens_sync()

    return Controller


@pytest.mark.parametrize("waits", [True, False], ids=["it-waits", "it-stands-at-its-yield"])
@pytest.mark.parametrize("way", ["delegate", "returned", "returned_by_async", "yield_from"])
def test_the_inner_generator_ends_with_the_clients_leaving(
    way: str, waits: bool, legacy: bool
) -> None:
    service = KeptService(waits=waits)

    async def leave(controller: Any) -> None:
        resp = await controller[way](isStream=True)
        async for token in resp:
            assert token["message"].startswith("Hello,")
            break
        left_s = time.monotonic()
        await asyncio.to_thread(until, lambda: service.ended_s, ALLOWED_S)
        took_s = service.ended_s[0] - left_s
        keep_ms(f"Vovk, {way}: the inner finally ran", took_s)
        assert len(service.kept) == 1

    with_client(delegating_ways(service), leave, legacy=legacy)


def test_cancel_while_the_producer_waits(legacy: bool) -> None:
    """``resp.cancel()``: not at its next token, which is an hour away."""
    service = KeptService(waits=True)

    async def cancel(controller: Any) -> None:
        resp = await controller.delegate(isStream=True)
        loop = aiter(resp)
        await anext(loop)
        assert await asyncio.to_thread(service.waiting.wait, 10)
        resp.cancel()
        await asyncio.to_thread(until, lambda: service.ended_s, ALLOWED_S)
        with pytest.raises(kk.CallCancelled):
            await anext(loop)

    with_client(delegating_ways(service), cancel, legacy=legacy)


# ---- Error handling


def test_the_thrown_object_is_raised_again(legacy: bool) -> None:
    """ "casted to the client-side as-is and re-thrown there", after what was yielded before."""

    async def log_tokens(controller: Any) -> None:
        tokens, e = await until_thrown(controller)
        assert tokens == TOKENS[:1]
        assert isinstance(e, kk.RemoteThrow)
        assert e.value == {"hello": "World"}
        assert e.message == '{"hello":"World"}'

    service = ThrowingService(vovk.Throw({"hello": "World"}))
    with_client(delegating_to(service), log_tokens, legacy=legacy)


@pytest.mark.parametrize("value", [0, False, None, [], [1, {"a": None}], {"isError": True}, 1.5])
def test_any_other_value_is_thrown_as_it_is(value: Any, legacy: bool) -> None:
    async def log_tokens(controller: Any) -> None:
        tokens, e = await until_thrown(controller)
        assert tokens == TOKENS[:1]
        assert isinstance(e, kk.RemoteThrow)
        assert e.value == value
        assert type(e.value) is type(value)

    with_client(delegating_to(ThrowingService(vovk.Throw(value))), log_tokens, legacy=legacy)


@pytest.mark.parametrize("thrown", [vovk.Throw("in pieces"), ValueError("in pieces")])
def test_a_thrown_text_and_an_error_are_the_same_to_a_client(
    thrown: BaseException, legacy: bool
) -> None:
    async def log_tokens(controller: Any) -> None:
        tokens, e = await until_thrown(controller)
        assert tokens == TOKENS[:1]
        assert not isinstance(e, kk.RemoteThrow)
        assert e.message == "in pieces"

    with_client(delegating_to(ThrowingService(thrown)), log_tokens, legacy=legacy)


# ---- The OpenAI example


def test_what_open_ai_streams_and_its_error(legacy: bool) -> None:
    completion = Completion(ConnectionError("no more credit"))

    async def log_tokens(controller: Any) -> None:
        tokens, e = await until_thrown(controller)
        assert tokens == ["This", " is", "", " a test", ""]
        assert isinstance(e, kk.RemoteThrow)
        assert e.value == {"openAiError": "no more credit"}

    with_client(delegating_to(OpenAiService(completion)), log_tokens, legacy=legacy)
    assert completion.closed.is_set()


def test_the_providers_stream_is_closed_by_cancel(legacy: bool) -> None:
    completion = Completion()

    async def stop(controller: Any) -> None:
        resp = await controller.streamTokens(isStream=True)
        async for token in resp:
            if token == " a test":
                break
        await asyncio.to_thread(until, completion.closed.is_set, ALLOWED_S)

    with_client(delegating_to(OpenAiService(completion)), stop, legacy=legacy)
