"""The control channel: the road to Cancel that is open while a cell blocks the kernel.

A front end sends ``kkjupyter_cancel`` with ``{"run_id": 3}`` or ``{"all": true}`` and gets
``kkjupyter_cancel_reply`` with ``{"status": "ok", "run_id": 3, "cancelled": true}``. The handler
runs in the kernel's control thread.
"""

from __future__ import annotations

from typing import Any

from kkjupyter.notebook.registry import registry

__all__ = ["MESSAGE_TYPE", "answer", "install", "uninstall"]

MESSAGE_TYPE = "kkjupyter_cancel"


def answer(content: dict[str, Any]) -> dict[str, Any]:
    """Do what a request asks for; returns the content of the reply."""
    number = content.get("run_id")
    if content.get("all") is True:
        runs = registry.running()
    elif isinstance(number, int):
        run = registry.get(number)
        runs = [] if run is None else [run]
    else:
        return {
            "status": "error",
            "ename": "UsageError",
            "evalue": 'give {"run_id": number} or {"all": true}',
            "traceback": [],
        }
    cancelled = [run.number for run in runs if run.cancel()]
    return {"status": "ok", "run_id": number, "cancelled": bool(cancelled), "runs": cancelled}


def install(shell: Any) -> None:
    """Listen on the control channel, if this kernel lets us. Idempotent."""
    kernel = getattr(shell, "kernel", None)
    handlers = getattr(kernel, "control_handlers", None)
    if kernel is None or handlers is None:
        return  # a terminal, or a kernel of another make: the other roads remain

    def handle(stream: Any, ident: Any, parent: dict[str, Any]) -> None:
        content = answer(parent.get("content") or {})
        kernel.session.send(stream, f"{MESSAGE_TYPE}_reply", content, parent, ident=ident)

    handlers[MESSAGE_TYPE] = handle


def uninstall(shell: Any) -> None:
    """Listen no more. Idempotent."""
    handlers = getattr(getattr(shell, "kernel", None), "control_handlers", None)
    if handlers is not None:
        handlers.pop(MESSAGE_TYPE, None)
