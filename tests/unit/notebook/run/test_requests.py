"""A function that makes the request: where it is called, what its figures say, what stops it."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import signal
import socket
import sqlite3
import threading
import time
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from support.endpoints import Endpoint
from support.figures import keep_ms
from support.waiting import auntil, until

import kkjupyter as kk
from kkjupyter.errors import CallCancelled, UsageError
from kkjupyter.notebook.run.stopping import Stopped

REQUEST_S = 0.2
# What a figure may be off on a machine that does other things, too.
APART_S = 0.5

can_stop = pytest.mark.skipif(
    not hasattr(signal, "pthread_kill"), reason="a thread of its own makes every request"
)


def letters() -> Iterator[str]:
    yield from "abc"


async def aletters() -> AsyncIterator[str]:
    for letter in "abc":
        await asyncio.sleep(0)
        yield letter


def ask() -> Iterator[str]:
    return letters()


async def aask() -> AsyncIterator[str]:
    await asyncio.sleep(0)
    return aletters()


async def ask_for_plain() -> Iterator[str]:
    await asyncio.sleep(0)
    return letters()


def ask_model(model: str, *, size: int = 1) -> Iterator[str]:
    return iter(model * size)


async def aask_model(model: str) -> AsyncIterator[str]:
    return aletters()


class Client:
    def ask(self) -> Iterator[str]:
        return letters()

    async def aask(self) -> AsyncIterator[str]:
        return aletters()

    async def __call__(self) -> AsyncIterator[str]:
        return aletters()


class Both:
    """As the wrappers of some clients: an iterator and an async iterator in one class."""

    def __init__(self) -> None:
        self.read_by: list[str] = []
        self.left = list("abc")

    def __iter__(self) -> Both:
        return self

    def __aiter__(self) -> Both:
        return self

    def __next__(self) -> str:
        self.read_by.append("for")
        if not self.left:
            raise StopIteration
        return self.left.pop(0)

    async def __anext__(self) -> str:
        self.read_by.append("async for")
        if not self.left:
            raise StopAsyncIteration
        return self.left.pop(0)


REQUESTS: dict[str, Callable[[], Any]] = {
    "function": ask,
    "generator function": letters,
    "lambda": lambda: ask(),
    "partial": functools.partial(ask_model, "abc", size=1),
    "bound method": Client().ask,
    "coroutine function": aask,
    "async generator function": aletters,
    "partial of a coroutine function": functools.partial(aask_model, "m"),
    "bound coroutine method": Client().aask,
    "object that is called with await": Client(),
    "lambda that gives a coroutine": lambda: aask(),
    "lambda that gives an async generator": lambda: aletters(),
    "coroutine that gives an iterator": ask_for_plain,
    "lambda that gives such a coroutine": lambda: ask_for_plain(),
    "lambda that gives both": lambda: Both(),
}
# It is only known when they were called that a loop drives them.
LATE_ASYNC = [
    "lambda that gives a coroutine",
    "lambda that gives an async generator",
    "lambda that gives such a coroutine",
]
ABC = ["a", "b", "c"]


@pytest.fixture
def api() -> Iterator[Any]:
    with kk.serve(Endpoint(), port=0) as server, contextlib.closing(server.connect()) as api:
        yield api


# ---- what may be given


@pytest.mark.parametrize("name", REQUESTS)
def test_what_a_function_gives_is_shown(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    request = REQUESTS[name]
    reply = kk.show(request).wait()
    assert (reply.items, reply.status, reply.was_open) == (ABC, "done", False)
    assert capsys.readouterr().out.startswith("abc\n✓ 3 items · first 0")
    assert list(kk.show(request)) == ABC
    replies = kk.compare({"A": request, "B": request}).wait()
    assert [reply.items for reply in replies.values()] == [ABC, ABC]


@pytest.mark.parametrize("name", REQUESTS)
def test_it_can_be_awaited(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    request = REQUESTS[name]

    async def main() -> None:
        assert (await kk.show(request)).items == ABC
        assert [item async for item in kk.show(request)] == ABC
        replies = await kk.compare({"A": request, "B": request})
        assert [reply.items for reply in replies.values()] == [ABC, ABC]

    asyncio.run(main())


def test_what_can_be_read_in_both_ways_is_read_as_the_cell_waits() -> None:
    plain, awaited = Both(), Both()

    async def main() -> None:
        await kk.show(lambda: awaited)

    kk.show(lambda: plain).wait()
    asyncio.run(main())
    assert (set(plain.read_by), set(awaited.read_by)) == ({"for"}, {"async for"})


def test_a_call_is_one_of_the_streams(api: Any, capsys: pytest.CaptureFixture[str]) -> None:
    async def acall() -> Any:
        return api.countdown(2)

    for request in (lambda: api.countdown(2), acall):
        reply = kk.show(request).wait()
        assert reply.items == [2, 1, 0]
        assert 0 < reply.first_item_s <= reply.elapsed_s  # the end is the call's, not the request's
        assert list(kk.show(request)) == [2, 1, 0]
        assert kk.compare({"A": request}).wait()["A"].items == [2, 1, 0]
    assert kk.show(lambda: api.add(1, 2)).wait() == 3


def test_a_value_is_a_value(capsys: pytest.CaptureFixture[str]) -> None:
    async def value() -> int:
        return 5

    for request in (lambda: 5, value, lambda: value()):
        assert kk.show(request).wait() == 5
        assert asyncio.run(_awaited(kk.show(request))) == 5
        capsys.readouterr()
        replies = kk.compare({"A": request, "B": letters}).wait()
        assert (replies["A"].value, replies["A"].count) == (5, 0)
        assert "── A\n5\n✓" in capsys.readouterr().out


async def _awaited(shown: Any) -> Any:
    return await shown


def test_titles() -> None:
    given = {
        "ask()": ask,
        "lambda": lambda: ask(),
        "ask_model()": functools.partial(ask_model, "a"),
        "Client": Client(),
    }
    for title, request in given.items():
        assert kk.show(request).wait().title == title


# ---- what may not


class Plain:
    pass


class NeedsToo:
    def __call__(self, prompt: str) -> Iterator[str]:
        return letters()


def needs(prompt: str, *, model: str) -> Iterator[str]:
    return letters()


@pytest.mark.parametrize(
    ("source", "text"),
    [
        (Plain, r"Plain is a class, not a stream; kk.show\(lambda: Plain\(...\)\)"),
        (needs, r"needs\(\) cannot be called without .*prompt.*kk.show\(lambda: needs\(...\)\)"),
        (functools.partial(needs, "x"), "needs.*cannot be called without arguments.*model"),
        (lambda n: n, "lambda cannot be called without arguments"),
        (NeedsToo(), r"NeedsToo cannot be called .*prompt.*kk.show\(lambda: \.\.\.\) with them"),
    ],
)
def test_what_cannot_be_called_is_refused_at_once(source: Any, text: str) -> None:
    with pytest.raises(UsageError, match=text):
        kk.show(source)
    with pytest.raises(UsageError, match=text):
        kk.compare({"A": letters(), "B": source})


@pytest.mark.parametrize(
    ("request_", "text"),
    [
        (lambda: None, "lambda returned None, so there is nothing to show; a forgotten `return`"),
        (lambda: ask, r"lambda returned ask\(\) without calling it"),
        (lambda: Plain, "lambda returned Plain.* without calling it"),
    ],
)
def test_what_gives_nothing_says_so(request_: Any, text: str) -> None:
    async def later() -> Any:
        return request_()

    with pytest.raises(UsageError, match=text):
        kk.show(request_).wait()
    with pytest.raises(UsageError, match=text.replace("lambda", r"later\(\)")):
        kk.show(later).wait()


def test_a_method_that_is_not_called_is_named(api: Any) -> None:
    with pytest.raises(UsageError, match="is not called yet"):
        kk.show(lambda: api.countdown).wait()
    with pytest.raises(UsageError, match="is not called yet"):
        kk.show(api.countdown)


@pytest.mark.parametrize("error", [ValueError("no key"), StopIteration("early")])
def test_a_function_that_fails_fails_its_run_alone(
    error: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    def failing() -> Iterator[str]:
        raise error

    async def afailing() -> AsyncIterator[str]:
        raise error

    expected = (ValueError, RuntimeError)  # what StopIteration becomes in a generator, too
    for request in (failing, afailing, lambda: afailing()):
        with pytest.raises(expected):
            kk.show(request).wait()
        with pytest.raises(expected):
            list(kk.show(request))
        replies = kk.compare({"bad": request, "good": letters}).wait()
        assert (replies["bad"].status, replies["good"].items) == ("failed", ABC)
        assert "✕" in capsys.readouterr().out
        with pytest.raises(expected):
            kk.compare({"A": request, "B": request}).wait()


# ---- where it is called


def test_the_cells_own_thread_makes_the_request_and_reads_the_stream(
    capsys: pytest.CaptureFixture[str],
) -> None:
    threads: list[threading.Thread] = []

    def request() -> Iterator[threading.Thread]:
        threads.append(threading.current_thread())
        return iter(threading.current_thread, None)

    shown = kk.show(request)
    for thread in shown:
        threads.append(thread)
        break
    until(lambda: shown._run.is_settled)
    assert len(threads) == 2
    assert set(threads) == {threading.main_thread()}


def test_each_of_a_comparison_has_one_thread_for_both() -> None:
    def rows(number: int) -> Iterator[Any]:
        connection = sqlite3.connect(":memory:")  # refuses other threads than this one

        def read() -> Iterator[Any]:
            with contextlib.closing(connection):
                yield from connection.execute("select ?, 1", (number,))

        return read()

    replies = kk.compare({"A": lambda: rows(1), "B": lambda: rows(2)}).wait()
    assert [reply.items for reply in replies.values()] == [[(1, 1)], [(2, 1)]]


def test_the_loop_of_the_cell_runs_what_is_async() -> None:
    loops: list[asyncio.AbstractEventLoop] = []
    tasks: list[Any] = []

    async def request() -> AsyncIterator[str]:
        loops.append(asyncio.get_running_loop())
        tasks.append(asyncio.current_task())
        return reading()

    async def reading() -> AsyncIterator[str]:
        loops.append(asyncio.get_running_loop())
        tasks.append(asyncio.current_task())
        yield "x"

    async def main() -> None:
        for one in (request, lambda: request()):
            loops.clear()
            tasks.clear()
            await kk.show(one)
            assert set(loops) == {asyncio.get_running_loop()}
            assert tasks[0] is tasks[1]  # a cancel scope belongs to its task
        # What is known to be async runs in the very task that waits.
        await kk.show(request)
        assert tasks[-1] is asyncio.current_task()

    asyncio.run(main())


def test_what_needs_this_very_loop_is_not_waited_for_in_plain_code() -> None:
    """Of most that is known beforehand; of a lambda when it was called, before it is awaited."""

    async def main() -> None:
        for name in ("coroutine function", "async generator function", *LATE_ASYNC):
            request = REQUESTS[name]
            with pytest.raises(UsageError, match=r"write `await kk\.show"):
                kk.show(request).wait()
            with pytest.raises(UsageError, match="use `async for`"):
                list(kk.show(request))
            with pytest.raises(UsageError, match=r"A of this .*write `await kk\.compare"):
                kk.compare({"A": request, "B": letters}).wait()

    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)  # a coroutine that was never awaited
        asyncio.run(main())


@pytest.mark.parametrize("name", ["coroutine function", *LATE_ASYNC])
def test_as_the_last_line_it_goes_on_after_the_cell(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async def main() -> None:
        shown, compared = kk.show(REQUESTS[name]), kk.compare({"A": REQUESTS[name]})
        reply, replies = shown.last_line(), compared.last_line()
        assert not reply.is_over
        assert not replies["A"].is_over
        await auntil(lambda: reply.is_over and replies["A"].is_over)
        assert reply.items == replies["A"].items == ABC

    asyncio.run(main())
    out = capsys.readouterr().out
    assert "`await kk.show(...)` waits for its end" in out
    assert "`await kk.compare(...)` waits for its end" in out


def test_what_is_never_shown_is_never_called() -> None:
    called: list[str] = []

    async def arequest() -> None:
        called.append("async")

    with pytest.warns(RuntimeWarning, match=r"kk\.show\(lambda\) was never shown"):
        kk.show(lambda: called.append("plain"))
    with pytest.warns(RuntimeWarning, match="was never shown"):
        kk.show(arequest)
    with pytest.warns(RuntimeWarning, match="was never shown"):
        kk.compare({"A": arequest, "B": lambda: called.append("plain")})
    shown = kk.show(lambda: called.append("plain"))
    shown.cancel()
    assert shown.wait().status == "cancelled"
    assert called == []


# ---- the figures


def test_the_clock_starts_with_the_request(capsys: pytest.CaptureFixture[str]) -> None:
    """The figures are those that the source itself would note, whatever was before and after."""
    noted_s: dict[str, float] = {}

    def request() -> Iterator[str]:
        noted_s["asked"] = time.monotonic()
        time.sleep(REQUEST_S)
        return answer()

    def answer() -> Iterator[str]:
        time.sleep(REQUEST_S)
        noted_s["first"] = time.monotonic()
        yield "x"
        time.sleep(REQUEST_S)
        noted_s["ended"] = time.monotonic()

    async def arequest() -> Iterator[str]:
        noted_s["asked"] = time.monotonic()
        await asyncio.sleep(REQUEST_S)
        return answer()

    for one in (request, arequest):
        shown = kk.show(one)
        time.sleep(2 * APART_S)  # nothing is asked for yet
        reply = shown.wait()
        first_s, ended_s = (noted_s[name] - noted_s["asked"] for name in ("first", "ended"))
        keep_ms("first item of a request, beyond the source's own", reply.first_item_s - first_s)
        assert reply.first_item_s == pytest.approx(first_s, abs=APART_S)
        assert reply.elapsed_s == pytest.approx(ended_s, abs=APART_S)


def test_a_slow_view_does_not_enter_the_figures() -> None:
    """Times are those of the source, whatever comes after it."""

    def slow(item: str) -> str:
        time.sleep(0.5)
        return item

    reply = kk.show(letters, pick=slow).wait()
    assert reply.status == "done"
    assert reply.first_item_s <= reply.elapsed_s < 1.0  # the three of them take 1.5 s to draw


def test_a_stream_that_was_given_open_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    begun = letters()
    next(begun)
    for source in (iter("bc"), begun):
        reply = kk.show(source).wait()
        assert reply.was_open
        assert "✓ 2 items · first after opening 0.0" in capsys.readouterr().out
    # A generator that has not begun makes its request when it is driven.
    for source in (letters(), aletters(), letters):
        assert not kk.show(source).wait().was_open
        assert "after opening" not in capsys.readouterr().out

    async def main() -> bool:
        begun = aletters()
        await anext(begun)
        return (await kk.show(begun)).was_open

    assert asyncio.run(main())


def model() -> Iterator[str]:
    time.sleep(0.4)
    for _ in range(20):
        time.sleep(0.03)
        yield "x"


async def amodel() -> AsyncIterator[str]:
    await asyncio.sleep(0.4)
    for _ in range(20):
        await asyncio.sleep(0.03)
        yield "x"


def test_two_identical_models_compare_equal(capsys: pytest.CaptureFixture[str]) -> None:
    """Within 5 %; on a busy machine the best of some tries, as both are slowed down by others."""
    tries: list[float] = []
    for request in (model, lambda: model(), amodel):
        for _ in range(5):
            replies = list(kk.compare({"A": request, "B": request}).wait().values())
            tries.append(max(_apart(replies, "first_item_s"), _apart(replies, "elapsed_s")))
            if tries[-1] < 0.05:
                break
        assert tries[-1] < 0.05, tries


def _apart(replies: list[Any], figure: str) -> float:
    one, other = (getattr(reply, figure) for reply in replies)
    return abs(one - other) / max(one, other)


def test_all_of_a_comparison_start_at_the_same_moment() -> None:
    started_s: dict[str, float] = {}

    def request(name: str) -> Iterator[str]:
        started_s[name] = time.monotonic()
        time.sleep(REQUEST_S)
        return letters()

    async def arequest(name: str) -> Iterator[str]:
        started_s[name] = time.monotonic()
        await asyncio.sleep(REQUEST_S)
        return letters()

    requests = {
        **{name: functools.partial(request, name) for name in "ABC"},
        **{name: functools.partial(arequest, name) for name in "DEF"},
    }
    kk.compare(requests).wait()
    apart_s = max(started_s.values()) - min(started_s.values())
    keep_ms("starts of six requests of a comparison", apart_s)
    assert apart_s < REQUEST_S  # none waits for another


# ---- cancelling while the request waits


class Stream:
    """As an LLM client's: its end does not close it."""

    def __init__(self) -> None:
        self.closed_in: list[threading.Thread] = []

    def __iter__(self) -> Stream:
        return self

    def __next__(self) -> int:
        pytest.fail("nobody wants an item")

    def close(self) -> None:
        self.closed_in.append(threading.current_thread())


