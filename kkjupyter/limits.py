"""What a server lets its clients have at once: the numbers, and counting to them."""

from __future__ import annotations

import contextvars
import dataclasses
import os
import sys
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from kkjupyter.errors import RemoteError, UsageError
from kkjupyter.runtime.worker_threads import Lane, WorkerPool
from kkjupyter.wire.framing import DEFAULT_LIMIT_BYTES
from kkjupyter.wire.message_cost import DEFAULT_MEMORY_BYTES

__all__ = [
    "GENERATOR_SLOTS",
    "Budget",
    "ClientLimits",
    "ConnectionLoad",
    "LimitExceeded",
    "ServerLimits",
    "ServerLoad",
    "Share",
    "Slots",
    "check_client_limits",
    "check_limits",
    "generator_slots",
    "run_function",
    "size_limit",
]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ServerLimits:
    """What a server lets its clients have at once; an argument of :func:`kkjupyter.serve`.

    None means no limit. What is refused is answered by an error that names the limit; nothing that
    runs is harmed by it.

    Attributes:
        message_bytes: how long a message from a client may be, over HTTP the body of a request. A
            longer one ends its connection; over HTTP it is answered with status 413.
        message_memory_bytes: how much memory the values of one message may take, as estimated from
            its text before anything is made of it. One that would take more is refused by itself.
        connections: how many clients are connected; the next one is turned away (HTTP status 503).
        connections_per_address: and of one address (of one /64 network of IPv6); as above. Those
            of this machine are not counted by address: a proxy on it has the same.
        unauthenticated_connections: of connections that have not shown a token yet; as above. Where
            none is asked for, those that have not sent their request.
        spare_descriptors: how many file descriptors of the process are left to the rest of it; when
            there are not more, the next connection is turned away.
        handshake_timeout_s: how long such a connection has for that, in seconds; then it is closed.
            Over HTTP also how long the head of each further request may take from its first byte.
        first_message_timeout_s: how long a WebSocket client has after that for its first message,
            in seconds; then it is disconnected.
        body_timeout_s: over HTTP, how long the body of a request may take, in seconds, and one more
            for each 1,000 bytes that have come; then it is answered with status 408.
        keepalive_timeout_s: over HTTP, how long a connection is kept between two requests, in
            seconds; then it is closed.
        write_timeout_s: how long a client may take nothing of what waits for it, in seconds; then
            it is disconnected, and what runs for it ends. One that is alive and says so (see
            ``silence_timeout_s``) may take its time.
        silence_timeout_s: after how long a client that is gone, or frozen, is disconnected, in
            seconds: half of that without a word, and as much without an answer to "are you there?".
            On a WebSocket that is a ping, over HTTP TCP's keepalive, and the heartbeat of clients
            that have one. None never asks.
        away_clients: how many clients that have lost their connection are waited for, where the
            server has ``resume_s``; what runs for the next one ends.
        away_clients_per_address: and of one address. Those of this machine are not counted by that.
        resume_bytes_per_connection: how much of what was sent to such a client is kept until it
            says that it has it, so that it can be sent again; then its streams wait.
        requests: how many calls, streams among them, are under way in all.
        requests_per_connection: and on one connection.
        streams: how many streams are open in all, those among arguments, too.
        streams_per_connection: and on one connection.
        callbacks_per_call: of functions that a handler has passed to its client: how many calls
            of one that is busy wait; then the call that the function was passed with fails.
        buffered_bytes: how much is held for all clients: requests under way, messages and bodies
            that have not come in full, stream items that are not read, messages and answers that
            a client does not read, or of which it has not said that it has them.
        buffered_bytes_per_connection: and for one connection.
        function_threads: how many plain functions run at once; the next ones wait.
        function_threads_per_connection: and for one connection.
        generator_threads: how many plain generators run at once, those that were cancelled and are
            still busy among them; the next one is refused.
        generator_threads_per_connection: and for one connection.

    Raises:
        UsageError: a limit is not a positive number.
    """

    message_bytes: int | None = 4 * 1024 * 1024
    message_memory_bytes: int | None = 64 * 1024 * 1024
    connections: int | None = 1024
    connections_per_address: int | None = 512
    unauthenticated_connections: int | None = 128
    spare_descriptors: int | None = 64
    handshake_timeout_s: float | None = 10.0
    first_message_timeout_s: float | None = 300.0
    body_timeout_s: float | None = 30.0
    keepalive_timeout_s: float | None = 75.0
    write_timeout_s: float | None = 300.0
    silence_timeout_s: float | None = 40.0
    away_clients: int | None = 256
    away_clients_per_address: int | None = 64
    resume_bytes_per_connection: int | None = 4 * 1024 * 1024
    requests: int | None = 16_384
    requests_per_connection: int | None = 4096
    streams: int | None = 8192
    streams_per_connection: int | None = 1024
    callbacks_per_call: int | None = 65_536
    buffered_bytes: int | None = 512 * 1024 * 1024
    buffered_bytes_per_connection: int | None = 128 * 1024 * 1024
    function_threads: int | None = 128
    function_threads_per_connection: int | None = 32
    generator_threads: int | None = 256
    generator_threads_per_connection: int | None = 64

    def __post_init__(self) -> None:
        """Check them; UsageError when one cannot be a limit."""
        _check_fields(self)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ClientLimits:
    """What one message to a client may be; an argument of :func:`kkjupyter.connect`.

    None means no limit. Values that wait unread have limits of their own.

    Attributes:
        message_bytes: how long it may be; a longer one ends the connection.
        message_memory_bytes: how much memory its values may take, as estimated from its text before
            anything is made of it. The call, or the stream, that it belongs to fails with
            MessageTooBig.

    Raises:
        UsageError: a limit is not a positive number.
    """

    message_bytes: int | None = DEFAULT_LIMIT_BYTES
    message_memory_bytes: int | None = DEFAULT_MEMORY_BYTES

    def __post_init__(self) -> None:
        """Check them; UsageError when one cannot be a limit."""
        _check_fields(self)


