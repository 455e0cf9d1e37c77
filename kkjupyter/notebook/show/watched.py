"""Waits for a call or a view in place: as a cell's last line, or while it is timed."""

from __future__ import annotations

from typing import Any

from kkjupyter.calls.call import Call
from kkjupyter.errors import UsageError
from kkjupyter.notebook.run.registry import registry
from kkjupyter.notebook.show.compare import Compared
from kkjupyter.notebook.show.show import Shown
from kkjupyter.notebook.show.waiting import begin, outcome, play, show_again, wait

__all__ = ["collected", "watch", "watched"]


def watch(call: Call) -> Any:
    """Show a call in the current cell and wait for its end.

    Returns:
        A unary call's value, which is not shown, or a stream's Reply.

    Raises:
        BaseException: the error of the call.
    """
    known = registry.get(call.id)
    if known is not None:
        show_again(known)
        wait(known)
        return outcome(known)
    run = begin(call)
    play(run)
    return outcome(run)


def watched(value: Any) -> Any:
    """``value``; for a call or a view, its result when it is over. It is shown meanwhile.

    Raises:
        BaseException: its error.
    """
    if isinstance(value, (Shown, Compared)):
        return value.last_line()
    return watch(value) if isinstance(value, Call) else value


def collected(value: Any) -> Any:
    """``value``; for a call, its result when it is over. Nothing is shown.

    Raises:
        UsageError: it is a view, which would be shown many times.
    """
    if isinstance(value, (Shown, Compared)):
        value.cancel()
        raise UsageError(
            "%timeit runs a line many times and would show a view each time; time the call "
            "itself: %timeit api.f()"
        )
    return value.result() if isinstance(value, Call) else value
