"""Type hints held to: what is converted, what is refused and how, what is let through."""

from __future__ import annotations

import asyncio
import copy
import dataclasses
import datetime as dt
import enum
import functools
import gc
import pickle
import re
import typing
import weakref
from array import array
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Generator,
    Iterable,
    Iterator,
    Sequence,
)
from typing import (
    Annotated,
    Any,
    Generic,
    Literal,
    NewType,
    Protocol,
    Self,
    TypedDict,
    TypeVar,
    Unpack,
)

import msgspec
import numpy as np
import pytest

import kkjupyter as kk
from kkjupyter.connection.failures import remote_error
from kkjupyter.validation.checking import Mismatch, check_for
from kkjupyter.validation.functions import RPCValidationError, Validator, validator_of
from kkjupyter.validation.mismatch import mismatch_of

T = TypeVar("T")
UserId = NewType("UserId", int)


@dataclasses.dataclass
class Point:
    x: int
    y: int = 0


@dataclasses.dataclass
class Point3(Point):
    z: int = 0


@dataclasses.dataclass
class Named:
    name: str


@dataclasses.dataclass
class Picky:
    n: int

    def __post_init__(self) -> None:
        if self.n == 1:
            raise ValueError("one is not allowed")
        if self.n == 2:
            raise KeyError("two")


class Options(msgspec.Struct):
    depth: int = 1
    tags: list[str] = []


class Kebab(msgspec.Struct, rename="kebab"):
    by_name: dict[str, Point]


@dataclasses.dataclass
class Page(Generic[T]):
    items: list[dict[str, T]]


class Tree(msgspec.Struct):
    below: list[Tree] = []


class Size(TypedDict):
    width: int


class Color(enum.Enum):
    RED = "red"


class Plain:
    pass


class OnProgress(Protocol):
    def __call__(self, share: float) -> None: ...


async def numbers() -> AsyncIterator[int]:
    yield 1


def check(hint: Any, value: Any, *, is_result: bool = False) -> Any:
    checker = check_for(hint, is_result=is_result)
    return value if checker is None else checker(value)


# ---- values


@pytest.mark.parametrize(
    ("hint", "value", "expected"),
    [
        (int, 1, 1),
        (int, kk.BigInt(5), 5),
        (float, 3, 3),
        (bool, True, True),
        (None, None, None),
        (int | None, None, None),
        (int | None, kk.undefined, None),
        (UserId, 7, 7),
        (Literal["a", "b"], "a", "a"),
        (Annotated[int, msgspec.Meta(ge=0)], 0, 0),
        (Annotated[int, "in metres"], 5, 5),
        (bytes, b"a", b"a"),
        (dt.datetime, "2020-01-01T00:00:00Z", dt.datetime(2020, 1, 1, tzinfo=dt.UTC)),
        (dt.date, "2020-01-01", dt.date(2020, 1, 1)),
        # JavaScript has no other word for a date.
        (dt.date, dt.datetime(2020, 1, 1, tzinfo=dt.UTC), dt.date(2020, 1, 1)),
        (Point, {"x": 1}, Point(1)),
        (Point, {"x": 1, "y": kk.undefined}, Point(1)),
        (Point, kk.Map({"x": 1}), Point(1)),
        (Point, {"x": 1, "more": 2}, Point(1)),
        (Options, {"depth": 2}, Options(2)),
        (Size, {"width": 1}, {"width": 1}),
        (Point | Named, {"name": "a"}, Named("a")),
        (Point | Named | None, None, None),
        (tuple[int, str], [1, "a"], (1, "a")),
        (set[int], [1, 1], {1}),
        (list[float], array("d", [1, 2]), [1.0, 2.0]),
        (Sequence[Point], [{"x": 1}], [Point(1)]),
        (dict[int, str], {"1": "a"}, {1: "a"}),  # JSON has text keys only
        (dict[int, str], {1: "a"}, {1: "a"}),
        (Iterable[int], [1], [1]),
        (Color, "red", Color.RED),
        (kk.URL, "https://example.org", kk.URL("https://example.org")),
        (list[kk.URL], ["https://example.org"], [kk.URL("https://example.org")]),
        (kk.BigInt, 5, kk.BigInt(5)),
        (kk.RegExp, kk.RegExp("a"), kk.RegExp("a")),
        (str, "lone \ud800", "lone \ud800"),
        (int, 2**70, 2**70),
    ],
)
def test_what_fits_arrives_as_the_hint_has_it(hint: Any, value: Any, expected: Any) -> None:
    converted = check(hint, value)
    assert converted == expected
    assert type(converted) is type(expected)


