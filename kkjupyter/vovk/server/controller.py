"""Controllers, and the decorators that publish their methods.

``@vovk.get("greeting/{id}")`` or ``@vovk.post.auto()`` gives a method its :class:`Route`;
:func:`routes_of` finds those of a :class:`Controller`.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from typing import Any, ClassVar, Final, Literal, TypeVar

from kkjupyter.argument_checks import check_choice
from kkjupyter.errors import UsageError

__all__ = [
    "AUTO_RULES",
    "ROUTE_ATTRIBUTE",
    "AutoRule",
    "Controller",
    "NameStyle",
    "Route",
    "Verb",
    "delete",
    "get",
    "head",
    "options",
    "patch",
    "post",
    "put",
    "routes_of",
]

NameStyle = Literal["camel", "as_is"]


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


class Controller:
    """A group of handlers: only its decorated methods are published.

    ::

        class HelloController(vovk.Controller, name="HelloRPC", prefix="hello"):
            @vovk.post.auto()
            async def stream_tokens(self, req):
                yield {"message": "Hello,"}

    ``name=`` and ``prefix=`` in the class line are the same as the attributes; ``names="as_is"``
    publishes method names unchanged, not in camel case (``streamTokens``); ``rule="0.1"`` selects
    how ``.auto()`` makes the paths.

    Attributes:
        controller_name: its key in the schema; by default the name of the class. Not inherited.
        prefix: the path of all its handlers.
    """

    controller_name: ClassVar[str] = ""
    prefix: ClassVar[str] = ""
    _names: ClassVar[NameStyle] = "camel"
    _rule: ClassVar[AutoRule] = "3.x"

    def __init_subclass__(
        cls,
        *,
        name: str | None = None,
        prefix: str | None = None,
        names: NameStyle | None = None,
        rule: AutoRule | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init_subclass__(**kwargs)
        check_choice("names", names, ("camel", "as_is"))
        check_choice("rule", rule, AUTO_RULES)
        if name is not None:
            cls.controller_name = name
        elif "controller_name" not in vars(cls):
            cls.controller_name = cls.__name__
        if prefix is not None:
            cls.prefix = prefix
        if names is not None:
            cls._names = names
        if rule is not None:
            cls._rule = rule


def routes_of(cls: type) -> dict[str, Route]:
    """The published methods of a class by attribute, those of its bases first.

    A method that overrides a published one keeps its route, unless it has its own.
    """
    routes: dict[str, Route] = {}
    for base in reversed(cls.__mro__):
        for attribute, value in vars(base).items():
            route = getattr(value, ROUTE_ATTRIBUTE, None)
            if isinstance(route, Route):
                routes[attribute] = route
    return routes
