"""Calls in both directions over one connection, and what is said about a call."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from support.endpoints import Endpoint
from support.sessions import carrier
from support.waiting import until

import kkjupyter as kk
from kkjupyter.runtime.loop_threads import io_loop
from kkjupyter.server.interceptors import CallContext

# ---- meta


@pytest.fixture
def seen() -> list[dict[str, Any]]:
    return []


@pytest.fixture
def watched(start: Callable[..., Any], seen: list[dict[str, Any]]) -> Iterator[Any]:
    async def watch(ctx: CallContext, next: Any) -> Any:  # noqa: A002
        seen.append(ctx.meta)
        return await next()

    with start(Endpoint(), interceptors=[watch]) as server:
        yield server


def test_what_is_said_about_a_call_reaches_the_interceptors(
    watched: Any, seen: list[dict[str, Any]], spoken: dict[str, str]
) -> None:
    numbers = itertools.count(1)
    with watched.connect(**spoken, meta=lambda: {"trace": f"t{next(numbers)}"}) as api:
        assert api.add(1, 2).result() == 3
        assert list(api.countdown(1)) == [1, 0]
        assert kk.new(api.Point, 1, 2).result() == {"x": 1, "y": 2}
    # Classic has no such field, but the peers overlook it, and ours read it.
    assert seen == [{"trace": "t1"}, {"trace": "t2"}, {"trace": "t3"}]


def test_nothing_need_be_said(
    watched: Any, seen: list[dict[str, Any]], spoken: dict[str, str]
) -> None:
    for meta in (None, lambda: None, dict):
        with watched.connect(**spoken, meta=meta) as api:
            assert api.add(1, 2).result() == 3
    assert seen == [{}] * 3


def test_what_cannot_be_said_fails_the_call_where_it_is_made(
    server: Any, endpoint: Endpoint, spoken: dict[str, str]
) -> None:
    with (
        server.connect(**spoken, meta=lambda: "a text") as api,
        pytest.raises(kk.UsageError, match="must return a dict"),
    ):
        api.add(1, 2)
    with server.connect(**spoken, meta=lambda: 1 / 0) as api, pytest.raises(ZeroDivisionError):
        api.add(1, 2)
    with pytest.raises(kk.UsageError, match="meta must be a function"):
        server.connect(**spoken, meta={"trace": 1})
    assert endpoint.calls == []


# ---- the way back


class Asks:
    """Calls back what its clients expose."""

    async def ask(self, a: int, b: int) -> Any:
        return await kk.context().caller.add(a, b)

    def ask_in_a_thread(self, a: int, b: int) -> Any:
        return kk.context().caller.add(a, b).result(timeout_s=5)

    async def relay(self, start: int) -> AsyncIterator[int]:
        async for number in kk.context().caller.countdown(start):
            yield number

    async def ask_for_much(self) -> int:
        return len([n async for n in kk.context().caller.items(5000)])

    async def first_of_endless(self) -> Any:
        async for number in kk.context().caller.ticks():
            return number
        return None

    async def ask_in_vain(self) -> str:
        try:
            await kk.context().caller.fails("at the client's")
        except kk.RemoteError as error:
            return f"{error.name}: {error.message}"
        return "it did not fail"

    async def ask_slowly(self) -> Any:
        return await kk.context().caller.slow()

    async def ask_with_a_callback(self) -> list[Any]:
        seen: list[Any] = []
        await kk.context().caller.progress(3, lambda number, count: seen.append(number))
        return seen

    async def theme(self) -> Any:
        return await kk.context().caller.settings.theme

    async def echo(self, value: Any) -> Any:
        return value


@pytest.fixture
def mine() -> Endpoint:
    return Endpoint()


@pytest.fixture
def both(start: Callable[..., Any], mine: Endpoint, spoken: dict[str, str]) -> Iterator[Any]:
    """A client that exposes ``mine`` to a server that calls it back."""
    with start(Asks()) as server, server.connect(**spoken, expose=mine) as api:
        yield api
        mine.gate.set()


def test_a_server_calls_its_client(both: Any) -> None:
    assert both.ask(40, 2).result(timeout_s=5) == 42
    assert both.ask_in_a_thread(40, 2).result(timeout_s=5) == 42
    assert both.theme().result(timeout_s=5) == "light"


def test_a_server_reads_a_stream_of_its_client(both: Any, mine: Endpoint) -> None:
    assert list(both.relay(5)) == [5, 4, 3, 2, 1, 0]
    assert both.ask_for_much().result(timeout_s=10) == 5000
    assert both.first_of_endless().result(timeout_s=5) == 0
    until(lambda: mine.finals == ["ticks"])


def test_an_error_of_the_client_reaches_the_server(both: Any) -> None:
    assert both.ask_in_vain().result(timeout_s=5) == "ValueError: at the client's"


def test_a_callback_on_the_way_back(both: Any) -> None:
    assert both.ask_with_a_callback().result(timeout_s=5) == [0, 1, 2]


def test_cancelling_a_call_cancels_what_it_asked_for_on_the_way_back(
    both: Any, mine: Endpoint
) -> None:
    call = both.ask_slowly()
    until(lambda: mine.calls == ["slow"])
    call.cancel()
    until(lambda: mine.finals == ["slow"])
    assert both.echo(1).result(timeout_s=5) == 1


def test_losing_the_connection_ends_what_runs_on_the_way_back(both: Any, mine: Endpoint) -> None:
    call = both.ask_slowly()
    until(lambda: mine.calls == ["slow"])
    io_loop().post(carrier(both)._channel.abort)
    with pytest.raises(kk.ConnectionLost):
        call.result(timeout_s=5)
    until(lambda: mine.finals == ["slow"])
    assert both.ask(1, 2).result(timeout_s=5) == 3  # also over the next connection


def test_a_client_that_exposes_nothing_says_so(
    start: Callable[..., Any], spoken: dict[str, str]
) -> None:
    with start(Asks()) as server, server.connect(**spoken) as api:
        with pytest.raises(kk.RemoteError, match="API") as caught:
            api.ask(1, 2).result(timeout_s=5)
        said = {"classic": "No API implementation available", "compact": "No API exposed"}
        assert said[spoken["protocol"]] in caught.value.message
        assert api.echo(1).result(timeout_s=5) == 1


def test_calls_in_both_directions_at_once(both: Any) -> None:
    async def main() -> None:
        calls = [both.ask(number, 1) for number in range(100)]
        calls += [both.echo(number) for number in range(100)]
        answers = await asyncio.gather(*calls)
        assert answers == [*(number + 1 for number in range(100)), *range(100)]

    asyncio.run(main())
