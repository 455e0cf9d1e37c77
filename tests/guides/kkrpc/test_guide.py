"""kkrpc's streaming guide, block by block, in Python against our own producer.

The guide is about the classic protocol (kkrpc 0.x), so that is what is spoken.

Each test is one block or one promise of the guide, with exactly the values that it states. Names
are the guide's.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.figures import keep_ms
from support.waiting import until
from watchfiles import awatch
from websockets.sync.client import connect as connect_raw

import kkjupyter as kk
from kkjupyter.calls.call import Call
from kkjupyter.client.remote import Remote

# The promise is 0.1 s, and the figure is kept; a busy machine must not make a red build of it.
ALLOWED_S = 1.0
LONG_S = 30.0


class Data:
    async def stream(self, count: int) -> AsyncIterator[str]:
        for i in range(count):
            yield f"item-{i}"


class Settings:
    def __init__(self) -> None:
        self.theme = "light"


class Counter:
    def __init__(self, start: int, step: int = 1) -> None:
        self.start = start
        self.step = step


class GuideApi:
    """What the guide's servers expose."""

    Counter = Counter

    def __init__(self) -> None:
        self.data = Data()
        self.settings = Settings()
        self._open = 0
        self._watching = threading.Event()
        self._closed_s: list[float] = []

    async def countdown(self, start: int) -> AsyncIterator[int]:
        for i in range(start, -1, -1):
            yield i

    async def watchFiles(self, path: str) -> AsyncIterator[str]:
        self._open += 1
        watcher = awatch(path, step=10, yield_on_timeout=True, rust_timeout=100)
        try:
            async for changes in watcher:
                self._watching.set()  # from here on nothing that happens is missed
                for _, changed in sorted(changes):
                    yield Path(changed).name
        finally:
            self._open -= 1
            self._closed_s.append(time.monotonic())

    def openWatchers(self) -> int:
        return self._open

    async def slowly(self) -> AsyncIterator[int]:
        """One value, and then a long wait for the next."""
        self._open += 1
        try:
            for i in itertools.count():
                yield i
                await asyncio.sleep(LONG_S)
        finally:
            self._open -= 1
            self._closed_s.append(time.monotonic())

    async def failingStream(self) -> AsyncIterator[int]:
        yield 1
        yield 2
        raise Error("something went wrong")

    async def failingWithProperties(self) -> AsyncIterator[int]:
        yield 1
        error = Error("something went wrong")
        error.code = "E_FAIL"  # type: ignore[attr-defined]
        raise error from ValueError("the root of it")

    def add(self, a: int, b: int) -> int:
        return a + b

    def numbers(self) -> list[int]:
        return [1, 2, 3]

    async def onProgress(self, count: int, callback: Callable[[int, int], Any]) -> str:
        for i in range(1, count + 1):
            callback(i, count)
        return "done"

    async def slow(self, delay_s: float) -> str:
        await asyncio.sleep(delay_s)
        return "slept"


class Error(Exception):
    """JavaScript's own, by name."""


@pytest.fixture
def guide() -> GuideApi:
    return GuideApi()


@pytest.fixture(params=["superjson", "json"])
def api(guide: GuideApi, request: pytest.FixtureRequest) -> Iterator[Remote]:
    with kk.serve(guide, writable=["settings"], debug=True) as server:
        remote = server.connect(protocol="classic", codec=request.param)
        yield remote
        kk.close(remote)


# ---- Basic usage


def test_countdown_gives_5_4_3_2_1_0(api: Remote) -> None:
    async def client() -> list[int]:
        return [n async for n in await api.countdown(5)]

    assert asyncio.run(client()) == [5, 4, 3, 2, 1, 0]


def test_countdown_in_the_three_forms_of_the_loop(api: Remote) -> None:
    async def awaited() -> list[int]:
        return [n async for n in await api.countdown(5)]

    async def direct() -> list[int]:
        return [n async for n in api.countdown(5)]

    plain = [n for n in api.countdown(5)]  # noqa: C416  the form is the point
    assert asyncio.run(awaited()) == asyncio.run(direct()) == plain == [5, 4, 3, 2, 1, 0]


@pytest.mark.parametrize("codec", ["superjson", "json"])
def test_values_are_sent_chunk_by_chunk(guide: GuideApi, codec: str) -> None:
    """ "Protocol Details": a response with the marker, stream-chunk each, stream-end."""
    request: dict[str, Any] = {"id": "a", "method": "countdown", "args": [5], "type": "request"}
    if codec == "superjson":
        request = {"json": request}
    with kk.serve(guide, token=False) as server, connect_raw(server.url) as socket:
        socket.send(json.dumps(request, separators=(",", ":")) + "\n")
        frames = [json.loads(socket.recv(timeout=5)) for _ in range(8)]
    messages = [frame["json"] if codec == "superjson" else frame for frame in frames]
    assert {(message["id"], message["method"]) for message in messages} == {("a", "")}
    assert [(message["type"], message["args"]) for message in messages] == [
        ("response", {"result": {"__stream": True}}),
        *(("stream-chunk", {"value": n}) for n in (5, 4, 3, 2, 1, 0)),
        ("stream-end", {}),
    ]


