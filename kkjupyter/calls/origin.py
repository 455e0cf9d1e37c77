"""What a call was made of, so that the same can be asked for once more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from kkjupyter.wire.events import Operation

__all__ = ["Origin"]


class _Caller(Protocol):
    """What makes calls."""

    def call(
        self,
        operation: Operation,
        path: Sequence[str],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        *,
        timeout_s: float | None = None,
        idle_timeout_s: float | None = None,
    ) -> Any:
        """Make a call and send it; returns the Call."""


class Origin(NamedTuple):
    """A tuple, because one is made for each call.

    Attributes:
        caller: made it.
        operation: of kkrpc.
        path: the method's.
        args: as given; they may be changed by their owner.
        kwargs: likewise.
        timeout_s: the call's own limit, or None.
        idle_timeout_s: likewise.
    """

    caller: _Caller
    operation: Operation
    path: Sequence[str]
    args: Sequence[Any]
    kwargs: Mapping[str, Any] | None
    timeout_s: float | None
    idle_timeout_s: float | None
