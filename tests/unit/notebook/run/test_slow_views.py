"""A stream with a slow function of the user's: others go on, Cancel frees at once, loops wait."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from support.runs import FakeFeed, FakeOutput, FakeScreen, started
from support.waiting import until

import kkjupyter as kk
from kkjupyter.errors import CallCancelled
from kkjupyter.notebook.output import gc_pause
from kkjupyter.notebook.output.places import place_here
from kkjupyter.notebook.output.screens import TerminalScreen
from kkjupyter.notebook.run import owner
from kkjupyter.notebook.run import run as runs
from kkjupyter.notebook.run.owner import wait_for_output
from kkjupyter.notebook.run.run import Run
from kkjupyter.notebook.run.worker import Worker
from kkjupyter.notebook.views import make_view
from kkjupyter.runtime.ticker import Ticker


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """What slow functions wait for; open at the end, whatever the test does."""
    gate = threading.Event()
    yield gate
    gate.set()


class Words(kk.View):
    name = "words"

    def __init__(self, gate: threading.Event) -> None:
        super().__init__()
        self.gate = gate
        self.is_busy = threading.Event()

    def slowly(self) -> None:
        self.is_busy.set()
        assert self.gate.wait(20)


class SlowToRender(Words):
    def render(self, items: Sequence[Any]) -> str:
        if "slow" in items:
            self.slowly()
        return "".join([f"{item} " for item in items])


class SlowToEnd(SlowToRender):
    def flush(self) -> str:
        self.slowly()
        return "the end"


class SlowToSave(SlowToRender):
    def body(self, excerpt: Any) -> Any:
        self.slowly()
        return super().body(excerpt)


def shown(view: kk.View, **options: Any) -> tuple[Run, FakeFeed]:
    feed = FakeFeed()
    run = Run(10**9, "fake()", feed, **options)
    run.add_screen(TerminalScreen(view))
    run.start()
    return run, feed


def test_the_others_go_on_while_one_is_busy(gate: threading.Event) -> None:
    slow, busy = shown(SlowToRender(gate))
    busy.put("slow")
    feed, screen = FakeFeed(), FakeScreen()
    run = Run(10**9 + 1, "quick()", feed)
    run.add_screen(screen)
    run.start()
    feed.put(1, 2)
    until(lambda: screen.items == [1, 2])
    feed.end()
    assert run.wait(5)
    assert not slow.is_over
    gate.set()
    busy.end()
    assert slow.wait(5)


@pytest.mark.slow
@pytest.mark.parametrize("slow", ["pick", "render", "repr"])
def test_cancel_frees_whoever_waits_whatever_the_worker_does(
    slow: str, gate: threading.Event, capsys: pytest.CaptureFixture[str]
) -> None:
    view = SlowToRender(gate)

    class Odd:
        def __repr__(self) -> str:
            view.slowly()
            return "odd"

    def pick(items: Sequence[Any]) -> Sequence[Any]:
        if slow == "pick" and "slow" in items:
            view.slowly()
        return items

    run, feed = shown(view, pick=pick)
    feed.put("first")
    until(lambda: run.reply.count == 1)
    feed.put(Odd() if slow == "repr" else "slow")
    assert view.is_busy.wait(5)
    begun_s = time.monotonic()
    assert run.cancel()
    assert run.wait(10)
    assert time.monotonic() - begun_s < 5
    assert (run.reply.status, run.reply.count) == ("cancelled", 2)
    assert isinstance(run.reply.error, CallCancelled)
    until(lambda: run.is_settled)
    out = capsys.readouterr().out
    assert out.startswith("first ")
    assert "its view was still busy when it ended: it shows what was drawn by then" in out
    gate.set()  # what comes back late changes nothing
    until(lambda: not any("kkjupyter-fake" in thread.name for thread in threading.enumerate()))
    assert capsys.readouterr().out == ""


@pytest.mark.slow
@pytest.mark.parametrize("kind", [SlowToEnd, SlowToSave])
def test_cancel_does_not_wait_for_the_last_output_either(
    kind: type[Words], gate: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    outputs: list[Any] = []
    monkeypatch.setattr("IPython.display.DisplayHandle.display", lambda *_, **__: None)
    monkeypatch.setattr(
        "IPython.display.DisplayHandle.update", lambda _, data, **__: outputs.append(data)
    )
    monkeypatch.setattr(runs, "_LAST_OUTPUT_S", 0.2)
    from kkjupyter.notebook.output.screens import CellScreen

    feed, view = FakeFeed(), kind(gate)
    run = Run(10**9, "fake()", feed)
    run.add_screen(CellScreen(FakeOutput(), view, place_here()))  # type: ignore[arg-type]
    run.start()
    feed.put("one")
    feed.end()
    assert view.is_busy.wait(5)
    assert not run.wait(0.1)
    run.cancel()
    assert run.wait(10)
    assert run.reply.status == "done"  # the stream itself was complete
    until(lambda: run.is_settled)  # in the end without what the view makes
    assert [output["text/plain"] for output in outputs] == ["one "]
    gate.set()
    until(lambda: not any("kkjupyter-fake" in thread.name for thread in threading.enumerate()))
    assert len(outputs) == 1


def test_a_time_limit_ends_a_stream_whose_view_is_stuck(
    gate: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "_PATIENCE_S", 0.1)
    view = SlowToRender(gate)
    run, feed = shown(view, for_s=0.2)
    feed.put("slow")
    assert run.wait(10)
    assert (run.reply.status, feed.cancelled) == ("done", 1)
    assert run.notes[0] == "ended by --for 0.2"


@pytest.mark.slow
def test_what_a_loop_took_is_in_the_reply_though_its_view_was_stuck(gate: threading.Event) -> None:
    feed, view = FakeFeed(), SlowToRender(gate)
    run = Run(10**9, "fake()", feed)
    run.add_screen(TerminalScreen(view))
    run.start_loop()
    run.handed_out("slow")
    assert view.is_busy.wait(5)
    for n in range(5):
        run.handed_out(n)
    run.cancel()
    assert run.wait(10)
    assert run.reply.items == ["slow", 0, 1, 2, 3, 4]


@pytest.mark.slow
def test_a_slow_view_is_fed_little_at_a_time(gate: threading.Event) -> None:
    sizes: list[int] = []

    class Slow(kk.View):
        def render(self, items: Sequence[Any]) -> str:
            sizes.append(len(items))
            time.sleep(0.01 * len(items))
            return ""

    run, feed = shown(Slow())
    feed.put(*range(600))
    until(lambda: len(sizes) >= 4, 20)
    assert max(sizes[2:]) <= 64  # after the first that took long
    run.cancel()


@pytest.mark.slow
def test_a_quick_view_is_fed_more_and_more() -> None:
    run, feed = shown(make_view("json"))
    feed.put(*range(300_000))
    feed.end()
    assert run.wait(30)
    assert run.reply.count == 300_000


# ---- loops


class Gated(kk.View):
    """Takes nothing until the gate is open."""

    gate: threading.Event

    def render(self, items: Sequence[Any]) -> str:
        assert self.gate.wait(60)
        return ""


@pytest.fixture
def gated(gate: threading.Event) -> type[kk.View]:
    return type("Gated", (Gated,), {"gate": gate})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("item", "most"),
    [
        (b"x" * 1_000_000, 18),
        ("y" * 1_000_000, 18),
        ({"z": "z" * 1_000_000}, 18),
        (5, 10_001),
    ],
)
def test_a_loop_waits_for_its_view(
    item: Any, most: int, gate: threading.Event, gated: type[kk.View]
) -> None:
    taken: list[int] = []

    def loop() -> None:
        for n, _ in enumerate(kk.show((item for _ in range(most + 100)), view=gated)):
            taken.append(n)

    thread = threading.Thread(target=loop)
    thread.start()
    until(lambda: len(taken) >= most - 2, 30)
    time.sleep(0.2)
    assert len(taken) <= most
    gate.set()
    thread.join(30)
    assert len(taken) == most + 100


@pytest.mark.slow
def test_cancel_ends_a_loop_that_waits(gate: threading.Event, gated: type[kk.View]) -> None:
    shown = kk.show((b"x" * 1_000_000 for _ in range(10_000)), view=gated)
    taken: list[int] = []

    def cancel() -> None:
        until(lambda: len(taken) >= 16, 30)
        time.sleep(0.1)
        shown.cancel()

    canceller = threading.Thread(target=cancel)
    canceller.start()
    for item in shown:
        taken.append(len(item))
    canceller.join()
    assert len(taken) < 30
    assert shown.reply.status == "cancelled"


@pytest.mark.slow
def test_a_failure_reaches_the_loop_though_its_view_is_not_done(gated: type[kk.View]) -> None:
    def failing() -> Iterator[int]:
        yield 1
        raise ValueError("something went wrong")

    shown = kk.show(failing(), view=gated)
    with pytest.raises(ValueError, match="something went wrong"):
        for _ in shown:
            pass
    assert not shown.reply.is_over


def test_an_awaiting_loop_waits_without_holding_up_the_loop(gate: threading.Event) -> None:
    class Slow(kk.View):
        def render(self, items: Sequence[Any]) -> str:
            assert gate.wait(20)
            return ""

    async def blocks() -> Any:
        for _ in range(60):
            yield b"x" * 1_000_000

    async def main() -> int:
        taken = 0
        turns = 0

        async def others() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0.01)

        task = asyncio.create_task(others())
        asyncio.get_running_loop().call_later(0.5, gate.set)
        async for _ in kk.show(blocks(), view=Slow):
            taken += 1
            if not gate.is_set():
                assert taken < 30
        task.cancel()
        assert turns > 10
        return taken

    assert asyncio.run(main()) == 60


# ---- waiting for the last output


def over_later(monkeypatch: pytest.MonkeyPatch, gate: threading.Event) -> Run:
    monkeypatch.setattr(owner, "_QUIET_S", 0.05)
    run, feed = shown(SlowToEnd(gate))
    feed.end()
    return run


def test_a_cell_waits_for_its_last_output_and_says_so(
    gate: threading.Event, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = over_later(monkeypatch, gate)
    threading.Timer(0.5, gate.set).start()
    wait_for_output(run)
    assert run.is_settled
    said = "fake() has ended; its output is still being drawn; Interrupt ends the wait"
    assert said in capsys.readouterr().out


def test_it_does_not_wait_for_ever(
    gate: threading.Event, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(owner, "_OUTPUT_S", 0.1)
    wait_for_output(over_later(monkeypatch, gate))
    assert "the output of fake() will be complete later" in capsys.readouterr().out


def test_an_interrupt_ends_that_wait(
    gate: threading.Event, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = over_later(monkeypatch, gate)

    def interrupted(*_: object) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr(owner, "wait_blocking", interrupted)
    wait_for_output(run)
    assert "the output of fake() will be complete later" in capsys.readouterr().out


# ---- what is left


def test_a_time_limit_keeps_nothing_alive() -> None:
    def ended(**options: Any) -> weakref.ref[Any]:
        run, feed, _ = started(**options)
        feed.put(1)
        feed.end()
        assert run.wait(5)
        until(lambda: run.is_settled)
        return weakref.ref(run.reply)

    replies = [ended(for_s=3600.0), ended(timeout_s=3600.0), ended()]
    until(lambda: gc.collect() >= 0 and not any(reply() for reply in replies))


def test_withdrawn_timers_are_cleared_away() -> None:
    ticker = Ticker()
    ticker.start()

    class Job:
        def __call__(self) -> None: ...

    jobs = [Job() for _ in range(200)]
    timers = [ticker.post(job, 3600) for job in jobs]
    gone = [weakref.ref(job) for job in jobs]
    jobs.clear()
    for timer in timers:
        timer.cancel()
        timer.cancel()
    timer_gone = weakref.ref(ticker)
    assert timer_gone() is ticker
    until(lambda: all(one() is None for one in gone))


# ---- the worker


def test_a_worker_keeps_order_its_context_and_survives_anything(caplog: Any) -> None:
    word: contextvars.ContextVar[str] = contextvars.ContextVar("word", default="none")
    word.set("of the cell")
    worker = Worker("kkjupyter-test-worker")
    word.set("later")
    seen: list[Any] = []
    done = threading.Event()

    def exits() -> None:
        raise SystemExit

    worker.post(exits)
    worker.post_later(lambda: seen.append("late"), 0.05)
    worker.post(lambda: seen.append(word.get()))
    worker.post(lambda: seen.append(threading.current_thread().name))
    worker.post_later(done.set, 0.15)
    assert done.wait(5)
    assert seen == ["of the cell", "kkjupyter-test-worker", "late"]
    assert "SystemExit" in caplog.text


def _threads(name: str) -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == name]


def test_its_thread_ends_with_it() -> None:
    worker = Worker("kkjupyter-closed")
    assert not _threads("kkjupyter-closed")  # none before there is something to do
    seen: list[int] = []
    worker.post(lambda: seen.append(1))
    worker.close()
    until(lambda: not _threads("kkjupyter-closed"))
    worker.post(lambda: seen.append(2))  # a further view of what is over
    worker.post(lambda: seen.append(3))
    until(lambda: seen == [1, 2, 3])
    until(lambda: not _threads("kkjupyter-closed"))
    forgotten = Worker("kkjupyter-forgotten")
    forgotten.post(lambda: None)
    del forgotten
    until(lambda: not _threads("kkjupyter-forgotten"))


@pytest.mark.parametrize("leave", [True, False])
def test_what_is_stuck_is_left_or_waited_for(leave: bool, gate: threading.Event) -> None:
    worker = Worker("kkjupyter-stuck")
    seen: list[str] = []
    busy = threading.Event()

    def stuck() -> None:
        busy.set()
        assert gate.wait(20)
        seen.append("stuck")

    worker.post(stuck)
    assert busy.wait(5)
    worker.close(leave=leave)
    worker.post(lambda: seen.append("next"))
    if leave:
        until(lambda: seen == ["next"])
        gate.set()
        until(lambda: seen == ["next", "stuck"])
    else:
        time.sleep(0.1)
        assert seen == []
        gate.set()
        until(lambda: seen == ["stuck", "next"])


def test_full_collections_wait_until_the_last_output_is_made() -> None:
    before = gc.get_threshold()
    never: Callable[[], bool] = lambda: gc.get_threshold()[2] > 10**6  # noqa: E731
    with gc_pause.without_full_collections():
        assert never()
        with gc_pause.without_full_collections():
            assert never()
        assert never()
    assert gc.get_threshold() == before
    with gc_pause.without_full_collections():
        gc.set_threshold(*before)  # the user's own word counts
    assert gc.get_threshold() == before