def _check_fields(limits: ServerLimits | ClientLimits) -> None:
    for field in dataclasses.fields(limits):
        value = getattr(limits, field.name)
        kinds = (int, float) if field.name.endswith("_s") else int
        if value is None:
            continue
        if not isinstance(value, kinds) or isinstance(value, bool) or value <= 0:
            raise UsageError(
                f"{type(limits).__name__}: {field.name} is {value!r}; it must be a positive "
                "number, or None for no limit"
            )


def size_limit(limit_bytes: int | None) -> int:
    """A limit as a number to compare with."""
    return sys.maxsize if limit_bytes is None else limit_bytes


def check_limits(limits: ServerLimits | None) -> ServerLimits:
    """The limits a user gave, or the default ones; UsageError for anything else."""
    return _checked(limits, ServerLimits, "requests_per_connection=100")


def check_client_limits(limits: ClientLimits | None) -> ClientLimits:
    """As :func:`check_limits`, for a client."""
    return _checked(limits, ClientLimits, "message_memory_bytes=10**9")


_Limits = TypeVar("_Limits", ServerLimits, ClientLimits)


def _checked(limits: _Limits | None, kind: type[_Limits], example: str) -> _Limits:
    if limits is None:
        return kind()
    if not isinstance(limits, kind):
        raise UsageError(
            f"limits must be a kk.{kind.__name__}, not {type(limits).__name__}: "
            f"limits=kk.{kind.__name__}({example})"
        )
    return limits


class LimitExceeded(RemoteError):
    """A client asks for more than a server lets it have at once.

    Args:
        limit: its name in :class:`ServerLimits`.
        value: how much that is.
        cure: what to do.
    """

    def __init__(self, limit: str, value: int | float | None, cure: str) -> None:
        text = (
            f"the server's limit {limit} ({value:,}) is reached; {cure}, or serve with "
            f"limits=kk.ServerLimits({limit}=...)"
        )
        super().__init__(text, name="LimitExceeded", data={"limit": limit, "value": value})


