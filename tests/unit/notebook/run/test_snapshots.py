"""What is shown and kept is what was yielded, also if it is changed and yielded again."""

from __future__ import annotations

import array
import asyncio
import collections
import dataclasses
import enum
import gc
import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from types import MappingProxyType, SimpleNamespace
from typing import Any, NamedTuple

import attrs
import msgspec
import numpy
import pandas
import pydantic
import pytest

import kkjupyter as kk
from kkjupyter.notebook.run import snapshots
from kkjupyter.notebook.run.snapshots import snapshot

STEPS = list(range(5))


@dataclasses.dataclass
class Point:
    n: Any


@dataclasses.dataclass(slots=True)
class Slotted:
    n: Any


@dataclasses.dataclass(frozen=True)
class Frozen:
    n: Any


class Model(pydantic.BaseModel):
    model_config = {"extra": "allow"}
    n: Any


class Struct(msgspec.Struct):
    n: Any


class FrozenStruct(msgspec.Struct, frozen=True):
    n: Any


@attrs.define
class Attrs:
    n: Any


class Plain:
    def __init__(self, n: Any) -> None:
        self.n = n


class Reluctant(Plain):
    """It has what it has, and refuses everything else."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name != "n":
            raise RuntimeError(name)
        super().__setattr__(name, value)


class AttributeDict(dict):  # type: ignore[type-arg]
    def __init__(self, **values: Any) -> None:
        super().__init__(**values)
        self.__dict__ = self


class Row(dict):  # type: ignore[type-arg]
    def __setitem__(self, key: Any, value: Any) -> None:
        raise TypeError("read-only")


class Numbers(list):  # type: ignore[type-arg]
    pass


class Names(set):  # type: ignore[type-arg]
    pass


class Ordered(collections.OrderedDict):  # type: ignore[type-arg]
    pass


class Default(collections.defaultdict):  # type: ignore[type-arg]
    pass


class Pair(NamedTuple):
    n: Any
    m: int = 0


def set_key(item: Any, n: int) -> None:
    dict.__setitem__(item, "n", n)


def set_first(item: Any, n: int) -> None:
    item[0] = n


def set_n(item: Any, n: int) -> None:
    item.n = n


def set_inner(item: Any, n: int) -> None:
    (item["n"] if isinstance(item, dict) else item.n)[0] = n


def by_key(item: Any) -> Any:
    return item["n"]


def first(item: Any) -> Any:
    return item[0]


def n_of(item: Any) -> Any:
    return item.n


def inner(item: Any) -> Any:
    return (item["n"] if isinstance(item, dict) else item.n)[0]


Change = Callable[[Any, int], object]
KINDS: dict[str, tuple[Callable[[], Any], Change, Callable[[Any], Any]]] = {
    "dict": (lambda: {"n": 0}, set_key, by_key),
    "list": (lambda: [0], set_first, first),
    "set": (set, lambda item, n: (item.clear(), item.add(n)), lambda item: next(iter(item))),
    "deque": (lambda: collections.deque([0], maxlen=2), set_first, first),
    "bytearray": (lambda: bytearray(1), set_first, first),
    "array": (lambda: array.array("d", [0]), set_first, first),
    "ndarray": (lambda: numpy.zeros(3), set_first, first),
    "view of an ndarray": (lambda: numpy.zeros(9)[::3], set_first, first),
    "ndarray of objects": (
        lambda: numpy.array([[0], 1], dtype=object),
        lambda item, n: item[0].__setitem__(0, n),
        lambda item: item[0][0],
    ),
    "record": (
        lambda: numpy.zeros(1, dtype=[("n", "i4")])[0],
        lambda item, n: item.__setitem__("n", n),
        by_key,
    ),
    "data frame": (
        lambda: pandas.DataFrame({"n": [0]}),
        lambda item, n: item.__setitem__("n", [n]),
        lambda item: item["n"][0],
    ),
    "series": (
        lambda: pandas.Series([0]),
        lambda item, n: item.__setitem__(0, n),
        first,
    ),
    "memoryview": (lambda: memoryview(bytearray(4))[1:3], set_first, first),
    "memoryview of numbers": (
        lambda: memoryview(numpy.zeros((2, 2))),
        lambda item, n: item.__setitem__((0, 0), n),
        lambda item: item[0, 0],
    ),
    "Counter": (lambda: collections.Counter(n=0), set_key, by_key),
    "OrderedDict": (
        lambda: collections.OrderedDict(n=0),
        lambda item, n: item.__setitem__("n", n),
        by_key,
    ),
    "defaultdict": (lambda: collections.defaultdict(list, n=[0]), set_inner, inner),
    "UserDict": (
        lambda: collections.UserDict(n=0),
        lambda item, n: item.__setitem__("n", n),
        by_key,
    ),
    "ChainMap": (
        lambda: collections.ChainMap({}, {"n": 0}),
        lambda item, n: item.maps[1].__setitem__("n", n),
        by_key,
    ),
    "dict behind a proxy": (
        lambda: MappingProxyType({"n": 0}),
        lambda item, n: gc.get_referents(item)[0].__setitem__("n", n),
        by_key,
    ),
    "dict of the user's": (lambda: Row(n=0), set_key, by_key),
    "dict that is its attributes": (lambda: AttributeDict(n=0), set_n, n_of),
    "list of the user's": (lambda: Numbers([0]), set_first, first),
    "set of the user's": (
        Names,
        lambda item, n: (item.clear(), item.add(n)),
        lambda item: next(iter(item)),
    ),
    "OrderedDict of the user's": (
        lambda: Ordered(n=0),
        lambda item, n: item.__setitem__("n", n),
        by_key,
    ),
    "defaultdict of the user's": (lambda: Default(list, n=[0]), set_inner, inner),
    "namespace": (lambda: SimpleNamespace(n=0), set_n, n_of),
    "dataclass": (lambda: Point(0), set_n, n_of),
    "dataclass with slots": (lambda: Slotted(0), set_n, n_of),
    "frozen dataclass with a list": (lambda: Frozen([0]), set_inner, inner),
    "pydantic": (lambda: Model(n=0), set_n, n_of),
    "pydantic with a list": (lambda: Model(n=[0]), set_inner, inner),
    "msgspec": (lambda: Struct(0), set_n, n_of),
    "frozen msgspec with a list": (lambda: FrozenStruct([0]), set_inner, inner),
    "attrs": (lambda: Attrs(0), set_n, n_of),
    "plain object": (lambda: Plain(0), set_n, n_of),
    "reluctant object": (lambda: Reluctant(0), set_n, n_of),
    "tuple with a list": (
        lambda: ([0], 1),
        lambda item, n: item[0].__setitem__(0, n),
        lambda item: item[0][0],
    ),
    "named tuple with a list": (lambda: Pair([0]), set_inner, inner),
    "dict with a list": (lambda: {"n": [0]}, set_inner, inner),
    "nested": (
        lambda: [{"a": (Point(Plain(SimpleNamespace(n=0))),)}],
        lambda item, n: setattr(item[0]["a"][0].n.n, "n", n),
        lambda item: item[0]["a"][0].n.n.n,
    ),
}
every_kind = pytest.mark.parametrize(("make", "change", "read"), KINDS.values(), ids=KINDS.keys())


def again_and_again(item: Any, change: Change) -> Iterator[Any]:
    for n in STEPS:
        change(item, n)
        yield item


@every_kind
def test_one_object_yielded_again_is_kept_as_it_was(
    make: Callable[[], Any], change: Change, read: Callable[[Any], Any]
) -> None:
    reply = kk.show(again_and_again(make(), change), pick=lambda item: f"{read(item):g} ").wait()
    assert [read(item) for item in reply.items] == STEPS
    assert reply.text == "0 1 2 3 4 "
    assert {type(item) for item in reply.items} == {type(make())}


@every_kind
def test_a_loop_has_the_object_and_the_reply_what_it_was(
    make: Callable[[], Any], change: Change, read: Callable[[Any], Any]
) -> None:
    item = make()
    shown = kk.show(again_and_again(item, change), pick=lambda item: None)
    for n, each in enumerate(shown):
        assert each is item
        assert read(each) == n
        change(each, 99)
    assert [read(item) for item in shown.reply.items] == STEPS


def test_async_sources_and_loops() -> None:
    async def rows() -> AsyncIterator[dict[str, int]]:
        row: dict[str, int] = {}
        for n in STEPS:
            row["n"] = n
            yield row

    async def main() -> None:
        reply = await kk.show(rows(), view="json")
        assert [row["n"] for row in reply.items] == STEPS
        shown = kk.show(rows(), view="json")
        async for row in shown:
            row["n"] = -1
        assert [row["n"] for row in shown.reply.items] == STEPS

    asyncio.run(main())


@pytest.mark.parametrize("view", ["json", "table", "text", "auto"])
def test_views_show_what_was_yielded(view: str, capsys: pytest.CaptureFixture[str]) -> None:
    kk.show(again_and_again({"n": 0}, set_key), view=view).wait()
    numbers = [word for word in capsys.readouterr().out.replace("}", " ").split() if word.isdigit()]
    assert numbers[:5] == ["0", "1", "2", "3", "4"]


def test_remote_items_that_a_loop_changes() -> None:
    with kk.serve({"rows": lambda: ({"n": n} for n in STEPS)}) as server:
        shown = kk.show(server.connect().rows(), view="json")
        for row in shown:
            row["n"] = -1
        assert [row["n"] for row in shown.reply.items] == STEPS


# ---- what is not copied


class Colour(enum.Enum):
    RED = [1]  # noqa: RUF012


class Mark:
    pass


class Finalized(Plain):
    def __del__(self) -> None:
        pass


class Resource(Plain):
    def __enter__(self) -> Resource:
        return self

    def __exit__(self, *_: object) -> None:
        pass


class Custom(threading.Thread):
    pass


@pytest.mark.parametrize(
    "item",
    [
        *["text", b"bytes", 1, 1.5, None, (1, "a"), frozenset({1}), range(3), Pair(1)],
        *[Frozen(1), Frozen((1, "a")), FrozenStruct("a"), memoryview(b"abc")],
        *[Colour.RED, Mark(), Mark, print, threading, ValueError("x"), threading.Lock()],
        *[Finalized([1]), Resource([1]), Custom(), object(), pandas.Timestamp(0), numpy.int64(1)],
    ],
    ids=lambda item: type(item).__name__,
)
def test_what_cannot_change_or_is_no_data_is_not_copied(item: Any) -> None:
    assert snapshot(item) is item
    assert snapshot([item])[0] is item


class Stubborn:
    """Only its own constructor can make one."""

    def __init__(self) -> None:
        self.n = 1

    def __setstate__(self, state: Any) -> None:
        raise RuntimeError("no")

    @property
    def __dict__(self) -> Any:  # type: ignore[override]
        raise RuntimeError("not yours")


class Number(int):
    def __init__(self, n: int) -> None:
        self.unit = "m"


class Frame(list):  # type: ignore[type-arg]
    def copy(self) -> Any:
        raise RuntimeError("no")


def test_what_cannot_be_copied_stays_as_it_is() -> None:
    for item in (Stubborn(), Number(3)):
        assert snapshot({"a": item})["a"] is item
    frame = Frame([[1]])
    assert snapshot(frame) == [[1]]
    view = memoryview(bytearray(3))
    view.release()
    assert snapshot(view) is view


def test_circles_and_what_is_held_twice() -> None:
    row: dict[str, Any] = {"n": 1}
    row["self"], row["list"] = row, [row]
    twin = snapshot(row)
    assert twin is not row
    assert twin["self"] is twin["list"][0] is twin
    point = Point(None)
    point.n = [point]
    twin = snapshot(point)
    assert twin is not point
    assert twin.n[0] is twin
    shared = [1]
    first, second = snapshot((shared, {"a": shared}))
    assert first is second["a"]
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    assert snapshot(deep) is not deep
    while deep:
        deep = deep.pop()


@pytest.fixture
def fresh_classes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshots, "_ROOM_OBJECTS", 100)


@pytest.mark.usefixtures("fresh_classes")
def test_what_holds_a_whole_program_is_left_alone_from_then_on() -> None:
    class Session:
        def __init__(self) -> None:
            self.rows = [Plain(n) for n in range(200)]

    class Record:
        def __init__(self, session: Session) -> None:
            self.session = session

    record = Record(Session())
    assert snapshot(record) is record
    assert Record in snapshots._left_alone
    assert snapshot(record) is record
    # Each of many small ones is data, all the same.
    points = [Point(n) for n in range(1_000)]
    twins = snapshot(points)
    assert not any(map(lambda point, twin: point is twin, points, twins))
    assert Plain not in snapshots._left_alone


def test_large_arrays_are_not_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshots, "_ROOM_BYTES", 1_000)
    for large in (numpy.zeros(1_000), bytearray(2_000), pandas.DataFrame({"a": range(1_000)})):
        assert snapshot(large) is large
    small = numpy.zeros(10)
    assert snapshot(small) is not small


def test_json_of_a_snapshot_is_that_of_the_item() -> None:
    item = {"a": [1, {"b": None}], "c": "d"}
    assert json.dumps(snapshot(item)) == json.dumps(item)


def test_a_figure_that_is_drawn_over() -> None:
    pyplot = pytest.importorskip("matplotlib.pyplot")
    pyplot.switch_backend("agg")
    figure, axes = pyplot.subplots()
    axes.plot([1, 2, 3])
    taken = snapshot(figure)
    axes.clear()
    assert len(taken.axes[0].lines) == 1
    assert type(taken) is type(figure)
    # It is not a window of pyplot's, which would show it at the end of the cell.
    assert pyplot.get_fignums() == [figure.number]
    pyplot.close(figure)


def test_an_image_that_is_drawn_over() -> None:
    images = pytest.importorskip("PIL.Image")
    image = images.new("L", (2, 2), 7)
    taken = snapshot(image)
    image.putpixel((0, 0), 9)
    assert taken.getpixel((0, 0)) == 7
