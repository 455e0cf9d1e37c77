"""``@kk.view``: the user's own views."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from kkjupyter.errors import UsageError
from kkjupyter.notebook.safe_text import whole
from kkjupyter.notebook.views.base import View
from kkjupyter.plaintext import printable

__all__ = ["named_view"]


def named_view(name: str, views: dict[str, type[View]], reserved: Sequence[str], shape: Any) -> Any:
    """Register ``shape``, a class of views or a function from an item to its text.

    Args:
        name: its name for ``--view``.
        views: the registry; a user's view of the same name is replaced.
        reserved: names that are taken.
        shape: a subclass of :class:`View`, or a function.

    Returns:
        ``shape``.

    Raises:
        UsageError: the name is not valid or is taken, or ``shape`` is neither.
    """
    if not isinstance(name, str) or not name.replace("-", "_").isidentifier():
        raise UsageError(f"the name of a view must be one word, not {name!r}")
    if name in reserved:
        raise UsageError(
            f"view {name!r} already exists and cannot be replaced; choose another name"
        )
    if isinstance(shape, type) and issubclass(shape, View):
        shape.name = name
        views[name] = shape
    elif callable(shape) and not isinstance(shape, type):
        views[name] = _view_of(name, shape)
    else:
        raise UsageError(
            f"@kk.view({name!r}) takes a function from an item to its text, or a class that "
            f"derives from kk.View; not {shape!r}"
        )
    return shape


def _view_of(name: str, text_of: Callable[[Any], Any]) -> type[View]:
    class FunctionView(View):
        def render(self, items: Sequence[Any]) -> str:
            texts = [text_of(item) for item in items]
            return printable(whole("".join([str(text) for text in texts if text is not None])))

    FunctionView.name = name
    FunctionView.__name__ = FunctionView.__qualname__ = getattr(text_of, "__name__", name)
    FunctionView.__doc__ = text_of.__doc__
    return FunctionView
