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
from collections.abc import Callable
from typing import Any

from kkjupyter.notebook.output import assets
from kkjupyter.notebook.run.registry import PageView, registry

__all__ = [
    "ANSWERS",
    "answer_cancel",
    "answer_part",
    "answer_state",
    "install",
    "report",
    "uninstall",
]

logger = logging.getLogger("kkjupyter")

_NOT_KNOWN: dict[str, Any] = {"known": False, "state": None, "end": None}


def answer_cancel(content: dict[str, Any]) -> dict[str, Any]:
    """Carry out a cancel request; returns the content of the reply."""
    if content.get("all") is True:
        numbers = [run.number for run in registry.running() if run.cancel()]
        return {"status": "ok", "run_id": None, "cancelled": bool(numbers), "runs": numbers}
    number, key = content.get("run_id"), content.get("key")
    if not isinstance(number, int):
        return _refusal('give {"run_id": number} or {"all": true}')
    cancelled = False
    if isinstance(key, str):
        view = registry.view(key)
        cancelled = view is not None and view.cancel()
    else:
        run = registry.get(number)
        cancelled = run is not None and run.cancel()
    registry.page_came()
    runs = [number] if cancelled else []
    answer = {"status": "ok", "run_id": number, "cancelled": cancelled, "runs": runs}
    return {**answer, **_report_of(number, key)}


def answer_state(content: dict[str, Any]) -> dict[str, Any]:
    """Answer a question about a run; returns the content of the reply."""
    number, key = content.get("run_id"), content.get("key")
    if not isinstance(number, int):
        return _refusal('give {"run_id": number} or {"run_id": number, "key": text}')
    registry.page_came()
    return {"status": "ok", "run_id": number, **_report_of(number, key)}


def answer_part(content: dict[str, Any]) -> dict[str, Any]:
    """Answer with the source of a part of the front end; returns the content of the reply."""
    source = assets.source_of(str(content.get("id")))
    if source is None:
        return _refusal(f"unknown part {content.get('id')!r}")
    return {"status": "ok", "source": source}


ANSWERS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "kkjupyter_cancel": answer_cancel,
    "kkjupyter_state": answer_state,
    "kkjupyter_part": answer_part,
}
"""For each message type the function from its content to that of the reply."""


def report(view: PageView) -> dict[str, Any]:
    """What a page needs to know about the run that a view shows: known, state and end."""
    status = view.status
    if not status.over:
        # The view may be outdated, for example if it failed; the run knows better.
        run = registry.get(status.run_id)
        if run is None:
            return _NOT_KNOWN
        if run.is_over:
            status = run.status()
    return {"known": True, "state": status.to_json(), "end": view.end_offset}


def _report_of(number: int, key: object) -> dict[str, Any]:
    if isinstance(key, str):
        view = registry.view(key)
        return _NOT_KNOWN if view is None else report(view)
    run = registry.get(number)
    if run is None:
        return _NOT_KNOWN
    return {"known": True, "state": run.status().to_json(), "end": None}


def install(shell: Any) -> None:
    """Listen on the control channel, if this kernel allows it. Idempotent."""
    kernel = getattr(shell, "kernel", None)
    handlers = getattr(kernel, "control_handlers", None)
    if kernel is None or handlers is None:
        return  # a terminal, or another kind of kernel: other ways to cancel remain
    for message_type, answer in ANSWERS.items():
        handlers[message_type] = _handler(kernel, message_type, answer)


def uninstall(shell: Any) -> None:
    """Stop listening. Idempotent."""
    handlers = getattr(getattr(shell, "kernel", None), "control_handlers", None)
    if handlers is not None:
        for message_type in ANSWERS:
            handlers.pop(message_type, None)


def _handler(
    kernel: Any, message_type: str, answer: Callable[[dict[str, Any]], dict[str, Any]]
) -> Callable[[Any, Any, dict[str, Any]], None]:
    def handle(stream: Any, ident: Any, parent: dict[str, Any]) -> None:
        try:
            content = answer(parent.get("content") or {})
        except Exception as error:
            # Without a reply the page would assume a busy kernel, and interrupt it.
            logger.exception("%s failed", message_type)
            content = _refusal(f"{type(error).__name__}: {error}")
        kernel.session.send(stream, f"{message_type}_reply", content, parent, ident=ident)

    return handle


def _refusal(text: str) -> dict[str, Any]:
    return {"status": "error", "ename": "UsageError", "evalue": text, "traceback": []}
