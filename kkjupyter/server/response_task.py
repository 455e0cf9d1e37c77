"""Answers one request for a function: checks, interceptors, the function, and checks again."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from kkjupyter.calls.call import is_stream
from kkjupyter.connection.failure_log import log_late_failure
from kkjupyter.server.handlers import as_positional, call_function, spread
from kkjupyter.server.interceptors import (
    CallContext,
    Interceptor,
    around,
    set_current_context,
)
from kkjupyter.validation.functions import validator_of

__all__ = ["Answer", "answer_call", "answer_with"]


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """The outcome of a call.

    Attributes:
        value: the result, or the stream.
        check_item: for a stream with checked items: returns the item to send, and raises
            RPCValidationError for one that must not be sent. Any thread.
    """

    value: Any
    check_item: Callable[[Any], Any] | None = None


async def answer_call(
    function: Callable[..., Any],
    context: CallContext,
    *,
    interceptors: Sequence[Interceptor] = (),
    validate: bool = True,
    has_keywords: bool = False,
) -> Answer:
    """Run an exposed function, or make an instance of an exposed class.

    Handler loop only. As in the peers, the arguments are checked first, then the interceptors run,
    with the handler inside, and last the result of the interceptors is checked. The context stays
    current for the rest of this task, so that its stream sees it, too.

    Args:
        function: the function to call.
        context: its ``args`` as received; a trailing options object moves to ``kwargs``.
        interceptors: around the handler, the first outermost.
        validate: whether type hints are held to.
        has_keywords: whether its ``kwargs`` are what the caller wrote as keyword arguments. Then
            the trailing object stays an argument, and those of positional parameters move to
            ``args``, where interceptors look for them.

    Raises:
        RPCValidationError: arguments or result do not match the hints.
        TypeError: too many, too few or unknown arguments.
        Exception: what the function or an interceptor raises.
    """
    if not has_keywords:
        context.args, context.kwargs = spread(function, context.args)
    set_current_context(context)
    validator = validator_of(function) if validate else None
    if validator is not None:
        context.args, context.kwargs = validator.check_args(
            context.args, context.kwargs, context.method
        )
    if has_keywords:
        context.args, context.kwargs = as_positional(function, context.args, context.kwargs)

    async def handler() -> Any:
        return await call_function(
            function,
            context.args,
            context.kwargs,
            on_late_failure=functools.partial(log_late_failure, context.method),
        )

    value = await (around(interceptors, context, handler) if interceptors else handler())
    if validator is None:
        return Answer(value)
    value = validator.check_result(value, context.method)
    return Answer(value, validator.item_checker(context.method) if is_stream(value) else None)


async def answer_with(
    handler: Callable[[], Awaitable[Any]],
    context: CallContext,
    *,
    interceptors: Sequence[Interceptor] = (),
) -> Answer:
    """Answer a request that calls no function: for a property, or for a missing name.

    Args:
        handler: carries out the request.
        context: the call as interceptors, and a property's code, see it.
        interceptors: run around it, the first one outermost.

    Raises:
        Exception: what the handler or an interceptor raises.
    """
    set_current_context(context)
    return Answer(await (around(interceptors, context, handler) if interceptors else handler()))
