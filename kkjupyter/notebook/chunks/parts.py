"""What a chunk brings: parts of an answer, each of one kind."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

__all__ = ["PART_KINDS", "CallDelta", "Part", "PartKind", "ToolResult"]

PartKind = Literal[
    "text",
    "reasoning",
    "refusal",
    "tool_call",
    "tool_result",
    "image",
    "audio",
    "usage",
    "finish_reason",
    "error",
    "role",
    "model",
    "other",
]
PART_KINDS: tuple[PartKind, ...] = (
    "role",
    "model",
    "reasoning",
    "text",
    "refusal",
    "tool_call",
    "tool_result",
    "image",
    "audio",
    "other",
    "error",
    "finish_reason",
    "usage",
)
"""In the order in which a chunk with several of them is read."""


class Part(NamedTuple):
    """One thing that a chunk brings.

    Attributes:
        kind: what it is.
        value: a :class:`CallDelta` for a tool call, a :class:`ToolResult` for what it returned, a
            :class:`Media` for an image and for audio; for usage, the counts and whether they add to
            the earlier ones; else a text: more of the answer, or the name of what came.
        choice: the number of the alternative that it belongs to.
        rank: 0 for what comes first-hand. Some clients say a thing twice (each delta, then all of
            it); what has a higher rank counts only if the stream has nothing of a lower one.
    """

    kind: PartKind
    value: Any
    choice: int = 0
    rank: int = 0


class CallDelta(NamedTuple):
    """What a chunk adds to a tool call.

    Attributes:
        key: which call of the answer it is; None for a call that is whole in this chunk.
        id: its id; empty if this chunk does not say.
        name: the name of the tool, or more of it.
        arguments: more of its arguments, as JSON text.
        is_whole: whether ``arguments`` are all that came so far, instead of what is new.
    """

    key: Any
    id: str = ""
    name: str = ""
    arguments: str = ""
    is_whole: bool = False


class ToolResult(NamedTuple):
    """What a tool has returned.

    Attributes:
        id: of the call; empty if the chunk does not say.
        name: of the tool; likewise.
        text: the result.
    """

    id: str
    name: str
    text: str
