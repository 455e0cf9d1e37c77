"""Calls in the other direction: from a server to what its client exposes, or the reverse."""

from __future__ import annotations

from typing import Any

from kkjupyter.calls.state import CallState
from kkjupyter.client.caller import ProtocolCaller
from kkjupyter.connection.channel import Channel
from kkjupyter.connection.outgoing_call import OutgoingCall
from kkjupyter.errors import BufferOverflow
from kkjupyter.wire.kkrpc.base import Protocol

__all__ = ["ReverseCaller"]


class ReverseCaller(ProtocolCaller):
    """Makes calls over a channel that the peer has opened. It ends with the channel.

    Args:
        channel: an open channel.
    """

    def __init__(self, channel: Channel) -> None:
        super().__init__(channel.url, channel.functions)
        self._channel = channel

    @property
    def wire(self) -> Protocol:
        return self._channel.protocol

    @property
    def state(self) -> str:
        return "open" if self._channel.is_open else f"lost: {self._channel.close_reason}"

    @property
    def calls(self) -> list[CallState]:
        return sorted(self._channel.calls.under_way, key=lambda state: state.number)

    async def close(self) -> None:
        await self._channel.close()

    def _send(self, call: OutgoingCall) -> None:
        state = call.state
        state.start_timer()
        channel = self._channel
        channel.trace_with(self.recorder)
        if channel.send_queue.full:
            try:
                channel.send_queue.check_room(len(call.frame), state.method)
            except BufferOverflow as error:
                state.failed(error)
                call.close_streams()
                return
        channel.start(call)

    @property
    def reading_paused(self) -> bool:
        return self._channel.calls.reading_paused

    def cancel_call(self, state: CallState) -> None:
        state.stop_timer()
        self._channel.calls.cancel_call(state)

    def reconsider_reading(self) -> None:
        self._channel.calls.reconsider_reading()

    def pull(self, state: CallState) -> None:
        self._channel.calls.pull(state)

    def throw(self, state: CallState, error: Any) -> CallState:
        return self._channel.calls.throw(state, error)
