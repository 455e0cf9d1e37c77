"""How large a value with shared parts is to who walks through it."""

from __future__ import annotations

from array import array
from typing import Any

import pytest

from kkjupyter.errors import ProtocolError, RemoteError
from kkjupyter.wire.message_cost import MAX_DEPTH
from kkjupyter.wire.values import shared_parts
from kkjupyter.wire.values.javascript import Boxed, Map
from kkjupyter.wire.values.shared_parts import MAX_SHARED_PARTS, check_sharing, count_parts


def doubled(times: int, leaf: Any = 1) -> Any:
    value = leaf
    for _ in range(times):
        value = [value, value]
    return value


def is_refused(value: Any, written_parts: int = 0) -> bool:
    try:
        check_sharing(value, written_parts)
    except ProtocolError:
        return True
    return False


def test_parts_are_counted() -> None:
    assert count_parts([1, {"a": [None], "b": "x"}]) == 1 + 1 + 1 + 2 + 2 + 1
    assert count_parts("x" * 640) == 11
    assert count_parts(array("b", range(100))) == 2


def test_what_is_shared_counts_each_time() -> None:
    assert not is_refused(doubled(16))
    assert is_refused(doubled(17))
    assert not is_refused(doubled(17), MAX_SHARED_PARTS)
    assert is_refused(doubled(200))
    assert is_refused(doubled(12, "x" * 64 * 64))
    assert not is_refused("text")


@pytest.mark.parametrize(
    "hold",
    [
        lambda value: {"a": value},
        lambda value: Map({1: value}),
        lambda value: Map({Boxed(value): 1}),
        lambda value: {Boxed(value)},
        lambda value: RemoteError("m", cause=value),
        lambda value: RemoteError("m", data={"a": value}),
    ],
)
def test_whatever_holds_it(hold: Any) -> None:
    assert is_refused(hold(doubled(30)))
    assert is_refused(doubled(30, hold(1)))
    assert not is_refused(hold(doubled(3)))


def linked(count: int) -> Any:
    """Each knows the one before and the one after it."""
    first: dict[str, Any] = {}
    last = first
    for _ in range(count):
        last["next"] = {"before": last}
        last = last["next"]
    return first


def test_what_contains_itself_is_walked_as_repr_does() -> None:
    loop: list[Any] = []
    loop.append(loop)
    assert not is_refused(loop)
    assert not is_refused(doubled(10, loop))
    assert is_refused(doubled(17, loop))
    assert not is_refused(linked(100))
    assert not is_refused([linked(100)] * 100)


def test_a_web_of_references_is_refused() -> None:
    """n lists that each hold all: n! ways through it."""
    web: list[list[Any]] = [[] for _ in range(12)]
    for one in web:
        one += web
    assert is_refused(web)
    small: list[list[Any]] = [[] for _ in range(4)]
    for one in small:
        one += small
    assert not is_refused(small)


def test_references_nest_no_deeper_than_json() -> None:
    """A value that is flat as JSON, in which each list is a part of the one before."""

    def chain(levels: int) -> Any:
        value: Any = []
        for _ in range(levels - 1):
            value = [value]
        return value

    assert not is_refused(chain(MAX_DEPTH))
    assert is_refused(chain(MAX_DEPTH + 1))
    half = chain(MAX_DEPTH // 2)
    below = half
    while below:
        below = below[0]
    below.append(chain(MAX_DEPTH // 2 + 1))
    assert is_refused(half)
    # What is known by the time that it is met again, further down.
    known = chain(MAX_DEPTH - 10)
    deeper = known
    for _ in range(20):
        deeper = [deeper]
    assert is_refused([known, deeper])


def test_the_limit_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_parts, "MAX_SHARED_PARTS", 10)
    with pytest.raises(ProtocolError, match="references make larger than 15 parts"):
        check_sharing([0] * 20, 5)
    assert is_refused([0] * 11)
    assert not is_refused([0] * 9)
