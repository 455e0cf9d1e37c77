"""From a value to the forms in which a notebook shows it, by MIME type.

IPython's formatters know them: the ``_repr_*_`` methods of the value, and what libraries and users
have registered for its class. They are asked one by one instead of by ``DisplayFormatter.format``,
which prints a traceback into the cell where one of them raises, and makes all forms where one is
shown.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

from IPython import get_ipython
from IPython.core.formatters import DisplayFormatter
from IPython.utils.dir2 import get_real_method

from kkjupyter.notebook.safe_text import whole
from kkjupyter.notebook.views.foreign import text_of
from kkjupyter.notebook.views.json import line_of, unfolded

__all__ = ["PLAIN", "MimeForms", "forms_of", "has_rich_form", "plain_of"]

PLAIN = "text/plain"
# A value may have several forms. As JupyterLab chooses, the first of these is shown, and the others
# are not made. Code that a page would run is not among them.
_SHOWN = (
    "text/html",
    "text/markdown",
    "image/svg+xml",
    "text/latex",
    "image/png",
    "image/jpeg",
    "application/json",
)
_BUNDLE_METHOD = "_repr_mimebundle_"
_PLAIN_CHARS = 20_000


class MimeForms(NamedTuple):
    """A value by MIME type.

    Attributes:
        data: ``text/plain``, and perhaps one or more richer forms; bytes are base64.
        metadata: what is known of a form (the width of a picture), by MIME type.
    """

    data: dict[str, Any]
    metadata: dict[str, Any]


def has_rich_form(value: Any) -> bool:
    """Whether a notebook shows ``value`` as more than text. Calls no code of the value's."""
    kind = type(value)
    if kind.__module__ == "builtins":
        return False  # a library may have registered formulas for numbers and lists
    if _is_figure(kind):
        return True
    formatters = _display_formatter().formatters
    if _has(value, _BUNDLE_METHOD) or _has_printer(_display_formatter().mimebundle_formatter, kind):
        return True
    known = [formatters[mime] for mime in _SHOWN if mime in formatters]
    return any(_has(value, one.print_method) or _has_printer(one, kind) for one in known)


def forms_of(value: Any) -> MimeForms:
    """How a notebook shows ``value``; a value without rich form as text.

    Raises:
        Exception: what a formatter, or a method of the value, raises.
    """
    if not has_rich_form(value):
        return MimeForms({PLAIN: whole(plain_of(value))}, {})
    data, metadata = _bundle(value)
    if not any(mime != PLAIN for mime in data):
        found = _first_form(value)
        if found is not None:
            mime, data[mime], metadata[mime] = found
    if PLAIN not in data:
        data[PLAIN] = _shortened(repr(value))
    data[PLAIN] = whole(str(data[PLAIN]))
    return MimeForms(_sendable(data), {key: one for key, one in metadata.items() if one})


def plain_of(value: Any) -> str:
    """``value`` as text: a str as it is, what has parts on several lines, a rich value's repr.

    It may have control characters and halves of characters.

    Raises:
        Exception: what the value's ``__repr__`` raises, if it is rich.
    """
    text = text_of(value)
    if text is None and has_rich_form(value):
        text = repr(value)
    if text is not None:
        return _shortened(text)
    line = line_of(value)
    return unfolded(line) or line


def _bundle(value: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the value itself says of all its forms."""
    made = _made(_display_formatter().mimebundle_formatter, value, include=None, exclude=None)
    data, metadata = made if isinstance(made, tuple) else (made, {})
    if not isinstance(data, Mapping):
        return {}, {}
    return dict(data), dict(metadata) if isinstance(metadata, Mapping) else {}


def _first_form(value: Any) -> tuple[str, Any, Any] | None:
    """The first form that the value has: its MIME type, its data, what is known of it."""
    formatters = _display_formatter().formatters
    for mime in _SHOWN:
        made = _made(formatters[mime], value) if mime in formatters else None
        if made is None:
            continue
        data, metadata = made if isinstance(made, tuple) and len(made) == 2 else (made, None)
        if data is not None:
            return mime, data, metadata
    if _is_figure(type(value)):
        # Made without pyplot, which would have told IPython how figures are shown.
        file = io.BytesIO()
        value.savefig(file, format="png", bbox_inches="tight")
        return "image/png", file.getvalue(), None
    return None


def _made(formatter: Any, value: Any, **limits: Any) -> Any:
    """What one formatter makes of ``value``; None if it makes nothing."""
    try:
        try:
            return formatter.lookup(value)(value)
        except KeyError:
            method = get_real_method(value, formatter.print_method)
        return None if method is None else method(**limits)
    except NotImplementedError:  # how a method says that it has nothing for this value
        return None


def _sendable(data: Mapping[str, Any]) -> dict[str, Any]:
    """``data`` as JSON can have it."""
    return {str(mime): _form(form) for mime, form in data.items() if form is not None}


def _form(form: Any) -> Any:
    if isinstance(form, (bytes, bytearray)):
        return base64.b64encode(form).decode()
    return form


def _has(value: Any, method: str) -> bool:
    """Whether the class, or an attribute of the object, offers a method; not ``__getattr__``."""
    try:
        return any(method in vars(base) for base in type(value).__mro__) or method in vars(value)
    except TypeError:  # it has no attributes of its own
        return False


def _has_printer(formatter: Any, kind: type) -> bool:
    try:
        formatter.lookup_by_type(kind)
    except KeyError:
        return False
    return True


def _is_figure(kind: type) -> bool:
    return any(base.__module__ == "matplotlib.figure" for base in kind.__mro__)


def _shortened(text: str) -> str:
    more = len(text) - _PLAIN_CHARS
    return text if more <= 0 else f"{text[:_PLAIN_CHARS]} … ({more:,} more characters)"


def _display_formatter() -> Any:
    shell = get_ipython()
    return _plain_python() if shell is None else shell.display_formatter


@cache
def _plain_python() -> DisplayFormatter:
    return DisplayFormatter()
