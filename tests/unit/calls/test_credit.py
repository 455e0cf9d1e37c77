"""The window of a pulled stream: it grows, is limited in bytes, and never stands still."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from kkjupyter.calls.buffer import CREDIT_LIMIT_BYTES, NOT_NOW, CreditWindow, StreamBuffer

LIMIT_ITEMS = 65_536


class Stream:
    """A buffer, its window, and a consumer that behaves as CallState.take does.

    It stands in for the window's buffer, so that the consumer, which is another thread, can be
    made to take values whenever the window looks.

    Attributes:
        pulls_due: how often the consumer has asked for a pull that has not been made yet.
        granted: the credit that the peer has been given in all.
        races: how many values the consumer takes at each of the next looks.
    """

    def __init__(self) -> None:
        self.buffer = StreamBuffer()
        self.races: list[int] = []
        self.granted = 0
        self.pulls_due = 1  # the claim asks once
        self.window = CreditWindow(self)  # type: ignore[arg-type]

    @property
    def put_items(self) -> int:
        return self.buffer.put_items

    @property
    def largest_bytes(self) -> int:
        return self.buffer.largest_bytes

    @property
    def taken_items(self) -> int:
        seen = self.buffer.taken_items
        if self.races:
            self.take(self.races.pop())  # what was seen is old by now
        return seen

    @property
    def credit(self) -> int:
        """What the peer may still send."""
        return self.granted - self.put_items

    def take(self, count: int) -> None:
        for _ in range(min(count, len(self.buffer))):
            self.buffer.take()
            if self.buffer.taken_items >= self.window.pull_at:
                self.window.pull_at = NOT_NOW
                self.pulls_due += 1

    def pull(self) -> int:
        """What the I/O loop does when asked to; the credit granted."""
        count = self.window.due()
        self.granted += count
        return count

    def send(self, count: int, size_bytes: int = 1) -> None:
        """The peer sends values, in one go."""
        for _ in range(count):
            self.buffer.put(None, size_bytes)
        self.window.received()
        self.pull()


RACES = st.lists(st.sampled_from([0, 1, 5, 16, 1000]), max_size=4)


class RacingConsumer(RuleBasedStateMachine):
    """Any order of sending, taking and pulling, with the consumer in between at any moment."""

    def __init__(self) -> None:
        super().__init__()
        self.stream = Stream()

    @precondition(lambda self: self.stream.pulls_due)
    @rule(races=RACES)
    def pull(self, races: list[int]) -> None:
        stream = self.stream
        stream.pulls_due -= 1
        stream.races = races
        count = stream.pull()
        stream.races = []
        self.check_grant(count)

    @precondition(lambda self: self.stream.credit > 0)
    @rule(
        share=st.sampled_from([0.01, 0.5, 1.0]),
        size_bytes=st.sampled_from([1, 100, 64 * 1024, 3 * 1024 * 1024, 20 * 1024 * 1024]),
        races=RACES,
    )
    def send(self, share: float, size_bytes: int, races: list[int]) -> None:
        stream = self.stream
        before = stream.granted
        count = min(500, max(1, int(stream.credit * share)))
        for _ in range(count):
            stream.buffer.put(None, size_bytes)
        stream.races = races
        stream.window.received()
        stream.pull()
        stream.races = []
        self.check_grant(stream.granted - before)

    @rule(count=st.integers(1, 600))
    def take(self, count: int) -> None:
        self.stream.take(count)

    @rule()
    def take_until_it_asks(self) -> None:
        stream = self.stream
        asked = stream.pulls_due
        while len(stream.buffer) and stream.pulls_due == asked:
            stream.take(1)

    def check_grant(self, count: int) -> None:
        stream = self.stream
        assert count >= 0
        if count:
            ahead = stream.granted - stream.buffer.taken_items
            assert ahead <= LIMIT_ITEMS
            assert ahead == 1 or ahead * stream.largest_bytes <= CREDIT_LIMIT_BYTES

    @invariant()
    def it_does_not_stand_still(self) -> None:
        stream = self.stream
        assert stream.pulls_due or stream.credit > 0 or len(stream.buffer)


TestRacingConsumer = RacingConsumer.TestCase
TestRacingConsumer.settings = settings(max_examples=150, stateful_step_count=60, deadline=None)
TestRacingConsumer = pytest.mark.slow(TestRacingConsumer)


def rounds(stream: Stream, count: int, size_bytes: int = 1) -> list[int]:
    """How much credit there is in each of some round trips of a slow link.

    All the peer may send arrives at once, and all of it is taken before more can come.
    """
    stream.pull()
    windows: list[int] = []
    for _ in range(count):
        windows.append(stream.credit)
        stream.send(stream.credit, size_bytes)
        stream.take(10**9)
        if stream.pulls_due:
            stream.pulls_due = 0
            stream.pull()
    return windows


def test_the_first_pull_is_for_one_value() -> None:
    """32 values may be 128 MB as long as none was seen."""
    assert rounds(Stream(), 1) == [1]


def test_it_grows_while_nothing_but_the_window_holds_the_stream_up() -> None:
    windows = rounds(Stream(), 20)
    print(windows)
    assert windows[1] >= 31
    assert all(after >= before for before, after in itertools.pairwise(windows))
    assert windows[-1] == LIMIT_ITEMS
    assert sum(windows[:10]) > 5000


@pytest.mark.parametrize("size_bytes", [64 * 1024, 1024 * 1024, 5 * 1024 * 1024])
def test_it_grows_no_further_than_its_limit_in_bytes(size_bytes: int) -> None:
    windows = rounds(Stream(), 20, size_bytes)
    assert max(windows) == max(1, CREDIT_LIMIT_BYTES // size_bytes)
    assert min(windows) >= 1


def test_it_does_not_grow_for_a_consumer_that_does_not_keep_up() -> None:
    stream = Stream()
    stream.pull()
    stream.send(1)
    for _ in range(200):
        stream.take(8)
        if stream.pulls_due:
            stream.pulls_due = 0
            stream.pull()
        if stream.credit:
            stream.send(stream.credit)  # there before the consumer has come to its end
    assert stream.granted - stream.buffer.taken_items <= 64


def test_it_shrinks_to_one_when_values_turn_out_large() -> None:
    stream = Stream()
    assert rounds(stream, 12)[-1] > 1000
    while stream.credit > 1:
        stream.send(1, 5 * 1024 * 1024)
        stream.take(1)
        stream.pulls_due = 0
    for _ in range(5):
        stream.pull()
        assert stream.credit <= 1
        if stream.credit:
            stream.send(1, 5 * 1024 * 1024)
        stream.take(1)


def test_a_pull_that_comes_too_often_grants_nothing() -> None:
    stream = Stream()
    assert stream.pull() == 1
    assert [stream.pull() for _ in range(3)] == [0, 0, 0]
    stream.send(1)
    first = stream.granted
    assert [stream.pull() for _ in range(3)] == [0, 0, 0]
    assert stream.granted == first


def test_an_idle_consumer_is_granted_no_more_than_the_window() -> None:
    stream: Any = Stream()
    stream.pull()
    for _ in range(100):
        if stream.credit:
            stream.send(1)
    assert stream.put_items <= 64