class AsyncStream:
    def __init__(self) -> None:
        self.closed = 0

    def __aiter__(self) -> AsyncStream:
        return self

    async def __anext__(self) -> int:
        pytest.fail("nobody wants an item")

    async def close(self) -> None:
        self.closed += 1


def cancel_when(waits: threading.Event, shown: Any) -> threading.Thread:
    def cancel() -> None:
        assert waits.wait(15)
        time.sleep(0.05)
        shown.cancel()

    thread = threading.Thread(target=cancel)
    thread.start()
    return thread


@can_stop
@pytest.mark.parametrize("way", ["wait", "for"])
def test_a_request_that_blocks_in_the_cells_thread_is_stopped(way: str) -> None:
    waits = threading.Event()
    ended: list[type[BaseException]] = []
    ours, theirs = socket.socketpair()

    def request() -> Iterator[str]:
        try:
            waits.set()
            ours.recv(1)  # the first byte of an answer that does not come
        except BaseException as error:
            ended.append(type(error))
            ours.close()
            raise
        return letters()

    with ours, theirs:
        shown = kk.show(request)
        thread = cancel_when(waits, shown)
        if way == "wait":
            assert shown.wait().status == "cancelled"
        else:
            assert list(shown) == []
        thread.join()
        assert ended == [Stopped]
        assert theirs.recv(1) == b""  # the connection is closed
    assert shown.reply.status == "cancelled"
    assert isinstance(shown.reply.error, CallCancelled)


