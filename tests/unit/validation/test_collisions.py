"""Sets and dicts of what a peer has made to collide: refused before they are made."""

from __future__ import annotations

import dataclasses
import decimal
import itertools
import time
import uuid
from typing import Any, TypedDict

import pytest

from kkjupyter.validation.checking import Mismatch, check_for
from kkjupyter.validation.collisions import collision_check
from kkjupyter.wire.message_cost import HASH_MODULUS, MAX_EQUAL_HASHES


@dataclasses.dataclass(frozen=True)
class Point:
    x: int
    y: int


class Batch(TypedDict):
    ids: set[uuid.UUID]


COUNT = 10_000
UUIDS = [str(uuid.UUID(int=HASH_MODULUS * (2**60 + number))) for number in range(COUNT)]
DECIMALS = [f"0.{HASH_MODULUS * (10**15 + number):036}" for number in range(COUNT)]
EXPONENTS = [
    f"{pow(10, -power, HASH_MODULUS)}E{power}" for power in range(COUNT)
]  # all of them have the hash of 1
# Many tuples of few numbers, each of which may be there.
TUPLES = [list(bits) for bits in itertools.product((0, HASH_MODULUS), repeat=13)]
POINTS = [{"x": x * HASH_MODULUS, "y": y * HASH_MODULUS} for x in range(60) for y in range(60)]


@pytest.mark.parametrize(
    ("hint", "value"),
    [
        (set[uuid.UUID], UUIDS),
        (frozenset[uuid.UUID] | None, [text.replace("-", "").upper() for text in UUIDS]),
        (dict[uuid.UUID, int], dict.fromkeys(UUIDS, 1)),
        (list[Batch], [{"ids": UUIDS}]),
        (set[decimal.Decimal], DECIMALS),
        (set[decimal.Decimal], EXPONENTS),
        (set[tuple[int, ...]], TUPLES),
        (dict[str, set[Point]], {"a": POINTS}),
    ],
    ids=lambda part: str(part)[:40],
)
def test_a_crowd_of_one_hash_is_refused_soon(hint: Any, value: Any) -> None:
    check = check_for(hint)
    assert check is not None
    begun_s = time.thread_time()
    with pytest.raises(Mismatch, match="different values have the same hash"):
        check(value)
    assert time.thread_time() - begun_s < 1


@pytest.mark.parametrize(
    ("hint", "value"),
    [
        (set[uuid.UUID], [str(uuid.uuid5(uuid.NAMESPACE_DNS, str(n))) for n in range(1000)]),
        (set[uuid.UUID], UUIDS[:MAX_EQUAL_HASHES]),
        (set[decimal.Decimal], [f"{number}.50" for number in range(1000)]),
        (set[tuple[int, int]], [[1, 2]] * 1000),
        (set[tuple[int, int]], [[number, 2] for number in range(1000)]),
        (dict[decimal.Decimal, str], {f"0.{number}1": "a" for number in range(1000)}),
    ],
    ids=lambda part: str(part)[:40],
)
def test_what_does_not_collide_is_fine(hint: Any, value: Any) -> None:
    check = check_for(hint)
    assert check is not None
    assert 1 <= len(check(value)) <= len(value)


@pytest.mark.parametrize(
    "hint", [int, list[uuid.UUID], set[str], set[int], dict[str, int], dict[str, Any], list[Point]]
)
def test_most_hints_need_no_look(hint: Any) -> None:
    assert collision_check([hint]) is None


def test_a_result_is_not_looked_at() -> None:
    check = check_for(set[uuid.UUID], is_result=True)
    assert check is not None
    assert len(check({uuid.UUID(text) for text in UUIDS[:100]})) == 100
