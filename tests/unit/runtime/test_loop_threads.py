"""The background loops: order, batching, and nothing that ends them."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from typing import Any

import pytest
from support.waiting import PATIENCE_S, until

from kkjupyter.runtime import loop_threads
from kkjupyter.runtime.loop_threads import LoopThread, handler_loop, io_loop, on_own_loop
from kkjupyter.server import server


@pytest.fixture
def loop() -> LoopThread:
    """A loop of the test's own, as daemon as the others."""
    return LoopThread("test-loop")


def test_posts_are_run_in_order_on_the_loops_thread(loop: LoopThread) -> None:
    seen: list[tuple[int, str]] = []
    for number in range(1000):
        loop.post(lambda n=number: seen.append((n, threading.current_thread().name)))
    loop.flush(2)
    assert seen == [(number, "test-loop") for number in range(1000)]


def test_posts_from_many_threads_all_arrive_in_each_ones_order(loop: LoopThread) -> None:
    seen: list[tuple[int, int]] = []

    def post(who: int) -> None:
        for number in range(2000):
            loop.post(seen.append, (who, number))

    threads = [threading.Thread(target=post, args=(who,)) for who in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    loop.flush(5)
    assert len(seen) == 12_000
    for who in range(6):
        assert [number for w, number in seen if w == who] == list(range(2000))


def test_many_posts_share_one_wake_up(loop: LoopThread) -> None:
    woken: list[int] = []
    inner = loop.loop.call_soon_threadsafe

    def counted(*args: object) -> object:
        woken.append(1)
        return inner(*args)  # type: ignore[arg-type]

    loop.loop.call_soon_threadsafe = counted  # type: ignore[method-assign, assignment]
    blocked = threading.Event()
    loop.post(blocked.wait, 2)
    time.sleep(0.05)
    for _ in range(500):
        loop.post(loop.post, lambda: None)  # it has what it posts itself done, too
    blocked.set()
    loop.flush(2)
    assert len(woken) == 1


@pytest.mark.parametrize("error", [RuntimeError("no"), SystemExit(1), KeyboardInterrupt()])
def test_what_fails_is_logged_and_the_loop_lives_on(
    loop: LoopThread, error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise error

    done = threading.Event()
    loop.post(fail)
    loop.post(done.set)
    assert done.wait(PATIENCE_S)
    assert "a callback for test-loop failed" in caplog.text


def test_ctrl_c_in_the_middle_of_a_post_leaves_no_loop_asleep(
    loop: LoopThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(loop.loop, "call_soon_threadsafe", interrupted)
    with pytest.raises(KeyboardInterrupt):
        loop.post(lambda: None)
    monkeypatch.undo()
    done = threading.Event()
    loop.post(done.set)
    assert done.wait(PATIENCE_S)


def test_a_task_that_exits_does_not_end_the_loop(
    loop: LoopThread, caplog: pytest.LogCaptureFixture
) -> None:
    async def leave() -> None:
        raise SystemExit(1)

    loop.submit(leave())
    until(lambda: "tried to end test-loop" in caplog.text)

    async def answer() -> int:
        return 42

    assert loop.submit(answer()).result(PATIENCE_S) == 42


def test_a_finalizer_may_post_from_anywhere(loop: LoopThread) -> None:
    seen: list[int] = []

    class Loud:
        def __del__(self) -> None:
            loop.post(seen.append, 1)

    class Ring:
        pass

    for _ in range(200):
        ring = Ring()
        ring.me, ring.loud = ring, Loud()  # type: ignore[attr-defined]
        loop.post(gc.collect, 0)
    gc.collect()
    until(lambda: len(seen) == 199 or len(seen) == 200, 5)


def test_cancelling_a_submitted_future_cancels_it_there(loop: LoopThread) -> None:
    ended = threading.Event()

    async def wait() -> None:
        try:
            await asyncio.sleep(30)
        finally:
            ended.set()

    future = loop.submit(wait())
    time.sleep(0.02)
    future.cancel()
    assert ended.wait(PATIENCE_S)


def test_the_two_loops_know_their_own_threads() -> None:
    assert io_loop() is io_loop()
    assert io_loop() is not handler_loop()
    assert not on_own_loop()

    async def there() -> tuple[bool, bool]:
        return on_own_loop(), io_loop().is_current

    assert io_loop().submit(there()).result(PATIENCE_S) == (True, True)
    assert handler_loop().submit(there()).result(PATIENCE_S) == (True, False)


def test_a_stopped_loop_takes_posts_and_forgets_them(loop: LoopThread) -> None:
    loop.stop(2)
    loop.post(lambda: None)
    loop.loop.close()
    loop.post(lambda: None)


def test_loops_and_servers_may_come_while_they_are_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Another thread starts one in the middle of the look."""
    loops: dict[str, Any] = {}
    servers: set[Any] = set()

    class Coming:
        """As it is looked at, one more is there."""

        _number = 1

        @property
        def is_current(self) -> bool:
            loops[f"another {len(loops)}"] = Coming()
            return False

        @property
        def closed(self) -> bool:
            servers.add(Coming())
            return False

    loops["first"] = Coming()
    servers.update(Coming() for _ in range(3))
    monkeypatch.setattr(loop_threads, "_loops", loops)
    assert not loop_threads.on_own_loop()
    monkeypatch.setattr(server, "_servers", servers)
    assert len(server.open_servers()) == 3
