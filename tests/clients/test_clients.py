"""The recorded streams once more, as objects of the clients' own classes.

Run by the step "clients", in an environment that has these libraries. None of them is asked for
anything over a network.
"""

from __future__ import annotations

import copy
import dataclasses
import pickle
from collections.abc import Callable
from typing import Any

import agents
import anthropic.lib.streaming
import anthropic.types
import cohere.v2.types
import google.genai.types
import huggingface_hub
import langchain_core.messages
import mistralai.client.models
import ollama
import openai.types.chat
import openai.types.responses
import pydantic_ai.messages
import pytest
from pydantic import TypeAdapter
from support.llm_chunks import STREAMS

from kkjupyter.notebook.run.extractors import ChunkTexts
from kkjupyter.notebook.run.reply import Reply
from kkjupyter.notebook.run.snapshots import snapshot
from kkjupyter.notebook.views.text import TextView

Make = Callable[[dict[str, Any]], Any]

response_event = TypeAdapter(openai.types.responses.ResponseStreamEvent).validate_python
raw_message_event = TypeAdapter(anthropic.types.RawMessageStreamEvent).validate_python
anthropic_derived = TypeAdapter(
    anthropic.lib.streaming.TextEvent | anthropic.lib.streaming.InputJsonEvent
).validate_python
cohere_event = TypeAdapter(cohere.v2.types.V2ChatStreamResponse).validate_python
pydantic_ai_event = TypeAdapter(pydantic_ai.messages.ModelResponseStreamEvent).validate_python
generate_content = google.genai.types.GenerateContentResponse.model_validate
huggingface_chat = huggingface_hub.ChatCompletionStreamOutput.parse_obj_as_instance
huggingface_text = huggingface_hub.TextGenerationStreamOutput.parse_obj_as_instance
mistral_event = mistralai.client.models.CompletionEvent.model_validate


def openai_chunk(item: dict[str, Any]) -> Any:
    # As the client makes it of what is on the wire: Azure's first chunk lacks what the type asks.
    return openai.types.chat.ChatCompletionChunk.construct(**item)


def agents_event(item: dict[str, Any]) -> Any:
    if item["type"] == "raw_response_event":
        return agents.RawResponsesStreamEvent(data=response_event(item["data"]))
    call = openai.types.responses.ResponseFunctionToolCall(**{**item["item"], "arguments": "{}"})
    agent: agents.Agent[Any] = agents.Agent(name="weatherman")
    called = agents.ToolCallItem(agent=agent, raw_item=call)
    return agents.RunItemStreamEvent(name=item["name"], item=called)


def anthropic_event(item: dict[str, Any]) -> Any:
    return item if item["type"] == "ping" else raw_message_event(item)  # it has no class


def anthropic_stream_event(item: dict[str, Any]) -> Any:
    if "snapshot" not in item:
        return anthropic_event(item)
    if item["type"] == "thinking":
        from anthropic.lib.streaming._types import ThinkingEvent

        return ThinkingEvent.model_validate(item)
    return anthropic_derived(item)


def langchain_chunk(item: dict[str, Any]) -> Any:
    return langchain_core.messages.AIMessageChunk(**copy.deepcopy(item))


def langchain_event(item: dict[str, Any]) -> Any:
    if "chunk" not in item["data"]:
        return item
    return {**item, "data": {"chunk": langchain_chunk(item["data"]["chunk"])}}


MAKERS: dict[str, tuple[str, Make]] = {
    "openai": ("openai", openai_chunk),
    "openai responses": ("openai responses", response_event),
    "openai agents": ("openai agents", agents_event),
    "anthropic": ("anthropic", anthropic_event),
    "anthropic stream": ("anthropic stream", anthropic_stream_event),
    "google-genai": ("google-genai", generate_content),
    "google-genai of the wire": ("google on the wire", generate_content),
    "ollama": ("ollama", ollama.ChatResponse.model_validate),
    "ollama generate": ("ollama generate", ollama.GenerateResponse.model_validate),
    "mistralai": ("mistralai", mistral_event),
    "cohere": ("cohere", cohere_event),
    "huggingface_hub": ("huggingface_hub", huggingface_text),
    "langchain-core": ("langchain-core", langchain_chunk),
    "langchain-core events": ("langchain-core events", langchain_event),
    "pydantic-ai": ("pydantic-ai", pydantic_ai_event),
}
clients = pytest.mark.parametrize(("name", "make"), MAKERS.values(), ids=MAKERS.keys())


def shown_of(items: list[Any]) -> str:
    view = TextView()
    return view.feed(ChunkTexts()(items)) + view.finish()


@clients
def test_what_a_reply_has(name: str, make: Make) -> None:
    stream = STREAMS[name]
    reply = Reply("f()", pick=ChunkTexts())
    reply.extend([make(item) for item in stream.items])
    assert (reply.text, reply.reasoning) == (stream.text, stream.reasoning)
    calls = [(call.id, call.name, call.parsed_arguments) for call in reply.tool_calls]
    assert calls == stream.calls
    usage = reply.usage or {}
    names = {snake_case(name): count for name, count in stream.usage.items()}
    assert names == {name: usage.get(name) for name in names}
    assert reply.message["role"] == "assistant"
    kept = pickle.loads(pickle.dumps(reply))
    assert (kept.text, kept.tool_calls, kept.usage) == (reply.text, reply.tool_calls, reply.usage)


def snake_case(name: str) -> str:
    return "".join([f"_{char.lower()}" if char.isupper() else char for char in name])


@clients
def test_what_is_shown(name: str, make: Make) -> None:
    stream = STREAMS[name]
    shown = shown_of([make(item) for item in stream.items]).rstrip("\n")
    assert shown == (stream.text if stream.shown is None else stream.shown)


@clients
def test_a_copy_that_a_loop_leaves_behind_is_read_alike(name: str, make: Make) -> None:
    items = [make(item) for item in STREAMS[name].items]
    assert shown_of([snapshot(item) for item in items]) == shown_of(items)


@clients
def test_a_chunk_as_a_dict_is_read_as_the_object_is(name: str, make: Make) -> None:
    items = [make(item) for item in STREAMS[name].items]
    assert shown_of([as_dict(item) for item in items]) == shown_of(items)


def as_dict(item: Any) -> Any:
    if isinstance(item, dict):
        return {key: as_dict(part) for key, part in item.items()}
    if isinstance(item, agents.RunItemStreamEvent):
        return {"type": item.type, "name": item.name, "item": {}}
    if dataclasses.is_dataclass(item):
        names = [field.name for field in dataclasses.fields(item)]
        return {name: as_dict(getattr(item, name)) for name in names}
    return item.model_dump(warnings=False) if hasattr(item, "model_dump") else item


def test_a_chat_of_huggingface() -> None:
    known = {"id": "c", "created": 1, "model": "m", "system_fingerprint": "s"}
    function = {"name": "weather", "arguments": '{"at": "Rome"}'}
    call = {"index": 0, "id": "call_1", "type": "function", "function": function}
    deltas = [{"content": "Hel"}, {"content": "lo"}, {"content": None, "tool_calls": [call]}]
    chunks = [
        huggingface_chat(
            {**known, "choices": [{"index": 0, "delta": {"role": "assistant", **delta}}]}
        )
        for delta in deltas
    ]
    reply = Reply("f()", pick=ChunkTexts())
    reply.extend(chunks)
    assert reply.text == "Hello"
    (made,) = reply.tool_calls
    assert (made.id, made.name, made.parsed_arguments) == ("call_1", "weather", {"at": "Rome"})
