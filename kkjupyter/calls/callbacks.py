"""Functions passed to the peer: which one an id means, and the call it was passed with."""

from __future__ import annotations

import contextvars
import threading
import types
import typing
import weakref
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any

from kkjupyter.calls.callback_jobs import CALLBACK_THREADS, Job, Jobs
from kkjupyter.errors import CallError, KKError
from kkjupyter.runtime.logs import SafeLogger
from kkjupyter.runtime.worker_threads import Lane
from kkjupyter.wire.kkrpc.base import Protocol

__all__ = ["CallWithFunctions", "CallbackRegistry"]

logger = SafeLogger("kkjupyter")

# When there are more functions, the oldest whose call is over are forgotten, down to half of it.
_KEPT_FUNCTIONS = 2048
# And of those that were called after that, as subscriptions are, the ones called longest ago.
_KEPT_SUBSCRIPTIONS = 4096


class CallWithFunctions(typing.Protocol):
    """The call that functions were passed with, as far as these ask for it."""

    jobs: Jobs

    @property
    def over(self) -> bool:
        """Whether it has ended."""

    def callback_arrived(self, job: Job) -> None:
        """The peer has called one of its functions. I/O loop only."""

    def break_off(self, error: KKError) -> None:
        """It fails: more calls of its functions wait than can be kept, or one was lost."""


class _Entry:
    __slots__ = ("context", "fn", "given_up", "jobs", "lane", "state")

    def __init__(self, fn: Callable[..., Any], state: CallWithFunctions, lane: Lane) -> None:
        self.fn = fn
        self.lane = lane
        self.given_up = False
        self.bind(state)

    def bind(self, state: CallWithFunctions) -> None:
        self.context = contextvars.copy_context()
        # Weak: a function the peer keeps must not keep the call's reply.
        self.state = weakref.ref(state)
        # Not only the state's: what is called after the call is over keeps its order.
        self.jobs = state.jobs
        self.jobs.lane = self.lane

    @property
    def is_over(self) -> bool:
        """Whether the call it was passed with is over."""
        state = self.state()
        return state is None or state.over

    @property
    def is_free(self) -> bool:
        """Whether it can be passed with another call: what was called back for this one has run."""
        return self.is_over and self.jobs.idle


