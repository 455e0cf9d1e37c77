"""Where passed functions run when the peer calls them.

In the thread or on the loop that waits for the call they were passed with; if nobody waits, in a
worker thread. Always in a copy of the caller's context, taken at the call, so that what they print
lands in the caller's cell. Those of one call run one at a time, in the order the peer called them,
and all that came before the reply have run before the reply is handed over. Those of other calls
do not wait for them.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import inspect
import threading
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final

from kkjupyter.calls.buffer import HARD_LIMIT_BYTES, SOFT_LIMIT_BYTES, SOFT_LIMIT_ITEMS
from kkjupyter.runtime.logs import SafeLogger
from kkjupyter.runtime.waiting import Notifier, wait_blocking
from kkjupyter.runtime.worker_threads import Lane, WorkerPool

__all__ = ["CALLBACK_LIMITS", "CALLBACK_THREADS", "Job", "Jobs"]

CALLBACK_THREADS = 64
"""How many calls of one connection may have their callbacks run in threads at the same time."""
CALLBACK_LIMITS: Final = {"limit_items": 64 * SOFT_LIMIT_ITEMS, "limit_bytes": HARD_LIMIT_BYTES}
"""How many calls of the functions of one call wait at most; those of a busy function, mostly."""

logger = SafeLogger("kkjupyter")
_threads = WorkerPool("kkjupyter-callbacks", None)

# The calls whose callbacks the code at hand runs in: a callback may wait for its own call.
_inside: contextvars.ContextVar[tuple[Jobs, ...]] = contextvars.ContextVar(
    "kkjupyter_inside", default=()
)


class Job:
    """One invocation of a passed function.

    Args:
        fn: what is called.
        context: the caller's.
        args: with what.
        size_bytes: of the message that has brought them.
    """

    __slots__ = ("_args", "_context", "_fn", "_jobs", "size_bytes")

    def __init__(
        self,
        fn: Callable[..., Any],
        context: contextvars.Context,
        args: Sequence[Any],
        size_bytes: int = 0,
    ) -> None:
        self._fn = fn
        self._context = context
        self._args = args
        self._jobs: Jobs | None = None
        self.size_bytes = size_bytes

    def enter(self, jobs: Jobs) -> None:
        """Note which call it belongs to."""
        self._jobs = jobs

    def _call(self) -> Any:
        # A context can be entered only once at a time; a copy can always be. It is made only now:
        # many may wait.
        self._context = self._context.copy()
        if self._jobs is not None:
            self._context.run(_inside.set, (*self._context.get(_inside, ()), self._jobs))
        return self._context.run(self._fn, *self._args)

    def run(self) -> None:
        """Run it in this thread; its errors are logged.

        KeyboardInterrupt and SystemExit are not caught: they are for the code that waits here.
        """
        try:
            result = self._call()
            if inspect.iscoroutine(result):
                self._run_coroutine(result)
        except Exception:  # noqa: BLE001  logged: the protocol has no way to tell the peer
            self._log_failure()

    def run_unwaited(self) -> None:
        """As :meth:`run`, where no code waits: KeyboardInterrupt and SystemExit are logged, too."""
        try:
            self.run()
        except BaseException as exc:  # noqa: BLE001  logged
            text = f"{type(exc).__name__}: {exc}".rstrip(": ")
            self._context.run(logger.error, "callback %s raised %s", self._name, text)

    async def run_async(self) -> None:
        """Run it on this loop; its errors are logged."""
        try:
            result = self._call()
            if inspect.iscoroutine(result):
                loop = asyncio.get_running_loop()
                await self._run_task(loop.create_task(result, context=self._context))
        except Exception:  # noqa: BLE001  logged: the protocol has no way to tell the peer
            self._log_failure()

    async def _run_task(self, task: asyncio.Task[Any]) -> None:
        try:
            await task
        except asyncio.CancelledError:
            waiter = asyncio.current_task()
            if not task.cancelled() or (waiter is not None and waiter.cancelling()):
                raise
            # It cancelled itself: the code that waits for the call was not told.
            self._log_failure()

    def _run_coroutine(self, coro: Coroutine[Any, Any, Any]) -> None:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            self._context.run(asyncio.run, coro)
            return
        # A plain wait in a cell: its thread has a loop already, and that loop is blocked.
        done: concurrent.futures.Future[None] = concurrent.futures.Future()
        notifier = Notifier()
        done.add_done_callback(lambda _: notifier.notify())
        threading.Thread(target=self._run_for, args=(coro, done), daemon=True).start()
        wait_blocking(notifier, done.done)
        done.result()

    def _run_for(
        self, coro: Coroutine[Any, Any, Any], done: concurrent.futures.Future[None]
    ) -> None:
        try:
            self._context.run(asyncio.run, coro)
        except BaseException as exc:  # noqa: BLE001  handed over
            done.set_exception(exc)
        else:
            done.set_result(None)

    @property
    def _name(self) -> str:
        return getattr(self._fn, "__name__", None) or repr(self._fn)

    def _log_failure(self) -> None:
        self._context.run(logger.exception, "callback %s failed", self._name)


class Jobs:
    """The invocations that belong to one call: in order, one at a time.

    Args:
        notifier: notified whenever one is done, for those who wait to run the next.

    Attributes:
        ended_locally: whether this side ended the call; what the peer still calls back is dropped.
        lane: of the threads for callbacks, whose these are.
        when_low: called once, in any thread, when so many have run that more may come.
    """

    def __init__(self, notifier: Notifier) -> None:
        self.ended_locally = False
        self.lane: Lane | None = None
        self.when_low: Callable[[], object] | None = None
        self._notifier = notifier
        self._waiting: deque[Job] = deque()
        self._held_bytes = 0
        self._running = 0
        self._is_handed_over = False
        self._lock = threading.RLock()

    @property
    def can_run(self) -> bool:
        """Whether one waits that may be run now and here."""
        return bool(self._waiting) and self._is_free

    @property
    def idle(self) -> bool:
        """Whether none waits and none runs."""
        return not self._waiting and self._is_free

    @property
    def is_over_soft(self) -> bool:
        """Whether so many wait that the peer should be slowed down."""
        return self._held_bytes > SOFT_LIMIT_BYTES or len(self._waiting) > SOFT_LIMIT_ITEMS

    @property
    def is_crowded(self) -> bool:
        """Whether so many wait that the peer is slowed down, until few are left."""
        return self.when_low is not None

    def is_over(self, limit_items: int, limit_bytes: int) -> bool:
        """Whether more wait than can be kept."""
        return self._held_bytes > limit_bytes or len(self._waiting) > limit_items

    @property
    def below_low_mark(self) -> bool:
        """Whether so many have run that the peer may go on."""
        return (
            self._held_bytes <= SOFT_LIMIT_BYTES // 2
            and len(self._waiting) <= SOFT_LIMIT_ITEMS // 2
        )

    @property
    def has_room(self) -> bool:
        """Whether it is far from the hard limit."""
        return (
            self._held_bytes < HARD_LIMIT_BYTES // 2
            and len(self._waiting) < CALLBACK_LIMITS["limit_items"] // 2
        )

    @property
    def _is_free(self) -> bool:
        return not self._running or self in _inside.get()

    def add(self, job: Job) -> None:
        """Add the newest. Any thread."""
        job.enter(self)
        with self._lock:
            self._waiting.append(job)
            self._held_bytes += job.size_bytes

    def drop(self) -> None:
        """Forget those that have not begun. Any thread."""
        with self._lock:
            self._waiting.clear()
            self._held_bytes = 0
        self._tell_when_low()

    def run_one(self) -> None:
        """Run the oldest in this thread, if one can run."""
        job = self._begin()
        if job:
            try:
                job.run()
            finally:
                self._finish()

    async def run_one_async(self) -> None:
        """Run the oldest on this loop, if one can run."""
        job = self._begin()
        if job:
            try:
                await job.run_async()
            finally:
                self._finish()

    def hand_to_worker(self, is_waited_for: Callable[[], bool]) -> None:
        """Have a worker thread run them until somebody waits. Any thread.

        Args:
            is_waited_for: whether somebody waits for the call, and runs them there.
        """
        with self._lock:
            if self._is_handed_over or not self._waiting:
                return
            self._is_handed_over = True
        _threads.submit(lambda: self._run_unwaited(is_waited_for), self.lane)

    def _run_unwaited(self, is_waited_for: Callable[[], bool]) -> None:
        while self.can_run and not is_waited_for():
            job = self._begin()
            if job:
                try:
                    job.run_unwaited()
                finally:
                    self._finish()
            del job  # else its arguments would be held until the next one comes
        with self._lock:
            self._is_handed_over = False
        # One may have come in between, and found that a worker is at it.
        if self.can_run and not is_waited_for():
            self.hand_to_worker(is_waited_for)

    def _begin(self) -> Job | None:
        with self._lock:
            if not self.can_run:
                return None
            self._running += 1
            job = self._waiting.popleft()
            self._held_bytes -= job.size_bytes
            return job

    def _finish(self) -> None:
        with self._lock:
            self._running -= 1
        self._notifier.notify()
        self._tell_when_low()

    def _tell_when_low(self) -> None:
        if self.when_low is not None and self.below_low_mark:
            tell, self.when_low = self.when_low, None
            if tell is not None:
                tell()