# ---- Consumer cancellation


@contextlib.contextmanager
def touching(guide: GuideApi, folder: Path) -> Iterator[None]:
    """Make a file as soon as the folder is watched."""

    def touch() -> None:
        guide._watching.wait(10)
        (folder / "new.txt").write_text("x")

    thread = threading.Thread(target=touch)
    thread.start()
    yield
    thread.join()


def test_watch_files_and_stop(api: Remote, guide: GuideApi, tmp_path: Path) -> None:
    assert api.openWatchers().result() == 0
    with touching(guide, tmp_path):
        for name in api.watchFiles(str(tmp_path)):
            assert name == "new.txt"
            assert api.openWatchers().result() == 1
            left_s = time.monotonic()
            break  # sends stream-cancel, the producer's finally runs
    until(lambda: api.openWatchers().result() == 0)
    report("watchFiles, break", guide, left_s)


# What a notebook keeps: values of cells and the last error with its frames.
Out: dict[int, Any] = {}


class LeftByError(Exception):
    pass


def leave_by_break(call: Call) -> None:
    for _ in call:
        break


def leave_by_return(call: Call) -> None:
    for _ in call:
        return


def leave_by_exception(call: Call) -> None:
    try:
        for _ in call:
            raise LeftByError
    except LeftByError as error:
        Out[2] = error


def leave_by_break_async(call: Call) -> None:
    async def loop() -> None:
        async for _ in call:
            break
        await asyncio.sleep(0.2)  # the loop of a notebook goes on, too

    asyncio.run(loop())


def leave_by_return_async(call: Call) -> None:
    async def loop() -> None:
        async for _ in await call:
            return

    asyncio.run(loop())


def leave_by_exception_async(call: Call) -> None:
    async def loop() -> None:
        async for _ in await call:
            raise LeftByError

    try:
        asyncio.run(loop())
    except LeftByError as error:
        Out[2] = error


def cancel(call: Call) -> None:
    loop = iter(call)
    assert next(loop) == 0
    call.cancel()


def leave_with(call: Call) -> None:
    with call:
        assert next(iter(call)) is not None


def report(what: str, guide: GuideApi, left_s: float) -> None:
    """Keep how long the producer's finally took to run, and hold it to what is allowed."""
    took_s = guide._closed_s[-1] - left_s
    keep_ms(f"kkrpc, {what}: the finally ran", took_s)
    assert took_s < ALLOWED_S


@pytest.mark.parametrize("kept_in", ["nowhere", "variable", "Out"])
@pytest.mark.parametrize(
    "leave",
    [
        leave_by_break,
        leave_by_return,
        leave_by_exception,
        leave_by_break_async,
        leave_by_return_async,
        leave_by_exception_async,
        cancel,
        leave_with,
    ],
)
def test_leaving_the_loop_ends_a_producer_that_waits(
    api: Remote, guide: GuideApi, leave: Callable[[Call], None], kept_in: str
) -> None:
    """It waits for half a minute between two values; its finally runs at once."""
    # Measured from the start of the call, which is more than what is promised.
    entered_s = time.monotonic()
    match kept_in:
        case "nowhere":
            leave(api.slowly())
        case "variable":
            call = api.slowly()
            leave(call)
        case "Out":
            Out[1] = api.slowly()
            leave(Out[1])
    until(lambda: len(guide._closed_s) == 1)
    assert guide._open == 0
    report(f"{leave.__name__}, kept in {kept_in}", guide, entered_s)
    Out.clear()


def test_a_watcher_that_waits_for_its_next_event_is_closed_at_once(
    api: Remote, guide: GuideApi, tmp_path: Path
) -> None:
    call = api.watchFiles(str(tmp_path))
    assert guide._watching.wait(10)
    assert api.openWatchers().result() == 1
    left_s = time.monotonic()
    call.cancel()
    until(lambda: api.openWatchers().result() == 0)
    report("watchFiles, cancel while waiting", guide, left_s)


# ---- Error propagation


def test_a_failing_stream_gives_1_2_and_the_error(api: Remote) -> None:
    got: list[int] = []

    async def client() -> None:
        async for n in await api.failingStream():
            got.append(n)

    with pytest.raises(kk.RemoteError) as caught:
        asyncio.run(client())
    assert got == [1, 2]
    assert caught.value.message == "something went wrong"
    assert caught.value.name == "Error"
    assert str(caught.value) == "something went wrong"


