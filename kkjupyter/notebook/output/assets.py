"""The larger parts of the front end: sent once per page, when a view first needs one.

A part is a built ES module. Its id contains a digest of its source, so that a page never confuses
two versions.
"""

from __future__ import annotations

import hashlib
import pathlib
from functools import cache

__all__ = ["id_of", "source_of"]

_sources: dict[str, str] = {}


@cache
def _registered(path: pathlib.Path) -> str:
    source = path.read_text(encoding="utf-8")
    part = f"{path.stem}-{hashlib.sha256(source.encode()).hexdigest()[:12]}"
    _sources[part] = source
    return part


def id_of(path: pathlib.Path | None) -> str | None:
    """The id by which a page asks for the part in this file; it can do so from now on."""
    return None if path is None else _registered(path)


def source_of(part: str) -> str | None:
    """The source of a part, or None if no view of this kernel has it."""
    return _sources.get(part)
