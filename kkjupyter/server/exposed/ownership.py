"""Whose code something is: the user's own, which peers may call, or that of a package it uses.

Code is own if it comes from the top-level package of the served object, from those of its base
classes, from the package whose code serves it, or from ``__main__``; if it is marked by
:func:`expose`; or if it is a base class of an own class. A base class from an installed package is
not own, and neither is that package. Nothing of Python itself is own.
"""

from __future__ import annotations

import functools
import inspect
import sys
import types
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from kkjupyter.errors import UsageError

__all__ = ["Owners", "expose", "is_of_python", "owners_of", "serving_package"]

T = TypeVar("T")

_MARK = "__kkjupyter_exposed__"
_MAIN = "__main__"
_HERE = __name__.partition(".")[0]
# How many wrappers may be around a function. A cycle of them would never end.
_MAX_WRAPPERS = 20
_FRAMES: dict[type[Any], str] = {
    types.GeneratorType: "gi_frame",
    types.AsyncGeneratorType: "ag_frame",
    types.CoroutineType: "cr_frame",
}
_INSTALLED = frozenset({"site-packages", "dist-packages"})


def expose(what: T) -> T:
    """Let peers reach a class or a function wherever the served object holds it; a decorator.

    Use it for code from another package than the served object's: a helper class, or a function
    that is kept in an attribute. For a class it opens what that class defines itself, not what its
    bases define. As a statement it marks code that somebody else has written, with all its methods:
    ``kk.expose(helpers.Clock)``.

    Args:
        what: a class or function written in Python; it is changed and returned.

    Raises:
        UsageError: it is something else, which cannot be marked.
    """
    marked = what.__func__ if isinstance(what, staticmethod | classmethod) else what
    if isinstance(marked, type | types.FunctionType):
        try:
            setattr(marked, _MARK, True)
        except TypeError:  # it is written in C
            pass
        else:
            return what
    raise UsageError(
        f"kk.expose marks classes and functions that are written in Python, not {what!r}; "
        'instead, name it where it is served: kk.serve(..., expose=["name"])'
    )


class Owners:
    """Distinguishes the user's own code from that of the packages it uses.

    Args:
        packages: the user's own top-level packages.
    """

    def __init__(self, packages: Iterable[str]) -> None:
        self._packages = frozenset(packages) - sys.stdlib_module_names

    def owns_class(self, cls: type[Any]) -> bool:
        """Whether a class is own, so that peers may call it and reach into its instances."""
        return _top(cls) in self._packages or _MARK in cls.__dict__

    def owns_base(self, cls: type[Any]) -> bool:
        """Whether a base class of an own class is own, too.

        It need not be in the same package: a file beside the user's own counts. Only a base class
        from an installed library, or from Python itself, has methods that are not meant to be
        served: ``DataFrame.eval``, ``BaseModel.parse_raw``.
        """
        return self.owns_class(cls) or _is_of_the_user(cls)

    def owns_module(self, module: types.ModuleType) -> bool:
        """Whether a module is own."""
        return module.__name__.partition(".")[0] in self._packages

    def owns_function(self, function: Any) -> bool:
        """Whether the code that a call of ``function`` runs first is own.

        Bound methods, partials and wrappers count like the function inside them. Runs no code.
        """
        for _ in range(_MAX_WRAPPERS):
            if isinstance(function, types.FunctionType):
                return self._owns_plain_function(function)
            inner = _unwrapped(function)
            if inner is None:
                break
            function = inner
        if isinstance(function, types.BuiltinFunctionType):
            return _top(function) in self._packages
        return not isinstance(function, type) and self._defines_call(type(function))

    def owns_running(self, value: Any) -> bool:
        """Whether a generator, a coroutine, or another iterator or awaitable runs own code."""
        attribute = _FRAMES.get(type(value))
        if attribute is None:
            return self.owns_class(type(value))
        frame = getattr(value, attribute)
        return frame is None or self._owns_name(frame.f_globals)  # without one it has ended

    def defines(self, cls: type[Any], raw: Any) -> bool:
        """Whether ``raw``, a function in the body of an own class, was made for that class.

        A decorator of any package may have made it; then it is a closure. A function of another
        package that only got a second name was not made for the class.
        """
        if isinstance(raw, staticmethod | classmethod):
            raw = raw.__func__
        if not isinstance(raw, types.FunctionType):
            return False
        return (
            _top(raw) == _top(cls)
            or self._owns_plain_function(raw)
            or "<locals>" in raw.__qualname__
        )

    def _owns_plain_function(self, function: types.FunctionType) -> bool:
        # A wrapper has the name of the wrapped function; its globals tell who wrote it.
        return (
            _top(function) in self._packages
            or self._owns_name(function.__globals__)
            or _MARK in function.__dict__
        )

    def _owns_name(self, names: Mapping[str, Any]) -> bool:
        """Whether a module with these global names is own."""
        return str(names.get("__name__")).partition(".")[0] in self._packages

    def _defines_call(self, cls: type[Any]) -> bool:
        """Whether an own class defines that its instances can be called."""
        for base in cls.__mro__:
            if "__call__" in base.__dict__:
                return self.owns_class(cls) and self.owns_base(base)
        return False


def owners_of(target: Any, package: str | None) -> Owners:
    """Whose code a peer may call on ``target``.

    Args:
        target: the served object.
        package: the top-level package whose code serves it, if known.
    """
    packages = {_MAIN, package or _MAIN}
    # `python -m package.module` runs a module of the package under another name.
    main_package = getattr(sys.modules.get(_MAIN), "__package__", None)
    if isinstance(main_package, str) and main_package:
        packages.add(main_package.partition(".")[0])
    if isinstance(target, types.ModuleType):
        packages.add(target.__name__.partition(".")[0])
    else:
        cls = target if isinstance(target, type) else type(target)
        packages |= {_top(base) for base in cls.__mro__ if base is cls or _is_of_the_user(base)}
    return Owners(packages)


def is_of_python(cls: type[Any]) -> bool:
    """Whether a class is Python's own: a subclass of Thread does not mean to serve Thread."""
    return _top(cls) in sys.stdlib_module_names


def serving_package() -> str | None:
    """The top-level package of the code that calls into this one; None if only Python's does."""
    frame = sys._getframe(1)
    while frame is not None:
        package = str(frame.f_globals.get("__name__")).partition(".")[0]
        if package != _HERE and package not in sys.stdlib_module_names:
            return package
        frame = frame.f_back  # type: ignore[assignment]
    return None


def _top(definition: Any) -> str:
    """The top-level package of a class or function; empty if it does not say."""
    module = getattr(definition, "__module__", None)
    return module.partition(".")[0] if isinstance(module, str) else ""


def _is_of_the_user(cls: type[Any]) -> bool:
    """Whether a class comes from a file of the user's."""
    return not (is_of_python(cls) or _is_installed(cls.__module__))


@functools.lru_cache(maxsize=1_024)
def _is_installed(module_name: str) -> bool:
    """Whether a module is in a directory of installed packages; True if it does not say."""
    file = getattr(sys.modules.get(module_name), "__file__", None)
    return not isinstance(file, str) or not _INSTALLED.isdisjoint(Path(file).parts)


def _unwrapped(function: Any) -> Any:
    """The function inside of ``function``, or None if it is not a known wrapper."""
    if isinstance(function, types.MethodType | staticmethod | classmethod):
        return function.__func__
    if isinstance(function, functools.partial):
        return function.func
    if isinstance(function, type):
        return None
    # functools.cache, numba.jit and the like; the object's own lookup is not run.
    return inspect.getattr_static(function, "__wrapped__", None)
