"""Makes ``%%time``, ``%timeit`` and similar magics measure a call to its end.

These magics evaluate an expression and read the clock before its value reaches the display hook,
which would wait for a call. So while one of them runs, its last expression is waited for in place.
``%time`` shows it, like the last line of a cell; ``%timeit``, which runs it many times, does not.
"""

from __future__ import annotations

import ast
import functools
import sys
from collections.abc import Callable
from typing import Any

from kkjupyter.notebook.shell.class_names import REMOTE, WATCHED, is_one

__all__ = ["collected", "install", "uninstall", "watched"]

_KINDS = ("line", "cell")


def watched(value: Any) -> Any:
    """``value``; for a call or a view, its result when it is over. It is shown meanwhile."""
    if not is_one(value, WATCHED):
        return value  # the clock runs, so nothing new may be imported here
    from kkjupyter.notebook.show import watched as watching

    return watching.watched(value)


def collected(value: Any) -> Any:
    """``value``; for a call, its result when it is over. Nothing is shown.

    Raises:
        UsageError: it is a view, which would be shown many times.
    """
    if not is_one(value, WATCHED):
        return value
    from kkjupyter.notebook.show import watched as watching

    return watching.collected(value)


# The function that waits for the last expression, by magic. (%prun has no hook: it profiles this
# thread, in which a call is only sent; `api.f().result()` profiles the waiting, too.)
_WAITING: dict[str, Callable[[Any], Any]] = {"time": watched, "timeit": collected}


class _WaitForLast(ast.NodeTransformer):
    """Wraps the last expression of a module in a function call.

    Args:
        wait: that function, from this module.
        applies: decides whether an expression is wrapped.
    """

    def __init__(self, wait: Callable[[Any], Any], applies: Callable[[ast.expr], bool]) -> None:
        self._wait = wait
        self._applies = applies

    def visit_Module(self, node: ast.Module) -> ast.Module:
        last = node.body[-1] if node.body else None
        if isinstance(last, ast.Expr) and self._applies(last.value):
            # No variable of ours in the user's namespace.
            path = f"__import__({__name__!r}, fromlist=['']).{self._wait.__name__}"
            wait = ast.parse(path, mode="eval").body
            call = ast.Call(func=wait, args=[last.value], keywords=[])
            last.value = ast.copy_location(call, last.value)
        return ast.fix_missing_locations(node)


def _is_ours(shell: Any, expression: ast.expr) -> bool:
    """Whether it is ``api.f(...)`` or ``kk.show(...)``; other timed code must not get slower."""
    if not isinstance(expression, ast.Call):
        return False
    node = expression.func
    while isinstance(node, (ast.Attribute, ast.Subscript, ast.Call)):
        node = node.func if isinstance(node, ast.Call) else node.value
    value = shell.user_ns.get(node.id) if isinstance(node, ast.Name) else None
    return is_one(value, (REMOTE,)) or value is sys.modules["kkjupyter"]


def install(shell: Any) -> None:
    """Make the magics of ``shell`` wait. Idempotent."""
    for name, wait in _WAITING.items():
        for kind in _KINDS:
            original = shell.find_magic(name, kind)  # newer shells load their magics only then
            if original is not None and not hasattr(original, "_kkjupyter_original"):
                shell.magics_manager.magics[kind][name] = _waiting(shell, original, wait)


def uninstall(shell: Any) -> None:
    """Restore the magics. Idempotent."""
    for name in _WAITING:
        for kind in _KINDS:
            magics = shell.magics_manager.magics[kind]
            original = getattr(magics.get(name), "_kkjupyter_original", None)
            if original is not None:
                magics[name] = original


def _waiting(shell: Any, original: Any, wait: Callable[[Any], Any]) -> Any:
    @functools.wraps(original)  # with the attributes by which IPython knows how to call it
    def magic(*args: Any, **kwargs: Any) -> Any:
        applies = functools.partial(_is_ours, shell) if wait is collected else lambda _: True
        transformer = _WaitForLast(wait, applies)
        shell.ast_transformers.append(transformer)
        try:
            return original(*args, **kwargs)
        finally:
            if transformer in shell.ast_transformers:
                shell.ast_transformers.remove(transformer)

    magic._kkjupyter_original = original  # type: ignore[attr-defined]
    return magic
