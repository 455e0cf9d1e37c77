"""A run: one stream that is shown, from its first moment to its saved output.

Items go ``feed -> reply and screens``, on the run's own worker thread. Either the worker takes them
itself, or a ``for`` over ``kk.show(...)`` takes them and passes them on after its body got them.

The end has two moments: the run *is over* (no more items, and waiters go on), and it *is settled*
(its last output was sent). Usually the first waits for the second. If the worker is stuck in a
function of the user's when the run is cancelled, the run is *left*: it is over at once, with what
was drawn so far.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol

from kkjupyter.errors import CallCancelled, CallTimeout, brief_line, error_line
from kkjupyter.notebook.output.screens import DrawnScreen, Screens, present_execution
from kkjupyter.notebook.retention import DEFAULT_LIMITS, Limits, size_bytes
from kkjupyter.notebook.run.driving import DrivenFeed
from kkjupyter.notebook.run.extractors import Picker, as_they_are
from kkjupyter.notebook.run.iterator_feeds import LocalFeed
from kkjupyter.notebook.run.reply import Reply
from kkjupyter.notebook.run.snapshots import snapshot
from kkjupyter.notebook.run.worker import Worker
from kkjupyter.notebook.run_status import RunState, Status
from kkjupyter.runtime.ticker import Job, Timer, ticker
from kkjupyter.runtime.waiting import Notifier, wait_blocking
from kkjupyter.wire.values.javascript import undefined

if TYPE_CHECKING:
    from kkjupyter.notebook.output.screens import Screen
    from kkjupyter.notebook.run.anew import Anew
    from kkjupyter.notebook.run.cell import Cell
    from kkjupyter.notebook.run.feeds import Feed
    from kkjupyter.traces.record import CallRecord

__all__ = ["Run", "RunKeeper"]

_TAKE_INTERVAL_S = 0.005
# A worker that is busy longer than this after a cancel is left; an interrupted cell waits a second.
_LEAVE_AFTER_S = 0.75
# Without a key or button press (a `break`, a time limit), it gets more time to draw the rest.
_PATIENCE_S = 5.0
# A last output that takes longer than this is replaced by plain text; the cell is free by then.
_LAST_OUTPUT_S = 60.0
# How many items a loop may be ahead of its view; beyond it the loop waits.
_BACKLOG_ITEMS = 10_000
_BACKLOG_BYTES = 16 << 20
# How many items are drawn at a time: few at first, more while that is quick.
_FIRST_BATCH_ITEMS = 256
_BATCH_ITEMS = 65_536
_BATCH_BYTES = 1 << 20
_BATCH_S = 0.1
# How often it is looked whether the connection of a loop's call is broken.
_LOOK_S = 0.5

logger = logging.getLogger("kkjupyter")


class RunKeeper(Protocol):
    """Is told of the runs of this process."""

    def add(self, run: Run) -> None:
        """It begins."""

    def finished(self, run: Run) -> None:
        """It is over, and its last output is sent."""


class Run:
    """One shown stream or call.

    Args:
        number: its id: that of the Call, or a fresh one of the same row.
        title: what is shown for it.
        feed: where its items come from.
        keeper: told when it begins and when it is settled.
        cell: the cell it belongs to, or None.
        keep: whether it goes on when that cell is run again.
        limits: the limits of its reply.
        pick: which part of its items is shown.
        take: end after this many items, as ``break`` would.
        for_s: end after this many seconds, as ``break`` would.
        timeout_s: fail if no reply comes within this many seconds.
        shows_value: whether views also show a unary call's value.
    """

    def __init__(
        self,
        number: int,
        title: str,
        feed: Feed,
        keeper: RunKeeper | None = None,
        *,
        cell: Cell | None = None,
        keep: bool = False,
        limits: Limits = DEFAULT_LIMITS,
        pick: Picker = as_they_are,
        take: int | None = None,
        for_s: float | None = None,
        timeout_s: float | None = None,
        shows_value: bool = False,
    ) -> None:
        self.number = number
        self.title = title
        self.feed = feed
        self._keeper = keeper
        self.cell = cell
        self.keep = keep
        moments = feed.moments if isinstance(feed, DrivenFeed) else None
        self.reply = Reply(title, limits, pick, moments)
        self.notes: list[str] = []
        self.record: CallRecord | None = None
        """What is noted of its frames, if that is to be shown."""
        self.anew: Anew[Run] | None = None
        """Makes the same run once more, where that can be."""
        self.notifier = Notifier()
        """Notified when the run is over, when it is settled, and when a loop may go on."""
        self.is_ending = False
        """Whether it was told to end; its last output may still be on its way."""
        self.is_left = False
        """Whether the loop over it was left; it will be told to end."""
        self.is_cancelled = False
        """Whether somebody wanted it to end at once."""
        self.is_over = False
        """Whether nothing more comes."""
        self.is_settled = False
        """Whether the final output was sent."""
        self.outlived_cell = False
        """Whether its cell was over when it ended: it ended in the background."""
        self._take = take
        self._for_s = for_s
        self._timeout_s = timeout_s
        self._shows_value = shows_value
        self._shown_value: list[Any] = []
        self._screens = Screens(title, self._screen_failed)
        self._worker = Worker(f"kkjupyter-{title}"[:40])
        self._timers: list[Timer] = []
        self._lock = threading.RLock()
        self._end_is_claimed = False
        self._is_listening = False
        self._pumped_at_s = 0.0
        self._was_away = False
        self._batch_items = _FIRST_BATCH_ITEMS
        self._verdict: tuple[RunState, BaseException | None] | None = None
        self._looped: deque[tuple[Any, int]] | None = None
        self._loop_is_through = False
        self._loop_rang = False
        # Each is counted by only one thread: the loop's and the worker.
        self._handed_items = self._handed_bytes = 0
        self._drawn_items = self._drawn_bytes = 0
        self._loop_waits = False

    # ---- reading its state; any thread

    @property
    def is_stream(self) -> bool:
        """Whether the reply turned out to be a stream."""
        return self.feed.kind == "stream"

    def status(self) -> Status:
        """Its present status, for views."""
        reply = self.reply
        written = reply.written
        away_since_s = self.feed.away_since_s
        return Status(
            run_id=self.number,
            title=self.title,
            state=reply.status,
            kind=self.feed.kind,
            count=reply.count,
            elapsed_s=reply.elapsed_s,
            first_item_s=reply.first_item_s,
            was_open=reply.was_open,
            left=self.is_left and not self.is_cancelled,
            error="" if reply.error is None else brief_line(reply.error),
            notes=tuple(self.notes),
            written=None if written is None else written.amount,
            unit="characters" if written is None else written.unit,
            model="" if written is None else written.model,
            reconnecting_s=None if away_since_s is None else time.monotonic() - away_since_s,
        )

    @property
    def is_closing(self) -> bool:
        """Whether its end is known, so that only its last output is missing."""
        return self.is_ending or self.is_left or self.is_over or self._loop_is_through

    @property
    def failure(self) -> BaseException | None:
        """The error that it ended with; known before a slow view has ended."""
        feed = self.feed  # first, because it changes once the run is settled
        if self.reply.is_over:
            return self.reply.error
        return self._verdict[1] if self._verdict is not None else feed.error

    def shown_so_far(self) -> tuple[Sequence[Any], int]:
        """What views show of the kept items, and how many items are left out."""
        items = self.reply.items
        try:
            shown = self.reply.shown_again(items)
        except Exception:  # noqa: BLE001 - a `pick` that fails ends the run, and the cell raises it
            shown = items
        return [*shown, *self._shown_value], items.left_out

    # ---- called by the cell's thread

    def start(self) -> None:
        """Have the worker take what comes."""
        if self._keeper is not None:
            self._keeper.add(self)
        self._worker.post(self._pump)
        if self._for_s is not None:
            left_s = self._for_s - self.reply.elapsed_s
            self._after(left_s, self._time_is_up)
            self._after(left_s + _PATIENCE_S, self._time_is_long_up, on_worker=False)
        if self._timeout_s is not None:
            self._after(self._timeout_s - self.reply.elapsed_s, self._no_reply)

    def start_loop(self) -> None:
        """Have a loop take what comes; it calls :meth:`handed_out`, and :meth:`loop_ended`."""
        if self._keeper is not None:
            self._keeper.add(self)
        self._looped = deque()
        self.anew = None  # without the loop's body it would not be the same
        if not isinstance(self.feed, LocalFeed):
            self._worker.post_later(self._look_at_connection, _LOOK_S)

    def has_room(self) -> bool:
        """Whether a loop may take the next item: the view is not too far behind, or the run is
        over.

        The notifier is notified when that becomes true. Only the loop's thread may ask.
        """
        items = self._handed_items - self._drawn_items
        held_bytes = self._handed_bytes - self._drawn_bytes
        if items < _BACKLOG_ITEMS and held_bytes < _BACKLOG_BYTES:
            self._loop_waits = False
            return True
        self._loop_waits = True
        return self.is_ending or self.is_over

    def handed_out(self, item: Any) -> None:
        """The loop passes ``item`` to its body, which may change it, so a snapshot is shown."""
        assert self._looped is not None
        item = snapshot(item)
        item_bytes = len(item) if type(item) in (str, bytes) else size_bytes(item)
        self._handed_items += 1
        self._handed_bytes += item_bytes
        self._looped.append((item, item_bytes))
        if not self._loop_rang:
            self._loop_rang = True
            self._pump_soon()

    def loop_ended(self) -> None:
        """The loop has reached the end."""
        self._loop_is_through = True
        self._worker.post(self._pump)

    def add_screen(self, screen: Screen) -> threading.Event:
        """Show it at one more place, with all items so far.

        Returns:
            An event that is set when all items so far were sent there.
        """
        self.reply.shown_in = present_execution()
        if isinstance(screen, DrawnScreen):
            screen.bind(self)
        attached = threading.Event()

        def attach() -> None:
            try:
                items, _ = self.shown_so_far()
                first = Screens(self.title, self._screen_failed)
                first.add(screen)
                first.feed(items, self._shown_status())
                if self.is_over:
                    first.end(self.status())
                else:
                    self._screens.add(screen)
            finally:
                attached.set()
                self.notifier.notify()

        self._worker.post(attach)
        return attached

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait in plain code for the end; return whether it is there."""
        return wait_blocking(self.notifier, lambda: self.is_over, timeout_s)

    # ---- ending it; any thread

    def press_cancel(self) -> bool:
        """Handle the Cancel button of a view; return whether there was anything to cancel."""
        return self.cancel()

    def cancel(self) -> bool:
        """Cancel the source at once; return whether there was anything to cancel.

        The views end soon after, on the worker; if a function of the user's keeps the worker busy,
        it is left, so that waiters for the end can go on.
        """
        self.is_cancelled = True
        return self._cancel(_LEAVE_AFTER_S)

    def abandon(self) -> None:
        """Say nothing more of it, not even how it ended: the process ends. Any thread; idempotent.

        What its source meets from now on, such as names that are gone, is no error of the user's.
        """
        self._claim_end()

    def let_go(self) -> None:
        """Cancel it because its loop is gone. For finalizers."""
        ticker().post(lambda: self._cancel(_PATIENCE_S))

    def post_later(self, job: Job, delay_s: float) -> Timer:
        """Call ``job()`` on the worker, unless the run is settled before."""
        return self._worker.post_later(job, delay_s)

    def reviver(self) -> Callable[[Reply], Run]:
        """A function that makes a run from its Reply, to show it again after this one was
        collected.
        """
        number, title, kind, notes = self.number, self.title, self.feed.kind, list(self.notes)

        def revive(reply: Reply) -> Run:
            run = Run(number, title, _OverFeed(kind))
            run.reply = reply
            run.notes = notes
            run.is_ending = run.is_over = run.is_settled = run._end_is_claimed = True
            run._worker.close()
            return run

        return revive

    def _cancel(self, leave_after_s: float) -> bool:
        if self.is_over:
            return False
        # Even if it is already ending: its last output may be what takes so long.
        self._after(leave_after_s, self._leave, on_worker=False)
        if self.is_ending:
            return False
        self.is_ending = True
        self.feed.cancel()
        self._worker.post(self._pump)
        self.notifier.notify()  # a loop may wait for its view
        return True

    def _after(self, delay_s: float, job: Job, *, on_worker: bool = True) -> None:
        post = self._worker.post_later if on_worker else ticker().post
        timer = post(job, delay_s)
        with self._lock:
            if not self.is_settled:
                self._timers.append(timer)
                return
        timer.cancel()

    # ---- the worker

    def _on_ready(self) -> None:
        self._is_listening = False
        self._pump_soon()

    def _pump_soon(self) -> None:
        # The first wake-up is handled at once, the others at intervals: a source that delivers
        # single items would otherwise wake this thread for each.
        wait_s = self._pumped_at_s + _TAKE_INTERVAL_S - time.monotonic()
        if wait_s > 0:
            self._worker.post_later(self._pump, wait_s)
        else:
            self._worker.post(self._pump)

    def _pump(self) -> None:
        if self._end_is_claimed:
            return
        self._pumped_at_s = time.monotonic()
        try:
            # In this order: if it is finished now, it was finished before the last take.
            finished = self._is_finished()
            items, batch_bytes = self._next_items()
            self._deliver(items)
            self._has_drawn(len(items), batch_bytes)
            if self._end_is_claimed:
                return  # it was left in the meantime
            if self._has_more():
                self._worker.post(self._pump)
            elif finished or self._verdict is not None:
                self._finish()
            elif self._looped is None and self._is_finished():
                self._pump()
            elif self._looped is None and not self._is_listening:
                self._is_listening = True
                self.feed.on_ready(self._on_ready)
        except Exception as error:
            # A bug of ours must not leave the cell waiting.
            logger.exception("%s: showing it failed", self.title)
            self.feed.cancel()
            self._end("failed", error)

    def _is_finished(self) -> bool:
        if not self.feed.finished:
            return False
        return self._looped is None or self._loop_is_through or self.is_ending

    def _next_items(self) -> tuple[list[Any], int]:
        if self._looped is None:
            return self.feed.take(self._batch_items), 0
        self._loop_rang = False
        items: list[Any] = []
        batch_bytes = 0
        while self._looped and len(items) < self._batch_items and batch_bytes < _BATCH_BYTES:
            item, item_bytes = self._looped.popleft()
            items.append(item)
            batch_bytes += item_bytes
        return items, batch_bytes

    def _has_drawn(self, items: int, batch_bytes: int) -> None:
        """Let a waiting loop go on, and adapt how much is drawn at a time."""
        self._drawn_items += items
        self._drawn_bytes += batch_bytes
        if self._loop_waits:
            self.notifier.notify()
        took_s = time.monotonic() - self._pumped_at_s
        if items and took_s > _BATCH_S:
            self._batch_items = max(1, int(items * _BATCH_S / took_s))
        elif items >= self._batch_items:
            self._batch_items = min(_BATCH_ITEMS, self._batch_items * 4)

    def _look_at_connection(self) -> None:
        """Show that it is broken, or is there again: a loop that waits passes nothing on."""
        if (self.feed.away_since_s is not None) != self._was_away:
            self._pump()
        if not self._end_is_claimed:
            self._worker.post_later(self._look_at_connection, _LOOK_S)

    def _has_more(self) -> bool:
        """Whether a loop has passed on more items than were drawn."""
        return self._verdict is None and bool(self._looped)

    def _deliver(self, items: list[Any]) -> None:
        before = self.reply.status
        if self._take is not None and len(items) >= self._take - self.reply.count:
            items = items[: self._take - self.reply.count]
            if self._verdict is None:
                self._stop_early(f"ended by --take {self._take}")
        self.reply.extend(items)
        if self.is_stream and self.reply.status == "waiting":
            self.reply.status = "streaming"
        if self.is_ending and self._verdict is None:
            self.reply.status = "cancelling"
        is_away = self.feed.away_since_s is not None
        if items or self.reply.status != before or is_away != self._was_away:
            shown = self._shown(items)
            if not self._end_is_claimed:
                self._screens.feed(shown, self._shown_status())

    def _shown_status(self) -> Status:
        """Its status, which all screens are about to show."""
        status = self.status()
        self._was_away = status.reconnecting_s is not None
        return status

    def _shown(self, items: list[Any]) -> Sequence[Any]:
        try:
            return self.reply.shown(items)
        except BaseException as error:  # noqa: BLE001 - the user's function; the cell raises it
            self._verdict = ("failed", error)
            self.feed.cancel()
            return []

    def _stop_early(self, note: str) -> None:
        self.notes.append(note)
        self._verdict = ("done", None)
        self.is_ending = True
        self.feed.cancel()

    def _time_is_up(self) -> None:
        if not self.is_over and not self.is_ending:
            self._deliver(self.feed.take())
            if self._verdict is None:  # the last items may have caused another end
                self._stop_early(f"ended by --for {self._for_s:g}")
            self._pump()

    def _time_is_long_up(self) -> None:
        """End it from here: the worker is stuck and did not notice the time limit."""
        if not self.is_over and not self.is_ending:
            self._stop_early(f"ended by --for {self._for_s:g}")
            self._leave()

    def _no_reply(self) -> None:
        if not self.is_over and not self.is_ending and self.reply.status == "waiting":
            assert self._timeout_s is not None
            self._verdict = ("failed", CallTimeout(self.title, self._timeout_s))
            self.is_ending = True
            self.feed.cancel()
            self._pump()

    def view_failed(self, line: str, error: BaseException) -> None:
        """A view raised ``error``; ``line`` says so to the user."""
        self.notes.append(line)
        if self.reply.view_error is None:
            self.reply.view_error = error

    def _screen_failed(self, error: BaseException) -> None:
        self.view_failed(f"a view failed: {error_line(error)}", error)

    # ---- its end

    def _finish(self) -> None:
        """The source is over."""
        if self._verdict is not None:
            self._end(*self._verdict)
            return
        error = self.feed.error
        if error is None:
            self._end("done", None)
        elif isinstance(error, CallCancelled):
            self._end("cancelled", error)
        else:
            self._end("failed", error)

    def _end(self, state: RunState, error: BaseException | None) -> None:
        if not self._claim_end():
            return
        value = self.feed.value if state == "done" else None
        value = None if value is undefined else value
        if self._shows_value and self.feed.kind == "unary" and value is not None:
            self._shown_value = [value]
            self._screens.feed(self._shown_value, self.status())
        self._say_end(state, value, error)
        self._screens.end(self.status())
        # Only now: whoever waits for the end may rely on the final output.
        self._settle()

    def _claim_end(self) -> bool:
        """Whether the caller may end it; true for only one caller."""
        with self._lock:
            claimed, self._end_is_claimed = self._end_is_claimed, True
        self.is_ending = True
        return not claimed

    def _say_end(self, state: RunState, value: Any, error: BaseException | None) -> None:
        if not self.reply.is_over:
            self.outlived_cell = self.cell is None or self.cell.over.is_set()
            self.reply.end(state, value=value, error=error)

    def _settle(self) -> None:
        """Mark it as settled, and drop everything that is no longer needed."""
        with self._lock:
            if self.is_settled:
                return
            self.is_over = self.is_settled = True
            timers, self._timers = self._timers, []
        for timer in timers:
            timer.cancel()
        if self._keeper is not None:
            self._keeper.finished(self)
        self.feed = _OverFeed(self.feed.kind)
        self.notifier.notify()
        self._worker.close()

    def _leave(self) -> None:
        """Release the waiters: the worker has not reached the end in time.

        On the ticker's thread. If the worker is making the last output, it will still come; if a
        function of the user's keeps it busy, the last output is what was drawn so far.
        """
        if self.is_over:
            return
        if not self._claim_end():
            if not self.reply.is_over:  # stuck in showing a value
                self._say_end("cancelled", None, CallCancelled(self.title, self.reply.count))
            self._after(_LAST_OUTPUT_S, self._draw_what_is_there, on_worker=False)
        else:
            self.notes.append(
                "its view was still busy when it ended: it shows what was drawn by then"
            )
            if self._looped is not None:
                self.reply.extend([item for item, _ in self._looped])
            state, error = self._verdict or ("cancelled", self.feed.error)
            if error is None and state == "cancelled":
                error = CallCancelled(self.title, self.reply.count)
            elif self._verdict is None and not isinstance(error, CallCancelled):
                state = "failed"
            self._say_end(state, None, error)
            self._draw_what_is_there()
        self.is_over = True
        self.notifier.notify()

    def _draw_what_is_there(self) -> None:
        self._worker.close(leave=True)

        def draw() -> None:
            self._screens.leave(self.status())
            self._settle()

        self._worker.post(draw)


class _OverFeed:
    """The empty source of a run that is over."""

    finished = True
    error: BaseException | None = None
    value: Any = None
    away_since_s: float | None = None

    def __init__(self, kind: Literal["unary", "stream"] | None) -> None:
        self.kind = kind

    def take(self, limit: int = 0) -> list[Any]:
        """Nothing."""
        return []

    def on_ready(self, callback: Callable[[], object]) -> None:
        """Do nothing: there is nothing to wait for."""
        callback()

    def cancel(self) -> None:
        """Do nothing: there is nothing to cancel."""
