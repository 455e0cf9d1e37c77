"""Questions to the objects of other people's clients: dicts, models and plain objects alike."""

from __future__ import annotations

import dataclasses
import functools
import json
import types
from collections.abc import Mapping
from typing import Any

__all__ = [
    "Fields",
    "call_key",
    "error_text",
    "fields",
    "flat_text",
    "is_list",
    "json_text",
    "list_of",
    "plain_dict",
    "string",
]

_DEPTH = 6


class _Asked:
    """An object whose attributes can only be had by asking for each."""

    __slots__ = ("_value",)

    def __init__(self, value: Any) -> None:
        self._value = value

    def get(self, name: str) -> Any:
        """The attribute; None if there is none to be had."""
        try:
            return getattr(self._value, name, None)
        except Exception:  # noqa: BLE001 - foreign code; what cannot be asked has nothing to say
            return None

    def __contains__(self, name: str) -> bool:
        try:
            return hasattr(self._value, name)
        except Exception:  # noqa: BLE001 - as above
            return False


Fields = dict[str, Any] | _Asked
_NOTHING: dict[str, Any] = {}
_PLAIN = (str, int, float, bytes, list, tuple, type(None))


def fields(value: Any) -> Fields:
    """The fields of a dict, or the attributes of an object, to be read with ``get`` and ``in``.

    The attributes of models and dataclasses are taken from where they are stored: asking for one
    that a model lacks takes as long as reading twenty.
    """
    kind = type(value)
    if kind is dict:
        return value  # type: ignore[no-any-return]
    if issubclass(kind, _PLAIN):
        return _NOTHING
    if issubclass(kind, dict):
        return dict.copy(value)
    if not _is_data(kind):  # type: ignore[arg-type]  # classes can be hashed
        return _Asked(value)
    stored: dict[str, Any] = object.__getattribute__(value, "__dict__")
    try:
        extra = object.__getattribute__(value, "__pydantic_extra__")
    except AttributeError:
        return stored
    return {**stored, **extra} if extra else stored


@functools.lru_cache(maxsize=1024)
def _is_data(kind: type[Any]) -> bool:
    """Whether all that its objects have to say is in their ``__dict__``."""
    if not any("__dict__" in vars(base) for base in kind.__mro__):
        return issubclass(kind, types.SimpleNamespace)
    if any("__pydantic_fields__" in vars(base) for base in kind.__mro__):
        return True
    if issubclass(kind, types.SimpleNamespace):
        return True
    return dataclasses.is_dataclass(kind)


def string(value: Any) -> str:
    """``value`` if it is a text, of an enum of texts its value; else an empty one."""
    if type(value) is str:
        return value
    return str.__str__(value) if issubclass(type(value), str) else ""


def is_list(value: Any) -> bool:
    """Whether it is a list or tuple; the object itself is not asked."""
    return issubclass(type(value), (list, tuple))


def list_of(value: Any) -> list[Any] | tuple[Any, ...]:
    """``value`` if it is a list or tuple, else an empty one."""
    return value if is_list(value) else ()


def call_key(value: Any, default: Any = None) -> Any:
    """What a client calls a tool call by: a number or a text; else ``default``."""
    return value if type(value) in (int, str) else default


def json_text(value: Any) -> str:
    """Arguments as JSON text: as they are if they are a text, else written; nothing for None."""
    if value is None or issubclass(type(value), str):
        return string(value)
    if not issubclass(type(value), (dict, list, tuple, Mapping)):
        return ""
    return json.dumps(value, ensure_ascii=False, default=_as_json)


def plain_dict(value: Any) -> dict[str, Any]:
    """A dict, or the attributes of an object, as dicts all the way down; without what is None."""
    found = _plain(value, 0)
    return found if type(found) is dict else {}


def _plain(value: Any, depth: int) -> Any:
    if issubclass(type(value), str):
        return string(value)
    if value is None or type(value) in (int, float, bool):
        return value
    if depth > _DEPTH:
        return None
    if is_list(value):
        return [_plain(part, depth + 1) for part in value]
    known = fields(value)
    if isinstance(known, _Asked):
        return None
    plain = {
        name: _plain(part, depth + 1)
        for name, part in known.items()
        if type(name) is str and not name.startswith("_")
    }
    return {name: part for name, part in plain.items() if part is not None}


def _as_json(value: Any) -> Any:
    found = _plain(value, 0)
    return repr(value) if found is None else found


def flat_text(value: Any, depth: int = 0) -> str:
    """The text in a value that may be a text, a part with a text, or a list of such."""
    if value is None or issubclass(type(value), str):
        return string(value)
    if depth > _DEPTH:
        return ""
    if is_list(value):
        return "".join([flat_text(part, depth + 1) for part in value])
    known = fields(value)
    for name in ("text", "content", "summary", "value"):
        if text := flat_text(known.get(name), depth + 1):
            return text
    return ""


def error_text(error: Any) -> str:
    """What a client's error says, in one line: ``"overloaded_error: Overloaded"``."""
    if text := string(error):
        return text
    known = fields(error)
    message = string(known.get("message"))
    names = (known.get("type"), known.get("code"), known.get("status"))
    kind = next((str(name) for name in names if type(name) is int or string(name)), "")
    return ": ".join(filter(None, (kind, message)))
