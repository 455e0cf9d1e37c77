"""Code around every call to a server, as the layers of an onion.

An interceptor is ``async def interceptor(ctx, next)``; it awaits ``next()`` for the handler's
result, may change ``ctx.args`` before and the result after, or raise instead. For a stream the
result is the iterable: interceptors see the call, not each item.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

__all__ = ["CallContext", "Interceptor", "around"]


@dataclasses.dataclass(slots=True)
class CallContext:
    """What an interceptor sees of a call.

    Attributes:
        method: the name called, ``"data.stream"``.
        args: the positional arguments; may be changed.
        state: for interceptors to leave things for each other.
    """

    method: str
    args: list[Any]
    state: dict[str, Any] = dataclasses.field(default_factory=dict)


Interceptor = Callable[[CallContext, Callable[[], Awaitable[Any]]], Awaitable[Any]]


def around(
    interceptors: Sequence[Interceptor],
    context: CallContext,
    handler: Callable[[], Awaitable[Any]],
) -> Awaitable[Any]:
    """Run ``handler`` inside ``interceptors``, the first outermost."""

    def layer(depth: int) -> Awaitable[Any]:
        if depth == len(interceptors):
            return handler()
        return interceptors[depth](context, lambda: layer(depth + 1))

    return layer(0)
