"""The dotted names in options that open something to clients: ``expose=``, ``writable=``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kkjupyter.errors import UsageError
from kkjupyter.server.exposed.places import is_public

__all__ = ["dotted_names"]


def dotted_names(option: str, names: Iterable[str], example: str) -> list[list[str]]:
    """The parts of each name.

    Args:
        option: its name for the user.
        names: the names that the user gave.
        example: what it takes, as a text for errors.

    Raises:
        UsageError: it is not a list of names that a client can reach.
    """
    if isinstance(names, str):
        raise UsageError(f"{option} takes {example}, even for one name")
    try:
        given = list(names)
    except TypeError as exc:
        raise UsageError(f"{option} takes {example}, not {type(names).__name__}") from exc
    return [_parts(option, name, example) for name in given]


def _parts(option: str, name: Any, example: str) -> list[str]:
    if not isinstance(name, str):
        raise UsageError(f"{option} takes {example}, and {name!r} is not text")
    parts = name.split(".")
    if not all(map(is_public, parts)):
        raise UsageError(
            f"{option}: {name!r} has a part that is empty or begins with an underscore; "
            "clients cannot reach such names"
        )
    return parts
