"""Checks of arguments of public functions, with errors that say what is valid."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from kkjupyter.errors import UsageError, did_you_mean

__all__ = ["check_choice", "check_options", "check_port", "check_seconds"]


def check_choice(what: str, value: str | None, choices: Sequence[str]) -> None:
    """Check that ``value`` is one of ``choices``, or None; UsageError otherwise."""
    if value is not None and value not in choices:
        known = ", ".join(map(repr, choices))
        raise UsageError(
            f"unknown {what} {value!r} (known: {known}){did_you_mean(str(value), choices)}"
        )


def check_options(given: Iterable[str], known: Sequence[str]) -> None:
    """Check that every keyword argument has a known name; UsageError otherwise."""
    for name in given:
        if name not in known:
            hint = did_you_mean(name, known) or f" (known: {', '.join(sorted(known))})"
            raise UsageError(f"unknown option {name!r}{hint}")


def check_seconds(what: str, value: Any) -> None:
    """Check that a time limit is a positive number of seconds, or None; UsageError otherwise."""
    if value is None:
        return
    # `not ... >`, because a NaN is neither
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        raise UsageError(
            f"{what} must be a number of seconds above 0, or None for no limit, not {value!r}"
        )


def check_port(value: Any) -> None:
    """Check that a port to listen on is a TCP port, or 0; UsageError otherwise."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 65_535:
        raise UsageError(
            f"port must be a number from 1 to 65535, or 0 for any free one, not {value!r}"
        )
