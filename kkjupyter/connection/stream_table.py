"""The streams of ours that the peer of one connection can address."""

from __future__ import annotations

import asyncio
import contextvars

from kkjupyter.connection.outgoing_streams import OutgoingStream
from kkjupyter.connection.send_queue import SendQueue
from kkjupyter.errors import RemoteError
from kkjupyter.limits import Slots, generator_slots
from kkjupyter.runtime.loop_threads import handler_loop, io_loop
from kkjupyter.wire.events import Cancelled, Credited, Thrown
from kkjupyter.wire.kkrpc.base import Protocol
from kkjupyter.wire.kkrpc.compact.errors import unknown_stream

__all__ = ["OutgoingStreams"]


class OutgoingStreams:
    """The streams of one connection that the peer can address. I/O loop only.

    Args:
        protocol: makes the messages.
        send_queue: takes them.
        slots: how many of them may run in threads of their own; as many as for one client if None.
    """

    def __init__(
        self, protocol: Protocol, send_queue: SendQueue, slots: Slots | None = None
    ) -> None:
        self.slots = slots or generator_slots()
        self.is_ending = False
        """Whether the connection is about to end: that will tell the peer about its streams."""
        self._protocol = protocol
        self._send_queue = send_queue
        self._streams: dict[str, OutgoingStream] = {}

    def __len__(self) -> int:
        return len(self._streams)

    def add(self, stream: OutgoingStream) -> None:
        """The peer may now address this one, until it is over."""
        self._streams[stream.stream_id] = stream

    def discard(self, stream: OutgoingStream) -> None:
        """The peer has no more to say to this one."""
        if self._streams.get(stream.stream_id) is stream:
            del self._streams[stream.stream_id]

    def start(self, stream: OutgoingStream, context: contextvars.Context) -> None:
        """Move a stream that nothing else runs, in ``context``: an argument of a call of ours."""
        self.add(stream)
        handler_loop().post(self._start, stream, context)

    def _start(self, stream: OutgoingStream, context: contextvars.Context) -> None:
        loop = asyncio.get_running_loop()
        task = loop.create_task(stream.run(), context=context)
        task.add_done_callback(lambda _: io_loop().post(self.discard, stream))

    def credited(self, event: Credited) -> None:
        """The peer pulls."""
        stream = self._streams.get(event.stream_id)
        if stream is not None and not stream.over:
            stream.credited(event.count)
        else:
            self._unknown(event, stream)

    def thrown(self, event: Thrown) -> None:
        """The peer raises an error inside one."""
        stream = self._streams.get(event.stream_id)
        if stream is not None and not stream.over:
            stream.thrown(event.control_id, event.error)
        else:
            self._unknown(event, stream)

    def cancelled(self, event: Cancelled) -> bool:
        """The peer no longer wants one; False when there is none of that id."""
        stream = self._streams.get(event.stream_id)
        if stream is None:
            return False
        stream.cancel(event.control_id, event.value)
        return True

    def stumbled(self, event: Credited | Thrown | Cancelled, error: RemoteError) -> None:
        """Handling this failed, by a fault of this side's: the stream is over.

        Without the credit the peer would wait for its next value for ever.
        """
        stream = self._streams.get(event.stream_id)
        if stream is not None:
            if isinstance(event, Cancelled):
                stream.cancel()
            else:
                stream.fail(error)
        if event.control_id:
            self._send_queue.put(
                self._protocol.fail_control(
                    event.control_id, event.stream_id, error, self._protocol.codec
                )
            )

    def close(self) -> None:
        """The connection is gone: end them all."""
        for stream in list(self._streams.values()):
            stream.cancel()
        self._streams.clear()

    def _unknown(self, event: Credited | Thrown, stream: OutgoingStream | None) -> None:
        if stream is None:
            self._answer_unknown(event)
        else:
            # Its task is just ending it, or has. The end is not always in the send queue yet, and
            # must come first: to its reader an error before the end is how the stream ended.
            handler_loop().post(io_loop().post, self._answer_unknown, event)

    def _answer_unknown(self, event: Credited | Thrown) -> None:
        if self.is_ending:
            return
        error = unknown_stream(event.stream_id)
        self._send_queue.put(
            self._protocol.fail_control(
                event.control_id, event.stream_id, error, self._protocol.codec
            )
        )
