"""A program's own signal handler may cancel what is shown, whatever is going on at that moment."""

from __future__ import annotations

import io
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout, suppress
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import kkjupyter as kk

OURS = (str(Path(kk.__file__).parent), threading.__file__)


class AtLine:
    """Calls ``act()`` at one of the lines that this thread executes in the package, as a signal
    handler would be called, and counts them."""

    def __init__(self, number: int, act: Callable[[], object]) -> None:
        self.lines = 0
        self._number = number
        self._act = act
        # Held here: CPython 3.11 keeps no reference of its own while it calls them.
        self._functions = (self._entered, self._traced)

    def __enter__(self) -> AtLine:
        self._before = sys.gettrace()
        sys.settrace(self._functions[0])
        return self

    def __exit__(self, *exc_info: object) -> None:
        sys.settrace(self._before)

    def _entered(self, frame: FrameType, event: str, arg: Any) -> Any:
        return self._functions[1] if frame.f_code.co_filename.startswith(OURS) else None

    def _traced(self, frame: FrameType, event: str, arg: Any) -> Any:
        if event == "line":
            self.lines += 1
            if self.lines == self._number:
                self._act()  # not traced: it is called by what traces
        return self._functions[1]


def words() -> Iterator[str]:
    yield from ("one", "two", "three")


def wait(source: Any) -> None:
    source.wait()


def loop(source: Any) -> None:
    for _ in source:
        pass


WAYS: dict[str, tuple[Callable[[Any], Any], Callable[[Any], None]]] = {
    "a shown iterator": (lambda api: kk.show(words()), wait),
    "a loop over one": (lambda api: kk.show(words()), loop),
    "a shown call": (lambda api: kk.show(api.countdown(3)), wait),
    "a loop over a shown call": (lambda api: kk.show(api.countdown(3)), loop),
    "a loop over a call": (lambda api: api.countdown(3), loop),
    "a value": (lambda api: api.add(1, 2), lambda call: call.result()),
}


class Api:
    def add(self, a: int, b: int) -> int:
        return a + b

    def countdown(self, start: int) -> Iterator[int]:
        yield from range(start, 0, -1)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("way", WAYS)
def test_cancel_at_every_line_ends_it_and_hangs_nowhere(way: str) -> None:
    begin, go_on = WAYS[way]
    with kk.serve(Api(), port=0) as server, server.connect() as api, redirect_stdout(io.StringIO()):
        number, lines = 1, 1
        while number <= lines + 20:  # how many lines there are depends on when the items come
            source = begin(api)
            with AtLine(number, source.cancel) as traced, suppress(kk.CallCancelled):
                go_on(source)
            number += 1 if number < 400 else 3
            lines = max(lines, traced.lines) if traced.lines < number else number
        assert lines > 40
        assert api.add(1, 2).result(timeout_s=20) == 3
