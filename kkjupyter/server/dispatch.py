"""Runs the requests of a peer, and ends them when the peer no longer wants them.

Async functions and async generators run on the handler loop, sync functions in a thread pool, each
sync generator in a thread of its own. A cancel ends an async producer where it waits; a sync one
at its next yield. A peer that does not read stops both, through the send queue.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from kkjupyter.calls.call import is_stream
from kkjupyter.client.remote import Remote
from kkjupyter.connection.channel import Channel
from kkjupyter.connection.failure_log import log_failure, log_late_failure, logger
from kkjupyter.connection.failures import encode_failure
from kkjupyter.connection.outgoing_streams import ItemCheck, OutgoingStream
from kkjupyter.connection.pumps import close_source
from kkjupyter.errors import ConnectionLost, RemoteError
from kkjupyter.limits import ConnectionLoad, LimitExceeded, ServerLoad
from kkjupyter.runtime.loop_threads import handler_loop, io_loop
from kkjupyter.runtime.turns import TURN_S, monotonic_s
from kkjupyter.runtime.waiting import wait_async
from kkjupyter.server.exposed.description import describe_method, describe_names
from kkjupyter.server.exposed.offer import Exposed
from kkjupyter.server.exposed.places import Unreachable
from kkjupyter.server.handlers import by_value, call_function
from kkjupyter.server.interceptors import CallContext, Interceptor
from kkjupyter.server.response_task import Answer, answer_call, answer_with
from kkjupyter.server.reverse_caller import ReverseCaller
from kkjupyter.wire.events import Requested, StreamRef
from kkjupyter.wire.kkrpc.detection import PROBE_NAME
from kkjupyter.wire.kkrpc.reserved import DESCRIBE_NAME, KEYWORDS_NAME

__all__ = ["Producer"]

# How many requests of one client may be read without having begun; with more, reading stops.
_UNBEGUN_HIGH = 128
_UNBEGUN_LOW = 32
# How many begin in one turn of the handlers' loop before the next client's turn; fewer if they take
# longer.
_BEGUN_AT_ONCE = 64
# How many jobs of a client that has left are ended before others get a turn.
_ENDED_AT_ONCE = 64


class Producer:
    """Answers the requests of one connection.

    Args:
        exposed: the object that the peer may reach.
        channel: the peer's channel.
        on_closed: called when the connection is gone.
        load: the limits for what runs at once; None for a server with no other client.
    """

    def __init__(
        self,
        exposed: Exposed,
        channel: Channel,
        on_closed: Callable[[Producer], object] = lambda producer: None,
        load: ConnectionLoad | None = None,
    ) -> None:
        self.load = load or ServerLoad(exposed.limits).connection()
        self._refused = 0
        self.exposed = exposed
        self.channel = channel
        self.caller = Remote(ReverseCaller(channel))
        self._on_closed = on_closed
        # A peer may use an id twice; both calls run, and both are cancelled. In order of arrival.
        self._jobs: dict[str, dict[_Job, None]] = {}
        self._running = 0
        self._lock = threading.Lock()  # of these two
        self._ending: deque[_Job] = deque()
        self._is_ending_some = False
        self._unbegun: deque[_Job] = deque()
        self._is_beginning = False
        self._is_held_back = False
        self._at_once = _BEGUN_AT_ONCE

    # ---- called by the channel; I/O loop only

    def requested(self, request: Requested) -> None:
        streams = sum(type(arg) is StreamRef for arg in request.args)
        try:
            self.load.admit(request.size_bytes, streams)
        except LimitExceeded as error:
            self._refuse(request, error)
            return
        job = _Job(self, request, streams)
        with self._lock:
            self._jobs.setdefault(request.call_id, {})[job] = None
            self._running += 1
        self._unbegun.append(job)
        if not self._is_beginning:
            self._is_beginning = True
            handler_loop().post(self._begin_some)
        if len(self._unbegun) > _UNBEGUN_HIGH and not self._is_held_back:
            self._is_held_back = True
            self.channel.hold_back()

    def _begin_some(self, last_began_at_s: float | None = None) -> None:
        """Begin a few of the requests.

        Handler loop only. Other clients get a turn before the next ones.
        """
        now_s = monotonic_s()
        if last_began_at_s is not None:
            is_slow = now_s - last_began_at_s > TURN_S
            self._at_once = max(1, self._at_once // 2) if is_slow else self._at_once * 2
            self._at_once = min(self._at_once, _BEGUN_AT_ONCE)
        begun = [self._unbegun.popleft() for _ in range(min(self._at_once, len(self._unbegun)))]
        for job in begun:
            job.start()
        # After their first steps, which a job that is cancelled earlier never reaches.
        asyncio.get_running_loop().call_soon(_end_unbegun, begun)
        if self._is_held_back and len(self._unbegun) <= _UNBEGUN_LOW:
            io_loop().post(self._read_on)
        if not self._unbegun:
            self._is_beginning = False
            if not self._unbegun:  # no request has come in between
                return
            self._is_beginning = True
        asyncio.get_running_loop().call_soon(self._begin_some, now_s)

    def _read_on(self) -> None:
        if self._is_held_back:
            self._is_held_back = False
            self.channel.go_on()

    def _refuse(self, request: Requested, error: LimitExceeded) -> None:
        """Answer that this exceeds a limit, and return what was passed with it."""
        channel, codec = self.channel, request.codec
        if not self._refused:
            what = ".".join(request.path)
            logger.warning("%s: %s is refused: %s", channel.url, what, error)
        self._refused += 1
        _, received = channel.revive(request.args, codec, ".".join(request.path))
        for state in received:
            state.cancel()
        channel.send_queue.put(channel.protocol.fail_call(request.call_id, error, codec))

    def cancelled(self, call_id: str) -> None:
        with self._lock:
            self._end_soon(self._jobs.pop(call_id, {}))
        self._end_some()

    def close(self) -> None:
        self.channel.outgoing.is_ending = True
        self._end_all()
        self._on_closed(self)

    def stop(self) -> None:
        """End all that runs at once, because the server closes. I/O loop only."""
        self.channel.outgoing.is_ending = True
        self._end_all()
        while self._ending:
            self._ending.popleft().cancel()

    def _end_all(self) -> None:
        with self._lock:
            for jobs in self._jobs.values():
                self._end_soon(jobs)
            self._jobs.clear()
        self._end_some()

    def _end_soon(self, jobs: dict[_Job, None]) -> None:
        for job in jobs:
            job.is_cancelled = True
        self._ending.extend(jobs)
        self._running -= len(jobs)

    def _end_some(self) -> None:
        """Cancel what is to be ended; if that is much, others get turns in between."""
        if self._is_ending_some:
            return
        for _ in range(min(_ENDED_AT_ONCE, len(self._ending))):
            self._ending.popleft().cancel()
        if self._ending:
            self._is_ending_some = True
            # After their clean-up.
            handler_loop().post(handler_loop().post, io_loop().post, self._end_more)

    def _end_more(self) -> None:
        self._is_ending_some = False
        self._end_some()

    @property
    def running(self) -> int:
        """How many requests are running, without cancelled ones. Any thread."""
        return self._running

    def finished(self, job: _Job) -> None:
        """A job has ended. Any thread."""
        call_id = job.request.call_id
        with self._lock:
            jobs = self._jobs.get(call_id)
            if jobs is not None and job in jobs:
                self._running -= 1
                del jobs[job]
                if not jobs:
                    del self._jobs[call_id]


def _has_keywords(request: Requested, exposed: Exposed) -> bool:
    """Whether the client says that the last argument holds keyword arguments."""
    return (
        request.path[:1] == (KEYWORDS_NAME,)
        and request.operation in ("call", "new")
        and bool(request.args)
        and type(request.args[-1]) is dict
        and not exposed.reach.is_there(KEYWORDS_NAME)
    )


def _is_question(request: Requested, exposed: Exposed) -> bool:
    """Whether the client asks what is understood here."""
    return (
        request.path == (DESCRIBE_NAME,)
        and request.operation == "call"
        and not exposed.reach.is_there(DESCRIBE_NAME)
    )


def _end_unbegun(jobs: list[_Job]) -> None:
    for job in jobs:
        if not job.has_begun:
            job.end()


class _Job:
    """One running request.

    Once cancelled it sends nothing more. It is made on the I/O loop and runs on the handler loop.

    Attributes:
        request: what is asked for, without the sign that it has keyword arguments.
        has_begun: whether it runs, or has run.
        is_cancelled: whether the answer is no longer wanted; if many are cancelled, the rest of
            :meth:`cancel` comes later.
    """

    def __init__(self, producer: Producer, request: Requested, streams: int) -> None:
        self._has_keywords = _has_keywords(request, producer.exposed)
        if self._has_keywords:
            request = msgspec.structs.replace(request, path=request.path[1:])
        self.request = request
        self.streams = streams
        self._producer = producer
        self._channel = producer.channel
        self._protocol = producer.channel.protocol
        self._send_queue = producer.channel.send_queue
        self.has_begun = False
        self.is_cancelled = False
        self._is_released = False
        self._task: asyncio.Task[None] | None = None
        self._stream: OutgoingStream | None = None
        self._args, self._received = self._channel.revive(
            request.args, request.codec, ".".join(request.path)
        )

    def start(self) -> None:
        """Start the handler. Handler loop only."""
        if not self.is_cancelled:
            self._task = asyncio.get_running_loop().create_task(self._run())

    def end(self) -> None:
        """End it without an answer. Handler loop only."""
        self._make_room()
        self._producer.finished(self)
        if self._stream is not None:
            io_loop().post(self._channel.outgoing.discard, self._stream)

    def cancel(self) -> None:
        """Cancel it where it waits. Any thread; returns at once."""
        self.is_cancelled = True
        if self._stream is not None:
            self._stream.cancel()
        handler_loop().post(self._cancel_task)

    def _cancel_task(self) -> None:
        # Only once: a second time would interrupt its clean-up.
        if self._task is not None and not self._task.cancelling():
            self._task.cancel()
        # Here, too: a task that is cancelled before its first step never reaches its own end.
        self._release_arguments()

    def _send(self, message: bytes) -> None:
        if not self.is_cancelled:
            self._send_queue.put(message)

    def _send_here(self, message: bytes) -> bool:
        """Send it from this thread, if nothing waits before it; return whether it is sent."""
        # What this thread has posted before, a cancel or a call of the client's, leaves before.
        return not (self.is_cancelled or io_loop().is_busy) and self._send_queue.send_here(message)

    async def _run(self) -> None:
        # Not `except Exception`: a handler's SystemExit must end the call, not the server.
        self.has_begun = True
        request, protocol = self.request, self._protocol
        self._producer.load.use()
        try:
            await self._until_read()
            answer = await self._answer()
            if is_stream(answer.value):
                await self._take_stream(answer.value)
                self._open_stream(answer)
            else:
                await self._until_read()  # once, however many answers are ready
                self._make_room()
                message = protocol.reply(request.call_id, answer.value, request.codec)
                if not (self._producer.running == 1 and self._send_here(message)):
                    self._send(message)
        except Unreachable as exc:
            self._make_room()
            self._send(protocol.refuse(request, exc.reason, exc.at))
        except BaseException as exc:  # noqa: BLE001  told to the peer and logged
            self._fail(exc)
        else:
            if self._stream is not None:
                await self._stream.run()
        finally:
            self._release_arguments()
            self.end()

    async def _until_read(self) -> None:
        """Wait while the peer has more to read than it may ask for beyond."""
        send_queue = self._send_queue
        if send_queue.overfull:
            await wait_async(send_queue.notifier, lambda: not send_queue.overfull)
            if self.is_cancelled:  # it was closed: what is made now would be for nobody
                raise asyncio.CancelledError

    async def _take_stream(self, source: Any) -> None:
        """Count one more stream, or close it."""
        try:
            self._producer.load.streams.take()
        except LimitExceeded:
            await close_source(source)
            raise
        self.streams += 1

    def _make_room(self) -> None:
        """Stop counting it, before the peer can know that it is over and ask for the next."""
        if not self._is_released:
            self._is_released = True
            self._producer.load.release(self.request.size_bytes, self.streams)

    def _open_stream(self, answer: Answer) -> None:
        request, protocol = self.request, self._protocol
        stream_id = protocol.new_id() if protocol.has_credit else request.call_id
        # Set before the check below: a cancel that does not find it set is noticed here.
        stream = self._stream = OutgoingStream(
            answer.value,
            stream_id,
            ".".join(request.path),
            protocol,
            self._send_queue,
            request.codec,
            check_item=answer.check_item,
            is_result=True,
            debug=self._producer.exposed.debug,
            slots=self._producer.load.generators,
            on_over=self._make_room,
        )
        if protocol.has_credit:
            # At once: posted to the I/O loop it could come there after the peer's first pull.
            self._channel.outgoing.add(stream)
        if self.is_cancelled:
            stream.cancel()
        self._send(protocol.open_stream(request.call_id, stream_id, request.codec))

    def _fail(self, exc: BaseException) -> None:
        """Report the failure to the peer and the log; for a cancelled job only to the log."""
        request = self.request
        title = ".".join(request.path)
        if self.is_cancelled or (isinstance(exc, ConnectionLost) and not self._channel.is_open):
            log_late_failure(title, exc)
            return
        log_failure(title, exc, told=self._producer.exposed.debug)
        if isinstance(exc, asyncio.CancelledError):  # the handler cancelled itself
            exc = RemoteError("cancelled", name="CancelledError")
        message = encode_failure(
            lambda error: self._protocol.fail_call(request.call_id, error, request.codec),
            exc,
            debug=self._producer.exposed.debug,
        )
        self._make_room()
        # Its arguments are returned first, as the peers do it, so this comes after what that posts.
        self._release_arguments(failed=True)
        io_loop().post(self._send, message)

    def _release_arguments(self, *, failed: bool = False) -> None:
        """Return the unread streams among the arguments to the peer.

        After a failure or a cancel, none may be read: a thread that waits for one would wait on.
        """
        stopped = (
            failed or self.is_cancelled or (self._stream is not None and self._stream.cancelled)
        )
        for state in self._received:
            if not state.over and (stopped or not state.claimed):
                state.cancel()

    # ---- the answer

    async def _answer(self) -> Answer:
        request, exposed = self.request, self._producer.exposed
        if self._is_unanswered_probe:
            raise Unreachable("missing")
        if _is_question(request, exposed):
            return await self._answer_question()
        args, kwargs = self._args, {}
        if self._has_keywords:
            args, kwargs = args[:-1], dict(args[-1])
        context = CallContext(
            ".".join(request.path),
            args,
            kwargs,
            meta=request.meta or {},
            caller=self._producer.caller,
            operation=request.operation,
        )
        match request.operation:
            case "get":
                return await answer_with(self._get, context, interceptors=exposed.interceptors)
            case "set":
                context.args = [request.value]

                async def put() -> None:
                    exposed.permission.set(exposed.reach, request.path, context.args[0])

                await answer_with(put, context, interceptors=exposed.interceptors)
                return Answer(value=True)
        reach = exposed.reach
        seek = reach.find_class if request.operation == "new" else reach.find_callable
        if exposed.interceptors and reach.is_computed(request.path):
            return await self._call_computed(seek, context)
        try:
            function = seek(request.path)
        except Exception as failure:
            if not exposed.interceptors:
                raise
            # Only after they were asked: a caller without permission must not find out what exists.
            return await self._fail_inside(failure, context)
        return await self._call(function, context, exposed.interceptors)

    async def _answer_question(self) -> Answer:
        exposed = self._producer.exposed
        reach = exposed.reach
        match self._args:
            case []:
                # Nothing that an interceptor could have anything against: it tells of no name.
                return Answer({"keywords": True})
            case ["names"] if exposed.describe and not exposed.is_guarded:
                return Answer(await call_function(describe_names, [reach], {}))
            case ["method", [*path]] if exposed.describe and all(type(n) is str for n in path):
                context = CallContext(
                    ".".join(path),
                    [],
                    meta=self.request.meta or {},
                    caller=self._producer.caller,
                    operation="get",
                )
                return await answer_with(
                    functools.partial(call_function, describe_method, [reach, path], {}),
                    context,
                    interceptors=exposed.interceptors,
                )
        raise Unreachable("missing")

    async def _call(
        self,
        function: Callable[..., Any],
        context: CallContext,
        interceptors: Sequence[Interceptor] = (),
    ) -> Answer:
        answer = await answer_call(
            function,
            context,
            interceptors=interceptors,
            validate=self._producer.exposed.validate,
            has_keywords=self._has_keywords,
        )
        return Answer(by_value(answer.value)) if context.operation == "new" else answer

    async def _call_computed(
        self, seek: Callable[[Sequence[str]], Callable[..., Any]], context: CallContext
    ) -> Answer:
        """Call the value of a property; it is not read before the interceptors allow it."""
        exposed = self._producer.exposed
        check_item: ItemCheck | None = None

        async def call() -> Any:
            nonlocal check_item
            function = seek(self.request.path)
            answer = await self._call(function, context)
            check_item = answer.check_item
            return answer.value

        answer = await answer_with(call, context, interceptors=exposed.interceptors)
        return Answer(answer.value, check_item if is_stream(answer.value) else None)

    @property
    def _is_unanswered_probe(self) -> bool:
        """Whether it only detects the protocol, which needs no permission of interceptors."""
        path, reach = self.request.path, self._producer.exposed.reach
        return list(path) == [PROBE_NAME] and not reach.is_there(PROBE_NAME)

    async def _get(self) -> Any:
        found = self._producer.exposed.reach.find(self.request.path)
        return await found if inspect.isawaitable(found) else found

    async def _fail_inside(self, failure: Exception, context: CallContext) -> Answer:
        # It has this frame in its traceback; where this frame holds it, too, that is a circle.
        raised = [failure]
        del failure

        async def fail() -> Any:
            raise raised.pop()

        return await answer_with(fail, context, interceptors=self._producer.exposed.interceptors)
