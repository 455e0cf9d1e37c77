"""Messages on the control channel, which works while a cell blocks the kernel.

A front end sends one of :data:`ANSWERS` and gets the same with ``_reply`` appended:

- ``kkjupyter_page`` with ``{}``: a page with the lab extension is there, and draws views by itself.
- ``kkjupyter_view`` with ``{"key": "...", "kind": "need", ...}``: a question about what a page
  shows; the kinds are those of :meth:`LiveOutput.answer`. The reply is ``{"status": "ok", "known":
  true, "answer": {...}}``; the answer is null if there is none yet. ``known`` is false if this
  kernel does not know the key: it is another process, or has forgotten the output, which happens
  only after its end. ``{"kind": "again"}`` asks once more for what it shows, and is answered by
  ``{"kind": "asked"}``; what then takes its place is told to all pages under its key.
- ``kkjupyter_cancel`` with ``{"run_id": 3}`` or ``{"all": true}``: cancel. The reply,
  ``{"status": "ok", "run_id": 3, "cancelled": true, "runs": [3]}``, says whether anything was
  cancelled; of one run, also what the next message returns.
- ``kkjupyter_state`` with ``{"run_id": 3}``: the state of a run. The reply is ``{"status": "ok",
  "run_id": 3, "known": true, "state": {...}}``; ``known`` is false if this kernel does not know it.
- ``kkjupyter_part`` with ``{"id": "markdown-..."}``: a part of the front end that a page lacks; the
  reply is ``{"status": "ok", "source": "..."}``.

A ``key`` is unique; the numbers of runs start again in each kernel. The handlers run in the
kernel's control thread. Around each of them the kernel says that it is busy and then idle, and
JupyterLab believes it: so the kernel says again that it is busy if a cell runs.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from kkjupyter.notebook.output import assets, page_messages
from kkjupyter.notebook.output.page_views import page_views
from kkjupyter.notebook.output.pages import pages
from kkjupyter.notebook.run_status import Status

__all__ = [
    "ANSWERS",
    "KnownRun",
    "KnownRuns",
    "answer_cancel",
    "answer_page",
    "answer_part",
    "answer_state",
    "answer_view",
    "install",
    "uninstall",
]

# A page that was just loaded is not asking alone: JupyterLab's debugger does so, too, and on a busy
# machine seconds later; after that the kernel says "idle" once more.
_SAID_AGAIN_AFTER_S = (0.2, 1.0, 3.0)

logger = logging.getLogger("kkjupyter")


class KnownRun(Protocol):
    """A run, as far as a request about it goes."""

    @property
    def number(self) -> int: ...
    def cancel(self) -> bool: ...
    def status(self) -> Status: ...


class KnownRuns(Protocol):
    """The runs of this process."""

    def running(self) -> Sequence[KnownRun]: ...
    def get(self, number: int) -> KnownRun | None: ...


def answer_page(content: dict[str, Any], runs: KnownRuns) -> dict[str, Any]:
    """Take note of a page with the lab extension; returns the content of the reply."""
    pages.announced()
    page_views.page_came()
    return {"status": "ok"}


def answer_view(content: dict[str, Any], runs: KnownRuns) -> dict[str, Any]:
    """Answer a question about what a page shows; returns the content of the reply."""
    key = content.get("key")
    if not isinstance(key, str):
        return _refusal('give {"key": text, "kind": text}')
    view = page_views.get(key)
    page_views.page_came()
    answer = None if view is None else view.answer(content)
    return {"status": "ok", "known": view is not None, "answer": answer}


def answer_cancel(content: dict[str, Any], runs: KnownRuns) -> dict[str, Any]:
    """Do what a request asks for; returns the content of the reply."""
    if content.get("all") is True:
        numbers = [run.number for run in runs.running() if run.cancel()]
        return {"status": "ok", "run_id": None, "cancelled": bool(numbers), "runs": numbers}
    number = content.get("run_id")
    if not isinstance(number, int):
        return _refusal('give {"run_id": number} or {"all": true}')
    run = runs.get(number)
    cancelled = run is not None and run.cancel()
    page_views.page_came()
    numbers = [number] if cancelled else []
    answer = {"status": "ok", "run_id": number, "cancelled": cancelled, "runs": numbers}
    return {**answer, **_state_of(run)}


def answer_state(content: dict[str, Any], runs: KnownRuns) -> dict[str, Any]:
    """What became of a run; returns the content of the reply."""
    number = content.get("run_id")
    if not isinstance(number, int):
        return _refusal('give {"run_id": number}')
    page_views.page_came()
    return {"status": "ok", "run_id": number, **_state_of(runs.get(number))}


def _state_of(run: KnownRun | None) -> dict[str, Any]:
    return {"known": run is not None, "state": None if run is None else run.status().to_json()}


def answer_part(content: dict[str, Any], runs: KnownRuns) -> dict[str, Any]:
    """The source of a part of the front end; returns the content of the reply."""
    source = assets.source_of(str(content.get("id")))
    if source is None:
        return _refusal(f"unknown part {content.get('id')!r}")
    return {"status": "ok", "source": source}


Answer = Callable[[dict[str, Any], KnownRuns], dict[str, Any]]
ANSWERS: dict[str, Answer] = {
    "kkjupyter_page": answer_page,
    page_messages.VIEW_MESSAGE: answer_view,
    "kkjupyter_cancel": answer_cancel,
    "kkjupyter_state": answer_state,
    "kkjupyter_part": answer_part,
}
"""For each message type the function from its content, and the runs, to that of the reply."""


RunningCell = Callable[[], Mapping[str, Any] | None]


def install(shell: Any, runs: KnownRuns, running_cell: RunningCell) -> None:
    """Listen on the control channel, if this kernel lets us. Idempotent.

    Args:
        shell: whose kernel it is.
        runs: what is asked about.
        running_cell: gives the header of the message that runs the present cell; None if none runs.
    """
    kernel = getattr(shell, "kernel", None)
    handlers = getattr(kernel, "control_handlers", None)
    if kernel is None or handlers is None:
        return  # a terminal, or another kind of kernel: other ways to cancel remain
    for message_type, answer in ANSWERS.items():
        handlers[message_type] = _handler(kernel, message_type, answer, runs, running_cell)


def uninstall(shell: Any) -> None:
    """Stop listening. Idempotent."""
    handlers = getattr(getattr(shell, "kernel", None), "control_handlers", None)
    if handlers is not None:
        for message_type in ANSWERS:
            handlers.pop(message_type, None)


def _handler(
    kernel: Any, message_type: str, answer: Answer, runs: KnownRuns, running_cell: RunningCell
) -> Callable[[Any, Any, dict[str, Any]], None]:
    def handle(stream: Any, ident: Any, parent: dict[str, Any]) -> None:
        try:
            content = answer(parent.get("content") or {}, runs)
        except Exception as error:
            # Without a reply the page would assume a busy kernel, and interrupt it.
            logger.exception("%s failed", message_type)
            content = _refusal(f"{type(error).__name__}: {error}")
        kernel.session.send(stream, f"{message_type}_reply", content, parent, ident=ident)
        with contextlib.suppress(RuntimeError):  # no loop: whoever calls it is not a kernel
            loop = asyncio.get_running_loop()
            loop.call_soon(_say_busy_again, running_cell)
            for delay_s in _SAID_AGAIN_AFTER_S:
                loop.call_later(delay_s, _say_busy_again, running_cell)

    return handle


def _say_busy_again(running_cell: RunningCell) -> None:
    """After the kernel has said "idle" for our message: a cell may still run."""
    header = running_cell()
    if header is None:
        return
    parent = {"header": header}
    page_messages.send("status", {"execution_state": "busy"}, parent)
    if running_cell() is None:
        # It ended just now, so its own "idle" may have come before: that must stay the last word.
        page_messages.send("status", {"execution_state": "idle"}, parent)


def _refusal(text: str) -> dict[str, Any]:
    return {"status": "error", "ename": "UsageError", "evalue": text, "traceback": []}
