"""How calls, and numbers of them, are written: on screen, in status tables, in messages."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping, Sequence, Set
from typing import Any

from kkjupyter.plaintext import one_line, plain
from kkjupyter.wire.events import Operation

__all__ = ["Title", "counted", "listed", "title_of"]

_TITLE_CHARS = 60
_LISTED_NAMES = 20

# It stops early in what is large or deep, and a __repr__ that fails does not fail the call.
_reprs = reprlib.Repr()
_reprs.maxlist = _reprs.maxtuple = _reprs.maxset = _reprs.maxdict = _TITLE_CHARS
_reprs.maxstring = _reprs.maxother = _reprs.maxlong = 4 * _TITLE_CHARS


class Title:
    """As :func:`title_of`, written when it is first asked for, by ``str()``.

    Until then it holds the arguments. For arguments that may change, call ``str()`` at once.
    """

    __slots__ = ("_parts", "_text")

    def __init__(
        self,
        operation: Operation,
        method: str,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        value: Any,
    ) -> None:
        self._text = ""
        self._parts: Any = operation, method, args, kwargs, value

    def __str__(self) -> str:
        parts = self._parts
        if parts is not None:
            self._text = title_of(*parts)
            self._parts = None
        return self._text


def title_of(
    operation: Operation,
    method: str,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    value: Any,
) -> str:
    """The call as written, in one line of at most 60 characters."""
    if operation == "get":
        return _shorten(method)
    if operation == "set":
        return _shorten(f"{method} = {_brief(value)}")
    parts = [_brief(arg) for arg in args] + [f"{name}={_brief(v)}" for name, v in kwargs.items()]
    return _shorten(f"{'new ' if operation == 'new' else ''}{method}({', '.join(parts)})")


def counted(count: int, noun: str) -> str:
    """``"1 call"``, ``"1,234 calls"``."""
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def listed(what: str, names: Sequence[str]) -> str:
    """``"clients can call: add, data.stream, and 3 more"``; names may be a peer's."""
    shown = [_shorten(one_line(name)) for name in names[:_LISTED_NAMES]]
    if len(names) > _LISTED_NAMES:
        shown.append(f"and {len(names) - _LISTED_NAMES:,} more")
    return f"{what}: {', '.join(shown) or 'nothing'}"


def _brief(value: Any) -> str:
    if isinstance(value, str | bytes):
        return repr(value[:_TITLE_CHARS])  # the repr of a megabyte takes its time
    if callable(value):
        return str(getattr(value, "__name__", type(value).__name__))
    if isinstance(value, Sequence | Mapping | Set) and len(value) > _TITLE_CHARS:
        return f"<{type(value).__name__} of {len(value)}>"
    return " ".join(_reprs.repr(value).split())


def _shorten(text: str) -> str:
    text = plain(text)  # a name may come from a schema, and so from the peer
    if len(text) <= _TITLE_CHARS:
        return text
    tail = ")" if text.endswith(")") else ""
    return text[: _TITLE_CHARS - 1 - len(tail)] + "…" + tail