@can_stop
def test_what_a_request_gives_though_it_was_stopped_is_closed_there_and_then() -> None:
    waits = threading.Event()
    stream = Stream()

    def stubborn() -> Stream:
        with contextlib.suppress(KeyboardInterrupt):
            waits.set()
            time.sleep(60)
        return stream

    shown = kk.show(stubborn)
    thread = cancel_when(waits, shown)
    assert shown.wait().status == "cancelled"
    thread.join()
    assert stream.closed_in == [threading.main_thread()]


def test_in_a_thread_of_its_own_it_is_closed_when_it_comes(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Nothing can stop a request there, but nobody waits for it."""
    waits, go_on = threading.Event(), threading.Event()
    stream = Stream()

    def request() -> Stream:
        waits.set()
        assert go_on.wait(60)
        return stream

    compared = kk.compare({"A": request})
    thread = cancel_when(waits, compared)
    assert compared.wait()["A"].status == "cancelled"
    thread.join()
    assert stream.closed_in == []
    go_on.set()
    until(lambda: stream.closed_in)
    assert stream.closed_in[0] is not threading.main_thread()


@pytest.mark.parametrize("gives", ["call", "async stream", "coroutine", "value"])
def test_whatever_comes_after_a_cancel_is_closed(gives: str, api: Any) -> None:
    waits, go_on, is_back = threading.Event(), threading.Event(), threading.Event()
    stream = AsyncStream()
    given: list[Any] = []

    async def coroutine() -> AsyncIterator[str]:
        pytest.fail("nobody wants what it gives")

    def request() -> Any:
        waits.set()
        assert go_on.wait(60)
        makers = {
            "call": lambda: api.once_then_wait(),
            "async stream": lambda: stream,
            "coroutine": coroutine,
            "value": lambda: 5,
        }
        given.append(makers[gives]())
        is_back.set()
        return given[0]

    compared = kk.compare({"A": request})
    cancel_when(waits, compared)
    compared.wait()
    go_on.set()
    assert is_back.wait(15)
    if gives == "call":
        with pytest.raises(CallCancelled):
            given[0].result(timeout_s=15)
    elif gives == "async stream":
        until(lambda: stream.closed == 1)
    elif gives == "coroutine":
        until(lambda: given[0].cr_frame is None)


@pytest.mark.parametrize("is_late", [False, True])
@pytest.mark.parametrize("own_loop", [False, True])
def test_a_coroutine_is_cancelled_where_it_waits(is_late: bool, own_loop: bool) -> None:
    stream = AsyncStream()
    waits = threading.Event()
    ended: list[str] = []

    async def request() -> AsyncStream:
        try:
            waits.set()
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            ended.append("cancelled")
            if not is_late:
                raise
        return stream

    def check(shown: Any) -> None:
        assert shown.reply.status == "cancelled"
        assert ended == ["cancelled"]

    async def main() -> None:
        for one in (request, lambda: request()):
            ended.clear()
            waits.clear()
            shown = kk.show(one)
            thread = cancel_when(waits, shown)
            await shown
            await auntil(lambda: ended)
            thread.join()
            check(shown)
        await auntil(lambda: stream.closed == (2 if is_late else 0))

    if own_loop:
        shown = kk.show(request)
        cancel_when(waits, shown)
        shown.wait()
        until(lambda: ended)
        until(lambda: stream.closed == is_late)
        check(shown)
    else:
        asyncio.run(main())


@can_stop
def test_an_interrupt_of_the_user_closes_what_came() -> None:
    ended: list[str] = []

    def request() -> Iterator[int]:
        signal.raise_signal(signal.SIGINT)
        ended.append("not interrupted")
        return iter([1])

    for way in (lambda shown: shown.wait(), list):
        shown = kk.show(request)
        with pytest.raises(KeyboardInterrupt) as caught:
            way(shown)
        assert not isinstance(caught.value, Stopped)
        assert (ended, shown.reply.status) == ([], "cancelled")


@can_stop
def test_cancelled_at_any_moment_nothing_stays_open() -> None:
    """From before the request to the middle of the answer."""

    class Counted:
        open_now = 0

        def __init__(self) -> None:
            Counted.open_now += 1

        def __iter__(self) -> Counted:
            return self

        def __next__(self) -> int:
            time.sleep(0.0005)
            return 1

        def close(self) -> None:
            Counted.open_now -= 1

    opened = 0

    def request() -> Counted:
        nonlocal opened
        end_s = time.monotonic() + 0.002
        while time.monotonic() < end_s:
            pass
        opened += 1
        return Counted()

    for turn in range(60):
        shown = kk.show(request)
        timer = threading.Timer(turn / 10_000, shown.cancel)
        timer.start()
        assert shown.wait().status == "cancelled"
        timer.join()
    assert opened
    until(lambda: Counted.open_now == 0)
