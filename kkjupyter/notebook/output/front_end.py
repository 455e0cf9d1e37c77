"""Which kind of front end asked for the cell that runs.

No front end says what it can show, but the request for a cell tells who sent it. A program in
Python that uses jupyter_client numbers its messages by its session and says whether an error stops
it; a page does not number them so. A program that executes notebooks cannot be asked for input, as
nobody sits there; a console can. Whatever stands in for a page names the cell, and what builds its
messages itself is taken for one.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from enum import Enum
from typing import Any

from IPython import get_ipython

__all__ = ["FrontEnd", "front_end", "request_of"]


class FrontEnd(Enum):
    """A kind of front end."""

    TERMINAL = "a terminal, where what is printed appears"
    CONSOLE = "text only, from a kernel: Jupyter Console, QtConsole, Spyder"
    EXECUTOR = "a program that executes a notebook and keeps its outputs: nbclient, papermill"
    PAGE = "a page that shows outputs and may show widgets"
    MARIMO = "a page of marimo, which is neither IPython nor a Jupyter front end"


def front_end() -> FrontEnd:
    """What shows the output of the code that calls this."""
    shell = get_ipython()
    if getattr(shell, "kernel", None) is None:
        return FrontEnd.MARIMO if _is_marimo() else FrontEnd.TERMINAL
    request = request_of(shell)
    if _mapping(request.get("metadata")).get("cellId") or not _is_of_python(request):
        return FrontEnd.PAGE
    if _mapping(request.get("content")).get("allow_stdin"):
        return FrontEnd.CONSOLE
    # Voila executes as nbclient does, and shows the widgets on a page afterwards.
    is_voila = os.environ.get("SERVER_SOFTWARE", "").startswith("voila")
    return FrontEnd.PAGE if is_voila else FrontEnd.EXECUTOR


def request_of(shell: Any) -> Mapping[str, Any]:
    """The message that runs the current cell; empty outside a kernel."""
    kernel = getattr(shell, "kernel", None)
    return {} if kernel is None else _mapping(kernel.get_parent("shell"))


def _is_of_python(request: Mapping[str, Any]) -> bool:
    header = _mapping(request.get("header"))
    session, number = header.get("session"), header.get("msg_id")
    if "stop_on_error" not in _mapping(request.get("content")):
        return False
    if not session or not isinstance(number, str) or header.get("msg_type") != "execute_request":
        return False
    return number.startswith(f"{session}_")


def _is_marimo() -> bool:
    """Whether this thread runs a cell of marimo, which is imported then."""
    is_notebook = getattr(sys.modules.get("marimo"), "running_in_notebook", None)
    return is_notebook is not None and bool(is_notebook())


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
