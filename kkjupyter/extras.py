"""Libraries that only some users need: they come with an extra of this package."""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any

from kkjupyter.errors import UsageError

__all__ = ["is_installed", "load_extra"]


def is_installed(library: str) -> bool:
    """Whether a library can be imported; it is not imported for that.

    Args:
        library: the name of its top package.
    """
    return importlib.util.find_spec(library) is not None


def load_extra(module: str, extra: str, purpose: str) -> Any:
    """A module of a library that an extra brings.

    Args:
        module: its full name.
        extra: of ``kkjupyter[...]``.
        purpose: what it is needed for, as the beginning of a sentence.

    Raises:
        UsageError: the library is not installed, or cannot be imported; the text names the extra.
    """
    library = module.partition(".")[0]
    cure = f"pip install 'kkjupyter[{extra}]'"
    if not is_installed(library):
        raise UsageError(f"{purpose} needs {library}, which is not installed: {cure}")
    try:
        return importlib.import_module(module)
    except ImportError as exc:
        raise UsageError(
            f"{purpose} needs {library}, which cannot be imported ({exc}): {cure}"
        ) from exc
