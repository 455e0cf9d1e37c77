"""Asking once more for what a run has shown: what can be asked for again, and how."""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable, Mapping
from typing import Any, Generic, Protocol, TypeVar

from kkjupyter.calls.call import Call, is_stream
from kkjupyter.calls.origin import Origin
from kkjupyter.calls.unresolved import RemoteName
from kkjupyter.errors import UsageError
from kkjupyter.notebook.retention.sizes import size_bytes
from kkjupyter.notebook.run.reply import Reply
from kkjupyter.notebook.run.snapshots import snapshot

__all__ = ["Anew", "request_of"]

# Larger arguments are not kept for a button that may never be pressed.
_KEPT_BYTES = 16 << 20
# How deep in an argument an open file is looked for.
_DEPTH = 4
# Of a function's surroundings, data is measured: a client leads to half a program.
_DATA = frozenset({"builtins", "collections", "array", "numpy", "pandas", "polars", "torch"})


class Remade(Protocol):
    """A run, as far as it is made once more."""

    reply: Reply
    anew: Any


R = TypeVar("R", bound=Remade)


class Anew(Generic[R]):
    """Makes the same run once more, any number of times.

    Args:
        make: makes it, not started.
        held_bytes: about how much memory it takes to keep ``make``.
        reply: of the first run; not held.
    """

    def __init__(self, make: Callable[[], R], held_bytes: int, reply: Reply) -> None:
        self._make = make
        self._replies = [weakref.ref(reply)]
        self.held_bytes = held_bytes

    def __call__(self) -> R:
        """A new run, not started; the Replies of those before lead to its own."""
        run = self._make()
        run.anew = self
        before = [reply for ref in self._replies if (reply := ref()) is not None]
        for reply in before:
            reply.followed_by(run.reply)
        self._replies = [weakref.ref(reply) for reply in (*before, run.reply)]
        return run


def request_of(source: Any) -> tuple[Callable[[], Any], int] | None:
    """A function that gives what ``source`` gives, and about how much memory it keeps.

    Call it before the source is consumed.

    Returns:
        None for what cannot be asked for again: an iterator, a call whose arguments include one,
        or what would keep more than 16 MiB.
    """
    if isinstance(source, Call):
        origin = source.origin
        if origin is None:
            return None
        given = [origin.args, origin.kwargs or {}]
        held_bytes = size_bytes(given)
        if held_bytes > _KEPT_BYTES or not _is_value(given):
            return None
        return _CallAgain(origin), held_bytes
    if isinstance(source, RemoteName) or not callable(source) or is_stream(source):
        return None
    held_bytes = size_bytes(_held_by(source))
    return (source, held_bytes) if held_bytes <= _KEPT_BYTES else None


class _CallAgain:
    """Makes the same call once more, on the same connection, which is not kept alive for it."""

    def __init__(self, origin: Origin) -> None:
        self._caller = weakref.ref(origin.caller)
        self._origin = origin._replace(
            caller=None,  # type: ignore[arg-type]
            args=snapshot(list(origin.args)),
            kwargs=snapshot(dict(origin.kwargs or {})),
        )

    def __call__(self) -> Call:
        caller = self._caller()
        _, operation, path, args, kwargs, timeout_s, idle_timeout_s = self._origin
        if caller is None:
            raise UsageError(
                f"{'.'.join(path)}: the connection is gone; connect again, and run the cell"
            )
        made: Call = caller.call(
            operation, path, args, kwargs, timeout_s=timeout_s, idle_timeout_s=idle_timeout_s
        )
        return made


def _is_value(part: Any, depth: int = 0) -> bool:
    """Whether there is no stream in it: a second call would find that read already."""
    if isinstance(part, Call) or is_stream(part):
        return False
    if depth > _DEPTH:
        return True
    if isinstance(part, Mapping):
        part = part.values()
    elif not isinstance(part, (list, tuple)):
        return True
    return all(_is_value(one, depth + 1) for one in part)


def _held_by(function: Callable[..., Any]) -> list[Any]:
    """The data that a function keeps: what it has from around it, and its arguments."""
    held: list[Any] = []
    inner: Any = function
    while isinstance(inner, functools.partial):
        held += [*inner.args, *inner.keywords.values()]
        inner = inner.func
    for cell in getattr(inner, "__closure__", None) or ():
        try:
            held.append(cell.cell_contents)
        except ValueError:  # not assigned yet
            continue
    held += getattr(inner, "__defaults__", None) or ()
    held += (getattr(inner, "__kwdefaults__", None) or {}).values()
    return [one for one in held if type(one).__module__.partition(".")[0] in _DATA]
