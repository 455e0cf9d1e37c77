"""Contestants that take turns: what a row is made of, and how it is measured."""

from __future__ import annotations

import contextlib
import dataclasses
import fnmatch
from collections.abc import Callable, Sequence

import msgspec

from yardstick.figures import Figures, Promise, Row, Sample, Side, Spread, Unit, figures_of, paired
from yardstick.programs import Client, Server, Starter

__all__ = ["Contestant", "Entry", "Heat", "chosen", "measure"]

WARM_UP = 0.1
"""The share of a run that each contestant does before the first."""


@dataclasses.dataclass(frozen=True)
class Contestant:
    """A client, and the server it speaks to."""

    client: Starter
    server: Starter | None = None

    def with_python(self, python: str) -> Contestant:
        """The same with another interpreter wherever kkjupyter is used."""
        server = self.server.with_python(python) if self.server is not None else None
        return Contestant(self.client.with_python(python), server)


@dataclasses.dataclass(frozen=True)
class Entry:
    """What becomes a row.

    Attributes:
        name: of the row, dotted: topic, what goes over the wire, how it is read.
        ours: what is measured.
        yardstick: what it is compared with, if there is such a thing.
        side: whose CPU time is compared.
        promises: what it must come to.
    """

    name: str
    ours: Contestant
    yardstick: Contestant | None = None
    side: Side = "client"
    promises: tuple[Promise, ...] = ()


@dataclasses.dataclass(frozen=True)
class Heat:
    """Entries whose contestants take turns.

    Attributes:
        entries: one for each row.
        unit: what is counted.
        count: how many of them each contestant does at its turn.
        least: how few may be asked for, when counts are scaled down.
    """

    entries: tuple[Entry, ...]
    unit: Unit
    count: int
    least: int = 1


def chosen(heats: Sequence[Heat], patterns: Sequence[str]) -> list[Heat]:
    """What is left of the heats with only the rows that a pattern is the beginning of.

    Args:
        heats: all of them.
        patterns: beginnings of names, with ``*`` and ``?`` as in file names; none means all.
    """
    if not patterns:
        return list(heats)
    found = []
    for heat in heats:
        entries = tuple(
            entry
            for entry in heat.entries
            if any(fnmatch.fnmatchcase(entry.name, f"{pattern}*") for pattern in patterns)
        )
        if entries:
            found.append(dataclasses.replace(heat, entries=entries))
    return found


def measure(heat: Heat, rounds: int, scale: float, before: str | None = None) -> list[Row]:
    """Have the contestants take turns, and make rows of what they did.

    Args:
        heat: the contestants.
        rounds: how often each has its turn, after a shorter one to warm up.
        scale: what its count is multiplied by.
        before: another interpreter, with another version of kkjupyter, that takes part, too.

    Raises:
        RuntimeError: a contestant ended, or did not do all that it was asked for.
    """
    count = max(heat.least, round(heat.count * scale))
    contestants: list[Contestant] = []
    for entry in heat.entries:
        contestants.append(entry.ours)
        if entry.yardstick is not None:
            contestants.append(entry.yardstick)
        if before is not None:
            contestants.append(entry.ours.with_python(before))
    samples = _race(list(dict.fromkeys(contestants)), count, max(heat.least, count // 10), rounds)
    return [_row(heat.unit, count, entry, samples, before) for entry in heat.entries]


def _race(
    contestants: Sequence[Contestant], count: int, warm_up: int, rounds: int
) -> dict[Contestant, list[Sample]]:
    with contextlib.ExitStack() as stack:
        servers: dict[Starter, Server] = {}
        runs: dict[Contestant, Callable[[int], Sample]] = {}
        for contestant in contestants:
            starter = contestant.server
            if starter is not None and starter not in servers:
                servers[starter] = stack.enter_context(starter.server())
            server = servers[starter] if starter is not None else None
            address = server.address if server is not None else ""
            client = stack.enter_context(contestant.client.client(address))
            runs[contestant] = _turn_of(contestant, client, server)
        for run in runs.values():
            run(warm_up)
        found: dict[Contestant, list[Sample]] = {contestant: [] for contestant in contestants}
        for number in range(rounds):
            # There and back, so that nobody is always first, or always after the same other.
            for contestant in contestants[:: -1 if number % 2 else 1]:
                found[contestant].append(runs[contestant](count))
        return found


def _turn_of(
    contestant: Contestant, client: Client, server: Server | None
) -> Callable[[int], Sample]:
    def run(count: int) -> Sample:
        begun_s = server.cpu_s() if server is not None else 0.0
        sample = client.run(count)
        if sample.count != count:
            raise RuntimeError(f"{contestant.client}: {sample.count} came of {count}")
        if server is None:
            return sample
        used_s = server.cpu_s() - begun_s
        return Sample(
            count=count,
            wall_s=sample.wall_s,
            cpu_s=sample.cpu_s,
            server_cpu_s=used_s,
            more=sample.more,
        )

    return run


def _row(
    unit: Unit,
    count: int,
    entry: Entry,
    samples: dict[Contestant, list[Sample]],
    before: str | None,
) -> Row:
    ours = samples[entry.ours]
    yardstick: Figures | None = None
    speed: Spread | None = None
    cpu: Spread | None = None
    if entry.yardstick is not None:
        theirs = samples[entry.yardstick]
        yardstick = figures_of(theirs)
        speed = paired(ours, theirs, lambda one, other: other.wall_s / one.wall_s)
        # The system counts a foreign process in hundredths of a second: a short run may take none.
        if all(sample.cpu_of(entry.side) for sample in theirs):
            cpu = paired(
                ours, theirs, lambda one, other: one.cpu_of(entry.side) / other.cpu_of(entry.side)
            )
    earlier: Figures | None = None
    since: Spread | None = None
    if before is not None:
        theirs = samples[entry.ours.with_python(before)]
        earlier = figures_of(theirs)
        since = paired(ours, theirs, lambda one, other: other.wall_s / one.wall_s)
    row = Row(
        name=entry.name,
        unit=unit,
        count=count,
        ours=figures_of(ours),
        yardstick=yardstick,
        speed=speed,
        cpu=cpu,
        before=earlier,
        since=since,
        more={name: Spread.of(one.more[name] for one in ours) for name in ours[0].more},
    )
    reached = [(promise, row.value_of(promise.figure)) for promise in entry.promises]
    broken = [
        f"{promise} ({value:.3g})" for promise, value in reached if not promise.is_kept(value)
    ]
    return msgspec.structs.replace(row, broken=broken)
