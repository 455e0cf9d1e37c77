"""``make fuzz`` and ``make soak`` for some seconds: they run, and nothing falls at once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

TOOLS = Path(__file__).resolve().parent.parent.parent / "tools"


def run(tool: str, *options: str) -> str:
    ended = subprocess.run(
        [sys.executable, str(TOOLS / tool), *options],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
        check=False,
    )
    said = ended.stdout + ended.stderr
    assert ended.returncode == 0, said[-3_000:]
    return said


def test_hostile_peers_beside_an_honest_client() -> None:
    # The limit is five times the real one: this machine may be busy with other tests.
    said = run("fuzz.py", "--seconds", "4", "--seed", "1", "--limit", "5")
    for figure in ("seed 1", "frames sent", "worst_s", "peak memory of the server", "nothing fell"):
        assert figure in said


def test_mixed_use() -> None:
    # A slope of a few seconds says nothing; that every action does what it should does.
    said = run("soak.py", "--seconds", "6", "--seed", "1", "--slope", "100000")
    for figure in ("actions", "client, MB a minute", "server, MB a minute", "nothing grew"):
        assert figure in said


def test_a_run_that_fails_says_how_to_repeat_it() -> None:
    ended = subprocess.run(
        [sys.executable, str(TOOLS / "fuzz.py"), "--seconds", "1", "--seed", "9", "--limit", "0"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 1
    assert "FAILED: the honest client" in ended.stderr
    assert "--seed 9" in ended.stderr
    frames = TOOLS.parent / ".artifacts" / "fuzz" / "9-frames.jsonl"
    assert frames.exists()
    frames.unlink()
