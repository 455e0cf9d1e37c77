"""Calls exposed functions: async ones on the loop, others in threads."""

from __future__ import annotations

import asyncio
import contextvars
import dataclasses
import datetime
import enum
import functools
import inspect
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from kkjupyter.limits import ServerLimits, run_function
from kkjupyter.validation.functions import PerFunction
from kkjupyter.validation.refusals import ArgumentsError

__all__ = ["MAX_FUNCTION_THREADS", "as_positional", "by_value", "call_function", "spread"]

MAX_FUNCTION_THREADS = ServerLimits().function_threads_per_connection
"""How many plain functions run at once for one client, if its server says nothing else."""

# Types that are sent as they are, although their instances have a __dict__.
_VALUES = (str, bytes, int, float, enum.Enum, datetime.date, BaseException, type)
_MAX_MISFIT_CHARS = 300
_CONTAINERS = (Mapping, list, tuple, set, frozenset)


async def call_function(
    function: Callable[..., Any],
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    *,
    on_late_failure: Callable[[BaseException], object] = lambda exc: None,
) -> Any:
    """Call it and return its value or stream; an awaitable is awaited. Handler loop only.

    Async functions and generators are started here, everything else runs in a worker thread, in a
    copy of this context. Cancelling is safe; a function in a thread goes on to its end.

    Args:
        function: the function to call.
        args: the positional arguments.
        kwargs: the keyword arguments.
        on_late_failure: called with an exception of a function in a thread that is no longer waited
            for; in that thread, or here.

    Raises:
        ArgumentsError: the arguments do not fit; the text names the parameters.
        Exception: what the function raises.
    """
    try:
        if _runs_on_loop(function):
            value = function(*args, **kwargs)
        else:
            call = functools.partial(contextvars.copy_context().run, function, *args, **kwargs)
            value = await _run_in_thread(call, on_late_failure)
    except TypeError as exc:
        if misfit := _misfit(function, args, kwargs):
            raise ArgumentsError(misfit) from None
        raise exc
    return await value if inspect.isawaitable(value) else value


async def _run_in_thread(
    call: Callable[[], Any], on_late_failure: Callable[[BaseException], object]
) -> Any:
    lock = threading.Lock()
    abandoned = False
    failure: BaseException | None = None

    def run() -> Any:
        nonlocal failure
        try:
            return call()
        except BaseException as exc:
            with lock:
                is_late = abandoned
                if not is_late:
                    failure = exc
            if is_late:
                on_late_failure(exc)
            raise

    try:
        return await run_function(run)
    except asyncio.CancelledError:
        with lock:
            abandoned = True
            missed = failure
        # It had failed already, and the cancellation arrived before that news.
        if missed is not None:
            on_late_failure(missed)
        raise
    finally:
        failure = None  # its traceback holds this frame


def spread(function: Callable[..., Any], args: Sequence[Any]) -> tuple[list[Any], dict[str, Any]]:
    """JavaScript's trailing options object as keyword arguments, if the function takes them.

    That is the case if it has keyword-only parameters of these names, or takes any (``**options``)
    and has no positional parameter left for the object.
    """
    if not args or type(args[-1]) is not dict or not args[-1]:
        return list(args), {}
    options = args[-1]
    names = _keywords(function)
    if names is None or len(args) <= names.required:
        return list(args), {}
    if names.only.issuperset(options) or (
        names.any and len(args) > names.positional and all(type(key) is str for key in options)
    ):
        return list(args[:-1]), dict(options)
    return list(args), {}


def as_positional(
    function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]
) -> tuple[list[Any], dict[str, Any]]:
    """The same call with the arguments of positional parameters in their places.

    A parameter left out before one that is given gets its default. What does not fit is left as it
    is: it is refused when the function is called.
    """
    unchanged = list(args), dict(kwargs)
    signature = _signature(function)
    if signature is None:
        return unchanged
    try:
        given = signature.bind(*args, **kwargs).arguments
    except TypeError:
        return unchanged
    parameters = signature.parameters.values()
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    while positional and positional[-1].name not in given:
        positional.pop()
    if len(positional) <= len(args):
        return unchanged
    names = {p.name for p in positional}
    return (
        [given.get(p.name, p.default) for p in positional],
        {name: value for name, value in kwargs.items() if name not in names},
    )


def by_value(instance: Any) -> Any:
    """A new instance as it is sent: its own public fields. Plain values stay as they are."""
    fields = getattr(instance, "__dict__", None)
    if fields is None or isinstance(instance, _VALUES + _CONTAINERS):
        return instance
    return {
        name: value
        for name, value in fields.items()
        if not name.startswith("_") and not callable(value)
    }


def _is_started_on_loop(function: Callable[..., Any]) -> bool:
    """Whether calling ``function`` only makes a coroutine or a generator and runs no code yet."""
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


_runs_on_loop = PerFunction(_is_started_on_loop)


@dataclasses.dataclass(frozen=True, slots=True)
class _Keywords:
    """The parts of a signature that decide whether an options object is spread.

    Attributes:
        required: how many positional parameters have no default.
        positional: how many positional parameters there are; with ``*args`` more than any call has.
        only: the names of keyword-only parameters.
        any: whether there is ``**options``.
    """

    required: int
    positional: float
    only: frozenset[str]
    any: bool


def _find_keywords(function: Callable[..., Any]) -> _Keywords | None:
    """The keyword parameters; None if there are none, or no signature."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return None
    kinds = {p.kind for p in parameters}
    only = frozenset(p.name for p in parameters if p.kind is p.KEYWORD_ONLY)
    takes_any = inspect.Parameter.VAR_KEYWORD in kinds
    if not only and not takes_any:
        return None
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return _Keywords(
        required=sum(p.default is p.empty for p in positional),
        positional=float("inf") if inspect.Parameter.VAR_POSITIONAL in kinds else len(positional),
        only=only,
        any=takes_any,
    )


_keywords = PerFunction(_find_keywords)


def _find_signature(function: Callable[..., Any]) -> inspect.Signature | None:
    try:
        return inspect.signature(function)
    except (TypeError, ValueError):  # some callables written in C have none
        return None


_signature = PerFunction(_find_signature)


class _Default:
    """Stands for a default value in a signature that is shown to a peer."""

    def __repr__(self) -> str:
        return "..."


def _shorten(text: str) -> str:
    """``text`` without the middle, if it is long: it holds a name of the client's."""
    half = _MAX_MISFIT_CHARS // 2
    return text if len(text) <= _MAX_MISFIT_CHARS else f"{text[:half]}…{text[-half:]}"


def _misfit(
    function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]
) -> str | None:
    """Why a call cannot even begin, or None if it can."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return None
    try:
        signature.bind(*args, **kwargs)
    except TypeError as exc:
        shown = signature.replace(
            parameters=[
                p.replace(
                    annotation=p.empty, default=p.empty if p.default is p.empty else _Default()
                )
                for p in signature.parameters.values()
            ],
            return_annotation=signature.empty,
        )
        name = getattr(function, "__name__", None) or type(function).__name__
        return f"{_shorten(str(exc))}; the function is {name}{shown}"
    return None
