"""Reading the recorded exchanges: what was asked, and what came back, byte for byte."""

from __future__ import annotations

import json
import re
import shlex
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["FOLDER", "Exchange", "exchange", "names", "schema_file"]

FOLDER = Path(__file__).parent
_RAW = b"----- --raw (chunk framing as on the wire)\n"
_STATUS = re.compile(rb"^(?:< )?HTTP/1\.1 (\d+) (.*)$")


@dataclass(frozen=True)
class Exchange:
    """One request to a real server, and its answer.

    Attributes:
        name: of the file (``"new-fail-object"``).
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
    return sorted(path.stem for path in FOLDER.glob("*.http"))


def schema_file(name: str) -> Any:
    """A recorded schema, parsed."""
    return json.loads((FOLDER / "schemas" / name).read_text("utf-8"))


def exchange(name: str) -> Exchange:
    """The one of this name."""
    data = (FOLDER / f"{name}.http").read_bytes()
    lines = data.split(b"\n")
    sent = [line[2:].decode() for line in lines if line.startswith(b"> ")]
    at = next(index for index, line in enumerate(lines) if _STATUS.match(line))
    match = _STATUS.match(lines[at])
    assert match
    head: list[str] = []
    for line in lines[at + 1 :]:
        text = line.removeprefix(b"< ").strip()
        if not text:
            break
        head.append(text.decode())
    headers = _fields(head)
    chunks, is_cut = _body(data, headers)
    if headers.get("content-encoding") == "gzip":
        unpack = zlib.decompressobj(wbits=31)
        chunks = [unpack.decompress(chunk) for chunk in chunks] + [unpack.flush()]
    method, target = sent[0].split(" ")[:2] if sent else ("GET", "/api/_schema_")
    return Exchange(
        name,
        method,
        target,
        _fields(sent[1:]),
        _request_body(lines[0].decode()),
        int(match[1]),
        headers,
        tuple(chunk for chunk in chunks if chunk),
        is_cut,
    )


def _fields(lines: list[str]) -> dict[str, str]:
    pairs = (line.partition(":") for line in lines if line)
    return {name.lower(): value.strip() for name, _, value in pairs}


def _body(data: bytes, headers: dict[str, str]) -> tuple[list[bytes], bool]:
    """The chunks of the answer and whether it was cut off."""
    _, marker, raw = data.partition(_RAW)
    if not marker:  # only the unpacked body was recorded
        separator = b"\n< \n" if b"\n< \n" in data else b"\r\n\r\n"
        separator = separator if separator in data else b"\n\n"
        body = data.partition(separator)[2].partition(b"* Connection #0")[0]
        return [body.strip()], False
    if "transfer-encoding" not in headers:  # HEAD
        return [], False
    chunks: list[bytes] = []
    while True:
        size_text, _, raw = raw.partition(b"\r\n")
        if not re.fullmatch(rb"[0-9a-f]+", size_text):
            assert b"curl: (18)" in size_text, size_text
            return chunks, True
        size = int(size_text, 16)
        if not size:
            return chunks, False
        chunks.append(raw[:size])
        assert raw[size : size + 2] == b"\r\n"
        raw = raw[size + 2 :]


def _request_body(command: str) -> bytes | None:
    words = shlex.split(command.removeprefix("# "))
    return words[words.index("-d") + 1].encode() if "-d" in words else None
