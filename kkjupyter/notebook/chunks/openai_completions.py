"""Chat completions and plain completions of ``openai``, and of the many that took their shape over.

Among them Azure, ``litellm``, ``huggingface_hub``, vLLM, and servers of other providers.
"""

from __future__ import annotations

from typing import Any

from kkjupyter.notebook.chunks.content import content_parts
from kkjupyter.notebook.chunks.fields import (
    Fields,
    call_key,
    error_text,
    fields,
    flat_text,
    is_list,
    json_text,
    list_of,
    plain_dict,
    string,
)
from kkjupyter.notebook.chunks.media import media_in, media_of_bytes
from kkjupyter.notebook.chunks.parts import CallDelta, Part

__all__ = ["MARKS", "read"]

MARKS = frozenset({"choices", "object"})

# What a chunk has besides its choices; a dict of the user's that has no choices has none of them.
_ENVELOPE = ("object", "model", "usage", "prompt_filter_results")
# What a chunk says that it is. One may say so and nothing else.
_KINDS = ("chat.completion.chunk", "text_completion")
# What is new in a chunk. Objects made from what is on the wire have only what is there.
_DELTA = ("content", "role", "reasoning_content", "reasoning", "refusal", "tool_calls")
# Where there are several, they say the same.
_REASONING = ("reasoning_content", "reasoning", "reasoning_details")
_PLAIN = (str, int, float, bool, list, tuple, bytes)


def read(chunk: Fields) -> list[Part] | None:
    """The parts of all choices of a chunk."""
    choices = chunk.get("choices")
    parts: list[Part] = []
    if choices is None:
        if string(chunk.get("object")) not in _KINDS:
            return None
    elif not is_list(choices):
        return None
    elif not choices:
        if not any(name in chunk for name in _ENVELOPE):
            return None
    else:
        for number, value in enumerate(choices):
            choice = fields(value)
            if _is_choice(choice):
                _read_choice(choice, parts)
            elif number == 0:
                return None
    if model := string(chunk.get("model")):
        parts.append(Part("model", model))
    if error := error_text(chunk.get("error")):
        parts.append(Part("error", error))
    if (usage := chunk.get("usage")) is not None:
        parts.append(Part("usage", (plain_dict(usage), False)))
    return parts


def _is_choice(choice: Fields) -> bool:
    delta = choice.get("delta")
    if delta is None:
        if "delta" not in choice and not issubclass(type(choice.get("text")), str):
            return False
    elif not issubclass(type(delta), _PLAIN):
        if issubclass(type(delta), dict):
            return True
        known = fields(delta)
        if any(name in known for name in _DELTA):
            return True
    elif not issubclass(type(choice.get("text")), str):
        return False
    return "index" in choice or "finish_reason" in choice


def _read_choice(choice: Fields, parts: list[Part]) -> None:
    index = choice.get("index")
    number = index if type(index) is int else 0
    if text := string(choice.get("text")):
        parts.append(Part("text", text, number))
    value = choice.get("delta")
    if value is not None:
        delta = fields(value)
        if role := string(delta.get("role")):
            parts.append(Part("role", role, number))
        for name in _REASONING:
            if reasoning := flat_text(delta.get(name)):
                parts.append(Part("reasoning", reasoning, number))
                break
        content = delta.get("content")
        if type(content) is str:
            if content:
                parts.append(Part("text", content, number))
        elif content is not None:
            parts += content_parts(content, number)
        _read_rare(delta, number, parts)
    if reason := string(choice.get("finish_reason")):
        parts.append(Part("finish_reason", reason, number))


def _read_rare(delta: Fields, number: int, parts: list[Part]) -> None:
    if refusal := string(delta.get("refusal")):
        parts.append(Part("refusal", refusal, number))
    if (audio := delta.get("audio")) is not None:
        known = fields(audio)
        if transcript := string(known.get("transcript")):
            parts.append(Part("text", transcript, number))
        if data := string(known.get("data")):
            # While it is streamed, there is no other format.
            parts.append(Part("audio", media_of_bytes("audio", data, "audio/pcm16"), number))
    for image in list_of(delta.get("images")):
        parts.append(Part("image", media_in("image", image), number))
    calls = delta.get("tool_calls")
    for at, value in enumerate(list_of(calls)):
        call = fields(value)
        function = call.get("function") or call.get("custom")
        if delta_of := _call_delta(call, function, call_key(call.get("index"), at)):
            parts.append(Part("tool_call", delta_of, number))
    function = delta.get("function_call")
    if function is not None and (delta_of := _call_delta({}, function, "function_call")):
        parts.append(Part("tool_call", delta_of, number))


def _call_delta(call: Fields, function: Any, key: Any) -> CallDelta | None:
    known = fields(function)
    name = string(known.get("name"))
    arguments = known.get("arguments")
    text = json_text(known.get("input") if arguments is None else arguments)
    call_id = string(call.get("id"))
    if not name and not text and not call_id:
        return None
    # Where the arguments are no text, they are all there.
    is_whole = issubclass(type(arguments), dict)
    return CallDelta(key, call_id, name, text, is_whole)
