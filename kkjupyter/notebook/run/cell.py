"""One execution of a cell: what a run belongs to."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Cell"]


@dataclass(frozen=True, slots=True)
class Cell:
    """One execution of a cell.

    Attributes:
        cell_id: the notebook's id for the cell; None where the front end does not say.
        source: its code.
        execution_count: which execution this is.
        header: of the message that asked for it; what it shows is sent in answer to that.
        over: set at its end: what still runs of it then runs in the background.
    """

    cell_id: str | None
    source: str
    execution_count: int
    header: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)
    over: threading.Event = field(default_factory=threading.Event, compare=False, repr=False)
