"""The real servers do not outlive who started them, however that ends."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from support.vovk.apps import NEW, OLD, App
from support.waiting import until

SCRIPT = """
import os, sys
sys.path.insert(0, sys.argv[1])
from support.vovk.apps import APPS, NextServer
server = NextServer({str(app): app for app in APPS}[sys.argv[2]], sys.argv[3])
print(server.pid, flush=True)
os._exit(1)
"""


@pytest.mark.parametrize(("app", "mode"), [(NEW, "start"), (OLD, "start"), (NEW, "dev")], ids=str)
def test_they_end_with_their_parent(app: App, mode: str) -> None:
    tests = Path(__file__).resolve().parents[2]
    argv = [sys.executable, "-c", SCRIPT, str(tests), str(app), mode]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=90, check=False)
    pid = int(done.stdout)

    def nobody_is_left() -> bool:
        # It leads a process group of its own, which what it starts belongs to.
        return not any(
            one.info["status"] != psutil.STATUS_ZOMBIE and _group(one) == pid
            for one in psutil.process_iter(["status"])
        )

    until(nobody_is_left, 10)


def _group(process: psutil.Process) -> int | None:
    try:
        return os.getpgid(process.pid)
    except ProcessLookupError:
        return None
