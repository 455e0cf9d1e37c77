"""Our client against every recorded exchange with the real servers of Vovk 3.7.0 and 0.1.7.

Where the schema has the handler, we must ask as was asked. What came back must give the result
in expected.py, however its bytes are cut into pieces. README.md says how the real clients fare.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from wire.peers.vovk.exchanges import Exchange, exchange, names, schema_file
from wire.peers.vovk.expected import EXPECTED, HELLO, Result, check

from kkjupyter.errors import (
    ConnectionLost,
    RemoteError,
)
from kkjupyter.wire.values.javascript import undefined
from kkjupyter.wire.vovk.encoding import encode_error, encode_failure, encode_item, missing_route
from kkjupyter.wire.vovk.reply import read_failure, read_value, reply_kind
from kkjupyter.wire.vovk.request import build_request
from kkjupyter.wire.vovk.schema.model import Schema
from kkjupyter.wire.vovk.schema.names import Names
from kkjupyter.wire.vovk.schema.reading import read_schema
from kkjupyter.wire.vovk.stream_body import BodyDecoder, BodyEvent, Items

ROOT = "http://127.0.0.1:4310/api"
SCHEMAS = {
    "jsonlines": read_schema(schema_file("new-3.7.0-vovk-schema-root.json")),
    "divider": read_schema(schema_file("old-0.1.7-vovk-metadata.json")),
}


def events_of(recorded: Exchange, pieces: list[bytes]) -> list[BodyEvent]:
    decoder = BodyDecoder("jsonlines" if kind_of(recorded) == "jsonlines" else "divider")
    events = [event for piece in pieces for event in decoder.feed(piece)]
    lost = ConnectionLost("http://127.0.0.1", "the connection ended in the middle of the answer")
    events += decoder.cut(lost) if recorded.is_cut else decoder.end()
    assert decoder.is_over
    assert decoder.items_received == sum(len(e.values) for e in events if isinstance(e, Items))
    assert decoder.feed(b"late") == decoder.end() == decoder.cut(lost) == []
    return events


def kind_of(recorded: Exchange) -> str:
    return reply_kind(
        recorded.status,
        recorded.headers,
        wire_format="divider" if recorded.wire_format == "divider" else "jsonlines",
        is_stream=recorded.name.startswith("new-streamTokens"),
        http_method=recorded.method,
    )


def result_of(recorded: Exchange, pieces: list[bytes]) -> Result:
    """What a client makes of an answer."""
    kind = kind_of(recorded)
    if kind == "error":
        return Result(error=read_failure(recorded.status, recorded.body, recorded.headers))
    if kind in ("json", "text", "bytes", "empty"):
        return Result(value=read_value(kind, recorded.body, recorded.headers))
    events = events_of(recorded, pieces)
    *items, last = events
    result = Result([v for e in items for v in e.values], is_stream=True)
    result.error = getattr(last, "error", None)
    return result


@pytest.mark.parametrize("name", names())
def test_we_ask_as_was_asked(name: str) -> None:
    recorded = exchange(name)
    expected = EXPECTED[name]
    if not expected.handler:
        assert not found(recorded), "the schema has it: name the handler"
        return
    schema = SCHEMAS[recorded.wire_format]
    path = expected.handler.split(".")
    handler = Names(schema).find(path if path[1:] else [HELLO[recorded.wire_format], *path])
    request = build_request(handler, ROOT, **expected.call)
    assert (request.method, request.url) == (
        recorded.method,
        ROOT.removesuffix("/api") + recorded.target,
    )
    assert request.body == recorded.request_body
    if recorded.wire_format == "jsonlines" and "no-accept" not in name:
        assert request.headers["accept"] == recorded.request_headers["accept"]


def found(recorded: Exchange) -> bool:
    """Whether the schema has a handler for what was asked, parameters apart."""
    schema: Schema = SCHEMAS[recorded.wire_format]
    asked = recorded.target.removeprefix("/api/").partition("?")[0]
    return recorded.name != "new-postItem-badjson" and any(
        (handler.route, handler.http_method) == (asked, recorded.method)
        for controller in schema.segments[""].controllers.values()
        for handler in controller.handlers.values()
    )


@pytest.mark.parametrize("name", names())
def test_the_client_comes_to_the_result(name: str) -> None:
    recorded = exchange(name)
    body = recorded.body
    for pieces in (
        list(recorded.chunks),
        [body],
        [body[i : i + 1] for i in range(len(body))],
        *([body[:at], body[at:]] for at in range(1, len(body))),
        *([body[at : at + size] for at in range(0, len(body), size)] for size in (2, 3, 7)),
    ):
        check(result_of(recorded, pieces), EXPECTED[name], recorded)


@pytest.mark.parametrize("name", names())
def test_our_server_would_send_the_same(name: str) -> None:
    """What our encoders write is what real clients read: the same bytes, where we send it."""
    recorded = exchange(name)
    expected = EXPECTED[name]
    form = "divider" if recorded.wire_format == "divider" else "jsonlines"
    if expected.items is not None and "-raw-" not in name:
        sent = b"".join(encode_item(item, form) for item in expected.items)
        if issubclass(expected.error or type(None), RemoteError):
            reason = expected.text if expected.error is RemoteError else expected.thrown
            reason = recorded_reason(recorded) if "baditeration" in name else reason
            sent += encode_failure(reason, form)
        assert sent == recorded.body
    elif expected.status is not None and recorded.headers.get("content-type") and recorded.body:
        result = read_failure(recorded.status, recorded.body, recorded.headers)
        assert isinstance(result, RemoteError)
        cause = undefined if result.cause is None else result.cause
        sent = encode_error(recorded.status, result.message, cause, wire_format=form)
        assert sent == recorded.body
        if recorded.status == 404 and recorded.method != "HEAD" and "getGreeting" not in name:
            route = recorded.target.removeprefix("/api/")
            message = missing_route(route, recorded.method, wire_format=form)
            assert message == result.message


def recorded_reason(recorded: Exchange) -> str:
    match = re.search(rb'"reason":"(.*)"', recorded.body)
    assert match
    return match[1].decode()


def test_every_exchange_has_a_row_in_the_table() -> None:
    readme = Path(__file__).with_name("README.md").read_text("utf-8")
    rows = re.findall(r"^\| `([\w-]+)` \|", readme, re.MULTILINE)
    assert sorted(rows) == names() == sorted(EXPECTED)
