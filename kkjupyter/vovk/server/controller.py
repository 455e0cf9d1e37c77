"""The base class of published controllers."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from kkjupyter.argument_checks import check_choice
from kkjupyter.vovk.server.decorators import AUTO_RULES, ROUTE_ATTRIBUTE, AutoRule, Route

__all__ = ["Controller", "NameStyle", "routes_of"]

NameStyle = Literal["camel", "as_is"]


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
