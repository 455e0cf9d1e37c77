"""Tells front ends how many streams run: what the lab extension's toolbar button goes by.

A message of our own on IOPub, ``kkjupyter_running`` with ``{"running": 2}``, that belongs to no
cell and that nobody needs to have asked for: a question would go through the control channel, whose
answers make JupyterLab take a busy kernel for idle. It is repeated while something runs, so that a
page that was reloaded in mid-stream knows soon, whether or not it shows a view. Front ends that do
not know it ignore it.
"""

from __future__ import annotations

import functools
from typing import Any, Final

from kkjupyter.notebook.registry import registry
from kkjupyter.notebook.ticker import ticker

__all__ = ["MESSAGE_TYPE", "REPEAT_INTERVAL_S", "Announcer", "install", "uninstall"]

MESSAGE_TYPE: Final = "kkjupyter_running"
REPEAT_INTERVAL_S: Final = 2.0
# What is over sooner than this is not worth a button.
_SETTLE_S: Final = 0.25


class Announcer:
    """Sends the number of running streams when it changes, and now and then while it is not 0.

    Its work is done on the view thread.

    Args:
        kernel: the ipykernel this process runs in.
    """

    def __init__(self, kernel: Any) -> None:
        self._kernel = kernel
        self._said = 0
        self._is_settling = False
        self._repetition = 0
        self._is_closed = False

    def changed(self) -> None:
        """A run began or ended. Any thread; returns at once."""
        if not self._is_settling:
            self._is_settling = True
            ticker().post(self._settled, _SETTLE_S)

    def close(self) -> None:
        """Say that nothing runs, if anything else was said, and be quiet from then on."""
        self._is_closed = True
        if self._said:
            self._send(0)

    def _settled(self) -> None:
        self._is_settling = False
        self._say()

    def _say(self) -> None:
        if self._is_closed:
            return
        running = len(registry.running())
        if running or self._said:
            self._send(running)
        self._repetition += 1
        if running:
            ticker().post(functools.partial(self._repeat, self._repetition), REPEAT_INTERVAL_S)

    def _repeat(self, repetition: int) -> None:
        if repetition == self._repetition:  # nothing was said meanwhile
            self._say()

    def _send(self, running: int) -> None:
        self._said = running
        ident = MESSAGE_TYPE.encode()
        content = {"running": running}
        self._kernel.session.send(self._kernel.iopub_socket, MESSAGE_TYPE, content, ident=ident)


_announcer: Announcer | None = None


def install(shell: Any) -> None:
    """Announce on this shell's kernel, if it has one. Idempotent."""
    global _announcer
    kernel = getattr(shell, "kernel", None)
    if _announcer is None and getattr(kernel, "iopub_socket", None) is not None:
        _announcer = Announcer(kernel)
        registry.listen(_announcer.changed)
        _announcer.changed()  # after %reload_ext there are runs already


def uninstall() -> None:
    """Announce no more. Idempotent."""
    global _announcer
    if _announcer is not None:
        registry.unlisten(_announcer.changed)
        _announcer.close()
        _announcer = None
