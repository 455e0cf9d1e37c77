"""Which part of a value does not fit its hint.

``msgspec`` names the place at the end of its message, as far as a type tells it: ``$.tags[0]``,
and ``[...]`` for an entry of a dict. The value and the hint are followed to that place side by
side, and the entry is searched for. Nothing else of the message is read: it may repeat what a peer
sent.
"""

from __future__ import annotations

import collections.abc
import functools
import reprlib
import types
import typing
from collections.abc import Callable, Iterator
from typing import Annotated, Any, Union, get_args, get_origin

import msgspec

__all__ = ["UNIONS", "Mismatch", "Path", "mismatch_of"]

Path = tuple[str | int, ...]
Fits = Callable[[Any, Any], bool]
UNIONS = (Union, types.UnionType)

_ROOT = "`$.v"  # what is converted is the field `v` of a Struct
_IN_VALUE = " - at "
_IN_KEY = " - at `key` in "
_ENTRY = "[...]"
# Each search converts a dict once more at most; a peer may send large ones.
_MAX_SEARCHES = 3
_MAX_NAME_CHARS = 50
# The message repeats a value that is not one of those listed.
_MAX_TEXT_CHARS = 500


class Mismatch(Exception):
    """A value is not what its hint says.

    Attributes:
        text: what was expected.
        is_of_part: whether that was expected of a part of the value, not of the whole.
    """

    def __init__(
        self, text: str, *, is_of_part: bool = False, find_path: Callable[[], Path] = tuple
    ) -> None:
        text = text if len(text) <= _MAX_TEXT_CHARS else f"{text[: _MAX_TEXT_CHARS - 1]}…"
        super().__init__(text)
        self.text = text
        self.is_of_part = is_of_part
        self._find_path = find_path

    @functools.cached_property
    def path(self) -> Path:
        """The keys that lead to the part in question, as far as they can be told."""
        return self._find_path()

    @property
    def where(self) -> str:
        """The same as text, to stand behind the name of the whole: ``"[0].name"``."""
        return "".join(_as_text(step) for step in self.path)


def _as_text(step: str | int) -> str:
    is_name = isinstance(step, str) and step.isidentifier() and len(step) <= _MAX_NAME_CHARS
    return f".{step}" if is_name else f"[{reprlib.repr(step)}]"


def mismatch_of(error: msgspec.ValidationError, hint: Any, value: Any, fits: Fits) -> Mismatch:
    """The mismatch that ``msgspec`` found between ``hint`` and ``value``.

    Args:
        error: what converting ``{"v": value}`` to a Struct with the field ``v`` raised.
        hint: that field's.
        value: what was converted.
        fits: whether a value, the first argument, can be converted to a hint, the second.
    """
    message = str(error)
    text, found, place = message.rpartition(_ROOT)
    before = next((words for words in (_IN_KEY, _IN_VALUE) if text.endswith(words)), "")
    if not (found and before and place.endswith("`")):
        return Mismatch(message)
    steps = place[:-1].replace(_ENTRY, ".*").replace("[", ".").replace("]", "").split(".")[1:]
    if before == _IN_KEY:
        steps.append("*")
    return Mismatch(
        text.removesuffix(before),
        is_of_part=bool(steps),
        find_path=lambda: tuple(_follow(steps, hint, value, fits)),
    )


def _follow(steps: list[str], hint: Any, value: Any, fits: Fits) -> Iterator[str | int]:
    """The keys behind ``steps``; ends early where one cannot be told."""
    searches = 0
    for step in steps:
        key: str | int = step
        if isinstance(value, list | tuple):
            key = int(step)
            hint = _hint_at(hint, key)
        elif isinstance(value, dict) and step == "*":
            entries = _hint_at(hint, None)
            searches += 1
            if entries is None or searches > _MAX_SEARCHES:
                return
            key = _misfit_key(value, entries, fits)
            if type(key) not in (str, int):
                return
            hint = get_args(entries)[1]
        elif isinstance(value, dict) and step in value:
            hint = _hint_at(hint, step)
        else:  # a set, which has no keys
            return
        yield key
        value = value[key]


def _hint_at(hint: Any, key: str | int | None) -> Any:
    """The hint of a part, or None where that is unknown.

    Args:
        hint: of the whole.
        key: an index or the name of a field; None for ``dict[key hint, value hint]`` of a mapping.
    """
    origin, args = get_origin(hint) or hint, get_args(hint)
    if origin is Annotated:
        return _hint_at(args[0], key)
    if origin in UNIONS:
        return next((found for m in args if (found := _hint_at(m, key)) is not None), None)
    if not isinstance(origin, type):
        return None
    if issubclass(origin, collections.abc.Mapping) and args:
        return types.GenericAlias(dict, args) if key is None else None
    if issubclass(origin, collections.abc.Collection) and args and isinstance(key, int):
        return args[key] if origin is tuple and args[-1] is not ... else args[0]
    return _fields(origin).get(key)


def _fields(cls: type) -> dict[Any, Any]:
    """The hints of the fields of a class, by the names that they have in a message."""
    try:
        if issubclass(cls, msgspec.Struct):
            return {field.encode_name: field.type for field in msgspec.structs.fields(cls)}
        return typing.get_type_hints(cls, include_extras=True)
    except Exception:  # noqa: BLE001  hints can be anything
        return {}


def _misfit_key(value: dict[Any, Any], hint: Any, fits: Fits) -> Any:
    """The key of an entry that does not fit; None if each of them does alone."""
    entries = list(value.items())
    while len(entries) > 1:
        half = len(entries) // 2
        entries = entries[half:] if fits(dict(entries[:half]), hint) else entries[:half]
    return None if fits(dict(entries), hint) else entries[0][0]
