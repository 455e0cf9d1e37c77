"""Reading JSON Lines: our decoder beside the least that could be done.

    python benchmarks/vovk_body.py [--count 100000] [--runs 15]

Both get the same chunks, without any network. The yardstick splits on line feeds and decodes each
line with msgspec, and knows neither errors nor blanks nor lone surrogates. The promise is at least
80 % of its lines per second where many lines come in one chunk; it exits with 1 where that does not
hold. The two take turns and the median of the shares counts, whatever else the machine does.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from operator import truediv
from typing import Any

import msgspec

from kkjupyter.wire.schema import WireFormat
from kkjupyter.wire.vovk_body import DIVIDER, BodyDecoder, Items

PROMISED = 0.8
TOKEN = b'{"i":12345,"t":"tok"}'
# What comes, in which format, in chunks of how many bytes; and whether the promise is about it.
CASES: list[tuple[str, bytes, WireFormat, int, bool]] = [
    ("tokens, 64 KiB chunks", TOKEN, "jsonlines", 65536, True),
    ("tokens with dividers, 64 KiB chunks", TOKEN, "divider", 65536, True),
    ("texts, 64 KiB chunks", b'"tok"', "jsonlines", 65536, True),
    ("1 KB objects, 64 KiB chunks", b'{"t":"' + b"x" * 1000 + b'"}', "jsonlines", 65536, True),
    ("tokens, one TCP segment each", TOKEN, "jsonlines", 1460, True),
    ("tokens, one line each", TOKEN, "jsonlines", len(TOKEN) + 1, False),
]


def read_plainly(chunks: list[bytes], end: bytes) -> int:
    decode = msgspec.json.Decoder().decode
    values: list[Any] = []
    tail = b""
    for chunk in chunks:
        *lines, tail = (tail + chunk).split(end)
        for line in lines:
            values.append(decode(line))
    return len(values)


def read_with_ours(chunks: list[bytes], wire_format: WireFormat) -> int:
    decoder = BodyDecoder(wire_format)
    values: list[Any] = []
    for chunk in chunks:
        for event in decoder.feed(chunk):
            assert isinstance(event, Items)
            values += event.values
    decoder.end()
    return len(values)


def seconds(read: Callable[[], int], count: int) -> float:
    start_s = time.perf_counter()
    assert read() == count
    return time.perf_counter() - start_s


def main() -> int:
    parser = argparse.ArgumentParser(description="Reading JSON Lines.")
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=15)
    options = parser.parse_args()
    kept = True
    for name, line, wire_format, size, is_promised in CASES:
        end = DIVIDER if wire_format == "divider" else b"\n"
        body = (line + end) * options.count
        chunks = [body[at : at + size] for at in range(0, len(body), size)]
        plain_s: list[float] = []
        ours_s: list[float] = []
        for _ in range(options.runs):
            plain_s.append(seconds(lambda c=chunks, e=end: read_plainly(c, e), options.count))
            ours_s.append(
                seconds(lambda c=chunks, f=wire_format: read_with_ours(c, f), options.count)
            )
        share = statistics.median(map(truediv, plain_s, ours_s))
        rate = options.count / statistics.median(ours_s) / 1e6
        print(f"{name:36} {rate:5.2f} M lines/s   {share:4.0%} of split + msgspec")
        kept = kept and (share >= PROMISED or not is_promised)
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
