"""Runs user code in the main thread so that another thread can stop it, wherever it waits.

``next()`` of a user's iterator runs in the cell's thread, because thread-bound state must work
there: ``torch.no_grad()``, a database cursor, signal handlers. To stop it, a signal is sent to the
main thread, whose handler raises :class:`Stopped`. That ends a ``time.sleep``, a lock, a
``queue.get`` or a socket operation like an interrupt. C code that does not check for signals ends
when it returns.

The signal is SIGURG: it is hardly ever used, and ignored by default.
"""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

from kkjupyter.runtime.ticker import ticker

__all__ = ["Stoppable", "Stopped", "can_stop_here", "uninstall"]

_SIGNAL = getattr(signal, "SIGURG", None)
# A signal just before a wait begins does not end it, so it is sent again.
_FIRST_REPEAT_S = 0.05
_LONGEST_REPEAT_S = 5.0
# How long the owner waits for a signal that was sent to it; it takes microseconds.
_ARRIVAL_S = 1.0

T = TypeVar("T")


class Stopped(KeyboardInterrupt):
    """Raised in code that :meth:`Stoppable.stop` stops; for that code it is an interrupt.

    Attributes:
        owner: the stopped object; with nested code, perhaps an outer one.
    """

    def __init__(self, owner: Stoppable) -> None:
        super().__init__()
        self.owner = owner


class Stoppable:
    """Runs pieces of code in the main thread until another thread stops it.

    It stays stopped: code that is run afterwards raises at once.
    """

    def __init__(self) -> None:
        # Reentrant: a handler of the user's may stop it from the same thread at any moment.
        self._lock = threading.RLock()
        self._is_wanted = False
        self._is_sent = False
        self.is_heard = False
        """Whether :class:`Stopped` was raised, or would have been."""
        self.is_inside = False
        """Whether the code runs now."""

    def run(self, code: Callable[[], T]) -> T:
        """Run ``code()``. If :func:`can_stop_here` is false, running code is not stopped.

        Raises:
            Stopped: :meth:`stop` was called, or enclosing code was stopped.
            BaseException: what ``code`` raises.
        """
        if not can_stop_here():
            return code()
        _listen()
        try:
            try:
                _active.append(self)
                self.is_inside = True
                if self._is_wanted:
                    raise Stopped(self)
                return code()
            finally:
                self._leave()
        except BaseException:
            self._leave()  # once more: the signal may have come in the middle of the first
            raise

    def stop(self) -> None:
        """Stop what runs, now and later. Returns at once; idempotent; any thread."""
        self._is_wanted = True
        self._send(_FIRST_REPEAT_S)

    def _send(self, repeat_s: float) -> None:
        with self._lock:  # never after the code was left
            if not self.is_inside or self.is_heard:
                return
            self._is_sent = True
            main = threading.main_thread().ident
            if _SIGNAL is not None and main is not None:
                signal.pthread_kill(main, _SIGNAL)
        ticker().post(lambda: self._send(min(repeat_s * 2, _LONGEST_REPEAT_S)), repeat_s)

    def _leave(self) -> None:
        with self._lock:
            self.is_inside = False
        # A signal that was sent must not reach other code.
        until_s = time.monotonic() + _ARRIVAL_S
        while self._is_sent and not self.is_heard and time.monotonic() < until_s:
            time.sleep(0.0005)
        with contextlib.suppress(ValueError):
            _active.remove(self)


# The running code, outermost first. Belongs to the main thread.
_active: list[Stoppable] = []
_before: Any = None


def can_stop_here() -> bool:
    """Whether code in this thread can be stopped: only in the main thread, not on Windows, and not
    if something other than Python handles SIGURG.
    """
    return (
        threading.current_thread() is threading.main_thread()
        and _SIGNAL is not None
        and hasattr(signal, "pthread_kill")
        and signal.getsignal(_SIGNAL) is not None
    )


def uninstall() -> None:
    """Restore the signal's handler, unless it was replaced. In the main thread; idempotent."""
    if _SIGNAL is not None and signal.getsignal(_SIGNAL) is _on_signal:
        signal.signal(_SIGNAL, _before)


def _listen() -> None:
    """Install the signal handler. It stays, because changing it for each item would cost more."""
    global _before
    assert _SIGNAL is not None
    found = signal.getsignal(_SIGNAL)
    if found is not _on_signal:
        _before = found
        signal.signal(_SIGNAL, _on_signal)


def _on_signal(number: int, frame: Any) -> None:
    sent = [one for one in _active if one._is_sent and not one.is_heard]
    for one in sent:
        one.is_heard = True
    for one in sent:
        if one.is_inside:
            raise Stopped(one)
    if not sent and callable(_before):
        _before(number, frame)
