"""A run, as far as what shows it needs one."""

from __future__ import annotations

from collections.abc import Callable

from kkjupyter.notebook.run_status import Status

__all__ = ["ViewedRun"]


class ViewedRun:
    """Has always this status, and nothing to cancel unless ``press_cancel`` is given."""

    def __init__(self, status: Status, press_cancel: Callable[[], bool] = lambda: False) -> None:
        self._status = status
        self._press_cancel = press_cancel

    def status(self) -> Status:
        return self._status

    def press_cancel(self) -> bool:
        return self._press_cancel()
