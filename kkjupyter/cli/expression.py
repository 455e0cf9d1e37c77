"""Parses ``countdown(5)`` on a command line into a path and arguments. Nothing is evaluated."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import Any

from kkjupyter.errors import UsageError

__all__ = ["Expression", "parse_expression"]

_HOW = "write a call such as 'countdown(5)' or 'data.stream(3)', or a property: 'settings.theme'"
_SPELLINGS = {"true": "True", "false": "False", "null": "None", "undefined": "None"}


@dataclass(frozen=True)
class Expression:
    """A call, or a property if ``is_call`` is false."""

    path: tuple[str, ...]
    is_call: bool = False
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = field(default_factory=dict)


def parse_expression(text: str) -> Expression:
    """Read a dotted name, or a call of one with literal arguments.

    Raises:
        UsageError: it is anything else; the text says what to write.
    """
    try:
        node = ast.parse(text.strip(), mode="eval").body
    except SyntaxError as exc:
        raise UsageError(f"{text!r} is not an expression ({exc.msg}); {_HOW}") from exc
    except ValueError as exc:  # a null character
        raise UsageError(f"{text!r:.200} is not an expression ({exc}); {_HOW}") from exc
    except (MemoryError, RecursionError) as exc:  # Python's own parser
        raise UsageError(f"the expression is nested too deeply; {_HOW}") from exc
    try:
        return _expression(node)
    except RecursionError as exc:  # since 3.13 the parser accepts more than can be walked
        raise UsageError(f"the expression is nested too deeply; {_HOW}") from exc


def _expression(node: ast.expr) -> Expression:
    if not isinstance(node, ast.Call):
        return Expression(_path(node))
    kwargs: dict[str, Any] = {}
    for keyword in node.keywords:
        if keyword.arg is None:
            raise UsageError(f"'**' cannot be used here; {_HOW}")
        kwargs[keyword.arg] = _literal(keyword.value)
    args = tuple(_literal(argument) for argument in node.args)
    return Expression(_path(node.func), is_call=True, args=args, kwargs=kwargs)


def _path(node: ast.expr) -> tuple[str, ...]:
    if isinstance(node, ast.Name):
        return (node.id,)
    if isinstance(node, ast.Attribute):
        return (*_path(node.value), node.attr)
    raise UsageError(f"{ast.unparse(node)!r} is not a dotted name; {_HOW}")


def _literal(node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except ValueError as exc:
        source = ast.unparse(node)
        spelling = _SPELLINGS.get(source)
        hint = (
            f"write {spelling}"
            if spelling
            else "only literals can be passed, such as 5, 'x', [1, 2]"
        )
        raise UsageError(f"the argument {source!r} is not a literal: {hint}") from exc
