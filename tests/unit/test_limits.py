"""Counting to a limit, and what is said where it is reached."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import threading

import pytest

import kkjupyter as kk
from kkjupyter.limits import Budget, LimitExceeded, ServerLoad, Share, Slots, check_limits


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(kk.ServerLimits)])
def test_each_limit_has_a_default_and_takes_a_number_or_none(name: str) -> None:
    assert getattr(kk.ServerLimits(), name) > 0
    for value in (None, 1):
        assert getattr(kk.ServerLimits(**{name: value}), name) == value
    for wrong in (0, -1, "many", True, *([1.5] if not name.endswith("_s") else [])):
        with pytest.raises(kk.UsageError, match=f"{name} is {wrong!r}"):
            kk.ServerLimits(**{name: wrong})


def test_only_limits_are_limits() -> None:
    assert check_limits(None) == kk.ServerLimits()
    with pytest.raises(kk.UsageError, match=r"limits must be a kk\.ServerLimits, not dict"):
        kk.serve(object(), limits={"requests": 3})  # type: ignore[typeddict-item]


def test_slots_are_taken_together_with_those_above() -> None:
    above = Slots(3, "all", "wait")
    one, other = Slots(2, "each", "wait", above), Slots(None, "each", "wait", above)
    one.take(2)
    with pytest.raises(LimitExceeded, match=r"limit each \(2\) is reached; wait, or serve with"):
        one.take()
    other.take()
    with pytest.raises(LimitExceeded, match=r"limit all \(3\) is reached"):
        other.take()
    assert (one.taken, other.taken, above.taken) == (2, 1, 3)
    one.give_back(2)
    other.take(2)
    assert (one.taken, other.taken, above.taken) == (0, 3, 3)


def test_what_is_refused_is_not_counted() -> None:
    limits = kk.ServerLimits(
        requests_per_connection=2,
        streams_per_connection=1,
        buffered_bytes_per_connection=100,
        buffered_bytes=150,
    )
    server = ServerLoad(limits)
    one, other = server.connection(), server.connection()
    one.admit(1000, 0)  # a single one is bounded by the size of a message
    with pytest.raises(LimitExceeded, match="buffered_bytes_per_connection"):
        one.admit(1, 0)
    with pytest.raises(LimitExceeded, match=r"limit buffered_bytes \(150\)"):
        other.admit(1, 0)
    one.release(1000, 0)
    one.admit(50, 1)
    with pytest.raises(LimitExceeded, match="streams_per_connection"):
        one.admit(10, 1)
    one.admit(10, 0)
    with pytest.raises(LimitExceeded, match="requests_per_connection"):
        one.admit(10, 0)
    one.release(50, 1)
    one.release(10, 0)
    assert (server.requests.taken, server.streams.taken, server.budget.held_bytes) == (0, 0, 0)


def test_the_error_says_which_limit_and_survives_a_copy() -> None:
    error = LimitExceeded("requests", 4096, "wait")
    assert "limits=kk.ServerLimits(requests=...)" in str(error)
    for twin in (copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert (str(twin), twin.data) == (str(error), {"limit": "requests", "value": 4096})


def test_a_budget_adds_up_what_many_threads_hold() -> None:
    budget = Budget(1_000_000)

    def hold() -> None:
        share = Share(budget)
        for held_bytes in range(0, 500_000, 1000):
            share.hold(held_bytes)
        share.hold(200_000)

    threads = [threading.Thread(target=hold) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert budget.held_bytes == 800_000
    assert budget.fits(200_000)
    assert not budget.fits(200_001)
    assert not budget.is_exhausted
    Share(budget).hold(300_000)
    assert budget.is_exhausted


def test_small_changes_of_a_share_are_told_when_they_add_up() -> None:
    budget = Budget()
    share = Share(budget)
    share.hold(1000)
    assert budget.held_bytes == 0
    share.hold(100_000)
    share.hold(99_000)
    assert budget.held_bytes == 100_000
    share.hold(0)
    assert budget.held_bytes == 0
    assert budget.fits(10**12)
