"""What a user holds of a call: a Call to await, to loop over, to cancel."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Generator, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn, Self

from kkjupyter.calls.iterators import (
    AsyncCallIterator,
    CallIterator,
    Consumer,
    Unclaimed,
    interrupted,
    raise_if_failed,
)
from kkjupyter.calls.origin import Origin
from kkjupyter.calls.state import CallState, Phase
from kkjupyter.calls.unresolved import NoSuchAttribute, RemoteName, Unresolved
from kkjupyter.errors import CallTimeout, UsageError
from kkjupyter.runtime.loop_threads import io_loop, on_own_loop

__all__ = ["Call", "Consumer", "is_stream"]


def is_stream(value: Any) -> bool:
    """Whether ``value`` is a stream: the one rule, for results and for arguments.

    An async iterable is one, and so is an iterator (a generator, ``map``, an open file). Lists,
    tuples, sets, dicts, strings, bytes, ranges, arrays and data frames are values. A remote name is
    neither: its ``__aiter__`` only says that the ``()`` were forgotten.
    """
    kind = type(value)
    return (hasattr(kind, "__aiter__") or hasattr(kind, "__next__")) and not issubclass(
        kind, RemoteName
    )


class Call(Unresolved):
    """One call, under way since it was made.

    ``await call`` gives the value of a unary call; for a stream it gives the Call itself, opened.
    ``for`` and ``async for`` give the values of a stream as they come; leaving the loop in any way
    cancels the call at once. ``with`` and ``async with`` cancel at their end. A Call does not keep
    the values that were taken. It may be used from any thread, and read by one loop.

    Attributes:
        method: the method's name, as called.
        title: the call as written, shortened.
        id: its number in this process, as ``%rpc status`` shows it.
    """

    def __init__(self, state: CallState) -> None:
        self._state = state
        self._origin: Origin | None = None

    @property
    def method(self) -> str:
        """The method's name, as called (``"math.add"``)."""
        return self._state.method

    @property
    def title(self) -> str:
        """The call as written, shortened (``"math.add(1, 2)"``)."""
        return self._state.title

    @property
    def id(self) -> int:
        """Its number in this process."""
        return self._state.number

    @property
    def state(self) -> Phase:
        """``"waiting"``, ``"streaming"``, ``"done"``, ``"failed"`` or ``"cancelled"``."""
        return self._state.phase

    @property
    def is_open_stream(self) -> bool:
        """Whether it was answered by a stream; one that may be passed on as an argument."""
        return self._state.kind == "stream"

    @property
    def return_value(self) -> Any:
        """What a generator returned, where the protocol carries it; else ``undefined``."""
        return self._state.value

    def cancel(self) -> None:
        """End the call and tell the peer. Returns at once; idempotent; any thread.

        Values that arrived and were not taken are dropped. Whoever waits gets CallCancelled.
        """
        self._state.cancel()

    def throw(self, error: Any) -> Call:
        """Raise ``error`` inside the remote generator, where it stands at a ``yield``.

        Args:
            error: an exception, or any value.

        Returns:
            A call to await: what the generator yields in answer; ``undefined`` if it ends. When it
            raises instead, that is raised, and the stream has failed with it.

        Raises:
            UsageError: this is not a running stream, or the protocol cannot say that (kkrpc 0.x).
        """
        state = self._state
        if state.phase != "streaming":
            raise UsageError(
                f"{state.title} is not a running stream, so nothing can be thrown into it; call "
                "throw() while its values come"
            )
        return Call(state.throw(error))

    def result(self, timeout_s: float | None = None) -> Any:
        """Wait in plain code for the value, or for the list of all items of a stream.

        Args:
            timeout_s: how long to wait, in seconds; then the call is cancelled.

        Raises:
            RemoteError: the remote side failed.
            CallTimeout: the time ran out.
            CallCancelled: somebody cancelled the call.
            ConnectionLost: the connection ended first.
            UsageError: called inside a handler, where it would wait for itself, or the stream
                is read by a loop already.
        """
        state = self._state
        self._origin = None
        if on_own_loop():
            raise UsageError(f"{state.method}: .result() inside a handler; use `await` there")
        deadline_s = None if timeout_s is None else time.monotonic() + timeout_s
        try:
            if not state.wait_blocking(state.answered, timeout_s):
                assert timeout_s is not None
                state.expire(timeout_s)
                if state.error is None:  # the reply is there; what it called back is not through
                    state.jobs.drop()
                    raise CallTimeout(state.method, timeout_s, "end of its callbacks")
            if state.kind == "stream":
                return self._collect(deadline_s, timeout_s)
        except (KeyboardInterrupt, asyncio.CancelledError):
            interrupted(state)
            raise
        raise_if_failed(state)
        return state.value

    def _collect(self, deadline_s: float | None, timeout_s: float | None) -> list[Any]:
        state = self._state
        # Taken as they come: a long stream would otherwise run over its buffer. Held until the end
        # is decided: a loop that is disposed of cancels.
        loop = CallIterator(self._claim(), deadline_s)
        values = list(loop)
        if timeout_s is not None and not state.finished:
            state.expire(timeout_s, "end")
        raise_if_failed(state)
        return values

    def __await__(self) -> Generator[Any, None, Any]:
        return self._answer().__await__()

    async def _answer(self) -> Any:
        state = self._state
        try:
            await state.wait_async(state.answered)
        except BaseException:  # CancelledError above all: the cell was interrupted
            state.cancel()
            state.look()  # nobody waits any more: a failure meanwhile needs no report
            raise
        if state.kind == "stream":
            return self
        self._origin = None
        raise_if_failed(state)
        return state.value

    def __iter__(self) -> Iterator[Any]:
        if on_own_loop():
            raise UsageError(f"{self.method}: plain `for` inside a handler; use `async for` there")
        return CallIterator(self._unclaimed())

    def __aiter__(self) -> AsyncIterator[Any]:
        return AsyncCallIterator(self._unclaimed())

    def made_by(self, origin: Origin) -> None:
        """Note what it was made of, until somebody takes its outcome."""
        self._origin = origin

    @property
    def origin(self) -> Origin | None:
        """What it was made of; None if that is not known, or its outcome was taken."""
        return self._origin

    def consume(self) -> Consumer:
        """Take the one loop this call has, without waiting: for views.

        Raises:
            UsageError: the call is read by a loop already.
        """
        return Consumer(self._claim())

    def _unclaimed(self) -> Unclaimed:
        if self._state.claimed:
            raise self._read_already()
        return Unclaimed(self._claim)

    def _claim(self) -> CallState:
        self._origin = None  # its arguments may be large
        if not self._state.claim():
            raise self._read_already()
        return self._state

    def _read_already(self) -> UsageError:
        return UsageError(
            f"{self._state.method}: this stream is already being read; its values go to one loop. "
            "Call the method again for a second stream"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.cancel()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.cancel()

    def __getitem__(self, key: object) -> NoReturn:
        raise UsageError(self._kk_hint())

    if not TYPE_CHECKING:  # type checkers should still find misspelt names

        def __getattr__(self, name):
            if name.startswith("_"):  # Python and IPython probe many
                raise AttributeError(f"a Call has no attribute {name!r}")
            raise NoSuchAttribute(f"a Call has no attribute {name!r}: {self._kk_hint()}")

    def _kk_hint(self) -> str:
        if self._state.kind == "stream":
            return (
                f"{self.title} is a stream, not a list; loop over it, or collect it with .result()"
            )
        return f"{self.title} is a call, not its value; `await` it or use .result()"

    def __repr__(self) -> str:
        return f"<Call {self.id} {self.title}: {self.state}>"

    def __del__(self) -> None:
        if io_loop is None:  # so late in a program's end that modules have no names any more
            return
        state = self.__dict__.get("_state")
        if state is not None and not (state.over and state.error is None):
            io_loop().post(state.abandon)
