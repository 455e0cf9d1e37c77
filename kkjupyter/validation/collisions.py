"""Values made to collide in a set or a dict, which takes n * n steps: refused before it is made.

Python's hashes of text are different in each process, those of numbers are not, and neither are
those of what is made of numbers: a UUID, a Decimal, a tuple of integers. Of integers alone a
message cannot have many of one hash; see :mod:`kkjupyter.wire.message_cost`.
"""

from __future__ import annotations

import collections.abc
import datetime as dt
import decimal
import enum
import typing
import uuid
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from typing import Any, Final

import msgspec

from kkjupyter.wire.message_cost import MAX_EQUAL_HASHES

__all__ = ["collision_check"]

# Of these a peer cannot choose the hash, or the wire has seen to it.
_SAFE: Final = (str, bytes, int, float, type(None), dt.date, dt.time, enum.Enum)
_HASHING: Final = (set, frozenset, collections.abc.Set, collections.abc.MutableSet)
_KEYED: Final = (dict, collections.abc.Mapping, collections.abc.MutableMapping, defaultdict)
# No text of a UUID is longer.
_UUID_CHARS: Final = 45
# Of longer numbers there are too few in a message.
_NUMBER_CHARS: Final = 1000


def collision_check(hints: Iterable[Any]) -> Callable[[Any], bool] | None:
    """What says whether a value would collide as one of ``hints``; None where none can.

    Args:
        hints: resolved; nearly all of them need no look at values.
    """
    return _would_collide if any(_can_collide(hint, set()) for hint in hints) else None


def _can_collide(hint: Any, seen: set[int]) -> bool:
    """Whether somewhere in it is a set, or a dict, of what a peer can choose the hash of."""
    if id(hint) in seen:
        return False
    seen.add(id(hint))
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in _HASHING and not all(map(_is_safe, args)):
        return True
    if origin in _KEYED and args and not _is_safe(args[0]):
        return True
    if isinstance(hint, type) and origin is None:
        return any(_can_collide(inner, seen) for inner in _fields(hint))
    return any(_can_collide(inner, seen) for inner in args)


def _is_safe(hint: Any) -> bool:
    origin = typing.get_origin(hint)
    if origin is typing.Literal or hint is Any:
        return True
    if origin is typing.Annotated:
        return _is_safe(typing.get_args(hint)[0])
    if isinstance(hint, type) and origin is None:
        return issubclass(hint, _SAFE)
    args = typing.get_args(hint)
    is_union = (origin is not None and not isinstance(origin, type)) or origin is _UNION
    return is_union and all(map(_is_safe, args))


_UNION: Final = typing.get_origin(int | str)


def _fields(cls: type) -> list[Any]:
    """The hints of the fields of a class, if it has some: of a dataclass, a TypedDict, a model."""
    if not getattr(cls, "__annotations__", None):
        return []
    try:
        return list(typing.get_type_hints(cls).values())
    except Exception:  # noqa: BLE001  a hint can be anything; then values are looked at
        return [set[tuple[int, ...]]]


def _would_collide(value: Any) -> bool:
    """Whether a list or a dict within it holds many different values of one hash."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            members, below = list(one), list(one.values())
        elif isinstance(one, list | tuple | set | frozenset):
            members = below = list(one)
        else:
            continue
        waiting += [part for part in below if isinstance(part, dict | list | tuple)]
        if len(members) > MAX_EQUAL_HASHES and _are_crowded(members):
            return True
    return False


def _are_crowded(members: list[Any]) -> bool:
    hashes = [_hash_of(member) for member in members]
    crowds = {one for one, count in Counter(hashes).items() if count > MAX_EQUAL_HASHES}
    if not crowds:
        return False
    different: dict[int, set[bytes]] = {one: set() for one in crowds}
    for member, one in zip(members, hashes, strict=True):
        if one in crowds:
            different[one].add(_text_of(member))
    return any(len(texts) > MAX_EQUAL_HASHES for texts in different.values())


def _text_of(value: Any) -> bytes:
    try:
        return msgspec.json.encode(value)
    except Exception:  # noqa: BLE001  what has no such form is told apart by what it is
        return repr(value).encode(errors="replace")


def _hash_of(value: Any) -> int:
    """Equal wherever the hashes of what a hint makes of two values are, as far as a peer can tell.

    Of what contains others it goes by their hashes, as theirs do.
    """
    if isinstance(value, str):
        return _hash_of_text(value)
    if isinstance(value, list | tuple):
        return hash(tuple(map(_hash_of, value)))
    if isinstance(value, dict):
        return hash(frozenset((key, _hash_of(inner)) for key, inner in value.items()))
    try:
        return hash(value)
    except TypeError:
        return id(value)


def _hash_of_text(text: str) -> int:
    if 32 <= len(text) <= _UUID_CHARS:
        try:
            return hash(uuid.UUID(text))
        except ValueError:
            pass
    if len(text) > _NUMBER_CHARS:
        return hash(text)
    try:
        return hash(decimal.Decimal(text))
    except (decimal.InvalidOperation, ValueError, TypeError):  # TypeError: a signalling NaN
        return hash(text)
