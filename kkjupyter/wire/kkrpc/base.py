"""The interface of a protocol.

A protocol is sans-I/O: :meth:`Protocol.receive` turns what arrived into events; every other method
returns the bytes of one message, which ends in a line end and is sent as one frame. These methods
hold no state, so any thread may call them.
"""

from __future__ import annotations

import typing
from collections.abc import Sequence
from typing import Any, Literal

from kkjupyter.errors import RemoteError
from kkjupyter.wire.events import Event, Operation, Refusal, Requested
from kkjupyter.wire.values.javascript import undefined

__all__ = ["Codec", "Protocol"]

Codec = Literal["json", "superjson"]


class Protocol(typing.Protocol):
    """One side of one connection.

    An answer is sent in the ``codec`` of what it answers. Methods that take
    a user's value raise :class:`~kkjupyter.errors.EncodeError` when it cannot be put on the wire;
    its ``path`` says which part.

    Attributes:
        name: ``"classic"`` (kkrpc 0.x) or ``"compact"`` (kkrpc 2.x).
        codec: the codec of messages that are not answers.
        held_bytes: how many bytes of an unfinished message are held.
        has_credit: whether streams are pulled: a value, the end and an error each cost the producer
            one credit. Such a protocol also carries streams as arguments, errors thrown into a
            generator, acknowledgements, return values and releases of callbacks; other protocols
            raise UsageError for these.
    """

    name: str
    codec: Codec
    has_credit: bool

    @property
    def held_bytes(self) -> int: ...

    def receive(self, chunks: Sequence[bytes], *, whole: bool = False) -> list[Event]:
        """Take received bytes; return their events, in order.

        Args:
            chunks: in order; a message may be split over several, and one may hold several
                messages.
            whole: whether each chunk is one frame of a transport that keeps boundaries.

        Raises:
            MessageTooBig: an unfinished message is over the limit; the connection cannot go on.
        """

    def read_frame(self, frame: bytes) -> Event | None:
        """The events of a frame of many lines, if it is one message; else each line may be one.

        Args:
            frame: a frame of a transport that keeps boundaries.
        """

    def new_id(self) -> str:
        """A fresh id for a call, a stream, a control or a callback."""

    # ---- requests

    def request(
        self,
        call_id: str,
        operation: Operation,
        path: Sequence[str],
        args: Sequence[Any] = (),
        value: Any = undefined,
        meta: dict[str, Any] | None = None,
    ) -> bytes:
        """A request; among ``args`` a function is given as a CallbackRef, a stream as a StreamRef.

        Args:
            call_id: from :meth:`new_id`.
            operation: what to do: call, new, get or set.
            path: the name, in parts.
            args: for ``call`` and ``new``.
            value: for ``set``.
            meta: data about the call, if any.
        """

    def pull(self, stream_id: str, count: int) -> bytes:
        """Grant the peer's stream ``count`` credits."""

    def cancel(self, target_id: str) -> bytes:
        """Tell the peer that a stream, or the answer to a call, is no longer wanted."""

    def throw(self, control_id: str, stream_id: str, error: Any) -> bytes:
        """Raise ``error``, an exception or any value, inside the generator behind a stream."""

    def release_callbacks(self, callback_ids: Sequence[str]) -> bytes:
        """Tell the peer that these functions of its are no longer held."""

    # ---- answers

    def reply(self, call_id: str, value: Any, codec: str) -> bytes:
        """The value of a call."""

    def open_stream(self, call_id: str, stream_id: str, codec: str) -> bytes:
        """The answer to a call whose value is a stream."""

    def item(self, stream_id: str, value: Any, codec: str) -> bytes:
        """One value of a stream."""

    def end(self, stream_id: str, value: Any, codec: str) -> bytes:
        """The end of a stream, with its return value where the protocol carries one."""

    def refuse(self, request: Requested, reason: Refusal, at: int = 0) -> bytes:
        """The protocol's own error to a request, in the peers' words.

        Args:
            request: the request that is refused.
            reason: why it cannot be done.
            at: the index of the part of the path that is at fault.
        """

    def fail_call(self, call_id: str, error: RemoteError, codec: str) -> bytes:
        """The error that a call ended with."""

    def fail_stream(self, stream_id: str, error: RemoteError, codec: str) -> bytes:
        """The error that a stream ended with."""

    def acknowledge(
        self, control_id: str, stream_id: str, value: Any, codec: str, *, done: bool = True
    ) -> bytes:
        """A cancel or a throw of the peer's was carried out; see Acknowledged."""

    def fail_control(
        self, control_id: str, stream_id: str, error: RemoteError, codec: str
    ) -> bytes:
        """A pull, cancel or throw of the peer's could not be carried out, or raised ``error``."""

    def invoke_callback(self, callback_id: str, args: Sequence[Any], codec: str) -> bytes:
        """Call a function that the peer passed; it sends no answer."""
