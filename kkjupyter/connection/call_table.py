"""Our calls on one connection: which answer, stream or item from the peer belongs to which."""

from __future__ import annotations

import asyncio
import copy
from typing import Any
from weakref import WeakKeyDictionary

from kkjupyter.calls.buffer import HARD_LIMIT_BYTES
from kkjupyter.calls.state import CallState
from kkjupyter.connection.channel_trace import ChannelTrace, error_name
from kkjupyter.connection.outgoing_call import OutgoingCall
from kkjupyter.connection.outgoing_streams import OutgoingStream, OutgoingStreams
from kkjupyter.connection.read_flow_control import ReadFlowControl
from kkjupyter.connection.send_queue import SendQueue
from kkjupyter.errors import BufferOverflow, KKError, ProtocolError, RemoteError, UsageError
from kkjupyter.runtime.logs import SafeLogger
from kkjupyter.runtime.loop_threads import io_loop
from kkjupyter.traces.record import record_of
from kkjupyter.wire.events import Acknowledged, Ended, Event, Failed, Item, Opened, Replied
from kkjupyter.wire.kkrpc.base import Protocol
from kkjupyter.wire.values.javascript import undefined

__all__ = ["CallTable"]

logger = SafeLogger("kkjupyter")

# A reader is woken at most so often; the first item of a pause still wakes it at once.
_NOTIFY_INTERVAL_S = 0.001


