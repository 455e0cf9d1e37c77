"""Arguments, results and the items of streams, held to the type hints of the function called.

What does not fit is refused with the error the peers have for it, ``RPCValidationError``, in its
shape: ``phase``, ``method`` and ``issues``, each with a ``message`` and the ``path`` of what is
wrong. The path of an argument begins with its position. A function without hints costs a look-up.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import inspect
import sys
import types
import typing
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Generic, TypeVar

from kkjupyter.calls.call import is_stream
from kkjupyter.validation.checking import Check, Mismatch, check_for
from kkjupyter.validation.refusals import RPCValidationError
from kkjupyter.wire.values.javascript import undefined

__all__ = ["PerFunction", "RPCValidationError", "Validator", "resolved_hints", "validator_of"]

T = TypeVar("T")

_EMPTY = inspect.Parameter.empty
# A peer can send a million arguments, and naming what is wrong with one takes a thousand times as
# long as checking one that fits.
_MAX_ISSUES = 20
_MAX_NAME_CHARS = 200  # of a keyword argument, a peer's as well


def validator_of(function: Callable[..., Any]) -> Validator | None:
    """What checks the calls of ``function``, or None if it has no hints that matter.

    A hint that cannot be resolved, or that nothing can be checked by, is passed over. Never raises.

    Args:
        function: a function, method, partial, class or callable object.
    """
    return _found(function)


def resolved_hints(function: Callable[..., Any]) -> dict[str, Any]:
    """The hints of ``function`` by parameter, ``"return"`` too; those that can be resolved.

    Never raises.
    """
    try:
        signature = _signature(function)
        namespace = _namespace(function)
    except Exception:  # noqa: BLE001  then it has no hints; it can be called all the same
        return {}
    hints = {p.name: p.annotation for p in signature.parameters.values()}
    hints["return"] = signature.return_annotation
    resolved: dict[str, Any] = {}
    for name, annotation in hints.items():
        if annotation is not _EMPTY:
            # A hint can be any expression; one that cannot be resolved says nothing to us.
            with contextlib.suppress(Exception):
                resolved[name] = _resolve(annotation, namespace)
    return resolved


# ---- one function's calls


@dataclasses.dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter; ``check`` is None where every value will do."""

    name: str
    check: Check | None
    default: Any


class Validator:
    """Checks the calls of one function. Any thread.

    Args:
        positional: its positional parameters, in order.
        rest: for further positional arguments (``*args``), or None.
        named: its parameters by name, those that can be given by name.
        others: for further keyword arguments (``**options``), or None.
        result: for what it returns, or None.
    """

    def __init__(
        self,
        positional: Sequence[Parameter],
        rest: Parameter | None,
        named: Mapping[str, Parameter],
        others: Parameter | None,
        result: Check | None,
    ) -> None:
        self._positional = positional
        self._rest = rest
        self._named = named
        self._others = others
        self._result = result

    @property
    def checks_anything(self) -> bool:
        """Whether any hint says something."""
        parameters = [*self._positional, *self._named.values(), self._rest, self._others]
        return self._result is not None or any(p and p.check for p in parameters)

    def check_args(
        self, args: Sequence[Any], kwargs: Mapping[str, Any], method: str
    ) -> tuple[list[Any], dict[str, Any]]:
        """The arguments as the hints have them.

        ``undefined`` becomes the default, where there is one, and so does a None at the end that
        the hint does not allow: JSON has no other word for an argument left out. How many
        arguments there are is not looked at.

        Raises:
            RPCValidationError: some do not fit; the first 20 of these are in it.
        """
        issues: list[dict[str, Any]] = []
        given = len(args)
        while given and (args[given - 1] is None or args[given - 1] is undefined):
            given -= 1
        checked = list(args)
        for at, value in enumerate(args):
            parameter = self._positional[at] if at < len(self._positional) else self._rest
            if parameter is not None and parameter.check is not None:
                place: list[str | int] = [at]
                checked[at] = _check_one(parameter, value, place, at >= given, method, issues)
        options = dict(kwargs)
        for name, value in kwargs.items():
            parameter = self._named.get(name, self._others)
            if parameter is not None and parameter.check is not None:
                place = [len(args), name]
                options[name] = _check_one(parameter, value, place, False, method, issues, name)
        if issues:
            raise RPCValidationError("input", method, issues)
        return checked, options

    def check_result(self, value: Any, method: str) -> Any:
        """``value`` itself, if the hint allows it. An instance of a dataclass is taken as it is.

        Raises:
            RPCValidationError: it does not.
        """
        if self._result is not None:
            _check_output(self._result, value, "result", method)
        return value

    def item_checker(self, method: str) -> Callable[[Any], Any] | None:
        """What checks the items of a stream it returned, or None where every item will do.

        The checker returns the item, or raises RPCValidationError.
        """
        items = self._result.items if self._result is not None else None
        if items is None:
            return None
        return functools.partial(_check_output, items, name="item", method=method)


