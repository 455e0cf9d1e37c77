"""The positions and labels of the ticks of an axis."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

__all__ = ["number_ticks", "time_ticks"]

_STEPS = (1, 2, 5, 10)
_MINUTE_S, _HOUR_S, _DAY_S = 60, 3_600, 86_400
_TIME_STEPS_S = (
    *(1, 2, 5, 10, 15, 30),
    *(n * _MINUTE_S for n in (1, 2, 5, 10, 15, 30)),
    *(n * _HOUR_S for n in (1, 2, 3, 6, 12)),
    *(n * _DAY_S for n in (1, 2, 7, 14, 30, 90, 180, 365)),
)
_YEAR_S = 365.2425 * _DAY_S
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# The range of dates, with a day of room for any time zone.
_FIRST_S, _LAST_S = -62_135_596_800.0 - 86_400, 253_402_300_799.0 + 86_400
_LEAST_STEP = 1e-300


def number_ticks(low: float, high: float, limit: int) -> list[tuple[float, str]]:
    """At most ``limit`` round numbers between ``low`` and ``high``, and how they are written.

    Args:
        low: a finite number.
        high: a finite number that is not less.
        limit: how many at most; 2 or more.
    """
    half = high / 2 - low / 2  # halved, because the difference may exceed a float
    rough = half / (max(limit - 1, 1) / 2)
    # If numbers are too large to distinguish steps, or too small for a step, there is one mark.
    if rough < _LEAST_STEP or not 0.5e-9 * max(abs(low), abs(high)) < half:
        return [(low, f"{low:g}")]
    power = 10.0 ** math.floor(math.log10(rough))
    step = next((m * power for m in _STEPS if m * power >= rough * 0.999), 10 * power)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    if decimals > 6 or abs(high) >= 1e7 or abs(low) >= 1e7:
        return [(n * step, f"{n * step:.6g}") for n in range(first, last + 1)]
    return [(n * step, f"{n * step:,.{decimals}f}") for n in range(first, last + 1)]


def time_ticks(low: float, high: float, limit: int) -> list[tuple[float, str]]:
    """The same for seconds since 1970, in local time; a moment without a date has no mark."""
    low, high = max(low, _FIRST_S), min(high, _LAST_S)
    if low > high:
        return []
    span = high - low
    if span < limit:
        marks = [
            (second, _written(second, "%H:%M:%S"), text)
            for second, text in number_ticks(low, high, limit)
        ]
        return [
            (second, f"{time}{text[text.find('.') :] if '.' in text else ''}")
            for second, time, text in marks
            if time
        ]
    rough = span / max(limit - 1, 1)
    step = next((s for s in _TIME_STEPS_S if s >= rough), 0.0)
    if not step:
        years = rough / _YEAR_S
        power = 10.0 ** math.floor(math.log10(years))
        step = next(m * power for m in _STEPS if m * power >= years * 0.999) * _YEAR_S
    shift = _utc_offset_s(low)
    form = "%H:%M:%S" if step < _MINUTE_S else "%H:%M" if step < _DAY_S else "%Y-%m-%d"
    first = math.ceil((low + shift) / step)
    last = math.floor((high + shift) / step)
    seconds = [n * step - shift for n in range(first, last + 1)]
    return [(second, text) for second in seconds if (text := _written(second, form))]


def _written(second: float, form: str) -> str:
    """The moment in local time, or in UTC if the system has no local time for it."""
    try:
        return f"{datetime.fromtimestamp(second):{form}}"
    except (ValueError, OverflowError, OSError):
        try:
            return f"{_EPOCH + timedelta(seconds=second):{form}}"
        except OverflowError:
            return ""


def _utc_offset_s(second: float) -> float:
    try:
        offset = datetime.fromtimestamp(second).astimezone().utcoffset()
    except (ValueError, OverflowError, OSError):
        return 0.0
    return 0.0 if offset is None else offset.total_seconds()
