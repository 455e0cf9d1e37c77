"""The buffer of streams whose values come many at a time."""

from __future__ import annotations

import threading
from typing import Any
from unittest.mock import Mock

import pytest

from kkjupyter.calls.buffer import SOFT_LIMIT_BYTES, BatchBuffer
from kkjupyter.vovk.client.call import VovkState


def drain(buffer: BatchBuffer) -> list[Any]:
    values = []
    while buffer:
        values.append(buffer.take())
    return values


def test_in_order_and_counted() -> None:
    buffer = BatchBuffer()
    assert not buffer.put_many([1, 2, 3], 30)
    assert not buffer.put(4, 10)
    assert (len(buffer), buffer.put_items, buffer.held_bytes) == (4, 4, 40)
    assert buffer.take() == 1
    assert (len(buffer), buffer.taken_items, buffer.held_bytes) == (3, 1, 10)
    assert drain(buffer) == [2, 3, 4]
    with pytest.raises(IndexError):
        buffer.take()


def test_limits() -> None:
    buffer = BatchBuffer()
    assert buffer.put_many(["x"], SOFT_LIMIT_BYTES + 1)
    assert not buffer.below_low_mark
    assert buffer.take() == "x"
    assert buffer.below_low_mark
    assert buffer.put_many(list(range(100_000)), 1)
    buffer.take()
    assert buffer.below_low_mark, "what is being taken does not keep the next from coming"
    buffer.clear()
    with pytest.raises(IndexError):
        buffer.take()


def test_a_loop_may_pop_from_the_batch() -> None:
    buffer = BatchBuffer()
    buffer.put_many([1, 2, 3], 30)
    assert buffer.batch == []
    buffer.next_batch()
    assert buffer.batch.pop() == 1
    assert (len(buffer), buffer.taken_items) == (2, 1)
    left = buffer.batch
    buffer.clear()
    assert buffer.batch == []
    assert left == [3, 2], "who has the list pops one more at most"


def test_a_batch_that_is_begun_while_the_call_is_cancelled_is_dropped() -> None:
    class Late(BatchBuffer):
        def next_batch(self) -> None:
            call.cancel()  # by another thread, when this one has the batch in hand
            self.batch = [3, 2, 1]

    call = VovkState("X.y", "X.y()", Mock(reading_paused=False))
    call.buffer = Late()
    call.opened("")
    with pytest.raises(IndexError):
        call.take()
    assert call.buffer.batch == []


def test_one_puts_and_one_takes() -> None:
    buffer = BatchBuffer()
    count = 100_000

    def put() -> None:
        for start in range(0, count, 10):
            buffer.put_many(list(range(start, start + 10)), 10)

    thread = threading.Thread(target=put)
    thread.start()
    taken: list[int] = []
    while len(taken) < count:
        if buffer:
            taken.append(buffer.take())
    thread.join()
    assert taken == list(range(count))
