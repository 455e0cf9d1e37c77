"""Careful access to values of unknown classes, which may raise or return anything.

Views show whatever a stream brings: objects whose ``__repr__`` or ``__class__`` raises, a dict that
another thread still fills, scalars of numpy, whole numbers with more digits than Python writes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal
from itertools import islice
from numbers import Real
from typing import Any, cast

__all__ = ["digits_of", "finite_number", "is_a", "parts_of", "text_of", "type_name", "unwrapped"]

# Decimal digits take quadratic time, hexadecimal ones linear time.
_DECIMAL_BITS = 70_000
_EXACT_UP_TO = 2**53  # up to which JavaScript numbers are exact
_TRIES = 5


def type_name(value: Any) -> str:
    """The name of its type, without running code of the type or its metaclass."""
    return str(_name_of(type(value)))


def is_a(value: Any, kind: type | tuple[type, ...]) -> bool:
    """``isinstance``, but False if it raises (``__class__`` may be any code)."""
    try:
        return isinstance(value, kind)
    except Exception:  # noqa: BLE001 - the value's own code
        return False


def text_of(value: Any) -> str | None:
    """A str, or a subclass of it, as a plain str; None for other values."""
    if type(value) is str:
        return value
    try:
        return str.__str__(value) if isinstance(value, str) else None
    except Exception:  # noqa: BLE001 - it only says that it is a str, or its own code raised
        return None


def unwrapped(value: Any) -> Any:
    """A scalar of numpy (or of a similar library) as Python's own; else ``value``.

    Only the class is checked, because some objects have every attribute.
    """
    kind = type(value)
    try:
        if not (hasattr(kind, "dtype") and hasattr(kind, "item") and value.shape == ()):
            return value
        if getattr(value.dtype, "kind", "") in ("m", "M"):
            return value  # `item` returns dates as a number of nanoseconds
        plain = value.item()
    except Exception:  # noqa: BLE001 - the value's own code
        return value
    return value if type(plain) is kind else plain


def finite_number(value: Any) -> float | None:
    """``value`` as a finite number that JSON and JavaScript can hold; None for other values."""
    if type(value) is float:
        return value if math.isfinite(value) else None
    try:
        value = unwrapped(value)
        if isinstance(value, bool) or not isinstance(value, (Real, Decimal)):
            return None
        number = float(value)
        if isinstance(value, int) and abs(value) < _EXACT_UP_TO:
            return int(value)
    except Exception:  # noqa: BLE001 - too large for a float, or the value's own code
        return None
    return number if math.isfinite(number) else None


def digits_of(value: int) -> str:
    """A whole number in decimal, or in hexadecimal if it is too long for decimal in Python."""
    try:
        if value.bit_length() <= _DECIMAL_BITS:
            return int.__repr__(value)
    except ValueError:  # more digits than Python's limit
        pass
    return f"{int(value):#x}"


def parts_of(container: Any, limit: int, *, is_mapping: bool = False) -> Sequence[Any]:
    """The first items of a container, or pairs of a mapping; at most about ``limit``.

    Another thread may change it meanwhile.

    Raises:
        Exception: what iterating over it raises.
    """
    kind = type(container)
    if (kind is list or kind is tuple) and len(container) <= limit:
        return cast(Sequence[Any], container[:])
    for _ in range(_TRIES):
        try:
            return list(islice(container.items() if is_mapping else container, limit))
        except RuntimeError:  # it grew
            if kind is dict or kind is set:
                container = kind.copy(container)  # which cannot be interrupted
    return list(islice(container.items() if is_mapping else container, limit))


_name_of = type.__dict__["__name__"].__get__
