"""What a trace shows of real calls: over every transport and protocol, and over HTTP."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.endpoints import Endpoint
from support.vovk.api import NEW, OLD
from support.waiting import until

import kkjupyter as kk
from kkjupyter import vovk
from kkjupyter.traces.trace import Trace


def kinds(trace: Trace) -> list[str]:
    """``"> request"`` and ``"< chunk"``, runs without their count."""
    marks = {"out": ">", "in": "<", "here": "."}
    return [f"{marks[row.direction]} {row.kind}" for row in trace.rows]


def of_kind(trace: Trace, kind: str) -> Any:
    [row] = [row for row in trace.rows if row.kind == kind]
    return row


def count(trace: Trace, kind: str) -> int:
    return sum(row.count for row in trace.rows if row.kind == kind)


# ---- headers, which are always kept


def test_a_value(api: Any) -> None:
    call = api.add(1, 2)
    assert call.result() == 3
    trace = kk.trace(call)
    assert kinds(trace) == ["> request", "< response"]
    request, response = trace.rows
    assert request.detail == "add"
    assert 20 < request.size_bytes < 300
    assert 20 < response.size_bytes < 300
    assert 0 < response.t_s < 10
    assert trace.is_over
    assert not trace.has_payloads
    assert trace.title == "add(1, 2)"
    assert kk.trace(api) == kk.trace() == trace


@pytest.mark.only("classic")
def test_a_classic_stream(api: Any) -> None:
    call = api.countdown(300)
    assert len(call.result()) == 301
    trace = kk.trace(call)
    assert kinds(trace) == ["> request", "< response (stream)", "< chunk", "< end"]
    run = of_kind(trace, "chunk")
    assert run.count == 301
    assert run.size_bytes > 301 * 50
    assert run.until_s >= run.t_s > 0


@pytest.mark.only("compact")
def test_a_compact_stream(api: Any) -> None:
    call = api.countdown(300)
    assert len(call.result()) == 301
    trace = kk.trace(call)
    assert count(trace, "chunk") == 301
    assert kinds(trace)[:3] == ["> request", "< response (stream)", "> credit"]
    # Credit may cross the end on the wire; the server then says that there is no such stream.
    end = kinds(trace).index("< end")
    assert set(kinds(trace)[3:end]) <= {"> credit", "< chunk"}
    assert set(kinds(trace)[end + 1 :]) <= {"> credit", "< error"}
    granted = [int(row.detail[1:].replace(",", "")) for row in trace.rows if row.kind == "credit"]
    assert sum(granted) > 301


def test_a_property_and_a_constructor(api: Any) -> None:
    kk.get(api.settings.theme)
    assert kk.trace().rows[0].detail == "get settings.theme"
    kk.set(api.settings.theme, "dark")
    assert kk.trace().rows[0].detail == "set settings.theme"
    kk.new(api.Point, 1).result()
    assert kk.trace().rows[0].detail == "new Point"


def test_a_failure(api: Any) -> None:
    with pytest.raises(kk.RemoteError):
        api.fails("my secret text").result()
    trace = kk.trace()
    assert kinds(trace) == ["> request", "< error"]
    assert trace.rows[1].detail == "ValueError"
    assert trace.rows[1].size_bytes > 50
    assert "my secret text" not in "".join(row.detail for row in trace.rows)


def test_a_stream_that_fails(api: Any) -> None:
    with pytest.raises(kk.RemoteError):
        list(api.failing_stream())
    trace = kk.trace()
    assert kinds(trace)[-1] == "< error"
    assert count(trace, "chunk") == 2
    assert trace.is_over


@pytest.mark.only("classic")
def test_a_classic_cancel_and_what_was_under_way(api: Any, endpoint: Endpoint) -> None:
    for value in api.ticks():
        if value == 20:
            break
    until(lambda: endpoint.finals)
    until(lambda: "> cancel" in kinds(kk.trace()))
    trace = kk.trace()
    after = kinds(trace)[kinds(trace).index("> cancel") + 1 :]
    assert after in ([], ["< chunk"])
    assert all(row.detail == "dropped" for row in trace.rows[len(trace.rows) - len(after) :])
    assert trace.is_over


@pytest.mark.only("compact")
def test_a_compact_cancel_and_its_acknowledgement(api: Any) -> None:
    for value in api.ticks():
        if value == 20:
            break
    until(lambda: "< acknowledgement" in kinds(kk.trace()))
    trace = kk.trace()
    assert "> cancel" in kinds(trace)
    assert of_kind(trace, "acknowledgement").size_bytes > 20


def test_a_time_limit(api: Any) -> None:
    with pytest.raises(kk.CallTimeout):
        kk.call(api.slow, 5, timeout_s=0.05).result()
    until(lambda: "> cancel" in kinds(kk.trace()))
    assert of_kind(kk.trace(), "cancel").detail == "time limit"


def test_callbacks(api: Any) -> None:
    assert api.progress(5, lambda *_: None).result() == "done"
    trace = kk.trace()
    assert count(trace, "callback") == 5
    assert kinds(trace)[-1] in ("< response", "< release")


@pytest.mark.only("compact")
def test_a_stream_as_an_argument(start: Callable[..., Any], spoken: dict[str, str]) -> None:
    async def total(numbers: Any) -> int:
        return sum([number async for number in numbers])

    with start({"total": total}) as server, server.connect(**spoken) as api:
        call = api.total(iter(range(100)))
        assert call.result() == 4950
        until(lambda: any(r.kind == "end" and r.direction == "out" for r in kk.trace(call).rows))
        trace = kk.trace(call)
    out = [row for row in trace.rows if row.direction == "out" and row.kind == "chunk"]
    assert sum(row.count for row in out) == 100
    assert any(row.kind == "credit" and row.direction == "in" for row in trace.rows)


@pytest.mark.only("compact")
def test_an_error_thrown_in(api: Any) -> None:
    call = api.ticks(0.001)
    next(iter_ := iter(call))
    with pytest.raises(kk.RemoteError):
        call.throw(ValueError("stop")).result()
    trace = kk.trace(call)
    assert "> throw" in kinds(trace)
    assert "< acknowledgement" in kinds(trace)
    del iter_


def test_a_lost_connection(start: Callable[..., Any], spoken: dict[str, str]) -> None:
    endpoint = Endpoint()
    server = start(endpoint)
    api = server.connect(**spoken)
    call = api.slow(30)
    until(lambda: endpoint.calls)
    server.close()
    with pytest.raises(kk.KKError):
        call.result(10)
    trace = kk.trace(call)
    assert kinds(trace)[0] == "> request"
    assert kinds(trace)[-1] in (". lost", "< error")
    assert trace.is_over
    kk.close(api)


def test_many_calls_are_told_apart(api: Any) -> None:
    calls = [api.echo("x" * number) for number in range(60)]
    assert [call.result() for call in calls] == ["x" * number for number in range(60)]
    traces = [kk.trace(call) for call in calls]
    assert all(kinds(trace) == ["> request", "< response"] for trace in traces)
    for row in (0, 1):
        frames = [trace.rows[row].size_bytes - number for number, trace in enumerate(traces)]
        assert max(frames) - min(frames) <= 2  # ids with a number in them grow


def test_the_size_of_a_large_reply_is_right(api: Any) -> None:
    assert len(api.echo("x" * 700_000).result()) == 700_000
    trace = kk.trace()
    assert 700_000 < trace.rows[1].size_bytes < 700_300


# ---- payloads


def test_payloads_while_asked_for(api: Any) -> None:
    with kk.tracing(api):
        api.echo({"n": 12345, "password": "hunter2-hunter2"}).result()
        list(api.countdown(3))
    value, stream = kk.trace(api), None
    assert value.has_payloads
    with kk.tracing():
        call = api.echo({"n": 12345, "password": "hunter2-hunter2"})
        call.result()
        stream_call = api.countdown(30)
        stream_call.result()
    value, stream = kk.trace(call), kk.trace(stream_call)
    for row in value.rows:
        assert "12345" in row.payload_text
        assert '"password":"(hidden)"' in row.payload_text
        assert row.size_bytes > len(row.payload_text)
    assert "hunter2" not in repr(value)
    for row in stream.rows:
        assert row.payloads
    assert re.search(r"[\[:]30[\]}]", stream.rows[0].payload_text)
    chunks = [row for row in stream.rows if row.kind == "chunk"]
    assert chunks[0].payloads[0].count("{") >= 1
    api.echo(1).result()
    assert not kk.trace(api).has_payloads


def test_results_are_the_same_while_traced(api: Any) -> None:
    odd = {"text": "a\n b\u2028 \r\n é😀", "list": [1, None, "x" * 100_000]}
    for _ in range(2):
        assert api.echo(odd).result() == odd
        assert list(api.countdown(500)) == list(range(500, -1, -1))
        assert [len(item) for item in api.items(20, 70_000)] == [70_000] * 20
        with kk.tracing(api):
            assert api.echo(odd).result() == odd
            calls = [api.echo(number) for number in range(50)]
            streams = [api.countdown(100) for _ in range(5)]
            assert [call.result() for call in calls] == list(range(50))
            assert [stream.result() for stream in streams] == [list(range(100, -1, -1))] * 5
            assert [len(item) for item in api.items(20, 70_000)] == [70_000] * 20
            assert count(kk.trace(streams[2]), "chunk") == 101
            with pytest.raises(kk.RemoteError):
                api.fails().result()


def test_a_large_payload_is_cut_and_its_size_is_not(api: Any) -> None:
    with kk.tracing(api):
        api.echo("<" + "x" * 300_000 + ">").result()
    request, response = kk.trace(api).rows
    assert request.size_bytes > 300_000
    assert response.size_bytes > 300_000
    assert len(request.payload_text) < 5_000
    assert ">" in response.payload_text[-300:]


def test_the_payloads_of_old_calls_are_let_go(api: Any) -> None:
    with kk.tracing(api):
        calls = [api.echo(number) for number in range(40)]
        for call in calls:
            call.result()
        assert kk.trace(calls[-1]).has_payloads
        for number in range(100):
            api.echo(number).result()
    assert not kk.trace(calls[0]).has_payloads
    assert kinds(kk.trace(calls[0])) == ["> request", "< response"]
    assert kk.trace(api).has_payloads


def test_tokens_and_headers_never_show() -> None:
    token = "the-token-of-this-server"
    with kk.serve(Endpoint(), token=token) as server:
        options: Any = {
            "token": token,
            "headers": {"X-Api-Key": "the-key-in-a-header"},
            "cookies": {"sid": "the-cookie-of-the-user"},
            "meta": lambda: {"authorization": "Bearer the-meta-of-the-user", "n": 5},
        }
        url = f"ws://127.0.0.1:{server.port}"
        with kk.connect(url, **options) as api, kk.tracing(api):
            words = [token, "the-key-in-a-header", "the-cookie-of-the-user", "the-meta-of-the-user"]
            api.echo(words[:3]).result()
            trace = kk.trace(api)
    assert trace.has_payloads
    assert trace.rows[0].payload_text.count("(hidden)") >= 4
    shown = repr(trace) + "".join(row.payload_text for row in trace.rows) + trace.heading
    assert not [word for word in words if word in shown]


# ---- over HTTP


@pytest.fixture(params=["classic", "compact"])
def over_http(request: pytest.FixtureRequest) -> Iterator[Any]:
    with (
        kk.serve(Endpoint(), transport="http", token="the-token-of-http") as server,
        server.connect(protocol=request.param) as api,
    ):
        yield api


def test_a_call_over_http(over_http: Any) -> None:
    over_http.add(1, 2).result()
    trace = kk.trace(over_http)
    assert kinds(trace) == ["> request", "< response"]
    assert trace.rows[0].detail == "POST add"
    assert trace.rows[1].detail == "200 application/json"
    with kk.tracing(over_http), pytest.raises(kk.RemoteError):
        over_http.fails().result()
    trace = kk.trace(over_http)
    assert kinds(trace) == ["> request", "< error"]
    assert trace.rows[0].payload_text.startswith("POST / HTTP/1.1\n")
    assert "Authorization: (hidden)" in trace.rows[0].payload_text
    assert "the-token-of-http" not in repr(trace)


@pytest.fixture(params=[NEW, OLD], ids=["jsonlines", "divider"])
def vovk_api(request: pytest.FixtureRequest) -> Iterator[Any]:
    with (
        vovk.serve(request.param, token="the-token-of-vovk") as server,
        server.connect() as api,
    ):
        yield api


def controller(api: Any) -> Any:
    return getattr(api, next(name for name in dir(api) if "Hello" in name))


def test_a_vovk_stream(vovk_api: Any) -> None:
    rpc = controller(vovk_api)
    for traced in (False, True):
        with kk.tracing(vovk_api) if traced else contextlib.nullcontext():
            items = list(rpc.streamTokens(body={}, query={"delay": 0, "token": "t0k"}))
        assert len(items) == 3
        trace = kk.trace(vovk_api)
        assert kinds(trace)[0] == "> request"
        assert kinds(trace)[1] == "< response (stream)"
        assert kinds(trace)[-1] == "< end"
        assert sum(row.count for row in trace.rows[2:-1]) == 3
        assert trace.rows[0].detail.startswith("POST /api/")
        assert trace.has_payloads is traced
    text = trace.rows[0].payload_text
    assert "token=(hidden)" in text
    assert "Authorization: (hidden)" in text
    assert '"message":" World"' in "".join(row.payload_text for row in trace.rows)
    assert "the-token-of-vovk" not in repr(trace)


def test_a_vovk_failure_in_mid_stream(vovk_api: Any) -> None:
    with kk.tracing(vovk_api), pytest.raises(kk.RemoteError):
        list(controller(vovk_api).failError())
    trace = kk.trace(vovk_api)
    assert kinds(trace)[-1] == "< error"
    assert '"isError":true' in trace.rows[-1].payload_text
    assert '"message":"one"' not in trace.rows[-1].payload_text


def test_a_vovk_cancel_is_the_end_of_the_connection(vovk_api: Any) -> None:
    for _ in controller(vovk_api).streamTokens(body={}, query={"delay": 50}):
        break
    until(lambda: kk.trace(vovk_api).is_over)
    last = kk.trace(vovk_api).rows[-1]
    assert (last.direction, last.kind) == ("out", "abort")


# ---- the functions themselves


def test_what_has_no_trace_is_told(api: Any) -> None:
    with pytest.raises(kk.UsageError, match="no call was made"):
        kk.trace(api)
    with pytest.raises(kk.UsageError, match="takes a call or a connection"):
        kk.trace("api")  # type: ignore[arg-type]
    with pytest.raises(kk.UsageError, match="takes connections"), kk.tracing("api"):  # type: ignore[arg-type]
        pass


def test_a_call_that_is_never_sent_is_not_the_last_one(api: Any) -> None:
    api.add(1, 2).result()
    with pytest.raises(kk.KKError):
        api.echo(object())
    assert kk.trace(api).title == "add(1, 2)"
