"""The Python names of a schema's parts: as in the schema, and in snake case."""

from __future__ import annotations

import keyword
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cached_property

from kkjupyter.errors import UsageError, did_you_mean
from kkjupyter.wire.vovk.schema.model import Handler, Schema

__all__ = ["Names", "camel_case", "names_of", "snake_case"]


def snake_case(name: str) -> str:
    """``streamTokens`` as ``stream_tokens``; ``getURLForXML`` as ``get_url_for_xml``.

    Other characters than letters, digits and underscores become underscores; a reserved word of
    Python gets one at its end.
    """
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name)
    snake = re.sub(r"\W+", "_", parted).lower()
    return f"{snake}_" if keyword.iskeyword(snake) else snake


def camel_case(name: str) -> str:
    """``stream_tokens`` as ``streamTokens``; underscores at either end are dropped.

    Used for publishing a Python method: a trailing underscore is only needed in Python.
    """
    first, *rest = [word for word in name.split("_") if word] or [name]
    return first + "".join(word[0].upper() + word[1:] for word in rest)


def names_of(names: Collection[str]) -> dict[str, str]:
    """Every name that may be used, with the name in the schema that it stands for.

    A name in the schema always means itself. A snake case name is included if it is unambiguous.
    """
    found = {name: name for name in names}
    snakes: dict[str, list[str]] = {}
    for name in names:
        snakes.setdefault(snake_case(name), []).append(name)
    for snake, meant in snakes.items():
        if len(meant) == 1:
            found.setdefault(snake, meant[0])
    return found


class Names:
    """Finds handlers by the path a user writes: ``("HelloRPC", "stream_tokens")``.

    A controller of another segment than the root's is also found below its segment
    (``("admin", "UserRPC", "list")``), and only there if several segments have a controller of that
    name; then the plain name means the root's.
    """

    def __init__(self, schema: Schema) -> None:
        self._schema = schema

    @cached_property
    def _tree(self) -> _Branch:
        tree = _Branch()
        homes: dict[str, list[str]] = {}
        for segment in self._schema.segments.values():
            for name in segment.controllers:
                homes.setdefault(name, []).append(segment.name)
        # The root's come first: if a segment has the name of a controller, both are below it.
        for segment in sorted(self._schema.segments.values(), key=lambda one: one.name):
            below = tree
            for part in segment.name.split("/") if segment.name else ():
                below = below.branch(part)
            for name, controller in segment.controllers.items():
                for start in [below, tree] if homes[name] == [segment.name] else [below]:
                    start.branch(name).add(controller.handlers)
        return tree

    def find(self, path: Sequence[str]) -> Handler:
        """The handler at ``path``.

        Raises:
            UsageError: there is no such handler; the text lists those that exist.
        """
        at = self._tree
        for index, word in enumerate(path):
            found = at.get(word)
            if isinstance(found, Handler) and index == len(path) - 1:
                return found
            if not isinstance(found, _Branch):
                raise self._missing(path, index, at)
            at = found
        there = ", ".join(at.names)
        raise UsageError(f"{'.'.join(path) or 'the API'} is not a method; it contains: {there}")

    def below(self, path: Sequence[str]) -> list[str]:
        """What may follow ``path``, with all spellings, sorted; empty if nothing does."""
        at: _Branch | Handler | None = self._tree
        for word in path:
            at = at.get(word) if isinstance(at, _Branch) else None
        return sorted(at.spellings) if isinstance(at, _Branch) else []

    def _missing(self, path: Sequence[str], index: int, at: _Branch) -> UsageError:
        word = path[index]
        where = f" in {'.'.join(path[:index])}" if index else ""
        if isinstance(at.get(word), Handler):
            return UsageError(f"{'.'.join(path[: index + 1])} is a method, so it has no members")
        hint = did_you_mean(word, sorted(at.spellings)) or f"; there are: {', '.join(at.names)}"
        return UsageError(f"the schema has no {word!r}{where}{hint}")


class _Branch:
    """Controllers and segments below it, or handlers, by their names in the schema."""

    def __init__(self) -> None:
        self._children: dict[str, _Branch | Handler] = {}
        self._spellings: dict[str, str] | None = None

    @property
    def names(self) -> Iterable[str]:
        return self._children

    @property
    def spellings(self) -> dict[str, str]:
        if self._spellings is None:
            self._spellings = names_of(self._children)
        return self._spellings

    def get(self, word: str) -> _Branch | Handler | None:
        return self._children.get(self.spellings.get(word, ""))

    def branch(self, name: str) -> _Branch:
        """The branch of this name, made if it does not exist."""
        child = self._children.get(name)
        if not isinstance(child, _Branch):
            child = self._children[name] = _Branch()
        return child

    def add(self, handlers: Mapping[str, Handler]) -> None:
        for name, handler in handlers.items():
            self._children.setdefault(name, handler)
