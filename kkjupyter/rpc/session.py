"""A connection as the user has it: where it leads, and a channel that is made anew after a loss."""

from __future__ import annotations

import asyncio
import copy
import itertools
import threading
import weakref
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from kkjupyter.errors import EncodeError, KKError, UsageError
from kkjupyter.rpc.call import Call, is_stream
from kkjupyter.rpc.callbacks import PassedFunctions
from kkjupyter.rpc.callstate import CallState
from kkjupyter.rpc.channel import Channel
from kkjupyter.rpc.checks import check_choice, check_seconds
from kkjupyter.rpc.novalue import RemoteName
from kkjupyter.rpc.portal import io_loop
from kkjupyter.rpc.titles import title_of
from kkjupyter.transports.base import Transport
from kkjupyter.wire.classic import CODECS, Classic, Codec
from kkjupyter.wire.events import CallbackRef, Operation
from kkjupyter.wire.values import undefined

__all__ = ["PROTOCOLS", "Session", "open_sessions"]

PROTOCOLS = ("classic",)

_numbers = itertools.count(1)
_sessions: weakref.WeakSet[Session] = weakref.WeakSet()
_sessions_lock = threading.Lock()


def open_sessions() -> list[Session]:
    """Every session that is not closed, oldest first."""
    with _sessions_lock:  # a set that grows cannot be walked
        sessions = list(_sessions)
    return sorted((s for s in sessions if not s.closed), key=lambda s: s.number)