class Slots:
    """So many of something at once, and within that so many of those above. Any thread.

    Args:
        limit: None for any number.
        name: of the limit.
        cure: what to do where it is reached.
        parent: of which this is a part.
    """

    def __init__(
        self, limit: int | None, name: str, cure: str, parent: Slots | None = None
    ) -> None:
        self._limit = limit
        self._name = name
        self._cure = cure
        self._parent = parent
        self._taken = 0
        self._lock = threading.Lock()

    @property
    def taken(self) -> int:
        """How many are taken."""
        return self._taken

    def take(self, count: int = 1) -> None:
        """Take so many, or none.

        Raises:
            LimitExceeded: there are not so many left.
        """
        with self._lock:
            if self._limit is not None and count and self._taken + count > self._limit:
                raise LimitExceeded(self._name, self._limit, self._cure)
            if self._parent is not None:
                self._parent.take(count)
            self._taken += count

    def give_back(self, count: int = 1) -> None:
        """So many are over."""
        with self._lock:
            self._taken -= count
        if self._parent is not None:
            self._parent.give_back(count)

    def forked(self) -> None:
        """This process is a fork: nothing of it runs here."""
        self._taken = 0
        self._lock = threading.Lock()


# A share reports in steps, so that a single message costs nothing.
_STEP_BYTES = 64 * 1024


class Budget:
    """Counts the bytes held, and tells when they reach a limit; it enforces nothing. Any thread.

    Args:
        limit_bytes: None for no limit.
    """

    def __init__(self, limit_bytes: int | None = None) -> None:
        self.limit_bytes = limit_bytes
        self._held_bytes = 0
        self._lock = threading.Lock()

    @property
    def held_bytes(self) -> int:
        """How many bytes are held now."""
        return self._held_bytes

    @property
    def is_exhausted(self) -> bool:
        """Whether the limit is reached, so that no more should be accepted."""
        return self.limit_bytes is not None and self._held_bytes > self.limit_bytes

    def fits(self, size_bytes: int) -> bool:
        """Whether so many more bytes can be accepted; the first ones always can."""
        return (
            self.limit_bytes is None
            or not self._held_bytes
            or self._held_bytes + size_bytes <= self.limit_bytes
        )

    def change(self, by_bytes: int) -> None:
        """Count so many more bytes, or fewer if negative."""
        with self._lock:
            self._held_bytes += by_bytes


class Share:
    """The part of a budget that one holder uses.

    Args:
        budget: None for a holder that is not counted.
    """

    __slots__ = ("_budget", "_lock", "_told_bytes")

    def __init__(self, budget: Budget | None) -> None:
        self._budget = budget
        self._told_bytes = 0
        self._lock = threading.Lock()

    @property
    def limit_bytes(self) -> int | None:
        """The limit of the budget."""
        return self._budget.limit_bytes if self._budget is not None else None

    @property
    def is_exhausted(self) -> bool:
        """Whether the budget is exhausted."""
        return self._budget is not None and self._budget.is_exhausted

    def hold(self, held_bytes: int) -> None:
        """Set how much is held now; small changes are reported when they add up. Any thread."""
        budget = self._budget
        if budget is None:
            return
        by_bytes = held_bytes - self._told_bytes
        if -_STEP_BYTES < by_bytes < _STEP_BYTES and held_bytes:
            return
        with self._lock:
            by_bytes = held_bytes - self._told_bytes
            self._told_bytes = held_bytes
        if by_bytes:
            budget.change(by_bytes)


# So much of an unfinished message any connection may hold.
_LITTLE_BYTES = 64 * 1024
_REQUEST_CURE = "wait for some calls to end"
_BYTES_CURE = "wait for some calls to end, or send less at once"
_STREAM_CURE = "end some streams"


