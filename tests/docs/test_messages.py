"""The messages that the page on troubleshooting quotes are those of the code."""

from __future__ import annotations

import ast
import re
from functools import cache

import pytest

import kkjupyter

from .pages import DOCS, ROOT

PAGE = DOCS / "troubleshooting.md"
# Of Jupyter, or notations of the page.
NOT_OURS = {"Loading widget...", "Error displaying widget", "model not found", "$...$", "␛"}
ERRORS_OF_PYTHON = {"KeyboardInterrupt", "CancelledError"}
# Where a message is put together: at a colon, a sign of the state, a number, a call, the name of an
# error, an ellipsis of the page.
JOINT = re.compile(r"\w+Error: |: |[◌●✓■✕]|\d+ countdown\(5\)|\d[\d,]*|\.\.\.|…")
SCRIPT_TEXT = re.compile(r"\"[^\"\n]*\"|'[^'\n]*'|`[^`]*`")


def quoted() -> list[str]:
    """What the headings of the page have between backticks."""
    text = PAGE.read_text("utf-8")
    return [
        quote
        for heading in re.findall(r"^### (.*)$", text, re.MULTILINE)
        for quote in re.findall(r"`([^`]+)`", heading)
        if quote not in NOT_OURS
    ]


@cache
def texts_of_the_code() -> list[str]:
    """Every text of the package and its front end, except docstrings; values in it are cut out."""
    texts: list[str] = []
    for path in (ROOT / "kkjupyter").rglob("*.py"):
        nodes = list(ast.walk(ast.parse(path.read_text("utf-8"))))
        docstrings = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
        for node in nodes:
            if id(node) in docstrings:
                continue
            if isinstance(node, ast.JoinedStr):
                parts = [p.value if isinstance(p, ast.Constant) else "\0" for p in node.values]
                texts.append("".join(map(str, parts)))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                texts.append(node.value)
    for path in (ROOT / "labextension" / "src").rglob("*.ts"):
        texts += SCRIPT_TEXT.findall(path.read_text("utf-8"))
    return [text.replace("`", "") for text in texts]


@pytest.mark.parametrize("quote", quoted())
def test_a_quoted_message_is_one_of_the_code(quote: str) -> None:
    if hasattr(kkjupyter, quote) or quote in ERRORS_OF_PYTHON:
        return
    pieces = [piece for part in JOINT.split(quote) if len(piece := part.strip(" ,[]<>")) > 2]
    for piece in pieces or [quote]:
        assert any(piece in text for text in texts_of_the_code()), f"no message has {piece!r}"


def test_a_message_that_is_not_there_is_noticed() -> None:
    with pytest.raises(AssertionError, match="no message has"):
        test_a_quoted_message_is_one_of_the_code("... was never " + "made visible: do 3 things")
