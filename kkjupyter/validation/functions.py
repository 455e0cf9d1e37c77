"""Arguments, results and the items of streams, held to the type hints of the function called.

What does not fit is refused with the error the peers have for it, ``RPCValidationError``, in its
shape: ``phase``, ``method`` and ``issues``, each with a ``message`` and the ``path`` of what is
wrong. The path of an argument begins with its position. A function without hints costs a look-up.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import sys
import types
import typing
from collections.abc import Callable
from typing import Any

from kkjupyter.validation.checking import Check, check_for
from kkjupyter.validation.per_function import PerFunction
from kkjupyter.validation.validator import EMPTY, Parameter, RPCValidationError, Validator

__all__ = ["RPCValidationError", "Validator", "resolved_hints", "validator_of"]


def _find_validator(function: Callable[..., Any]) -> Validator | None:
    try:
        signature = _signature(function)
        namespace = _namespace(function)
    except Exception:  # noqa: BLE001  then it has no hints; it can be called all the same
        return None
    positional: list[Parameter] = []
    named: dict[str, Parameter] = {}
    rest = others = None
    for p in signature.parameters.values():
        check = _check_of(p.annotation, namespace)
        if p.kind is p.VAR_KEYWORD and (unpacked := _unpacked(p.annotation, namespace)):
            for name, hint in unpacked.items():
                named[name] = Parameter(name, check_for(hint), EMPTY)
            continue
        parameter = Parameter(p.name, check, p.default)
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
    returned = EMPTY if isinstance(function, type) else signature.return_annotation
    result = _check_of(returned, namespace, is_result=True)
    validator = Validator(positional, rest, named, others, result)
    return validator if validator.checks_anything else None


_found = PerFunction(_find_validator)


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
    except Exception:  # noqa: BLE001  as above
        return {}
    hints = {p.name: p.annotation for p in signature.parameters.values()}
    hints["return"] = signature.return_annotation
    resolved: dict[str, Any] = {}
    for name, annotation in hints.items():
        if annotation is not EMPTY:
            # A hint can be any expression; one that cannot be resolved says nothing to us.
            with contextlib.suppress(Exception):
                resolved[name] = _resolve(annotation, namespace)
    return resolved


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


def _check_of(
    annotation: Any, namespace: dict[str, Any], *, is_result: bool = False
) -> Check | None:
    if annotation is EMPTY:
        return None
    try:
        return check_for(_resolve(annotation, namespace), is_result=is_result)
    except Exception:  # noqa: BLE001  a hint can be any expression; this one says nothing to us
        return None


def _resolve(annotation: Any, namespace: dict[str, Any]) -> Any:
    """The annotation with its forward references followed; raises if one leads nowhere."""
    holder = types.SimpleNamespace(__annotations__={"hint": annotation})
    return typing.get_type_hints(holder, namespace, include_extras=True)["hint"]


def _unpacked(annotation: Any, namespace: dict[str, Any]) -> dict[str, Any] | None:
    """The hints of ``**options: Unpack[SomeTypedDict]``."""
    try:
        hint = _resolve(annotation, namespace)
        if typing.get_origin(hint) is not typing.Unpack:
            return None
        return {
            name: typing.get_args(h)[0]
            if typing.get_origin(h) in (typing.Required, typing.NotRequired)
            else h
            for name, h in typing.get_type_hints(typing.get_args(hint)[0]).items()
        }
    except Exception:  # noqa: BLE001  as above
        return None
