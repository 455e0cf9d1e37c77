"""What an import of this package takes, beyond that of IPython.

    python benchmarks/imports.py [--rounds 9]

Each row is a fresh interpreter, started in turn with those of the other rows; wall and CPU time are
medians. ``beyond`` is the CPU time beyond the row's baseline. Files are read from the cache of the
operating system: right after a start of the machine, imports take several times as long.

Where ``PYTHONDONTWRITEBYTECODE`` is set, the package must be installed by pip, which compiles it.

The promise is: beyond IPython alone, ``import kkjupyter`` takes less than 0.15 s. It exits with 1
where it takes more.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from typing import NamedTuple

LIMIT_S = 0.15

_PLAIN = "from IPython.core.interactiveshell import InteractiveShell as S; s = S.instance()"
_TERMINAL = (
    "from IPython.terminal.interactiveshell import TerminalInteractiveShell as S; "
    "s = S.instance(simple_prompt=True)"
)
_KERNEL = (
    "import ipykernel.ipkernel; from ipykernel.zmqshell import ZMQInteractiveShell as S; "
    "s = S.instance()"
)
_LOAD = "s.run_line_magic('load_ext', 'kkjupyter')"

# name, code, name of the baseline
CASES = (
    ("python", "pass", ""),
    ("import IPython", "import IPython", "python"),
    ("import kkjupyter", "import kkjupyter", "python"),
    ("both", "import IPython, kkjupyter", "import IPython"),
    ("kk.connect", "import kkjupyter as kk; kk.connect", "python"),
    ("shell", _PLAIN, "python"),
    ("shell, %load_ext", f"{_PLAIN}; {_LOAD}", "shell"),
    ("terminal", _TERMINAL, "python"),
    ("terminal, %load_ext", f"{_TERMINAL}; {_LOAD}", "terminal"),
    ("kernel", _KERNEL, "python"),
    ("kernel, %load_ext", f"{_KERNEL}; {_LOAD}", "kernel"),
)

_TELL = "import time as _t; print(_t.process_time())"


class Took(NamedTuple):
    wall_s: float
    cpu_s: float


def took(code: str) -> Took:
    """What a fresh interpreter takes for ``code``, with its own start."""
    began_s = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{_TELL}"], capture_output=True, text=True, check=True
    )
    return Took(time.perf_counter() - began_s, float(done.stdout.split()[-1]))


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rounds", type=int, default=9, help="interpreters for each row")
    options = arguments.parse_args()
    samples: dict[str, list[Took]] = {name: [] for name, _, _ in CASES}
    for number in range(options.rounds + 1):
        for name, code, _ in CASES:
            sample = took(code)
            if number:  # the first may have written what was compiled
                samples[name].append(sample)
    median = {
        name: Took(*(statistics.median(column) for column in zip(*rows, strict=True)))
        for name, rows in samples.items()
    }
    print("| | wall, ms | CPU, ms | beyond, ms | of |\n|---|---|---|---|---|")
    for name, _, baseline in CASES:
        row = median[name]
        beyond = f"{(row.cpu_s - median[baseline].cpu_s) * 1e3:.0f}" if baseline else ""
        print(
            f"| {name} | {row.wall_s * 1e3:.0f} | {row.cpu_s * 1e3:.0f} | {beyond} | {baseline} |"
        )
    return 1 if median["both"].cpu_s - median["import IPython"].cpu_s > LIMIT_S else 0


if __name__ == "__main__":
    sys.exit(main())