class Session:
    """Calls to one address.

    The first channel is made by :meth:`connect`. When it is lost, calls under way fail and are not
    sent again; the next call makes a new channel.

    Args:
        url: where to, without secrets, for messages.
        dial: makes a new transport; called on the I/O loop.
        protocol: one of :data:`PROTOCOLS`; None for the first.
        codec: of the messages sent, ``"superjson"`` if None; answers are read in either.
        timeout_s: for the reply of every call that says nothing else.
        idle_timeout_s: for the next item of every call that says nothing else.
        methods: names known to exist there, for completion and the card.

    Raises:
        UsageError: an argument cannot be right.
    """

    def __init__(
        self,
        url: str,
        dial: Callable[[], Awaitable[Transport]],
        *,
        protocol: str | None = None,
        codec: str | None = None,
        timeout_s: float | None = None,
        idle_timeout_s: float | None = None,
        methods: Sequence[str] = (),
    ) -> None:
        check_choice("protocol", protocol, PROTOCOLS)
        check_choice("codec", codec, CODECS)
        check_seconds("timeout_s", timeout_s)
        check_seconds("idle_timeout_s", idle_timeout_s)
        self.number = next(_numbers)
        self.url = url
        self.codec: Codec = "json" if codec == "json" else "superjson"
        self.closed = False
        self.timeout_s = timeout_s
        self.idle_timeout_s = idle_timeout_s
        self.methods = list(methods)
        self._protocol = Classic(self.codec)
        self._functions = PassedFunctions(self._protocol.new_id)
        self._dial = dial
        self._channel: Channel | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._unsent: list[tuple[CallState, bytes]] = []
        with _sessions_lock:
            _sessions.add(self)

    def __del__(self) -> None:
        # Nobody can call any more, and no call is under way: that would hold the session. Functions
        # passed for good (a subscription) keep the connection.
        channel = self.__dict__.get("_channel")
        if channel is not None and channel.is_open and not self._functions.called_late:
            io_loop().post(channel.abort)

    # ---- what users of a session see

    @property
    def protocol(self) -> str:
        """The protocol spoken."""
        return self._protocol.name

    @property
    def state(self) -> str:
        """``"open"``, ``"connecting"``, ``"lost: reason"`` or ``"closed"``."""
        channel = self._channel
        if self.closed:
            return "closed"
        if channel is not None and channel.is_open:
            return "open"
        if self._connecting is not None or channel is None:
            return "connecting"
        return f"lost: {channel.close_reason}; the next call connects again"

    @property
    def calls(self) -> list[CallState]:
        """Calls under way, oldest first."""
        states = [state for state, _ in list(self._unsent)]
        if self._channel is not None:
            states += list(self._channel.calls.values())
        return sorted(states, key=lambda state: state.number)

    def call(
        self,
        operation: Operation,
        path: Sequence[str],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        *,
        value: Any = undefined,
        timeout_s: float | None = None,
        idle_timeout_s: float | None = None,
    ) -> Call:
        """Make a call and send it. Any thread; returns at once.

        Raises:
            EncodeError: an argument cannot be put on the wire; nothing was sent.
            UsageError: the connection was closed, or an argument is a stream.
        """
        method = ".".join(path)
        if self.closed:
            raise UsageError(f"{method}: the connection to {self.url} is closed; connect again")
        sent_args = [*args, dict(kwargs)] if kwargs else list(args)
        title = title_of(operation, method, args, kwargs or {}, value)
        state = CallState(
            method,
            title,
            self._protocol.new_id(),
            self,
            timeout_s=self.timeout_s if timeout_s is None else timeout_s,
            idle_timeout_s=self.idle_timeout_s if idle_timeout_s is None else idle_timeout_s,
        )
        wire_args = [self._wire_arg(arg, index, state) for index, arg in enumerate(sent_args)]
        try:
            frame = self._protocol.request(state.call_id, operation, path, wire_args, value)
        except EncodeError as error:
            error.method = method
            raise
        io_loop().post(self._send, state, frame)
        return Call(state)

    def _wire_arg(self, arg: Any, index: int, state: CallState) -> Any:
        if isinstance(arg, Call):
            raise UsageError(
                f"{state.method}: argument {index + 1} is the call {arg.title}, not its value; "
                "`await` it first, or use .result()"
            )
        if isinstance(arg, RemoteName):
            raise UsageError(
                f"{state.method}: argument {index + 1} is a remote name, not a value; "
                "get its value first: await it, or kk.get(...)"
            )
        if is_stream(arg):
            raise UsageError(
                f"{state.method}: argument {index + 1} is a stream ({type(arg).__name__}), and the "
                "classic protocol carries values only; pass a list instead"
            )
        if callable(arg) and not isinstance(arg, type):
            state.has_functions = True
            return CallbackRef(self._functions.add(arg, state))
        return arg

    async def connect(self) -> None:
        """Make the first channel. I/O loop only.

        Raises:
            ConnectError: it cannot be made.
        """
        try:
            self._use(await self._dial())
        except BaseException:
            self.closed = True  # nobody gets it
            raise

    async def close(self) -> None:
        """Cancel what runs and close. I/O loop only; idempotent."""
        self.closed = True
        if self._connecting is not None:
            self._connecting.cancel()
        unsent, self._unsent = self._unsent, []
        for state, _ in unsent:
            state.cancel()
        if self._channel is not None:
            await self._channel.close()

    # ---- what calls ask of their carrier

    @property
    def reading_paused(self) -> bool:
        """Whether the channel has stopped reading because a buffer is full."""
        channel = self._channel
        return channel is not None and channel.reading.paused

    def cancel_call(self, state: CallState) -> None:
        state.stop_timer()
        if state.phase == "cancelled":
            state.buffer.clear()  # once more: here nothing is put meanwhile
        self._unsent = [entry for entry in self._unsent if entry[0] is not state]
        if self._channel is not None:
            self._channel.cancel_call(state)

    def reconsider_reading(self) -> None:
        if self._channel is not None:
            self._channel.reading.reconsider()

    # ---- I/O loop only

    def _send(self, state: CallState, frame: bytes) -> None:
        if self.closed:  # since the call was made
            state.cancel()
            return
        if state.timeout_s is not None:
            state.timer = asyncio.get_running_loop().call_later(
                state.timeout_s, state.expire_reply, state.timeout_s
            )
        if self._channel is not None and self._channel.is_open:
            self._channel.start(state, frame)
        else:
            self._unsent.append((state, frame))
            if self._connecting is None:
                self._connecting = asyncio.get_running_loop().create_task(self._reconnect())

    async def _reconnect(self) -> None:
        try:
            self._use(await self._dial())
        except KKError as error:
            self._fail_unsent(error)
        except Exception as error:
            # Whatever a transport forgot to translate: nobody may wait for it for ever.
            self._fail_unsent(error)
            raise
        else:
            unsent, self._unsent = self._unsent, []
            for state, frame in unsent:
                assert self._channel is not None
                self._channel.start(state, frame)
        finally:
            self._connecting = None

    def _fail_unsent(self, error: Exception) -> None:
        unsent, self._unsent = self._unsent, []
        for state, _ in unsent:
            state.failed(copy.copy(error))  # each raises its own, maybe at the same time

    def _use(self, transport: Transport) -> None:
        self._channel = Channel(transport, Classic(self.codec), functions=self._functions)
        self._channel.open()
