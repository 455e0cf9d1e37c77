"""A server on this machine that streams as OpenAI's chat completions do: no key, no network.

::

    with LocalOpenAI() as local:
        client = openai.AsyncOpenAI(api_key="none", base_url=local.url)
        ...
        local.exchanges[-1].gone.wait(1)     # whether the client has hung up

What it answers is babbled by the demo's toy model. It notes what each client was sent, which is
what a provider would charge for, and when the client hung up.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, Self, TypeVar

from aiohttp import web

from kkjupyter.demo import model as toy_model

__all__ = ["Exchange", "LocalOpenAI"]

T = TypeVar("T")

# What OpenAI's cousin on Azure sends ahead: a chunk about the prompt, without a choice.
_FILTERED = {"id": "", "object": "", "created": 0, "model": "", "choices": []}


class Exchange:
    """One request and what became of it.

    Attributes:
        body: the request's JSON.
        sent: the tokens the client was sent.
        gone: set when the client has hung up before the end.
        gone_at_s: when that was, on the monotonic clock; 0 as long as it has not.
    """

    def __init__(self, body: dict[str, Any]) -> None:
        self.body = body
        self.sent: list[str] = []
        self.gone = threading.Event()
        self.gone_at_s = 0.0


class LocalOpenAI:
    """Serves on a free loopback port, in a thread of its own, until :meth:`close`.

    As with the real one, a model it does not have is answered 404; it has all that start with
    "gpt-".

    Args:
        answer: gives the tokens that answer a prompt; they may be without end.
        pause_s: how long it takes for each token.
        dies_after: breaks the connection off after so many tokens, if not None.

    Attributes:
        url: for ``base_url=`` of the client.
        exchanges: one for each request, the newest last.
    """

    def __init__(
        self,
        answer: Callable[[str], Iterable[str]] | None = None,
        *,
        pause_s: float = 0.05,
        dies_after: int | None = None,
    ) -> None:
        self.exchanges: list[Exchange] = []
        self._answer = answer or _babble
        self._pause_s = pause_s
        self._dies_after = dies_after
        self._closing = False
        app = web.Application()
        app.router.add_post("/v1/chat/completions", self._complete)
        # The cancellation is how a handler hears that its client is gone.
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="local-openai", daemon=True
        )
        self._thread.start()
        self.url = self._run(self._start())

    def close(self) -> None:
        """Hang up on everybody and stop. Idempotent; not on the server's own thread."""
        if not self._closing:
            self._closing = True
            self._run(self._runner.cleanup())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self, coro: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coro, self._loop).result()

    async def _start(self) -> str:
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}/v1"

    async def _complete(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        exchange = Exchange(body)
        self.exchanges.append(exchange)
        if not body["model"].startswith("gpt-"):
            return _refusal(404, f"The model `{body['model']}` does not exist", "model_not_found")
        if not body.get("stream"):
            return _refusal(400, "This server only streams: stream=True", "invalid_value")
        try:
            return await self._stream(request, exchange)
        except (asyncio.CancelledError, ConnectionError):
            if not self._closing:
                exchange.gone_at_s = time.monotonic()
                exchange.gone.set()
            raise

    async def _stream(self, request: web.Request, exchange: Exchange) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        response.force_close()  # so that nobody is left with a connection in a pool
        template = {
            "id": f"chatcmpl-local-{len(self.exchanges)}",
            "object": "chat.completion.chunk",
            "created": int(time.time()),
            "model": exchange.body["model"],
        }

        async def send(delta: dict[str, str], finish_reason: str | None = None) -> None:
            choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
            await response.write(_event({**template, "choices": [choice]}))

        await asyncio.sleep(self._pause_s)  # as the real one, silent until there is a token
        await response.prepare(request)
        await response.write(_event(_FILTERED))
        await send({"role": "assistant", "content": ""})
        for token in self._answer(_prompt(exchange.body)):
            if len(exchange.sent) == self._dies_after:
                if request.transport is not None:
                    request.transport.abort()
                return response
            await send({"content": token})
            exchange.sent.append(token)
            await asyncio.sleep(self._pause_s)
        await send({}, "stop")
        await response.write(b"data: [DONE]\n\n")
        return response


def _event(data: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(data).encode() + b"\n\n"


def _prompt(body: dict[str, Any]) -> str:
    return str(body["messages"][-1]["content"])


def _babble(prompt: str) -> Iterable[str]:
    return toy_model.load().tokens(prompt)


def _refusal(status: int, message: str, code: str) -> web.Response:
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": code}
    response = web.json_response({"error": error}, status=status)
    response.force_close()
    return response
