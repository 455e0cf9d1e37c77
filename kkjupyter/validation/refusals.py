"""Errors that tell a client that its call cannot begin, or cannot be answered as promised."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from kkjupyter.errors import KKError

__all__ = ["ArgumentsError", "Phase", "RPCValidationError"]

Phase = Literal["input", "output"]


class ArgumentsError(TypeError):
    """A call could not begin: the arguments do not fit. Clients get it as a TypeError."""


class RPCValidationError(KKError):
    """A call or its result is refused; the caller gets it as RemoteError of this name.

    Attributes:
        phase: ``"input"`` or ``"output"``; items of a result are output, too.
        method: the name called.
        issues: one dict for each fault, with ``message`` and ``path``.
    """

    def __init__(self, phase: Phase, method: str, issues: Sequence[Mapping[str, Any]]) -> None:
        super().__init__(phase, method, issues)
        self.phase: Phase = phase
        self.method = method
        self.issues = [dict(issue) for issue in issues]

    def _text(self) -> str:
        faults = "; ".join(str(issue["message"]) for issue in self.issues)
        return f'RPC {self.phase} validation failed for "{self.method}": {faults}'
