"""What honest users serve goes on working: every kind of object that Python has for an API."""

from __future__ import annotations

import dataclasses
import enum
import functools
import types
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pandas as pd
import pytest
from support.endpoints import Endpoint, Group

import kkjupyter as kk
from kkjupyter.api.in_process import serve_in_memory
from kkjupyter.demo import make_api


def wrapping(function: Callable[..., Any]) -> Callable[..., Any]:
    """A decorator that takes no pains over names, as many do; as if of another package."""

    def wrapper(*args: Any) -> Any:
        return function(*args)

    names = {"__name__": "decorators"}
    made = types.FunctionType(wrapper.__code__, names, "wrapper", None, wrapper.__closure__)
    made.__qualname__ = "wrapping.<locals>.wrapper"
    return made


def plus(one: int, other: int) -> int:
    return one + other


class Base:
    def inherited(self) -> str:
        return "inherited"


class Struct(msgspec.Struct):
    size: int = 3

    def double(self) -> int:
        return 2 * self.size


@dataclasses.dataclass(slots=True)
class Slotted:
    theme: str = "light"

    def upper(self) -> str:
        return self.theme.upper()


class Point(NamedTuple):
    x: int = 1


class Color(enum.Enum):
    RED = 1

    def describe(self) -> str:
        return "red"


class Model:
    """Called as a function."""

    def __call__(self, number: int) -> int:
        return number * 10

    def fit(self) -> str:
        return "fit"


class Table(pd.DataFrame):
    def rows(self) -> int:
        return len(self)


class Api(Base, Endpoint):
    """Its bases are the user's: one of this file, one of a file beside it."""

    Point = Slotted

    def __init__(self) -> None:
        super().__init__()
        self.struct = Struct()
        self.slotted = Slotted()
        self.point = Point()
        self.color = Color.RED
        self.model = Model()
        self.table = Table({"a": [1, 2]})
        self.array = np.arange(3.0)
        self.helpers: dict[str, Any] = {"plus": plus, "deep": {"one": lambda: 1}}
        self.partly = functools.partial(plus, 1)
        self.set_here = lambda: "set"
        self.bound = self.slotted.upper
        self.group = Group()

    def method(self) -> str:
        return "method"

    @classmethod
    def of_class(cls) -> str:
        return cls.__name__

    @staticmethod
    def static() -> str:
        return "static"

    @functools.cache  # noqa: B019
    def cached(self) -> str:
        return "cached"

    @functools.cached_property
    def kept(self) -> Model:
        return Model()

    @functools.singledispatchmethod
    def dispatched(self, value: Any) -> str:
        return type(value).__name__

    part = functools.partialmethod(lambda self, one, two: one + two, 1)

    @wrapping
    def wrapped(self) -> str:
        return "wrapped"

    @property
    def computed(self) -> Slotted:
        return self.slotted

    def plain_stream(self) -> Iterator[int]:
        yield from range(2)

    async def stream(self) -> AsyncIterator[int]:
        yield 5


CALLS: list[tuple[str, list[Any], Any]] = [
    ("method", [], "method"),
    ("inherited", [], "inherited"),
    ("add", [1, 2], 3),  # of the base in another file
    ("of_class", [], "Api"),
    ("static", [], "static"),
    ("cached", [], "cached"),
    ("kept", [2], 20),
    ("kept.fit", [], "fit"),
    ("dispatched", [5], "int"),
    ("part", [2], 3),
    ("wrapped", [], "wrapped"),
    ("struct.double", [], 6),
    ("slotted.upper", [], "LIGHT"),
    ("computed.upper", [], "LIGHT"),
    ("color.describe", [], "red"),
    ("model", [2], 20),
    ("model.fit", [], "fit"),
    ("table.rows", [], 2),
    ("helpers.plus", [1, 2], 3),
    ("helpers.deep.one", [], 1),
    ("partly", [2], 3),
    ("set_here", [], "set"),
    ("bound", [], "LIGHT"),
]

READS: list[tuple[str, Any]] = [
    ("struct.size", 3),
    ("slotted.theme", "light"),
    ("point.0", 1),
    ("computed.theme", "light"),
    ("kept_value", kk.undefined),
    ("settings.theme", "light"),
]


@pytest.fixture(scope="module")
def server() -> Iterator[Any]:
    with serve_in_memory(Api()) as server:
        yield server


@pytest.fixture
def api(server: Any) -> Iterator[Any]:
    with server.connect(protocol="compact") as api:
        yield api


def ask(api: Any, operation: str, path: str, *args: Any) -> Any:
    return api._kk_session.call(operation, path.split("."), args=args).result(timeout_s=10)


@pytest.mark.parametrize(("path", "args", "expected"), CALLS, ids=[call[0] for call in CALLS])
def test_what_can_be_called(api: Any, path: str, args: list[Any], expected: Any) -> None:
    assert ask(api, "call", path, *args) == expected


@pytest.mark.parametrize(("path", "expected"), READS, ids=[read[0] for read in READS])
def test_what_can_be_read(api: Any, path: str, expected: Any) -> None:
    found = ask(api, "get", path)
    assert found is expected or found == expected


def test_streams_values_and_constructors(api: Any) -> None:
    assert list(api.plain_stream()) == [0, 1]
    assert list(api.stream()) == [5]
    assert list(api.group.stream(2)) == ["item-0", "item-1"]
    assert list(ask(api, "get", "array")) == [0.0, 1.0, 2.0]
    assert ask(api, "new", "Point", "dark") is not None


def test_what_can_be_called_is_listed(server: Any) -> None:
    listed = set(server._methods)
    can_be_listed = {path for path, _, _ in CALLS if not path.startswith(("kept", "computed"))}
    assert can_be_listed - {"model.fit"} <= listed


def test_the_demo_may_be_held_by_others() -> None:
    held = {"demo": make_api()}
    with serve_in_memory(held) as server, server.connect() as api:
        assert ask(api, "call", "demo.math.add", 1, 2) == 3
        assert ask(api, "get", "demo.settings.theme") == "light"
        assert ask(api, "new", "demo.Counter", 2) == {"count": 2, "step": 1}


def test_a_namespace_is_as_good_as_a_dict() -> None:
    given = types.SimpleNamespace(length=len, group=types.SimpleNamespace(plus=plus))
    with serve_in_memory(given) as server, server.connect() as api:
        assert ask(api, "call", "length", "four") == 4
        assert ask(api, "call", "group.plus", 1, 2) == 3