class ServerLoad:
    """What one server has to do. Its threads are its own: what blocks them blocks nobody else.

    Args:
        limits: how much that may be.
    """

    def __init__(self, limits: ServerLimits | None = None) -> None:
        self.limits = limits = limits or ServerLimits()
        self.requests = Slots(limits.requests, "requests", _REQUEST_CURE)
        self.streams = Slots(limits.streams, "streams", _STREAM_CURE)
        self.budget = Budget(limits.buffered_bytes)
        self.functions = WorkerPool("kkjupyter-function", limits.function_threads)
        self.generators = _generator_slots(limits.generator_threads, "generator_threads")

    def connection(self) -> ConnectionLoad:
        """The part of one more connection."""
        return ConnectionLoad(self)

    def unfinished(self) -> Callable[[int], bool]:
        """Counts what one connection has sent of a message that is not complete.

        Returns what is to be told each time how many bytes that is by now, 0 at the end; it says
        whether so much may be held. Where it may not, as all hold too much, the connection ends: to
        wait would be to wait for those who never send the rest.
        """
        share = Share(self.budget)
        told_bytes = 0

        def hold(size_bytes: int) -> bool:
            nonlocal told_bytes
            if not (size_bytes or told_bytes):  # as nearly always: messages come in full
                return True
            told_bytes = size_bytes
            share.hold(size_bytes)
            return size_bytes < _LITTLE_BYTES or not share.is_exhausted

        return hold

    def use(self) -> None:
        """What the current task calls runs in the threads of this server."""
        _runs_in.set((self.functions, None))

    def admit(self, size_bytes: int) -> None:
        """One more request that comes by itself.

        Raises:
            LimitExceeded: that is too much; nothing is counted.
        """
        if not self.budget.fits(size_bytes):
            raise LimitExceeded("buffered_bytes", self.limits.buffered_bytes, _BYTES_CURE)
        self.requests.take()
        self.budget.change(size_bytes)

    def release(self, size_bytes: int) -> None:
        """One that was admitted is over."""
        self.budget.change(-size_bytes)
        self.requests.give_back()


class ConnectionLoad:
    """What a server has to do for one connection. Any thread.

    Args:
        server: of which it is a part.
    """

    def __init__(self, server: ServerLoad) -> None:
        limits = server.limits
        self.server = server
        self.limits = limits
        self.requests = Slots(
            limits.requests_per_connection,
            "requests_per_connection",
            _REQUEST_CURE,
            server.requests,
        )
        self.streams = Slots(
            limits.streams_per_connection, "streams_per_connection", _STREAM_CURE, server.streams
        )
        self.lane = Lane(limits.function_threads_per_connection)
        self.generators = _generator_slots(
            limits.generator_threads_per_connection,
            "generator_threads_per_connection",
            server.generators,
        )
        self._held_bytes = 0
        self._lock = threading.Lock()

    def admit(self, size_bytes: int, streams: int) -> None:
        """One more request, with so many streams among its arguments.

        Raises:
            LimitExceeded: that is too much; nothing is counted.
        """
        limit_bytes = self.limits.buffered_bytes_per_connection
        held_bytes = self._held_bytes  # one alone is bounded by the size of a message
        if limit_bytes is not None and held_bytes and held_bytes + size_bytes > limit_bytes:
            raise LimitExceeded("buffered_bytes_per_connection", limit_bytes, _BYTES_CURE)
        if not self.server.budget.fits(size_bytes):
            raise LimitExceeded("buffered_bytes", self.limits.buffered_bytes, _BYTES_CURE)
        self.requests.take()
        if streams:
            try:
                self.streams.take(streams)
            except LimitExceeded:
                self.requests.give_back()
                raise
        self._hold(size_bytes)

    def release(self, size_bytes: int, streams: int) -> None:
        """One that was admitted is over."""
        self._hold(-size_bytes)
        self.requests.give_back()
        if streams:
            self.streams.give_back(streams)

    def _hold(self, by_bytes: int) -> None:
        with self._lock:
            self._held_bytes += by_bytes
        self.server.budget.change(by_bytes)

    def use(self) -> None:
        """What the current task calls runs in the threads of this connection."""
        _runs_in.set((self.server.functions, self.lane))


def _generator_slots(limit: int | None, name: str, parent: Slots | None = None) -> Slots:
    cure = f"{limit} sync generators are running already; make this one an async generator"
    return Slots(limit, name, cure, parent)


def generator_slots() -> Slots:
    """For the plain generators of one connection that no server has."""
    return _generator_slots(64, "generator_threads_per_connection")


GENERATOR_SLOTS = generator_slots()
"""For those of none."""

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=GENERATOR_SLOTS.forked)

# For functions that no server runs.
_functions = WorkerPool("kkjupyter-function", 32)
_runs_in: contextvars.ContextVar[tuple[WorkerPool, Lane | None]] = contextvars.ContextVar(
    "kkjupyter_runs_in", default=(_functions, None)
)


async def run_function(function: Callable[[], Any]) -> Any:
    """Run a plain function in a thread of the server that the current task works for."""
    pool, lane = _runs_in.get()
    return await pool.run(function, lane)
