"""A call answered: the order of its steps, and what each kind of function becomes."""

from __future__ import annotations

import asyncio
import contextvars
import dataclasses
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from typing import Any

import pytest

from kkjupyter.runtime.loop_threads import handler_loop
from kkjupyter.server.interceptors import CallContext, Interceptor, current_context
from kkjupyter.server.response_task import Answer, answer_call
from kkjupyter.validation.functions import RPCValidationError

Next = Callable[[], Awaitable[Any]]


def answer(
    function: Callable[..., Any],
    *args: Any,
    interceptors: Sequence[Interceptor] = (),
    validate: bool = True,
    then: Callable[[Answer], Awaitable[Any]] | None = None,
) -> Any:
    """What comes of a call, on the loop that answers calls; ``then`` runs in the same task."""

    async def main() -> Any:
        context = CallContext("f", list(args))
        made = await answer_call(function, context, interceptors=interceptors, validate=validate)
        return await then(made) if then else made

    return asyncio.run_coroutine_threadsafe(main(), handler_loop().loop).result(5)


async def collect(answer: Answer) -> list[Any]:
    check = answer.check_item or (lambda item: item)
    if hasattr(answer.value, "__aiter__"):
        return [check(item) async for item in answer.value]
    return [check(item) for item in answer.value]


@dataclasses.dataclass
class Point:
    x: int


def test_the_order_is_input_interceptors_handler_output() -> None:
    seen: list[Any] = []

    def move(point: Point, *, by: int = 1) -> Point:
        seen.append(("handler", point, by))
        return Point(point.x + by)

    async def logger(ctx: CallContext, next: Next) -> Any:  # noqa: A002
        seen.append(("in", list(ctx.args), dict(ctx.kwargs)))
        ctx.kwargs["by"] = 10
        result = await next()
        seen.append(("out", result))
        return result

    made = answer(move, {"x": 1}, {"by": 2}, interceptors=[logger])
    assert made == Answer(Point(11))
    assert seen == [
        ("in", [Point(1)], {"by": 2}),
        ("handler", Point(1), 10),
        ("out", Point(11)),
    ]
    seen.clear()
    with pytest.raises(RPCValidationError):
        answer(move, {"x": "a"}, interceptors=[logger])
    assert seen == []


def test_what_an_interceptor_makes_of_arguments_is_its_own_business_the_result_is_not() -> None:
    def double(n: int) -> int:
        return n * 2

    async def spoils(ctx: CallContext, next: Next) -> Any:  # noqa: A002
        ctx.args = ["a"]
        return await next()

    with pytest.raises(RPCValidationError) as caught:
        answer(double, 1, interceptors=[spoils])
    assert caught.value.phase == "output"
    assert str(caught.value).endswith('for "f": result: Expected `int`, got `str`')


def test_validation_can_be_left_off() -> None:
    def double(n: int) -> int:
        return n * 2

    assert answer(double, "a", validate=False) == Answer("aa")

    async def items(n: int) -> AsyncIterator[int]:
        yield n

    assert answer(items, "a", validate=False, then=collect) == ["a"]


async def async_items(n: int) -> AsyncIterator[int]:
    yield n
    yield "two"  # type: ignore[misc]


def sync_items(n: int) -> Iterator[int]:
    yield n
    yield "two"  # type: ignore[misc]


@pytest.mark.parametrize("function", [async_items, sync_items])
def test_items_are_checked_as_they_come(function: Any) -> None:
    with pytest.raises(RPCValidationError, match="item: Expected `int`, got `str`"):
        answer(function, 1, then=collect)

    async def first(made: Answer) -> Any:
        assert made.check_item is not None
        return made.check_item(1)

    assert answer(function, 1, then=first) == 1


def test_a_stream_of_an_interceptors_is_checked_as_the_handlers() -> None:
    async def spoils(ctx: CallContext, next: Next) -> Any:  # noqa: A002
        await next()
        return iter(["a"])

    with pytest.raises(RPCValidationError, match="item: Expected `int`, got `str`"):
        answer(async_items, 1, interceptors=[spoils], then=collect)


def test_untyped_functions_have_no_checker() -> None:
    assert answer(lambda n: iter([n]), 1).check_item is None
    assert answer(lambda n: n, 1) == Answer(1)


async def async_function() -> Any:
    await asyncio.sleep(0)
    return current_context().method


def sync_function() -> Any:
    return current_context().method


def gives_an_awaitable() -> Any:
    return async_function()


@pytest.mark.parametrize("function", [async_function, sync_function, gives_an_awaitable])
def test_functions_know_the_call_they_answer(function: Any) -> None:
    assert answer(function) == Answer("f")


def test_generators_know_the_call_they_answer() -> None:
    async def items() -> AsyncIterator[str]:
        yield current_context().method
        await asyncio.sleep(0)
        yield current_context().method

    def in_a_thread() -> Iterator[str]:
        yield current_context().method

    async def collect_in_thread(made: Answer) -> Any:
        return await asyncio.to_thread(contextvars.copy_context().run, list, made.value)

    assert answer(items, then=collect) == ["f", "f"]
    assert answer(in_a_thread, then=collect_in_thread) == ["f"]


def test_state_of_interceptors_reaches_the_handler() -> None:
    async def knows_who(ctx: CallContext, next: Next) -> Any:  # noqa: A002
        ctx.state["user"] = "ada"
        return await next()

    def whoami() -> str:
        return str(current_context().state["user"])

    assert answer(whoami, interceptors=[knows_who]) == Answer("ada")


def test_a_class_is_made_of_checked_arguments() -> None:
    assert answer(Point, 1) == Answer(Point(1))
    with pytest.raises(RPCValidationError, match="x: Expected `int`, got `str`"):
        answer(Point, "a")
