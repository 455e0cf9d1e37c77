"""How an exposed function is called: what runs where, options objects, misfits, instances."""

from __future__ import annotations

import asyncio
import datetime as dt
import enum
import functools
import gc
import threading
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from kkjupyter.runtime.loop_threads import handler_loop
from kkjupyter.server.handlers import as_positional, by_value, call_function, spread
from kkjupyter.validation.functions import PerFunction


def call(function: Callable[..., Any], *args: Any) -> Any:
    async def main() -> Any:
        positional, keywords = spread(function, args)
        return await call_function(function, positional, keywords)

    return asyncio.run_coroutine_threadsafe(main(), handler_loop().loop).result(5)


def thread_name() -> str:
    return threading.current_thread().name


async def async_function() -> str:
    return thread_name()


def sync_function() -> str:
    return thread_name()


def gives_an_awaitable() -> Any:
    return async_function()


class CallableObject:
    def __call__(self) -> str:
        return thread_name()


class AsyncCallable:
    async def __call__(self) -> str:
        return thread_name()


@functools.wraps(async_function)
def wrapped(*args: Any) -> Any:
    return async_function(*args)


@pytest.mark.parametrize(
    ("function", "thread"),
    [
        (async_function, "kkjupyter-handlers"),
        (AsyncCallable(), "kkjupyter-handlers"),
        (functools.partial(async_function), "kkjupyter-handlers"),
        (wrapped, "kkjupyter-handlers"),
        (gives_an_awaitable, "kkjupyter-handlers"),
        (sync_function, "kkjupyter-function"),
        (CallableObject(), "kkjupyter-function"),
        (functools.partial(sync_function), "kkjupyter-function"),
        (lambda: thread_name(), "kkjupyter-function"),
    ],
)
def test_what_runs_where(function: Any, thread: str) -> None:
    assert call(function).startswith(thread)
    assert call(function).startswith(thread)  # also when it is known


def test_generators_are_only_started() -> None:
    ran = []

    def sync_items() -> Iterator[int]:
        ran.append(1)
        yield 1

    async def async_items() -> AsyncIterator[int]:
        ran.append(1)
        yield 1

    async def returned() -> Any:
        return async_items()

    assert hasattr(call(sync_items), "__next__")
    assert hasattr(call(async_items), "__aiter__")
    assert hasattr(call(returned), "__aiter__")
    assert ran == []


# ---- options


def keyword_only(a: Any = None, *, scale: int = 1, shift: int = 0) -> None: ...
def needs_an_object(a: Any, *, scale: int = 1) -> None: ...
def takes_any(a: Any, **options: Any) -> None: ...
def takes_everything(*args: Any, **options: Any) -> None: ...
def plain(a: Any, b: Any = None) -> None: ...


@pytest.mark.parametrize(
    ("function", "args", "expected"),
    [
        (keyword_only, [1, {"scale": 2}], ([1], {"scale": 2})),
        (keyword_only, [{"scale": 2}], ([], {"scale": 2})),
        (keyword_only, [1, {"other": 2}], ([1, {"other": 2}], {})),
        (keyword_only, [1, {}], ([1, {}], {})),
        (keyword_only, [1], ([1], {})),
        (needs_an_object, [{"scale": 2}], ([{"scale": 2}], {})),  # it is the argument
        (needs_an_object, [1, {"scale": 2}], ([1], {"scale": 2})),
        (takes_any, [1, {"x": 2}], ([1], {"x": 2})),
        (takes_any, [{"x": 2}], ([{"x": 2}], {})),
        (takes_any, [1, {5: 2}], ([1, {5: 2}], {})),
        (takes_everything, [1, {"x": 2}], ([1, {"x": 2}], {})),
        (plain, [1, {"b": 2}], ([1, {"b": 2}], {})),
        (print, [1, {"sep": "-"}], ([1], {"sep": "-"})),
        (max, [1, {"key": 1}], ([1, {"key": 1}], {})),
    ],
)
def test_an_options_object_becomes_keywords(function: Any, args: list[Any], expected: Any) -> None:
    assert spread(function, args) == expected


