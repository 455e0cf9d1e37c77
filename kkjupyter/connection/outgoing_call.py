"""A call of ours on its way to the peer: its arguments, and the frame made of them."""

from __future__ import annotations

import contextvars
import dataclasses
from typing import Any

from kkjupyter.calls.state import CallState
from kkjupyter.connection.outgoing_streams import close_unread
from kkjupyter.errors import EncodeError, UsageError
from kkjupyter.wire.events import CallbackRef, Operation, StreamRef
from kkjupyter.wire.kkrpc.base import Protocol
from kkjupyter.wire.kkrpc.reserved import KEYWORDS_NAME

__all__ = ["OutgoingCall"]


@dataclasses.dataclass(eq=False, slots=True)
class OutgoingCall:
    """A call on its way to the peer.

    Attributes:
        state: what becomes of it.
        operation: what is asked for.
        path: the name, in parts.
        args: as they go out: with references for functions and streams.
        value: for ``set``.
        meta: said about the call.
        streams: the streams among the arguments, by id.
        context: the caller's, for what runs on its behalf.
        frame: the request as bytes; see :meth:`encode`.
        encoded_in: the protocol and the codec it is in.
        has_keywords: whether the last argument holds keyword arguments.
        binds_names: whether the peer is told so, and binds them by name; see :meth:`bind_names`.
    """

    state: CallState
    operation: Operation
    path: tuple[str, ...]
    args: list[Any]
    value: Any
    meta: dict[str, Any] | None
    streams: dict[str, Any]
    context: contextvars.Context
    frame: bytes = b""
    encoded_in: tuple[str, str] = ("", "")
    has_keywords: bool = False
    binds_names: bool = False

    @property
    def function_ids(self) -> list[str]:
        """The ids of the functions among the arguments."""
        return [arg.id for arg in self.args if type(arg) is CallbackRef]

    def is_encoded_for(self, protocol: Protocol) -> bool:
        """Whether :attr:`frame` is in that protocol and codec."""
        return self.encoded_in == (protocol.name, protocol.codec)

    def bind_names(self, is_understood: bool) -> None:
        """Say whether the peer binds keyword arguments by name. :meth:`encode` comes next."""
        binds_names = self.has_keywords and is_understood
        if binds_names != self.binds_names:
            self.binds_names = binds_names
            self.encoded_in = ("", "")

    def encode(self, protocol: Protocol) -> None:
        """Set :attr:`frame`, unless it is in that protocol and codec already.

        Raises:
            EncodeError: a value cannot be put on the wire.
            UsageError: the protocol carries no streams as arguments.
        """
        if self.is_encoded_for(protocol):
            return
        if self.streams and not protocol.has_credit:
            self._refuse_streams(protocol)
        state = self.state
        path = (KEYWORDS_NAME, *self.path) if self.binds_names else self.path
        try:
            self.frame = protocol.request(
                state.call_id, self.operation, path, self.args, self.value, self.meta
            )
        except EncodeError as error:
            error.method = state.method
            raise
        self.encoded_in = protocol.name, protocol.codec

    def close_streams(self) -> None:
        """The call does not go out: nobody will read the streams it was passed. Any thread."""
        streams, self.streams = self.streams, {}
        for source in streams.values():
            close_unread(source, self.state.method, self.context)

    def _refuse_streams(self, protocol: Protocol) -> None:
        at, source = next(
            (index, self.streams[arg.id])
            for index, arg in enumerate(self.args, 1)
            if isinstance(arg, StreamRef)
        )
        raise UsageError(
            f"{self.state.method}: argument {at} is a stream ({type(source).__name__}), and the "
            f"{protocol.name} protocol carries values only; pass a list instead"
        )
