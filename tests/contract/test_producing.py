"""The producing side: what runs where, what a slow or vanished reader does to it, its errors."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from support.endpoints import Endpoint
from support.sessions import carrier
from support.waiting import PATIENCE_S, settle, until

import kkjupyter as kk
from kkjupyter.runtime.loop_threads import io_loop
from kkjupyter.server.handlers import MAX_FUNCTION_THREADS
from kkjupyter.server.interceptors import CallContext

# ---- what runs where


def test_async_handlers_share_a_loop_thread_and_sync_ones_have_workers(api: Any) -> None:
    assert api.loop_thread_name().result() == "kkjupyter-handlers"
    assert api.thread_name().result().startswith("kkjupyter-function")


@pytest.mark.half
def test_blocking_user_code_does_not_delay_a_cancel(api: Any, endpoint: Endpoint) -> None:
    """The handler loop is blocked for a while; the consumer is free at once, and so is a sync
    producer, which runs elsewhere."""
    stream = api.sync_ticks()
    loop = iter(stream)
    next(loop)
    blocking = api.block_the_loop(0.6)
    until(lambda: "block_the_loop" in endpoint.calls)
    started_s = time.monotonic()
    stream.cancel()
    until(lambda: endpoint.finals == ["sync_ticks"])
    assert time.monotonic() - started_s < 0.5
    assert blocking.state == "waiting"
    with pytest.raises(kk.CallCancelled):
        next(loop)
    blocking.result(timeout_s=5)


def test_sync_functions_run_side_by_side_up_to_the_limit(api: Any, endpoint: Endpoint) -> None:
    calls = [api.blocked() for _ in range(MAX_FUNCTION_THREADS + 2)]
    until(lambda: len(endpoint.calls) == MAX_FUNCTION_THREADS, 5)
    time.sleep(0.05)
    assert len(endpoint.calls) == MAX_FUNCTION_THREADS
    assert api.echo("async is not held up").result() == "async is not held up"
    endpoint.gate.set()
    assert [call.result(timeout_s=5) for call in calls] == ["released"] * len(calls)


def test_a_cancelled_function_that_waits_for_a_thread_never_runs(
    api: Any, endpoint: Endpoint
) -> None:
    calls = [api.blocked() for _ in range(MAX_FUNCTION_THREADS)]
    until(lambda: len(endpoint.calls) == MAX_FUNCTION_THREADS, 5)
    late = api.blocked()
    api.echo(1).result()
    late.cancel()
    api.echo(1).result()
    endpoint.gate.set()
    for call in calls:
        call.result(timeout_s=5)
    time.sleep(0.05)
    assert len(endpoint.calls) == MAX_FUNCTION_THREADS


def test_each_sync_generator_has_a_thread(api: Any) -> None:
    streams = [api.sync_ticks() for _ in range(3)]
    loops = [iter(stream) for stream in streams]
    for loop in loops:
        next(loop)
    names = [thread.name for thread in threading.enumerate()]
    assert names.count("kkjupyter-generator sync_ticks") == 3


def test_sync_generators_are_bounded(
    start: Callable[..., Any], spoken: dict[str, str], endpoint: Endpoint
) -> None:
    limits = kk.ServerLimits(generator_threads_per_connection=2)
    with start(endpoint, limits=limits) as server, server.connect(**spoken) as api:
        run_three_generators(api, endpoint)
        endpoint.gate.set()


def run_three_generators(api: Any, endpoint: Endpoint) -> None:
    streams = [api.sync_ticks() for _ in range(2)]
    loops = [iter(stream) for stream in streams]
    for loop in loops:
        next(loop)
    with pytest.raises(kk.RemoteError, match="sync generators are running already"):
        api.sync_ticks().result()
    streams[0].cancel()
    until(lambda: endpoint.finals == ["sync_ticks"])
    assert next(iter(api.sync_ticks())) == 0
    streams[1].cancel()
    until(lambda: len(endpoint.finals) == 3)


def test_cancelled_and_still_busy_is_counted_until_it_ends(
    api: Any, server: Any, endpoint: Endpoint
) -> None:
    stream = api.sync_then_blocked()
    loop = iter(stream)
    assert next(loop) == "first"
    assert kk.status().busy_after_cancel == 0
    until(lambda: endpoint.calls == ["sync_then_blocked"])
    stream.cancel()
    until(lambda: kk.status().busy_after_cancel == 1)
    assert "1 cancelled, producer still busy" in repr(kk.status())
    assert endpoint.finals == []
    until(lambda: server.running == 0)
    endpoint.gate.set()
    until(lambda: kk.status().busy_after_cancel == 0)
    assert endpoint.finals == ["sync_then_blocked"]


def test_a_tight_generator_does_not_starve_others(server: Any, spoken: dict[str, str]) -> None:
    with server.connect(**spoken) as greedy, server.connect(**spoken) as other:
        stream = iter(greedy.tight())
        next(stream)
        for number in range(20):
            started_s = time.monotonic()
            assert other.echo(number).result() == number
            assert time.monotonic() - started_s < PATIENCE_S  # it never ends


class Odd:
    """Producers that make trouble when they are ended."""

    def __init__(self) -> None:
        self.log: list[str] = []

    async def swallows(self) -> AsyncIterator[int]:
        try:
            number = 0
            while True:
                yield number
                number += 1
                try:
                    await asyncio.sleep(30)
                except asyncio.CancelledError:
                    self.log.append("swallowed")
        finally:
            self.log.append("finally")

    async def awaits_in_finally(self) -> AsyncIterator[int]:
        try:
            yield 1
            await asyncio.sleep(30)
        finally:
            await asyncio.sleep(0.02)
            self.log.append("awaited")

    async def takes_its_time_to_end(self) -> AsyncIterator[int]:
        try:
            yield 1
            await asyncio.sleep(30)
        finally:
            self.log.append("ending")
            await asyncio.sleep(0.1)
            self.log.append("ended")

    async def yields_in_finally(self) -> AsyncIterator[int]:
        try:
            yield 1
            await asyncio.sleep(30)
        finally:
            self.log.append("finally")
            yield 2  # which Python forbids

    def by_hand(self) -> Any:
        """No aclose, no close: just the two methods."""
        log = self.log

        class Numbers:
            def __init__(self) -> None:
                self.number = 0

            def __aiter__(self) -> Any:
                return self

            async def __anext__(self) -> int:
                self.number += 1
                if self.number > 1:
                    try:
                        await asyncio.sleep(30)
                    finally:
                        log.append("by hand")
                return self.number

        return Numbers()

    def like_a_client(self) -> Any:
        """As the streams of LLM clients are: an iterator with ``close``, and another one inside."""
        log = self.log

        class Stream:
            def __init__(self) -> None:
                self._inside = self._events()

            async def _events(self) -> AsyncIterator[int]:
                yield 1
                await asyncio.sleep(30)

            async def __aiter__(self) -> AsyncIterator[int]:
                async for event in self._inside:
                    yield event

            async def __anext__(self) -> int:
                return await anext(self._inside)

            async def close(self) -> None:
                log.append("closed")

        return Stream()

    def finite(self) -> Iterator[int]:
        return map(abs, [-1, -2, -3])

    async def swallows_unary(self) -> str:
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            self.log.append("swallowed")
        return "nobody hears this"

    async def cancels_itself(self) -> None:
        raise asyncio.CancelledError

    async def exits(self) -> None:
        raise SystemExit(3)

    def exits_in_a_thread(self) -> None:
        raise SystemExit(4)

    async def exits_in_a_task(self) -> None:
        async def leave() -> None:
            raise SystemExit(5)

        task = asyncio.create_task(leave())
        await asyncio.sleep(0.05)
        self.log.append(f"survived {task.done()}")

    async def exits_in_a_stream(self) -> AsyncIterator[int]:
        yield 1
        raise SystemExit(6)

    def stops(self) -> None:
        raise StopIteration("out of a function")

    def sync_stops(self) -> Iterator[int]:
        yield 1
        raise KeyboardInterrupt


@pytest.fixture
def odd(start: Callable[..., Any], spoken: dict[str, str]) -> Iterator[tuple[Any, Odd]]:
    obj = Odd()
    with start(obj) as server, server.connect(**spoken) as api:
        yield api, obj


@pytest.mark.parametrize(
    ("method", "log"),
    [
        ("swallows", ["swallowed", "finally"]),
        ("awaits_in_finally", ["awaited"]),
        ("by_hand", ["by hand"]),
        ("like_a_client", ["closed"]),
    ],
)
def test_producers_that_make_trouble_are_ended(
    odd: tuple[Any, Odd], method: str, log: list[str]
) -> None:
    api, obj = odd
    for _ in getattr(api, method)():
        time.sleep(0.02)  # it waits for the next value now
        break
    until(lambda: obj.log == log)
    assert list(api.finite()) == [1, 2, 3]


def test_what_a_producer_does_at_its_end_is_not_interrupted(odd: tuple[Any, Odd]) -> None:
    """Neither by a second cancel nor by the loss of the connection."""
    api, obj = odd
    call = api.takes_its_time_to_end()
    for _ in call:
        time.sleep(0.02)
        break
    until(lambda: obj.log == ["ending"])
    carrier(api)._channel.send_queue.put(carrier(api).wire.cancel(call._state.stream_id))
    assert list(api.finite()) == [1, 2, 3]
    io_loop().post(carrier(api)._channel.abort)
    until(lambda: obj.log == ["ending", "ended"])


def test_a_generator_that_yields_in_its_finally_harms_nobody(odd: tuple[Any, Odd]) -> None:
    api, obj = odd
    for _ in api.yields_in_finally():
        time.sleep(0.02)
        break
    until(lambda: obj.log == ["finally"])
    assert list(api.finite()) == [1, 2, 3]


def test_an_answer_after_a_cancel_is_not_sent(odd: tuple[Any, Odd]) -> None:
    api, obj = odd
    call = api.swallows_unary()
    api.finite().result()
    call.cancel()
    until(lambda: obj.log == ["swallowed"])
    assert list(api.finite()) == [1, 2, 3]


def test_a_handlers_exit_ends_its_call_and_not_the_server(
    odd: tuple[Any, Odd], caplog: pytest.LogCaptureFixture
) -> None:
    api, obj = odd
    for method, name in [
        ("cancels_itself", "CancelledError"),
        ("exits", "SystemExit"),
        ("exits_in_a_thread", "SystemExit"),
        ("exits_in_a_stream", "SystemExit"),
        ("stops", "RuntimeError"),
        ("sync_stops", "KeyboardInterrupt"),
    ]:
        with pytest.raises(kk.RemoteError) as caught:
            getattr(api, method)().result(timeout_s=5)
        assert caught.value.name == name
    api.exits_in_a_task().result(timeout_s=5)
    assert obj.log == ["survived True"]
    assert list(api.finite()) == [1, 2, 3]


# ---- disconnecting


def test_a_vanished_client_ends_its_producers(
    server: Any, endpoint: Endpoint, spoken: dict[str, str]
) -> None:
    with server.connect(**spoken) as api:
        streams = [api.once_then_wait(), api.sync_ticks(), api.slow()]
        loops = [iter(stream) for stream in streams[:2]]
        for loop in loops:
            next(loop)
        until(lambda: server.running == 3 and len(endpoint.calls) == 3)
        io_loop().post(carrier(api)._channel.abort)
        until(lambda: sorted(endpoint.finals) == ["once_then_wait", "slow", "sync_ticks"])
        until(lambda: (server.running, server.clients) == (0, 0))
        for loop in loops:
            with pytest.raises(kk.ConnectionLost):
                list(loop)
        with pytest.raises(kk.ConnectionLost):
            streams[2].result()


# ---- a reader that does not read


@pytest.mark.half
def test_a_reader_that_stops_stops_the_producer_by_items(api: Any, endpoint: Endpoint) -> None:
    stream = api.items(10_000_000)
    loop = iter(stream)
    next(loop)
    settled = settle(lambda: endpoint.produced)
    assert settled < 500_000
    assert stream._state.buffer.held_bytes < 8 * 1024 * 1024
    assert [next(loop) for _ in range(1000)] == list(range(1, 1001))
    stream.cancel()


@pytest.mark.half
def test_a_reader_that_stops_stops_the_producer_by_bytes(api: Any, endpoint: Endpoint) -> None:
    size = 200_000
    stream = api.items(10_000, size)
    loop = iter(stream)
    assert len(next(loop)) == size
    settled = settle(lambda: endpoint.produced)
    assert settled * size < 32 * 1024 * 1024
    assert stream._state.buffer.held_bytes < 8 * 1024 * 1024
    assert all(len(next(loop)) == size for _ in range(200))
    assert endpoint.produced > 200
    stream.cancel()


@pytest.mark.half
def test_a_sync_producer_is_stopped_too(start: Callable[..., Any], spoken: dict[str, str]) -> None:
    class Fast:
        produced = 0

        def numbers(self) -> Iterator[str]:
            while True:
                self.produced += 1
                yield "x" * 100_000

    fast = Fast()
    with start(fast) as server, server.connect(**spoken) as api:
        stream = api.numbers()
        next(iter(stream))  # the loop is left at once, so this stream is cancelled
        stream = api.numbers()
        loop = iter(stream)
        next(loop)
        before = settle(lambda: fast.produced)
        assert before < 1000
        for _ in range(100):
            next(loop)
        until(lambda: fast.produced > before)
        stream.cancel()
        settle(lambda: fast.produced)


@pytest.mark.half
def test_a_resumed_reader_gets_everything_in_order(
    api: Any, endpoint: Endpoint, protocol: str
) -> None:
    count, session = 40_000, carrier(api)
    loop = iter(api.items(count))
    got = [next(loop)]
    if protocol == "compact":  # nobody grants more
        assert settle(lambda: endpoint.produced) < count
    else:  # the socket is not read, unless all has come
        until(lambda: session.reading_paused or endpoint.produced == count)
    got.extend(loop)
    assert got == list(range(count))


@pytest.mark.half
def test_a_stream_that_is_not_read_does_not_hold_up_others(api: Any) -> None:
    """Stream A idle while B is read to its end, and a call in between."""
    idle = iter(api.tight())
    next(idle)
    time.sleep(0.1)
    assert list(api.items(5000)) == list(range(5000))
    assert api.echo("between").result() == "between"
    assert [next(idle) for _ in range(100)] == list(range(1, 101))


@pytest.mark.half
def test_two_streams_in_step(api: Any) -> None:
    pairs = []
    for pair in zip(api.tight(), api.ticks(0.001), strict=False):
        pairs.append(pair)
        if len(pairs) == 50:
            break
    assert pairs == [(number, number) for number in range(50)]


@pytest.mark.half
def test_a_stream_idle_while_a_view_shows_another(api: Any) -> None:
    """A view does not wait in a thread or on a loop, and yet it waits."""
    idle = iter(api.tight())
    next(idle)
    time.sleep(0.1)
    consumer = api.items(3000).consume()
    values: list[int] = []
    ready = threading.Event()
    while not consumer.finished:
        ready.clear()
        consumer.on_ready(ready.set)
        assert ready.wait(5)
        values += consumer.take()
    assert values == list(range(3000))


@pytest.mark.half
def test_a_callback_passed_long_ago_does_not_switch_the_limit_off(
    api: Any, endpoint: Endpoint
) -> None:
    assert api.progress(3, lambda number, count: None).result() == "done"
    loop = iter(api.items(10_000, 100_000))
    next(loop)
    assert settle(lambda: endpoint.produced) < 500


# ---- errors on their way back


class Refused(Exception):
    def __init__(self) -> None:
        super().__init__("refused")
        self.code = "E_REFUSED"
        self.retry_after_s = 5
        self._secret = "hidden"
        self.message = "not this one"


class Response:
    """Something an error carries and no codec can send."""


class Failing:
    async def with_everything(self) -> None:
        try:
            raise KeyError("inner")
        except KeyError as cause:
            raise Refused from cause

    async def unsendable_property(self) -> None:
        error = ValueError("with a response")
        error.response = Response()  # type: ignore[attr-defined]
        error.status = 429  # type: ignore[attr-defined]
        raise error

    async def unsendable_in_a_stream(self) -> AsyncIterator[int]:
        yield 1
        await self.unsendable_property()

    async def ring_of_causes(self) -> None:
        first, second = ValueError("first"), ValueError("second")
        first.__cause__, second.__cause__ = second, first
        raise first

    async def no_text(self) -> None:
        class Mute(Exception):
            def __str__(self) -> str:
                raise RuntimeError("mute")

        raise Mute

    async def empty(self) -> None:
        raise ValueError

    async def unsendable(self) -> Any:
        return {"deep": [1, Response()]}

    async def unsendable_item(self) -> AsyncIterator[Any]:
        yield 1
        yield Response()

    def too_deep(self) -> Any:
        value: Any = 0
        for _ in range(100_000):
            value = [value]
        return value

    async def passes_on(self) -> None:
        raise kk.RemoteError("from further away", name="FarError", stack="their stack")

    async def throws(self) -> None:
        raise kk.RemoteThrow({"hello": "World"}, "a thrown value")

    async def surrogate(self) -> str:
        return "😀".encode("utf-16", "surrogatepass")[2:4].decode("utf-16", "surrogatepass")


@pytest.fixture
def failing(start: Callable[..., Any], spoken: dict[str, str]) -> Iterator[Any]:
    with (
        start(Failing(), debug=True) as server,
        server.connect(**spoken, timeout_s=5) as api,
    ):
        yield api


def failure(call: Any) -> kk.RemoteError:
    with pytest.raises(kk.RemoteError) as caught:
        call.result()
    return caught.value


def test_an_error_brings_name_message_stack_cause_and_properties(failing: Any) -> None:
    error = failure(failing.with_everything())
    assert (error.name, error.message, error.method) == ("Refused", "refused", "with_everything")
    assert error.data == {"code": "E_REFUSED", "retry_after_s": 5}
    assert isinstance(error.cause, kk.RemoteError)
    assert (error.cause.name, error.cause.message) == ("KeyError", "'inner'")
    assert error.__cause__ is error.cause
    assert error.stack is not None
    assert "test_producing.py" in error.stack
    # The engine's own frames help nobody.
    engine = ("connection", "runtime", "server")
    assert not any(f"kkjupyter/{room}/" in error.stack for room in engine)


def test_what_of_an_error_cannot_be_sent_stays_behind(failing: Any) -> None:
    error = failure(failing.unsendable_property())
    assert (error.name, error.message) == ("ValueError", "with a response")
    assert error.data == {"status": 429}
    in_stream = failure(failing.unsendable_in_a_stream())
    assert (in_stream.message, in_stream.data) == ("with a response", {"status": 429})


def test_odd_errors_arrive_all_the_same(failing: Any) -> None:
    assert failure(failing.ring_of_causes()).message == "first"
    assert failure(failing.no_text()).name == "Mute"
    assert failure(failing.empty()).name == "ValueError"
    assert failure(failing.throws()).message == "a thrown value"
    far = failure(failing.passes_on())
    assert (far.name, far.message, far.stack) == ("FarError", "from further away", "their stack")


@pytest.mark.half
def test_a_result_that_cannot_be_sent_is_an_ordinary_error(failing: Any) -> None:
    error = failure(failing.unsendable())
    assert error.name == "EncodeError"
    assert "deep.1" in error.message
    assert "Response" in error.message
    assert failure(failing.too_deep()).message
    loop = iter(failing.unsendable_item())
    assert next(loop) == 1
    with pytest.raises(kk.RemoteError, match="Response"):
        next(loop)
    assert isinstance(failing.surrogate().result(), str)


def test_the_peers_words_for_what_is_not_there(api: Any, protocol: str) -> None:
    def text(call: Any) -> str:
        return failure(call).message

    if protocol == "compact":
        assert text(api.nowhere()) == "nowhere is not a function"
        assert text(api.data.nowhere()) == "data.nowhere is not a function"
        assert text(api.no.such.thing()) == "Cannot access such on undefined"
        assert kk.get(api.settings.nothing) is kk.undefined
        with pytest.raises(kk.RemoteError, match="Cannot set nothing_here"):
            api.nothing_here = 1
        assert text(kk.new(api.add)) == "add is not a constructor"
        return
    assert text(api.nowhere()) == "Method nowhere is not a function"
    assert text(api.data.nowhere()) == "Method data.nowhere is not a function"
    assert text(api.data()) == "Method data is not a function"
    assert text(api.no.such.thing()) == "Method path no.such.thing not found at no"
    with pytest.raises(kk.RemoteError, match=r"^Property path settings\.nothing not found at"):
        kk.get(api.settings.nothing)
    with pytest.raises(kk.RemoteError, match=r"^Property path nothing_here not found at"):
        api.nothing_here = 1
    assert text(kk.new(api.add)) == "add is not a constructor function"


# ---- interceptors


def test_interceptors_are_layers_around_calls_and_streams(
    start: Callable[..., Any], spoken: dict[str, str]
) -> None:
    log: list[str] = []

    async def outer(ctx: CallContext, next: Any) -> Any:  # noqa: A002
        log.append(f"outer {ctx.method}")
        ctx.state["seen"] = True
        result = await next()
        log.append(f"outer done {type(result).__name__}")
        return result

    async def inner(ctx: CallContext, next: Any) -> Any:  # noqa: A002
        assert ctx.state["seen"]
        if ctx.method == "add":
            ctx.args[0] *= 10
        if ctx.method == "slow":
            raise PermissionError("not today")
        log.append("inner")
        return await next()

    endpoint = Endpoint()
    with (
        start(endpoint, interceptors=[outer, inner]) as server,
        server.connect(**spoken) as api,
    ):
        assert api.add(1, 2).result() == 12
        assert log == ["outer add", "inner", "outer done int"]
        log.clear()
        assert list(api.countdown(2)) == [2, 1, 0]
        assert log == ["outer countdown", "inner", "outer done async_generator"]
        with pytest.raises(kk.RemoteError, match="not today") as caught:
            api.slow().result()
        assert caught.value.name == "PermissionError"
        assert endpoint.calls == ["add"]


def test_call_soon_reaches_the_handlers_loop(
    start: Callable[..., Any], spoken: dict[str, str]
) -> None:
    class Feed:
        def __init__(self) -> None:
            self.queue: asyncio.Queue[int] = asyncio.Queue()

        async def numbers(self) -> AsyncIterator[int]:
            while True:
                yield await self.queue.get()

    feed = Feed()
    with start(feed) as server, server.connect(**spoken) as api:
        loop = iter(api.numbers())
        for number in range(3):
            server.call_soon(feed.queue.put_nowait, number)
            assert next(loop) == number


def test_a_failure_is_logged_by_the_server_only(
    failing: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """The client's side raises it, and has nothing to report besides."""
    with caplog.at_level(logging.WARNING):
        failure(failing.with_everything())
    assert [r.getMessage() for r in caplog.records if r.name == "kkjupyter"] == []
    logged = [r.getMessage() for r in caplog.records if r.name == "kkjupyter.server"]
    assert logged == ["with_everything failed"]
