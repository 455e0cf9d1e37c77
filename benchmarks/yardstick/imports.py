"""Rows about the start: what `import kkjupyter` and `%load_ext kkjupyter` take where IPython is.

Each time in a fresh interpreter in which a shell of IPython's is up; only what comes after that
counts. What IPython itself took is told beside it.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator

from yardstick.figures import Sample
from yardstick.programs import our_program
from yardstick.races import Contestant, Entry, Heat

__all__ = ["heats", "starting"]

STATEMENTS = {
    "kkjupyter": "import kkjupyter",
    "load_ext": "shell.run_line_magic('load_ext', 'kkjupyter')",
}
CODE = """
import json, time
began_s = time.perf_counter()
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
wall_s, cpu_s = time.perf_counter(), time.process_time()
{statement}
print(json.dumps([time.perf_counter() - wall_s, time.process_time() - cpu_s, wall_s - began_s]))
"""


def heats() -> Iterator[Heat]:
    """One, with both."""
    entries = tuple(
        Entry(f"import.{name}", Contestant(our_program("imports:starting", name=name)))
        for name in STATEMENTS
    )
    yield Heat(entries, "import", 1)


@contextlib.contextmanager
def starting(name: str) -> Iterator[Callable[[int], Sample]]:
    """Start an interpreter and see what a statement takes."""
    code = CODE.format(statement=STATEMENTS[name])
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"IPYTHONDIR": folder}

        def run(count: int) -> Sample:
            walls_s, cpus_s, shells_s = [], [], []
            for _ in range(count):
                ended = subprocess.run(
                    [sys.executable, "-c", code],
                    env=environment,
                    stdout=subprocess.PIPE,
                    check=True,
                )
                wall_s, cpu_s, shell_s = json.loads(ended.stdout)
                walls_s.append(wall_s)
                cpus_s.append(cpu_s)
                shells_s.append(shell_s)
            more = {"IPython alone, ms": sum(shells_s) / count * 1000}
            return Sample(count=count, wall_s=sum(walls_s), cpu_s=sum(cpus_s), more=more)

        yield run
