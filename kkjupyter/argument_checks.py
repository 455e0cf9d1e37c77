"""Whether an argument of a public function can be right, and what to say if it cannot."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from kkjupyter.errors import UsageError, did_you_mean

__all__ = ["check_choice", "check_options", "check_port", "check_seconds"]


def check_choice(what: str, value: str | None, choices: Sequence[str]) -> None:
    """``value`` must be one of ``choices``, or None."""
    if value is not None and value not in choices:
        known = ", ".join(map(repr, choices))
        raise UsageError(
            f"unknown {what} {value!r} (known: {known}){did_you_mean(str(value), choices)}"
        )


def check_options(given: Iterable[str], known: Sequence[str]) -> None:
    """Every keyword argument must have a name that is known."""
    for name in given:
        if name not in known:
            hint = did_you_mean(name, known) or f" (known: {', '.join(sorted(known))})"
            raise UsageError(f"unknown option {name!r}{hint}")


def check_seconds(what: str, value: Any) -> None:
    """A time limit must be a positive number of seconds, or None."""
    if value is None:
        return
    # `not ... >`, as a NaN is neither
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        raise UsageError(
            f"{what} must be a number of seconds above 0, or None for no limit, not {value!r}"
        )


def check_port(value: Any) -> None:
    """A port to listen on must be one that TCP has, or 0."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 65_535:
        raise UsageError(
            f"port must be a number from 1 to 65535, or 0 for any free one, not {value!r}"
        )
