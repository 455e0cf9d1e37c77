"""What else clients may reach: only names that the server's owner opens with ``expose=``."""

from __future__ import annotations

import types
from collections.abc import Iterable
from typing import Any

from kkjupyter.calls.call import is_stream
from kkjupyter.errors import UsageError, did_you_mean
from kkjupyter.server.exposed.dotted_names import dotted_names
from kkjupyter.server.exposed.places import COMPUTED, Unreachable
from kkjupyter.server.exposed.reach import Reach

__all__ = ["make_reach"]

_EXAMPLE = 'a list of dotted names: expose=["df.head"]'
_PLAIN = (str, bytes, int, float, complex, types.NoneType, list, tuple, dict, set, frozenset)


def make_reach(target: Any, names: Iterable[str] = (), *, package: str | None = None) -> Reach:
    """The reach of peers on ``target``.

    Args:
        target: the served object.
        names: further names that they may reach, whoever wrote the code.
        package: the top-level package whose code serves it, if known.

    Raises:
        UsageError: ``names`` is not a list of names, or a name leads nowhere or opens nothing.
    """
    paths = dotted_names("expose", names, _EXAMPLE)
    reach = Reach(target, paths, package=package)
    without = Reach(target, package=package)
    for path in paths:
        _check(reach, without, path)
    return reach


def _check(reach: Reach, without: Reach, path: list[str]) -> None:
    """Report a name that opens nothing now, so that it is not relied on."""
    name = ".".join(path)
    try:
        found = reach.peek(path)
    except Unreachable as exc:
        above = reach.peek(path[: exc.at]) if exc.at else reach.target
        if _makes_up_attributes(above):
            return
        known = list(map(str, above)) if isinstance(above, dict) else dir(above)
        raise UsageError(
            f"expose: nothing found at {name!r}{did_you_mean(path[exc.at], known)}"
        ) from None
    if found is COMPUTED or callable(found) or is_stream(found) or isinstance(found, _PLAIN):
        return
    try:
        without.peek(path)
    except Unreachable:
        return  # a value that could not be read
    raise UsageError(
        f"expose: {name!r} is an object of {type(found).__module__}, and clients can read it as it "
        f'is; name what they may call on it: expose=["{name}.method"], or mark its class with '
        "kk.expose"
    )


def _makes_up_attributes(value: Any) -> bool:
    """Whether its attributes cannot be known from what is stored in it."""
    return value is COMPUTED or hasattr(type(value), "__getattr__") or "__getattr__" in dir(value)
