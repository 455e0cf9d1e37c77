"""The yardstick: how fast kkjupyter is, beside the least that could do the same.

    python benchmarks/bench.py [NAME ...] [--compare RUN.json] [--before PYTHON]

Contestants are processes of their own and take turns; medians of at least five rounds are printed
as a table and written as JSON into .artifacts/bench. NAME is the beginning of rows' names and may
have ``*`` in it (``stream``, ``call.*.await``); ``--list`` prints them. The figures mean something
only on a machine that does nothing else.

The yardstick of a row is what somebody would write by hand over ``websockets`` (or aiohttp) and
msgspec, without any of what makes it usable. Its ``speed`` is ours as a share of that, of runs next
to each other. Rows with KKRPC_PEERS: see tests/peers/README.md.

``--compare`` takes an earlier run and marks rows that are more than 5 % slower; ``--before`` takes
another interpreter with another version of kkjupyter, whose contestants run between ours: more
exact, since whatever slows the machine down hits both. It exits with 1 where a row is slower or a
promise is not kept.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import platform
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from yardstick import imports, kkrpc, peers, tables, vovk
from yardstick.figures import SLOWER, Row, Run, changes, merged, read_run, write_run
from yardstick.races import Heat, chosen, measure

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / ".artifacts" / "bench"
PAGE = ROOT / "docs" / "speed.md"
LEAST_ROUNDS = 5
PACKAGES = ("kkjupyter", "websockets", "msgspec", "aiohttp", "ipython")


def main() -> int:
    """The command line."""
    options = _parser().parse_args()
    heats = chosen([*kkrpc.heats(), *vovk.heats(), *imports.heats(), *peers.heats()], options.names)
    if options.list:
        print("\n".join(entry.name for heat in heats for entry in heat.entries))
        return 0
    if options.run:
        run = merged([read_run(path) for path in options.run])
    else:
        if not heats:
            print(f"no row begins with {' or '.join(options.names)}; --list prints them all")
            return 2
        run = _measured(heats, options)
    print(tables.table(run.rows))
    is_well = _tell_promises(run.rows)
    if options.before:
        is_well = not _slower_since(run.rows) and is_well
    if options.compare is not None:
        found = changes(read_run(options.compare), run)
        print(f"\nbeside {options.compare}:\n{tables.change_table(found)}")
        slower = [change.name for change in found if change.is_slower]
        print(f"{len(slower)} of {len(found)} rows are more than 5 % slower")
        is_well = not slower and is_well
    if options.docs:
        PAGE.write_text(tables.replaced(PAGE.read_text(encoding="utf-8"), run), encoding="utf-8")
        print(f"{PAGE.relative_to(ROOT)} has these figures now")
    return 0 if is_well else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="beginnings of rows' names")
    parser.add_argument("--list", action="store_true", help="print the names; measure nothing")
    parser.add_argument("--rounds", type=int, default=LEAST_ROUNDS, help="turns of each contestant")
    parser.add_argument(
        "--scale", type=float, default=1.0, help="multiplies all counts; for a first look"
    )
    parser.add_argument(
        "--before",
        type=os.path.abspath,
        metavar="PYTHON",
        help="an interpreter with another kkjupyter",
    )
    parser.add_argument("--compare", type=Path, metavar="RUN", help="an earlier run's JSON")
    parser.add_argument(
        "--run",
        type=Path,
        action="append",
        metavar="RUN",
        help="take this run's JSON; measure nothing; of several, the rows of later ones count",
    )
    parser.add_argument("--into", type=Path, metavar="FILE", help="where the JSON goes")
    parser.add_argument("--docs", action="store_true", help="put the table into docs/speed.md")
    return parser


def _measured(heats: Sequence[Heat], options: argparse.Namespace) -> Run:
    began, begun_s = datetime.now(UTC), time.monotonic()
    run = Run(
        began=began.isoformat(timespec="seconds"),
        took_s=0.0,
        rounds=options.rounds,
        scale=options.scale,
        machine=_machine(),
        rows=[],
    )
    path = options.into or FOLDER / f"{began:%Y-%m-%dT%H-%M-%S}.json"
    for heat in heats:
        rows = measure(heat, options.rounds, options.scale, options.before)
        took_s = round(time.monotonic() - begun_s, 1)
        run = msgspec.structs.replace(run, rows=[*run.rows, *rows], took_s=took_s)
        write_run(run, path)  # so that a run that is broken off is not lost
        for row in rows:
            print(f"{took_s:5.0f} s  {row.name}", file=sys.stderr, flush=True)
    print(f"{path}\n", file=sys.stderr)
    return run


def _machine() -> dict[str, str]:
    facts = {
        "Python": platform.python_version(),
        "processors": str(os.cpu_count()),
        "system": f"{platform.system()} {platform.machine()}",
    }
    if hasattr(os, "getloadavg"):
        facts["load"] = f"{os.getloadavg()[0]:.1f}"
    facts |= {name: importlib.metadata.version(name) for name in PACKAGES}
    git = ["git", "describe", "--always", "--dirty"]
    found = subprocess.run(git, cwd=ROOT, capture_output=True, text=True, check=False)
    return facts | ({"commit": found.stdout.strip()} if found.returncode == 0 else {})


def _tell_promises(rows: Sequence[Row]) -> bool:
    broken = [f"{row.name}: {promise}" for row in rows for promise in row.broken]
    for promise in broken:
        print(f"NOT KEPT: {promise}")
    return not broken


def _slower_since(rows: Sequence[Row]) -> list[str]:
    slower = [row.name for row in rows if row.since is not None and row.since.median < SLOWER]
    print(f"{len(slower)} of {len(rows)} rows are more than 5 % slower than before")
    return slower


if __name__ == "__main__":
    sys.exit(main())
