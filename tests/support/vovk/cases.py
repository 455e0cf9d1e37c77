"""What our client must get from each method of the real Vovk servers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import kkjupyter as kk
from kkjupyter import vovk
from kkjupyter.wire.values.javascript import undefined
from kkjupyter.wire.values.json_text import dumps

__all__ = ["Case", "cases"]

_BODY = {"a": [1, "é😀\u2028", None, {"b": True}]}
_TEAPOT = {"why": "short and stout"}


@dataclass(frozen=True)
class Case:
    """One call and its outcome.

    Attributes:
        method: ``"Controller.handler"``, without the generation's suffix.
        given: the arguments.
        items: those of the stream, or None for a single reply.
        value: the reply.
        error: what it fails with, after the items; None if it does not.
        fields: what the error has.
    """

    method: str
    given: Mapping[str, Any] = field(default_factory=dict)
    items: list[Any] | None = None
    value: Any = None
    error: type[Exception] | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        query = self.given.get("query", {})
        return f"{self.method} {' '.join(map(str, query.values()))}".strip()


def _stream(method: str, *items: Any, **given: Any) -> Case:
    return Case(method, given, list(items))


def _broken(
    method: str, *items: Any, error: type[Exception], fields: Mapping[str, Any], **given: Any
) -> Case:
    return Case(method, given, list(items), error=error, fields=fields)


def _reply(method: str, value: Any, **given: Any) -> Case:
    return Case(method, given, value=value)


def _failure(method: str, **fields: Any) -> Case:
    return Case(method, error=kk.RemoteError, fields=fields)


def _bytes(body: str, *items: Any) -> Case:
    return _stream("Streams.bytes", *items, query={"body": body})


def _thrown(value: Any) -> Case:
    return _broken(
        "Fails.thrown",
        {"i": 0},
        error=kk.RemoteThrow,
        fields={"value": value, "message": dumps(value).decode()},
        query={"value": json.dumps(value)},
    )


_I = [{"i": i} for i in range(3)]
_TOKENS = [{"i": i, "t": "tok"} for i in range(300)]
_NESTED = {"q": "a&b=c#é", "tags": ["x", "y"], "where": {"city": "Köln"}}

_COMMON = [
    _stream(
        "Hello.streamTokens",
        *({"message": word} for word in ("Hello,", " World", "!")),
        body={"hello": "world"},
    ),
    _broken(
        "Hello.failingTokens",
        {"message": "Hello,"},
        error=kk.RemoteThrow,
        fields={"value": {"hello": "World"}},
    ),
    _stream("Streams.burst", *_TOKENS, query={"n": 300}),
    _stream("Streams.fromSync", *_I),
    _stream("Streams.empty"),
    _stream("Streams.falsy", 0, "", False, None, [], {}),
    _stream("Streams.texts", "Hello,", " World", "", "a\u2028b\u0085c\nd", '"'),
    _stream("Streams.large", *({"i": i, "s": "€😀é" * 30_000} for i in range(5))),
    _broken(
        "Streams.errorLike",
        {"isError": False, "v": 1},
        error=kk.RemoteError,
        fields={"message": "only an item"},
    ),
    _stream("Streams.slow", *({"i": i, "s": ""} for i in range(3)), query={"id": "case", "n": 3}),
    _bytes("split", *_I[:2]),
    _bytes("splitCharacter", {"s": "€😀"}),
    _bytes("noLineEnd", *_I[:2]),
    _broken("Streams.bytes", _I[0], error=kk.ProtocolError, fields={}, query={"body": "malformed"}),
    _broken("Streams.bytes", _I[0], error=kk.ProtocolError, fields={}, query={"body": "truncated"}),
    _broken(
        "Streams.bytes",
        *_I[:2],
        error=kk.ConnectionLost,
        fields={"items_received": 2},
        query={"body": "dies"},
    ),
    *map(_thrown, ({"hello": "World"}, 0, False, None, [1, "€"])),
    # The wire does not tell a thrown text from the message of an error.
    *(
        replace(_thrown(text), error=kk.RemoteError, fields={"name": "Error", "message": text})
        for text in ("a text", "")
    ),
    _broken("Fails.error", {"i": 0}, error=kk.RemoteError, fields={"message": "went wrong"}),
    _broken("Fails.nothing", {"i": 0}, error=kk.RemoteThrow, fields={"value": undefined}),
    _broken("Fails.teapot", {"i": 0}, error=kk.RemoteError, fields={"message": "a teapot"}),
    _broken("Fails.atOnce", error=kk.RemoteError, fields={"message": "went wrong at once"}),
    _failure("Fails.page", status=502),
    _reply("Replies.change", "PATCH", params={"id": "7"}, body=_BODY),
    _reply("Replies.replace", "PUT", params={"id": "7"}, body=_BODY),
    _reply("Replies.save", "POST", params={"id": "7"}, body=_BODY),
    _reply("Replies.remove", {"method": "DELETE", "id": "a é?b"}, params={"id": "a é?b"}),
    _reply("Replies.plainText", "just a text"),
    _reply("Replies.picture", b"\x89PNG"),
    _reply("Replies.noContent", None),
    _reply("Replies.getURLForXMLParser2", {"found": True}),
]
_NEW = [
    _stream("Streams.quickBurst", *_TOKENS, query={"n": 300}),
    _bytes("blankLines", *_I[:2]),
    _bytes("crlf", *_I[:2]),
    _failure("Fails.beforeStream", status=403, message="not allowed", cause={"why": "a guard"}),
    _failure("Fails.reply", status=500, message="no reply", cause={"why": "because"}),
    _failure("Fails.replyTeapot", status=418, message="a teapot", cause=_TEAPOT),
    _reply(
        "Replies.upload",
        {
            "title": "é\u2028",
            "tags": ["1", "b"],
            "file": ['ä "1".png', "image/png", 0, 255, 13, 10],
        },
        body={
            "title": "é\u2028",
            "tags": [1, "b"],
            "file": vovk.File('ä "1".png', b"\0\xff\r\n", "image/png"),
        },
        headers={"Content-Type": "multipart/form-data"},
    ),
    _reply("Replies.list", [1, 2, 3]),
    _reply("Replies.text", "a text"),
    _reply("Replies.nothing", None),
    _stream("Admin.ticks", 0, 1, 2),
    _reply(
        "Admin.whoAmI",
        {"name": "me", "path": "/api/admin/me/who-am-i", "authorization": None},
        params={"name": "me"},
    ),
    _stream(
        "Valid.say",
        {"room": "r", "message": "A"},
        {"room": "r", "message": "B"},
        body={"words": ["a", "b"]},
        query={"shout": "yes"},
        params={"room": "r"},
    ),
    _broken(
        "Valid.say",
        {"room": "r", "message": "a"},
        error=kk.RemoteError,
        fields={},
        body={"words": ["a", "too long a"]},
        params={"room": "r"},
    ),
    _reply("Valid.double", {"doubled": 42}, body={"n": 21}),
    # Without blanks: this server would make plus signs of them.
    _reply("Valid.search", {"query": _NESTED}, query=_NESTED),
]
_OLD = [
    _bytes("splitDivider", *_I[:2]),
    _failure("Fails.beforeStream", status=403, message="not allowed", cause=None),
    _failure("Fails.reply", status=500, message="no reply", cause=None),
    _failure("Fails.replyTeapot", status=418, message="a teapot", cause=None),
    # This version streams a list, and fails over a text and over nothing.
    _stream("Replies.list", 1, 2, 3),
    _failure("Replies.text", status=500),
    _failure("Replies.nothing", status=500),
]


def cases(*, is_old: bool) -> list[Case]:
    """All cases for the server of one generation."""
    return [*_COMMON, *(_OLD if is_old else _NEW)]
