"""A run: one stream that is shown, from its first moment to its saved output.

Items go ``feed -> reply and screens``, on the view thread. Either the view thread takes them
itself, or a ``for`` over ``kk.show(...)`` takes them and hands on what it has given to its body.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from kkjupyter.errors import CallCancelled, CallTimeout
from kkjupyter.notebook.picking import Picker, as_they_are
from kkjupyter.notebook.registry import registry
from kkjupyter.notebook.reply import Reply, error_line
from kkjupyter.notebook.retention import DEFAULT_LIMITS, Limits
from kkjupyter.notebook.screens import Screens, present_execution
from kkjupyter.notebook.status import RunState, Status
from kkjupyter.notebook.ticker import ticker
from kkjupyter.rpc.waiting import Bell, wait_blocking
from kkjupyter.wire.values import undefined

if TYPE_CHECKING:
    from kkjupyter.notebook.cells import Cell
    from kkjupyter.notebook.feeds import Feed
    from kkjupyter.notebook.screens import Screen
    from kkjupyter.rpc.trace_record import CallRecord

__all__ = ["Run"]

_TAKE_INTERVAL_S = 0.005

logger = logging.getLogger("kkjupyter")


class Run:
    """One shown stream or call.

    Args:
        number: its id: that of the Call, or a fresh one of the same row.
        title: what is shown for it.
        feed: where its items come from.
        cell: the cell it belongs to, or None.
        keep: running that cell again does not cancel it.
        limits: what its reply keeps.
        pick: what of its items is shown.
        take: end, as ``break`` would, after so many items.
        for_s: end, likewise, after so many seconds.
        timeout_s: fail when there is no reply after so many seconds.
        shows_value: a unary call's value is shown in the views, too.
    """

    def __init__(
        self,
        number: int,
        title: str,
        feed: Feed,
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
        self.cell = cell
        self.keep = keep
        self.reply = Reply(title, limits, pick)
        self.notes: list[str] = []
        self.record: CallRecord | None = None
        """What is noted of its frames, if that is to be shown."""
        self.bell = Bell()
        """Rung when the run is over."""
        self.is_ending = False
        """Whether it was told to end; its last output may still be on its way."""
        self.is_left = False
        """Whether the loop over it was left; it will be told to end."""
        self.is_over = False
        """Whether nothing more comes and the final output was sent."""
        self._take = take
        self._for_s = for_s
        self._timeout_s = timeout_s
        self._shows_value = shows_value
        self._screens = Screens(title)
        self._is_listening = False
        self._pumped_at_s = 0.0
        self._verdict: tuple[RunState, BaseException | None] | None = None
        self._looped: deque[Any] | None = None
        self._loop_is_through = False
        self._loop_rang = False

    # ---- looking; any thread

    @property
    def is_stream(self) -> bool:
        """Whether the reply turned out to be a stream."""
        return self.feed.kind == "stream"

    def status(self) -> Status:
        """What a view shows of it now."""
        reply = self.reply
        return Status(
            run_id=self.number,
            title=self.title,
            state=reply.status,
            kind=self.feed.kind,
            count=reply.count,
            elapsed_s=reply.elapsed_s,
            first_item_s=reply.first_item_s,
            error="" if reply.error is None else error_line(reply.error),
            notes=tuple(self.notes),
        )

    # ---- what the cell's thread does

    def start(self) -> None:
        """Have the view thread take what comes."""
        registry.add(self)
        ticker().post(self._pump)
        if self._for_s is not None:
            ticker().post(self._time_is_up, self._for_s - self.reply.elapsed_s)
        if self._timeout_s is not None:
            ticker().post(self._no_reply, self._timeout_s - self.reply.elapsed_s)

    def start_loop(self) -> None:
        """Have a loop take what comes; it calls :meth:`handed_out`, and :meth:`loop_ended`."""
        registry.add(self)
        self._looped = deque()

    def handed_out(self, item: Any) -> None:
        """The loop gives ``item`` to its body."""
        assert self._looped is not None
        self._looped.append(item)
        if not self._loop_rang:
            self._loop_rang = True
            self._pump_soon()

    def loop_ended(self) -> None:
        """The loop has seen the end."""
        self._loop_is_through = True
        ticker().post(self._pump)

    def add_screen(self, screen: Screen) -> threading.Event:
        """Show it at a further place, with all that came so far.

        Returns:
            An event that is set when all that came so far was sent there.
        """
        self.reply.shown_in = present_execution()
        attached = threading.Event()

        def attach() -> None:
            try:
                screen.feed(self.reply.shown(self.reply.items), self.status())
                if self.is_over:
                    screen.end(self.status())
                else:
                    self._screens.add(screen)
            finally:
                attached.set()

        ticker().post(attach)
        return attached

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait in plain code for the end; return whether it is there."""
        return wait_blocking(self.bell, lambda: self.is_over, timeout_s)

    # ---- ending it; any thread

    def press_cancel(self) -> bool:
        """What the Cancel button of a view does; return whether there was anything to cancel."""
        return self.cancel()

    def cancel(self) -> bool:
        """Cancel the source at once; return whether there was anything to cancel.

        The views end on the view thread, soon after.
        """
        if self.is_over or self.is_ending:
            return False
        self.is_ending = True
        self.feed.cancel()
        ticker().post(self._pump)
        return True

    def let_go(self) -> None:
        """The loop over it is gone: as :meth:`cancel`, for finalizers."""
        ticker().post(self.cancel)

    # ---- the view thread

    def _on_ready(self) -> None:
        self._is_listening = False
        self._pump_soon()

    def _pump_soon(self) -> None:
        # The first wake-up is served at once, the others not faster than is worth while: a source
        # that delivers item by item would otherwise wake this thread for each.
        since_s = time.monotonic() - self._pumped_at_s
        ticker().post(self._pump, max(0.0, _TAKE_INTERVAL_S - since_s))

    def _pump(self) -> None:
        if self.is_over:
            return
        self._pumped_at_s = time.monotonic()
        try:
            # In this order: what is finished was finished before the last take.
            finished = self._is_finished()
            self._deliver(self._next_items())
            if finished or self._verdict is not None:
                self._finish()
            elif self._looped is None and self._is_finished():
                self._pump()
            elif self._looped is None and not self._is_listening:
                self._is_listening = True
                self.feed.on_ready(self._on_ready)
        except Exception as error:
            # A fault of ours must not leave the cell waiting.
            logger.exception("%s: showing it failed", self.title)
            self.feed.cancel()
            self._end("failed", error)

    def _is_finished(self) -> bool:
        if not self.feed.finished:
            return False
        return self._looped is None or self._loop_is_through or self.is_ending

    def _next_items(self) -> list[Any]:
        if self._looped is None:
            return self.feed.take()
        self._loop_rang = False
        items: list[Any] = []
        while self._looped:
            items.append(self._looped.popleft())
        return items

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
        if items or self.reply.status != before:
            self._screens.feed(self._shown(items), self.status())

    def _shown(self, items: list[Any]) -> Sequence[Any]:
        try:
            return self.reply.shown(items)
        except Exception as error:  # noqa: BLE001 - the user's function; the cell raises it
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
            self._deliver(self._next_items())
            if self._verdict is None:  # the last items may have brought another end
                self._stop_early(f"ended by --for {self._for_s:g}")
            self._pump()

    def _no_reply(self) -> None:
        if not self.is_over and not self.is_ending and self.reply.status == "waiting":
            assert self._timeout_s is not None
            self._verdict = ("failed", CallTimeout(self.title, self._timeout_s))
            self.is_ending = True
            self.feed.cancel()
            self._pump()

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
        self.is_ending = True
        value = self.feed.value if state == "done" else None
        value = None if value is undefined else value
        if self._shows_value and self.feed.kind == "unary" and value is not None:
            self._screens.feed([value], self.status())
        self.reply.end(state, value=value, error=error)
        self._screens.end(self.status())
        # Only now: whoever waits for the end may rely on the final output.
        self.is_over = True
        registry.finished(self)
        self.bell.ring()