@pytest.mark.parametrize(
    ("hint", "value", "text", "path"),
    [
        (int, "1", "Expected `int`, got `str`", ()),
        (int, True, "Expected `int`, got `bool`", ()),
        (int, None, "Expected `int`, got `null`", ()),
        (int, kk.undefined, "Expected `int`, got `undefined`", ()),
        (int | str, 1.5, "Expected `int | str`, got `float`", ()),
        (int, print, "Expected `int`, got `function`", ()),
        (bytes, "aGk=", "Expected `bytes`, got `str`", ()),
        (Literal["a", "b"], "c", "Invalid enum value 'c'", ()),
        (Annotated[int, msgspec.Meta(ge=0)], -1, "Expected `int` >= 0", ()),
        (Annotated[int | None, msgspec.Meta(ge=0)], -1, "Expected `int` >= 0", ()),
        (list[int], [1, "a"], "Expected `int`, got `str`", (1,)),
        (Point, {}, "Object missing required field `x`", ()),
        (list[Point], [{"x": "a"}], "Expected `int`, got `str`", (0, "x")),
        (dict[str, list[int]], {"j": [], "k": ["a"]}, "Expected `int`, got `str`", ("k", 0)),
        (dict[int, str], {"1": "a", "b": "c"}, "Expected `int`, got `str`", ("b",)),
        (list[dict[str, Point]], [{"k": {"x": ""}}], "Expected `int`, got `str`", (0, "k", "x")),
        (
            Annotated[dict[str, int], msgspec.Meta(min_length=2)],
            {"a": 1, "b": ""},
            "Expected `int`, got `str`",
            ("b",),
        ),
        (dict[str, int] | list[int] | None, {"a": ""}, "Expected `int`, got `str`", ("a",)),
        (tuple[int, dict[str, int]], [1, {"a": 1, "b": ""}], "Expected `int`, got `str`", (1, "b")),
        (
            Kebab,
            {"by-name": {"a": {"x": 1}, "b": {}}},
            "Object missing required field `x`",
            ("by-name", "b"),
        ),
        (set[int], ["a"], "Expected `int`, got `str`", (0,)),
        (kk.Map, 5, "Expected `Map`, got `int`", ()),
        (Point | Named, {"z": 1}, "Expected `Point | Named`, got `object`", ()),
        (Point | Named, [], "Expected `Point | Named`, got `array`", ()),
        (Picky, {"n": 1}, "one is not allowed", ()),
        (Picky, {"n": 2}, "KeyError: 'two'", ()),
        (dt.date, dt.datetime(2020, 1, 1, 5), "Expected `date`, got `datetime`", ()),
        (dt.datetime, "yesterday", "Invalid RFC3339 encoded datetime", ()),
        (kk.URL, 5, "Expected `URL`, got `int`", ()),
        (Callable[[int], None], 5, "Expected `function`, got `int`", ()),
        (Callable[..., None] | None, "f", "Expected `null | function`, got `str`", ()),
        (AsyncIterator[int], [1], "Expected `stream`, got `array`", ()),
        (Annotated[AsyncIterator[int], "doc"], 5, "Expected `stream`, got `int`", ()),
        (Iterable[int], ["a"], "Expected `int`, got `str`", (0,)),
        (Plain, Point(1), "Expected `Plain`, got `Point`", ()),
    ],
)
def test_what_does_not_fit_is_refused(
    hint: Any, value: Any, text: str, path: tuple[str | int, ...]
) -> None:
    with pytest.raises(Mismatch) as caught:
        check(hint, value)
    assert (caught.value.text, caught.value.path) == (text, path)


