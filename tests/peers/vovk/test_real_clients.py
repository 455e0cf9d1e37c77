"""Vovk's own clients in Node, of both generations, with our server and, to compare, theirs."""

from __future__ import annotations

import contextlib
import itertools
import json
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from support.vovk.apps import NEW, OLD, App, JsClient, NextServer
from support.vovk.twin import serve_twin, twin_controllers

from kkjupyter import vovk

Start = Callable[[App, str], JsClient]

_NUMBERS = itertools.count()
# How long a server may take to end a stream that nobody wants; the promise is 100 ms, the figure is
# printed.
END_MS = 1000


@pytest.fixture(scope="session")
def clients(
    started: Callable[[App], NextServer], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Start]:
    """A client of Vovk's own, with their server or with ours."""
    with contextlib.ExitStack() as stack:

        @cache
        def start(app: App, whose: str) -> JsClient:
            folder = tmp_path_factory.mktemp(whose)
            if whose == "theirs":
                file = folder / f"{app.name}.json"
                file.write_text(json.dumps(app.schema()))
                url = started(app).url
            else:
                file = written(app, folder)
                url = stack.enter_context(serve_twin(app)).url
            return stack.enter_context(JsClient(app, url, file))

        yield start


def written(app: App, folder: Path) -> Path:
    """What we write for a client of this generation."""
    file = folder / ("vovk-metadata.json" if app.is_old else "schema.json")
    vovk.write_schema(file, twin_controllers(app))
    return file


@pytest.fixture(params=["ours", "theirs"])
def whose(request: pytest.FixtureRequest) -> str:
    """Which server it calls."""
    chosen: str = request.param
    return chosen


@pytest.fixture
def client(clients: Start, app: App, whose: str) -> JsClient:
    return clients(app, whose)


def stream(method: str, **given: Any) -> str:
    """The call of a streaming method, in JavaScript; it runs in clients of both generations."""
    return call(method, **given, isStream=True)


def call(method: str, **given: Any) -> str:
    controller, name = method.split(".")
    return f"rpc('{controller}').{name}({json.dumps(given)})"


def collected(client: JsClient, method: str, **given: Any) -> Any:
    return client.run(f"return await collect({stream(method, **given)})")


# ---- tokens


def test_tokens_arrive_as_they_are_made(client: JsClient) -> None:
    got = collected(client, "Hello.streamTokens", body={"hello": "world"})
    assert [token["message"] for token in got["items"]] == ["Hello,", " World", "!"]
    assert got["error"] is None
    at_ms = got["at_ms"]
    print("ms to each token:", [round(at) for at in at_ms])
    # One is made every 300 ms. On a busy machine one may be read late, but not all with the last.
    assert at_ms[-1] - at_ms[0] > 300


@pytest.mark.parametrize("app", [OLD], ids=str)
def test_the_guides_log_tokens(client: JsClient) -> None:
    """Its module as it is, compiled; only the `async` it lacks is there."""
    logged = client.run("return await logTokens()")
    assert [token["item"] for token in logged] == [
        {"message": "Hello,"},
        {"message": " World"},
        {"message": "!"},
    ]
    assert logged[1]["at_ms"] - logged[0]["at_ms"] > 200


def test_many_items(client: JsClient) -> None:
    got = collected(client, "Streams.burst", query={"n": 1500})
    assert got["error"] is None
    assert got["items"] == [{"i": i, "t": "tok"} for i in range(1500)]


def test_sync_generators_and_empty_ones(client: JsClient) -> None:
    assert collected(client, "Streams.fromSync")["items"] == [{"i": 0}, {"i": 1}, {"i": 2}]
    empty = collected(client, "Streams.empty")
    assert (empty["items"], empty["error"]) == ([], None)


@pytest.mark.parametrize("app", [NEW], ids=str)
def test_texts(client: JsClient) -> None:
    """Their client leaves out falsy items; that of 0.1.7 knows no texts at all."""
    got = collected(client, "Streams.texts")
    assert got["items"] == ["Hello,", " World", "a\u2028b\u0085c\nd", '"']


