"""When a stream of many small pieces is read a little later."""

from __future__ import annotations

import pytest

from kkjupyter.vovk.client.exchange import ReadThrottle

SMALL, QUICK = 30, 0.0005


def busy() -> ReadThrottle:
    pace = ReadThrottle()
    while not pace.wants_rest(SMALL, QUICK):
        pass
    return pace


def test_the_beginning_of_a_stream_is_read_at_once() -> None:
    pace = ReadThrottle()
    assert not any(pace.wants_rest(SMALL, QUICK) for _ in range(16))
    assert all(pace.wants_rest(SMALL, QUICK) for _ in range(1000))


def test_tokens_as_models_make_them_are_read_at_once() -> None:
    pace = ReadThrottle()
    assert not any(pace.wants_rest(SMALL, 0.008) for _ in range(1000))


@pytest.mark.parametrize(("size_bytes", "waited_s"), [(64 * 1024, QUICK), (SMALL, 0.1)])
def test_a_large_piece_or_a_pause_is_a_new_beginning(size_bytes: int, waited_s: float) -> None:
    pace = busy()
    assert not pace.wants_rest(size_bytes, waited_s)
    assert not pace.wants_rest(SMALL, QUICK)
