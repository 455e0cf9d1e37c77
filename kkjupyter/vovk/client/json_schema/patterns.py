r"""Searches for a peer's regular expressions in bounded time.

Python's ``re`` tries every way in which a pattern may match, cannot be stopped, and blocks all
threads of the process meanwhile: ``^(a+)+$`` on 40 characters practically never ends. It is still
used if the number of ways is small. Otherwise all ways are followed at once, character by character
(Thompson's construction), in Python, so that other threads run and a budget can end it.

The parse tree comes from ``re`` itself, so both agree on the meaning of a pattern.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from re import _compiler, _parser  # type: ignore[attr-defined]  # the only door to the parse tree
from typing import Any, Final, TypeAlias

__all__ = ["Unsupported", "search"]

_MAX_WAYS: Final = 200_000
"""More ways than that to match a text are not left to ``re``; it takes some 20 ms for them."""
_MAX_STEPS_IN_PATTERN: Final = 5_000
_MAX_PATTERN_CHARS: Final = 10_000

Spend: TypeAlias = Callable[[], object]
"""Called now and then; raises when no more time is to be spent."""


class Unsupported(Exception):
    """Not a pattern in Python, or one that cannot be searched in bounded time: back references,
    atomic groups, more than some thousand steps.
    """


def search(pattern: str, text: str, spend: Spend) -> bool:
    """Whether ``pattern`` matches somewhere in ``text``, like ``re.search``.

    Args:
        pattern: from any source.
        text: the text to search.
        spend: called about every thousand steps; its exceptions pass through.

    Raises:
        Unsupported: it cannot be decided in bounded time.
    """
    compiled = _compiled(pattern)
    if compiled is None:
        raise Unsupported
    if compiled.ways(len(text)) <= _MAX_WAYS:
        return compiled.plain.search(text) is not None
    if compiled.program is None:
        raise Unsupported
    return _Run(text, spend).search(compiled.program)


class _Compiled:
    def __init__(self, pattern: str) -> None:
        self.plain = re.compile(pattern)
        self._tree = _parser.parse(pattern)
        try:
            self.program: _Program | None = _Program(self._tree)
        except Unsupported:
            self.program = None

    def ways(self, chars: int) -> float:
        """How many ways there are at most to match a text of this many characters."""
        starts = 1 if _is_anchored(self._tree) else chars + 1
        # What each of them costs in any case.
        least = max(1, min(int(self._tree.getwidth()[0]), chars))
        return starts * least * _ways(self._tree, chars)


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> _Compiled | None:
    if len(pattern) > _MAX_PATTERN_CHARS:
        return None
    try:
        return _Compiled(pattern)
    except (re.error, RecursionError, OverflowError):
        return None


def _is_anchored(tree: Any) -> bool:
    first = str(tree[0][1]) if len(tree) and str(tree[0][0]) == "AT" else ""
    is_multiline = tree.state.flags & re.MULTILINE
    return first == "AT_BEGINNING_STRING" or (first == "AT_BEGINNING" and not is_multiline)


def _ways(tree: Any, chars: int) -> float:
    """How many ways there are to go through a part of a pattern, at most."""
    ways = 1.0
    for code, argument in tree:
        match str(code):
            case "BRANCH":
                ways *= sum(_ways(branch, chars) for branch in argument[1])
            case "SUBPATTERN":
                ways *= _ways(argument[3], chars)
            case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
                least, most, item = argument
                most = max(least, min(int(most), chars))
                each = _ways(item, chars)
                # 2**17 are as many as are counted.
                ways *= most - least + 1 if each == 1 else each ** min(most, 17) * (most + 1)
            case "ASSERT" | "ASSERT_NOT":
                ways *= _ways(argument[1], chars) + 1
            case "ATOMIC_GROUP":
                ways *= _ways(argument, chars)
            case "GROUPREF_EXISTS":
                ways *= sum(_ways(part, chars) for part in argument[1:] if part) + 1
        if ways > _MAX_WAYS:
            return float("inf")
    return ways


# ---- all ways at once

_Test: TypeAlias = Callable[[str, int], object]
"""Whether one character, or the place between two, is as it must be."""


class _Program:
    """A pattern as steps; each names its successors. The last one is the match.

    Raises:
        Unsupported: it cannot be written as steps.
    """

    def __init__(self, tree: Any) -> None:
        self._flags = tree.state.flags
        self._state = tree.state
        self.chars: dict[
            int, tuple[_Test, int]
        ] = {}  # consumes a character: its test, what follows
        self.places: dict[int, tuple[_Test, int]] = {}  # consumes none
        self.looks: dict[int, tuple[_Program, int, bool, int]] = {}  # nor do assertions
        self.forks: dict[int, tuple[int, ...]] = {}
        self._tests: dict[str, _Test] = {}
        self._count = 1
        self.end = 0
        self.start = self._sequence(tree, self.end)

    def _new(self) -> int:
        self._count += 1
        if self._count > _MAX_STEPS_IN_PATTERN:
            raise Unsupported
        return self._count

    def _sequence(self, tree: Any, then: int) -> int:
        for code, argument in reversed(list(tree)):
            then = self._one(str(code), argument, (code, argument), then)
        return then

    def _one(self, code: str, argument: Any, item: Any, then: int) -> int:
        match code:
            case "LITERAL" | "NOT_LITERAL" | "ANY" | "IN":
                at = self._new()
                self.chars[at] = self._test(item), then
                return at
            case "AT":
                at = self._new()
                self.places[at] = self._test(item), then
                return at
            case "BRANCH":
                return self._fork(*[self._sequence(branch, then) for branch in argument[1]])
            case "SUBPATTERN":
                _, added, dropped, tree = argument
                if added or dropped:  # flags for a part of it
                    raise Unsupported
                return self._sequence(tree, then)
            case "MAX_REPEAT" | "MIN_REPEAT":
                least, most, tree = argument
                return self._repeat(least, int(most), tree, then)
            case "ASSERT" | "ASSERT_NOT":
                return self._look(argument, code == "ASSERT", then)
        raise Unsupported

    def _repeat(self, least: int, most: int, tree: Any, then: int) -> int:
        if most == int(_parser.MAXREPEAT):
            loop = self._fork(then)
            self.forks[loop] = self._sequence(tree, loop), then
            then = loop
        else:
            out = then
            for _ in range(most - least):
                then = self._fork(self._sequence(tree, then), out)
        for _ in range(least):
            then = self._sequence(tree, then)
        return then

    def _look(self, argument: Any, is_wanted: bool, then: int) -> int:
        direction, tree = argument
        least, most = tree.getwidth()
        back = 0 if direction > 0 else int(least)
        if back and least != most:
            raise Unsupported
        inner = _Program(_parser.SubPattern(self._state, list(tree)))
        self._count += inner._count
        at = self._new()
        self.looks[at] = inner, back, is_wanted, then
        return at

    def _fork(self, *ways: int) -> int:
        at = self._new()
        self.forks[at] = ways
        return at

    def _test(self, item: Any) -> _Test:
        key = repr(item)
        if key not in self._tests:
            tree = _parser.SubPattern(self._state, [item])
            self._tests[key] = _compiler.compile(tree, self._flags).match
        return self._tests[key]


class _Run:
    """Follows programs through one text."""

    _STEPS_PER_SPEND: Final = 1_000

    def __init__(self, text: str, spend: Spend) -> None:
        self._text = text
        self._spend = spend
        self._steps = 0

    def search(self, program: _Program) -> bool:
        """Whether it matches at any position."""
        return self._follow(program, 0, everywhere=True)

    def _follow(self, program: _Program, at: int, *, everywhere: bool = False) -> bool:
        text, chars = self._text, program.chars
        here: set[int] = set()
        while True:
            if everywhere or not here:
                here |= self._reached(program, [program.start], at)
            if program.end in here:
                return True
            if at >= len(text):
                return False
            after = [chars[step][1] for step in here if step in chars and chars[step][0](text, at)]
            self._count(len(here))
            at += 1
            if not after and not everywhere:
                return False
            here = self._reached(program, after, at)

    def _reached(self, program: _Program, waiting: list[int], at: int) -> set[int]:
        """The steps that can be reached without consuming a character."""
        reached: set[int] = set()
        while waiting:
            step = waiting.pop()
            if step in reached:
                continue
            reached.add(step)
            waiting += self._onward(program, step, at)
        self._count(len(reached))
        return reached

    def _onward(self, program: _Program, step: int, at: int) -> Iterator[int]:
        if step in program.forks:
            yield from program.forks[step]
        elif step in program.places:
            test, then = program.places[step]
            if test(self._text, at):
                yield then
        elif step in program.looks:
            inner, back, is_wanted, then = program.looks[step]
            if (at >= back and self._follow(inner, at - back)) is is_wanted:
                yield then

    def _count(self, steps: int) -> None:
        self._steps += steps
        if self._steps >= self._STEPS_PER_SPEND:
            self._steps = 0
            self._spend()
