"""Calls to HTTP requests; queries both ways."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kkjupyter.errors import EncodeError, ProtocolError, UsageError, ValidationError
from kkjupyter.wire.message_cost import MAX_DEPTH
from kkjupyter.wire.values.javascript import undefined
from kkjupyter.wire.vovk.query import decode_query, encode_query
from kkjupyter.wire.vovk.request import build_path, build_request, build_url, default_api_root
from kkjupyter.wire.vovk.schema.model import Handler, Schema

ROOT = "http://127.0.0.1:3000/api"


def handler(path: str = "p", method: str = "POST", **fields: Any) -> Handler:
    return Handler("act", method, path, controller="C", **fields)


def takes(*content_types: str) -> Handler:
    return handler(validation={"body": {"x-contentType": list(content_types)}})


# ---- the address


def test_where_a_handler_is() -> None:
    for one, url in (
        (handler("stream-tokens", prefix="hello"), f"{ROOT}/hello/stream-tokens"),
        (handler("/a/", prefix="/b/"), f"{ROOT}/b/a"),
        (handler("a", segment="my admin/x"), f"{ROOT}/my%20admin/x/a"),
        (handler("größe/100%25"), f"{ROOT}/gr%C3%B6%C3%9Fe/100%25"),
        (handler(""), ROOT),
    ):
        assert build_url(one, ROOT) == build_url(one, ROOT + "/") == url
    assert build_url(handler(""), "http://h") == "http://h/"
    assert build_url(handler("a"), "http://h") == "http://h/a"


def test_the_query_of_the_root_is_kept() -> None:
    root = "https://user:pw@h:1/api?key=1#gone"
    assert build_url(handler("a"), root) == "https://user:pw@h:1/api/a?key=1"
    assert build_url(handler("a"), root, query={"q": 2}) == "https://user:pw@h:1/api/a?key=1&q=2"


def test_a_segment_that_lives_elsewhere_on_the_same_server() -> None:
    one = handler("a", segment="s", force_api_root="/other")
    assert build_url(one, "http://h:80/api") == "http://h:80/other/a"
    one = handler("a", segment="s", force_api_root="http://h/other")
    assert build_url(one, "http://u:p@h:80/api?k=1") == "http://u:p@h:80/other/a?k=1"


def test_a_segment_that_lives_nowhere() -> None:
    with pytest.raises(UsageError, match=r"C\.act is at 'http://h:99999/': Port out of range"):
        build_url(handler(force_api_root="http://h:99999/"), "http://h/api")


@pytest.mark.parametrize("root", ["https://h/x", "http://h:81/x", "//evil/x", "http://other/x"])
def test_nothing_is_sent_to_another_server(root: str) -> None:
    with pytest.raises(UsageError, match=r"C\.act is at .*connect to that"):
        build_url(handler(force_api_root=root), "http://h/api")


def test_the_root_for_what_a_user_wrote() -> None:
    schema = Schema({}, root_entry="rpc")
    assert default_api_root("http://h:1", schema) == "http://h:1/rpc"
    assert default_api_root("http://h:1/?k=1", schema) == "http://h:1/rpc?k=1"
    assert default_api_root("http://h:1/own/", schema) == "http://h:1/own"


# ---- path parameters


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a b/c?d#e%é", "a%20b%2Fc%3Fd%23e%25%C3%A9"),
        (7, "7"),
        (7.0, "7"),
        (0.5, "0.5"),
        (True, "true"),
        (dt.datetime(2026, 1, 2, tzinfo=dt.UTC), "2026-01-02T00%3A00%3A00.000Z"),
        ("..a", "..a"),
    ],
)
def test_path_parameters_are_encoded(value: Any, text: str) -> None:
    for path in ("x/{id}/y", "x/:id/y"):
        assert build_path(handler(path), {"id": value}) == f"x/{text}/y"


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_any_text_comes_back_from_the_path(text: str) -> None:
    if text not in (".", ".."):
        path = build_path(handler("x/{id}"), {"id": text})
        assert unquote(path.removeprefix("x/")) == text
        assert urlsplit(f"{ROOT}/{path}").path == f"/api/{path}"


@pytest.mark.parametrize(
    ("params", "issues"),
    [
        (None, {"params.id": "is missing"}),
        ({"id": None}, {"params.id": "is missing"}),
        ({"id": undefined}, {"params.id": "is missing"}),
        ({"id": ""}, {"params.id": "'' cannot be a part of a path"}),
        ({"id": ".."}, {"params.id": "'..' cannot be a part of a path"}),
        ({"id": float("nan")}, {"params.id": "a float cannot be a part of a path"}),
        ({"id": [1]}, {"params.id": "a list cannot be a part of a path"}),
        ({"id": {1}}, {"params.id": "JSON has no Set: send a list; the superjson codec"}),
        (
            {"Id": 1},
            {
                "params.id": "is missing",
                "params.Id": "no such parameter: the path is 'x/{id}'; did you mean 'id'?",
            },
        ),
    ],
)
def test_path_parameters_are_checked(params: Any, issues: dict[str, str]) -> None:
    with pytest.raises(ValidationError) as caught:
        build_request(handler("x/{id}"), ROOT, params=params)
    assert caught.value.method == "C.act"
    assert [issue["path"] for issue in caught.value.issues] == list(issues)
    for issue in caught.value.issues:
        assert issue["message"].startswith(issues[issue["path"]])


def test_parameters_of_a_path_without_any() -> None:
    with pytest.raises(ValidationError, match=r"no such parameter: the path is 'p'$"):
        build_path(handler(), {"id": 1})


# ---- queries


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ({}, ""),
        ({"q": "x y", "arr": [1, 2], "o": {"k": "v"}}, "q=x%20y&arr[0]=1&arr[1]=2&o[k]=v"),
        ({"a": None, "b": undefined, "c": [None, {"d": None}], "e": [], "f": {}}, ""),
        ({"a&b": "c=d#e", "é": "+"}, "a%26b=c%3Dd%23e&%C3%A9=%2B"),
        ({"t": True, "i": 1.0, "f": 0.25, "big": 1e22}, "t=true&i=1&f=0.25&big=1e22"),
        ({"when": dt.date(2026, 1, 2)}, "when=2026-01-02T00%3A00%3A00.000Z"),
        ({"a": [{"b": [1, {"c": 2}]}]}, "a[0][b][0]=1&a[0][b][1][c]=2"),
        ({"t": (1, 2)}, "t[0]=1&t[1]=2"),
    ],
)
def test_a_query_of_3(query: dict[str, Any], text: str) -> None:
    assert encode_query(query, "jsonlines") == text


def test_a_query_before_3() -> None:
    query = {"q": "x y", "l": ["a", None, 2], "n": None}
    assert encode_query(query, "divider") == "q=x%20y&l=a&l=2"
    assert decode_query("q=x%20y&l=a&l=2&l=3", "divider") == {"q": "x y", "l": ["a", "2", "3"]}
    for nested in ({"o": {}}, {"o": [[1]]}):
        with pytest.raises(EncodeError, match=r"query\.o: the query of this server is flat"):
            encode_query(nested, "divider")


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("", {}),
        ("a=1&b=x+y%20z&c", {"a": "1", "b": "x y z", "c": ""}),
        ("a=b=c", {"a": "b=c"}),
        ("a=1&a=2", {"a": "2"}),
        (
            "y[0]=a&y[1]=b&z[f]=x&z[u][0]=c&z[d][x]=e",
            {"y": ["a", "b"], "z": {"f": "x", "u": ["c"], "d": {"x": "e"}}},
        ),
        ("a[]=1&a[]=2", {"a": ["1", "2"]}),
        ("a[][x]=1&a[][x]=2", {"a": [{"x": "1"}, {"x": "2"}]}),
        ("a[1]=x", {"a": [None, "x"]}),
        ("a[0]=x&a[b]=y", {"a": {"0": "x", "b": "y"}}),
        ("a[999999999]=x", {"a": {"999999999": "x"}}),
        ("a[100]=x", {"a": [*[None] * 100, "x"]}),
        ("a[101]=x", {"a": {"101": "x"}}),
        ("a[%D9%A3]=x", {"a": {"٣": "x"}}),
        ("a=1&a[b]=2", {"a": {"b": "2"}}),
        ("a[b=1&c]=2&[d]=3&=4", {"a[b": "1", "c]": "2", "": "4"}),
        ("%FF=%zz", {"\ufffd": "%zz"}),
    ],
)
def test_reading_a_query_of_3(text: str, query: dict[str, Any]) -> None:
    assert decode_query(text, "jsonlines") == query


def test_a_query_that_nests_without_end() -> None:
    for levels in (MAX_DEPTH, 50_000):
        with pytest.raises(ProtocolError, match="nested more than 256 levels deep"):
            decode_query("a" + "[0]" * levels + "=1", "jsonlines")
    found = decode_query("a" + "[0]" * (MAX_DEPTH - 1) + "=1", "jsonlines")
    depth = 0
    inner = found["a"]
    while isinstance(inner, list):
        depth, inner = depth + 1, inner.pop()
    assert (depth, inner) == (MAX_DEPTH - 1, "1")


CHARACTERS = st.characters(exclude_characters="[]", exclude_categories=["Cs"])
KEYS = st.text(CHARACTERS, min_size=1).filter(lambda key: not key.isdecimal())
NESTED = st.recursive(
    st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.one_of(st.lists(inner, min_size=1), st.dictionaries(KEYS, inner, min_size=1)),
    max_leaves=8,
)


@settings(deadline=None)
@given(st.dictionaries(KEYS, NESTED))
@pytest.mark.slow
def test_a_query_that_is_written_is_read(query: dict[str, Any]) -> None:
    assert decode_query(encode_query(query, "jsonlines"), "jsonlines") == query


@settings(deadline=None)
@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), st.text("ab&=+ %é")))
def test_a_flat_query_is_read_by_everybody(query: dict[str, str]) -> None:
    text = encode_query(query, "divider")
    assert dict(parse_qsl(text, keep_blank_values=True)) == query == decode_query(text, "divider")


# ---- headers and body


def test_the_headers_of_each_generation() -> None:
    get = build_request(handler(method="GET"), ROOT)
    assert get.headers == {"accept": "application/jsonl, application/json"}
    assert get.body is None
    assert build_request(handler(method="GET", wire_format="divider"), ROOT).headers == {}
    post = build_request(handler(), ROOT, body={"a": 1})
    assert post.headers["content-type"] == "application/json"
    assert post.body == b'{"a":1}'


def test_headers_of_the_caller_win() -> None:
    request = build_request(
        handler(),
        ROOT,
        body={},
        headers={"Accept": "*/*", "X-Key": "k", "Content-Type": "a/b+json"},
    )
    assert request.headers == {"Accept": "*/*", "X-Key": "k", "Content-Type": "a/b+json"}
    assert request.body == b"{}"


def test_meta_is_ascii() -> None:
    request = build_request(handler(), ROOT, meta={"é": [1]})
    assert request.headers["x-meta"] == '{"\\u00e9":[1]}'
    assert "x-meta" not in build_request(handler(), ROOT, meta=undefined).headers


@pytest.mark.parametrize(
    ("body", "data"),
    [
        ({"é": "\u2028"}, '{"é":"\u2028"}'.encode()),
        ([1, (2,)], b"[1,[2]]"),
        (0, b"0"),
        (False, b"false"),
        ({"b": b"ab", "u": undefined, "s": "\ud83d"}, b'{"b":[97,98],"s":"\\ud83d"}'),
    ],
)
def test_a_json_body(body: Any, data: bytes) -> None:
    request = build_request(handler(), ROOT, body=body)
    assert (request.body, request.headers["content-type"]) == (data, "application/json")
    json.loads(data)


def test_no_body() -> None:
    for nothing in (None, undefined):
        request = build_request(handler(method="GET"), ROOT, body=nothing)
        assert request.body is None
        assert "content-type" not in request.headers


def test_get_has_no_body() -> None:
    with pytest.raises(ValidationError, match="body: a GET request has no body"):
        build_request(handler(method="GET"), ROOT, body=0)


@pytest.mark.parametrize(
    ("one", "body", "data", "content_type"),
    [
        (handler(), "text", b"text", "text/plain"),
        (handler(wire_format="divider"), "text", b'"text"', "application/json"),
        (handler(validation={"body": {"type": "string"}}), "text", b'"text"', "application/json"),
        (takes("text/csv"), "a,b", b"a,b", "text/csv"),
        (takes("text/csv", "application/json"), "a,b", b'"a,b"', "application/json"),
        (takes("application/vnd.x+json"), {}, b"{}", "application/vnd.x+json"),
        (takes("*/*"), {}, b"{}", "application/json"),
        (handler(), b"\x00\xff", b"\x00\xff", "application/octet-stream"),
        (takes("application/json"), b"{}", b"{}", "application/octet-stream"),
        (takes("application/json", "image/png"), bytearray(b"x"), b"x", "image/png"),
        (takes("image/png"), memoryview(b"x"), b"x", "image/png"),
        (
            takes("application/x-www-form-urlencoded"),
            {"a": "x y", "l": [1, None, True], "n": None},
            b"a=x+y&l=1&l=true",
            "application/x-www-form-urlencoded",
        ),
    ],
)
def test_bodies_of_other_types(one: Handler, body: Any, data: bytes, content_type: str) -> None:
    request = build_request(one, ROOT, body=body)
    assert (request.body, request.headers["content-type"]) == (data, content_type)


def test_the_callers_content_type_decides() -> None:
    headers = {"content-type": "text/csv; header=absent"}
    assert build_request(handler(), ROOT, body="a,b", headers=headers).body == b"a,b"
    headers = {"Content-Type": "application/json; charset=utf-8"}
    assert build_request(takes("text/csv"), ROOT, body="a", headers=headers).body == b'"a"'


def test_a_body_of_a_kind_we_cannot_make_is_refused() -> None:
    with pytest.raises(UsageError, match=r"C\.act takes image/png: pass the body as bytes"):
        build_request(takes("image/png"), ROOT, body={})


@pytest.mark.parametrize(
    ("one", "call", "path"),
    [
        (handler(), {"body": {"a": {1}}}, "body.a"),
        (handler(), {"body": "\ud83d"}, "body"),
        (takes("application/x-www-form-urlencoded"), {"body": [1]}, "body"),
        (takes("application/x-www-form-urlencoded"), {"body": {"a": {}}}, "body.a"),
        (handler(), {"query": {"a": [object()]}}, "query.a.0"),
        (handler(), {"meta": {1}}, "meta"),
    ],
)
def test_what_cannot_be_sent_is_told(one: Handler, call: dict[str, Any], path: str) -> None:
    with pytest.raises(EncodeError) as caught:
        build_request(one, ROOT, **call)
    assert (caught.value.path, caught.value.method) == (path, "C.act")
