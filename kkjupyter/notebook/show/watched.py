"""A call or a view that is waited for where it stands: as a cell's last line, or being timed."""

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
    """Show a call in the present cell and wait for its end.

    Returns:
        A unary call's value, which is not shown, or a stream's Reply.

    Raises:
        BaseException: what it failed with.
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
    """``value``; of a call or a view, what it gives when it is over. It is shown meanwhile.

    Raises:
        BaseException: what that failed with.
    """
    if isinstance(value, (Shown, Compared)):
        return value.last_line()
    return watch(value) if isinstance(value, Call) else value


def collected(value: Any) -> Any:
    """``value``; of a call, what it gives when it is over. Nothing is shown.

    Raises:
        UsageError: it is a view: a hundred of them are not what is wanted.
    """
    if isinstance(value, (Shown, Compared)):
        value.cancel()
        raise UsageError(
            "%timeit runs a line many times and would show a view each time; time the call "
            "itself: %timeit api.f()"
        )
    return value.result() if isinstance(value, Call) else value