class CallbackRegistry:
    """The functions of one connection that the peer may call.

    Where the peer can say that one is no longer needed, each call gets ids of its own: a release
    that crosses the next call on the wire cannot take that one's function away. Elsewhere they
    stay, and a function keeps its id; only while a call it was passed with is under way does
    another call get one of its own. Of those that stay and were not called since their call was
    over, the oldest are forgotten when they become too many. A subscription that was called stays,
    unless thousands were called since.
    """

    def __init__(self) -> None:
        self._entries: dict[str, _Entry] = {}
        self._ids: dict[Hashable, list[str]] = {}
        self._lock = threading.RLock()
        self._lane = Lane(CALLBACK_THREADS)
        self._late: dict[str, None] = {}  # the one called last at the end
        self._tidy_at = _KEPT_FUNCTIONS

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def called_late(self) -> bool:
        """Whether one was called after its call was over, as a subscription does."""
        return bool(self._late)

    @property
    def must_be_read(self) -> bool:
        """Whether a subscription waits for more. I/O loop only."""
        return any(not self._entries[one].jobs.is_crowded for one in self._late)

    def add(self, fn: Callable[..., Any], state: CallWithFunctions, protocol: Protocol) -> str:
        """Register ``fn`` for the call it is passed with; return its id. Any thread."""
        with self._lock:
            ids = self._ids.setdefault(_identity(fn), [])
            for callback_id in () if protocol.has_credit else ids:
                entry = self._entries[callback_id]
                if entry.is_free:
                    entry.bind(state)
                    return callback_id
            callback_id = protocol.new_id()
            # The entry holds the function, so its identity cannot be re-used while it is here.
            self._entries[callback_id] = _Entry(fn, state, self._lane)
            ids.append(callback_id)
            if len(self._entries) > self._tidy_at:
                self._tidy()
            return callback_id

    def _tidy(self) -> None:
        idle = [
            callback_id
            for callback_id, entry in self._entries.items()
            if callback_id not in self._late and entry.is_free
        ]
        late = [callback_id for callback_id in self._late if self._entries[callback_id].is_free]
        too_many = late[: max(0, len(late) - _KEPT_SUBSCRIPTIONS)]
        for callback_id in idle[: max(0, len(idle) - _KEPT_FUNCTIONS // 2)] + too_many:
            self._drop(callback_id)
        # Not at each further one, however many are in use.
        self._tidy_at = len(self._entries) + _KEPT_FUNCTIONS // 2

    def release(self, callback_ids: Iterable[str]) -> None:
        """The peer holds these no longer; unknown ids do no harm. Any thread."""
        with self._lock:
            for callback_id in callback_ids:
                self._drop(callback_id)

    def never_sent(self, callback_ids: Iterable[str], protocol: Protocol) -> None:
        """The call that these were added for does not go out. Any thread."""
        if protocol.has_credit:  # else the peer may have them by an earlier call
            self.release(callback_ids)

    def connection_lost(self) -> None:
        """The peer that held them is gone: forget all but those of unsent calls. Any thread."""
        with self._lock:
            for callback_id in [i for i, entry in self._entries.items() if entry.is_over]:
                self._drop(callback_id)

    def _drop(self, callback_id: str) -> None:
        entry = self._entries.pop(callback_id, None)
        if entry is None:
            return
        ids = self._ids[_identity(entry.fn)]
        ids.remove(callback_id)
        if not ids:
            del self._ids[_identity(entry.fn)]
        self._late.pop(callback_id, None)

    def __contains__(self, callback_id: str) -> bool:
        return callback_id in self._entries

    def invoke(self, callback_id: str, args: Sequence[Any], size_bytes: int = 0) -> Jobs | None:
        """The peer calls a function; what waits for it now. I/O loop only.

        None when nothing is called: the id is unknown, or this side has ended its call.

        Args:
            callback_id: its id.
            args: with what.
            size_bytes: of the message.
        """
        entry = self._entries.get(callback_id)
        if entry is None or entry.jobs.ended_locally or entry.given_up:
            return None
        job = Job(entry.fn, entry.context, args, size_bytes)
        state = entry.state()
        with self._lock:
            if (state is None or state.over) and callback_id in self._entries:
                self._late.pop(callback_id, None)
                self._late[callback_id] = None
        if state is not None:
            state.callback_arrived(job)
        else:
            entry.jobs.add(job)
            entry.jobs.hand_to_worker(lambda: False)
        return entry.jobs

    def give_up(self, callback_id: str, error: KKError) -> None:
        """A call of this function is lost, as too many wait, or by a fault here. I/O loop only.

        The call it was passed with fails. Where that is over, nobody is left to be told: the
        function is not called any more, as going on with a gap would be a silent loss.
        """
        entry = self._entries.get(callback_id)
        if entry is None:
            return
        state = entry.state()
        if state is not None and not state.over:
            state.break_off(error)
            return
        entry.given_up = True
        entry.jobs.drop()
        name = getattr(entry.fn, "__name__", None) or repr(entry.fn)
        if isinstance(error, CallError):
            error.method = name
        logger.error("%s: %s; it is no longer called", name, error)


def _identity(fn: Callable[..., Any]) -> Hashable:
    """What makes two functions the same one; a bound method is a new object at each look."""
    if isinstance(fn, types.MethodType):
        return id(fn.__self__), id(fn.__func__)
    if isinstance(fn, types.BuiltinMethodType):  # `values.append`
        return id(fn.__self__), fn.__name__
    return id(fn)