# ---- misfits


@pytest.mark.parametrize(
    ("function", "args", "text"),
    [
        (plain, [], r"missing a required argument: 'a'; the function is plain\(a, b=\.\.\.\)"),
        (plain, [1, 2, 3], r"too many positional arguments; the function is plain\(a, b=\.\.\.\)"),
        (
            keyword_only,
            [1, {"scale": 1, "other": 2}],
            r"too many positional arguments; .* keyword_only\(a=\.\.\., \*, scale=\.\.\., shift=",
        ),
        (async_function, [1], r"too many positional arguments; .* async_function\(\)"),
        (AsyncCallable(), [1], r"the function is AsyncCallable\(\)"),
    ],
)
def test_misfits_are_told_with_the_parameters(function: Any, args: list[Any], text: str) -> None:
    with pytest.raises(TypeError, match=text):
        call(function, *args)


def test_a_type_error_from_inside_stays_as_it_is() -> None:
    def fails(a: int) -> Any:
        return a + "b"  # type: ignore[operator]

    async def fails_async(a: int) -> Any:
        return len(a)  # type: ignore[arg-type]

    with pytest.raises(TypeError, match="unsupported operand"):
        call(fails, 1)
    with pytest.raises(TypeError, match="has no len"):
        call(fails_async, 1)
    with pytest.raises(TypeError, match="max expected at least 1 argument"):  # has no signature
        call(max)


# ---- instances


class Color(enum.Enum):
    RED = 1


class Text(str):
    """Has a __dict__."""


def test_an_instance_travels_as_its_public_fields() -> None:
    class Counter:
        kind = "of the class"

        def __init__(self) -> None:
            self.value = 1
            self._secret = 2
            self.callback = print

    assert by_value(Counter()) == {"value": 1}
    moment = dt.datetime(2020, 1, 1)
    for value in (5, "text", Text("a"), Color.RED, moment, ValueError("a"), {"a": 1}, int):
        assert by_value(value) is value


# ---- what is kept of a function


def test_facts_are_found_once_and_go_with_the_function() -> None:
    asked = []

    def find_out(function: Any) -> int:
        asked.append(1)
        return len(asked)

    class Api:
        def method(self) -> None: ...

    facts = PerFunction(find_out)
    assert [facts(Api().method), facts(Api().method), facts(Api.method)] == [1, 1, 2]
    seen = weakref.ref(Api.method)
    del Api
    gc.collect()
    assert seen() is None


def test_what_cannot_be_kept_is_asked_each_time() -> None:
    class Unhashable:
        __hash__ = None  # type: ignore[assignment]

        def __call__(self) -> None: ...

    facts = PerFunction(lambda function: object())
    odd = Unhashable()
    assert facts(odd) is not facts(odd)


# ---- keywords of positional parameters


def three(a: Any, b: Any = 2, c: Any = 3, *rest: Any, d: Any = 4) -> None: ...


@pytest.mark.parametrize(
    ("args", "kwargs", "expected"),
    [
        ([1], {}, ([1], {})),
        ([], {"a": 1}, ([1], {})),
        ([1], {"c": 5}, ([1, 2, 5], {})),  # what lies before gets its default
        ([], {"c": 5, "d": 6, "a": 1}, ([1, 2, 5], {"d": 6})),
        ([1, 2, 3, 4], {"d": 6}, ([1, 2, 3, 4], {"d": 6})),
        ([], {"b": 1}, ([], {"b": 1})),  # refused when it is called
        ([1], {"a": 1}, ([1], {"a": 1})),
        ([1], {"z": 1}, ([1], {"z": 1})),
    ],
)
def test_keywords_move_to_their_places(args: Any, kwargs: Any, expected: Any) -> None:
    assert as_positional(three, args, kwargs) == expected
    assert as_positional(min, args, kwargs) == (args, kwargs)  # its signature is not known
