"""The heartbeat of a kernel's streams, which tells front ends which ones run.

A message of our own on IOPub, ``kkjupyter_running``, that belongs to no cell and needs no question:
a question would go through the control channel, whose answers make JupyterLab show a busy kernel
as idle. Its content::

    {
        "running": 2,           # how many run
        "runs": [3, 7],         # which; null if there are too many to name
        "counts": [120, 4],     # how many items each of these has had
        "next_s": 2.0,          # when it will be said again; null: not before there is news
        "streams": [            # the oldest of them, for a list of what runs
            {"run_id": 3, "title": "chat('tides')", "cell_id": "5f...", "state": "streaming",
             "elapsed_s": 3.2, "quiet_s": 0.0},
            ...
        ],
        "ended": [              # what has ended since it was said last, said once
            {"run_id": 2, "title": "ticks(0.2)", "cell_id": "0a...", "state": "done",
             "kind": "stream", "count": 205, "elapsed_s": 10.8, "error": "", "outlived_cell": true},
        ],
    }

Of a language model's answer, ``streams`` and ``ended`` also have ``written`` and ``unit``, as a
:class:`Status` has.

The lab extension's button, its list of running streams and its notices use all of it. A live view
uses the first four: a run that is not in ``runs`` is over, and so may be one without a message for
several times ``next_s``; if ``counts`` has more items than the page received, and no more arrive,
something was lost. Front ends that do not know the message ignore it.

It is sent when a run begins or ends, when a page opens or asks, and repeatedly while something
runs. Jupyter counts each message as activity, so an endless heartbeat would keep a forgotten kernel
from being culled. So it becomes rarer while nothing happens, and stops when no run began, ended or
delivered anything for :data:`QUIET_AFTER_S`. The last message before that has ``"next_s": null``.
"""

from __future__ import annotations

import functools
import time
from typing import TYPE_CHECKING, Any, Final

from kkjupyter.notebook.output import page_messages
from kkjupyter.notebook.output.page_views import page_views
from kkjupyter.notebook.run.registry import registry
from kkjupyter.plaintext import plain
from kkjupyter.runtime.ticker import ticker

if TYPE_CHECKING:
    from kkjupyter.notebook.run.run import Run
    from kkjupyter.notebook.run_status import Status

__all__ = [
    "MESSAGE_TYPE",
    "QUIET_AFTER_S",
    "REPEAT_INTERVAL_S",
    "Announcer",
    "install",
    "repeat_interval_s",
    "uninstall",
]

MESSAGE_TYPE: Final = "kkjupyter_running"
REPEAT_INTERVAL_S: Final = 2.0
"""How long it is from one heartbeat to the next while something happens."""
QUIET_AFTER_S: Final = 600.0
"""How long after the last item it goes on."""
_LONGEST_INTERVAL_S: Final = 60.0
_INTERVALS_PER_AGE: Final = 5
# A run that ends sooner than this is not worth a button.
_SETTLE_S: Final = 0.25
_NUMBERS_LIMIT: Final = 1_000
# A list of what runs is for people; and a message must stay small, as it is sent again and again.
_DESCRIBED_LIMIT: Final = 50
_TITLE_LIMIT: Final = 80
_ERROR_LIMIT: Final = 160


def repeat_interval_s(age_s: float) -> float | None:
    """The time to the next heartbeat, by the age of the last news; None for no heartbeat."""
    if age_s >= QUIET_AFTER_S:
        return None
    return min(_LONGEST_INTERVAL_S, max(REPEAT_INTERVAL_S, age_s / _INTERVALS_PER_AGE))


