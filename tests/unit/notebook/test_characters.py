"""What a terminal would obey is taken out of remote text."""

from __future__ import annotations

import pytest

from kkjupyter.notebook.characters import without_controls


@pytest.mark.parametrize(
    ("text", "bare"),
    [
        ("plain\ttext\n", "plain\ttext\n"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07after", "after"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b]52;c;clipboard", ""),
        ("a\x1bPq#0\x1b\\b", "ab"),
        ("over\rwritten\x08\x07", "overwritten"),
        ("\x9b31mred", "31mred"),
        ("\x1b", ""),
        ("\x1b(Bx\x1bcy", "xy"),
        ("é😀", "é😀"),
    ],
)
def test_control_sequences_are_stripped(text: str, bare: str) -> None:
    assert without_controls(text) == bare


def test_colours_can_be_kept() -> None:
    text = "\x1b[1;31mred\x1b[0m \x1b[2J\x1b]0;title\x07\x08end"
    assert without_controls(text, keep_colours=True) == "\x1b[1;31mred\x1b[0m end"
