"""Facts about a function that cost something to find out, kept while the function lives."""

from __future__ import annotations

import types
import weakref
from collections.abc import Callable
from typing import Any, Generic, TypeVar

__all__ = ["PerFunction"]

T = TypeVar("T")


class PerFunction(Generic[T]):
    """Calls ``find_out`` once for each function; any thread, at worst twice.

    A bound method is made anew by each access, so what is kept belongs to its function. What can
    neither be hashed nor weakly referenced is looked at each time.

    Args:
        find_out: what is to be known of a callable; must not keep the callable itself.
    """

    def __init__(self, find_out: Callable[[Any], T]) -> None:
        self._find_out = find_out
        self._free: weakref.WeakKeyDictionary[Any, T] = weakref.WeakKeyDictionary()
        # The same function without its first parameter is another one.
        self._bound: weakref.WeakKeyDictionary[Any, T] = weakref.WeakKeyDictionary()

    def __call__(self, function: Any) -> T:
        if type(function) is types.MethodType:
            key, known = function.__func__, self._bound
        else:
            key, known = function, self._free
        try:
            return known[key]
        except KeyError:
            fact = known[key] = self._find_out(function)
            return fact
        except TypeError:
            return self._find_out(function)
