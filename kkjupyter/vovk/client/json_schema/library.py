"""The library that checks values against JSON Schemas, without what takes seconds to import.

``jsonschema`` imports everything that knows one of JSON Schema's formats. The one for ``iri``
comes with JupyterLab and builds a grammar when it is imported: 2 seconds of computing. Formats are
not looked at here, so the grammar is built when somebody else checks that format.
"""

from __future__ import annotations

import importlib
import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from kkjupyter.extras import is_installed, load_extra

__all__ = ["has_library", "load_library"]

_GRAMMAR: Final = "rfc3987_syntax"
_FUNCTION: Final = "is_valid_syntax"


def has_library() -> bool:
    """Whether what checks with is installed."""
    return is_installed("jsonschema")


def load_library() -> None:
    """Import what checks with. Any thread.

    Raises:
        UsageError: it is not installed.
    """
    with _grammar_later():
        load_extra("jsonschema.validators", "vovk", "validate=True")


class _Later(types.ModuleType):
    """Stands for the module of the grammar while another one is imported."""

    def __getattr__(self, name: str) -> Any:
        if name == _FUNCTION:
            return _is_valid_syntax
        if name.startswith("__"):
            raise AttributeError(name)
        if sys.modules.get(_GRAMMAR) is self:
            del sys.modules[_GRAMMAR]
        return getattr(importlib.import_module(_GRAMMAR), name)


def _is_valid_syntax(*args: Any, **kwargs: Any) -> Any:
    """The function of the grammar's module, which is imported by the first call."""
    return getattr(importlib.import_module(_GRAMMAR), _FUNCTION)(*args, **kwargs)


@contextmanager
def _grammar_later() -> Iterator[None]:
    """Have what is imported here get the grammar's function without building the grammar."""
    if _GRAMMAR in sys.modules or "jsonschema" in sys.modules or not is_installed(_GRAMMAR):
        yield
        return
    later = sys.modules[_GRAMMAR] = _Later(_GRAMMAR)
    try:
        yield
    finally:
        if sys.modules.get(_GRAMMAR) is later:
            del sys.modules[_GRAMMAR]