def test_many_streams_at_once(client: JsClient) -> None:
    burst = stream("Streams.burst", query={"n": 100})
    script = f"""
        const all = await Promise.all(Array.from({{length: 30}}, () => collect({burst})));
        return all.map((got) => got.items.length);
    """
    assert client.run(script) == [100] * 30


# ---- errors


def test_the_thrown_object_arrives_as_it_is(client: JsClient) -> None:
    got = collected(client, "Hello.failingTokens")
    assert got["items"] == [{"message": "Hello,"}]
    assert got["error"] == {"thrown": {"hello": "World"}}


@pytest.mark.parametrize("value", [0, False, None, [1, "€"]], ids=str)
def test_any_thrown_value(client: JsClient, app: App, value: Any) -> None:
    got = collected(client, "Fails.thrown", query={"value": json.dumps(value)})
    assert got["items"] == [{"i": 0}]
    if app.is_old or value:
        assert got["error"] == {"thrown": value}
    else:  # the client of 3.7.0 takes these for no error, whoever sends them
        assert got["error"] is None


@pytest.mark.parametrize(
    ("method", "items", "message"),
    [
        ("Fails.error", [{"i": 0}], "went wrong"),
        ("Fails.teapot", [{"i": 0}], "a teapot"),
        ("Fails.atOnce", [], "went wrong at once"),
    ],
)
def test_errors_in_a_stream(client: JsClient, method: str, items: list[Any], message: str) -> None:
    got = collected(client, method)
    assert got["items"] == items
    assert (got["error"]["kind"], got["error"]["message"]) == ("Error", message)


@pytest.mark.parametrize(
    ("method", "status", "message", "cause"),
    [
        ("Fails.beforeStream", 403, "not allowed", {"why": "a guard"}),
        ("Fails.replyTeapot", 418, "a teapot", {"why": "short and stout"}),
    ],
)
def test_errors_instead_of_an_answer(
    client: JsClient, app: App, method: str, status: int, message: str, cause: Any
) -> None:
    made = stream(method) if method == "Fails.beforeStream" else call(method)
    error = client.run(f"return await failure({made})")
    assert error["kind"].endswith("HttpException")
    assert (error["statusCode"], error["message"]) == (status, message)
    assert error.get("cause") == (None if app.is_old else cause)


def test_a_plain_error_is_status_500(client: JsClient) -> None:
    error = client.run(f"return await failure({call('Fails.reply')})")
    assert (error["statusCode"], error["message"]) == (500, "no reply")


@pytest.mark.parametrize("app", [NEW], ids=str)
def test_what_does_not_validate(client: JsClient) -> None:
    error = client.run(f"return await failure({call('Valid.double', body={'n': 'x'})})")
    assert error["statusCode"] == 400
    assert error["message"].startswith("Validation failed. Invalid body: ")
    assert error["cause"]["issues"][0]["path"] == ["n"]


# ---- replies


@pytest.mark.parametrize("method", ["save", "replace", "change"])
def test_bodies(client: JsClient, method: str) -> None:
    body = {"a": [1, "é😀\u2028", None, {"b": True}]}
    script = f"return await {call(f'Replies.{method}', body=body, params={'id': '7'})}"
    got = client.run(script)
    verb = {"save": "POST", "replace": "PUT", "change": "PATCH"}[method]
    assert (got["method"], got["id"], got["body"]) == (verb, "7", body)


def test_parameters_and_queries(client: JsClient, app: App) -> None:
    query: dict[str, Any] = {"q": "a&b=c#é", "page": "2"}
    if not app.is_old:
        query |= {"tags": ["x", "y"], "where": {"city": "Köln"}}
    params = {"id": "7", "place": "here"}
    got = client.run(f"return await {call('Replies.greeting', params=params, query=query)}")
    assert (got["id"], got["place"], got["query"]) == ("7", "here", query)
    removed = client.run(f"return await {call('Replies.remove', params={'id': '7'})}")
    assert removed == {"method": "DELETE", "id": "7"}
    assert client.run(f"return await {call('Replies.getURLForXMLParser2')}") == {"found": True}


