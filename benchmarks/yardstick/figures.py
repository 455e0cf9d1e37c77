"""Figures of a run of the benchmarks: samples in, medians and spreads out, and their JSON."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Literal

import msgspec

__all__ = [
    "SLOWER",
    "Change",
    "Figures",
    "Promise",
    "Row",
    "Run",
    "Sample",
    "Side",
    "Spread",
    "Unit",
    "changes",
    "figures_of",
    "merged",
    "paired",
    "read_run",
    "write_run",
]

SLOWER = 0.95
"""Below this share of its earlier speed a row counts as slower."""

Unit = Literal["item", "call", "import"]
Side = Literal["client", "server"]


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """One timed run of one contestant.

    Attributes:
        count: how many items came, or calls were answered.
        wall_s: how long that took.
        cpu_s: CPU time of the client's process, all threads, user and system.
        server_cpu_s: the same of the server's process; None where there is none.
        more: further figures by what they are called in the table.
    """

    count: int
    wall_s: float
    cpu_s: float
    server_cpu_s: float | None = None
    more: dict[str, float] = {}

    def cpu_of(self, side: Side) -> float:
        """The CPU time of one side's process, in seconds.

        Raises:
            ValueError: there was no server.
        """
        if side == "client":
            return self.cpu_s
        if self.server_cpu_s is None:
            raise ValueError("a run without a server has no CPU time of one")
        return self.server_cpu_s


class Spread(msgspec.Struct, frozen=True):
    """The middle of some values and how far they lie apart.

    Attributes:
        median: of all of them.
        low: the lower quartile: a quarter of the values is not above it.
        high: the upper quartile.
    """

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        """Of one value or more.

        Raises:
            statistics.StatisticsError: there is none.
        """
        values = list(values)
        if len(values) == 1:
            return cls(values[0], values[0], values[0])
        low, median, high = statistics.quantiles(values, n=4, method="inclusive")
        return cls(median, low, high)

    @property
    def share(self) -> float:
        """Half the distance between the quartiles, as a share of the median."""
        return (self.high - self.low) / 2 / self.median if self.median else 0.0

    def overlaps(self, other: Spread) -> bool:
        """Whether the middle halves of both have values in common."""
        return self.low <= other.high and other.low <= self.high


class Figures(msgspec.Struct, frozen=True):
    """What one contestant did in one row.

    Attributes:
        per_s: items or calls per second.
        cpu_us: CPU time of the client per item or call, in microseconds.
        server_cpu_us: the same of the server; None where there is none.
    """

    per_s: Spread
    cpu_us: Spread
    server_cpu_us: Spread | None


class Promise(msgspec.Struct, frozen=True):
    """What a row must come to.

    Attributes:
        figure: ``"speed"`` or ``"cpu"``, both against the yardstick, or a name in ``more``.
        at_least: the least that keeps it; None if there is only a most.
        at_most: the most that keeps it.
    """

    figure: str
    at_least: float | None = None
    at_most: float | None = None

    def is_kept(self, value: float) -> bool:
        """Whether ``value`` lies within."""
        return (self.at_least is None or value >= self.at_least) and (
            self.at_most is None or value <= self.at_most
        )

    def __str__(self) -> str:
        bounds = [
            f"{word} {bound:g}"
            for word, bound in (("at least", self.at_least), ("at most", self.at_most))
            if bound is not None
        ]
        return f"{self.figure} {' and '.join(bounds)}"


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the table.

    Attributes:
        name: its dotted name.
        unit: what is counted.
        count: how many of them a run has.
        ours: what kkjupyter did.
        yardstick: what it is compared with; None where there is nothing comparable.
        speed: our speed as a share of the yardstick's, of runs next to each other.
        cpu: our CPU time per item, as a share of the yardstick's: the client's or, where a server
            is what is measured, that one's.
        before: what another version of kkjupyter did in the same run.
        since: our speed as a share of that one's.
        more: further figures.
        broken: the promises that were not kept, in words.
    """

    name: str
    unit: Unit
    count: int
    ours: Figures
    yardstick: Figures | None = None
    speed: Spread | None = None
    cpu: Spread | None = None
    before: Figures | None = None
    since: Spread | None = None
    more: dict[str, Spread] = {}
    broken: list[str] = []

    def value_of(self, figure: str) -> float:
        """The median of what a :class:`Promise` is about.

        Raises:
            KeyError: the row has no such figure.
        """
        found = {"speed": self.speed, "cpu": self.cpu, **self.more}[figure]
        if found is None:
            raise KeyError(figure)
        return found.median


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """All rows of one run, and where it took place.

    Attributes:
        began: UTC, ISO 8601.
        took_s: how long all of it took.
        rounds: how often each contestant's turn came.
        scale: 1, or what the counts were multiplied by.
        machine: facts in words.
    """

    began: str
    took_s: float
    rounds: int
    scale: float
    machine: dict[str, str]
    rows: list[Row]


