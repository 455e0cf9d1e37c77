"""Makes calls to one peer, over any kind of connection."""

from __future__ import annotations

import concurrent.futures
import contextvars
import itertools
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from kkjupyter.calls.call import Call, is_stream
from kkjupyter.calls.callbacks import CallbackRegistry
from kkjupyter.calls.state import CallState
from kkjupyter.calls.titles import Title
from kkjupyter.calls.unresolved import RemoteName
from kkjupyter.client.descriptions import MethodDescription, read_method, read_names
from kkjupyter.connection.outgoing_call import OutgoingCall
from kkjupyter.errors import KKError, UsageError
from kkjupyter.runtime.loop_threads import io_loop, on_own_loop
from kkjupyter.traces.recorder import Recorder
from kkjupyter.wire.events import CallbackRef, Operation, StreamRef
from kkjupyter.wire.kkrpc.base import Protocol
from kkjupyter.wire.values.javascript import undefined
from kkjupyter.wire.values.normalize import SCALARS

__all__ = ["Caller", "ProtocolCaller"]

_numbers = itertools.count(1)

_SHORT_BYTES = 1024

# Whoever looks at a name waits so long for what its server says of it, once.
_LOOK_S = 0.3
# So many descriptions are kept.
_DESCRIPTIONS = 1_000


class Caller:
    """One connection as its user sees it; a :class:`~kkjupyter.client.remote.Remote` is built on
    it.

    Args:
        url: the address without secrets, for messages.
        timeout_s: the default limit for the reply of a call, in seconds.
        idle_timeout_s: the default limit for the next item of a stream, in seconds.
        methods: names of the other side's methods, for completion and the repr.
        meta: called for each call; its result is sent with the call.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout_s: float | None = None,
        idle_timeout_s: float | None = None,
        methods: Sequence[str] = (),
        meta: Callable[[], Mapping[str, Any] | None] | None = None,
    ) -> None:
        self.number = next(_numbers)
        self.url = url
        self.closed = False
        self.timeout_s = timeout_s
        self.idle_timeout_s = idle_timeout_s
        self.methods = list(methods)
        self.recorder = Recorder(url)
        self._meta = meta

    @property
    def protocol(self) -> str:
        """The name of the protocol."""
        raise NotImplementedError

    @property
    def codec(self) -> str:
        """The codec of what is sent."""
        raise NotImplementedError

    @property
    def state(self) -> str:
        """``"open"``, ``"connecting"``, ``"lost: reason"`` or ``"closed"``.

        Over HTTP ``"open"`` means that a request is running, ``"idle"`` that none is, and ``"last
        call failed: reason"`` that the last one did not reach the server, or lost it.
        """
        raise NotImplementedError

    @property
    def calls(self) -> list[CallState]:
        """Running calls, oldest first."""
        raise NotImplementedError

    async def connect(self) -> None:
        """Check that the other side can be reached. I/O loop only."""
        raise NotImplementedError

    async def close(self) -> None:
        """Cancel what runs and close. I/O loop only; idempotent."""
        raise NotImplementedError

    def forked(self) -> None:
        """Forget the parent's connection in a forked process.

        Running calls fail here; the next one connects again.
        """

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
            UsageError: the connection was closed, or an argument cannot be sent.
        """
        method = ".".join(path)
        self._check_open(method)
        return self._call(
            operation,
            method,
            path,
            args,
            kwargs or {},
            value,
            self.timeout_s if timeout_s is None else timeout_s,
            self.idle_timeout_s if idle_timeout_s is None else idle_timeout_s,
        )

    def method_names(self) -> list[str]:
        """The dotted names known to exist there. Where none are, the server may be asked.

        Any thread; waits 0.3 s at most, and not again for what was asked before.
        """
        return self.methods

    def description(self, path: Sequence[str]) -> MethodDescription | None:
        """How to call what is at ``path``, as far as the server tells; as :meth:`method_names`."""
        return None

    def _call(
        self,
        operation: Operation,
        method: str,
        path: Sequence[str],
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        value: Any,
        timeout_s: float | None,
        idle_timeout_s: float | None,
    ) -> Call:
        """Make a call and send it: :meth:`call`, with the limits that hold for it."""
        raise NotImplementedError

    def _check_open(self, method: str) -> None:
        if self.closed:
            raise UsageError(f"{method}: the connection to {self.url} is closed; connect again")

    def _meta_of_call(self, method: str) -> dict[str, Any] | None:
        if self._meta is None:
            return None
        meta = self._meta()
        if meta is not None and not isinstance(meta, Mapping):
            raise UsageError(
                f"{method}: meta() returned {type(meta).__name__}; it must return a dict or None"
            )
        return dict(meta) if meta else None


