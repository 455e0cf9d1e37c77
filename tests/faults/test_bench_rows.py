"""``make bench`` with few items: each kind of contestant runs, and does all it is asked for."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

BENCH = Path(__file__).resolve().parent.parent.parent / "benchmarks" / "bench.py"
# Each role there is, and each way in which messages are made.
ROWS = (
    *("stream.compact-json.for", "stream.classic-superjson", "blobs.compact-json.async"),
    *("call.compact-json", "call.classic-superjson.await", "crowd.compact-json"),
    *("produce.compact-superjson", "produce.classic-json.gen", "vovk.lines", "import.load_ext"),
)


def run(*options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(BENCH), *options],
        capture_output=True,
        text=True,
        timeout=110,
        env={**os.environ, "KKRPC_PEERS": "", "PYTHONIOENCODING": "utf-8"},
        check=False,
    )


def test_rows_of_every_kind(tmp_path: Path) -> None:
    listed = run(*ROWS, "--list").stdout.split()
    path = tmp_path / "run.json"
    ended = run(*ROWS, "--rounds", "1", "--scale", "0.02", "--into", str(path))
    # 1 is for promises, which so few items on a busy machine need not keep.
    assert ended.returncode in (0, 1), ended.stderr
    head, *lines = ended.stdout.splitlines()
    assert head.startswith("row")
    assert [line.split()[0] for line in lines[: len(listed)]] == listed, ended.stderr
    assert len(listed) >= len(ROWS)
    again = run("--run", str(path), "--compare", str(path))
    assert f"0 of {len(listed)} rows are more than 5 % slower" in again.stdout, again.stderr


def test_a_name_that_no_row_has() -> None:
    ended = run("nothing")
    assert ended.returncode == 2
    assert "no row begins with nothing" in ended.stdout
