"""Waits: woken at once, interruptible always, in threads and on loops."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import selectors
import signal
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.endpoints import Endpoint
from support.waiting import PATIENCE_S, until

import kkjupyter as kk
from kkjupyter.api.in_process import serve_in_memory
from kkjupyter.client.remote import session_of
from kkjupyter.runtime.loop_threads import io_loop
from kkjupyter.runtime.waiting import Notifier, wait_async, wait_blocking


@pytest.fixture
def endpoint() -> Endpoint:
    return Endpoint()


@pytest.fixture
def api(endpoint: Endpoint) -> Iterator[Any]:
    with serve_in_memory(endpoint) as server, server.connect() as api:
        yield api


# ---- the notifier


def test_a_ring_wakes_everybody_once() -> None:
    notifier, woken = Notifier(), []
    notifier.on_notify(lambda: woken.append(1))
    notifier.on_notify(lambda: woken.append(2))
    notifier.notify()
    notifier.notify()
    assert woken == [1, 2]


def test_who_is_forgotten_is_not_woken() -> None:
    notifier, woken = Notifier(), []
    notifier.on_notify(woken.append)  # type: ignore[arg-type]
    notifier.forget(woken.append)
    notifier.forget(woken.append)
    notifier.notify()
    assert woken == []


def test_one_that_fails_does_not_keep_others_asleep(caplog: pytest.LogCaptureFixture) -> None:
    notifier, woken = Notifier(), []

    def fail() -> None:
        raise RuntimeError("no")

    notifier.on_notify(fail)
    notifier.on_notify(lambda: woken.append(1))
    notifier.notify()
    assert woken == [1]
    assert "waking a waiter failed" in caplog.text


def test_no_change_goes_unseen() -> None:
    """One thread counts up and notifies, another waits for each number."""
    notifier, number = Notifier(), [0]

    def count() -> None:
        for _ in range(5000):
            number[0] += 1
            notifier.notify()

    thread = threading.Thread(target=count)
    thread.start()
    started_s = time.monotonic()
    for expected in range(1, 5001):
        assert wait_blocking(notifier, lambda expected=expected: number[0] >= expected, 5)
    thread.join()
    assert time.monotonic() - started_s < 5


# ---- waiting


class Turning:
    """True from its second question on; it is said so right after the first answer."""

    def __init__(self, notifier: Notifier) -> None:
        self._notifier = notifier
        self._is_true = False

    def __call__(self) -> bool:
        was_true, self._is_true = self._is_true, True
        if not was_true:
            self._notifier.notify()
        return was_true


def test_a_change_just_before_one_begins_to_wait_is_seen() -> None:
    notifier = Notifier()
    assert wait_blocking(notifier, Turning(notifier), PATIENCE_S)
    started_s = time.monotonic()
    assert asyncio.run(wait_async(notifier, Turning(notifier), PATIENCE_S))
    assert time.monotonic() - started_s < PATIENCE_S  # not only at its end


@pytest.mark.parametrize("timeout_s", [0.001, PATIENCE_S], ids=["in vain", "with success"])
def test_who_waits_no_longer_is_forgotten(timeout_s: float) -> None:
    notifier = Notifier()
    ready = (lambda: False) if timeout_s < 1 else Turning(notifier)
    assert wait_blocking(notifier, ready, timeout_s) == (timeout_s > 1)
    assert not notifier._waiting
    ready = (lambda: False) if timeout_s < 1 else Turning(notifier)
    assert asyncio.run(wait_async(notifier, ready, timeout_s)) == (timeout_s > 1)
    assert not notifier._waiting


def test_a_wait_ends_in_time_either_way() -> None:
    notifier = Notifier()
    started_s = time.monotonic()
    assert not wait_blocking(notifier, lambda: False, 0.05)
    assert not asyncio.run(wait_async(notifier, lambda: False, 0.05))
    assert 0.1 <= time.monotonic() - started_s < 5
    assert wait_blocking(notifier, lambda: True, 0)
    assert asyncio.run(wait_async(notifier, lambda: True, 0))


def test_a_wait_that_is_cancelled_leaves_nothing_to_the_garbage_collector() -> None:
    class Held:
        """What the frame of a sleeper holds, as that of a loop over a call holds the loop."""

    async def sleeper(gone: list[weakref.ref[Held]]) -> None:
        held = Held()
        gone.append(weakref.ref(held))
        await wait_async(Notifier(), lambda: False)

    async def main() -> None:
        gone: list[weakref.ref[Held]] = []
        task = asyncio.create_task(sleeper(gone))
        await asyncio.sleep(0.01)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        del task
        await asyncio.sleep(0)
        assert gone[0]() is None

    gc.disable()
    try:
        asyncio.run(main())
    finally:
        gc.enable()


def test_a_ring_from_another_thread_wakes_without_delay() -> None:
    for waiting in (
        lambda notifier, ready: wait_blocking(notifier, ready),
        lambda notifier, ready: asyncio.run(wait_async(notifier, ready)),
    ):
        notifier, done = Notifier(), []
        delays_s = []
        for _ in range(5):
            done.clear()

            def notify(done: list[float] = done, notifier: Notifier = notifier) -> None:
                done.append(time.monotonic())
                notifier.notify()

            threading.Timer(0.02, notify).start()
            waiting(notifier, lambda done=done: bool(done))
            delays_s.append(time.monotonic() - done[0])
        assert min(delays_s) < 0.02  # a poll would need 0.05 on average


def test_a_blocking_wait_on_our_own_loop_is_refused() -> None:
    async def wrong() -> None:
        wait_blocking(Notifier(), lambda: False)

    with pytest.raises(kk.UsageError, match="use `await` there"):
        io_loop().submit(wrong()).result(PATIENCE_S)


# ---- Ctrl-C, and the kernel's interrupt


class Interrupts:
    """Raises KeyboardInterrupt in the main thread, as Ctrl-C does, whatever it is doing."""

    def __init__(self) -> None:
        self.wanted = True
        self._timers: list[threading.Timer] = []

    def after(self, delay_s: float, ready: Callable[[], object] = lambda: True) -> None:
        timer = signal_timer(delay_s, ready)
        self._timers.append(timer)  # first: the one before may interrupt this
        timer.start()

    def stop(self) -> None:
        """No more come after this."""
        for timer in self._timers:
            timer.cancel()
            if timer.ident is not None:  # else an interrupt came before its start
                timer.join()
        self._timers.clear()


@pytest.fixture
def interrupts() -> Iterator[Interrupts]:
    def raise_interrupt(*args: object) -> None:
        if interrupts.wanted:
            raise KeyboardInterrupt

    interrupts = Interrupts()
    signal.signal(signal.SIGUSR1, raise_interrupt)
    yield interrupts
    interrupts.wanted = False
    interrupts.stop()
    # Not what was there before: one that is still on its way would end the process.
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)


def signal_timer(
    delay_s: float,
    ready: Callable[[], object] = lambda: True,
    number: signal.Signals = signal.SIGUSR1,
) -> threading.Timer:
    """Signals the main thread, ``delay_s`` after its start and after ``ready()``."""
    main_thread = threading.main_thread().ident
    assert main_thread is not None

    def fire() -> None:
        until(ready)
        signal.pthread_kill(main_thread, number)

    return threading.Timer(delay_s, fire)


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


@pytest.mark.slow
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


async def await_value(api: Any) -> None:
    await api.slow()


async def await_items(api: Any) -> None:
    async for _ in api.once_then_wait():
        pass


async def wait_for_value(api: Any) -> None:
    api.slow().result()


async def wait_for_items(api: Any) -> None:
    for _ in api.once_then_wait():
        pass


@pytest.mark.parametrize("wait", [await_value, await_items, wait_for_value, wait_for_items])
def test_ctrl_c_in_a_program_of_asyncio(
    api: Any, endpoint: Endpoint, wait: Callable[[Any], Any]
) -> None:
    """Its handler cancels the main task, which plain code that blocks the loop sees by itself."""
    timer = signal_timer(0.2, lambda: endpoint.calls, signal.SIGINT)
    timer.start()
    assert interrupted_wait(lambda: asyncio.run(wait(api))) < PATIENCE_S
    timer.join()
    until(lambda: len(endpoint.finals) == 1)


@pytest.mark.slow
@pytest.mark.parametrize(
    "wait",
    [
        lambda api: api.slow(1).result(),
        lambda api: api.slow(1).result(timeout_s=30),
        lambda api: list(api.countdown_slowly()),
        lambda api: [time.sleep(0.001) for _ in api.countdown_slowly()],
        lambda api: asyncio.run(await_slow(api)),
    ],
)
def test_a_programs_own_handler_of_sigint_stays_its_own(
    wait: Callable[[Any], object],
) -> None:
    class Slow(Endpoint):
        async def countdown_slowly(self) -> Any:
            self.calls.append("countdown_slowly")
            for number in range(5):
                yield number
                await asyncio.sleep(0.2)

    called: list[int] = []
    endpoint = Slow()

    def handler(number: int, frame: object) -> None:
        called.append(number)

    before = signal.signal(signal.SIGINT, handler)
    try:
        with serve_in_memory(endpoint) as server, server.connect() as api:
            timer = signal_timer(0.2, lambda: endpoint.calls, signal.SIGINT)
            timer.start()
            assert wait(api)
            timer.join()
            assert signal.getsignal(signal.SIGINT) is handler
    finally:
        signal.signal(signal.SIGINT, before)
    assert called == [signal.SIGINT]


async def await_slow(api: Any) -> str:
    value: str = await api.slow(1)
    return value


# ---- nothing wakes up for nothing


@pytest.mark.slow
def test_an_idle_program_that_awaits_is_not_woken(api: Any, endpoint: Endpoint) -> None:
    selectors_asked: dict[str, int] = {"caller": 0}

    class Counting(selectors.DefaultSelector):
        def select(self, timeout: float | None = None) -> Any:
            selectors_asked["caller"] += 1
            return super().select(timeout)

    async def main() -> int:
        call = api.slow(1.5)
        waiting = asyncio.create_task(call._answer())
        while not endpoint.calls:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        before = selectors_asked["caller"]
        assert await waiting == "done"
        return selectors_asked["caller"] - before

    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(Counting())) as runner:
        assert runner.run(main()) < 8  # with a poll every 0.1 s it would be 15 and more


def test_a_thread_that_waits_is_not_woken() -> None:
    notifier, looks, done = Notifier(), [], threading.Event()

    def ready() -> bool:
        looks.append(1)
        return done.is_set()

    thread = threading.Thread(target=wait_blocking, args=(notifier, ready))
    thread.start()
    time.sleep(0.5)
    assert len(looks) <= 3
    done.set()
    notifier.notify()
    thread.join(PATIENCE_S)
    assert not thread.is_alive()


@pytest.mark.parametrize("protocol", ["compact", "classic"])
def test_ctrl_c_while_a_call_is_sent_leaves_no_stream_behind(
    protocol: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    io = io_loop()
    post = io.post

    def interrupted(fn: Callable[..., object], *args: Any) -> None:
        post(fn, *args)
        if fn == session._send_or_fail:
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