class Change(msgspec.Struct, frozen=True):
    """One row beside itself in an earlier run.

    Attributes:
        speed: now, as a share of then. Where both runs have the yardstick, both speeds are taken
            against it, so that a slower machine is no slower row.
        cpu: the same of the CPU time per item; where there is no yardstick, the client's.
        is_within_spread: whether the quartiles of both runs overlap.
    """

    name: str
    speed: float
    cpu: float
    is_within_spread: bool

    @property
    def is_slower(self) -> bool:
        """By more than 5 %."""
        return self.speed < SLOWER


def figures_of(samples: Sequence[Sample]) -> Figures:
    """The figures of one contestant's runs; at least one."""
    server = [
        sample.server_cpu_s / sample.count * 1e6
        for sample in samples
        if sample.server_cpu_s is not None
    ]
    return Figures(
        Spread.of(sample.count / sample.wall_s for sample in samples),
        Spread.of(sample.cpu_s / sample.count * 1e6 for sample in samples),
        Spread.of(server) if server else None,
    )


def paired(
    samples: Sequence[Sample], others: Sequence[Sample], ratio: Callable[[Sample, Sample], float]
) -> Spread:
    """The spread of ``ratio`` over the rounds: what slows a machine down for a while hits both."""
    return Spread.of(ratio(one, other) for one, other in zip(samples, others, strict=True))


def changes(then: Run, now: Run) -> list[Change]:
    """The rows that are in both runs, in the order of the newer one."""
    earlier = {row.name: row for row in then.rows}
    found = []
    for row in now.rows:
        if (old := earlier.get(row.name)) is None:
            continue
        if row.speed is not None and old.speed is not None:
            speed, old_speed = row.speed, old.speed
        else:
            speed, old_speed = row.ours.per_s, old.ours.per_s
        if row.cpu is not None and old.cpu is not None:
            cpu = row.cpu.median / old.cpu.median
        else:
            cpu = row.ours.cpu_us.median / old.ours.cpu_us.median
        found.append(
            Change(row.name, speed.median / old_speed.median, cpu, speed.overlaps(old_speed))
        )
    return found


def merged(runs: Sequence[Run]) -> Run:
    """The rows of all runs, of which there is at least one.

    A row that several have is that of the last one, in the place of the first. Whatever else is
    said is that of the last run; ``took_s`` is the sum.
    """
    rows = {row.name: row for run in runs for row in run.rows}
    took_s = sum(run.took_s for run in runs)
    return msgspec.structs.replace(runs[-1], rows=list(rows.values()), took_s=took_s)


def write_run(run: Run, path: Path) -> None:
    """Write a run as JSON; folders on the way are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(run), indent=2) + b"\n")


def read_run(path: Path) -> Run:
    """Read what :func:`write_run` has written.

    Raises:
        OSError: the file cannot be read.
        msgspec.MsgspecError: it holds no run.
    """
    return msgspec.json.decode(path.read_bytes(), type=Run)
