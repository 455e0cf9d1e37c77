"""Functions passed to the peer, and where they run when the peer calls them.

In the thread or on the loop that waits for the call they were passed with; if nobody waits, in one
worker thread. Always in a copy of the caller's context, taken at the call, so that what they print
lands in the caller's cell.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import logging
import queue
import threading
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kkjupyter.rpc.callstate import CallState

__all__ = ["Job", "Jobs", "PassedFunctions"]

logger = logging.getLogger("kkjupyter")


class Job:
    """One invocation of a passed function."""

    __slots__ = ("_args", "_context", "_fn")

    def __init__(
        self, fn: Callable[..., Any], context: contextvars.Context, args: Sequence[Any]
    ) -> None:
        self._fn = fn
        self._context = context
        self._args = args

    def start(self) -> Coroutine[Any, Any, Any] | None:
        """Call the function; return the coroutine if it made one. Its errors are logged."""
        try:
            # A context can be entered only once at a time; a copy can always be.
            result = self._context.copy().run(self._fn, *self._args)
        except Exception:  # noqa: BLE001  the user's own, logged
            self.log_failure()
            return None
        return result if inspect.iscoroutine(result) else None

    def log_failure(self) -> None:
        """Report the exception at hand; the protocol has no way to tell the peer."""
        name = getattr(self._fn, "__name__", repr(self._fn))
        self._context.copy().run(logger.exception, "callback %s failed", name)


class Jobs:
    """Invocations that wait to be run, in order."""

    def __init__(self) -> None:
        self._waiting: deque[Job] = deque()

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def add(self, job: Job) -> None:
        """Add the newest invocation. Any thread."""
        self._waiting.append(job)

    def run_one(self) -> None:
        """Run the oldest in this thread; an async function runs on a loop of its own here."""
        job = self._next()
        coro = job.start() if job else None
        if job and coro:
            try:
                asyncio.run(coro)
            except Exception:  # noqa: BLE001  the user's own, logged
                job.log_failure()

    async def run_one_async(self) -> None:
        """Run the oldest on this loop."""
        job = self._next()
        coro = job.start() if job else None
        if job and coro:
            try:
                await coro
            except Exception:  # noqa: BLE001  the user's own, logged
                job.log_failure()

    def hand_to_worker(self) -> None:
        """Have the worker thread run them all. Any thread."""
        job = self._next()
        while job:
            _worker.run(job)
            job = self._next()

    def _next(self) -> Job | None:
        try:
            return self._waiting.popleft()
        except IndexError:
            return None


class _Worker:
    """The one thread for callbacks that nobody waits for; started at first use."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[Job] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._started = False

    def run(self, job: Job) -> None:
        self._queue.put(job)
        with self._lock:
            if not self._started:
                self._started = True
                threading.Thread(target=self._work, name="kkjupyter-callbacks", daemon=True).start()

    def _work(self) -> None:
        while True:
            jobs = Jobs()
            jobs.add(self._queue.get())
            # asyncio.run refuses a thread whose loop runs; this one has none.
            jobs.run_one()


_worker = _Worker()


class PassedFunctions:
    """The functions of one connection that the peer may call. The same function keeps its id."""

    def __init__(self, new_id: Callable[[], str]) -> None:
        self._new_id = new_id
        self._entries: dict[str, tuple[Callable[..., Any], contextvars.Context, CallState]] = {}
        self._ids: dict[int, str] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, fn: Callable[..., Any], state: CallState) -> str:
        """Register ``fn`` for the call it is passed with; return its id. Any thread."""
        with self._lock:
            # The entry holds the function, so id(fn) cannot be re-used while it is here.
            callback_id = self._ids.setdefault(id(fn), self._new_id())
            self._entries[callback_id] = (fn, contextvars.copy_context(), state)
            return callback_id

    def invoke(self, callback_id: str, args: Sequence[Any]) -> bool:
        """The peer calls a function; False when there is none of that id. I/O loop only."""
        entry = self._entries.get(callback_id)
        if entry is None:
            return False
        fn, context, state = entry
        state.callback_arrived(Job(fn, context, args))
        return True
