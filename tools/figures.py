"""The figures of a run of the tests, gathered and compared with the committed baseline.

python tools/figures.py .artifacts/figures/2026-01-31T12-00-00.json      compare once more
python tools/figures.py --commit .artifacts/figures/....json             make it the baseline
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
BASELINE = ROOT / "tests" / "figures.json"
FOLDER = ROOT / ".artifacts" / "figures"
WARN_RATIO = 1.5
# Below this a figure is as good as nothing, and twice nothing is no news.
_FLOOR_MS = 2.0


def begin() -> Path:
    """Have the tests that are started from now on note their figures; returns where."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    path = FOLDER / time.strftime("%Y-%m-%dT%H-%M-%S.jsonl")
    os.environ["KK_FIGURES"] = str(path)
    return path


def gather(path: Path) -> Path | None:
    """Make one JSON file of what was noted; returns its path, None if there was nothing."""
    if not path.exists():
        return None
    noted: dict[str, list[float]] = defaultdict(list)
    for line in path.read_text(encoding="utf-8").splitlines():
        figure = json.loads(line)
        noted[figure["name"]].append(figure["ms"])
    path.unlink()
    figures = {
        name: {
            "median_ms": round(statistics.median(values), 2),
            "max_ms": max(values),
            "tries": len(values),
        }
        for name, values in sorted(noted.items())
    }
    load = os.getloadavg()[1] if hasattr(os, "getloadavg") else None
    gathered = path.with_suffix(".json")
    content = {"processors": os.cpu_count(), "load_5_min": load, "figures": figures}
    gathered.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return gathered


def compare(path: Path) -> list[str]:
    """A warning for each figure whose median is 1.5 times the baseline's or more."""
    baseline = _figures(BASELINE) if BASELINE.exists() else {}
    warnings = []
    for name, figure in _figures(path).items():
        if name not in baseline:
            continue
        was_ms = max(baseline[name]["median_ms"], _FLOOR_MS)
        ratio = figure["median_ms"] / was_ms
        if ratio >= WARN_RATIO:
            warnings.append(
                f"slower: {name}: {figure['median_ms']:g} ms, {ratio:.1f} times the baseline"
            )
    return warnings


def _figures(path: Path) -> dict[str, dict[str, Any]]:
    figures: dict[str, dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["figures"]
    return figures


def main() -> int:
    *options, name = sys.argv[1:] or ["--help"]
    if name == "--help" or options not in ([], ["--commit"]):
        print(__doc__)
        return 2
    print("\n".join(compare(Path(name))) or "no figure is 1.5 times the baseline or more")
    if options:
        BASELINE.write_text(Path(name).read_text(encoding="utf-8"), encoding="utf-8")
        print(f"{BASELINE.relative_to(ROOT)} is now this run")
    return 0


if __name__ == "__main__":
    sys.exit(main())
