"""Shows our objects as the value of a cell: a Remote as a card, a trace as a diagram.

The classes are registered by name, as IPython's formatters allow for classes that are not imported
yet: if there is a connection or a trace, the rest is already loaded.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kkjupyter.notebook.shell.class_names import REMOTE, TRACE

if TYPE_CHECKING:
    from kkjupyter.client.remote import Remote
    from kkjupyter.traces.trace import Trace

__all__ = ["install", "uninstall"]


def _formats(shell: Any) -> list[tuple[str, str, Callable[..., Any]]]:
    """The MIME type, class and function of each formatter."""

    def remote_as_html(remote: Remote) -> str:
        from kkjupyter.notebook.shell.remote_repr import remote_html

        return remote_html(remote, shell)

    def remote_as_text(remote: Remote, printer: Any, cycle: bool) -> None:
        from kkjupyter.notebook.shell.remote_repr import remote_text

        printer.text(remote_text(remote, shell) if _is_alone(printer) else repr(remote))

    def trace_as_text(trace: Trace, printer: Any, cycle: bool) -> None:
        printer.text(trace.text if _is_alone(printer) else f"<Trace {trace.number} {trace.title}>")

    return [
        ("text/html", REMOTE, remote_as_html),
        ("text/plain", REMOTE, remote_as_text),
        ("text/html", TRACE, _trace_as_html),
        ("text/plain", TRACE, trace_as_text),
    ]


def _trace_as_html(trace: Trace) -> str:
    from kkjupyter.notebook.views.trace.html import trace_html

    return trace_html(trace)


def _is_alone(printer: Any) -> bool:
    """Whether the value itself is shown, and not, for example, an element of a list."""
    return len(printer.stack) == 1


def install(shell: Any) -> None:
    """Register the formatters in the shell. Idempotent."""
    for mime, kind, function in _formats(shell):
        shell.display_formatter.formatters[mime].for_type(kind, function)


def uninstall(shell: Any) -> None:
    """Undo :func:`install`. Idempotent."""
    for mime, kind, _ in _formats(shell):
        shell.display_formatter.formatters[mime].pop(kind, None)
