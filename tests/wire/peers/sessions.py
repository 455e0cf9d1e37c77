"""Reading recorded sessions: one file for each, a JSON line for each thing that was said in it.

Every line names its scenario. The first of a scenario is about it; those after it have ``dir``,
which is ``c2s`` or ``s2c``, and what went over the wire.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

__all__ = ["scenarios"]


def scenarios(session: Path) -> dict[str, list[dict[str, Any]]]:
    """The lines of each scenario, in the order of the file."""
    found: dict[str, list[dict[str, Any]]] = {}
    with session.open(encoding="utf-8") as lines:
        for line in map(json.loads, lines):
            found.setdefault(line["scenario"], []).append(line)
    return found
