"""Handing over to an event loop: once woken, in order, nothing lost."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from typing import Any

import pytest
from support.waiting import PATIENCE_S

from kkjupyter.runtime.loop_threads import inbox_of
from kkjupyter.runtime.waiting import Notifier, wait_async


class CountingLoop(asyncio.SelectorEventLoop):
    """Counts how often it is woken from elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.woken = 0

    def call_soon_threadsafe(self, *args: Any, **options: Any) -> asyncio.Handle:
        self.woken += 1
        return super().call_soon_threadsafe(*args, **options)


def test_those_who_wait_on_one_loop_are_woken_together() -> None:
    notifiers = [Notifier() for _ in range(64)]
    notified = threading.Event()

    async def main() -> int:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, CountingLoop)
        waits = [
            asyncio.create_task(wait_async(notifier, notified.is_set)) for notifier in notifiers
        ]
        await asyncio.sleep(0)
        before = loop.woken

        def notify() -> None:
            notified.set()
            for notifier in notifiers:
                notifier.notify()

        # The loop stands still until all are notified, as it does where replies come together.
        thread = threading.Thread(target=notify)
        thread.start()
        thread.join(PATIENCE_S)
        assert await asyncio.gather(*waits) == [True] * len(notifiers)
        return loop.woken - before

    with asyncio.Runner(loop_factory=CountingLoop) as runner:
        assert runner.run(main()) == 1


def test_an_interrupt_while_it_empties_loses_nothing() -> None:
    done: list[int] = []

    def interrupted() -> None:
        raise KeyboardInterrupt

    async def post() -> None:
        inbox = inbox_of(asyncio.get_running_loop())
        inbox.post(done.append, 1)
        inbox.post(interrupted)
        inbox.post(done.append, 2)
        await asyncio.sleep(PATIENCE_S)

    loop = asyncio.new_event_loop()
    task = loop.create_task(post())
    with pytest.raises(KeyboardInterrupt):
        loop.run_until_complete(task)
    assert done == [1]
    loop.run_until_complete(asyncio.sleep(0))
    assert done == [1, 2]
    task.cancel()
    loop.run_until_complete(asyncio.wait([task]))
    loop.close()


def test_what_fails_is_logged_and_the_next_is_done(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        done = asyncio.Event()
        inbox = inbox_of(asyncio.get_running_loop())
        inbox.post(lambda: 1 / 0)
        inbox.post(done.set)
        await asyncio.wait_for(done.wait(), PATIENCE_S)

    asyncio.run(main())
    assert "a callback for an event loop failed" in caplog.text


def test_a_closed_loop_is_not_kept_and_may_be_posted_to() -> None:
    async def main() -> Any:
        return inbox_of(asyncio.get_running_loop())

    loop = asyncio.new_event_loop()
    inbox = loop.run_until_complete(main())
    loop.close()
    inbox.post(lambda: None)
    gone = weakref.ref(loop)
    del loop
    gc.collect()
    assert gone() is None


# ---- a coroutine that waits


async def waiting(
    notifier: Notifier, *, timeout_s: float | None = None
) -> tuple[asyncio.Task[bool], Any]:
    seen: list[bool] = []
    task = asyncio.create_task(wait_async(notifier, lambda: bool(seen), timeout_s))
    await asyncio.sleep(0)
    return task, seen


def test_one_that_is_cancelled_ends_at_once_and_is_not_rung_again() -> None:
    async def main() -> None:
        notifier = Notifier()
        task, _ = await waiting(notifier)
        task.cancel("enough")
        with pytest.raises(asyncio.CancelledError, match="enough"):
            await task
        notifier.notify()  # nobody is left
        await asyncio.sleep(0)

    asyncio.run(main())


def test_a_ring_and_a_cancel_at_the_same_time_cancel() -> None:
    async def main() -> None:
        for notifies_first in (True, False):
            notifier = Notifier()
            task, seen = await waiting(notifier)
            seen.append(True)
            for act in (
                (notifier.notify, task.cancel) if notifies_first else (task.cancel, notifier.notify)
            ):
                act()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(main())


def test_a_ring_after_the_time_was_up_wakes_nobody() -> None:
    async def main() -> None:
        notifier = Notifier()
        task, _ = await waiting(notifier, timeout_s=0.01)
        assert not await task
        notifier.notify()
        await asyncio.sleep(0.01)

    asyncio.run(main())


def test_its_own_context_is_back_when_it_goes_on() -> None:
    import contextvars

    name: contextvars.ContextVar[str] = contextvars.ContextVar("name", default="nobody")

    async def main() -> None:
        notifier, done = Notifier(), threading.Event()

        async def wait(who: str) -> str:
            name.set(who)
            await wait_async(notifier, done.is_set)
            return name.get()

        tasks = [asyncio.create_task(wait(who)) for who in ("one", "two")]
        await asyncio.sleep(0)
        done.set()
        threading.Thread(target=notifier.notify).start()
        assert await asyncio.gather(*tasks) == ["one", "two"]
        assert name.get() == "nobody"

    asyncio.run(main())


def test_what_came_too_late_for_a_loop_does_not_keep_it() -> None:
    def closed_loop() -> weakref.ref[asyncio.AbstractEventLoop]:
        loop = asyncio.new_event_loop()
        inbox = inbox_of(loop)
        loop.close()
        inbox.post(loop.get_debug)
        return weakref.ref(loop)

    gone = closed_loop()
    other = asyncio.new_event_loop()
    inbox_of(other)
    other.close()
    gc.collect()
    assert gone() is None
