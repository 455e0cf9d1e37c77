"""What the fuzzers send: messages as recorded between real peers, and what becomes of them."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

__all__ = ["heads", "messages", "mutated", "rpc_lines", "schemas", "streamed_bodies"]

ROOT = Path(__file__).resolve().parent.parent
_RECORDED = ROOT / "tests" / "wire" / "peers"

# What readers stumble over: ends of lines and of numbers, escapes, marks of the codecs.
_TOKENS = [
    *(b"\n", b"\r\n", b"\x00", b"\xff", b"\\", b'\\"', b'"', b"{", b"}", b"[", b"]", b",", b":"),
    *(b"null", b"true", b"1e999", b"-0", b"NaN", b"1" * 400, b"0.1", b"9007199254740993"),
    *(
        b"\\ud800",
        b"\\u0000",
        b"\xed\xa0\x80",
        "\u2028".encode(),
        "é😀".encode(),
        b"\x1b]52;c;eA==\x07",
    ),
    *(b'"t"', b'"id"', b'"sid"', b'"op"', b'"json"', b'"meta"', b'"values"', b'"__proto__"'),
    *(b'"__kkrpc_next_stream__"', b'"__kkrpc_next_arg__"', b"__##DIV123##__", b"__callback__"),
    *(b'"referentialEqualities"', b'["set"]', b'["map"]', b'["bigint"]', b'["Date"]', b'"$ref"'),
    *(b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b"Expect: 100-continue\r\n"),
    *(b"Content-Encoding: gzip\r\n", b"Connection: Upgrade\r\n", b"?token=x", b"%00", b"../"),
]
_PIECES = [b"[", b'{"a":', b"(", b"\\", b"\n", b'"', b"a", b"[],"]
_RPC_LINES = [
    "api.countdown(5)",
    'api.chat("Hi {x} $y") --view markdown --out reply',
    "api.ticks() --take 20 --for 10",
    "await api.math.add(1, b=[2, {3: 4}])",
    "connect ws://127.0.0.1:8765 as api --header 'K: env:V' --codec json",
    "status",
    "cancel 3 --all",
    "trace last",
    "show 2 # a comment",
    "(lambda x: x)(1) if True else f'{1!r:>{2}}'",
]
_SCHEMAS = [
    {"type": "object", "properties": {"a": {"type": "string", "pattern": "^(a+)+$"}}},
    {"$ref": "#/$defs/t", "$defs": {"t": {"anyOf": [{"$ref": "#/$defs/t"}, {"type": "null"}]}}},
    {"type": ["array", "null"], "items": {"type": ["array"]}, "uniqueItems": True, "maxItems": 3},
    {"patternProperties": {"^x-": {"enum": [1, "a", None]}}, "additionalProperties": False},
    {"allOf": [{"required": ["a"]}, {"not": {"const": 1}}], "if": {}, "then": {"minLength": 2}},
]


def messages(session: str) -> list[bytes]:
    """Every message of a recorded session of kkrpc ("compact-json"), both directions."""
    texts = (line.get("text") for line in _lines(f"kkrpc/{session}"))
    return [text.encode("utf-8", "surrogatepass") for text in texts if text]


def _lines(session: str) -> list[dict[str, Any]]:
    with (_RECORDED / f"{session}.jsonl").open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def heads() -> list[bytes]:
    """Requests as recorded, head and body, for HTTP/1.1."""
    found: list[bytes] = []
    for line in [*_lines("vovk/new"), *_lines("vovk/old")]:
        if line.get("dir") == "c2s":
            body = line.get("text", "")
            has_length = any(
                field.lower().startswith("content-length") for field in line["headers"]
            )
            length = [] if has_length else [f"Content-Length: {len(body)}"]
            head = [line["line"], *line["headers"], *length]
            found.append("\r\n".join([*head, "", body]).encode())
    for message in messages("classic-http") + messages("compact-http"):
        found.append(
            b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n%b" % (len(message), message)
        )
    return found


def streamed_bodies() -> list[bytes]:
    """JSON Lines; a divider takes the place of the line feeds for the other form."""
    items = [{"i": 0, "t": "tok"}, "text", None, [1, 2], {"isError": True, "reason": "no"}]
    lines = [json.dumps(item).encode() + b"\n" for item in items]
    return [*lines, b"".join(lines), b"".join(lines).replace(b"\n", b"__##DIV123##__")]


def schemas() -> list[bytes]:
    """Whole schemas of Vovk, and JSON Schemas as a handler has them."""
    files = sorted((_RECORDED / "vovk" / "schemas").glob("*.json"))
    return [path.read_bytes() for path in files] + [json.dumps(one).encode() for one in _SCHEMAS]


def rpc_lines() -> list[bytes]:
    """What may follow ``%rpc``."""
    return [line.encode() for line in _RPC_LINES]


def mutated(rnd: random.Random, seeds: list[bytes], limit_bytes: int = 64 * 1024) -> bytes:
    """One of ``seeds`` with some of it changed, and now and then none."""
    data = bytearray(rnd.choice(seeds))
    for _ in range(rnd.choice((0, 1, 1, 1, 2, 3, 8))):
        at = rnd.randrange(len(data) + 1)
        end = min(len(data), at + rnd.choice((1, 1, 4, 16, 200)))
        match rnd.randrange(9):
            case 0 if data:
                data[at % len(data)] ^= 1 << rnd.randrange(8)
            case 1:
                del data[at:end]
            case 2:
                data[at:at] = data[at:end]
            case 3:
                data[at:at] = rnd.choice(_TOKENS)
            case 4:
                data[at:end] = rnd.choice(_TOKENS)
            case 5:  # the rest of another one
                other = rnd.choice(seeds)
                data[at:] = other[rnd.randrange(len(other) + 1) :]
            case 6:
                data[at:at] = (bytes(data[at:end]) or b"[") * rnd.choice((10, 100, 2_000))
            case 7:
                data[at:at] = rnd.choice(_PIECES) * rnd.choice((3, 100, 3_000, 20_000))
            case _:
                data = data[:at]
    return bytes(data[:limit_bytes])
