"""The head of a reply, and replies that are no stream."""

from __future__ import annotations

from typing import Any

import pytest

from kkjupyter.errors import ProtocolError, RemoteError
from kkjupyter.wire.vovk.reply import read_failure, read_value, reply_kind


def kind(content_type: str | None, status: int = 200, **more: Any) -> str:
    headers = {} if content_type is None else {"Content-Type": content_type}
    return reply_kind(status, headers | more.pop("headers", {}), **more)


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [
        ("application/jsonl; charset=utf-8", "jsonlines"),
        ("Application/JSONL", "jsonlines"),
        ("application/x-ndjson", "jsonlines"),
        ("text/event-stream", "divider"),
        ("application/json", "json"),
        ("application/problem+json; charset=utf-8", "json"),
        ("text/plain", "text"),
        ("text/html", "text"),
        ("application/xml", "text"),
        ("image/svg+xml", "text"),
        ("image/png", "bytes"),
        (None, "bytes"),
    ],
)
def test_the_content_type_decides(content_type: str | None, expected: str) -> None:
    assert kind(content_type) == expected
    assert kind(content_type, wire_format="divider") == expected
    if content_type not in ("text/plain", "text/html"):
        assert kind(content_type, is_stream=True) == expected


def test_plain_text_is_a_stream_where_one_is_expected() -> None:
    assert kind("text/plain; charset=utf-8", is_stream=True) == "jsonlines"
    assert kind("text/plain", is_stream=True, wire_format="divider") == "divider"
    assert kind("text/plain", headers={"X-Vovk-Stream": "true"}) == "jsonlines"


def test_a_page_is_no_stream() -> None:
    assert kind("text/html", is_stream=True) == "error"
    error = read_failure(200, b"<h1>Please log in</h1>", {"content-type": "text/html"})
    assert isinstance(error, ProtocolError)
    assert str(error) == "a web page instead of a stream: Please log in"


@pytest.mark.parametrize("status", [101, 301, 308, 400, 404, 500, 599])
def test_other_than_success_is_an_error(status: int) -> None:
    assert kind("application/jsonl", status) == "error"


def test_empty_replies() -> None:
    none = {"Content-Length": "0"}
    assert kind("application/json", 204) == "empty"
    assert kind("application/json", http_method="HEAD") == "empty"
    assert kind("application/json", headers=none) == "empty"
    assert kind(None, headers=none, is_stream=True) == "empty"
    assert kind("application/jsonl", headers=none, is_stream=True) == "jsonlines"
    assert kind("application/jsonl", headers=none) == "jsonlines"


@pytest.mark.parametrize(
    ("sort", "body", "content_type", "value"),
    [
        ("json", b'{"a":[1]}', "", {"a": [1]}),
        ("json", b"null", "", None),
        ("json", b"  ", "", None),
        ("empty", b"", "", None),
        ("bytes", b"\xff", "", b"\xff"),
        ("text", "é".encode(), "text/plain", "é"),
        ("text", b"\xe9", "text/plain; charset=latin-1", "é"),
        ("text", b"\xe9", 'text/plain; Charset="ISO-8859-1"', "é"),
        ("text", b"\xe9", "text/plain", "\ufffd"),
        ("text", b"a", "text/plain; charset=klingon", "a"),
    ],
)
def test_values(sort: Any, body: bytes, content_type: str, value: Any) -> None:
    assert read_value(sort, body, {"Content-Type": content_type}) == value


def test_json_that_is_none() -> None:
    with pytest.raises(ProtocolError, match="malformed JSON"):
        read_value("json", b"<html>", {})


def failure(status: int, body: bytes, content_type: str = "application/json") -> RemoteError:
    error = read_failure(status, body, {"Content-Type": content_type})
    assert isinstance(error, RemoteError)
    assert error.status == status
    return error


def test_an_http_exception() -> None:
    error = failure(
        403, b'{"cause":{"why":"guard"},"statusCode":403,"message":"not allowed","isError":true}'
    )
    assert (error.name, error.message) == ("HttpException", "not allowed")
    assert (error.cause, error.data) == ({"why": "guard"}, {})
    assert str(error) == "HTTP 403: not allowed"


@pytest.mark.parametrize(
    ("body", "message", "data"),
    [
        (b'{"detail":"nope"}', "nope", {"detail": "nope"}),
        (b'{"error":{"code":1},"title":"t"}', "t", {"error": {"code": 1}, "title": "t"}),
        (b'{"message":""}', "Not Found", {"message": ""}),
        (b"{}", "Not Found", {}),
        (b"", "Not Found", {}),
        (b"null", "Not Found", {}),
        (b"[1]", "Not Found: [1]", {}),
        (b"nginx says no", "Not Found: nginx says no", {}),
        (b"\x00", "Not Found: \ufffd", {}),
    ],
)
def test_errors_of_others(body: bytes, message: str, data: dict[str, Any]) -> None:
    error = failure(404, body)
    assert (error.message, error.name, error.data) == (message, "Error", data)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (
            b"<!DOCTYPE html><html><head><title>502 Bad Gateway</title><style>p{}</style>"
            b"<script>alert(1 < 2)</script></head><body>\n<p>nginx</p></body></html>",
            "HTTP 502: Bad Gateway (a web page: 502 Bad Gateway nginx)",
        ),
        (b"<script>never closed" * 1000, "HTTP 502: Bad Gateway"),
        (b"<" * 100_000, f"HTTP 502: Bad Gateway (a web page: {'<' * 119}…)"),
        (b"", "HTTP 502: Bad Gateway"),
    ],
)
def test_a_page_becomes_an_error(body: bytes, text: str) -> None:
    assert str(failure(502, body, "text/html; charset=utf-8")) == text


def test_a_redirect() -> None:
    error = read_failure(308, b"/api/x", {"Location": "/api/x\x1b"})
    assert str(error) == "HTTP 308: Permanent Redirect: the server redirects to /api/x\ufffd"
    assert "nowhere" in str(read_failure(302, b"", {}))


@pytest.mark.parametrize(
    ("location", "shown"),
    [
        ("/api/x/?token=secret", "/api/x/"),
        ("/api/x/#secret", "/api/x/"),
        ("https://user:secret@host/api/x?a=b", "https://host/api/x"),
        ("//user:secret@host/api/x", "//host/api/x"),
        ("https://host/a//b@c", "https://host/a//b@c"),
        ("/\udcff", "/\ufffd"),
    ],
)
def test_a_redirect_tells_no_secret(location: str, shown: str) -> None:
    error = read_failure(308, b"", {"Location": location})
    assert str(error) == f"HTTP 308: Permanent Redirect: the server redirects to {shown}"


def test_a_status_without_a_name() -> None:
    assert str(failure(599, b"", "")) == "HTTP 599: an error without a name"
