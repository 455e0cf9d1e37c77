"""Interceptors: code around every operation on a server, in layers.

An interceptor is ``async def interceptor(ctx, next)``; it awaits ``next()`` for the handler's
result, may change ``ctx.args`` before and the result after, or raise instead. ``ctx.operation`` is
the operation: a call, reading a property, setting one, or making an instance. A name that does not
exist also goes through the interceptors, so that a caller without permission cannot find out what
exists. Arguments are checked before the first interceptor, and the result after the last, so
interceptors see valid values. Only the arguments of a method behind a property are checked later,
because the property is not read before the interceptors were asked. For a stream the result is the
iterable: interceptors see the call, not each item, but may return another iterable around it.
"""

from __future__ import annotations

import contextvars
import dataclasses
import inspect
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from typing import Any

from kkjupyter.errors import UsageError
from kkjupyter.wire.events import Operation

__all__ = [
    "CallContext",
    "Interceptor",
    "around",
    "check_interceptors",
    "current_context",
    "set_current_context",
]


@dataclasses.dataclass(slots=True)
class CallContext:
    """A call as interceptors and, through ``kkjupyter.context()``, handlers see it.

    Attributes:
        method: the name called, ``"data.stream"``.
        args: the positional arguments, checked; may be changed or replaced.
        kwargs: the keyword arguments of keyword-only parameters; may be changed, too. Where a
            keyword names a positional parameter, its value is in ``args``.
        meta: what the caller says about the call; empty where the protocol carries nothing.
        state: for interceptors to leave things for each other and for the handler.
        caller: the caller's own API, where it has one; else None.
        operation: ``"call"``, ``"get"``, ``"set"`` or ``"new"``. ``args`` of a ``"set"`` holds the
            one value, of a ``"get"`` nothing.
    """

    method: str
    args: list[Any]
    kwargs: dict[str, Any] = dataclasses.field(default_factory=dict)
    meta: dict[str, Any] = dataclasses.field(default_factory=dict)
    state: dict[str, Any] = dataclasses.field(default_factory=dict)
    caller: Any = None
    operation: Operation = "call"


Interceptor = Callable[[CallContext, Callable[[], Awaitable[Any]]], Awaitable[Any]]

_current: contextvars.ContextVar[CallContext] = contextvars.ContextVar("kkjupyter_call")


def current_context() -> CallContext:
    """The context of the current call, in async and sync handlers and in generators.

    Raises:
        UsageError: this is not called from a handler.
    """
    context = _current.get(None)
    if context is None:
        raise UsageError(
            "no call is being handled here; context() works in functions that a server exposes, "
            "and not in threads that they start"
        )
    return context


def set_current_context(context: CallContext) -> None:
    """Make ``context`` the current one for the rest of this task, including its stream.

    For a task that answers one call and ends, because it cannot be undone.
    """
    _current.set(context)


def check_interceptors(interceptors: Iterable[Interceptor]) -> tuple[Interceptor, ...]:
    """``interceptors`` as a tuple.

    Raises:
        UsageError: one of them is not an interceptor, or it is not a list.
    """
    if callable(interceptors) or isinstance(interceptors, str):
        raise UsageError("interceptors takes a list, even for one function: interceptors=[...]")
    try:
        checked = tuple(interceptors)
    except TypeError as exc:
        raise UsageError(
            f"interceptors takes a list of functions, not {type(interceptors).__name__}"
        ) from exc
    for interceptor in checked:
        _check_interceptor(interceptor)
    return checked


def _check_interceptor(interceptor: Any) -> None:
    name = _name(interceptor)
    if not callable(interceptor):
        raise UsageError(f"{name} is not an interceptor: it cannot be called")
    if inspect.isasyncgenfunction(interceptor) or inspect.isgeneratorfunction(interceptor):
        raise UsageError(
            f"{name} has a yield, but an interceptor returns its result: "
            "async def interceptor(ctx, next): return await next()"
        )
    try:
        signature = inspect.signature(interceptor)
    except (TypeError, ValueError):  # some callables written in C have no signature
        return
    try:
        signature.bind(None, None)
    except TypeError as exc:
        raise UsageError(f"{name} is not an interceptor: it must take (ctx, next)") from exc


async def around(
    interceptors: Sequence[Interceptor],
    context: CallContext,
    handler: Callable[[], Awaitable[Any]],
) -> Any:
    """Run ``handler`` inside ``interceptors``, the first outermost, and return the result.

    An interceptor that returns without calling ``next`` answers instead of the handler. It may be a
    plain function, which returns ``next()`` or a value, and must not block.

    Raises:
        UsageError: an interceptor called ``next`` twice, or did not await it.
    """
    return await _layer(0, interceptors, context, handler)


async def _layer(
    depth: int,
    interceptors: Sequence[Interceptor],
    context: CallContext,
    handler: Callable[[], Awaitable[Any]],
) -> Any:
    """One interceptor and all inside it.

    Not a closure of :func:`around`: one that calls itself is a circle, and would hold the arguments
    of each call, megabytes maybe, until the garbage collector comes.
    """
    if depth == len(interceptors):
        return await handler()
    interceptor = interceptors[depth]
    inner: Coroutine[Any, Any, Any] | None = None

    def call_next() -> Coroutine[Any, Any, Any]:
        nonlocal inner
        if inner is not None:
            raise UsageError(
                f"the interceptor {_name(interceptor)} called next() twice; "
                f"{context.method} runs only once, so keep the first result"
            )
        inner = _layer(depth + 1, interceptors, context, handler)
        return inner

    try:
        result = interceptor(context, call_next)
        while inspect.isawaitable(result):  # also what `return next()` hands through
            result = await result
        # It would otherwise look as if the handler had returned None.
        if inner is not None and inspect.getcoroutinestate(inner) == inspect.CORO_CREATED:
            raise UsageError(
                f"the interceptor {_name(interceptor)} did not await next(); write: result = "
                "await next()"
            )
    finally:
        if inner is not None and inspect.getcoroutinestate(inner) == inspect.CORO_CREATED:
            inner.close()
    return result


def _name(interceptor: Any) -> str:
    return getattr(interceptor, "__qualname__", None) or repr(interceptor)
