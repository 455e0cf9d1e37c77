"""OpenAI's chat completions as an endpoint of one's own, for Vovk clients and for kkrpc clients.

::

    service = OpenAIService()                       # a server of its own on this machine
    service = OpenAIService(AsyncOpenAI())          # the provider, with your key; this costs money
    server = vovk.serve({"OpenAI": OpenAIController(service)})
    server = kk.serve(OpenAIApi(service))

However a stream ends, it ends at the provider, too: whoever presses Cancel stops paying. What goes
wrong at the provider arrives as ``{openAiError: ...}``, thrown as it is in Vovk, a property of the
error in kkrpc.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import aclosing, contextmanager
from typing import Any, NotRequired, Self, TypedDict, cast

from openai import AsyncOpenAI, DefaultAsyncHttpxClient

import kkjupyter as kk
from kkjupyter import vovk

from .local_openai import LocalOpenAI

__all__ = ["OpenAIApi", "OpenAIController", "OpenAIService"]

MODEL = "gpt-4"


class Message(TypedDict):
    """One of a conversation."""

    role: str
    content: str


class Chat(TypedDict):
    """What to complete, and by which model."""

    messages: list[Message]
    model: NotRequired[str]


class OpenAIService:
    """Streams chat completions; all on one event loop, as the client keeps its connections.

    Args:
        client: of the provider. Without one it is that of a local server, whatever keys and
            addresses are in the environment: only who gives a client can get a bill.

    Attributes:
        local: that local server, or None.
    """

    def __init__(self, client: AsyncOpenAI | None = None) -> None:
        self.local: LocalOpenAI | None = None
        if client is None:
            self.local = LocalOpenAI()
            client = local_client(self.local)
        self._client = client

    def close(self) -> None:
        """Stop the local server, if there is one."""
        if self.local is not None:
            self.local.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def stream_chunks(
        self, messages: list[Message], model: str = MODEL
    ) -> AsyncGenerator[dict[str, Any], None]:
        """Yield the provider's chunks, without those that have no ``choices``.

        Raises:
            openai.OpenAIError: the provider refused, or failed on the way; from older versions of
                the library also an error of its HTTP client.
        """
        # Cancelled while this waits, the client hangs up by itself.
        stream = await self._client.chat.completions.create(
            model=model, messages=cast("Any", messages), stream=True
        )
        try:
            async for chunk in stream:
                if chunk.choices:
                    yield chunk.model_dump(mode="json", exclude_unset=True)
        finally:
            await stream.close()

    async def stream_tokens(
        self, messages: list[Message], model: str = MODEL
    ) -> AsyncGenerator[str, None]:
        """Yield the text of each chunk that has some; errors as :meth:`stream_chunks`."""
        async with aclosing(self.stream_chunks(messages, model)) as chunks:
            async for chunk in chunks:
                if text := chunk["choices"][0]["delta"].get("content"):
                    yield text


class OpenAIController(vovk.Controller, prefix="openai"):
    """``streamTokens`` and ``streamChunks`` for Vovk clients."""

    def __init__(self, service: OpenAIService) -> None:
        self.service = service

    @vovk.post.auto()
    async def stream_tokens(self, req: vovk.Request[Chat]) -> AsyncIterator[str]:
        """Complete a chat, token by token."""
        chat = await req.json()
        with errors_as(thrown):
            async for token in vovk.delegate(self.service.stream_tokens(**chat)):
                yield token

    @vovk.post.auto()
    async def stream_chunks(self, req: vovk.Request[Chat]) -> AsyncIterator[dict[str, Any]]:
        """Complete a chat, with all that the provider says about each token."""
        chat = await req.json()
        with errors_as(thrown):
            async for chunk in vovk.delegate(self.service.stream_chunks(**chat)):
                yield chunk


class OpenAIApi:
    """The same for kkrpc clients: ``api.streamTokens([{"role": "user", "content": "Hi"}])``."""

    def __init__(self, service: OpenAIService) -> None:
        self._service = service

    async def streamTokens(  # noqa: N802  a wire name
        self, messages: list[Message], model: str = MODEL
    ) -> AsyncIterator[str]:
        """Complete a chat, token by token."""
        with errors_as(error_object):
            async with aclosing(self._service.stream_tokens(messages, model)) as tokens:
                async for token in tokens:
                    yield token

    async def streamChunks(  # noqa: N802
        self, messages: list[Message], model: str = MODEL
    ) -> AsyncIterator[dict[str, Any]]:
        """Complete a chat, with all that the provider says about each token."""
        with errors_as(error_object):
            async with aclosing(self._service.stream_chunks(messages, model)) as chunks:
                async for chunk in chunks:
                    yield chunk


def local_client(local: LocalOpenAI) -> AsyncOpenAI:
    """A client of ``local``, whatever the environment says about keys, addresses and proxies."""
    return AsyncOpenAI(
        api_key="none",
        base_url=local.url,
        http_client=DefaultAsyncHttpxClient(trust_env=False),
    )


@contextmanager
def errors_as(make: Callable[[str], Exception]) -> Iterator[None]:
    """Raise what ``make`` makes of an error's text: that which JavaScript's ``String(e)`` has."""
    try:
        yield
    except Exception as exc:
        raise make(f"{type(exc).__name__}: {exc}") from exc


def thrown(text: str) -> Exception:
    """As Vovk clients get it: the object itself."""
    return vovk.Throw({"openAiError": text})


def error_object(text: str) -> Exception:
    """As kkrpc clients get it: an error with that property."""
    return kk.RemoteError(text, name="OpenAIError", data={"openAiError": text})
