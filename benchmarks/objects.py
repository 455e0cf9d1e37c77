"""What is left of calls that are over: our objects, counted after calls of every kind.

    python benchmarks/objects.py [--count 10000] [--only reverse]

Each kind of call is made ``count`` times over one connection; streams and what is slow a tenth as
often. Server and client run in this process, so that both sides are counted. ``after 10 %`` and
``after all`` are how many objects of the package's own classes are alive then, beyond those from
before the first call; ``per call`` is the growth in between. The newest traces (16 of a connection)
are kept on purpose.

The promise is: memory is flat. It exits with 1 where more than 0.01 objects are left of each call,
or 20 in all. A classic peer never says that it has forgotten a function: with a new one for each
call, up to 2,048 of them are kept, some three objects each.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from support.leftovers import GROUPS, growth_of

PER_CALL = 0.01
FEW = 20


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--count", type=int, default=10_000)
    arguments.add_argument("--only", default="", help="kinds whose name has this in it")
    options = arguments.parse_args()
    print("| kind of call | calls | after 10 % | after all | per call |\n|---|---|---|---|---|")
    worst = 0.0
    for group, (_, kinds) in GROUPS.items():
        for kind in kinds:
            name = f"{group}: {kind}"
            if options.only not in name:
                continue
            growth = growth_of(group, kind, options.count)
            if not (kind == "callback" and "classic" in group):
                worst = max(worst, growth.per_call)
            print(
                f"| {name} | {growth.calls:,} | {growth.early:+,} | {growth.late:+,} "
                f"| {growth.per_call:+.4f} |",
                flush=True,
            )
    return 1 if worst > max(PER_CALL, FEW / options.count) else 0


if __name__ == "__main__":
    sys.exit(main())