def test_the_entry_that_does_not_fit_is_found_with_little_more_work() -> None:
    entries = {f"key {n}": n for n in range(1_000)} | {"odd": "one"}  # type: ignore[dict-item]
    looked_at = 0

    def fits(value: Any, hint: Any) -> bool:
        nonlocal looked_at
        looked_at += len(value)
        return all(isinstance(inner, int) for inner in value.values())

    error = msgspec.ValidationError("Expected `int`, got `str` - at `$.v[...]`")
    found = mismatch_of(error, dict[str, int], entries, fits)
    assert found.path == ("odd",)
    assert looked_at <= len(entries) + 1


def test_an_entry_is_looked_for_in_so_many_dicts() -> None:
    hint, value = int, "a"
    for _ in range(5):
        hint, value = dict[str, hint], {"k": value}  # type: ignore[assignment, valid-type]
    with pytest.raises(Mismatch) as caught:
        check(hint, value)
    assert caught.value.path == ("k", "k", "k")


@pytest.mark.parametrize(
    ("hint", "value", "path", "where"),
    [
        (dict[str, int], {"name": ""}, ("name",), ".name"),
        (dict[str, int], {"two words\n": ""}, ("two words\n",), r"['two words\n']"),
        (dict[int, int], {"7": ""}, ("7",), "['7']"),
        (dict[int, int], {7: ""}, (7,), "[7]"),
        (dict[float, int], {1.5: ""}, (), ""),
        (Sequence[dict[str, T]], [{"a": 1}, 5], (1,), "[1]"),
        (Page[int], {"items": [{"a": ""}]}, ("items", 0), ".items[0]"),  # of what, it does not say
    ],
)
def test_where_in_a_value_is_told_as_far_as_it_can_be(
    hint: Any, value: Any, path: tuple[str | int, ...], where: str
) -> None:
    with pytest.raises(Mismatch) as caught:
        check(hint, value)
    assert (caught.value.path, caught.value.where) == (path, where)


def test_a_long_key_makes_no_long_message() -> None:
    with pytest.raises(Mismatch) as caught:
        check(dict[str, int], {"k" * 10_000: ""})
    assert caught.value.path == ("k" * 10_000,)
    assert len(caught.value.where) < 100


@pytest.mark.parametrize(
    "hint", [Any, object, T, Self, typing.LiteralString, type[int], OnProgress, typing.NoReturn]
)
def test_a_hint_nothing_can_be_checked_by_lets_everything_through(hint: Any) -> None:
    assert check_for(hint) is None


@pytest.mark.parametrize(
    ("hint", "value"),
    [
        (Plain, {"what": "a peer can send"}),
        (Plain, None),
        (Plain | int, "text"),
        (np.ndarray, [1, 2]),
        (np.ndarray, array("d", [1])),
        (np.float64, 1.5),
        (complex, 1),
        (list[Plain], [{}]),
        (list[Point | Named], [{"x": 1}]),
        (dict[str, OnProgress], {"a": print}),
        (list["Nowhere"], [1]),  # type: ignore[name-defined]  # noqa: F821
    ],
)
def test_a_class_that_cannot_be_built_from_data_takes_data_as_it_is(hint: Any, value: Any) -> None:
    assert check(hint, value) is value or check(hint, value) == value


def test_streams_and_functions_pass_where_they_are_asked_for() -> None:
    stream = numbers()
    for hint in (AsyncIterator[int], AsyncIterator, Iterable[int], AsyncIterator[int] | list[int]):
        assert check(hint, stream) is stream
    assert check(Callable[[int], None] | None, print) is print
    with pytest.raises(Mismatch, match=r"Expected `list\[int\]`, got `stream`"):
        check(list[int], stream)


def test_data_nested_beyond_measure_or_in_itself_is_refused() -> None:
    ring: dict[str, Any] = {}
    ring["below"] = [ring]
    with pytest.raises(Mismatch, match="nested too deeply"):
        check(Tree, ring)


