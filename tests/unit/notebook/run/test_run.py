"""A run, from start to end, with a feed and screens that the test controls."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Any

from support.runs import FakeFeed, FakeScreen, started
from support.waiting import until

from kkjupyter.errors import CallTimeout
from kkjupyter.notebook.run.registry import RunRegistry
from kkjupyter.notebook.run.run import Run
from kkjupyter.notebook.run_status import Status
from kkjupyter.runtime.ticker import Ticker


def test_a_stream_to_its_end() -> None:
    run, feed, screen = started()
    feed.put(1, 2)
    until(lambda: screen.items == [1, 2])
    feed.put(3)
    feed.end()
    assert run.wait(5)
    assert (run.reply.items, run.reply.status) == ([1, 2, 3], "done")
    assert screen.items == [1, 2, 3]
    assert screen.states == ["waiting", "streaming", "done"]
    assert screen.ended.is_set()  # the final output is sent before the end is told


def test_of_an_abandoned_run_nothing_more_is_said() -> None:
    run, feed, screen = started()
    feed.put(1)
    until(lambda: screen.items == [1])
    run.abandon()
    run.abandon()
    feed.end(NameError("name 'time' is not defined"))
    drained = threading.Event()
    run.post_later(drained.set, 0)
    assert drained.wait(5)
    assert screen.states == ["waiting", "streaming"]
    assert run.reply.error is None


def test_it_shows_that_its_connection_is_made_again() -> None:
    run, feed, screen = started()
    feed.put(1)
    until(lambda: screen.items == [1])
    feed.away_since_s = time.monotonic() - 4
    feed.notifier.notify()  # the connection tells all of its calls
    until(lambda: screen.reconnecting_s is not None)
    assert 4 <= (screen.reconnecting_s or 0) < 20
    assert run.status().to_json()["reconnecting_s"] >= 4
    feed.away_since_s = None
    feed.notifier.notify()
    until(lambda: screen.reconnecting_s is None)
    assert "reconnecting_s" not in run.status().to_json()
    feed.end()
    assert run.wait(5)


def test_a_loop_that_waits_shows_it_too() -> None:
    feed, screen = FakeFeed(), FakeScreen()
    run = Run(1, "fake()", feed)
    run.add_screen(screen)
    run.start_loop()
    feed.away_since_s = time.monotonic()
    until(lambda: screen.reconnecting_s is not None)
    feed.away_since_s = None
    until(lambda: screen.reconnecting_s is None)
    feed.end()
    run.loop_ended()
    assert run.wait(5)


def test_a_failure_keeps_what_came() -> None:
    run, feed, screen = started()
    feed.put(1)
    feed.end(ValueError("boom"))
    assert run.wait(5)
    assert (run.reply.items, run.reply.status) == ([1], "failed")
    assert isinstance(run.reply.error, ValueError)
    assert screen.last is not None
    assert screen.last.error == "ValueError: boom"


def test_cancel() -> None:
    run, feed, screen = started()
    feed.put(1)
    until(lambda: screen.items)
    assert run.cancel()
    assert not run.cancel()
    assert run.wait(5)
    assert (run.reply.status, feed.cancelled) == ("cancelled", 1)


def test_take_and_for_end_as_a_break_would() -> None:
    run, feed, screen = started(take=2)
    feed.put(1, 2, 3)
    assert run.wait(5)
    assert (run.reply.items, run.reply.status, feed.cancelled) == ([1, 2], "done", 1)
    assert screen.last is not None
    assert screen.last.notes == ("ended by --take 2",)

    run, feed, screen = started(for_s=0.05)
    feed.put(1)
    assert run.wait(5)
    assert (run.reply.items, run.reply.status) == ([1], "done")
    assert run.notes == ["ended by --for 0.05"]


def test_what_the_last_items_bring_counts_more_than_the_time() -> None:
    run, feed, screen = started(for_s=0.2, take=2)
    until(lambda: screen.states == ["waiting"])
    time.sleep(0.05)
    feed.kind = "stream"
    feed.items += [1, 2, 3]  # without a word: they are found when the time is up
    assert run.wait(5)
    assert run.reply.items == [1, 2]
    assert screen.last is not None
    assert screen.last.notes == ("ended by --take 2",)


def test_a_pick_that_fails_at_the_last_moment_is_not_lost() -> None:
    def pick(items: Sequence[Any]) -> Sequence[Any]:
        return [1 / item for item in items]

    run, feed, screen = started(for_s=0.2, pick=pick)
    until(lambda: screen.states == ["waiting"])
    time.sleep(0.05)
    feed.kind = "stream"
    feed.items.append(0)
    assert run.wait(5)
    assert run.reply.status == "failed"
    assert isinstance(run.reply.error, ZeroDivisionError)


def test_take_of_a_stream_that_is_over_already() -> None:
    feed = FakeFeed()
    feed.put(1, 2, 3)
    feed.end()
    run = Run(10**9, "fake()", feed, take=2)
    run.start()
    assert run.wait(5)
    assert (run.reply.items, run.reply.status) == ([1, 2], "done")


def test_no_reply_in_time() -> None:
    run, feed, _ = started(timeout_s=0.05)
    assert run.wait(5)
    assert isinstance(run.reply.error, CallTimeout)
    assert feed.cancelled == 1

    run, feed, _ = started(timeout_s=0.05)
    feed.put(1)
    time.sleep(0.1)
    assert not run.is_over  # it is the reply that is timed
    run.cancel()


def test_a_unary_call() -> None:
    for shows_value, items in [(False, []), (True, [3])]:
        run, feed, screen = started(shows_value=shows_value)
        feed.kind, feed.value = "unary", 3
        feed.end()
        assert run.wait(5)
        assert (run.reply.value, run.reply.items, screen.items) == (3, [], items)


def test_a_second_view_has_all_that_came() -> None:
    run, feed, _ = started()
    feed.put(*range(10))
    until(lambda: run.reply.count == 10)
    second = FakeScreen()
    assert run.add_screen(second).wait(5)
    feed.put(10)
    feed.end()
    assert run.wait(5)
    assert second.items == list(range(11))
    third = FakeScreen()
    assert run.add_screen(third).wait(5)
    assert third.items == list(range(11))
    assert third.ended.is_set()


def test_a_broken_view_harms_neither_the_stream_nor_the_others(caplog: Any) -> None:
    feed, good, bad = FakeFeed(), FakeScreen(), FakeScreen()
    run = Run(10**9, "fake()", feed)
    run.add_screen(bad)
    run.add_screen(good)
    run.start()
    feed.put(1)
    until(lambda: good.items)
    bad.fails = True
    feed.put(2)
    feed.end()
    assert run.wait(5)
    assert good.items == run.reply.items == [1, 2]
    assert "a view failed" in caplog.text


def test_a_loop_takes_and_the_view_follows() -> None:
    feed, screen = FakeFeed(), FakeScreen()
    run = Run(10**9, "fake()", feed)
    run.start_loop()
    run.add_screen(screen)
    feed.put(1, 2, 3)
    run.handed_out(feed.take(1)[0])
    until(lambda: screen.items == [1])
    assert feed.items == [2, 3]  # nobody but the loop takes
    run.let_go()
    assert run.wait(5)
    assert (run.reply.items, run.reply.status) == ([1], "cancelled")


def test_views_follow_a_fast_source_without_a_wake_up_for_each_item() -> None:
    run, feed, screen = started()
    feeds = 0
    original = screen.feed

    def counted(items: Sequence[Any], status: Status) -> None:
        nonlocal feeds
        feeds += 1
        original(items, status)

    screen.feed = counted  # type: ignore[method-assign]
    for n in range(2000):
        feed.put(n)
    feed.end()
    assert run.wait(5)
    assert screen.items == list(range(2000))
    assert feeds < 500


def test_the_registry_forgets_the_oldest_that_are_over() -> None:
    registry = RunRegistry(finished_kept=2)
    runs = [Run(number, "fake()", FakeFeed()) for number in range(4)]
    for run in runs:
        registry.add(run)
    assert registry.running() == runs
    for run in runs[:3]:
        run.is_over = True
        registry.finished(run)
    assert registry.all() == runs[1:]
    assert registry.running() == runs[3:]
    assert registry.get(0) is None
    assert registry.get(2) is runs[2]


def test_the_ticker_keeps_order_and_survives_a_fault(caplog: Any) -> None:
    ticker = Ticker()
    ticker.start()
    seen: list[int] = []
    done = threading.Event()
    ticker.post(lambda: seen.append(3), 0.05)
    ticker.post(lambda: 1 / 0)
    ticker.post(lambda: seen.append(1))
    ticker.post(lambda: seen.append(2), 0.01)
    ticker.post(done.set, 0.1)
    assert done.wait(5)
    assert seen == [1, 2, 3]
    assert "ZeroDivisionError" in caplog.text
