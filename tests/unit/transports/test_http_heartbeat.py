"""Who has a heartbeat, and how often."""

from __future__ import annotations

import pytest
from multidict import CIMultiDict

from kkjupyter.transports.http.heartbeat import interval_of, is_offered, silence_of, told_interval_s


@pytest.mark.parametrize("proxy", ["Via", "forwarded", "X-Forwarded-For", "X-Real-IP"])
def test_only_who_comes_straight_is_taken_up_on_it(proxy: str) -> None:
    assert is_offered(CIMultiDict(connection="keep-alive, KK-Heartbeat"))
    assert not is_offered(CIMultiDict(Connection="keep-alive"))
    assert not is_offered(CIMultiDict())
    assert not is_offered(CIMultiDict({"Connection": "kk-heartbeat", proxy: "10.0.0.1"}))


@pytest.mark.parametrize(
    ("headers", "interval_s"),
    [
        ({"Connection": "kk-heartbeat", "kk-heartbeat": "15"}, 15.0),
        ({"kk-heartbeat": "15"}, None),  # passed on by a proxy, which keeps what is its own
        ({"Connection": "kk-heartbeat"}, None),
        ({"Connection": "kk-heartbeat", "kk-heartbeat": "often"}, None),
        ({"Connection": "kk-heartbeat", "kk-heartbeat": "nan"}, None),
        ({"Connection": "kk-heartbeat", "kk-heartbeat": "0"}, None),
        ({"Connection": "kk-heartbeat", "kk-heartbeat": "1e9"}, None),
    ],
)
def test_a_server_says_how_often(headers: dict[str, str], interval_s: float | None) -> None:
    assert told_interval_s(CIMultiDict(headers)) == interval_s


def test_two_beats_may_be_lost() -> None:
    assert interval_of(40) == 15
    assert silence_of(15) == 40