def test_the_error_has_name_message_stack_cause_and_own_properties(api: Remote) -> None:
    with pytest.raises(kk.RemoteError) as caught:
        list(api.failingWithProperties())
    error = caught.value
    assert (error.name, error.message) == ("Error", "something went wrong")
    assert error.method == "failingWithProperties"
    assert error.data == {"code": "E_FAIL"}
    assert error.stack is not None
    assert "in failingWithProperties" in error.stack
    # The engine's own frames help nobody.
    engine = ("connection", "runtime", "server")
    assert not any(f"kkjupyter/{room}/" in error.stack for room in engine)
    assert (error.cause.name, error.cause.message) == ("ValueError", "the root of it")


# ---- Concurrent streams


def test_two_streams_at_once_are_each_complete_and_in_order(api: Remote) -> None:
    async def client() -> list[list[int]]:
        async def read(stream: Call) -> list[int]:
            return [n async for n in stream]

        stream1, stream2 = await asyncio.gather(api.countdown(5), api.countdown(3))
        return await asyncio.gather(read(stream1), read(stream2))

    assert asyncio.run(client()) == [[5, 4, 3, 2, 1, 0], [3, 2, 1, 0]]


# ---- Nested methods


def test_nested_methods_stream_too(api: Remote) -> None:
    async def client() -> list[str]:
        return [item async for item in await api.data.stream(3)]

    assert asyncio.run(client()) == ["item-0", "item-1", "item-2"]


# ---- With interceptors


@pytest.mark.parametrize("codec", ["superjson", "json"])
def test_interceptors_wrap_the_call_and_not_each_chunk(codec: str) -> None:
    log: list[str] = []

    async def logger(ctx: Any, next: Callable[[], Any]) -> Any:  # noqa: A002  the guide's name
        log.append(f"stream started: {ctx.method}")
        result = await next()  # the async iterable
        log.append(f"stream created: {ctx.method}")
        return result

    async def countdown(start: int) -> AsyncIterator[int]:
        for i in range(start, -1, -1):
            log.append(f"chunk {i}")
            yield i

    with kk.serve({"countdown": countdown}, interceptors=[logger]) as server:
        api = server.connect(protocol="classic", codec=codec)
        assert list(api.countdown(2)) == [2, 1, 0]
        kk.close(api)
    assert log == [
        "stream started: countdown",
        "stream created: countdown",
        "chunk 2",
        "chunk 1",
        "chunk 0",
    ]


# ---- No streaming (backward compatible)


def test_methods_that_return_values_work_as_before(api: Remote) -> None:
    async def client() -> int:
        value: int = await api.add(1, 2)
        return value

    assert asyncio.run(client()) == 3
    assert api.add(1, 2).result() == 3
    # A list is a value, not a stream.
    call = api.numbers()
    assert call.result() == [1, 2, 3]
    with pytest.raises(kk.UsageError, match="not a stream"):
        list(api.numbers())


# ---- What the streaming guide takes for granted


def test_properties_are_read_and_set(api: Remote, guide: GuideApi) -> None:
    async def client() -> Any:
        before = await api.settings.theme
        await kk.aset(api.settings.theme, "blue")
        return before, await api.settings.theme

    assert kk.get(api.settings.theme) == "light"
    api.settings.theme = "dark"
    assert guide.settings.theme == "dark"
    assert asyncio.run(client()) == ("dark", "blue")


def test_constructors_give_the_instance_by_value(api: Remote) -> None:
    assert kk.new(api.Counter, 10, 5).result() == {"start": 10, "step": 5}


def test_callbacks_are_called_in_order(api: Remote) -> None:
    calls: list[tuple[int, int]] = []
    assert api.onProgress(4, lambda i, n: calls.append((i, n))).result() == "done"
    until(lambda: len(calls) == 4)
    assert calls == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_a_call_can_have_a_time_limit_of_its_own(api: Remote) -> None:
    with pytest.raises(kk.CallTimeout) as caught:
        kk.call(api.slow, LONG_S, timeout_s=0.1).result()
    assert (caught.value.method, caught.value.timeout_s) == ("slow", 0.1)
    assert kk.call(api.slow, 0, timeout_s=LONG_S).result() == "slept"


@pytest.mark.parametrize(
    ("run", "text"),
    [
        (lambda api: api.noSuchMethod().result(), "Method noSuchMethod is not a function"),
        (lambda api: api.no.such().result(), "Method path no.such not found at no"),
        (lambda api: api.settings().result(), "Method settings is not a function"),
        (lambda api: kk.get(api.missing), "Property path missing not found at missing"),
        (lambda api: kk.set(api.no.such, 1), "Property path no.such not found at no"),
        (lambda api: kk.new(api.nope).result(), "nope is not a constructor function"),
        (lambda api: kk.new(api.a.b).result(), "Constructor path a.b not found at a"),
    ],
)
def test_the_protocol_s_own_errors_are_worded_as_the_peers_word_them(
    api: Remote, run: Callable[[Remote], Any], text: str
) -> None:
    with pytest.raises(kk.RemoteError) as caught:
        run(api)
    assert caught.value.message == text
