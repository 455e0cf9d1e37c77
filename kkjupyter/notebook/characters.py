"""Making remote text safe to show without changing what a reader sees."""

from __future__ import annotations

import re

from kkjupyter.errors import encodable

__all__ = ["PairJoiner", "printable", "rewritten", "whole", "without_controls"]

# Terminals act on C0, DEL and C1 controls; tab and line ends are text. Unicode has a picture for
# each of C0 and DEL ("␛"); C1 has none.
_PICTURES = {
    **{code: chr(0x2400 + code) for code in range(0x20) if chr(code) not in "\t\n\r"},
    0x7F: "␡",
    **dict.fromkeys(range(0x80, 0xA0), "\ufffd"),
}


def printable(text: str) -> str:
    """``text`` with each control character replaced by a visible one of the same length."""
    return text if text.isprintable() else text.translate(_PICTURES)


def rewritten(text: str) -> str:
    """``text`` as a terminal would show it in the end: after ``\\r`` a line is written over.

    ``\\r\\n`` is the end of a line, and what a shorter text does not reach of a longer one stays.
    """
    if "\r" not in text:
        return text
    return "\n".join([_written_over(line) for line in text.split("\n")])


def _written_over(line: str) -> str:
    if "\r" not in line:
        return line
    shown = ""
    for written in reversed(line.split("\r")):  # what came last lies on top
        if len(written) > len(shown):
            shown += written[len(shown) :]
    return shown


class PairJoiner:
    """Joins surrogate pairs that were cut in two by whoever split the text into items.

    JavaScript cuts strings between UTF-16 units ("😀"[0]), so half a character may arrive now and
    the other half with the next item. A half that stays alone becomes U+FFFD.
    """

    def __init__(self) -> None:
        self._high = ""

    def feed(self, text: str) -> str:
        """``text`` as far as it is complete, with what was held back before it."""
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
    """``text`` as something that can be encoded: lone surrogates replaced, controls visible."""
    return printable(encodable(text))


_COLOUR = r"\x1b\[[0-9;]*m"
_CONTROL = r"""\x1b\[[0-?]*[ -/]*[@-~]                   # CSI: cursor, erasing
             | \x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\|$)  # OSC, DCS, ...: titles, links, clipboard
             | \x1b[ -/]*[0-~]?                          # any other escape
             | [\x00-\x08\x0b-\x1f\x7f-\x9f]            # lone controls, but tab and newline
"""
_ANY_CONTROL = re.compile(_CONTROL, re.VERBOSE)
_ALL_BUT_COLOUR = re.compile(f"({_COLOUR}) | {_CONTROL}", re.VERBOSE)


def without_controls(text: str, *, keep_colours: bool = False, keep_returns: bool = False) -> str:
    """``text`` without what a terminal would obey; tabs and newlines stay.

    Args:
        text: anybody's.
        keep_colours: sequences that only set colours stay, too.
        keep_returns: so do carriage returns: a line may be written over.
    """
    if text.isprintable():
        return text
    if keep_returns:
        return "\r".join([_ANY_CONTROL.sub("", piece) for piece in text.split("\r")])
    if keep_colours:
        return _ALL_BUT_COLOUR.sub(lambda found: found[1] or "", text)
    return _ANY_CONTROL.sub("", text)