class ProtocolCaller(Caller):
    """Makes calls as messages of a kkrpc protocol; subclasses send them.

    Args:
        url: the address without secrets, for messages.
        functions: the functions that the peer may call back.
        options: see :class:`Caller`.
    """

    def __init__(self, url: str, functions: CallbackRegistry, **options: Any) -> None:
        super().__init__(url, **options)
        self._functions = functions
        # Calls that the I/O loop has not begun to send.
        self._posted: deque[CallState] = deque()
        # Whether the peer binds keyword arguments by name; None until it was asked.
        self._binds_names: bool | None = None
        # What was asked about methods: for each question its answer, or one that may yet come.
        self._looks: dict[tuple[str, ...], concurrent.futures.Future[Any]] = {}

    # ---- what a subclass defines

    @property
    def wire(self) -> Protocol:
        """The protocol that encodes the calls."""
        raise NotImplementedError

    def _send(self, call: OutgoingCall) -> None:
        """Send it to the peer; its outcome goes to ``call.state``. I/O loop only."""
        raise NotImplementedError

    def _send_here(self, call: OutgoingCall) -> bool:
        """Send it in the current thread, if that is possible at once.

        Any thread. Returns whether it was sent. If not, nothing was done: call :meth:`_send`.
        """
        return False

    @property
    def _can_ask(self) -> bool:
        """Whether the server may be asked about its methods now. Any thread."""
        return False

    async def _ask_about(self, *args: Any) -> Any:
        """What a server of ours answers; None from any other. I/O loop only."""
        raise NotImplementedError

    # ---- looking at names

    def method_names(self) -> list[str]:
        if not self.methods and (found := read_names(self._look("names"))):
            self.methods = found
        return self.methods

    def description(self, path: Sequence[str]) -> MethodDescription | None:
        return read_method(self._look("method", *path))

    def _look(self, kind: str, *path: str) -> Any:
        """What the server says, or None if that is not known now."""
        look = self._looks.get((kind, *path))
        if look is None:
            if not self._can_ask or self._binds_names is False or on_own_loop():
                return None
            if len(self._looks) >= _DESCRIPTIONS:
                self._looks.clear()
            question = (kind, list(path)) if path else (kind,)
            look = io_loop().submit(self._ask_about(*question))
            self._looks[kind, *path] = look
            concurrent.futures.wait([look], _LOOK_S)
        if not look.done() or look.cancelled():
            return None
        error = look.exception()
        if error is not None and not isinstance(error, KKError):
            raise error
        return None if error is not None else look.result()

    # ---- the backend of its calls; I/O loop only, save the property

    @property
    def reading_paused(self) -> bool:
        """Whether reading has stopped because a buffer is full."""
        raise NotImplementedError

    def cancel_call(self, state: CallState) -> None:
        """Tell the peer that the answer is no longer wanted."""
        raise NotImplementedError

    def reconsider_reading(self) -> None:
        """Decide again whether to read: a new waiter has come, or a buffer has room."""
        raise NotImplementedError

    def pull(self, state: CallState) -> None:
        """Grant the peer the credit that is due for this stream."""
        raise NotImplementedError

    def throw(self, state: CallState, error: Any) -> CallState:
        """Raise ``error`` inside the generator behind a stream; any thread."""
        raise NotImplementedError

    # ---- what its users see

    @property
    def protocol(self) -> str:
        return self.wire.name

    @property
    def codec(self) -> str:
        return self.wire.codec

    def _call(
        self,
        operation: Operation,
        method: str,
        path: Sequence[str],
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        value: Any,
        timeout_s: float | None,
        idle_timeout_s: float | None,
    ) -> Call:
        protocol = self.wire
        title = Title(operation, method, args, kwargs, value)
        state = CallState(
            method,
            title,
            protocol.new_id(),
            self,
            timeout_s=timeout_s,
            idle_timeout_s=idle_timeout_s,
        )
        call = OutgoingCall(
            state,
            operation,
            tuple(path),
            [*args, dict(kwargs)] if kwargs else list(args),
            value,
            self._meta_of_call(method),
            {},
            contextvars.copy_context(),
            has_keywords=bool(kwargs),
            binds_names=bool(kwargs and self._binds_names),
        )
        are_scalars = SCALARS.issuperset(map(type, call.args)) and value is undefined
        try:
            if not are_scalars:
                str(title)  # now, because the argument may change
                for index, arg in enumerate(call.args):
                    call.args[index] = self._wire_arg(arg, index, call, protocol)
            call.encode(protocol)
        except BaseException:
            self._functions.never_sent(call.function_ids, protocol)
            raise
        if are_scalars and len(call.frame) > _SHORT_BYTES:
            str(title)  # now: it need not hold what is long
        state.observer = self.recorder.begin(
            state.number, title, f"{protocol.name}, {protocol.codec}", state.buffer
        )
        # First of all: what Ctrl-C leaves behind here is then recognized as dropped.
        handle = Call(state)
        try:
            is_sent = not (call.streams or state.has_functions) and self._send_here(call)
        except BaseException:
            state.cancel()
            raise
        if not is_sent:
            self._posted.append(state)
            io_loop().post(self._send_or_fail, call)
        return handle

    def _send_or_fail(self, call: OutgoingCall) -> None:
        if self._posted:  # a fork has forgotten the parent's
            self._posted.popleft()
        try:
            self._send(call)
        except Exception as error:
            # A fault of this side's: nobody may wait for it for ever.
            call.state.failed(error)
            call.close_streams()
            raise

    def _wire_arg(self, arg: Any, index: int, call: OutgoingCall, protocol: Protocol) -> Any:
        state = call.state
        if isinstance(arg, Call) and not arg.is_open_stream:
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
            stream_id = protocol.new_id()
            call.streams[stream_id] = arg
            return StreamRef(stream_id)
        if callable(arg) and not isinstance(arg, type):
            state.has_functions = True
            return CallbackRef(self._functions.add(arg, state, protocol))
        return arg
