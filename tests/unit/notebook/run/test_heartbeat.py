"""The heartbeat of a kernel's streams: what it says, and when it stops."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from kkjupyter.notebook.output import page_messages
from kkjupyter.notebook.run import heartbeat as running
from kkjupyter.notebook.run.cell import Cell
from kkjupyter.notebook.run.heartbeat import QUIET_AFTER_S, Announcer, repeat_interval_s
from kkjupyter.notebook.run_status import Status

Sent = list[dict[str, Any]]


class Rig:
    """An announcer whose clock, view thread and runs are the test's."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s = 0.0
        self.jobs: list[tuple[float, Callable[[], object]]] = []
        self.counts: dict[int, int] = {}
        self.runs: dict[int, SimpleNamespace] = {}
        self.sent: Sent = []
        self.headers: Sent = []
        # Not the module's own: other threads of the tests live by it.
        monkeypatch.setattr(running, "time", SimpleNamespace(monotonic=lambda: self.now_s))
        monkeypatch.setattr(running, "ticker", lambda: self)
        monkeypatch.setattr(running.registry, "running", self._running)
        session = SimpleNamespace(
            username="user", session="session", msg=self._message, send=self._send
        )
        kernel = SimpleNamespace(session=session, iopub_socket=None)
        monkeypatch.setattr(page_messages, "_kernel", kernel)
        self.announcer = Announcer()

    def post(self, job: Callable[[], object], delay_s: float = 0.0) -> None:
        self.jobs.append((self.now_s + delay_s, job))

    def _running(self) -> list[Any]:
        for number in self.counts:
            self.runs.setdefault(number, self._make(number))
        return [self.runs[number] for number in self.counts]

    def _make(self, number: int) -> SimpleNamespace:
        run = SimpleNamespace(number=number, cell=Cell(f"cell{number}", "", 1))
        run.outlived_cell = False
        run.state, run.kind, run.title, run.error = "streaming", "stream", f"ticks({number})", ""
        run.written = None
        run.status = lambda: Status(
            run_id=number,
            title=run.title,
            state=run.state,
            kind=run.kind,
            count=self.counts.get(number, 0),
            elapsed_s=self.now_s,
            first_item_s=None,
            error=run.error,
            written=run.written,
            unit="tokens",
        )
        return run

    def _message(
        self, kind: str, content: dict[str, Any], parent: None, header: dict[str, Any]
    ) -> Any:
        return {"header": header, "content": content}

    def _send(self, socket: object, message: dict[str, Any], ident: bytes) -> None:
        self.headers.append(message["header"])
        self.sent.append(message["content"])

    def run(self, runs: dict[int, int]) -> None:
        self.counts = runs
        self.announcer.changed()

    def wait(self, seconds: float) -> Sent:
        """Let time pass; returns what was said meanwhile of what runs, without the descriptions."""
        before = len(self.sent)
        self._pass(seconds)
        named = ("running", "runs", "counts", "next_s")
        return [{name: message[name] for name in named} for message in self.sent[before:]]

    def _pass(self, seconds: float) -> None:
        end_s = self.now_s + seconds
        while due := [job for job in self.jobs if job[0] <= end_s]:
            first = min(due, key=lambda job: job[0])
            self.jobs.remove(first)
            self.now_s = max(self.now_s, first[0])
            first[1]()
        self.now_s = end_s


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


def test_it_describes_what_runs(rig: Rig) -> None:
    rig.run({3: 0, 7: 2})
    rig.wait(2)
    assert rig.sent[-1]["streams"] == [
        {
            "run_id": 3,
            "title": "ticks(3)",
            "cell_id": "cell3",
            "state": "streaming",
            "elapsed_s": 0.25,
            "quiet_s": 0.0,
        },
        {
            "run_id": 7,
            "title": "ticks(7)",
            "cell_id": "cell7",
            "state": "streaming",
            "elapsed_s": 0.25,
            "quiet_s": 0.0,
        },
    ]
    rig.counts = {3: 0, 7: 3}
    rig.wait(1)
    assert [one["quiet_s"] for one in rig.sent[-1]["streams"]] == [2.0, 0.0]


def test_of_an_answer_it_says_how_much_is_written(rig: Rig) -> None:
    rig.run({3: 9})
    rig._running()
    rig.runs[3].written = 87
    rig.wait(1)
    stream = rig.sent[-1]["streams"][0]
    assert (stream["written"], stream["unit"]) == (87, "tokens")


def test_it_says_once_what_has_ended_and_how(rig: Rig) -> None:
    rig.run({3: 0, 7: 2})
    rig.wait(1)
    assert rig.sent[-1]["ended"] == []
    rig.runs[7].state, rig.runs[7].error = "failed", "ValueError: no"
    rig.runs[7].outlived_cell = True
    rig.run({3: 0})
    rig.wait(10)
    first, *rest = [message["ended"] for message in rig.sent if message["ended"]]
    assert first == [
        {
            "run_id": 7,
            "title": "ticks(7)",
            "cell_id": "cell7",
            "state": "failed",
            "kind": "stream",
            "count": 0,
            "elapsed_s": 1.25,
            "error": "ValueError: no",
            "outlived_cell": True,
        }
    ]
    assert rest == []
    rig.run({})
    rig.wait(1)
    assert [end["run_id"] for end in rig.sent[-1]["ended"]] == [3]


def test_a_stream_without_a_cell_is_described(rig: Rig) -> None:
    rig.run({3: 0})
    rig.runs[3] = rig._make(3)
    rig.runs[3].cell = None
    rig.wait(1)
    assert rig.sent[-1]["streams"][0]["cell_id"] is None


def test_a_heartbeat_stays_small(rig: Rig) -> None:
    rig.run(dict.fromkeys(range(900), 0))
    rig._running()
    for run in rig.runs.values():
        run.title, run.error = "a\n\x1b[1m" + "long " * 1_000, "b" * 10_000
    rig.wait(1)
    streams = rig.sent[-1]["streams"]
    assert [one["run_id"] for one in streams] == list(range(50))
    assert streams[0]["title"].startswith("a long long")
    assert len(streams[0]["title"]) == 80
    rig.run({})
    rig.wait(1)
    ended = rig.sent[-1]["ended"]
    assert [one["run_id"] for one in ended] == list(range(850, 900))
    assert len(ended[0]["error"]) == 160


def test_what_goes_on_after_the_extension_is_unloaded_has_not_ended(rig: Rig) -> None:
    rig.run({3: 0})
    rig.wait(1)
    rig.announcer.close()
    assert rig.sent[-1]["streams"] == rig.sent[-1]["ended"] == []


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
