"""What clients may assign to: only names that the server's owner lists in ``writable=``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal

from kkjupyter.errors import UsageError
from kkjupyter.server.exposed.dotted_names import dotted_names
from kkjupyter.server.exposed.reach import Reach
from kkjupyter.server.exposed.setting import is_never_set, put, refusal_of_set

__all__ = ["NOTHING_WRITABLE", "Permission", "WritableOption", "permission"]

WritableOption = Iterable[str] | Literal[True]
"""Dotted names; or True for the entries of dicts and lists and the fields of dataclasses."""

_EXAMPLE = 'a list of dotted names: writable=["settings"]'


class Permission:
    """Decides which properties clients may set.

    A name opens its value and all public data below it that belongs to this object alone, not to a
    class or module. A client can never set a value that can be called, a name with a leading
    underscore, a global of a module or an attribute of a class.

    Args:
        paths: the names, in parts.
        plain_data: whether the entries of dicts and lists and the fields of dataclasses are open,
            wherever they are.
    """

    def __init__(self, paths: Iterable[Sequence[str]] = (), *, plain_data: bool = False) -> None:
        self._paths = [tuple(path) for path in paths]
        self._plain_data = plain_data

    def set(self, reach: Reach, path: Sequence[str], value: Any) -> None:
        """Set the property at ``path`` of the served object if that is allowed.

        No property is run before the names allow it.

        Raises:
            Unreachable: it is not allowed, or cannot be set.
            Exception: what the setter of the property raises.
        """
        named = [len(own) for own in self._paths if tuple(path[: len(own)]) == own]
        if not (named or self._plain_data):
            raise refusal_of_set(reach, path)
        put(
            reach,
            path,
            value,
            named_steps=max(named, default=0),
            plain_data_only=not named,
        )


NOTHING_WRITABLE = Permission()


def permission(option: WritableOption, reach: Reach) -> Permission:
    """The permission that ``writable=`` gives on the served object.

    Raises:
        UsageError: it is not a list of names, or a name can never be set.
    """
    if option is True:
        return Permission(plain_data=True)
    paths = dotted_names("writable", option, _EXAMPLE)
    for path in paths:
        # Reported now if it is certain, so that a permission that can never work is not relied on.
        if is_never_set(reach, path):
            raise UsageError(
                f"writable: {'.'.join(path)!r} can never be set by a client: it can be called, or "
                "it is a global of a module or an attribute of a class; keep what clients may set "
                "in a dict or in a dataclass instance, and name that"
            )
    return Permission(paths)
