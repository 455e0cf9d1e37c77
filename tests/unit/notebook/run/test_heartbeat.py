"""The heartbeat of a kernel's streams: what it says, and when it stops."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from kkjupyter.notebook.run import heartbeat as running
from kkjupyter.notebook.run.heartbeat import QUIET_AFTER_S, Announcer, repeat_interval_s

Sent = list[dict[str, Any]]


class Rig:
    """An announcer whose clock, view thread and runs are the test's."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s = 0.0
        self.jobs: list[tuple[float, Callable[[], object]]] = []
        self.counts: dict[int, int] = {}
        self.sent: Sent = []
        self.headers: Sent = []
        # Not the module's own: other threads of the tests live by it.
        monkeypatch.setattr(running, "time", SimpleNamespace(monotonic=lambda: self.now_s))
        monkeypatch.setattr(running, "ticker", lambda: self)
        monkeypatch.setattr(running.registry, "running", self._running)
        session = SimpleNamespace(
            username="user", session="session", msg=self._message, send=self._send
        )
        self.announcer = Announcer(SimpleNamespace(session=session, iopub_socket=None))

    def post(self, job: Callable[[], object], delay_s: float = 0.0) -> None:
        self.jobs.append((self.now_s + delay_s, job))

    def _running(self) -> list[Any]:
        def status(count: int) -> Callable[[], Any]:
            return lambda: SimpleNamespace(count=count)

        return [SimpleNamespace(number=n, status=status(c)) for n, c in self.counts.items()]

    def _message(self, kind: str, content: dict[str, Any], header: dict[str, Any]) -> Any:
        return {"header": header, "content": content}

    def _send(self, socket: object, message: dict[str, Any], ident: bytes) -> None:
        self.headers.append(message["header"])
        self.sent.append(message["content"])

    def run(self, runs: dict[int, int]) -> None:
        self.counts = runs
        self.announcer.changed()

    def wait(self, seconds: float) -> Sent:
        """Let time pass; returns what was sent meanwhile."""
        before = len(self.sent)
        end_s = self.now_s + seconds
        while due := [job for job in self.jobs if job[0] <= end_s]:
            first = min(due, key=lambda job: job[0])
            self.jobs.remove(first)
            self.now_s = max(self.now_s, first[0])
            first[1]()
        self.now_s = end_s
        return self.sent[before:]


@pytest.fixture
def rig(monkeypatch: pytest.MonkeyPatch) -> Rig:
    return Rig(monkeypatch)


def test_it_names_what_runs_and_says_when_it_will_speak_again(rig: Rig) -> None:
    rig.run({3: 0, 7: 2})
    assert rig.wait(1) == [{"running": 2, "runs": [3, 7], "counts": [0, 2], "next_s": 2.0}]
    rig.run({7: 2})
    assert rig.wait(1) == [{"running": 1, "runs": [7], "counts": [2], "next_s": 2.0}]
    rig.run({})
    assert rig.wait(3600) == [{"running": 0, "runs": [], "counts": [], "next_s": None}]


def test_a_stream_that_delivers_nothing_is_told_of_less_and_less_often_and_then_no_more(
    rig: Rig,
) -> None:
    rig.run({3: 5})
    first = rig.wait(60)
    assert 10 < len(first) < 30
    rest = rig.wait(QUIET_AFTER_S + 60)
    assert len(rest) < 30
    assert rest[-1] == {"running": 1, "runs": [3], "counts": [5], "next_s": None}
    assert all(message["next_s"] for message in rest[:-1])
    assert rig.wait(24 * 3600) == []
    # One that ends is told of all the same.
    rig.run({})
    assert rig.wait(1) == [{"running": 0, "runs": [], "counts": [], "next_s": None}]


def test_one_that_delivers_again_is_told_of_again(rig: Rig) -> None:
    rig.run({3: 5})
    rig.wait(QUIET_AFTER_S + 120)
    rig.counts = {3: 6}
    assert rig.wait(61)[0] == {"running": 1, "runs": [3], "counts": [6], "next_s": 2.0}


def test_what_is_said_in_between_does_not_make_it_faster(rig: Rig) -> None:
    rig.run({3: 0})
    for second in range(10):  # pages come
        rig.announcer.changed()
        rig.wait(1)
        rig.counts = {3: second}
    assert len(rig.wait(10)) <= 6


def test_one_that_delivers_all_the_time_is_told_of_all_the_time(rig: Rig) -> None:
    rig.run({3: 0})
    for count in range(1000):
        rig.counts = {3: count}
        assert rig.wait(2.1), count


def test_a_page_that_comes_while_it_is_quiet_is_told_once(rig: Rig) -> None:
    rig.run({3: 5})
    rig.wait(QUIET_AFTER_S + 120)
    rig.announcer.changed()
    assert rig.wait(3600) == [{"running": 1, "runs": [3], "counts": [5], "next_s": None}]


def test_a_page_that_comes_while_nothing_runs_is_told_nothing(rig: Rig) -> None:
    rig.announcer.changed()
    assert rig.wait(3600) == []


def test_thousands_are_counted_and_not_named(rig: Rig) -> None:
    rig.run(dict.fromkeys(range(1001), 0))
    assert rig.wait(1) == [{"running": 1001, "runs": None, "counts": None, "next_s": 2.0}]


def test_a_heartbeat_has_an_id_of_its_own(rig: Rig) -> None:
    """The session's numbers are not for several threads at once."""
    rig.run({3: 0})
    rig.wait(10)
    ids = [header["msg_id"] for header in rig.headers]
    assert len(ids) == len(set(ids)) > 2
    assert {header["session"] for header in rig.headers} == {"session"}


def test_it_is_quiet_once_it_is_closed(rig: Rig) -> None:
    rig.run({3: 0})
    rig.wait(1)
    rig.announcer.close()
    assert rig.sent[-1]["running"] == 0
    rig.announcer.changed()
    assert rig.wait(60) == []


@pytest.mark.parametrize(
    ("age_s", "interval_s"),
    [(0, 2.0), (9, 2.0), (20, 4.0), (300, 60.0), (599, 60.0), (600, None), (1e9, None)],
)
def test_the_older_the_news_the_rarer_the_heartbeat(age_s: float, interval_s: float | None) -> None:
    assert repeat_interval_s(age_s) == interval_s
