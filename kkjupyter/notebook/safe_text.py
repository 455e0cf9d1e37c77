"""Makes remote text safe to show without changing what a reader sees."""

from __future__ import annotations

from kkjupyter.plaintext import encodable, printable

__all__ = ["PairJoiner", "rewritten", "whole"]


def rewritten(text: str) -> str:
    """``text`` as a terminal would finally show it: after ``\\r`` a line is overwritten.

    ``\\r\\n`` ends a line; the rest of a longer text stays after a shorter one.
    """
    if "\r" not in text:
        return text
    return "\n".join([_written_over(line) for line in text.split("\n")])


def _written_over(line: str) -> str:
    if "\r" not in line:
        return line
    shown = ""
    for written in reversed(line.split("\r")):  # the last text is on top
        if len(written) > len(shown):
            shown += written[len(shown) :]
    return shown


class PairJoiner:
    """Joins surrogate pairs that were cut when a text was split into items.

    JavaScript cuts strings between UTF-16 units ("😀"[0]), so half a character may arrive now and
    the other half with the next item. A half that stays alone becomes U+FFFD.
    """

    def __init__(self) -> None:
        self._high = ""

    def feed(self, text: str) -> str:
        """``text`` as far as it is complete, after the part held back before."""
        if self._high:
            text = self._high + text
            self._high = ""
        if text and "\ud800" <= text[-1] <= "\udbff":
            self._high = text[-1]
            text = text[:-1]
        return encodable(text)

    def flush(self) -> str:
        """U+FFFD if half a character is still waiting for its other half."""
        held, self._high = self._high, ""
        return "\ufffd" if held else ""


def whole(text: str) -> str:
    """``text`` made encodable: lone surrogates replaced, controls visible."""
    return printable(encodable(text))
