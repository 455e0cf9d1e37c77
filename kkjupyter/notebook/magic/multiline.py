"""``%rpc api.f(`` over several lines: a line magic that ends where its brackets do.

IPython ends a line magic with its line, so a call pasted from Python code would need a backslash on
each line. This is an input transformer, IPython's own mechanism for that.
"""

from __future__ import annotations

from tokenize import NEWLINE, TokenInfo
from typing import Any, Self

from IPython.core.inputtransformer2 import TokenTransformBase

__all__ = ["SpreadCall", "install", "uninstall"]

_NAME = "rpc"


class SpreadCall(TokenTransformBase):
    """A call over several lines, from its ``%`` to the line on which its brackets close.

    Args:
        start: row, from 1, and column of the ``%``.
        end: row of the end.
    """

    priority = TokenTransformBase.priority - 1  # before IPython's own, which sees only one line

    def __init__(self, start: tuple[int, int], end: int) -> None:
        super().__init__(start)  # type: ignore[no-untyped-call]
        self._end_line = end - 1

    @classmethod
    def find(cls, tokens_by_line: list[list[TokenInfo]]) -> Self | None:
        """The first such call in a cell; IPython asks again until there is none."""
        for line in tokens_by_line:
            index = _magic_in(line)
            # IPython's "lines" end where the brackets close, if they close.
            if index is not None and line[-1].type == NEWLINE and _is_spread(line[index:]):
                return cls(line[index].start, line[-1].start[0])
        return None

    def transform(self, lines: list[str]) -> list[str]:
        """The call on one line, with empty lines after it, so that line numbers stay the same."""
        before = lines[: self.start_line]
        indent = lines[self.start_line][: self.start_col]
        magic, *rest = lines[self.start_line : self._end_line + 1]
        text = "".join([magic[self.start_col + len(f"%{_NAME}") :], *rest]).strip()
        call = f"{indent}get_ipython().run_line_magic({_NAME!r}, {text!r})\n"
        return [*before, call, *["\n"] * len(rest), *lines[self._end_line + 1 :]]


def _magic_in(line: list[TokenInfo]) -> int | None:
    """The position of ``%rpc``: first in the line, or right of an ``=``."""
    is_first = True
    for index, token in enumerate(line[:-1]):
        if token.string == "%" and (is_first or line[index - 1].string == "="):
            name = line[index + 1]
            return index if name.string == _NAME and name.start == token.end else None
        is_first = is_first and not token.string.strip()
    return None


def _is_spread(line: list[TokenInfo]) -> bool:
    """Whether its brackets are still open at the end of its line."""
    first_row = line[0].start[0]
    depth = 0
    for token in line:
        if token.start[0] > first_row:
            return depth > 0
        depth += (token.string in ("(", "[", "{")) - (token.string in (")", "]", "}"))
        if depth > 0 and token.end[0] > first_row:  # a string in triple quotes
            return True
    return False


def install(shell: Any) -> None:
    """Make the shell accept such calls. Idempotent."""
    transformers = shell.input_transformer_manager.token_transformers
    if SpreadCall not in transformers:
        transformers.append(SpreadCall)


def uninstall(shell: Any) -> None:
    """Undo :func:`install`. Idempotent."""
    transformers = shell.input_transformer_manager.token_transformers
    if SpreadCall in transformers:
        transformers.remove(SpreadCall)
