"""Functions passed to the peer: which one an id means, and the call it was passed with."""

from __future__ import annotations

import contextvars
import threading
import types
import weakref
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from kkjupyter.rpc.jobs import Job, run_in_worker
from kkjupyter.wire.protocol import Protocol

if TYPE_CHECKING:
    from kkjupyter.rpc.callstate import CallState

__all__ = ["Fate", "PassedFunctions"]


class Fate:
    """What became of a call, for those who must not keep the call itself."""

    __slots__ = ("ended_here",)

    def __init__(self) -> None:
        self.ended_here = False
        """Whether this side ended it; what the peer still calls back is dropped."""


class _Entry:
    __slots__ = ("context", "fate", "fn", "state")

    def __init__(self, fn: Callable[..., Any], state: CallState) -> None:
        self.fn = fn
        self.bind(state)

    def bind(self, state: CallState) -> None:
        self.context = contextvars.copy_context()
        # Weak: a function the peer keeps must not keep the call's reply.
        self.state = weakref.ref(state)
        self.fate = state.fate

    @property
    def is_free(self) -> bool:
        """Whether the call it was passed with is over."""
        state = self.state()
        return state is None or state.over


class PassedFunctions:
    """The functions of one connection that the peer may call.

    Where the peer can say that one is no longer needed, each call gets ids of its own: a release
    that crosses the next call on the wire cannot take that one's function away. Elsewhere they
    stay for good, and a function keeps its id; only while a call it was passed with is under way
    does another call get one of its own.
    """

    def __init__(self) -> None:
        self._entries: dict[str, _Entry] = {}
        self._ids: dict[Hashable, list[str]] = {}
        self._lock = threading.Lock()
        self.called_late = False
        """Whether one was called after its call was over, as a subscription does."""

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, fn: Callable[..., Any], state: CallState, protocol: Protocol) -> str:
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
            self._entries[callback_id] = _Entry(fn, state)
            ids.append(callback_id)
            return callback_id

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
        """No peer holds any of them, save those of calls that are still to be sent. Any thread."""
        with self._lock:
            for callback_id in [i for i, entry in self._entries.items() if entry.is_free]:
                self._drop(callback_id)

    def _drop(self, callback_id: str) -> None:
        entry = self._entries.pop(callback_id, None)
        if entry is None:
            return
        ids = self._ids[_identity(entry.fn)]
        ids.remove(callback_id)
        if not ids:
            del self._ids[_identity(entry.fn)]
        if not self._entries:
            self.called_late = False

    def invoke(self, callback_id: str, args: Sequence[Any]) -> bool:
        """The peer calls a function; False when there is none of that id. I/O loop only."""
        entry = self._entries.get(callback_id)
        if entry is None:
            return False
        if entry.fate.ended_here:
            return True
        job = Job(entry.fn, entry.context, args)
        state = entry.state()
        if state is None or state.over:
            self.called_late = True
        if state is None:
            run_in_worker(job.run)
        else:
            state.callback_arrived(job)
        return True


def _identity(fn: Callable[..., Any]) -> Hashable:
    """What makes two functions the same one; a bound method is a new object at each look."""
    if isinstance(fn, types.MethodType):
        return id(fn.__self__), id(fn.__func__)
    if isinstance(fn, types.BuiltinMethodType):  # `values.append`
        return id(fn.__self__), fn.__name__
    return id(fn)
