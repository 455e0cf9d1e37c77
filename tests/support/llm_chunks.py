"""What LLM clients stream, recorded as dicts, and what is to be made of it.

The unit tests have these as dicts and as plain objects; ``tests/clients`` has the libraries' own
classes made of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

__all__ = ["STREAMS", "Recorded"]


@dataclass(frozen=True)
class Recorded:
    """One stream.

    Attributes:
        items: its chunks.
        text: the answer.
        reasoning: what the model has thought.
        calls: the id, the name and the parsed arguments of each tool call.
        usage: what is to be among the counts.
        shown: what a view for text shows; None for just the answer.
    """

    items: list[dict[str, Any]]
    text: str
    reasoning: str = ""
    calls: list[tuple[str, str, Any]] = field(default_factory=list)
    usage: dict[str, Any] = field(default_factory=dict)
    shown: str | None = None


ROME = {"at": "Rome"}
THOUGHT = "I look\nfirst."
SHOWN_THOUGHT = "> I look\n> first."
SHOWN_CALL = '```tool-call\nweather {"at": "Rome"}\n```'


# ---- openai: chat completions


def chat(delta: dict[str, Any] | None, finish_reason: str | None = None, **more: Any) -> Any:
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason, "logprobs": None}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "gpt-x",
        "choices": [choice],
        "usage": None,
        **more,
    }


def chat_call(index: int, call_id: str | None, name: str | None, arguments: str) -> Any:
    function = {"name": name, "arguments": arguments}
    call = {"index": index, "id": call_id, "type": "function", "function": function}
    return chat({"tool_calls": [call]})


CHAT_USAGE = {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13}
AZURE_FIRST = {
    "id": "",
    "object": "",
    "created": 0,
    "model": "",
    "choices": [],
    "prompt_filter_results": [{"prompt_index": 0, "content_filter_results": {}}],
}
CHAT = [
    AZURE_FIRST,
    chat({"role": "assistant", "content": "", "refusal": None}),
    chat({"content": None, "reasoning_content": "I look\n"}),
    chat({"content": None, "reasoning_content": "first."}),
    chat({"content": "Hel"}),
    chat({"content": "lo"}),
    chat_call(0, "call_1", "weather", ""),
    chat_call(0, None, None, '{"at": '),
    chat_call(0, None, None, '"Rome"}'),
    chat_call(1, "call_2", "time", ""),
    chat_call(1, None, None, "{}"),
    chat({}, "tool_calls"),
    {**chat({}), "choices": [], "usage": CHAT_USAGE},
]

# ---- openai: the Responses API, and the Agents SDK around it


def response(status: str, usage: dict[str, Any] | None = None) -> dict[str, Any]:
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1.0,
        "model": "gpt-x",
        "status": status,
        "output": [],
        "tools": [],
        "tool_choice": "auto",
        "error": None,
        "parallel_tool_calls": True,
        "usage": usage,
        "incomplete_details": None,
    }


RESPONSE_USAGE = {
    "input_tokens": 9,
    "output_tokens": 4,
    "total_tokens": 13,
    "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
    "output_tokens_details": {"reasoning_tokens": 2},
}
CALL_ITEM = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "weather"}
MESSAGE_ITEM = {"type": "message", "id": "msg_1", "role": "assistant", "content": []}
IN_TEXT = {"item_id": "msg_1", "output_index": 1, "content_index": 0}
IN_CALL = {"item_id": "fc_1", "output_index": 2}
IN_SUMMARY = {"item_id": "rs_1", "output_index": 0, "summary_index": 0}
RESPONSES: list[dict[str, Any]] = [
    {"type": "response.created", "response": response("in_progress")},
    {"type": "response.reasoning_summary_text.delta", **IN_SUMMARY, "delta": "I look\n"},
    {"type": "response.reasoning_summary_text.delta", **IN_SUMMARY, "delta": "first."},
    {"type": "response.reasoning_summary_text.done", **IN_SUMMARY, "text": THOUGHT},
    {
        "type": "response.output_item.added",
        "output_index": 1,
        "item": {**MESSAGE_ITEM, "status": "in_progress"},
    },
    {"type": "response.output_text.delta", **IN_TEXT, "delta": "Hel", "logprobs": []},
    {"type": "response.output_text.delta", **IN_TEXT, "delta": "lo", "logprobs": []},
    {"type": "response.output_text.done", **IN_TEXT, "text": "Hello", "logprobs": []},
    {
        "type": "response.output_item.added",
        "output_index": 2,
        "item": {**CALL_ITEM, "arguments": "", "status": "in_progress"},
    },
    {"type": "response.function_call_arguments.delta", **IN_CALL, "delta": '{"at": '},
    {"type": "response.function_call_arguments.delta", **IN_CALL, "delta": '"Rome"}'},
    {
        "type": "response.function_call_arguments.done",
        **IN_CALL,
        "name": "weather",
        "arguments": '{"at": "Rome"}',
    },
    {
        "type": "response.output_item.done",
        "output_index": 2,
        "item": {**CALL_ITEM, "arguments": '{"at": "Rome"}', "status": "completed"},
    },
    {"type": "response.completed", "response": response("completed", RESPONSE_USAGE)},
]
RESPONSES = [{**event, "sequence_number": at} for at, event in enumerate(RESPONSES)]

# ---- anthropic


def block(index: int, content_block: dict[str, Any]) -> dict[str, Any]:
    return {"type": "content_block_start", "index": index, "content_block": content_block}


def block_delta(index: int, kind: str, **delta: Any) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": {"type": kind, **delta}}


MESSAGE_START: dict[str, Any] = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-x",
    "content": [],
    "stop_reason": None,
    "stop_sequence": None,
    "usage": {"input_tokens": 9, "output_tokens": 1},
}
ANTHROPIC: list[dict[str, Any]] = [
    {"type": "message_start", "message": MESSAGE_START},
    block(0, {"type": "thinking", "thinking": "", "signature": ""}),
    {"type": "ping"},
    block_delta(0, "thinking_delta", thinking="I look\n"),
    block_delta(0, "thinking_delta", thinking="first."),
    block_delta(0, "signature_delta", signature="c2ln"),
    {"type": "content_block_stop", "index": 0},
    block(1, {"type": "text", "text": ""}),
    block_delta(1, "text_delta", text="Hel"),
    block_delta(1, "text_delta", text="lo"),
    {"type": "content_block_stop", "index": 1},
    block(2, {"type": "tool_use", "id": "call_1", "name": "weather", "input": {}}),
    block_delta(2, "input_json_delta", partial_json=""),
    block_delta(2, "input_json_delta", partial_json='{"at": '),
    block_delta(2, "input_json_delta", partial_json='"Rome"}'),
    {"type": "content_block_stop", "index": 2},
    {
        "type": "message_delta",
        "delta": {"stop_reason": "tool_use", "stop_sequence": None},
        "usage": {"output_tokens": 4},
    },
    {"type": "message_stop"},
]


def with_derived(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """As ``messages.stream()`` gives them: behind most deltas, what it makes of them."""
    told: list[dict[str, Any]] = []
    snapshots = {"text": "", "thinking": ""}
    for event in events:
        told.append(event)
        delta = event.get("delta", {})
        kind = str(delta.get("type", "")).removesuffix("_delta")
        if kind in snapshots:
            snapshots[kind] += delta[kind]
            told.append({"type": kind, kind: delta[kind], "snapshot": snapshots[kind]})
        elif kind == "input_json":
            partial = delta["partial_json"]
            told.append({"type": kind, "partial_json": partial, "snapshot": {}})
    return told


ANTHROPIC_STREAM = with_derived(ANTHROPIC)

# ---- google-genai


def candidate(*parts: dict[str, Any], finish_reason: str | None = None) -> dict[str, Any]:
    found = {"content": {"role": "model", "parts": [*parts]}, "index": 0}
    return {**found, "finish_reason": finish_reason} if finish_reason else found


GOOGLE: list[dict[str, Any]] = [
    {
        "candidates": [candidate({"text": "I look\n", "thought": True})],
        "usage_metadata": {"prompt_token_count": 9, "total_token_count": 9},
    },
    {"candidates": [candidate({"text": "first.", "thought": True})], "response_id": "r"},
    {"candidates": [candidate({"text": "Hel"})], "response_id": "r"},
    {"candidates": [candidate({"text": "lo"})], "response_id": "r"},
    {
        "candidates": [
            candidate(
                {"function_call": {"id": "call_1", "name": "weather", "args": ROME}},
                finish_reason="STOP",
            )
        ],
        "usage_metadata": {
            "prompt_token_count": 9,
            "candidates_token_count": 4,
            "total_token_count": 13,
        },
    },
    {"candidates": None, "response_id": "r"},
]


def on_the_wire(value: Any) -> Any:
    """With the names that REST has: ``usageMetadata``."""
    if isinstance(value, list):
        return [on_the_wire(part) for part in value]
    if not isinstance(value, dict):
        return value
    named: dict[str, Any] = {}
    for name, part in value.items():
        first, *others = name.split("_")
        wire_name = first + "".join(word.capitalize() for word in others)
        named[wire_name] = part if name == "args" else on_the_wire(part)
    return named


# ---- ollama


def ollama_chat(**message: Any) -> dict[str, Any]:
    return {
        "model": "llama",
        "created_at": "2026-01-01T00:00:00Z",
        "done": False,
        "message": {"role": "assistant", "content": "", **message},
    }


OLLAMA_END = {"done": True, "done_reason": "stop", "prompt_eval_count": 9, "eval_count": 4}
OLLAMA_CHAT = [
    ollama_chat(thinking="I look\n"),
    ollama_chat(thinking="first."),
    ollama_chat(content="Hel"),
    ollama_chat(content="lo"),
    ollama_chat(tool_calls=[{"function": {"name": "weather", "arguments": ROME}}]),
    {**ollama_chat(), **OLLAMA_END},
]
OLLAMA_GENERATE: list[dict[str, Any]] = [
    {"model": "llama", "created_at": "t", "done": False, "response": "", "thinking": "I look\n"},
    {"model": "llama", "created_at": "t", "done": False, "response": "", "thinking": "first."},
    {"model": "llama", "created_at": "t", "done": False, "response": "Hel"},
    {"model": "llama", "created_at": "t", "done": False, "response": "lo"},
    {"model": "llama", "created_at": "t", "response": "", **OLLAMA_END},
]

# ---- mistralai


def mistral(delta: dict[str, Any], finish_reason: str | None = None, **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    data = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "mistral-x"}
    return {"data": {**data, "choices": [choice], **more}}


def thinking(text: str) -> list[dict[str, Any]]:
    return [{"type": "thinking", "thinking": [{"type": "text", "text": text}]}]


MISTRAL_CALL = {"id": "call_1", "function": {"name": "weather", "arguments": '{"at": "Rome"}'}}
MISTRAL = [
    mistral({"role": "assistant", "content": ""}),
    mistral({"content": thinking("I look\n")}),
    mistral({"content": thinking("first.")}),
    mistral({"content": [{"type": "text", "text": "Hel"}]}),
    mistral({"content": "lo"}),
    mistral({"content": "", "tool_calls": [MISTRAL_CALL]}, "tool_calls", usage=CHAT_USAGE),
]

# ---- cohere


def cohere(kind: str, index: int, **message: Any) -> dict[str, Any]:
    return {"type": kind, "index": index, "delta": {"message": message}}


def cohere_call(function: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"tool_calls": {**more, "function": function}}


COHERE: list[dict[str, Any]] = [
    {"type": "message-start", "id": "m", "delta": {"message": {"role": "assistant"}}},
    {"type": "tool-plan-delta", "delta": {"message": {"tool_plan": "I look\n"}}},
    {"type": "tool-plan-delta", "delta": {"message": {"tool_plan": "first."}}},
    cohere("content-start", 0, content={"type": "text", "text": ""}),
    cohere("content-delta", 0, content={"text": "Hel"}),
    cohere("content-delta", 0, content={"text": "lo"}),
    {"type": "content-end", "index": 0},
    cohere(
        "tool-call-start",
        0,
        **cohere_call({"name": "weather", "arguments": ""}, id="call_1", type="function"),
    ),
    cohere("tool-call-delta", 0, **cohere_call({"arguments": '{"at": '})),
    cohere("tool-call-delta", 0, **cohere_call({"arguments": '"Rome"}'})),
    {"type": "tool-call-end", "index": 0},
    {
        "type": "message-end",
        "id": "m",
        "delta": {
            "finish_reason": "TOOL_CALL",
            "usage": {"tokens": {"input_tokens": 9, "output_tokens": 4}},
        },
    },
]

# ---- huggingface_hub


def token(text: str, *, special: bool = False, **more: Any) -> dict[str, Any]:
    known = {"id": 1, "logprob": -0.1, "special": special, "text": text}
    return {"index": 1, "token": known, "generated_text": None, "details": None, **more}


DETAILS = {"finish_reason": "eos_token", "generated_tokens": 3, "input_length": 9, "seed": None}
HUGGINGFACE_TEXT = [
    token("Hel"),
    token("lo"),
    token("</s>", special=True, generated_text="Hello", details=DETAILS),
]

# ---- langchain-core


def message_chunk(content: Any, **more: Any) -> dict[str, Any]:
    return {
        "type": "AIMessageChunk",
        "content": content,
        "id": "run-1",
        "additional_kwargs": {},
        "response_metadata": {},
        "tool_call_chunks": [],
        "usage_metadata": None,
        **more,
    }


def call_chunk(arguments: str, name: str | None = None, call_id: str | None = None) -> Any:
    return {
        "name": name,
        "args": arguments,
        "id": call_id,
        "index": 1,
        "type": "tool_call_chunk",
    }


def counts(input_tokens: int, output_tokens: int) -> dict[str, Any]:
    total = input_tokens + output_tokens
    return {
        "input_tokens": input_tokens,
        "output_tokens": output_tokens,
        "total_tokens": total,
    }


LANGCHAIN = [
    message_chunk("", usage_metadata=counts(9, 0)),
    message_chunk("", additional_kwargs={"reasoning_content": "I look\n"}),
    message_chunk([{"type": "thinking", "thinking": "first.", "index": 0}]),
    message_chunk("Hel"),
    message_chunk([{"type": "text", "text": "lo", "index": 0}]),
    message_chunk(
        [{"type": "tool_use", "id": "call_1", "name": "weather", "input": {}, "index": 1}],
        tool_call_chunks=[call_chunk("", "weather", "call_1")],
    ),
    message_chunk(
        [{"type": "input_json_delta", "partial_json": '{"at": "Rome"}', "index": 1}],
        tool_call_chunks=[call_chunk('{"at": "Rome"}')],
    ),
    message_chunk(
        "", response_metadata={"finish_reason": "tool_calls"}, usage_metadata=counts(0, 4)
    ),
]


def chain_event(event: str, chunk: Any) -> dict[str, Any]:
    known = {"run_id": "r", "name": "model", "tags": [], "metadata": {}, "parent_ids": []}
    return {"event": event, **known, "data": {} if chunk is None else {"chunk": chunk}}


LANGCHAIN_EVENTS = [
    chain_event("on_chain_start", None),
    *(
        chain_event(event, chunk)
        for chunk in LANGCHAIN
        for event in ("on_chat_model_stream", "on_parser_stream", "on_chain_stream")
    ),
    chain_event("on_chain_end", None),
]

# ---- llama-index


def llama(delta: str | None, so_far: str, *calls: dict[str, Any], **more: Any) -> dict[str, Any]:
    message = {"role": "assistant", "blocks": [{"block_type": "text", "text": so_far}]}
    kwargs = {"tool_calls": [*calls]} if calls else {}
    return {
        "message": {**message, "additional_kwargs": kwargs},
        "raw": {"id": "c"},
        "delta": delta,
        "logprobs": None,
        "additional_kwargs": more,
    }


def llama_call(arguments: str) -> dict[str, Any]:
    function = {"name": "weather", "arguments": arguments}
    return {"index": 0, "id": "call_1", "type": "function", "function": function}


LLAMA_INDEX = [
    llama(None, ""),
    llama("", "", thinking_delta="I look\n"),
    llama("", "", thinking_delta="first."),
    llama("Hel", "Hel"),
    llama("lo", "Hello"),
    llama("", "Hello", llama_call("")),
    llama("", "Hello", llama_call('{"at": ')),
    llama("", "Hello", llama_call('{"at": "Rome"}')),
]

# ---- pydantic-ai


def part_start(index: int, kind: str, **part: Any) -> dict[str, Any]:
    return {"event_kind": "part_start", "index": index, "part": {"part_kind": kind, **part}}


def part_delta(index: int, kind: str, **delta: Any) -> dict[str, Any]:
    delta = {"part_delta_kind": kind, **delta}
    return {"event_kind": "part_delta", "index": index, "delta": delta}


PYDANTIC_AI: list[dict[str, Any]] = [
    part_start(0, "thinking", content="I look\n"),
    part_delta(0, "thinking", content_delta="first."),
    part_start(1, "text", content="Hel"),
    {"event_kind": "final_result", "tool_name": None, "tool_call_id": None},
    part_delta(1, "text", content_delta="lo"),
    part_start(2, "tool-call", tool_name="weather", args=None, tool_call_id="call_1"),
    part_delta(2, "tool_call", args_delta='{"at": ', tool_call_id="call_1"),
    part_delta(2, "tool_call", args_delta='"Rome"}', tool_call_id="call_1"),
]

# ---- all of them

CALLS = [("call_1", "weather", ROME)]
SHOWN = f"{SHOWN_THOUGHT}\n\nHello\n\n{SHOWN_CALL}"


def usual(items: list[dict[str, Any]], usage: dict[str, Any] | None = None) -> Recorded:
    """One that thinks, answers, and asks for the weather."""
    return Recorded(items, "Hello", THOUGHT, CALLS, usage or {}, SHOWN)


STREAMS: dict[str, Recorded] = {
    "openai": Recorded(
        CHAT,
        "Hello",
        THOUGHT,
        [*CALLS, ("call_2", "time", {})],
        CHAT_USAGE,
        f"{SHOWN}\n\n```tool-call\ntime {{}}\n```",
    ),
    "openai responses": usual(RESPONSES, RESPONSE_USAGE),
    "openai agents": usual(
        [
            *({"type": "raw_response_event", "data": event} for event in RESPONSES),
            {"type": "run_item_stream_event", "name": "tool_called", "item": CALL_ITEM},
        ],
        RESPONSE_USAGE,
    ),
    "anthropic": usual(ANTHROPIC, {"input_tokens": 9, "output_tokens": 4}),
    "anthropic stream": usual(ANTHROPIC_STREAM, {"input_tokens": 9, "output_tokens": 4}),
    "google-genai": usual(GOOGLE, {"prompt_token_count": 9, "candidates_token_count": 4}),
    "google on the wire": usual(
        on_the_wire(GOOGLE), {"promptTokenCount": 9, "candidatesTokenCount": 4}
    ),
    "ollama": Recorded(
        OLLAMA_CHAT,
        "Hello",
        THOUGHT,
        [("", "weather", ROME)],
        {"prompt_eval_count": 9, "eval_count": 4},
        SHOWN,
    ),
    "ollama generate": Recorded(
        OLLAMA_GENERATE,
        "Hello",
        THOUGHT,
        usage={"prompt_eval_count": 9, "eval_count": 4},
        shown=f"{SHOWN_THOUGHT}\n\nHello",
    ),
    "mistralai": usual(MISTRAL, CHAT_USAGE),
    "cohere": usual(COHERE, {"tokens": {"input_tokens": 9, "output_tokens": 4}}),
    "huggingface_hub": Recorded(HUGGINGFACE_TEXT, "Hello", usage={"generated_tokens": 3}),
    "langchain-core": usual(LANGCHAIN, counts(9, 4)),
    "langchain-core events": usual(LANGCHAIN_EVENTS, counts(9, 4)),
    "llama-index": usual(LLAMA_INDEX),
    "pydantic-ai": usual(PYDANTIC_AI),
}
