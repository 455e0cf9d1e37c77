"""Interceptors: the order of the layers, what they may do, and what they must not."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import pytest

import kkjupyter as kk
from kkjupyter.server.interceptors import (
    CallContext,
    Interceptor,
    around,
    check_interceptors,
    current_context,
    set_current_context,
)

Next = Callable[[], Awaitable[Any]]


def run(
    interceptors: Sequence[Interceptor], *args: Any, handler: Callable[..., Any] | None = None
) -> Any:
    """What comes of a call with ``args``, whose handler returns them in a list."""
    context = CallContext("f", list(args))

    async def default() -> Any:
        return list(context.args)

    return asyncio.run(asyncio.wait_for(around(interceptors, context, handler or default), 5))


def test_a_context_has_everything_and_nothing_shared() -> None:
    one, other = CallContext("f", []), CallContext("f", [])
    assert (one.kwargs, one.meta, one.state, one.caller) == ({}, {}, {}, None)
    one.meta["trace"] = one.state["user"] = one.kwargs["a"] = 1
    assert (other.kwargs, other.meta, other.state) == ({}, {}, {})


def test_layers_go_in_and_out_in_order() -> None:
    seen: list[str] = []

    def layer(name: str) -> Interceptor:
        async def interceptor(ctx: CallContext, next: Next) -> Any:  # noqa: A002
            seen.append(f"{name} in")
            ctx.state[name] = len(ctx.state)
            result = await next()
            seen.append(f"{name} out")
            return [*result, name]

        return interceptor

    assert run([layer("a"), layer("b")], 1) == [1, "b", "a"]
    assert seen == ["a in", "b in", "b out", "a out"]
    assert run([], 1) == [1]


def test_arguments_can_be_changed_and_replaced() -> None:
    async def changes(ctx: CallContext, next: Next) -> Any:  # noqa: A002
        ctx.args[0] += 1
        return await next()

    async def replaces(ctx: CallContext, next: Next) -> Any:  # noqa: A002
        ctx.args = [*ctx.args, "more"]
        return await next()

    assert run([changes, replaces], 1) == [2, "more"]


def test_answering_in_the_handlers_stead() -> None:
    async def cached(ctx: CallContext, next: Next) -> Any:  # noqa: A002
        return "cached"

    def handler() -> Any:
        raise AssertionError("must not run")

    assert run([cached], handler=handler) == "cached"


def test_refusing_by_an_error() -> None:
    seen: list[BaseException] = []

    async def outer(ctx: CallContext, next: Next) -> Any:  # noqa: A002
        try:
            return await next()
        except PermissionError as exc:
            seen.append(exc)
            raise

    async def guard(ctx: CallContext, next: Next) -> Any:  # noqa: A002
        raise PermissionError("not you")

    with pytest.raises(PermissionError, match="not you") as caught:
        run([outer, guard])
    assert seen == [caught.value]


def test_an_error_of_the_handlers_can_be_caught() -> None:
    async def mends(ctx: CallContext, next: Next) -> Any:  # noqa: A002
        try:
            return await next()
        except ZeroDivisionError:
            return "mended"

    async def fails() -> Any:
        return 1 / 0

    assert run([mends], handler=fails) == "mended"


def test_a_stream_can_be_wrapped() -> None:
    async def stream() -> AsyncIterator[int]:
        yield 1
        yield 2

    async def doubles(ctx: CallContext, next: Next) -> Any:  # noqa: A002
        inner = await next()

        async def wrapped() -> AsyncIterator[int]:
            async for item in inner:
                yield item * 2

        return wrapped()

    async def main() -> list[int]:
        async def handler() -> Any:
            return stream()

        result = await around([doubles], CallContext("f", []), handler)
        return [item async for item in result]

    assert asyncio.run(main()) == [2, 4]


def test_a_plain_function_will_do() -> None:
    def hands_through(ctx: CallContext, next: Next) -> Any:  # noqa: A002
        ctx.args.append("seen")
        return next()

    def answers(ctx: CallContext, next: Next) -> Any:  # noqa: A002
        return "plain"

    assert run([hands_through], 1) == [1, "seen"]
    assert run([answers], 1) == "plain"


def test_returning_next_itself_waits_for_it() -> None:
    async def hands_through(ctx: CallContext, next: Next) -> Any:  # noqa: A002
        return next()

    assert run([hands_through, hands_through], 1) == [1]


def test_not_waiting_for_next_is_told() -> None:
    async def forgets(ctx: CallContext, next: Next) -> Any:  # noqa: A002
        next()

    with pytest.raises(kk.UsageError, match=r"forgets did not await next\(\); write: result ="):
        run([forgets], 1)


def test_an_error_after_a_next_nobody_waited_for_is_the_error() -> None:
    async def fails(ctx: CallContext, next: Next) -> Any:  # noqa: A002
        next()
        raise PermissionError("first")

    with pytest.raises(PermissionError, match="first"):
        run([fails], 1)


def test_the_handler_runs_once() -> None:
    ran = []

    async def handler() -> Any:
        ran.append(1)
        raise ValueError("first try")

    async def retries(ctx: CallContext, next: Next) -> Any:  # noqa: A002
        try:
            return await next()
        except ValueError:
            return await next()

    with pytest.raises(kk.UsageError, match=r"retries called next\(\) twice; f runs only once"):
        run([retries], handler=handler)
    assert ran == [1]


def test_waiting_with_a_limit_and_in_a_task() -> None:
    async def limited(ctx: CallContext, next: Next) -> Any:  # noqa: A002
        return await asyncio.wait_for(next(), 5)

    async def in_a_task(ctx: CallContext, next: Next) -> Any:  # noqa: A002
        return await asyncio.create_task(next())  # type: ignore[arg-type]

    assert run([limited, in_a_task], 1) == [1]


def test_a_cancel_goes_through_all_layers() -> None:
    finals: list[str] = []

    async def outer(ctx: CallContext, next: Next) -> Any:  # noqa: A002
        try:
            return await next()
        finally:
            finals.append("outer")

    async def main() -> None:
        inside = asyncio.Event()

        async def handler() -> None:
            inside.set()
            try:
                await asyncio.sleep(60)
            finally:
                finals.append("handler")

        task = asyncio.ensure_future(around([outer], CallContext("f", []), handler))
        await asyncio.wait_for(inside.wait(), 5)
        task.cancel()
        await asyncio.wait([task], timeout=5)
        assert task.cancelled()

    asyncio.run(main())
    assert finals == ["handler", "outer"]


# ---- at serve time


async def fine(ctx: CallContext, next: Next) -> Any:  # noqa: A002
    return await next()


class AsObject:
    async def __call__(self, ctx: CallContext, next: Next) -> Any:  # noqa: A002
        return await next()

    async def method(self, ctx: CallContext, next: Next) -> Any:  # noqa: A002
        return await next()


async def with_option(level: int, ctx: CallContext, next: Next) -> Any:  # noqa: A002
    return await next()


def test_what_can_be_an_interceptor() -> None:
    good: list[Interceptor] = [
        fine,
        AsObject(),
        AsObject().method,
        functools.partial(with_option, 1),
        lambda ctx, next: next(),  # noqa: A006
    ]
    assert check_interceptors(good) == tuple(good)
    assert check_interceptors(iter(good)) == tuple(good)
    assert check_interceptors(()) == ()


async def yields(ctx: CallContext, next: Next) -> Any:  # noqa: A002
    yield await next()


async def takes_one(ctx: CallContext) -> Any:
    return None


@pytest.mark.parametrize(
    ("interceptors", "text"),
    [
        (fine, "takes a list, even for one function"),
        ("fine", "takes a list, even for one function"),
        (None, "takes a list of functions, not NoneType"),
        ([fine, 5], "5 is not an interceptor: it cannot be called"),
        ([yields], "yields has a yield"),
        ([takes_one], r"takes_one is not an interceptor: it must take \(ctx, next\)"),
    ],
)
def test_what_cannot_be_one(interceptors: Any, text: str) -> None:
    with pytest.raises(kk.UsageError, match=text):
        check_interceptors(interceptors)


# ---- the current context


def test_there_is_no_context_outside_a_call() -> None:
    with pytest.raises(kk.UsageError, match="no call is being handled here"):
        contextvars.Context().run(current_context)


def test_a_context_stays_in_its_task() -> None:
    async def answer(name: str) -> str:
        set_current_context(CallContext(name, []))
        await asyncio.sleep(0)
        return current_context().method

    async def main() -> list[str]:
        names = await asyncio.gather(answer("a"), answer("b"))
        with pytest.raises(kk.UsageError):
            current_context()
        return names

    assert contextvars.Context().run(asyncio.run, main()) == ["a", "b"]


def test_a_thread_sees_it_in_a_copied_context_only() -> None:
    seen: list[Any] = []

    def look() -> None:
        try:
            seen.append(current_context().method)
        except kk.UsageError:
            seen.append(None)

    async def main() -> None:
        set_current_context(CallContext("f", []))
        await asyncio.to_thread(look)
        thread = threading.Thread(target=contextvars.Context().run, args=(look,))
        thread.start()
        thread.join()

    asyncio.run(main())
    assert seen == ["f", None]