class CallTable:
    """Our calls that are under way, and the peer's streams.

    I/O loop only, unless a method says otherwise.

    Args:
        protocol: makes the messages.
        send_queue: takes them.
        reading: told whose buffer is full.
        outgoing: runs the streams among the arguments of calls.
        limit_bytes: how much of all streams together may wait to be taken; None for any amount.

    Attributes:
        understood: whether the peer has ever answered anything.
        trace: notes what goes and comes, if anything does.
    """

    def __init__(
        self,
        protocol: Protocol,
        send_queue: SendQueue,
        reading: ReadFlowControl,
        outgoing: OutgoingStreams,
        *,
        limit_bytes: int | None = None,
    ) -> None:
        self.understood = False
        self._protocol = protocol
        self._send_queue = send_queue
        self._reading = reading
        self._outgoing = outgoing
        self._limit_bytes = limit_bytes
        self.trace: ChannelTrace | None = None
        self._waiting: dict[str, CallState] = {}  # for their answer, by call id
        self._streams: dict[str, CallState] = {}  # being received, by stream id
        self._controls: dict[str, CallState] = {}  # errors thrown into the peer's generators
        # What a call was passed is of no interest when nobody holds the call any more.
        self._passed: WeakKeyDictionary[CallState, list[OutgoingStream]] = WeakKeyDictionary()
        self._throttle = WakeupThrottle()
        self._filled = self._throttle.filled

    @property
    def under_way(self) -> list[CallState]:
        """Calls not answered yet, and streams being received. Any thread."""
        return [*self._waiting.values(), *self._streams.values()]

    @property
    def count(self) -> int:
        """How many of them there are. Any thread."""
        return len(self._waiting) + len(self._streams)

    @property
    def is_waiting(self) -> bool:
        """Whether an answer is expected."""
        return bool(self._waiting)

    @property
    def must_read(self) -> bool:
        """Whether somebody waits for what may come behind the items of a full buffer."""
        # Whoever waits for a call whose functions are busy waits for these first: no answer that
        # may lie behind is handed over before they have run.
        return (
            bool(self._controls)
            or any(not state.jobs.is_crowded for state in [*self._waiting.values()])
            or any(
                (state.waiting or state.watching or state.has_functions)
                and not state.jobs.is_crowded
                for state in self._streams.values()
            )
        )

    def is_awaited(self, call_id: str) -> bool:
        """Whether a call of ours has this id and was not answered yet."""
        return call_id in self._waiting

    # ---- what callers do

    def start(self, call: OutgoingCall) -> None:
        """Send a call and expect its answer. It is sent once, whatever happens."""
        self._expect(call)
        self._start_streams(call)
        self._send_queue.put(call.frame, is_own=True)
        if self._reading.is_full:
            self._reading.reconsider()

    def start_here(self, call: OutgoingCall) -> None:
        """As :meth:`start`, in the thread at hand. Any thread.

        For a call without streams and functions that comes alone: it need not wait for the I/O
        loop to be woken.
        """
        self._expect(call)
        if not self._send_queue.send_here(call.frame):
            self._send_queue.put(call.frame, is_own=True)
        if self._reading.is_full:
            io_loop().post(self._reading.reconsider)

    def _expect(self, call: OutgoingCall) -> None:
        self._waiting[call.state.call_id] = call.state
        if self.trace is not None:
            self.trace.sent_request(call)

    def drop(self, call: OutgoingCall) -> None:
        """A call is over before it was sent: the streams it was passed are only closed."""
        self._start_streams(call)
        for stream in self._passed.pop(call.state, ()):
            stream.cancel()

    def _start_streams(self, call: OutgoingCall) -> None:
        if not call.streams:
            return
        state, protocol = call.state, self._protocol
        passed = self._passed[state] = []
        for stream_id, source in call.streams.items():
            stream = OutgoingStream(
                source,
                stream_id,
                state.method,
                protocol,
                self._send_queue,
                protocol.codec,
                record=record_of(state),
                slots=self._outgoing.slots,
            )
            passed.append(stream)
            self._outgoing.start(stream, call.context)

    def throw(self, state: CallState, error: Any) -> CallState:
        """Raise ``error`` inside the generator behind a stream. Any thread.

        Returns the state of the call that brings the generator's answer.
        """
        control = CallState(
            state.method, f"{state.title}.throw(...)", self._protocol.new_id(), self
        )
        frame = self._protocol.throw(control.call_id, state.stream_id, error)
        io_loop().post(self._throw, state, control, frame)
        return control

    def _throw(self, state: CallState, control: CallState, frame: bytes) -> None:
        if self._streams.get(state.stream_id) is not state:
            control.failed(UsageError(f"{state.title} is over; nothing can be thrown into it"))
            return
        self._controls[control.call_id] = control
        try:
            if self.trace is not None:
                self.trace.sent_throw(state, control.call_id, frame)
            self._send_queue.put(frame)
        except Exception as problem:
            del self._controls[control.call_id]
            control.failed(problem)
            raise

    def adopt(self, stream_id: str, title: str) -> CallState:
        """A stream that the peer has passed as an argument, to be consumed here."""
        state = CallState(title, title, stream_id, self)
        self._open(state, stream_id)
        return state

    def _open(self, state: CallState, stream_id: str) -> None:
        if stream_id in self._streams:
            # Whose an item is could not be told; and the one before must not be forgotten.
            state.failed(ProtocolError("the other side has opened two streams of the same id"))
            return
        self._streams[stream_id] = state
        state.opened(stream_id, has_credit=self._protocol.has_credit)

    def cancel_call(self, state: CallState) -> None:
        """Tell the peer that nobody wants the answer any more."""
        # A late stream handle finds no call under its id and is returned by `opened`. The ids of
        # streams are the peer's: another call, of another connection even, may have the same.
        if self._waiting.get(state.call_id) is state:
            del self._waiting[state.call_id]
            self._send_cancel(state, state.call_id)
        elif self._streams.get(state.stream_id) is state:
            del self._streams[state.stream_id]
            self._send_cancel(state, state.stream_id)
        for stream in self._passed.pop(state, ()) if self._passed else ():
            stream.fail(RemoteError(f"{state.method} was cancelled", name="CallCancelled"))
        self._reading.forget(state)

    def _send_cancel(self, state: CallState | None, target_id: str, detail: str = "") -> None:
        frame = self._protocol.cancel(target_id)
        trace = self.trace
        if trace is not None:
            if state is None:
                record = trace.recorder.find(target_id)
            else:
                record = record_of(state)
                if state.phase == "failed":
                    detail = error_name(state.error)
            trace.sent_cancel(record, frame, detail)
        self._send_queue.put(frame)

    def pull(self, state: CallState) -> None:
        """Grant the peer as much credit as is due for this stream."""
        credit = state.credit
        if credit is None or state.over or self._streams.get(state.stream_id) is not state:
            return
        count = credit.due()
        if count:
            frame = self._protocol.pull(state.stream_id, count)
            if self.trace is not None:
                self.trace.sent_credit(state, count, frame)
            self._send_queue.put(frame)

    @property
    def reading_paused(self) -> bool:
        """Whether reading has stopped because a buffer is full. Any thread."""
        return self._reading.paused

    away_since_s: float | None = None  # the peer's streams here have no view

    def reconsider_reading(self) -> None:
        """Somebody waits now who did not before, or a buffer has room."""
        self._reading.reconsider()

    def forget_all(self) -> list[CallState]:
        """All that is expected; nothing is from now on."""
        states = [*self.under_way, *self._controls.values()]
        self._waiting, self._streams, self._controls = {}, {}, {}
        return states

    # ---- what the peer says, most frequent first

    def item(self, event: Item) -> None:
        """The next value of a stream."""
        state = self._streams.get(event.stream_id)
        if state is None:  # cancelled meanwhile
            if self.trace is not None:
                self.trace.dropped(event)
            return
        if state.put(event.value, event.size_bytes):
            self._too_much(state)
        self._filled.add(state)

    def replied(self, event: Replied) -> None:
        """The value of a call."""
        self.understood = True
        # Here and below: found first, taken out last, so that `stumbled` finds it in between.
        state = self._waiting.get(event.call_id)
        if self.trace is not None:
            self.trace.replied(state, event)
        if state is not None:
            self._waiting.pop(event.call_id, None)
            state.replied(event.value)
        if self._reading.is_full:
            self._reading.reconsider()

    def opened(self, event: Opened) -> None:
        """A call is answered by a stream."""
        self.understood = True
        state = self._waiting.pop(event.call_id, None)
        if state is None:
            self._send_cancel(None, event.stream_id, "no longer wanted")
        else:
            self._open(state, event.stream_id)
            if state.claimed:
                self.pull(state)
        if self._reading.is_full:
            self._reading.reconsider()

    def ended(self, event: Ended) -> None:
        """A stream is complete."""
        state = self._streams.pop(event.stream_id, None)
        if state is not None:
            state.ended(event.value)
            self._reading.forget(state)

    def failed(self, event: Failed) -> None:
        """A call or a stream has failed."""
        self.understood = True
        table = self._streams if event.id in self._streams else self._waiting
        state = table.get(event.id)
        if state is not None:
            if isinstance(event.error, ProtocolError):  # ours: the peer believes that all is well
                self._send_cancel(state, event.id, "what came could not be read")
            table.pop(event.id, None)
            state.failed(event.error)
            self._reading.forget(state)

    def acknowledged(self, event: Acknowledged) -> None:
        """A cancel or a throw of ours was carried out."""
        control = self._controls.get(event.control_id)
        if control is None:
            # Of a cancel: nobody waits for it, but what went wrong shall not go unseen.
            if event.error is not None:
                text = str(event.error)
                logger.warning("a stream that was cancelled failed at its end: %s", text)
            return
        # The stream first: whoever waits for the control may look at it at once.
        if event.error is not None:
            self.failed(Failed(event.stream_id, copy.copy(event.error)))
        elif event.done:
            self.ended(Ended(event.stream_id, event.value))
        self._controls.pop(event.control_id, None)
        if event.error is not None:
            control.failed(event.error)
        else:
            control.replied(undefined if event.done else event.value)

    def stumbled(self, event: Event, error: KKError) -> None:
        """Handling this failed, by a fault of this side's: whoever waits for it is told so."""
        match event:
            case Replied() | Opened():
                ids = [event.call_id, getattr(event, "stream_id", "")]
            case Item() | Ended():
                ids = [event.stream_id]
            case Failed():
                ids = [event.id]
            case Acknowledged():
                ids = [event.stream_id]
                control = self._controls.pop(event.control_id, None)
                if control is not None:
                    control.failed(copy.copy(error))
            case _:
                return
        for id_ in ids:
            state = self._streams.pop(id_, None) or self._waiting.pop(id_, None)
            if state is not None:
                state.failed(copy.copy(error))
                self._reading.forget(state)
                self._send_cancel(state, id_, "what came could not be handled")

    def batch_is_through(self) -> None:
        """All that came together was handed in: grant credit, wake those who read."""
        if not self._filled:
            return
        if self.trace is not None:
            self.trace.filled(self._filled)
        if self._protocol.has_credit:
            for state in self._filled:
                if state.credit is not None:
                    state.credit.received()
                    if state.claimed:
                        self.pull(state)
        self._throttle.notify_soon()

    def _too_much(self, state: CallState) -> None:
        limit_bytes = self._limit_bytes
        if state.buffer.over_hard_limit:
            self._overflow(state, HARD_LIMIT_BYTES)
        elif limit_bytes is not None and self._unread_bytes() > limit_bytes:
            self._overflow(state, limit_bytes)
        elif not self._protocol.has_credit:  # else it is within what was granted
            self._reading.too_much(state)

    def _unread_bytes(self) -> int:
        return sum(state.buffer.held_bytes for state in self._streams.values())

    def _overflow(self, state: CallState, limit_bytes: int) -> None:
        self._streams.pop(state.stream_id, None)
        self._send_cancel(state, state.stream_id, "the buffer is full")
        state.failed(BufferOverflow(state.method, limit_bytes=limit_bytes))
        self._reading.forget(state)


class WakeupThrottle:
    """Wakes those who read streams: once for all the items that came together. I/O loop only.

    A fast stream that comes in small pieces would otherwise wake its reader for every few items,
    which costs both threads more than the items themselves.

    Attributes:
        filled: the calls that items came for since they were last notified; always the same set.
    """

    def __init__(self) -> None:
        self.filled: set[CallState] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._notified_at_s = 0.0

    def notify_soon(self) -> None:
        """Notify for the calls in :attr:`filled`."""
        if self._timer is not None:
            return
        loop = asyncio.get_running_loop()
        wait_s = self._notified_at_s + _NOTIFY_INTERVAL_S - loop.time()
        if wait_s > 0:
            self._timer = loop.call_later(wait_s, self._notify)
        else:
            self._notify()

    def _notify(self) -> None:
        self._timer = None
        self._notified_at_s = asyncio.get_running_loop().time()
        for state in self.filled:
            state.notifier.notify()
        self.filled.clear()
