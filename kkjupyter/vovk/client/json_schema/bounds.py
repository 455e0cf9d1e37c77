"""Checks against a peer's JSON Schemas, in bounded time.

A schema is a program: a dozen lines can refer to each other 2**40 times, a pattern can run for
ever, and unique items are compared in pairs. So every keyword checks whether there is time left,
patterns are matched by :mod:`~kkjupyter.vovk.client.json_schema.patterns`, and ``unevaluatedItems``
and ``unevaluatedProperties``, which the library computes outside of its keywords, are not checked.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from typing import Any, Final

from kkjupyter.vovk.client.json_schema import patterns

__all__ = ["LeftOut", "bounded", "spending"]

_deadline_s: ContextVar[float] = ContextVar("deadline_s", default=float("inf"))
_LEFT_OUT: Final = ("unevaluatedItems", "unevaluatedProperties")


class LeftOut(Exception):
    """Raised for what cannot be checked in bounded time."""


@contextmanager
def spending(limit_s: float) -> Iterator[None]:
    """A block in which validators of :func:`bounded` may compute for this long.

    Raises:
        LeftOut: the time is over; raised in the middle of their work.
    """
    token = _deadline_s.set(time.thread_time() + limit_s)
    try:
        yield
    finally:
        _deadline_s.reset(token)


def spend() -> None:
    """Check the time limit. It counts CPU time, so a busy machine does not matter.

    Raises:
        LeftOut: the time is over.
    """
    if time.thread_time() > _deadline_s.get():
        raise LeftOut("it takes too long")


@lru_cache(maxsize=16)
def bounded(kind: Any) -> Any:
    """The validator class ``kind`` of jsonschema, with keywords that check the time."""
    from jsonschema.validators import extend

    keywords = {name: _asking(check) for name, check in kind.VALIDATORS.items()}
    own = {
        "pattern": _pattern,
        "patternProperties": _pattern_properties,
        "additionalProperties": _additional(kind.VALIDATORS["additionalProperties"]),
        "uniqueItems": _unique_items,
        **dict.fromkeys(_LEFT_OUT, _nothing),
    }
    own = {name: check for name, check in own.items() if name in kind.VALIDATORS}
    made: Any = extend(kind, {**keywords, **own})
    made.evolve = _evolve
    return made


def _evolve(validator: Any, **changes: Any) -> Any:
    """Like the library's, but a nested ``$schema`` does not restore its own class."""
    import attrs

    return attrs.evolve(validator, **changes)


_Keyword = Callable[[Any, Any, Any, Any], Any]


def _asking(check: _Keyword) -> _Keyword:
    def ask_and_check(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[Any]:
        spend()
        yield from check(validator, value, instance, schema) or ()

    return ask_and_check


def _nothing(*_: Any) -> tuple[()]:
    return ()


def _matches(pattern: str, text: str) -> bool:
    spend()
    try:
        return patterns.search(pattern, text, spend)
    except patterns.Unsupported as exc:
        raise LeftOut(f"its pattern {pattern:.80} works only in JavaScript") from exc


def _pattern(validator: Any, pattern: str, instance: Any, schema: Any) -> Iterator[Any]:
    from jsonschema.exceptions import ValidationError

    if validator.is_type(instance, "string") and not _matches(pattern, instance):
        yield ValidationError(f"{instance!r} does not match {pattern!r}")


def _pattern_properties(
    validator: Any, by_pattern: Mapping[str, Any], instance: Any, schema: Any
) -> Iterator[Any]:
    if not validator.is_type(instance, "object"):
        return
    for pattern, below in by_pattern.items():
        for name, value in instance.items():
            if _matches(pattern, name):
                yield from validator.descend(value, below, path=name, schema_path=pattern)


def _additional(check: _Keyword) -> _Keyword:
    """Like the library's, without its search: a property that fits a pattern is not additional."""

    def check_others(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[Any]:
        spend()
        by_pattern = schema.get("patternProperties")
        if by_pattern and validator.is_type(instance, "object"):
            instance = {
                name: one
                for name, one in instance.items()
                if not any(_matches(pattern, name) for pattern in by_pattern)
            }
            schema = {name: one for name, one in schema.items() if name != "patternProperties"}
        yield from check(validator, value, instance, schema) or ()

    return check_others


def _unique_items(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[Any]:
    from jsonschema.exceptions import ValidationError

    spend()
    if not value or not validator.is_type(instance, "array"):
        return
    seen: set[str] = set()
    for item in instance:
        key = _key(item)
        if key in seen:
            yield ValidationError(f"{instance!r} has non-unique elements")
            return
        seen.add(key)


def _key(value: Any) -> str:
    """A text that is the same for values that JSON Schema calls equal: 1 and 1.0, any key order."""
    spend()
    match value:
        case bool() | None:
            return repr(value)
        case int() | float():
            whole = isinstance(value, float) and value.is_integer()
            return repr(int(value) if whole else value)
        case dict():
            return (
                f"{{{','.join(sorted([f'{name!r}:{_key(one)}' for name, one in value.items()]))}}}"
            )
        case list() | tuple():
            return f"[{','.join([_key(one) for one in value])}]"
    return repr(value)
