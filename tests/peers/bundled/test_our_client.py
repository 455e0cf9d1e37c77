"""Our client with the real servers of both generations, over everything they speak."""

from __future__ import annotations

import asyncio
import datetime as dt
import math
import time

import pytest
from support.peers.lines import DUPLEX, LINES, connected, on, rich
from support.peers.node import Line
from support.waiting import until

import kkjupyter as kk
from kkjupyter.calls.call import Call
from kkjupyter.client.remote import Remote
from kkjupyter.wire.values.javascript import BigInt, Map

# ---- values


@on(LINES)
def test_calls(api: Remote) -> None:
    assert api.add(1, 2).result() == 3
    assert api.math.grade1.add(40, 2).result() == 42
    value = {"a": [1, "é😀\u2028\ud83d", None, {"b": True}]}
    assert api.echo(value).result() == value
    calls = [api.add(i, i) for i in range(200)]
    assert [call.result() for call in calls] == [2 * i for i in range(200)]


@on(LINES)
def test_keyword_arguments_arrive_as_one_object(api: Remote) -> None:
    assert api.echo(a=1).result() == {"a": 1}
    assert api.echo({"a": 1}).result() == {"a": 1}
    assert dir(api) == []


@on(LINES)
def test_large_values(api: Remote) -> None:
    value = "é😀" * 200_000
    intact = api.echo(value).result() == value
    assert intact  # and not a megabyte of comparison


@on(LINES)
def test_properties_and_constructors(api: Remote, line: Line) -> None:
    assert kk.get(api.settings.theme) == "light"
    api.settings.theme = "dark"
    assert kk.get(api.settings.theme) == "dark"
    kk.set(api.settings.theme, "light")
    assert kk.get(api.settings.empty) is None
    if line.protocol == "compact":
        assert kk.get(api.settings.missing) is kk.undefined
    else:
        with pytest.raises(kk.RemoteError, match=r"settings\.missing not found"):
            kk.get(api.settings.missing)
    assert kk.new(api.Counter, 10, 5).result() == {"start": 10, "step": 5}


@on(LINES)
def test_undefined_and_null(api: Remote, line: Line) -> None:
    assert api.undef().result() is kk.undefined
    assert api.nil().result() is None
    # The classic protocol has no place for undefined among JSON arguments.
    kept = "null" if (line.protocol, line.codec) == ("classic", "json") else "undefined"
    assert api.describe(kk.undefined, None, 1).result() == [3, kept, "null", "number"]
    assert api.describe().result() == [0]


@on(rich(LINES))
def test_rich_values(api: Remote) -> None:
    got = api.rich().result()
    assert got["when"] == dt.datetime.fromtimestamp(0, dt.UTC)
    assert (got["tags"], got["big"]) == ({1}, 10)
    assert math.isnan(got["map"]["a"])
    for value in (Map({1: "x"}), {1, 2}, b"\x00\xff", [kk.undefined, BigInt(7)]):
        assert api.echo(value).result() == value


# ---- errors and what stands around a call


@on(LINES)
def test_errors(api: Remote) -> None:
    with pytest.raises(kk.RemoteError) as caught:
        api.fail().result()
    error = caught.value
    assert (error.name, error.message, error.data) == ("TypeError", "bad type", {"code": "E_TYPE"})
    assert error.stack is not None
    assert "api.mjs" in error.stack
    with pytest.raises(kk.RemoteError, match="just text"):
        api.throwText().result()
    with pytest.raises(kk.RemoteError, match="missing is not a function"):
        api.missing().result()


@on(DUPLEX)
def test_middleware_and_validation(api: Remote) -> None:
    assert api.shouted("a").result() == "A"
    with pytest.raises(kk.RemoteError, match="the guard says no"):
        api.guarded().result()
    assert api.checked(1, 2).result() == 3
    with pytest.raises(kk.RemoteError) as caught:
        api.checked(1, "two").result()
    assert caught.value.name == "RPCValidationError"
    assert caught.value.data["issues"] == [{"message": "two numbers are expected", "path": [0]}]


@on(LINES)
def test_a_timeout_harms_no_other_call(api: Remote) -> None:
    with pytest.raises(kk.CallTimeout):
        kk.call(api.slow, 2_000, timeout_s=0.05).result()
    assert api.add(1, 2).result() == 3


# ---- callbacks, and the other direction


@on(DUPLEX)
def test_callbacks(api: Remote) -> None:
    calls: list[tuple[int, int]] = []
    assert api.onProgress(3, lambda i, n: calls.append((i, n))).result() == "done"
    assert calls == [(1, 3), (2, 3), (3, 3)]
    later: list[int] = []
    api.keep(later.append).result()
    api.callKept(7).result()
    until(lambda: later == [7])


@on(DUPLEX)
def test_a_server_that_calls_us_is_told_that_there_is_nothing(api: Remote) -> None:
    with pytest.raises(kk.RemoteError, match="No API"):
        api.askClient("you").result(timeout_s=10)


