"""Reading the recorded exchanges: what was asked, and what came back, byte for byte."""

from __future__ import annotations

import base64
import functools
import json
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wire.peers.sessions import scenarios

__all__ = ["Exchange", "exchange", "names", "schema_file"]

FOLDER = Path(__file__).parent
SESSIONS = ("new", "old")


@dataclass(frozen=True)
class Exchange:
    """One request to a real server, and its answer.

    Attributes:
        name: session and scenario (``"new-fail-object"``).
        method: of the request.
        target: path and query, as sent.
        request_headers: names in lower case.
        request_body: None for none.
        status: of the answer.
        headers: of the answer, names in lower case.
        chunks: of the answer's body: the HTTP chunks, unpacked if they were compressed.
        is_cut: whether the server broke the connection off.
    """

    name: str
    method: str
    target: str
    request_headers: dict[str, str]
    request_body: bytes | None
    status: int
    headers: dict[str, str]
    chunks: tuple[bytes, ...]
    is_cut: bool

    @property
    def body(self) -> bytes:
        return b"".join(self.chunks)

    @property
    def wire_format(self) -> str:
        return "jsonlines" if self.name.startswith("new-") else "divider"


def names() -> list[str]:
    """The exchanges there are, in a stable order."""
    return sorted(_exchanges())


def schema_file(name: str) -> Any:
    """A recorded schema, parsed."""
    return json.loads((FOLDER / "schemas" / name).read_text("utf-8"))


def exchange(name: str) -> Exchange:
    """The one of this name."""
    return _exchanges()[name]


@functools.cache
def _exchanges() -> dict[str, Exchange]:
    return {
        f"{session}-{scenario}": _read(f"{session}-{scenario}", lines[1:])
        for session in SESSIONS
        for scenario, lines in scenarios(FOLDER / f"{session}.jsonl").items()
    }


def _read(name: str, lines: list[dict[str, Any]]) -> Exchange:
    sent = [line for line in lines if line["dir"] == "c2s"]
    head, *rest = (line for line in lines if line["dir"] == "s2c")
    # One was not noted with its request.
    request = sent[0] if sent else {"line": "GET /api/_schema_ HTTP/1.1", "headers": []}
    method, target, _ = request["line"].split(" ")
    headers = _fields(head["headers"])
    chunks = [_bytes(line) for line in rest if "cut" not in line]
    if headers.get("content-encoding") == "gzip":
        unpack = zlib.decompressobj(wbits=31)
        chunks = [unpack.decompress(chunk) for chunk in chunks] + [unpack.flush()]
    return Exchange(
        name,
        method,
        target,
        _fields(request["headers"]),
        _bytes(request) if "text" in request else None,
        int(head["line"].split(" ")[1]),
        headers,
        tuple(chunk for chunk in chunks if chunk),
        is_cut=any("cut" in line for line in rest),
    )


def _fields(lines: list[str]) -> dict[str, str]:
    pairs = (line.partition(":") for line in lines)
    return {name.lower(): value.strip() for name, _, value in pairs}


def _bytes(line: dict[str, Any]) -> bytes:
    text: str | None = line.get("text")
    return base64.b64decode(line["base64"]) if text is None else text.encode()
