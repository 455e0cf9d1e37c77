"""Checks a handler's input and output against its type hints, and words the refusals.

Status, shape and wording are those of the real servers with a validation library: 400 and
``cause.issues`` for what a client sent, ``Invalid iteration #1`` in the stream for the second item.
"""

from __future__ import annotations

from typing import Any

from kkjupyter.validation.checking import Check, Mismatch
from kkjupyter.vovk.server.exceptions import HttpException
from kkjupyter.vovk.server.request import Request
from kkjupyter.wire.vovk.media_types import JSON, is_json_type, media_type
from kkjupyter.wire.vovk.schema.model import Part

__all__ = ["ItemCheck", "check_input", "check_media_type", "check_output"]


def check_input(part: Part, check: Check, value: Any) -> Any:
    """``value`` converted to the hint.

    Raises:
        HttpException: 400, it does not fit.
    """
    try:
        return check(value)
    except Mismatch as exc:
        raise _invalid(400, part, exc) from exc.__cause__


def check_output(check: Check, value: Any) -> Any:
    """``value`` itself.

    Raises:
        HttpException: 500, it does not match the handler's hint.
    """
    try:
        check(value)
    except Mismatch as exc:
        raise _invalid(500, "output", exc) from exc.__cause__
    return value


class ItemCheck:
    """Checks the items of one stream, in order."""

    def __init__(self, check: Check) -> None:
        self._check = check
        self._passed = 0

    def __call__(self, item: Any) -> Any:
        """``item`` itself.

        Raises:
            HttpException: it does not match the handler's hint.
        """
        try:
            self._check(item)
        except Mismatch as exc:
            raise _invalid(500, f"iteration #{self._passed}", exc) from exc.__cause__
        self._passed += 1
        return item


def check_media_type(request: Request[Any, Any, Any]) -> None:
    """Check that a body is declared as JSON, or not at all.

    Raises:
        HttpException: 415, it is declared as something else.
    """
    given = media_type(request.headers.get("content-type", ""))
    if given and not is_json_type(given):
        raise HttpException(
            415,
            f"Unsupported media type: {given}",
            {"contentTypes": [given], "allowed": [JSON]},
        )


def _invalid(status: int, what: str, exc: Mismatch) -> HttpException:
    where = f" at {'.'.join(map(str, exc.path))}" if exc.path else ""
    return HttpException(
        status,
        f"Validation failed. Invalid {what}: {exc.text}{where}",
        {"issues": [{"path": list(exc.path), "message": exc.text}]},
    )
