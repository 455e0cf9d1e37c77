"""The names that a module offers: those that it defines, without its own imports."""

from __future__ import annotations

import ast
import dataclasses
import importlib.util
import inspect
import sys
import types
import weakref
from collections.abc import Iterator
from typing import Any, Literal

__all__ = ["Origin", "origin_of"]

Origin = Literal["given", "found", "foreign"]
"""How a name came into a module: it lists, defines or assigns it; nobody knows; it imports it."""


def origin_of(module: types.ModuleType, name: str) -> Origin:
    """How an existing ``name`` came into ``module``.

    Runs no code of the module. A name in ``__all__`` is always given. For other names the source
    decides: functions and classes that the module defines, and names that it assigns, are given.
    Names that it imports are foreign, even from its own package. Without a source, plain values
    count as found, and nothing from another module does.
    """
    found = vars(module)[name]
    if name in _listed(module):
        return "given"
    if isinstance(found, types.ModuleType):
        return "foreign"
    if isinstance(found, type | types.FunctionType | types.BuiltinFunctionType):
        if getattr(found, "__module__", None) == module.__name__:
            return "given"
        is_known = name in _names_of(module).assigned
    else:
        is_known = True
    names = _names_of(module)
    if name in names.imported or not is_known:
        return "foreign"
    return "given" if name in names.assigned else "found"


@dataclasses.dataclass(slots=True)
class _Names:
    """The names in the source of a module.

    Attributes:
        imported: names that an import binds.
        assigned: names that any other statement binds.
    """

    imported: set[str] = dataclasses.field(default_factory=set)
    assigned: set[str] = dataclasses.field(default_factory=set)


_known: weakref.WeakKeyDictionary[types.ModuleType, _Names] = weakref.WeakKeyDictionary()


def _names_of(module: types.ModuleType) -> _Names:
    names = _known.get(module)
    if names is None:
        names = _known[module] = _read(module)
    return names


def _listed(module: types.ModuleType) -> Any:
    listed = vars(module).get("__all__")
    return listed if isinstance(listed, list | tuple | set | frozenset) else ()


def _read(module: types.ModuleType) -> _Names:
    names = _Names()
    source = _source(module)
    if source is None:
        return names
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError):  # the file has changed since
        return names
    for node in _outside_functions(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                names.imported.add(alias.asname or alias.name.partition(".")[0])
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                if alias.name == "*":
                    names.imported |= _all_of(module, node)
                else:
                    names.imported.add(alias.asname or alias.name)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.assigned.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.assigned.add(node.id)
    return names


def _outside_functions(tree: ast.AST) -> Iterator[ast.AST]:
    """All statements that run at module level."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            waiting += ast.iter_child_nodes(node)


def _source(module: types.ModuleType) -> str | None:
    try:
        return inspect.getsource(module)
    except (OSError, TypeError):  # there is no source, or the module is not a file
        return None


def _all_of(module: types.ModuleType, node: ast.ImportFrom) -> set[str]:
    """The names that ``from other import *`` brings into ``module``."""
    name = "." * node.level + (node.module or "")
    try:
        other = sys.modules.get(importlib.util.resolve_name(name, module.__package__ or ""))
    except ImportError:
        other = None
    if other is None:
        return set()
    listed = _listed(other)
    return set(listed) or {name for name in vars(other) if not name.startswith("_")}
