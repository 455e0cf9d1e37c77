"""An object as it is offered to peers, with the options that apply to it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from kkjupyter.limits import ServerLimits
from kkjupyter.server.exposed.reach import Reach
from kkjupyter.server.exposed.writable import NOTHING_WRITABLE, Permission
from kkjupyter.server.interceptors import Interceptor, check_interceptors

__all__ = ["Exposed"]


@dataclasses.dataclass(frozen=True, slots=True)
class Exposed:
    """What a peer may call, read and set.

    Attributes:
        reach: the object, and what can be reached in it.
        interceptors: run around every operation, the first one outermost.
        validate: whether the functions' type hints are checked.
        permission: which properties may be set.
        debug: whether handlers' tracebacks are sent to peers.
        limits: what clients may have at once.
        describe: whether clients are told the names, signatures and docstrings of what they may
            call.
        is_guarded: whether an interceptor decides who may call what; then names are not listed, as
            it cannot be asked about each.
    """

    reach: Reach
    interceptors: Sequence[Interceptor] = ()
    validate: bool = True
    permission: Permission = NOTHING_WRITABLE
    debug: bool = False
    limits: ServerLimits = ServerLimits()
    describe: bool = True
    is_guarded: bool | None = None

    def __post_init__(self) -> None:
        """Check the interceptors; UsageError if one of them is not valid."""
        object.__setattr__(self, "interceptors", check_interceptors(self.interceptors))
        if self.is_guarded is None:  # what a listener adds later guards nothing
            object.__setattr__(self, "is_guarded", bool(self.interceptors))
