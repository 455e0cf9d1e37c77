"""Who of the other workers is gone, and who of those that are left says so."""

from __future__ import annotations

from typing import Any

from kkjupyter.bus.link import SILENCE_S
from kkjupyter.bus.messages import Debts, Presence
from kkjupyter.server.listeners.fellows import Fellows

DEBTS = {"client": Debts(["c1"], ["s1", "s2"])}


class FakeBus:
    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    def publish(self, name: str, payload: bytes, *, key: str = "") -> None:
        assert payload == b""
        self.asked.append((name, key))


class Worker:
    def __init__(self, name: str) -> None:
        self.bus: Any = FakeBus()
        self.failed: list[tuple[str, str, Debts]] = []
        self.fellows = Fellows(name, lambda *what: self.failed.append(what))

    def hear(self, worker: str, now_s: float, **fields: Any) -> None:
        self.fellows.heard(Presence(worker, f"inbox of {worker}", **fields), now_s)

    def look(self, now_s: float) -> None:
        self.fellows.look(self.bus, now_s)


def test_a_silent_fellow_is_asked_and_what_it_owed_fails_when_nobody_reads_its_inbox() -> None:
    mine = Worker("w1")
    mine.hear("w2", 0, debts=DEBTS)
    mine.look(2)
    assert mine.bus.asked == []
    mine.look(3)
    assert mine.bus.asked == [("inbox of w2", "fellow-w2")]
    mine.fellows.nobody("somebody else's key", 3)
    assert mine.failed == []
    mine.fellows.nobody("fellow-w2", 3)
    mine.fellows.nobody("fellow-w2", 4)
    assert mine.failed == [("w2", "client", DEBTS["client"])]


def test_one_that_is_frozen_is_given_up_later() -> None:
    mine = Worker("w1")
    mine.hear("w2", 0, debts=DEBTS)
    mine.look(SILENCE_S - 1)
    assert mine.failed == []
    mine.look(SILENCE_S + 1)
    assert mine.failed == [("w2", "client", DEBTS["client"])]


def test_only_one_of_those_that_are_left_says_so() -> None:
    first, second = Worker("w1"), Worker("w2")
    first.hear("w2", 10)
    second.hear("w1", 10)
    for worker in (first, second):
        worker.hear("w0", 0, debts=DEBTS)
        worker.fellows.nobody("fellow-w0", 11)
    assert (len(first.failed), len(second.failed)) == (1, 0)


def test_one_that_leaves_has_settled_everything_and_this_one_is_no_fellow() -> None:
    mine = Worker("w1")
    mine.hear("w1", 0, debts=DEBTS)
    mine.hear("w2", 0, debts=DEBTS)
    mine.hear("w2", 1, is_leaving=True)
    mine.look(100)
    assert mine.failed == []


def test_after_an_outage_of_its_own_nobody_is_given_up() -> None:
    mine = Worker("w1")
    mine.hear("w2", 0, debts=DEBTS)
    mine.fellows.forget()
    mine.look(100)
    assert mine.failed == []