class Announcer:
    """Sends the list of running streams when it changes, and regularly while any runs.

    It works on the view thread.
    """

    def __init__(self) -> None:
        self._said = 0
        self._is_settling = False
        self._repetition = 0
        self._is_closed = False
        self._counted: dict[int, int] = {}
        # Those that were running when it was said last: how they end is still to be said.
        self._runs: dict[int, Run] = {}
        self._quiet_since_s: dict[int, float] = {}
        self._news_at_s = time.monotonic()
        self._is_quiet = False

    def changed(self) -> None:
        """A run began or ended, or a page was opened. Any thread; returns at once."""
        if not self._is_settling:
            self._is_settling = True
            ticker().post(self._settled, _SETTLE_S)

    def close(self) -> None:
        """Send that nothing runs, if anything else was sent, and then no more messages."""
        self._is_closed = True
        if self._said:
            self._runs.clear()  # they go on; that is not said any more
            self._send({}, None, [])

    def _settled(self) -> None:
        self._is_settling = False
        self._is_quiet = False
        self._say()

    def _say(self) -> None:
        if self._is_closed:
            return
        runs = {run.number: run for run in registry.running()}
        counted = {number: run.status().count for number, run in runs.items()}
        ended = [run for number, run in self._runs.items() if number not in runs]
        self._runs = runs
        now_s = time.monotonic()
        if counted != self._counted:
            self._quiet_since_s = {
                number: self._quiet_since_s[number] if self._counted.get(number) == count else now_s
                for number, count in counted.items()
            }
            self._counted = counted
            self._news_at_s = now_s
            self._is_quiet = False
        interval_s = repeat_interval_s(now_s - self._news_at_s)
        if not self._is_quiet and (counted or self._said):
            self._send(counted, interval_s if counted else None, ended)
        self._is_quiet = interval_s is None
        self._repetition += 1
        if counted:
            # A quiet one still checks, without a message, whether something arrived.
            wait_s = _LONGEST_INTERVAL_S if interval_s is None else interval_s
            ticker().post(functools.partial(self._repeat, self._repetition), wait_s)

    def _repeat(self, repetition: int) -> None:
        if repetition == self._repetition:  # nothing was sent in the meantime
            self._say()

    def _send(self, counted: dict[int, int], next_s: float | None, ended: list[Run]) -> None:
        self._said = len(counted)
        can_name = len(counted) <= _NUMBERS_LIMIT
        content = {
            "running": len(counted),
            "runs": list(counted) if can_name else None,
            "counts": list(counted.values()) if can_name else None,
            "next_s": next_s,
            "streams": self._described(),
            # The newest: a page makes one notice of many.
            "ended": [_ended(run) for run in ended[-_DESCRIBED_LIMIT:]],
        }
        page_messages.send(MESSAGE_TYPE, content)

    def _described(self) -> list[dict[str, Any]]:
        now_s = time.monotonic()
        oldest = [*self._runs.values()][:_DESCRIBED_LIMIT]
        return [
            {
                **_named(run, status := run.status()),
                "elapsed_s": round(status.elapsed_s, 3),
                "quiet_s": round(now_s - self._quiet_since_s[run.number], 3),
            }
            for run in oldest
        ]


def _named(run: Run, status: Status) -> dict[str, Any]:
    named = {
        "run_id": run.number,
        "title": _short(plain(status.title), _TITLE_LIMIT),
        "cell_id": None if run.cell is None else run.cell.cell_id,
        "state": status.state,
    }
    if status.written is not None:  # of a language model's answer nobody counts the chunks
        named |= {"written": status.written, "unit": status.unit}
    return named


def _ended(run: Run) -> dict[str, Any]:
    status = run.status()
    return {
        **_named(run, status),
        "kind": status.kind,
        "count": status.count,
        "elapsed_s": round(status.elapsed_s, 3),
        "error": _short(plain(status.error), _ERROR_LIMIT),
        "outlived_cell": run.outlived_cell,
    }


def _short(text: str, limit: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


_announcer: Announcer | None = None


def install(shell: Any) -> None:
    """Send heartbeats from this shell's kernel, if it has one. Idempotent."""
    global _announcer
    kernel = getattr(shell, "kernel", None)
    if _announcer is None and getattr(kernel, "iopub_socket", None) is not None:
        _announcer = Announcer()
        registry.listen(_announcer.changed)
        page_views.listen(_announcer.changed)
        _announcer.changed()  # after %reload_ext there are runs already


def uninstall() -> None:
    """Stop sending. Idempotent."""
    global _announcer
    if _announcer is not None:
        registry.unlisten(_announcer.changed)
        page_views.unlisten(_announcer.changed)
        _announcer.close()
        _announcer = None
