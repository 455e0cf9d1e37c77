"""What is kept of a long stream, and what it says about the rest."""

from __future__ import annotations

from typing import Any

import pytest

from kkjupyter.notebook.retention import DEFAULT_LIMITS, Items, Limits, Retained, size_bytes


def kept(limits: Limits, items: Any) -> Items:
    retained = Retained(limits)
    retained.extend(items)
    return retained.items


def test_the_limits_promised() -> None:
    assert Limits(1_000_000, 64 * 1024 * 1024) == DEFAULT_LIMITS


@pytest.mark.parametrize("number", [0, 1, 5, 9, 10])
def test_below_the_limit_everything_is_complete(number: int) -> None:
    items = kept(Limits(items=10), range(number))
    assert items == list(range(number))
    assert items.left_out == 0


def test_beyond_the_limit_head_and_newest_stay() -> None:
    items = kept(Limits(items=6), range(100))
    assert items == [0, 1, 2, 97, 98, 99]
    assert (items.left_out, items.gap_at) == (94, 3)
    assert repr(items) == "[0, 1, 2, <94 items left out>, 97, 98, 99]"


def test_the_limit_in_bytes() -> None:
    retained = Retained(Limits(items=None, size_bytes=100_000))
    for index in range(100):
        retained.extend([f"{index:02}" + "x" * 10_000])
    items = retained.items
    assert sum(map(size_bytes, items)) <= 100_000 + 2 * 10_060
    assert items[0].startswith("00")
    assert items[-1].startswith("99")
    assert len(items) + items.left_out == retained.count == 100


def test_an_item_larger_than_the_limit_stays_while_it_is_the_newest() -> None:
    retained = Retained(Limits(size_bytes=1000))
    retained.extend(["a" * 600, "b" * 5000])
    assert [item[0] for item in retained.items] == ["a", "b"]
    retained.extend(["c"])
    assert [item[0] for item in retained.items] == ["a", "c"]


def test_no_limit() -> None:
    items = kept(Limits(None, None), range(2_000))
    assert len(items) == 2_000
