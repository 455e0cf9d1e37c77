"""Waits: woken at once, interruptible always, in threads and on loops."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.endpoints import PATIENCE_S, Endpoint, until

import kkjupyter as kk
from kkjupyter.rpc.inprocess import serve_in_memory
from kkjupyter.rpc.portal import io_loop
from kkjupyter.rpc.remote import session_of
from kkjupyter.rpc.waiting import Bell, wait_async, wait_blocking


@pytest.fixture
def endpoint() -> Endpoint:
    return Endpoint()


@pytest.fixture
def api(endpoint: Endpoint) -> Iterator[Any]:
    with serve_in_memory(endpoint) as server, server.connect() as api:
        yield api


# ---- the bell


def test_a_ring_wakes_everybody_once() -> None:
    bell, rung = Bell(), []
    bell.on_ring(lambda: rung.append(1))
    bell.on_ring(lambda: rung.append(2))
    bell.ring()
    bell.ring()
    assert rung == [1, 2]


def test_who_is_forgotten_is_not_woken() -> None:
    bell, rung = Bell(), []
    bell.on_ring(rung.append)  # type: ignore[arg-type]
    bell.forget(rung.append)
    bell.forget(rung.append)
    bell.ring()
    assert rung == []


def test_one_that_fails_does_not_keep_others_asleep(caplog: pytest.LogCaptureFixture) -> None:
    bell, rung = Bell(), []

    def fail() -> None:
        raise RuntimeError("no")

    bell.on_ring(fail)
    bell.on_ring(lambda: rung.append(1))
    bell.ring()
    assert rung == [1]
    assert "waking somebody failed" in caplog.text


def test_no_change_goes_unseen() -> None:
    """One thread counts up and rings, another waits for each number."""
    bell, number = Bell(), [0]

    def count() -> None:
        for _ in range(5000):
            number[0] += 1
            bell.ring()

    thread = threading.Thread(target=count)
    thread.start()
    started_s = time.monotonic()
    for expected in range(1, 5001):
        assert wait_blocking(bell, lambda expected=expected: number[0] >= expected, 5)
    thread.join()
    assert time.monotonic() - started_s < 5


# ---- waiting


def test_a_wait_ends_in_time_either_way() -> None:
    bell = Bell()
    started_s = time.monotonic()
    assert not wait_blocking(bell, lambda: False, 0.05)
    assert not asyncio.run(wait_async(bell, lambda: False, 0.05))
    assert 0.1 <= time.monotonic() - started_s < 5
    assert wait_blocking(bell, lambda: True, 0)
    assert asyncio.run(wait_async(bell, lambda: True, 0))


def test_a_ring_from_another_thread_wakes_without_delay() -> None:
    for waiting in (
        lambda bell, ready: wait_blocking(bell, ready),
        lambda bell, ready: asyncio.run(wait_async(bell, ready)),
    ):
        bell, done = Bell(), []
        delays_s = []
        for _ in range(5):
            done.clear()

            def ring(done: list[float] = done, bell: Bell = bell) -> None:
                done.append(time.monotonic())
                bell.ring()

            threading.Timer(0.02, ring).start()
            waiting(bell, lambda done=done: bool(done))
            delays_s.append(time.monotonic() - done[0])
        assert min(delays_s) < 0.02  # a poll would need 0.05 on average


def test_a_blocking_wait_on_our_own_loop_is_refused() -> None:
    async def wrong() -> None:
        wait_blocking(Bell(), lambda: False)

    with pytest.raises(kk.UsageError, match="use `await` there"):
        io_loop().submit(wrong()).result(PATIENCE_S)


# ---- Ctrl-C, and the kernel's interrupt


class Interrupts:
    """Raises KeyboardInterrupt in the main thread, as Ctrl-C does, whatever it is doing."""

    def __init__(self) -> None:
        self.wanted = True
        self._timers: list[threading.Timer] = []

    def after(self, delay_s: float, ready: Callable[[], object] = lambda: True) -> None:
        self._timers.append(signal_after(delay_s, ready))

    def stop(self) -> None:
        """No more come after this."""
        for timer in self._timers:
            timer.cancel()
            timer.join()
        self._timers.clear()


@pytest.fixture
def interrupts() -> Iterator[Interrupts]:
    def raise_interrupt(*args: object) -> None:
        if interrupts.wanted:
            raise KeyboardInterrupt

    interrupts = Interrupts()
    before = signal.signal(signal.SIGUSR1, raise_interrupt)
    yield interrupts
    interrupts.stop()
    signal.signal(signal.SIGUSR1, before)


def signal_after(delay_s: float, ready: Callable[[], object] = lambda: True) -> threading.Timer:
    """Signal the main thread, ``delay_s`` after now and after ``ready()``, whichever is later."""
    main_thread = threading.main_thread().ident
    assert main_thread is not None

    def fire() -> None:
        until(ready)
        signal.pthread_kill(main_thread, signal.SIGUSR1)

    timer = threading.Timer(delay_s, fire)
    timer.start()
    return timer


def interrupted_wait(wait: Callable[[], object]) -> float:
    started_s = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        wait()
    return time.monotonic() - started_s


@pytest.mark.parametrize(
    "wait",
    [
        lambda api: api.slow().result(),
        lambda api: api.slow().result(timeout_s=30),
        lambda api: list(api.once_then_wait()),
        lambda api: api.once_then_wait().result(),
        lambda api: [time.sleep(1) for _ in api.once_then_wait()],  # in the body of the loop
    ],
)
def test_ctrl_c_ends_a_plain_wait_and_the_producer(
    api: Any,
    endpoint: Endpoint,
    interrupts: Interrupts,
    wait: Callable[[Any], object],
) -> None:
    interrupts.after(0.2, lambda: endpoint.calls)
    assert interrupted_wait(lambda: wait(api)) < PATIENCE_S
    until(lambda: len(endpoint.finals) == 1)


def test_ctrl_c_while_connecting(interrupts: Interrupts) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:
        interrupts.after(0.2)
        url = f"ws://127.0.0.1:{silent.getsockname()[1]}"
        assert interrupted_wait(lambda: kk.connect(url)) < 1.8  # it gives up by itself after 2 s


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_ctrl_c_at_any_moment_leaves_the_engine_alive(api: Any, interrupts: Interrupts) -> None:
    """In the middle of a hand-over, of a registration, of anything.

    Python drops one that comes while a finalizer runs; the next one counts, as for a user.
    """

    def work() -> None:
        while True:
            api.add(1, 2).result()
            for _ in api.countdown(3):
                pass

    for number in range(40):
        with contextlib.suppress(KeyboardInterrupt):
            try:
                interrupts.wanted = True
                for again in range(5):
                    interrupts.after(0.002 + 0.0007 * number + 0.1 * again)
                work()
            finally:
                interrupts.wanted = False  # the later ones may come before they can be stopped
        interrupts.stop()
        assert api.add(number, 1).result(timeout_s=PATIENCE_S) == number + 1


@pytest.mark.parametrize("kind", ["unary", "stream"])
def test_a_signal_that_cancels_the_task_is_noticed_while_the_loop_sleeps(
    api: Any, endpoint: Endpoint, kind: str
) -> None:
    """As ipykernel does it: the handler calls task.cancel(), which wakes no selector."""
    noticed_s: list[float] = []

    async def cell() -> None:
        if kind == "unary":
            await api.slow()
        else:
            async for _ in api.once_then_wait():
                pass

    async def main() -> None:
        task = asyncio.create_task(cell())
        signalled: list[float] = []

        def cancel(*args: object) -> None:
            signalled.append(time.monotonic())
            task.cancel()

        before = signal.signal(signal.SIGUSR1, cancel)
        timer = signal_after(0.25, lambda: endpoint.calls)
        try:
            with pytest.raises(asyncio.CancelledError):
                await task
        finally:
            timer.join()
            signal.signal(signal.SIGUSR1, before)
        noticed_s.append(time.monotonic() - signalled[0])

    asyncio.run(main())
    assert noticed_s[0] < PATIENCE_S
    until(lambda: len(endpoint.finals) == 1)


def test_the_ticker_stops_with_the_waiting() -> None:
    """A loop nobody waits on is left alone."""

    async def main() -> int:
        await wait_async(Bell(), lambda: False, 0.01)
        await asyncio.sleep(0.15)
        loop = asyncio.get_running_loop()
        return len([h for h in loop._scheduled if not h.cancelled()])  # type: ignore[attr-defined]

    assert asyncio.run(main()) == 0


@pytest.mark.parametrize("protocol", ["compact", "classic"])
def test_ctrl_c_while_a_call_is_sent_leaves_no_stream_behind(
    protocol: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    io = io_loop()
    post = io.post

    def interrupted(fn: Callable[..., object], *args: Any) -> None:
        post(fn, *args)
        if fn == session._send:
            raise KeyboardInterrupt

    with serve_in_memory(Endpoint()) as server, server.connect(protocol=protocol) as api:
        session: Any = session_of(api)
        with monkeypatch.context() as patch:
            patch.setattr(io, "post", interrupted)
            with pytest.raises(KeyboardInterrupt):
                api.ticks()
        until(lambda: "dropped unread" in caplog.text)
        until(lambda: not session.calls)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this platform")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork.*:DeprecationWarning")
def test_a_forked_child_has_loops_of_its_own(api: Any) -> None:
    assert api.add(1, 2).result() == 3
    child = os.fork()
    if child == 0:
        status = 1
        try:
            with serve_in_memory(Endpoint()) as server, server.connect() as fresh:
                status = 0 if fresh.add(1, 2).result(timeout_s=5) == 3 else 2
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
