"""Our client with the real servers of both generations: every method of them."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from support.vovk.apps import NEW, OLD, App, NextServer
from support.vovk.cases import Case, cases
from support.waiting import until

import kkjupyter as kk
from kkjupyter import vovk
from kkjupyter.calls.call import Call
from kkjupyter.client.remote import Remote

_NUMBERS = itertools.count()
ALL_CASES = [(app, case) for app in (NEW, OLD) for case in cases(is_old=app.is_old)]


def on(which: App) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("app", [which], ids=str)


def handler(api: Remote, app: App, method: str) -> Any:
    controller, name = method.split(".")
    return api[controller + app.suffix][name]


def diary(api: Remote, app: App, number: str) -> Any:
    """What became of the stream of this number on the server; None if it never began."""
    return handler(api, app, "Streams.diary")(query={"id": number}).result()["page"]


def outcome(call: Call, case: Case) -> Any:
    """Its items, or its value; what it raises comes last."""
    if case.items is None:
        return [call.result()]
    got: list[Any] = []
    try:
        for item in call:
            got.append(item)
    except kk.KKError as error:
        got.append(error)
    return got


@pytest.mark.parametrize(("app", "case"), ALL_CASES, ids=str)
def test_each_method(api: Remote, app: App, case: Case) -> None:
    call = handler(api, app, case.method)(**case.given)
    if case.error is None:
        got = outcome(call, case)
        if case.items is None and "body" in case.given and "params" in case.given:
            [echo] = got
            assert (echo["method"], echo["id"]) == (case.value, case.given["params"]["id"])
            assert (echo["body"], echo["type"]) == (case.given["body"], "application/json")
        else:
            same = got == (case.items if case.items is not None else [case.value])
            assert same, repr(got)[:500]
        return
    if case.items is None:
        with pytest.raises(case.error) as caught:
            call.result()
        error: Any = caught.value
    else:
        *items, error = outcome(call, case)
        assert items == case.items
    assert type(error) is case.error
    assert {name: getattr(error, name) for name in case.fields} == case.fields


def test_no_method_is_left_out(app: App) -> None:
    schema = app.schema()
    segments = [{"controllers": schema}] if app.is_old else schema["segments"].values()
    there = {
        f"{name.removesuffix(app.suffix)}.{handler}"
        for segment in segments
        for name, controller in segment["controllers"].items()
        for handler in controller["_handlers" if app.is_old else "handlers"]
    }
    tried = {case.method for case in cases(is_old=app.is_old)}
    # Those have tests of their own here.
    assert there == tried | {"Streams.diary", "Replies.headers", "Replies.greeting"}


# ---- in time


def test_tokens_arrive_as_they_are_made(api: Remote, app: App) -> None:
    """The guide: one every 300 ms, to simulate an AI."""
    call = handler(api, app, "Hello.streamTokens")(body={"hello": "world"}, isStream=True)
    times = [time.monotonic()]
    for _ in call:
        times.append(time.monotonic())
    gaps = [after - before for before, after in itertools.pairwise(times)]
    print("seconds between tokens:", [round(gap, 3) for gap in gaps])
    assert len(gaps) == 3
    assert min(gaps) > 0.2


def test_the_guides_way_of_calling(api: Remote, app: App) -> None:
    async def log_tokens() -> list[Any]:
        resp = await handler(api, app, "Hello.streamTokens")(body={"hello": "world"}, isStream=True)
        assert resp.status == 200
        return [token["message"] async for token in resp]

    assert asyncio.run(log_tokens()) == ["Hello,", " World", "!"]


def test_is_stream_on_a_reply_gives_one_item(api: Remote, app: App) -> None:
    found = handler(api, app, "Replies.getURLForXMLParser2")
    assert list(found(isStream=True)) == [{"found": True}]


def test_many_streams_at_once(api: Remote, app: App) -> None:
    async def read(number: int) -> int:
        call = handler(api, app, "Streams.burst")(query={"n": 50 + number})
        return len([item async for item in call])

    async def read_all() -> list[int]:
        return await asyncio.gather(*map(read, range(40)))

    assert asyncio.run(read_all()) == list(range(50, 90))


# ---- ending it


WAYS = ["break", "cancel", "with"]


@pytest.mark.parametrize("way", WAYS)
def test_leaving_aborts_the_request(api: Remote, app: App, way: str) -> None:
    number = f"{way}-{next(_NUMBERS)}"
    query = {"id": number, "n": 100, "pauseMs": 10}

    async def drain(items: AsyncIterator[Any]) -> None:
        async for _ in items:
            pass

    async def leave() -> float:
        call = handler(api, app, "Streams.slow")(query=query)
        if way == "break":
            async for item in call:
                if item["i"] == 3:
                    break
            return time.time()
        if way == "with":
            async with call:
                await anext(aiter(call))
            return time.time()
        items = aiter(call)
        await anext(items)
        call.cancel()
        left_s = time.time()
        with pytest.raises(kk.CallCancelled):
            await drain(items)
        return left_s

    left_s = asyncio.run(leave())
    until(lambda: diary(api, app, number)["abortedAt"], 5)
    page = diary(api, app, number)
    print(f"the server knew after {page['abortedAt'] / 1000 - left_s:.3f} s")
    if app.is_old:  # at its next item; 3.7.0 goes on to its end
        until(lambda: diary(api, app, number)["endedAt"], 5)
        assert diary(api, app, number)["produced"] < 100


def test_nobody_reads(api: Remote, app: App) -> None:
    """What we hold is bounded; how much the server holds is its own affair: 0.1.7 waits."""
    number = f"flood-{next(_NUMBERS)}"
    query = {"id": number, "n": 600, "pauseMs": 0, "bytes": 200_000}
    call = handler(api, app, "Streams.slow")(query=query)
    items = iter(call)
    assert next(items)["i"] == 0

    def produced() -> int:
        return int(diary(api, app, number)["produced"])

    if app.is_old:
        until(lambda: _stands_still(produced), 10)
        assert produced() < 600
    assert [item["i"] for item in items] == list(range(1, 600))


def _stands_still(count: Any) -> bool:
    before = count()
    time.sleep(0.3)
    return bool(count() == before)


def test_time_limits(api: Remote, app: App) -> None:
    slow = handler(api, app, "Streams.slow")
    query = {"id": f"limit-{next(_NUMBERS)}", "n": 3, "pauseMs": 2000}
    with pytest.raises(kk.CallTimeout, match="next item"):
        list(kk.call(slow, query=query, idle_timeout_s=0.2))


# ---- what is sent


def test_names_and_values_are_encoded(api: Remote, app: App) -> None:
    greeting = handler(api, app, "Replies.greeting")
    query = {"q": "a+b&c=d#é", "page": "2"}
    got = greeting(params={"id": "a?b#c é", "place": "ü"}, query=query).result()
    assert (got["id"], got["place"], got["query"]) == ("a?b#c é", "ü", query)


def test_headers(server: NextServer, app: App) -> None:
    defaults = {"headers": {"X-Default": "1", "X-Own": "1"}}
    with kk.connect(
        server.url, schema=app.schema_path, token="secret", default_options=defaults
    ) as api:
        got = handler(api, app, "Replies.headers")(headers={"X-Own": "2"}).result()
    assert got["authorization"] == "Bearer secret"
    assert (got["x-default"], got["x-own"]) == ("1", "2")
    if not app.is_old:
        assert got["accept"] == "application/jsonl, application/json"


def test_missing_and_unknown_parameters_are_refused_here(api: Remote, app: App) -> None:
    save = handler(api, app, "Replies.save")
    for params in ({}, {"id": "1", "other": "2"}):
        with pytest.raises(kk.ValidationError):
            save(params=params, body={}).result()


@on(NEW)
def test_what_breaks_the_schema_is_refused_here(api: Remote, app: App) -> None:
    say = handler(api, app, "Valid.say")
    given: dict[str, Any] = {"params": {"room": "r"}, "body": {"words": ["far too long a word"]}}
    with pytest.raises(kk.ValidationError) as refused:
        say(**given)
    assert refused.value.issues[0]["path"] == "body.words.0"
    with pytest.raises(kk.RemoteError) as caught:  # the server says the same, if it is asked
        list(say(**given, validate=False))
    assert caught.value.status == 400
    assert caught.value.cause["issues"][0]["path"] == ["words", 0]


@on(OLD)
def test_what_breaks_the_metadata_is_refused_here(api: Remote, app: App) -> None:
    stream_tokens = handler(api, app, "Hello.streamTokens")
    with pytest.raises(kk.ValidationError) as refused:
        stream_tokens(body={"hello": 1})
    assert refused.value.issues[0]["path"] == "body.hello"
    assert len(list(stream_tokens(body={"hello": 1}, validate=False))) == 3


# ---- the guide's own way


@on(OLD)
def test_clientize_with_a_stream_fetcher(server: NextServer, app: App) -> None:
    seen = []

    def my_custom_stream_fetcher(request: vovk.Fetch) -> Any:
        seen.append((request.name, request.http_method, request.get_path(), request.body))
        return vovk.default_stream_fetcher(request)

    controller = vovk.clientize(
        app.schema()["HelloController"],
        api_root=server.url,
        stream_fetcher=my_custom_stream_fetcher,
    )
    with controller:
        call = controller.streamTokens(body={"hello": "world"}, isStream=True)
        assert [token["message"] for token in call] == ["Hello,", " World", "!"]
    path = "hello-controller/stream-tokens"
    assert seen == [("streamTokens", "POST", path, {"hello": "world"})]
