"""Calling an exposed function the way its kind needs."""

from __future__ import annotations

import contextvars
import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any

from kkjupyter.rpc.workers import WorkerPool

__all__ = ["MAX_FUNCTION_THREADS", "by_value", "call_handler"]

MAX_FUNCTION_THREADS = 32

_function_threads = WorkerPool("kkjupyter-function", MAX_FUNCTION_THREADS)


async def call_handler(function: Callable[..., Any], args: Sequence[Any]) -> Any:
    """Call it and return its value or its stream. Handler loop only.

    Async functions and generators are started here, everything else runs in a worker thread.
    """
    args, kwargs = _spread(function, args)
    if _runs_on_loop(function):
        value = function(*args, **kwargs)
    else:
        call = functools.partial(contextvars.copy_context().run, function, *args, **kwargs)
        value = await _function_threads.run(call)
    return await value if inspect.isawaitable(value) else value


def by_value(instance: Any) -> Any:
    """A constructed instance as it travels: its own public fields."""
    fields = getattr(instance, "__dict__", None)
    if fields is None:
        return instance
    return {
        name: value
        for name, value in fields.items()
        if not name.startswith("_") and not callable(value)
    }


def _runs_on_loop(function: Callable[..., Any]) -> bool:
    """Whether calling ``function`` only makes a coroutine or a generator, without running code."""
    called = inspect.unwrap(function)
    while isinstance(called, functools.partial):
        called = called.func
    if not (inspect.isroutine(called) or isinstance(called, type)):
        called = type(called).__call__
    return (
        inspect.iscoroutinefunction(called)
        or inspect.isasyncgenfunction(called)
        or inspect.isgeneratorfunction(called)
    )


def _spread(
    function: Callable[..., Any], args: Sequence[Any]
) -> tuple[Sequence[Any], dict[str, Any]]:
    """JavaScript's trailing options object as keyword arguments, where the function takes some."""
    if not args or type(args[-1]) is not dict or not args[-1]:
        return args, {}
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return args, {}
    keyword_only = {p.name for p in parameters if p.kind is p.KEYWORD_ONLY}
    if keyword_only and keyword_only.issuperset(args[-1]):
        return args[:-1], args[-1]
    return args, {}