@on(DUPLEX)
def test_a_server_calls_what_we_expose(line: Line) -> None:
    with connected(line, expose={"greet": lambda name: f"hello {name}"}) as api:
        assert api.askClient("you").result(timeout_s=10) == "hello you"


# ---- streams


@on(DUPLEX)
def test_streams(api: Remote) -> None:
    async def read(call: Call) -> list[int]:
        return [n async for n in await call]

    async def both() -> list[list[int]]:
        return await asyncio.gather(read(api.countdown(5)), read(api.countdown(3)))

    assert list(api.countdown(5)) == [5, 4, 3, 2, 1, 0]
    assert asyncio.run(both()) == [[5, 4, 3, 2, 1, 0], [3, 2, 1, 0]]
    assert list(api.data.stream(3)) == ["item-0", "item-1", "item-2"]
    assert list(api.empty()) == []
    assert sum(1 for _ in api.tokens(20_000)) == 20_000


@on(DUPLEX)
def test_many_streams_at_once(api: Remote) -> None:
    async def read(count: int) -> list[str]:
        return [value async for value in api.tokens(count)]

    async def all_of_them() -> list[list[str]]:
        return await asyncio.gather(*(read(count) for count in range(100)))

    assert [len(values) for values in asyncio.run(all_of_them())] == list(range(100))


@on(DUPLEX)
def test_a_call_beside_a_stream_that_nobody_reads(api: Remote) -> None:
    idle = iter(api.tokens(50_000))
    assert next(idle) == "tok0"
    assert [api.add(i, 1).result() for i in range(20)] == list(range(1, 21))
    assert list(api.countdown(2)) == [2, 1, 0]
    assert sum(1 for _ in idle) == 49_999


@on(DUPLEX)
def test_a_stream_of_large_values(api: Remote) -> None:
    size = 600_000
    value = "é😀" * (size // 6)
    assert [blob == value for blob in api.blobs(20, size)] == [True] * 20


@on(rich(DUPLEX))
def test_a_stream_of_rich_values(api: Remote) -> None:
    values = list(api.richStream())
    assert values == [dt.datetime.fromtimestamp(0, dt.UTC), kk.undefined, None, 10]


@on(DUPLEX)
def test_cancelling(api: Remote) -> None:
    for n in api.ticks():
        if n == 2:
            break
    until(lambda: api.openTicks().result() == 0)
    call = api.ticks()
    loop = iter(call)
    assert next(loop) == 0
    assert api.openTicks().result() == 1
    call.cancel()
    with pytest.raises(kk.CallCancelled):
        next(loop)
    until(lambda: api.openTicks().result() == 0)


@on(DUPLEX)
def test_leaving_a_loop_does_not_wait_for_their_producer(line: Line) -> None:
    """Theirs ends at its next yield, two seconds later; their own client waits for that."""
    with connected(line) as api:
        for value in api.sleepy():
            assert value == "first"
            left_s = time.monotonic()
            break
        assert api.add(1, 2).result() == 3
        assert time.monotonic() - left_s < 1


@on(DUPLEX)
def test_streams_that_fail(api: Remote, line: Line) -> None:
    loop = iter(api.failingStream())
    assert [next(loop), next(loop)] == [1, 2]
    with pytest.raises(kk.RemoteError, match="something went wrong") as caught:
        next(loop)
    # Theirs of the second generation sends neither class nor properties.
    assert caught.value.data == ({"code": "E_FAIL"} if line.protocol == "classic" else {})
    with pytest.raises(kk.RemoteError, match="before the first value"):
        list(api.failsAtOnce())


# ---- the connection


@on(DUPLEX)
def test_a_server_that_dies_fails_what_is_under_way(line: Line) -> None:
    with connected(line) as api:
        loop = iter(api.ticks())
        waiting = api.slow(60_000)
        assert next(loop) == 0
        dying = api.die()
        with pytest.raises(kk.ConnectionLost):
            list(loop)
        for call in (waiting, dying):
            with pytest.raises(kk.ConnectionLost):
                call.result()
        if line.transport == "stdio":  # the next call starts the program anew
            assert api.add(1, 2).result() == 3
        else:
            with pytest.raises(kk.ConnectError):
                api.add(1, 2).result()


def test_a_server_that_answers_in_another_codec() -> None:
    """The first generation answers in its own codec, whatever it is asked in."""
    theirs = Line("0.7.0", "websocket", "superjson")
    with connected(theirs, protocol="classic", codec="json") as api:
        assert api.rich().result()["big"] == 10
        assert list(api.countdown(1)) == [1, 0]


@on(LINES)
def test_being_told_what_it_speaks(line: Line) -> None:
    with connected(line, protocol=line.protocol, codec=line.codec) as api:
        assert api.add(1, 2).result() == 3
