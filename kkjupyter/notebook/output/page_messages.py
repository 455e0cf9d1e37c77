"""Messages of our own to every page of this kernel, on IOPub.

They belong to no cell, so programs that execute notebooks pass over them. Front ends that do not
know them ignore them. The lab extension listens; it answers ``kkjupyter_hello``, and from then on
views are sent this way (:mod:`kkjupyter.notebook.output.pages`).
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any, Final

__all__ = ["VIEW_MESSAGE", "install", "send", "uninstall"]

VIEW_MESSAGE: Final = "kkjupyter_view"
"""What an output tells all pages, and what they ask about it on the control channel."""

_kernel: Any = None


def install(shell: Any) -> bool:
    """Send by this shell's kernel from now on; returns whether it has one. Idempotent."""
    global _kernel
    kernel = getattr(shell, "kernel", None)
    if getattr(kernel, "iopub_socket", None) is None:
        return False
    _kernel = kernel
    return True


def uninstall() -> None:
    """Send nothing more. Idempotent."""
    global _kernel
    _kernel = None


def send(
    message_type: str, content: Mapping[str, Any], parent: Mapping[str, Any] | None = None
) -> None:
    """Send to all pages; nothing happens where there is no kernel. Any thread.

    Args:
        message_type: ``"kkjupyter_..."``, or one of Jupyter's.
        content: JSON.
        parent: the message to which it belongs, if it belongs to one.
    """
    kernel = _kernel
    if kernel is None:
        return
    from jupyter_client.session import msg_header  # not for terminals

    session = kernel.session
    # With its own header: the session numbers messages without a lock, and other threads send, too.
    # The rest is safe: ipykernel's socket may be used from any thread.
    header = msg_header(uuid.uuid4().hex, message_type, session.username, session.session)
    message = session.msg(message_type, dict(content), parent=parent, header=header)
    session.send(kernel.iopub_socket, message, ident=message_type.encode())