@pytest.mark.parametrize(
    ("hint", "value"),
    [
        (float, np.float64(3)),
        (int, np.int64(3)),
        (list[float], np.zeros(2)),
        (np.ndarray, np.zeros(2)),
        (Color, Color.RED),
        (list[Color], [Color.RED]),
        (Point, Point(1)),
        (Point, Point3(1)),
        (list[Point], [Point3(1)]),
        (Point, {"x": 1}),
        (Options, Options()),
        (dt.date, dt.date(2020, 1, 1)),
        (Awaitable[int], 1),  # awaited already
        (Coroutine[Any, Any, int], 1),
        (asyncio.Future[int], 1),
        (list[int], range(3)),
        (None, kk.undefined),
    ],
)
def test_results_are_checked_as_the_wire_will_have_them(hint: Any, value: Any) -> None:
    check(hint, value, is_result=True)


@pytest.mark.parametrize(
    ("hint", "value"),
    [
        (dt.datetime, "2020-01-01T00:00:00Z"),
        (Awaitable[int], "a"),
        (asyncio.Future[int], "a"),
        (int, iter([1])),
        (Iterator[int], [1]),
        (Point, Named("a")),
        (None, 5),
        (int, kk.undefined),
    ],
)
def test_results_that_are_not_what_was_promised(hint: Any, value: Any) -> None:
    with pytest.raises(Mismatch):
        check(hint, value, is_result=True)


# ---- functions


def validator(function: Callable[..., Any]) -> Validator:
    found = validator_of(function)
    assert found is not None
    return found


def refused(function: Callable[..., Any], *args: Any, **kwargs: Any) -> list[dict[str, Any]]:
    with pytest.raises(RPCValidationError) as caught:
        validator(function).check_args(args, kwargs, "f")
    assert (caught.value.phase, caught.value.method) == ("input", "f")
    return caught.value.issues


def accepted(function: Callable[..., Any], *args: Any, **kwargs: Any) -> list[Any]:
    positional, keywords = validator(function).check_args(args, kwargs, "f")
    return [*positional, *([keywords] if keywords else [])]


def move(point: Point, by: int = 1, *more: int, fast: bool = False, **options: float) -> Point:
    return Point(point.x + by)


def test_every_kind_of_parameter_is_checked() -> None:
    given = accepted(move, {"x": 1}, 2, 3, 4, fast=True, weight=1)
    assert given == [Point(1), 2, 3, 4, {"fast": True, "weight": 1.0}]
    issues = refused(move, {"x": "a"}, "b", 3, "c", fast=1, weight="d")
    assert issues == [
        {"message": "point.x: Expected `int`, got `str`", "path": [0, "x"]},
        {"message": "by: Expected `int`, got `str`", "path": [1]},
        {"message": "more: Expected `int`, got `str`", "path": [3]},
        {"message": "fast: Expected `bool`, got `int`", "path": [4, "fast"]},
        {"message": "weight: Expected `float`, got `str`", "path": [4, "weight"]},
    ]


def test_so_many_faults_are_named_and_no_more() -> None:
    issues = refused(move, {"x": 1}, 1, *["a"] * 1_000)
    assert [issue["path"] for issue in issues] == [[at] for at in range(2, 22)]
    assert len(refused(move, {"x": 1}, **dict.fromkeys(map(str, range(1_000)), "a"))) == 20


def test_what_a_peer_sends_is_not_repeated_at_length() -> None:
    def f(word: Literal["a"], **options: int) -> None:
        pass

    (issue,) = refused(f, "b" * 10_000)
    assert issue["message"].startswith("word: Invalid enum value 'bbb")
    (option,) = refused(f, "a", **{"k" * 10_000: ""})
    assert option["message"].endswith("…: Expected `int`, got `str`")
    assert option["path"] == [1, "k" * 10_000]
    assert max(len(issue["message"]), len(option["message"])) < 1_000


def test_what_is_left_out_takes_its_default() -> None:
    def f(a: int, b: int = 5, c: int = 6, d: int = None) -> None:  # type: ignore[assignment]  # noqa: RUF013
        pass

    assert accepted(f, 1, kk.undefined, 3) == [1, 5, 3]
    assert accepted(f, 1, None, None) == [1, 5, 6]  # as JSON has undefined
    assert accepted(f, 1, 2, 3, None) == [1, 2, 3, None]
    assert refused(f, 1, None, 3)[0]["path"] == [1]  # not left out, but given
    assert refused(f, None)[0]["message"] == "a: Expected `int`, got `null`"
    assert refused(f, kk.undefined)[0]["message"] == "a: Expected `int`, got `undefined`"


