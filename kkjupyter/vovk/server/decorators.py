"""The decorators that publish a method: ``@vovk.get("greeting/{id}")``, ``@vovk.post.auto()``."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from typing import Any, Final, Literal, TypeVar

from kkjupyter.argument_checks import check_choice
from kkjupyter.errors import UsageError

__all__ = [
    "AUTO_RULES",
    "ROUTE_ATTRIBUTE",
    "AutoRule",
    "Route",
    "Verb",
    "delete",
    "get",
    "head",
    "options",
    "patch",
    "post",
    "put",
]

F = TypeVar("F", bound=Callable[..., Any])
AutoRule = Literal["3.x", "0.1"]
AUTO_RULES: Final[tuple[AutoRule, ...]] = ("3.x", "0.1")

ROUTE_ATTRIBUTE: Final = "__vovk_route__"
"""Where a published function carries its route."""


@dataclasses.dataclass(frozen=True, slots=True)
class Route:
    """How one method is published.

    Attributes:
        http_method: upper case.
        path: below the controller's prefix; None if it is made from the name.
        rule: the rule for making it; None for the controller's.
        name: its name in the schema; None if it is made from the method's.
        summary: what it does, in one line; None for the docstring's first line.
        description: what it does, at length; None for the rest of the docstring.
    """

    http_method: str
    path: str | None
    rule: AutoRule | None = None
    name: str | None = None
    summary: str | None = None
    description: str | None = None


class Verb:
    """One HTTP method as a decorator.

    Args:
        http_method: upper case.
    """

    def __init__(self, http_method: str) -> None:
        self._http_method = http_method

    def __call__(
        self,
        path: str = "",
        *,
        name: str | None = None,
        summary: str | None = None,
        description: str | None = None,
    ) -> Callable[[F], F]:
        """Publish a method at ``path``, below the controller's prefix.

        Args:
            path: with parameters as ``{id}`` or ``:id``.
            name: its name in the schema; by default the method's, in camel case.
            summary: what it does; by default the docstring's first line.
            description: the same at length; by default the rest of the docstring.
        """
        if not isinstance(path, str):
            raise UsageError(
                f"write @vovk.{self._http_method.lower()}('the/path') or "
                f"@vovk.{self._http_method.lower()}.auto(): with parentheses"
            )
        return self._publishing(
            Route(self._http_method, path, name=name, summary=summary, description=description)
        )

    def auto(
        self,
        *,
        rule: AutoRule | None = None,
        name: str | None = None,
        summary: str | None = None,
        description: str | None = None,
    ) -> Callable[[F], F]:
        """Publish a method at a path made from its name.

        Args:
            rule: ``"3.x"``: ``stream-tokens``, and ``/{id}`` for each path parameter that the type
                hint of ``params`` names; ``"0.1"``: ``controller-name/stream-tokens``. By default
                the controller's rule, which is 3.x unless it names another.
            name: as in :meth:`__call__`.
            summary: as in :meth:`__call__`.
            description: as in :meth:`__call__`.
        """
        check_choice("rule", rule, AUTO_RULES)
        return self._publishing(Route(self._http_method, None, rule, name, summary, description))

    def _publishing(self, route: Route) -> Callable[[F], F]:
        def publish(function: F) -> F:
            if not callable(function) and not isinstance(function, staticmethod | classmethod):
                raise UsageError(f"a route needs a method, not {type(function).__name__}")
            if hasattr(function, ROUTE_ATTRIBUTE):
                name = getattr(inspect.unwrap(function), "__name__", "the method")
                raise UsageError(f"{name} has a route already; a method can have only one")
            setattr(function, ROUTE_ATTRIBUTE, route)
            return function

        return publish

    def __repr__(self) -> str:
        return f"vovk.{self._http_method.lower()}"


get = Verb("GET")
post = Verb("POST")
put = Verb("PUT")
patch = Verb("PATCH")
delete = Verb("DELETE")
head = Verb("HEAD")
options = Verb("OPTIONS")