def test_a_token(app: App, tmp_path: Path) -> None:
    """Each client has a way to send headers with a call."""
    headers = {"authorization": "Bearer secret"}
    with_headers = {"headers": headers} if app.is_old else {"init": {"headers": headers}}
    file = written(app, tmp_path)
    with serve_twin(app, token="secret") as server, JsClient(app, server.url, file) as client:
        error = client.run(f"return await failure({call('Replies.getURLForXMLParser2')})")
        assert error["statusCode"] == 401
        got = client.run(f"return await {call('Replies.getURLForXMLParser2', **with_headers)}")
        assert got == {"found": True}


class FormsRPC(vovk.Controller):
    @vovk.post.auto()
    async def upload(self, req: vovk.Request) -> dict[str, Any]:
        form = await req.form()
        file = form.pop("file")
        return {**form, "file": [file.name, file.content_type, list(file.data)]}


def test_a_form_with_a_file(tmp_path: Path) -> None:
    file = tmp_path / "schema.json"
    vovk.write_schema(file, [FormsRPC])
    script = """
        const form = new FormData();
        form.append("title", "é\\u2028");
        for (const tag of ["a", "b"]) form.append("tags", tag);
        const data = new Uint8Array([0, 255, 13, 10]);
        form.append("file", new File([data], 'ä "1".png', { type: "image/png" }));
        return await rpc("Forms").upload({ body: form });
    """
    with vovk.serve([FormsRPC], token=False) as server, JsClient(NEW, server.url, file) as client:
        assert client.run(script) == {
            "title": "é\u2028",
            "tags": ["a", "b"],
            "file": ['ä "1".png', "image/png", [0, 255, 13, 10]],
        }


# ---- ending it

WAYS = {
    "cancel": (OLD, "stream.cancel()"),
    "abortSilently": (NEW, "stream.abortSilently()"),
    "abort": (NEW, "stream.abortController.abort(new Error('mine'))"),
}


@pytest.mark.parametrize(("app", "way"), WAYS.values(), ids=WAYS)
def test_cancelling_ends_our_generator(clients: Start, app: App, way: str) -> None:
    client = clients(app, "ours")
    number = f"{app.name}-{next(_NUMBERS)}"
    slow = stream("Streams.slow", query={"id": number, "n": 1000, "pauseMs": 10})
    page = call("Streams.diary", query={"id": number})
    script = f"""
        const stream = await {slow};
        let seen = 0;
        try {{
            for await (const item of stream) if (++seen === 3) break;
        }} catch (error) {{ return describe(error); }}
        const left = Date.now();
        {way};
        await until(async () => (await {page}).page.endedAt);
        return {{ left, ...(await {page}).page }};
    """
    got = client.run(script)
    print(f"ended {got['endedAt'] - got['left']:.1f} ms after the cancel")
    assert got["produced"] < 1000
    assert got["endedAt"] - got["left"] < END_MS


def test_a_client_that_vanishes(clients: Start, app: App) -> None:
    """Its process ends in the middle of a stream."""
    watcher = clients(app, "ours")
    number = f"{app.name}-{next(_NUMBERS)}"
    page = call("Streams.diary", query={"id": number})
    with JsClient(app, watcher.url, watcher.schema) as victim:
        slow = stream("Streams.slow", query={"id": number, "n": 1000, "pauseMs": 10})
        victim.run(f"await collect({slow}, 2)")
        left_s = time.time()
    ended_at = watcher.run(
        f"await until(async () => (await {page}).page.endedAt); return (await {page}).page.endedAt"
    )
    print(f"ended {ended_at - left_s * 1000:.1f} ms after its client")
    assert ended_at - left_s * 1000 < END_MS
