"""Every reader of a peer's text, called with mutations in this process: no network.

Run by fuzz.py, which ends it when it does not come back. What is being read is in a file before it
is read.
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fuzz_inputs

from kkjupyter.connection.negotiation import make_protocol
from kkjupyter.errors import KKError
from kkjupyter.notebook.magic.parser import parse
from kkjupyter.plaintext import plain
from kkjupyter.traces.secrets import Excerpts
from kkjupyter.vovk.client.handler_docs import handler_doc, handler_signature
from kkjupyter.vovk.client.json_schema.library import load_library
from kkjupyter.vovk.client.json_schema.validation import HandlerChecks
from kkjupyter.vovk.client.schema_sources import parse_json
from kkjupyter.wire.values import superjson
from kkjupyter.wire.values.json_text import loads
from kkjupyter.wire.vovk.forms import read_form
from kkjupyter.wire.vovk.schema.model import Handler, Part, Schema
from kkjupyter.wire.vovk.schema.reading import read_schema
from kkjupyter.wire.vovk.stream_body import BodyDecoder

LIMIT_S = 1.0
_VALUE = {"a": "a" * 60 + "!", "x-y": [1, 1.0, {"b": None}], "": "a" * 2_000}


def _protocol(name: str, codec: Any) -> Callable[[bytes], object]:
    def read(data: bytes) -> object:
        return make_protocol(name, codec).receive([data], whole=True)

    return read


def _superjson(data: bytes) -> object:
    value = loads(data)
    if isinstance(value, dict):
        meta = value.get("meta")
        return superjson.decode(value.get("json"), meta if isinstance(meta, dict) else None)
    return None


def _body(wire_format: Any) -> Callable[[bytes], object]:
    def read(data: bytes) -> object:
        decoder = BodyDecoder(wire_format)
        half = len(data) // 2
        return [*decoder.feed(data[:half]), *decoder.feed(data[half:]), *decoder.end()]

    return read


def _schema(data: bytes) -> object:
    json_value = parse_json(data, "fuzz")
    try:
        schema = read_schema(json_value)
    except KKError:
        parts: dict[Part, Any] = {"body": json_value if isinstance(json_value, dict) else {}}
        return _handler(Handler("act", "POST", "p/{id}", controller="C", validation=parts))
    return [_handler(handler) for handler in _handlers(schema)[:5]]


def _handlers(schema: Schema) -> list[Handler]:
    return [
        handler
        for segment in schema.segments.values()
        for controller in segment.controllers.values()
        for handler in controller.handlers.values()
    ]


def _handler(handler: Handler) -> object:
    shown = str(handler_signature(handler)) + handler_doc(handler)
    HandlerChecks(handler).check(body=_VALUE, query={"q": "1"}, params={"id": "7"})
    return shown


def _text(data: bytes) -> object:
    text = data.decode("utf-8", "replace")
    return plain(text), Excerpts(["secret"]).text_of(data)


def _form(data: bytes) -> object:
    return read_form(data, "multipart/form-data; boundary=b")


READERS: dict[str, tuple[Callable[[bytes], object], Callable[[], list[bytes]]]] = {
    "classic json": (_protocol("classic", "json"), lambda: fuzz_inputs.messages("classic-json")),
    "classic superjson": (
        _protocol("classic", "superjson"),
        lambda: fuzz_inputs.messages("classic-superjson"),
    ),
    "compact json": (_protocol("compact", "json"), lambda: fuzz_inputs.messages("compact-json")),
    "superjson": (_superjson, lambda: fuzz_inputs.messages("classic-superjson")),
    "JSON lines": (_body("jsonlines"), fuzz_inputs.streamed_bodies),
    "divider": (_body("divider"), fuzz_inputs.streamed_bodies),
    "schema": (_schema, fuzz_inputs.schemas),
    "%rpc line": (lambda data: parse(data.decode("utf-8", "replace")), fuzz_inputs.rpc_lines),
    "text": (_text, lambda: fuzz_inputs.messages("compact-json")),
    "form": (_form, fuzz_inputs.heads),
}


def main(seed: int, seconds_s: float, scratch: Path) -> int:
    """Read until the time is over; a line of JSON each second. 1 if something fell."""
    load_library()
    rnd = random.Random(seed)
    seeds = {name: source() for name, (_, source) in READERS.items()}
    names = list(READERS)
    counts = dict.fromkeys(names, 0)
    slowest_s, slowest = 0.0, ""
    end_s = time.monotonic() + seconds_s
    told_s = 0.0
    with scratch.open("wb", buffering=0) as file:
        while time.monotonic() < end_s:
            name = rnd.choice(names)
            data = fuzz_inputs.mutated(rnd, seeds[name])
            file.seek(0)
            file.truncate()
            file.write(name.encode() + b"\n" + data)
            begun_s = time.thread_time()
            try:
                READERS[name][0](data)
            except KKError as exc:
                if plain(str(exc)) != str(exc):
                    return _fell(name, f"controls in the text of {type(exc).__name__}")
            except Exception as exc:  # noqa: BLE001  what it looks for
                return _fell(name, f"{type(exc).__name__}: {exc}"[:500])
            took_s = time.thread_time() - begun_s
            if took_s > LIMIT_S:
                return _fell(name, f"it took {took_s:.1f} s")
            if took_s > slowest_s:
                slowest_s, slowest = took_s, name
            counts[name] += 1
            if time.monotonic() - told_s > 1:
                told_s = time.monotonic()
                _tell(counts=counts, slowest_s=slowest_s, slowest=slowest)
    _tell(counts=counts, slowest_s=slowest_s, slowest=slowest)
    return 0


def _fell(name: str, why: str) -> int:
    _tell(failure=f"{name}: {why}")
    return 1


def _tell(**what: Any) -> None:
    print(json.dumps(what), flush=True)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), float(sys.argv[2]), Path(sys.argv[3])))