def test_how_many_arguments_there_are_is_pythons_business() -> None:
    def f(a: int, b: int) -> None:
        pass

    assert accepted(f, 1) == [1]
    assert accepted(f, 1, 2, "three") == [1, 2, "three"]


def test_unhinted_parameters_take_everything() -> None:
    def f(a, b: int):  # type: ignore[no-untyped-def]
        pass

    assert accepted(f, kk.undefined, 1) == [kk.undefined, 1]


def test_a_function_without_hints_that_matter_has_no_validator() -> None:
    def untyped(a, *b, **c):  # type: ignore[no-untyped-def]
        pass

    def loose(a: Any, b: object) -> Any:
        pass

    for function in (untyped, loose, lambda a: a, print, len, max, functools.partial(untyped, 1)):
        assert validator_of(function) is None


class Counter:
    def __init__(self, start: int) -> None:
        self.value = start

    def add(self, by: int) -> int:
        return self.value + by

    @staticmethod
    def static(n: int) -> int:
        return n

    @classmethod
    def of_class(cls, n: int) -> Self:
        return cls(n)

    def __call__(self, n: int) -> int:
        return n


class Unhashable(Counter):
    __hash__ = None  # type: ignore[assignment]


def logged(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def inner(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return inner


@pytest.mark.parametrize(
    "function",
    [
        Counter,
        Counter(1).add,
        Counter.static,
        Counter.of_class,
        Counter(1),
        Unhashable(1),
        Unhashable(1).add,
        functools.partial(Counter.add, Counter(1)),
        logged(Counter.static),
        logged(Counter(1).add),
    ],
    ids=lambda value: re.sub(r" at 0x\w+", "", repr(value)),
)
def test_whatever_can_be_called_has_hints(function: Any) -> None:
    assert accepted(function, 1) == [1]
    assert refused(function, "1")[0]["path"] == [0]


def test_a_dataclass_is_made_of_what_fits() -> None:
    assert accepted(Point, 1) == [1]
    assert refused(Point, 1, "2")[0]["message"] == "y: Expected `int`, got `str`"


def test_unbound_and_bound_are_told_apart() -> None:
    counter = Counter(1)
    assert accepted(Counter.add, counter, 2) == [counter, 2]
    assert accepted(counter.add, 2) == [2]
    assert accepted(Counter.add, counter, 3) == [counter, 3]


def test_unresolvable_hints_are_passed_over() -> None:
    def f(a: Nowhere, b: list[Nowhere], c: int, d: 1 / 0) -> AlsoNowhere:  # type: ignore  # noqa: F821
        pass

    assert accepted(f, "x", ["y"], 1, "z") == ["x", ["y"], 1, "z"]
    assert refused(f, "x", ["y"], "1")[0]["path"] == [2]
    assert validator(f).check_result("anything", "f") == "anything"


def test_options_of_a_typed_dict() -> None:
    class Wanted(TypedDict, total=False):
        depth: typing.Required[int]
        name: str

    def f(**options: Unpack[Wanted]) -> None:
        pass

    # The class is local: no hint of this module can name it.
    f.__annotations__["options"] = Unpack[Wanted]
    Wanted.__annotations__.update(depth=typing.Required[int], name=str)
    assert accepted(f, depth=1, name="a") == [{"depth": 1, "name": "a"}]
    assert refused(f, depth="1")[0]["path"] == [0, "depth"]


def test_a_hint_that_breaks_when_asked_is_not_the_callers_fault() -> None:
    class Moody(type):
        def __instancecheck__(cls, instance: object) -> bool:
            raise RuntimeError("not today")

    class Odd(metaclass=Moody):
        pass

    def f(a: Any) -> None:
        pass

    f.__annotations__["a"] = Odd
    assert accepted(f, Plain())


def test_what_is_known_of_a_function_goes_with_it() -> None:
    def f(a: int) -> None:
        pass

    found = weakref.ref(validator(f))
    assert found() is validator(f)
    del f
    gc.collect()
    assert found() is None


# ---- results and streams


def test_results() -> None:
    value = Point3(1)
    assert validator(move).check_result(value, "move") is value
    with pytest.raises(RPCValidationError) as caught:
        validator(move).check_result({"x": "a"}, "math.move")
    assert str(caught.value) == (
        'RPC output validation failed for "math.move": result.x: Expected `int`, got `str`'
    )
    assert caught.value.issues == [
        {"message": "result.x: Expected `int`, got `str`", "path": ["x"]}
    ]


async def async_items() -> AsyncIterator[int]:
    yield 1


async def async_generator() -> AsyncGenerator[int, None]:
    yield 1


def sync_items() -> Iterator[int]:
    yield 1


def sync_generator() -> Generator[int, str, float]:
    yield 1
    return 1.0


def items_or_one() -> Iterator[int] | Iterable[int] | None:
    yield 1


async def returns_a_stream() -> AsyncIterator[int]:
    return numbers()


@pytest.mark.parametrize(
    "function",
    [async_items, async_generator, sync_items, sync_generator, items_or_one, returns_a_stream],
)
def test_items_of_a_stream(function: Any) -> None:
    found = validator(function)
    assert found.check_result(stream := iter([1]), "f") is stream
    checker = found.item_checker("f")
    assert checker is not None
    assert checker(1) == 1
    with pytest.raises(RPCValidationError) as caught:
        checker("a")
    assert caught.value.phase == "output"
    assert caught.value.issues == [{"message": "item: Expected `int`, got `str`", "path": []}]


def test_streams_of_anything_are_not_looked_at() -> None:
    async def items(n: int) -> AsyncIterator[Any]:
        yield n

    assert validator(items).item_checker("f") is None


def test_a_stream_where_none_was_promised() -> None:
    with pytest.raises(RPCValidationError, match="result: Expected `Point`, got `stream`"):
        validator(move).check_result(iter([1]), "move")


def test_items_of_a_stream_given_as_argument_are_checked_as_they_are_taken() -> None:
    async def total(values: AsyncIterator[int]) -> int:
        return sum([value async for value in values])

    async def given() -> AsyncIterator[Any]:
        yield 1
        yield "two"

    async def main() -> None:
        source = given()
        (stream,) = accepted(total, source)
        assert stream.ag_code is source.ag_code  # else it is the stream it was
        values = aiter(stream)
        assert await anext(values) == 1
        with pytest.raises(RPCValidationError) as caught:
            await anext(values)
        assert caught.value.phase == "input"
        assert caught.value.issues == [
            {"message": "item of values: Expected `int`, got `str`", "path": [0]}
        ]
        await stream.aclose()

    asyncio.run(main())


def test_items_of_a_sync_stream_given_as_argument() -> None:
    def join(values: Iterable[tuple[str, ...]]) -> str:
        return "".join(*values)

    (stream,) = accepted(join, iter([["a"], ["b"]]))
    assert list(stream) == [("a",), ("b",)]
    (stream,) = accepted(join, iter(["a"]))
    with pytest.raises(RPCValidationError, match="item of values"):
        next(stream)


# ---- the error


def test_the_error_reaches_the_peer_as_the_peers_have_it() -> None:
    with pytest.raises(RPCValidationError) as caught:
        validator(move).check_args(["a"], {}, "math.move")
    error = remote_error(caught.value)
    assert error.name == "RPCValidationError"
    assert error.message == (
        'RPC input validation failed for "math.move": point: Expected `object`, got `str`'
    )
    assert error.data == {
        "phase": "input",
        "method": "math.move",
        "issues": [{"message": "point: Expected `object`, got `str`", "path": [0]}],
    }


@pytest.mark.parametrize("twin", [copy.copy, lambda exc: pickle.loads(pickle.dumps(exc))])
def test_the_error_can_be_copied_and_pickled(twin: Any) -> None:
    error = RPCValidationError("input", "f", [{"message": "m", "path": []}])
    assert str(twin(error)) == str(error)
    assert twin(error).issues == error.issues
