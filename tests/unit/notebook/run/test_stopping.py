"""A source in the main thread is stopped from another one, wherever it waits, and only it."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import functools
import queue
import random
import select
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.waiting import until

import kkjupyter as kk
from kkjupyter.notebook.run import stopping
from kkjupyter.notebook.run.iterator_feeds import BUSY_NOTE
from kkjupyter.notebook.run.stopping import Stoppable, Stopped, can_stop_here

pytestmark = pytest.mark.skipif(
    not hasattr(signal, "pthread_kill"), reason="without it a worker thread drives every source"
)

# It takes milliseconds; every wait here is for a minute.
SOON_S = 10.0


def wait_for_lock() -> None:
    lock = threading.Lock()
    lock.acquire()
    lock.acquire(timeout=60)


def wait_for_socket() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.recv(1)


def wait_for_process() -> None:
    subprocess.run([sys.executable, "-c", "import time; time.sleep(60)"], check=False)


def wait_for_event_loop() -> None:
    asyncio.run(asyncio.sleep(60))


def wait_in_a_nested_view() -> None:
    for _ in kk.show(blocked_by(lambda: time.sleep(60))):
        pass


WAITS: dict[str, Callable[[], object]] = {
    "sleep": lambda: time.sleep(60),
    "lock": wait_for_lock,
    "event": lambda: threading.Event().wait(60),
    "queue": lambda: queue.Queue[int]().get(timeout=60),
    "socket": wait_for_socket,
    "select": lambda: select.select([], [], [], 60),
    "process": wait_for_process,
    "event loop": wait_for_event_loop,
    "computing": lambda: [None for _ in iter(int, 1)],
    "nested view": wait_in_a_nested_view,
}


def blocked_by(wait: Callable[[], object], ended: list[str] | None = None) -> Iterator[int]:
    try:
        yield 0
        wait()
        yield 1
    finally:
        if ended is not None:
            ended.append(threading.current_thread().name)


def cancelled_when_it_waits(shown: Any) -> threading.Thread:
    """Cancel from another thread, a moment after the first item is there."""

    def cancel() -> None:
        until_s = time.monotonic() + SOON_S
        while shown.reply.count < 1 and time.monotonic() < until_s:
            time.sleep(0.005)
        time.sleep(0.05)
        shown.cancel()

    thread = threading.Thread(target=cancel)
    thread.start()
    return thread


@pytest.mark.parametrize("way", ["wait", "for"])
@pytest.mark.parametrize("name", WAITS)
def test_cancel_reaches_a_source_where_it_waits(name: str, way: str) -> None:
    ended: list[str] = []
    shown = kk.show(blocked_by(WAITS[name], ended))
    started_s = time.monotonic()
    thread = cancelled_when_it_waits(shown)
    if way == "wait":
        assert shown.wait() is shown.reply
    else:
        assert list(shown) == [0]
    assert time.monotonic() - started_s < SOON_S
    thread.join()
    assert (shown.reply.status, shown.reply.items) == ("cancelled", [0])
    assert ended == [threading.main_thread().name]
    assert BUSY_NOTE not in shown._run.notes


def test_what_belongs_to_the_thread_and_its_context_holds_in_the_source() -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="none")
    variable.set("here")
    connection = sqlite3.connect(":memory:")

    def source() -> Iterator[Any]:
        yield threading.current_thread() is threading.main_thread()
        yield variable.get()
        yield next(connection.execute("select 1"))
        before = signal.signal(signal.SIGALRM, signal.SIG_IGN)
        signal.signal(signal.SIGALRM, before)
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        try:
            yield asyncio.get_event_loop() is loop
        finally:
            asyncio.set_event_loop(None)
            loop.close()

    expected = [True, "here", (1,), True]
    with contextlib.closing(connection):
        assert kk.show(source()).wait().items == expected
        assert list(kk.show(source())) == expected


def test_a_cursor_is_shown_and_a_loop_over_it_may_be_left() -> None:
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("create table t(a)")
        connection.executemany("insert into t values (?)", [(n,) for n in range(10)])
        assert kk.show(connection.execute("select a from t")).wait().count == 10
        for row in kk.show(connection.execute("select a from t")):
            if row == (3,):
                break
        assert connection.execute("select count(*) from t").fetchone() == (10,)


def test_leaving_a_loop_closes_the_source_there_and_then() -> None:
    ended: list[str] = []
    for _ in kk.show(blocked_by(lambda: None, ended)):
        break
    assert ended == [threading.main_thread().name]


def test_in_another_thread_a_worker_drives_it_so_cancel_frees_at_once() -> None:
    go_on = threading.Event()
    shown = kk.show(blocked_by(lambda: go_on.wait(60)))
    waiter = threading.Thread(target=shown.wait)
    waiter.start()
    cancelled_when_it_waits(shown).join()
    waiter.join(SOON_S)
    assert not waiter.is_alive()
    assert shown.reply.status == "cancelled"
    go_on.set()


def test_a_loop_that_goes_on_in_another_thread_goes_on() -> None:
    loop = iter(kk.show(iter(range(4))))
    got = [next(loop)]
    thread = threading.Thread(target=lambda: got.append(next(loop)))
    thread.start()
    thread.join(SOON_S)
    assert [*got, *loop] == [0, 1, 2, 3]


def test_a_source_that_does_not_stop_is_said_to_be_busy(capsys: pytest.CaptureFixture[str]) -> None:
    """As C code that does not look at signals: the view ends, the cell when ``next()`` returns."""
    is_said = threading.Event()

    def stubborn() -> Iterator[int]:
        yield 0
        while not is_said.is_set():
            with contextlib.suppress(KeyboardInterrupt):
                is_said.wait(60)
        yield 1

    shown = kk.show(stubborn())

    def see() -> None:
        shown._run.wait(SOON_S)
        is_said.set()

    thread = threading.Thread(target=see)
    thread.start()
    cancelled_when_it_waits(shown)
    assert shown.wait().items == [0]
    thread.join()
    assert shown.reply.status == "cancelled"
    assert BUSY_NOTE in capsys.readouterr().out


def test_an_interrupt_of_the_user_is_raised_and_closes_the_source() -> None:
    for way in (lambda shown: shown.wait(), list):
        ended: list[str] = []
        shown = kk.show(blocked_by(lambda: signal.raise_signal(signal.SIGINT), ended))
        with pytest.raises(KeyboardInterrupt) as caught:
            way(shown)
        assert not isinstance(caught.value, Stopped)
        assert len(ended) == 1
        assert shown.reply.status == "cancelled"


def test_a_handler_of_the_users_may_cancel() -> None:
    shown = kk.show(blocked_by(lambda: time.sleep(60)))
    before = signal.signal(signal.SIGALRM, lambda *_: shown.cancel())
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        assert shown.wait().status == "cancelled"
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_a_source_may_cancel_itself() -> None:
    def source() -> Iterator[int]:
        yield 0
        shown.cancel()
        yield 1

    shown = kk.show(source())
    assert shown.wait().items in ([], [0])  # a cancel drops what was not taken
    assert shown.reply.status == "cancelled"


def test_an_outer_source_is_stopped_through_an_inner_one() -> None:
    inner_ended: list[str] = []

    def outer() -> Iterator[int]:
        yield 0
        yield from kk.show(blocked_by(lambda: time.sleep(60), inner_ended))

    shown = kk.show(outer())

    def cancel() -> None:
        while shown.reply.count < 2:
            time.sleep(0.005)
        time.sleep(0.05)
        shown.cancel()

    thread = threading.Thread(target=cancel)
    thread.start()
    assert shown.wait().status == "cancelled"
    thread.join()
    assert inner_ended == [threading.main_thread().name]


@pytest.mark.slow
def test_the_signal_hits_nothing_else() -> None:
    """Stopped at random moments, from before the code begins to after it has ended."""
    # By default a thread that computes is left to others after 5 ms only: it would always be done.
    switch_interval_s = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    heard: list[int] = []
    before = signal.signal(signal.SIGURG, lambda number, _: heard.append(number))
    chance = random.Random(7)
    outcomes: set[str] = set()
    turns = 0
    until_s = time.monotonic() + 60

    def stop_after(stoppable: Stoppable, pause_s: float) -> None:
        time.sleep(pause_s)
        stoppable.stop()

    def work(until_s: float) -> str:
        while time.monotonic() < until_s:
            pass
        return "done"

    try:
        # What comes first is a matter of chance, so as many turns as it takes to have seen both.
        while turns < 400 or (len(outcomes) < 2 and time.monotonic() < until_s):
            turns += 1
            stoppable = Stoppable()
            pause_s, work_s = chance.uniform(0, 0.0015), chance.uniform(0, 0.0015)
            thread = threading.Thread(target=stop_after, args=(stoppable, pause_s))
            thread.start()
            try:
                outcomes.add(stoppable.run(functools.partial(work, time.monotonic() + work_s)))
            except Stopped as stopped:
                outcomes.add("stopped" if stopped.owner is stoppable else "another's")
            time.sleep(0.0005)  # whatever is still on its way would come now, outside
            thread.join()
        assert outcomes == {"done", "stopped"}
        assert heard == []
        signal.raise_signal(signal.SIGURG)  # one that is not ours still goes where it belongs
        assert heard == [signal.SIGURG]
        stopping.uninstall()
        signal.raise_signal(signal.SIGURG)
        assert heard == [signal.SIGURG] * 2
    finally:
        sys.setswitchinterval(switch_interval_s)
        signal.signal(signal.SIGURG, before)


def test_it_stays_stopped() -> None:
    stoppable = Stoppable()
    stoppable.stop()
    with pytest.raises(Stopped):
        stoppable.run(lambda: pytest.fail("it ran"))
    assert can_stop_here()


def test_many_cancels_at_any_moment_end_quietly() -> None:
    chance = random.Random(11)

    def endless() -> Iterator[int]:
        n = 0
        while True:
            yield n
            n += 1
            if n % 50 == 0:
                time.sleep(0.001)

    for turn in range(40):
        shown = kk.show(endless())
        timer = threading.Timer(chance.uniform(0, 0.02), shown.cancel)
        timer.start()
        if turn % 2:
            shown.wait()
        else:
            for _ in shown:
                pass
        timer.join()
        assert shown.reply.status == "cancelled"


class Closable:
    """As an LLM client's stream: the end of the object does not close it."""

    def __init__(self) -> None:
        self.closed_in: list[threading.Thread] = []

    def __iter__(self) -> Iterator[int]:
        return self

    def __next__(self) -> int:
        return 1

    def close(self) -> None:
        self.closed_in.append(threading.current_thread())


def test_a_cancel_while_the_body_runs_closes_the_source() -> None:
    """Also if the run is settled before the body comes round."""
    source = Closable()
    shown = kk.show(source)
    for _ in shown:
        shown.cancel()
        assert shown._run.wait(10)
        until(lambda: shown._run.is_settled)
    assert source.closed_in == [threading.main_thread()]


def test_a_cancel_before_the_first_item_closes_the_source() -> None:
    source = Closable()
    shown = kk.show(source)
    run = shown._run
    start = run.start

    def start_and_settle() -> None:
        start()
        run.cancel()
        until(lambda: run.is_settled)

    run.start = start_and_settle  # type: ignore[method-assign]
    assert shown.wait().status == "cancelled"
    assert len(source.closed_in) == 1
