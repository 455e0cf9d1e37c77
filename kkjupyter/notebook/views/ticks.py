"""Where the marks of an axis stand, and what they say."""

from __future__ import annotations

import math
from datetime import datetime

__all__ = ["number_ticks", "time_ticks"]

_STEPS = (1, 2, 5, 10)
_MINUTE_S, _HOUR_S, _DAY_S = 60, 3_600, 86_400
_TIME_STEPS_S = (
    *(1, 2, 5, 10, 15, 30),
    *(n * _MINUTE_S for n in (1, 2, 5, 10, 15, 30)),
    *(n * _HOUR_S for n in (1, 2, 3, 6, 12)),
    *(n * _DAY_S for n in (1, 2, 7, 14, 30, 90, 180, 365)),
)


def number_ticks(low: float, high: float, limit: int) -> list[tuple[float, str]]:
    """At most ``limit`` round numbers between ``low`` and ``high``, and how they are written."""
    span = high - low
    # Where numbers are so large that their steps cannot be told apart, one mark has to do.
    if not 1e-9 * max(abs(low), abs(high)) < span < math.inf:
        return [(low, f"{low:g}")]
    rough = span / max(limit - 1, 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next((m * power for m in _STEPS if m * power >= rough * 0.999), 10 * power)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    if decimals > 6 or abs(high) >= 1e7 or abs(low) >= 1e7:
        return [(n * step, f"{n * step:.6g}") for n in range(first, last + 1)]
    return [(n * step, f"{n * step:,.{decimals}f}") for n in range(first, last + 1)]


def time_ticks(low: float, high: float, limit: int) -> list[tuple[float, str]]:
    """Likewise for seconds since 1970, in local time."""
    span = high - low
    if span < limit:
        return [
            (second, f"{datetime.fromtimestamp(second):%H:%M:%S}{text[text.find('.') :]}")
            if "." in text
            else (second, f"{datetime.fromtimestamp(second):%H:%M:%S}")
            for second, text in number_ticks(low, high, limit)
        ]
    rough = span / max(limit - 1, 1)
    step = next((s for s in _TIME_STEPS_S if s >= rough), _TIME_STEPS_S[-1])
    offset = datetime.fromtimestamp(low).astimezone().utcoffset()
    shift = 0.0 if offset is None else offset.total_seconds()
    form = "%H:%M:%S" if step < _MINUTE_S else "%H:%M" if step < _DAY_S else "%Y-%m-%d"
    first = math.ceil((low + shift) / step)
    last = math.floor((high + shift) / step)
    seconds = [n * step - shift for n in range(first, last + 1)]
    return [(second, f"{datetime.fromtimestamp(second):{form}}") for second in seconds]
