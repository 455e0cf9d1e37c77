"""What a server of ours tells of its methods, as ``dir``, ``help`` and Shift-Tab show it.

Whatever a peer sends is cut to a size and cleaned before a terminal or a page has it.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Mapping
from typing import Any, Final

from kkjupyter.plaintext import one_line, plain

__all__ = ["MethodDescription", "read_method", "read_names"]

_NAMES: Final = 10_000
_NAME_CHARS: Final = 200
_DOC_CHARS: Final = 8_000
_PARAMETERS: Final = 100


@dataclasses.dataclass(frozen=True, slots=True)
class MethodDescription:
    """How to call a method.

    Attributes:
        signature: None where it is not known.
        doc: the docstring; empty where there is none.
    """

    signature: inspect.Signature | None
    doc: str

    def text(self, name: str) -> str:
        """What ``help`` shows: the call, and the docstring below it."""
        call = f"{name}{'(...)' if self.signature is None else self.signature}"
        return f"{call}\n\n{self.doc}" if self.doc else call


class _Text:
    """An annotation or a default that shows as it is."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


def read_names(answer: Any) -> list[str]:
    """The dotted names in an answer; those that no method can have are left out."""
    names = answer.get("names") if isinstance(answer, Mapping) else None
    if not isinstance(names, list):
        return []
    return [
        name
        for name in names[:_NAMES]
        if isinstance(name, str) and 0 < len(name) <= _NAME_CHARS and plain(name) == one_line(name)
    ]


def read_method(answer: Any) -> MethodDescription | None:
    """The method in an answer; None where it describes none."""
    if not isinstance(answer, Mapping):
        return None
    doc = answer.get("doc")
    return MethodDescription(
        _signature(answer.get("parameters"), answer.get("returns")),
        plain(doc[:_DOC_CHARS]) if isinstance(doc, str) else "",
    )


def _signature(parameters: Any, returns: Any) -> inspect.Signature | None:
    if not isinstance(parameters, list) or len(parameters) > _PARAMETERS:
        return None
    try:
        return inspect.Signature(
            [_parameter(one) for one in parameters], return_annotation=_shown(returns)
        )
    except (KeyError, TypeError, ValueError):  # not those of a function
        return None


def _parameter(told: Any) -> inspect.Parameter:
    return inspect.Parameter(
        told["name"],
        inspect._ParameterKind(told["kind"]),
        default=_shown(told.get("default")),
        annotation=_shown(told.get("annotation")),
    )


def _shown(text: Any) -> Any:
    if not isinstance(text, str) or not text:
        return inspect.Parameter.empty
    return _Text(one_line(plain(text[:_NAME_CHARS])))
