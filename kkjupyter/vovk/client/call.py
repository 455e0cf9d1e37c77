"""A call of a Vovk handler: a Call that also has the HTTP status of its answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kkjupyter.calls.buffer import BatchBuffer
from kkjupyter.calls.call import Call
from kkjupyter.calls.state import CallBackend, CallState
from kkjupyter.runtime.loop_threads import io_loop

__all__ = ["VovkCall", "VovkState"]


class VovkState(CallState):
    """See :class:`~kkjupyter.calls.state.CallState`.

    Args:
        method: the name as called.
        title: what to show for it.
        backend: takes it to the peer.
        made: the calls that it is made of, if any; the newest has its status.
        limits: ``timeout_s`` and ``idle_timeout_s``.

    Attributes:
        made: see above.
    """

    buffer: BatchBuffer

    def __init__(
        self,
        method: str,
        title: str,
        backend: CallBackend,
        *,
        made: Sequence[CallState] = (),
        **limits: float | None,
    ) -> None:
        super().__init__(method, title, "", backend, **limits)
        self.buffer = BatchBuffer()
        self.made = made
        self._status: int | None = None

    @property
    def status(self) -> int | None:
        """The HTTP status of the answer, or None before it."""
        inner = self.made[-1] if self.made else None
        return inner.status if isinstance(inner, VovkState) else self._status

    @status.setter
    def status(self, status: int) -> None:
        self._status = status

    def put_many(self, values: list[Any], size_bytes: int) -> bool:
        """Like :meth:`put`, for values that arrived together."""
        return self.phase == "streaming" and self.buffer.put_many(values, size_bytes)

    def take(self) -> Any:
        buffer = self.buffer
        if not buffer.batch:
            buffer.next_batch()
            if self.phase == "cancelled":  # perhaps only now, in another thread
                buffer.clear()
                raise IndexError
            if self.backend.reading_paused and buffer.below_low_mark:
                io_loop().post(self.backend.reconsider_reading)
        return buffer.batch.pop()


class VovkCall(Call):
    """What a call of a Vovk handler returns; see :class:`~kkjupyter.calls.call.Call`.

    ``resp = await api.HelloRPC.streamTokens(isStream=True)`` is this call, opened: it has
    ``resp.status``, ``resp.cancel()`` and ``async for item in resp``.
    """

    _state: VovkState

    @property
    def status(self) -> int | None:
        """The HTTP status of the answer; None before the answer, or if it has none."""
        return self._state.status
