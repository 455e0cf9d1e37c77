"""Checks the arguments, the result and the stream items of one function's calls."""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from kkjupyter.calls.call import is_stream
from kkjupyter.validation.checking import Check, Mismatch
from kkjupyter.validation.refusals import Phase, RPCValidationError
from kkjupyter.wire.values.javascript import undefined

__all__ = ["EMPTY", "Parameter", "Phase", "RPCValidationError", "Validator"]

EMPTY = inspect.Parameter.empty


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
            RPCValidationError: some do not fit; all of these are in it.
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

    def check_item(self, value: Any, method: str) -> Any:
        """One item of a stream, as the checker of :meth:`item_checker` has it."""
        checker = self.item_checker(method)
        return checker(value) if checker else value


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
    has_default = parameter.default is not EMPTY
    try:
        checked = check(value)
    except Mismatch as exc:
        if has_default and (value is undefined or (value is None and may_be_left_out)):
            return parameter.default
        if value is None and parameter.default is None:
            return None
        issues.append(_issue(exc, name or parameter.name, place))
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
    return {"message": f"{name}{exc.where}: {exc.text}", "path": [*place, *exc.path]}


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
