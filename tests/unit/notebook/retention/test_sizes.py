"""What an item takes in memory, whatever it is made of."""

from __future__ import annotations

import array
import collections
import dataclasses
import functools
import logging
import sys
import threading
from types import MappingProxyType, SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import attrs
import msgspec
import numpy
import pandas
import pydantic
import pytest

from kkjupyter.notebook.retention import Limits, Retained, size_bytes
from kkjupyter.notebook.retention.sizes import SizeMeter

SIZE_BYTES = 1_000_000


def text() -> str:
    return "x" * SIZE_BYTES


@dataclasses.dataclass
class Event:
    base64: Any
    n: int = 0


@dataclasses.dataclass(slots=True, frozen=True)
class Slotted:
    base64: Any


class Model(pydantic.BaseModel):
    model_config = {"extra": "allow"}


class Struct(msgspec.Struct):
    base64: Any


@attrs.define
class Attrs:
    base64: Any


class Text(str):
    pass


class Row(dict):  # type: ignore[type-arg]
    pass


class Plain:
    def __init__(self, base64: Any) -> None:
        self.base64 = base64


class Property(Plain):
    @property
    def __dict__(self) -> Any:  # type: ignore[override]
        raise RuntimeError("not yours")


class Hostile:
    def __init__(self, base64: Any) -> None:
        object.__setattr__(self, "base64", base64)

    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError(name)

    def __sizeof__(self) -> int:
        raise RuntimeError("sizeof")


MAKERS: dict[str, Any] = {
    "str": text,
    "str subclass": lambda: Text(text()),
    "tuple": lambda: (text(),),
    "set": lambda: {text()},
    "key": lambda: {text(): 1},
    "many keys": lambda: {f"{n:0950}": n for n in range(1000)},
    "dict subclass": lambda: Row(a=text()),
    "dataclass": lambda: Event(text()),
    "dataclass with slots": lambda: Slotted(text()),
    "nested dataclasses": lambda: Event(Slotted([Event(text())])),
    "pydantic": lambda: Model(base64=text()),
    "msgspec": lambda: Struct(text()),
    "attrs": lambda: Attrs(text()),
    "namespace": lambda: SimpleNamespace(a=SimpleNamespace(b=text())),
    "plain object": lambda: Plain(Plain(text())),
    "odd __dict__": lambda: Property(text()),
    "hostile object": lambda: Hostile(text()),
    "deque": lambda: collections.deque([text()]),
    "mapping": lambda: MappingProxyType({"a": text()}),
    "user dict": lambda: collections.UserDict(a=text()),
    "exception": lambda: ValueError(text()),
    "partial": lambda: functools.partial(print, text()),
    "bytes": lambda: bytes(SIZE_BYTES),
    "bytearray": lambda: bytearray(SIZE_BYTES),
    "memoryview": lambda: memoryview(bytes(SIZE_BYTES)),
    "part of a memoryview": lambda: memoryview(bytes(SIZE_BYTES))[:10],
    "array": lambda: array.array("b", bytes(SIZE_BYTES)),
    "ndarray": lambda: numpy.zeros(SIZE_BYTES, "b"),
    "slice of an ndarray": lambda: numpy.zeros(2 * SIZE_BYTES, "b")[:SIZE_BYTES],
    "ndarray of objects": lambda: numpy.array([text(), 1], dtype=object),
    "data frame": lambda: pandas.DataFrame({"a": numpy.zeros(SIZE_BYTES, "b")}),
    "data frame of texts": lambda: pandas.DataFrame({"a": [text()]}),
    "series": lambda: pandas.Series(numpy.zeros(SIZE_BYTES, "b")),
}


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS.keys())
def test_the_size_is_that_of_what_it_holds(make: Any) -> None:
    assert 0.9 * SIZE_BYTES < size_bytes(make()) < 1.3 * SIZE_BYTES
    assert 0.9 * SIZE_BYTES < size_bytes({"a": [make()]}) < 1.3 * SIZE_BYTES


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS.keys())
def test_the_limit_holds_for_any_kind(make: Any) -> None:
    retained = Retained(Limits(size_bytes=4 * SIZE_BYTES))
    for _ in range(20):
        retained.extend([make()])
    assert 3 <= len(retained.items) <= 5
    assert retained.items.left_out == 20 - len(retained.items)


def test_large_ones_are_measured_by_sample() -> None:
    rows = [{"a": n, "b": f"{n:01000}"} for n in range(20_000)]
    actual = sum(map(size_bytes, rows))
    assert 0.7 * actual < size_bytes(rows) < 1.3 * actual
    assert 3_000_000 < size_bytes([float(n) for n in range(100_000)]) < 4_500_000
    tree: Any = "leaf" * 100
    for _ in range(30):
        tree = [tree] * 50
    assert size_bytes(tree) > 0


def test_no_code_of_an_item_runs() -> None:
    class Own:
        def __sizeof__(self) -> int:
            raise AssertionError("it was asked")

    class OwnText(str):
        __sizeof__ = Own.__sizeof__

    assert 0.9 * SIZE_BYTES < size_bytes([Own(), OwnText(text())]) < 1.3 * SIZE_BYTES
    mock = MagicMock()  # which remembers each call, and makes a mock of what it is asked for
    size_bytes(mock)
    assert mock.mock_calls == []


def test_what_is_shared_is_counted_once() -> None:
    client = Plain([{"n": n} for n in range(3_000)])
    prompt = text()
    retained = Retained(Limits(size_bytes=4 * SIZE_BYTES))
    for n in range(1000):
        retained.extend([SimpleNamespace(n=n, client=client, prompt=prompt)])
    assert len(retained.items) == 1000
    assert size_bytes([prompt] * 1000) < 1.1 * SIZE_BYTES


def test_the_program_is_not_part_of_an_item() -> None:
    item = [Plain, sys, text, SizeMeter().measure, logging]
    assert size_bytes(item) < 10_000
    circular: list[Any] = []
    circular.append(circular)
    assert size_bytes(circular) < 1_000
    assert size_bytes(Plain(threading.Lock())) > 0


def test_a_buffer_that_was_released() -> None:
    view = memoryview(b"abc")
    view.release()
    assert size_bytes(view) > 0
