"""A call that does not go out: the streams it was passed are closed, as nobody will read them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from support.sessions import carrier
from support.waiting import until

import kkjupyter as kk


class Lines:
    """A plain iterator that knows how to end."""

    def __init__(self) -> None:
        self.closed = 0

    def __iter__(self) -> Lines:
        return self

    def __next__(self) -> str:
        return "a line"

    def close(self) -> None:
        self.closed += 1


class AsyncLines:
    """The same, to be awaited."""

    def __init__(self) -> None:
        self.closed = 0

    def __aiter__(self) -> AsyncLines:
        return self

    async def __anext__(self) -> str:
        return "a line"

    async def aclose(self) -> None:
        self.closed += 1


class Api:
    """What is served."""

    async def first(self, lines: AsyncIterator[str]) -> str:
        async for line in lines:
            return line
        return ""

    async def back(self) -> str:
        lines = Lines()
        call = kk.context().caller.first(lines)
        call.cancel()
        for _ in range(400):
            if lines.closed:
                return "closed"
            await asyncio.sleep(0.01)
        return "open"


KINDS = [Lines, AsyncLines]


@pytest.mark.parametrize("kind", KINDS)
def test_when_the_server_is_gone(start: Callable[..., Any], kind: Callable[[], Any]) -> None:
    with start(Api()) as server:
        api = server.connect(protocol="compact")
        assert api.first(kind()).result(timeout_s=10) == "a line"
    until(lambda: api._kk_session.state != "open")
    lines = kind()
    with pytest.raises((kk.ConnectError, kk.ConnectionLost)):
        api.first(lines).result(timeout_s=20)
    until(lambda: lines.closed == 1)
    kk.close(api)


@pytest.mark.parametrize("kind", KINDS)
def test_when_it_is_cancelled_at_once(start: Callable[..., Any], kind: Callable[[], Any]) -> None:
    with start(Api()) as server, server.connect(protocol="compact") as api:
        made = [kind() for _ in range(20)]
        for lines in made:
            api.first(lines).cancel()
        until(lambda: all(lines.closed for lines in made))


@pytest.mark.parametrize("kind", KINDS)
def test_when_the_connection_is_closed_while_it_waits(
    start: Callable[..., Any], kind: Callable[[], Any]
) -> None:
    with start(Api()) as server:
        api = server.connect(protocol="compact")
        lines = kind()
        call = api.first(lines)
        kk.close(api)
        until(lambda: lines.closed >= 1)
        assert call.state in ("cancelled", "done")


def test_when_another_generation_answers_at_the_old_address() -> None:
    """It carries no streams; the call fails before it is sent."""
    with kk.serve(Api(), token=False) as server:
        api = server.connect(protocol="compact")
        port = server.port
    until(lambda: api._kk_session.state != "open")
    lines = Lines()
    session = carrier(api)
    session._told_protocol = "classic"
    with kk.serve(Api(), port=port, token=False):
        time.sleep(0)
        with pytest.raises(kk.UsageError, match="carries values only"):
            api.first(lines).result(timeout_s=20)
    until(lambda: lines.closed == 1)
    kk.close(api)


def test_from_a_server_to_its_client(start: Callable[..., Any]) -> None:
    with (
        start(Api()) as server,
        server.connect(protocol="compact", expose=Api()) as api,
    ):
        assert api.back().result(timeout_s=20) == "closed"
