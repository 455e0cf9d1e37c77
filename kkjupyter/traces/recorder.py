"""The traces of one connection: the newest calls' frames, with payloads only where asked for."""

from __future__ import annotations

import contextlib
import contextvars
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from kkjupyter.calls.buffer import StreamBuffer
from kkjupyter.calls.titles import Title
from kkjupyter.redaction import is_secret_name
from kkjupyter.traces.record import CallRecord
from kkjupyter.traces.secrets import Excerpts

__all__ = ["Recorder", "everywhere", "keep_payloads_here", "newest_record"]

# So many calls are remembered for each connection.
_CALLS: Final = 16
# What comes after the end of a call (an acknowledgement, dropped chunks) comes within this time.
_AFTERMATH_S: Final = 2.0

_keeps_here: contextvars.ContextVar[bool] = contextvars.ContextVar("kkjupyter_trace", default=False)


class Switch:
    """Whether payloads are kept: as long as at least one who wants it has not said otherwise."""

    def __init__(self) -> None:
        self._wishes = 0
        self._lock = threading.Lock()

    @property
    def is_on(self) -> bool:
        """Whether anybody wants it."""
        return self._wishes > 0

    def on(self) -> None:
        """One more wants it."""
        with self._lock:
            self._wishes += 1

    def off(self) -> None:
        """One less does."""
        with self._lock:
            self._wishes = max(0, self._wishes - 1)

    def clear(self) -> None:
        """Nobody does any more."""
        with self._lock:
            self._wishes = 0


everywhere = Switch()
"""Whether payloads are kept on every connection."""

_newest: CallRecord | None = None


def newest_record() -> CallRecord | None:
    """What was noted of the call that was made last, on any connection."""
    return _newest


@contextlib.contextmanager
def keep_payloads_here() -> Iterator[None]:
    """Calls made inside, in this thread or task, have their payloads kept."""
    token = _keeps_here.set(True)
    try:
        yield
    finally:
        _keeps_here.reset(token)


class Recorder:
    """Begins the record of each call of one connection, and finds it again.

    Args:
        url: where the connection leads, without secrets.

    Attributes:
        switch: whether payloads are kept on this connection.
        traced: the calls under way whose payloads are kept. I/O loop only.
    """

    def __init__(self, url: str) -> None:
        self.switch = Switch()
        self.traced: list[CallRecord] = []
        self._url = url
        self._secrets: set[str] = set()
        self._newest: deque[CallRecord] = deque()
        self._outdated: list[CallRecord] = []
        self._by_id: dict[str, CallRecord] = {}
        self._tidy_at = _CALLS
        self._lock = threading.Lock()

    def hide(self, secrets: Iterable[str | None]) -> None:
        """Keep these out of all traces, wherever they stand."""
        self._secrets.update(secret for secret in secrets if secret)

    def hide_headers(self, headers: Mapping[str, str] | None) -> None:
        """Keep the values of headers with secret names out of all traces."""
        for name, value in (headers or {}).items():
            if is_secret_name(name):
                scheme, _, credential = value.partition(" ")
                self.hide([value, credential if scheme.lower() in ("bearer", "basic") else None])
                if name.lower() == "cookie":
                    self.hide(part.partition("=")[2].strip(' "') for part in value.split(";"))

    @property
    def excerpts(self) -> Excerpts:
        """Makes the text of payloads."""
        return Excerpts(self._secrets)

    def _hide(self, text: str) -> str:
        return self.excerpts.hide(text)

    def begin(self, number: int, title: str | Title, wire: str, buffer: StreamBuffer) -> CallRecord:
        """The record of a call that is being made. Any thread."""
        global _newest
        keeps = self.switch.is_on or everywhere.is_on or _keeps_here.get()
        excerpts = self.excerpts if keeps else None
        record = CallRecord(number, title, self._url, wire, buffer, excerpts, self._hide)
        _newest = record
        with self._lock:
            newest = self._newest
            newest.append(record)
            if len(newest) > _CALLS:
                self._outdated.append(newest.popleft())
                if len(self._outdated) >= self._tidy_at:
                    self._tidy_outdated()
        return record

    def _tidy_outdated(self) -> None:
        """Of older calls, know only those under way.

        A user who keeps many calls does not keep all their payloads.
        """
        outdated, self._outdated = self._outdated, []
        for record in outdated:
            if not record.is_over:
                self._outdated.append(record)
                continue
            for one in record.ids:
                self._by_id.pop(one, None)
            record.forget_payloads()
        self._tidy_at = _CALLS + 2 * len(self._outdated)

    def last(self) -> CallRecord | None:
        """The record of the call that was made last. Any thread."""
        newest = self._newest
        return newest[-1] if newest else None

    def know(self, record: CallRecord, *ids: str) -> None:
        """Frames with one of these ids belong to it."""
        record.ids += ids
        for one in ids:
            self._by_id[one] = record

    def find(self, id_: str) -> CallRecord | None:
        """Whose frame it is."""
        return self._by_id.get(id_)

    def watch(self, record: CallRecord) -> None:
        """Its frames are looked at one by one, from now to its end. I/O loop only."""
        if record.keeps_payloads:
            self.traced.append(record)

    def tidy(self) -> None:
        """Forget the watched that are over. I/O loop only."""
        now_s = time.monotonic()
        self.traced = [
            record
            for record in self.traced
            if not record.is_over or now_s - record.over_at_s < _AFTERMATH_S
        ]
