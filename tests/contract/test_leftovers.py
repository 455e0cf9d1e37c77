"""Memory is flat: a call that is over leaves nothing behind, however it was made and ended."""

from __future__ import annotations

import pytest
from support.leftovers import GROUPS, left_by

CALLS = 60
"""Of each kind. A leak of one object for each call of one kind alone shows as that many."""


@pytest.mark.parametrize("group", GROUPS)
def test_calls_that_are_over_leave_nothing_behind(group: str) -> None:
    left, shown = left_by(group, CALLS)
    assert left < CALLS * 0.8, f"{left} more objects after {CALLS} calls of each kind: {shown}"
