"""Messages on the control channel, which works while a cell blocks the kernel.

A front end sends one of :data:`ANSWERS` and gets the same with ``_reply`` appended:

- ``kkjupyter_cancel`` with ``{"run_id": 3}``, ``{"run_id": 3, "key": "..."}`` or ``{"all": true}``:
  cancel. The reply, ``{"status": "ok", "run_id": 3, "cancelled": true, "runs": [3]}``, says whether
  anything was cancelled. With a key the question comes from one view, and the reply also contains
  what the next message returns.
- ``kkjupyter_state`` with ``{"run_id": 3}`` or ``{"run_id": 3, "key": "..."}``: the state of a run.
  The reply is ``{"status": "ok", "run_id": 3, "known": true, "state": {...}, "end": 812}``: the
  run's :class:`Status` and, with a key, where the view's text ends. ``known`` is false, and the
  rest null, if this kernel does not know the run: it is another process, or has forgotten the run,
  which happens only after its end.
- ``kkjupyter_part`` with ``{"id": "markdown-..."}``: a part of the front end that a page lacks; the
  reply is ``{"status": "ok", "source": "..."}``.

A ``key`` is the id of a view and unique; the numbers of runs start again in each kernel. The
handlers run in the kernel's control thread.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from kkjupyter.notebook.output import assets
from kkjupyter.notebook.output.page_views import NOT_KNOWN, page_views, report
from kkjupyter.notebook.run_status import Status

__all__ = [
    "ANSWERS",
    "KnownRun",
    "KnownRuns",
    "answer_cancel",
    "answer_part",
    "answer_state",
    "install",
    "uninstall",
]

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


def answer_cancel(content: dict[str, Any], runs: KnownRuns) -> dict[str, Any]:
    """Do what a request asks for; returns the content of the reply."""
    if content.get("all") is True:
        numbers = [run.number for run in runs.running() if run.cancel()]
        return {"status": "ok", "run_id": None, "cancelled": bool(numbers), "runs": numbers}
    number, key = content.get("run_id"), content.get("key")
    if not isinstance(number, int):
        return _refusal('give {"run_id": number} or {"all": true}')
    cancelled = False
    if isinstance(key, str):
        view = page_views.get(key)
        cancelled = view is not None and view.cancel()
    else:
        run = runs.get(number)
        cancelled = run is not None and run.cancel()
    page_views.page_came()
    numbers = [number] if cancelled else []
    answer = {"status": "ok", "run_id": number, "cancelled": cancelled, "runs": numbers}
    return {**answer, **_report_of(number, key, runs)}


def answer_state(content: dict[str, Any], runs: KnownRuns) -> dict[str, Any]:
    """What became of a run; returns the content of the reply."""
    number, key = content.get("run_id"), content.get("key")
    if not isinstance(number, int):
        return _refusal('give {"run_id": number} or {"run_id": number, "key": text}')
    page_views.page_came()
    return {"status": "ok", "run_id": number, **_report_of(number, key, runs)}


def answer_part(content: dict[str, Any], runs: KnownRuns) -> dict[str, Any]:
    """The source of a part of the front end; returns the content of the reply."""
    source = assets.source_of(str(content.get("id")))
    if source is None:
        return _refusal(f"unknown part {content.get('id')!r}")
    return {"status": "ok", "source": source}


Answer = Callable[[dict[str, Any], KnownRuns], dict[str, Any]]
ANSWERS: dict[str, Answer] = {
    "kkjupyter_cancel": answer_cancel,
    "kkjupyter_state": answer_state,
    "kkjupyter_part": answer_part,
}
"""For each message type the function from its content, and the runs, to that of the reply."""


def _report_of(number: int, key: object, runs: KnownRuns) -> dict[str, Any]:
    if isinstance(key, str):
        view = page_views.get(key)
        return NOT_KNOWN if view is None else report(view)
    run = runs.get(number)
    if run is None:
        return NOT_KNOWN
    return {"known": True, "state": run.status().to_json(), "end": None}


def install(shell: Any, runs: KnownRuns) -> None:
    """Listen on the control channel, if this kernel lets us. Idempotent.

    Args:
        shell: whose kernel it is.
        runs: what is asked about.
    """
    kernel = getattr(shell, "kernel", None)
    handlers = getattr(kernel, "control_handlers", None)
    if kernel is None or handlers is None:
        return  # a terminal, or another kind of kernel: other ways to cancel remain
    for message_type, answer in ANSWERS.items():
        handlers[message_type] = _handler(kernel, message_type, answer, runs)


def uninstall(shell: Any) -> None:
    """Stop listening. Idempotent."""
    handlers = getattr(getattr(shell, "kernel", None), "control_handlers", None)
    if handlers is not None:
        for message_type in ANSWERS:
            handlers.pop(message_type, None)


def _handler(
    kernel: Any, message_type: str, answer: Answer, runs: KnownRuns
) -> Callable[[Any, Any, dict[str, Any]], None]:
    def handle(stream: Any, ident: Any, parent: dict[str, Any]) -> None:
        try:
            content = answer(parent.get("content") or {}, runs)
        except Exception as error:
            # Without a reply the page would assume a busy kernel, and interrupt it.
            logger.exception("%s failed", message_type)
            content = _refusal(f"{type(error).__name__}: {error}")
        kernel.session.send(stream, f"{message_type}_reply", content, parent, ident=ident)

    return handle


def _refusal(text: str) -> dict[str, Any]:
    return {"status": "error", "ename": "UsageError", "evalue": text, "traceback": []}
