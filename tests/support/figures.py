"""Figures that tests measure beside what they assert.

A promise of 100 ms is asserted as one second, because machines are busy. So that a slow drift is
seen all the same, the figure itself is kept: ``make test`` gathers those of a run in
``.artifacts/figures/`` and compares them with ``tests/figures.json``.
"""

from __future__ import annotations

import json
import os

__all__ = ["keep_ms"]


def keep_ms(name: str, value_s: float) -> None:
    """Note one measurement, and print it.

    Args:
        name: what was measured, ``"cancel: finally (kernel 7.4.0)"``; the same name for each try.
        value_s: in seconds; it is kept in milliseconds.
    """
    value_ms = value_s * 1000
    print(f"{name}: {value_ms:.1f} ms")
    if path := os.environ.get("KK_FIGURES"):
        # One write of one line: several test processes may share the file.
        with open(path, "a", encoding="utf-8") as file:
            file.write(json.dumps({"name": name, "ms": round(value_ms, 2)}) + "\n")
