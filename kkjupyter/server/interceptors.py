"""Code around every operation on a server, as the layers of an onion.

An interceptor is ``async def interceptor(ctx, next)``; it awaits ``next()`` for the handler's
result, may change ``ctx.args`` before and the result after, or raise instead. ``ctx.operation``
says what is asked for: a call, reading a property, setting one, or making an instance. A name that
does not exist goes through the interceptors, too, so that one who may not call cannot find out what
there is. Arguments are checked before the first interceptor, the result after the last, so
interceptors see what is valid; only of a method behind a property they are checked later, as the
property is not read before the interceptors were asked. For a stream the result is the iterable:
interceptors see the call, not each item, but may return another iterable around it.
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
    """What interceptors and, by ``kkjupyter.context()``, handlers see of a call.

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
    """The context of the call that is being answered: in async and sync handlers, in generators.

    Raises:
        UsageError: no handler is running here.
    """
    context = _current.get(None)
    if context is None:
        raise UsageError(
            "no call is being answered here; context() is for functions that a server exposes, "
            "and a thread started by one does not inherit it"
        )
    return context


def set_current_context(context: CallContext) -> None:
    """Make ``context`` the current one for the rest of this task, what it streams included.

    For a task that answers one call and ends: there is no way back.
    """
    _current.set(context)


def check_interceptors(interceptors: Iterable[Interceptor]) -> tuple[Interceptor, ...]:
    """``interceptors`` as a tuple.

    Raises:
        UsageError: one of them cannot be an interceptor, or it is a single one.
    """
    if callable(interceptors) or isinstance(interceptors, str):
        raise UsageError("interceptors takes a list, also for a single one: interceptors=[...]")
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
        raise UsageError(f"{name} is no interceptor: it cannot be called")
    if inspect.isasyncgenfunction(interceptor) or inspect.isgeneratorfunction(interceptor):
        raise UsageError(
            f"{name} has a yield; an interceptor returns its result: "
            "async def interceptor(ctx, next): return await next()"
        )
    try:
        signature = inspect.signature(interceptor)
    except (TypeError, ValueError):  # some callables written in C have none
        return
    try:
        signature.bind(None, None)
    except TypeError as exc:
        raise UsageError(f"{name} is no interceptor: it must take (ctx, next)") from exc


async def around(
    interceptors: Sequence[Interceptor],
    context: CallContext,
    handler: Callable[[], Awaitable[Any]],
) -> Any:
    """Run ``handler`` inside ``interceptors``, the first outermost, and return the result.

    An interceptor that returns without having called ``next`` answers in the handler's stead. A
    plain function will do for one, too: it returns ``next()`` or a value, and must not block.

    Raises:
        UsageError: an interceptor called ``next`` twice, or did not wait for it.
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
                f"{context.method} runs once, so keep what the first one returned"
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
                f"the interceptor {_name(interceptor)} did not wait for next(); "
                "write: result = await next()"
            )
    finally:
        if inner is not None and inspect.getcoroutinestate(inner) == inspect.CORO_CREATED:
            inner.close()
    return result


def _name(interceptor: Any) -> str:
    return getattr(interceptor, "__qualname__", None) or repr(interceptor)
