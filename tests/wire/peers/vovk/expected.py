"""What a client of ours must come to with each recorded exchange."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from wire.peers.vovk.exchanges import Exchange

from kkjupyter.errors import (
    ConnectionLost,
    KKError,
    ProtocolError,
    RemoteError,
    RemoteThrow,
)
from kkjupyter.wire.values.javascript import undefined

HELLO = {"jsonlines": "HelloRPC", "divider": "HelloController"}


@dataclass
class Result:
    """What a client comes to. ``value`` is set for a reply that is no stream."""

    items: list[Any] = field(default_factory=list)
    error: KKError | None = None
    value: Any = undefined
    is_stream: bool = False


@dataclass(frozen=True)
class Expected:
    """A call as a user would write it, and its result; no handler: the schema has none."""

    handler: str = ""
    call: dict[str, Any] = field(default_factory=dict)
    items: list[Any] | None = None
    value: Any = undefined
    error: type[KKError] | None = None
    text: str = ""
    status: int | None = None
    cause: Any = None
    thrown: Any = undefined


TOKENS = [{"message": "Hello,"}, {"message": " World"}, {"message": "!"}]
ONE = [{"message": "one"}]
FIVE = [{"i": i, "t": "tok"} for i in range(5)]
TWO = [{"i": 0}, {"i": 1}]
WORLD: dict[str, Any] = {"body": {"hello": "world"}}


def stream(handler: str, items: list[Any], **call: Any) -> Expected:
    return Expected(handler, call, items=items)


def unary(handler: str, value: Any, **call: Any) -> Expected:
    return Expected(handler, call, value=value)


def http_error(
    status: int, text: str, handler: str = "", cause: Any = None, **call: Any
) -> Expected:
    return Expected(handler, call, error=RemoteError, text=text, status=status, cause=cause)


def failed(handler: str, items: list[Any], text: str, **call: Any) -> Expected:
    return Expected(handler, call, items=items, error=RemoteError, text=text)


def threw(handler: str, items: list[Any], thrown: Any, text: str) -> Expected:
    return Expected(handler, items=items, error=RemoteThrow, thrown=thrown, text=text)


def broken(items: list[Any], kind: type[KKError], text: str, mode: str) -> Expected:
    return Expected("raw", {"query": {"mode": mode}}, items, error=kind, text=text)


TOO_LONG = "Too big: expected string to have <=10 characters"
EURO = [{"i": 0, "s": "€😀é" * 3}]
BOTH: dict[str, Expected] = {
    "burst5": stream("burst", FIVE, query={"n": 5}),
    "empty": stream("empty", []),
    "fail-error": failed("failError", ONE, "boom"),
    "fail-immediate": failed("failImmediate", [], "immediate"),
    "fail-object": threw("failObject", ONE, {"hello": "World"}, '{"hello":"World"}'),
    "fail-string": failed("failString", ONE, "a string"),
    "fail-undefined": threw("failUndefined", ONE, undefined, "undefined"),
    "raw-malformed": broken(TWO[:1], ProtocolError, "malformed JSON .*: {oops", "malformed"),
    "raw-truncated": broken(TWO[:1], ProtocolError, 'ended within a value: {"i":1', "truncated"),
    "stream-sync": stream("streamSync", TOKENS),
    "streamTokens": stream("streamTokens", TOKENS, query={"delay": 100}, **WORLD),
    "streamTokens-gzip": stream("streamTokens", TOKENS, query={"delay": 10}, **WORLD),
    "unary-error": http_error(500, "unary boom", "unaryError", {"why": "x"}),
    "unary-http-exception": http_error(418, "unary teapot", "unaryHttpException", {"why": "y"}),
    "fail-before-stream": http_error(403, "not allowed", "failBeforeStream", {"why": "guard"}),
    "utf8": stream("utf8", EURO, query={"n": 1, "len": 3}),
}


NEW: dict[str, Expected] = {
    "burstResponder5": stream("burstResponder", FIVE, query={"n": 5}),
    "dies": Expected("dies", items=[{"i": 1}, {"i": 2}], error=ConnectionLost),
    "fail-http-exception": failed("failHttpException", ONE, "teapot"),
    "get-url-for-xml-parser2": unary("getURLForXMLParser2", {"kebab": True}),
    "getGreeting": http_error(
        404,
        "Route 'hello/greeting/a/b c' is not found for GET method at the root segment",
        "getGreeting",
        params={"id": "a/b c"},
        query={"q": "x y", "arr": [1, 2], "o": {"k": "v"}},
    ),
    "getGreeting-plain": unary(
        "get_greeting",
        {"id": "x y", "q": "x y", "query": {"q": "x+y", "arr": ["1", "2"], "o": {"k": "v"}}},
        params={"id": "x y"},
        query={"q": "x y", "arr": [1, 2], "o": {"k": "v"}},
    ),
    "head": http_error(404, "Not Found"),
    "not-a-route": http_error(404, "Route 'hello/not-a-route' is not found"),
    "postItem": unary(
        "postItem",
        {"id": "7", "body": {"hello": "world"}, "q": "qq", "ct": "application/json"},
        params={"id": 7},
        query={"q": "qq"},
        **WORLD,
    ),
    "postItem-badjson": http_error(500, "Unexpected end of JSON input"),
    "putItem": unary(
        "putItem", {"id": "7", "body": {"hello": "world"}}, params={"id": "7"}, **WORLD
    ),
    "raw-blank": stream("raw", TWO, query={"mode": "blank"}),
    "raw-crlf": stream("raw", TWO, query={"mode": "crlf"}),
    "raw-notrailing": stream("raw", TWO, query={"mode": "notrailing"}),
    "raw-split": stream("raw", TWO, query={"mode": "split"}),
    "schema-endpoint-dev": Expected(value={"schema": ...}),
    "schema-endpoint-production": http_error(404, "Route '_schema_' is not found"),
    "streamTokens-no-accept": stream("streamTokens", TOKENS, query={"delay": 10}, **WORLD),
    "streamTokens-no-accept-gzip": stream("streamTokens", TOKENS, query={"delay": 10}, **WORLD),
    "trailing-slash": http_error(308, "redirects to /api/hello/stream-sync"),
    "unary-array": unary("unaryArray", [1, 2, 3]),
    "unary-nothing": unary("unaryNothing", None),
    "unary-string": unary("unaryString", "plain"),
    "valid-stream": stream(
        "ValidRPC.stream_tokens",
        [{"room": "r1", "message": "a"}, {"room": "r1", "message": "b"}],
        params={"room": "r1"},
        query={"delay": 5},
        body={"words": ["a", "b"]},
    ),
    "valid-stream-badbody": http_error(
        400,
        f"Invalid body: {TOO_LONG} at words.0",
        "ValidRPC.streamTokens",
        {
            "issues": [
                {
                    "origin": "string",
                    "code": "too_big",
                    "maximum": 10,
                    "inclusive": True,
                    "path": ["words", 0],
                    "message": TOO_LONG,
                }
            ]
        },
        params={"room": "r1"},
        query={"delay": 5},
        body={"words": ["toolongforten"]},
    ),
    "valid-stream-baditeration": failed(
        "ValidRPC.streamTokens",
        [{"room": "r1", "message": "a"}],
        "Invalid iteration #1",
        params={"room": "r1"},
        query={"delay": 5},
        body={"words": ["a", "ninechars"]},
    ),
    "valid-stream-badquery": http_error(
        400,
        "Invalid query",
        "ValidRPC.streamTokens",
        ...,
        params={"room": "r1"},
        query={"delay": "x"},
        body={"words": ["a"]},
    ),
    "valid-unary": unary("ValidRPC.unary", {"doubled": 8}, body={"n": 4}),
    "valid-unary-bad": http_error(400, "Invalid body", "ValidRPC.unary", ..., body={"n": 0}),
    "valid-unary-wrong-ct": http_error(
        415,
        "Unsupported media type: text/plain",
        "ValidRPC.unary",
        {"contentTypes": ["text/plain"], "allowed": ["application/json"]},
        body={"n": 4},
    ),
    "wrong-method": http_error(404, "is not found for DELETE method"),
    "x-meta-bad": http_error(500, "Internal Server Error", "streamSync"),
    "yield-is-error-only": stream(
        "yieldIsErrorOnly", [{"isError": False, "v": 1}, {"message": "after"}]
    ),
}


OLD: dict[str, Expected] = {
    "falsy": stream("falsy", [{"n": 0}, 0, "", False, None, [1, 2], {"n": 1}]),
    "get-u-r-l-for-x-m-l": unary("getURLForXML", {"kebab": True}),
    "getGreeting": unary(
        "getGreeting", {"id": "a/b c", "q": "x y"}, params={"id": "a/b c"}, query={"q": "x y"}
    ),
    "not-a-route": http_error(404, "Route is not found"),
    "postItem": unary(
        "post_item",
        {"id": "7", "body": {"hello": "world"}, "q": "qq", "ct": "text/plain;charset=UTF-8"},
        params={"id": 7},
        query={"q": "qq"},
        **WORLD,
    ),
    "prefixed": unary("PrefixedController.getBy", {"a": "1", "b": "2"}, params={"a": 1, "b": "2"}),
    "prefixed-auto": unary("PrefixedController.auto_named", {"ok": True}),
    "raw-split": stream("raw", [*TWO, {"i": 2}], query={"mode": "split"}),
    "raw-split2": stream("raw", [*TWO, {"i": 2}], query={"mode": "split2"}),
    "unary-array": stream("unaryArray", [1, 2, 3]),
    "unary-nothing": http_error(500, "Reflect.has called on non-object", "unaryNothing"),
    "unary-string": http_error(500, "Reflect.has called on non-object", "unaryString"),
    "yield-string": stream("yieldString", [{"n": 0}, "str", {"n": 1}]),
}


EXPECTED = {f"new-{name}": one for name, one in (BOTH | NEW).items()} | {
    f"old-{name}": one for name, one in (BOTH | OLD).items()
}


def check(result: Result, expected: Expected, recorded: Exchange) -> None:
    assert result.items == (expected.items or [])
    assert result.is_stream == (expected.items is not None)
    if isinstance(expected.value, dict) and ... in expected.value.values():
        assert result.value.keys() == expected.value.keys()
    else:
        assert result.value == expected.value or result.value is expected.value
    assert type(result.error) is (expected.error or type(None))
    if result.error is not None:
        assert re.search(expected.text.replace("{", r"\{").replace("#", r"\#"), str(result.error))
    if isinstance(result.error, RemoteError):
        assert result.error.status == expected.status
        if expected.cause is not ...:
            # Servers before 3.x send no cause.
            has_cause = recorded.wire_format == "jsonlines"
            assert result.error.cause == (expected.cause if has_cause else None)
    if isinstance(result.error, RemoteThrow):
        assert result.error.value == expected.thrown
        assert result.error.message == expected.text