def _check_one(
    parameter: Parameter,
    value: Any,
    place: list[str | int],
    may_be_left_out: bool,
    method: str,
    issues: list[dict[str, Any]],
    name: str = "",
) -> Any:
    check = parameter.check
    assert check is not None
    has_default = parameter.default is not _EMPTY
    try:
        checked = check(value)
    except Mismatch as exc:
        if has_default and (value is undefined or (value is None and may_be_left_out)):
            return parameter.default
        if value is None and parameter.default is None:
            return None
        issues.append(_issue(exc, name or parameter.name, place))
        if len(issues) == _MAX_ISSUES:
            raise RPCValidationError("input", method, issues) from None
        return value
    if value is undefined and checked is not undefined and has_default:
        return parameter.default
    if check.items is not None and is_stream(checked):
        return _CheckedStream(checked, check.items, name or parameter.name, place, method)
    return checked


def _check_output(check: Check, value: Any, name: str, method: str) -> Any:
    try:
        check(value)
    except Mismatch as exc:
        raise RPCValidationError("output", method, [_issue(exc, name, [])]) from exc.__cause__
    return value


def _issue(exc: Mismatch, name: str, place: Sequence[str | int]) -> dict[str, Any]:
    shown = name if len(name) <= _MAX_NAME_CHARS else f"{name[: _MAX_NAME_CHARS - 1]}…"
    return {"message": f"{shown}{exc.where}: {exc.text}", "path": [*place, *exc.path]}


class _CheckedStream:
    """A stream given as an argument; its items are checked as they are taken."""

    def __init__(
        self, source: Any, check: Check, name: str, place: list[str | int], method: str
    ) -> None:
        self._source = source
        self._check = check
        self._name = name
        self._place = place
        self._method = method

    def __aiter__(self) -> Any:
        return _CheckedStream(
            aiter(self._source), self._check, self._name, self._place, self._method
        )

    async def __anext__(self) -> Any:
        return self._checked(await anext(self._source))

    def __iter__(self) -> Iterator[Any]:
        return _CheckedStream(
            iter(self._source), self._check, self._name, self._place, self._method
        )

    def __next__(self) -> Any:
        return self._checked(next(self._source))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)

    def _checked(self, item: Any) -> Any:
        try:
            return self._check(item)
        except Mismatch as exc:
            issue = _issue(exc, f"item of {self._name}", self._place)
            raise RPCValidationError("input", self._method, [issue]) from exc.__cause__


# ---- what a function says


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


def _find_validator(function: Callable[..., Any]) -> Validator | None:
    hints = resolved_hints(function)
    if not hints:
        return None
    positional: list[Parameter] = []
    named: dict[str, Parameter] = {}
    rest = others = None
    for p in _signature(function).parameters.values():
        hint = hints.get(p.name, Any)
        if p.kind is p.VAR_KEYWORD and typing.get_origin(hint) is typing.Unpack:
            for name, inner in _typed_dict_hints(hint).items():
                named[name] = Parameter(name, _check_for(inner), _EMPTY)
            continue
        parameter = Parameter(p.name, _check_for(hint), p.default)
        if p.kind is p.VAR_POSITIONAL:
            rest = parameter
        elif p.kind is p.VAR_KEYWORD:
            others = parameter
        else:
            if p.kind is not p.KEYWORD_ONLY:
                positional.append(parameter)
            if p.kind is not p.POSITIONAL_ONLY:
                named[p.name] = parameter
    # What `__init__` returns says nothing about the instance.
    returned = Any if isinstance(function, type) else hints.get("return", Any)
    result = _check_for(returned, is_result=True)
    validator = Validator(positional, rest, named, others, result)
    return validator if validator.checks_anything else None


_found = PerFunction(_find_validator)


def _signature(function: Callable[..., Any]) -> inspect.Signature:
    if sys.version_info >= (3, 14):  # hints are evaluated when asked for, names may be missing
        import annotationlib

        return inspect.signature(function, annotation_format=annotationlib.Format.FORWARDREF)
    return inspect.signature(function)


def _namespace(function: Any) -> dict[str, Any]:
    """The globals of where ``function`` was written."""
    while True:
        function = inspect.unwrap(function)
        if isinstance(function, functools.partial):
            function = function.func
        elif isinstance(function, types.MethodType):
            function = function.__func__
        else:
            break
    if isinstance(function, type):
        module = sys.modules.get(function.__module__)
        return vars(module) if module else {}
    if not hasattr(function, "__globals__"):
        function = type(function).__call__
    return getattr(inspect.unwrap(function), "__globals__", {})


def _resolve(annotation: Any, namespace: dict[str, Any]) -> Any:
    """The annotation with its forward references followed; raises if one leads nowhere."""
    holder = types.SimpleNamespace(__annotations__={"hint": annotation})
    return typing.get_type_hints(holder, namespace, include_extras=True)["hint"]


def _check_for(hint: Any, *, is_result: bool = False) -> Check | None:
    try:
        return check_for(hint, is_result=is_result)
    except Exception:  # noqa: BLE001  a hint can be any expression; this one says nothing to us
        return None


def _typed_dict_hints(hint: Any) -> dict[str, Any]:
    """The hints of ``**options: Unpack[SomeTypedDict]``."""
    try:
        hints = typing.get_type_hints(typing.get_args(hint)[0])
    except Exception:  # noqa: BLE001  as above
        return {}
    required = (typing.Required, typing.NotRequired)
    return {
        name: typing.get_args(inner)[0] if typing.get_origin(inner) in required else inner
        for name, inner in hints.items()
    }
