"""The control channel: the road that is open while a cell blocks the kernel.

A front end sends one of :data:`ANSWERS` and gets the same with ``_reply`` at its end:

- ``kkjupyter_cancel`` with ``{"run_id": 3}`` or ``{"all": true}``: cancel; the reply is
  ``{"status": "ok", "run_id": 3, "cancelled": true, "runs": [3]}``, which the page takes as the
  acknowledgement;
- ``kkjupyter_part`` with ``{"id": "markdown-..."}``: a part of the front end that a page lacks; the
  reply is ``{"status": "ok", "source": "..."}``.

The handlers run in the kernel's control thread.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kkjupyter.notebook import parts
from kkjupyter.notebook.registry import registry

__all__ = ["ANSWERS", "answer_cancel", "answer_part", "install", "uninstall"]


def answer_cancel(content: dict[str, Any]) -> dict[str, Any]:
    """Do what a request asks for; returns the content of the reply."""
    number = content.get("run_id")
    if content.get("all") is True:
        runs = registry.running()
    elif isinstance(number, int):
        run = registry.get(number)
        runs = [] if run is None else [run]
    else:
        return _refusal('give {"run_id": number} or {"all": true}')
    cancelled = [run.number for run in runs if run.cancel()]
    return {"status": "ok", "run_id": number, "cancelled": bool(cancelled), "runs": cancelled}


def answer_part(content: dict[str, Any]) -> dict[str, Any]:
    """The source of a part of the front end; returns the content of the reply."""
    source = parts.source_of(str(content.get("id")))
    if source is None:
        return _refusal(f"there is no part {content.get('id')!r} here")
    return {"status": "ok", "source": source}


ANSWERS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "kkjupyter_cancel": answer_cancel,
    "kkjupyter_part": answer_part,
}
"""For each message type the function from its content to that of the reply."""


def install(shell: Any) -> None:
    """Listen on the control channel, if this kernel lets us. Idempotent."""
    kernel = getattr(shell, "kernel", None)
    handlers = getattr(kernel, "control_handlers", None)
    if kernel is None or handlers is None:
        return  # a terminal, or a kernel of another make: the other roads remain
    for message_type, answer in ANSWERS.items():
        handlers[message_type] = _handler(kernel, message_type, answer)


def uninstall(shell: Any) -> None:
    """Listen no more. Idempotent."""
    handlers = getattr(getattr(shell, "kernel", None), "control_handlers", None)
    if handlers is not None:
        for message_type in ANSWERS:
            handlers.pop(message_type, None)


def _handler(
    kernel: Any, message_type: str, answer: Callable[[dict[str, Any]], dict[str, Any]]
) -> Callable[[Any, Any, dict[str, Any]], None]:
    def handle(stream: Any, ident: Any, parent: dict[str, Any]) -> None:
        content = answer(parent.get("content") or {})
        kernel.session.send(stream, f"{message_type}_reply", content, parent, ident=ident)

    return handle


def _refusal(text: str) -> dict[str, Any]:
    return {"status": "error", "ename": "UsageError", "evalue": text, "traceback": []}
