"""The events that a peer's messages become, the same in every protocol.

A protocol turns received bytes into these events; their form on the wire is not known here.
The names say what happened, as seen from this side. ``call_id`` and ``stream_id`` are the
peer's or our own ids, as text; in the classic protocol a stream carries the id of its call.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from kkjupyter.errors import KKError

__all__ = [
    "Acknowledged",
    "CallbackInvoked",
    "CallbackRef",
    "CallbacksReleased",
    "Cancelled",
    "Closing",
    "Credited",
    "Ended",
    "Event",
    "Failed",
    "Item",
    "NotUnderstood",
    "Opened",
    "Operation",
    "Refusal",
    "Replied",
    "Requested",
    "StreamRef",
    "Thrown",
]

Operation = Literal["call", "get", "set", "new"]
Refusal = Literal[
    "missing", "not_callable", "not_exposed", "no_path", "no_api", "read_only", "not_writable"
]


class CallbackRef(msgspec.Struct, frozen=True):
    """Stands for a function in a message."""

    id: str


class StreamRef(msgspec.Struct, frozen=True):
    """Stands for a stream in a message."""

    id: str


class Replied(msgspec.Struct, gc=False):
    """A call of ours got its value."""

    call_id: str
    value: Any


class Opened(msgspec.Struct, gc=False):
    """A call of ours is answered by a stream; items follow."""

    call_id: str
    stream_id: str


class Item(msgspec.Struct, gc=False):
    """The next value of a stream.

    ``size_bytes`` is its size on the wire, or, for a large value, the memory that it may take.
    """

    stream_id: str
    value: Any
    size_bytes: int


class Ended(msgspec.Struct, gc=False):
    """A stream is complete; ``value`` is its return value where the protocol carries one."""

    stream_id: str
    value: Any


class Failed(msgspec.Struct):
    """A call, or a stream after it opened, ended with an error."""

    id: str
    error: KKError


class _Measured(msgspec.Struct):
    """A message whose receiver may have to keep it.

    ``size_bytes`` is the memory that it may take, or, for a short message, its size on the wire.

    Messages with the same content are equal, whatever their size.
    """

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return _said(self) == _said(other)

    def __ne__(self, other: object) -> bool:  # the generated one would compare the sizes
        return not self == other


def _said(event: msgspec.Struct) -> list[Any]:
    return [getattr(event, name) for name in event.__struct_fields__ if name != "size_bytes"]


class Requested(_Measured):
    """The peer asks for something of ours.

    ``args`` holds :class:`CallbackRef` where the peer passed a function and :class:`StreamRef`
    where it passed a stream; ``value`` is set for ``set`` only. ``codec`` is the codec of the
    request and of its answer. ``meta`` is the peer's data about the call, if any.
    """

    call_id: str
    operation: Operation
    path: tuple[str, ...]
    args: list[Any]
    value: Any
    codec: str
    meta: dict[str, Any] | None = None
    size_bytes: int = 0


class Credited(msgspec.Struct, gc=False):
    """The peer accepts ``count`` more values of a stream of ours, or its end."""

    stream_id: str
    count: int
    control_id: str


class Cancelled(msgspec.Struct):
    """The peer no longer wants a stream of ours, or the answer to a call.

    If the protocol acknowledges that, ``control_id`` is set and ``value`` is the return value that
    the peer asks for.
    """

    stream_id: str
    control_id: str = ""
    value: Any = None


class Thrown(msgspec.Struct):
    """The peer raises an error inside a generator of ours; ``error`` is the value as it arrived."""

    stream_id: str
    control_id: str
    error: Any


class Acknowledged(msgspec.Struct):
    """The peer has carried out a cancel or a throw of ours.

    ``done`` is whether the stream is over; if not, ``value`` is what it yielded after a throw.
    ``error`` is what it raised instead.
    """

    control_id: str
    stream_id: str
    done: bool
    value: Any
    error: KKError | None = None


class CallbacksReleased(msgspec.Struct):
    """The peer no longer holds these functions, which were passed to it."""

    callback_ids: tuple[str, ...]


class CallbackInvoked(_Measured):
    """The peer calls a function that was passed to it."""

    callback_id: str
    args: list[Any]
    size_bytes: int = 0


class Closing(msgspec.Struct):
    """The peer says goodbye; nothing more will arrive."""


class NotUnderstood(msgspec.Struct):
    """Data that is not a message.

    It is ignored; ``excerpt`` is its beginning. ``call_id`` is set if it resembles a message whose
    answer may be waited for.
    """

    reason: str
    excerpt: str
    call_id: str = ""


Event = (
    Replied
    | Opened
    | Item
    | Ended
    | Failed
    | Requested
    | Credited
    | Cancelled
    | Thrown
    | Acknowledged
    | CallbackInvoked
    | CallbacksReleased
    | Closing
    | NotUnderstood
)
