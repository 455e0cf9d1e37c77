"""What a server tells its clients of the methods that they may call, for completion and help.

Only what :class:`~kkjupyter.server.exposed.reach.Reach` lets a client call is in it. No property is
run to find it, and every text has a limit. Of defaults only plain values are told, and none whose
parameter sounds like a secret.
"""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable, Sequence
from typing import Any, Final

from kkjupyter.redaction import is_secret_name
from kkjupyter.server.exposed.places import BINDING, COMPUTED, Unreachable
from kkjupyter.server.exposed.reach import Reach

__all__ = ["describe_method", "describe_names"]

_NAMES_CHARS: Final = 256 * 1024
_DOC_CHARS: Final = 4_000
_PARAMETERS: Final = 100
_ANNOTATION_CHARS: Final = 200
_DEFAULT_CHARS: Final = 40


def describe_names(reach: Reach) -> dict[str, Any]:
    """The dotted names of what can be called, up to 10,000 and 256 Ki characters: ``names``."""
    names: list[str] = []
    left = _NAMES_CHARS
    for name in reach.method_names():
        left -= len(name)
        if left < 0:
            break
        names.append(name)
    return {"names": names}


def describe_method(reach: Reach, path: Sequence[str]) -> dict[str, Any]:
    """How to call what is at ``path``: ``parameters``, ``returns`` and ``doc``.

    ``parameters`` is None where that is not known. A parameter has a ``name`` and a ``kind``, as
    ``inspect.Parameter`` numbers them, and maybe ``annotation`` and ``default``, both text.

    Raises:
        Unreachable: it cannot be called, or only the code of a property could tell.
    """
    if reach.peek(path) is COMPUTED:
        raise Unreachable("missing")
    function = reach.find_callable(path)
    described: dict[str, Any] = {"parameters": None, "returns": "", "doc": _doc(function)}
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # some callables written in C have none
        return described
    parameters = list(signature.parameters.values())
    if len(parameters) <= _PARAMETERS:
        described["parameters"] = [_parameter(one) for one in parameters]
    if not isinstance(function, type):
        described["returns"] = _annotation(signature.return_annotation)
    return described


def _parameter(parameter: inspect.Parameter) -> dict[str, Any]:
    told: dict[str, Any] = {"name": parameter.name, "kind": int(parameter.kind)}
    if annotation := _annotation(parameter.annotation):
        told["annotation"] = annotation
    if parameter.default is not parameter.empty:
        told["default"] = _default(parameter)
    return told


def _annotation(annotation: Any) -> str:
    if annotation is inspect.Parameter.empty:
        return ""
    try:
        text = annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
    except Exception:  # noqa: BLE001  a hint can be any expression; this one says nothing
        return ""
    return text if len(text) <= _ANNOTATION_CHARS else "..."


def _default(parameter: inspect.Parameter) -> str:
    value = parameter.default
    is_plain = value is None or type(value) in (bool, int, str)
    if type(value) is float:
        is_plain = math.isfinite(value)
    if not is_plain or is_secret_name(parameter.name):
        return "..."
    try:
        text = repr(value)
    except ValueError:  # an integer of thousands of digits
        return "..."
    return text if len(text) <= _DEFAULT_CHARS else "..."


def _doc(function: Callable[..., Any]) -> str:
    while isinstance(function, (functools.partial, *BINDING)):
        function = function.func
    if not (inspect.isroutine(function) or isinstance(function, type)):
        function = type(function).__call__
    doc = inspect.getdoc(function)
    return doc[:_DOC_CHARS] if isinstance(doc, str) else ""
