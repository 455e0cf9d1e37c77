"""Reading the transcripts, and bringing classic frames to a form that can be compared."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wire.peers.sessions import scenarios

__all__ = [
    "Exchange",
    "Frame",
    "Transcript",
    "comparable",
    "exchanges",
    "transcripts",
]

FOLDER = Path(__file__).parent
CODECS = {"classic": ("json", "superjson"), "compact": ("json",)}


@dataclass(frozen=True)
class Frame:
    """One WebSocket frame."""

    from_client: bool
    text: str
    binary: bool = False

    @property
    def payload(self) -> str | bytes:
        """What to send; the recorder had decoded binary frames, with U+FFFD for no UTF-8."""
        return self.text.encode().replace("\ufffd".encode(), b"\xff") if self.binary else self.text


@dataclass(frozen=True)
class Transcript:
    """One scenario, recorded between two real peers with one codec."""

    scenario: str
    codec: str
    frames: tuple[Frame, ...]
    client_result: Any
    is_raw: bool

    def __str__(self) -> str:
        return f"{self.scenario}-{self.codec}"

    @property
    def server_frames(self) -> list[str]:
        return [frame.text for frame in self.frames if not frame.from_client]


def transcripts(protocol: str = "classic") -> Iterator[Transcript]:
    """All of a protocol's over WebSocket, in a stable order."""
    for codec in CODECS[protocol]:
        for scenario, (head, *lines) in scenarios(FOLDER / f"{protocol}-{codec}.jsonl").items():
            yield Transcript(
                scenario,
                codec,
                tuple(
                    Frame(line["dir"] == "c2s", line["text"], line.get("binary", False))
                    for line in lines
                ),
                json.loads(head["client_result"]) if "client_result" in head else None,
                head.get("raw", False),
            )


@dataclass(frozen=True)
class Exchange:
    """What one side wrote on another transport, at once: an HTTP body, or bytes of a stream.

    The last three are None but for HTTP: a request has a method, a response the others, unless none
    came.
    """

    from_client: bool
    text: str
    method: str | None = None
    status: int | None = None
    content_type: str | None = None


def exchanges(session: str) -> list[Exchange]:
    """What was said in ``session`` ("compact-http"), which has one scenario."""
    ((_, *lines),) = scenarios(FOLDER / f"{session}.jsonl").values()
    return [
        Exchange(
            line["dir"] == "c2s",
            line["text"],
            line.get("method"),
            line.get("status"),
            line.get("contentType"),
        )
        for line in lines
    ]


def comparable(frame: str) -> dict[str, Any]:
    """A frame without what carries no meaning.

    That is: the text of stacks, the ids of callback invocations (random), fields that the library
    always sends as undefined, and ``version`` and ``callbackIds``, which tell nothing new.
    """
    message = json.loads(frame)
    meta: dict[str, Any] = {}
    if "json" in message:
        meta = message.get("meta", {})
        message = message["json"]
        meta["values"] = {
            path: note
            for path, note in meta.get("values", {}).items()
            if path not in ("callbackIds", "transferSlots")
        }
        meta = {name: value for name, value in meta.items() if value and name != "v"}
    for name in ("version", "transferSlots", "callbackIds"):
        message.pop(name, None)
    if message["type"] == "callback":
        del message["id"]
    args = message.get("args")
    if isinstance(args, dict) and isinstance(args.get("error"), dict):
        _forget_stacks(args["error"])
    return {**message, **({"meta": meta} if meta else {})}


def _forget_stacks(error: dict[str, Any]) -> None:
    error.pop("stack", None)
    if isinstance(error.get("cause"), dict):
        _forget_stacks(error["cause"])
