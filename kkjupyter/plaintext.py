"""Makes a peer's text harmless; all rules about that are in this module.

A terminal obeys control sequences: they move the cursor, set titles, write the clipboard (OSC 52),
and ask questions whose answers are typed into the shell. A kernel cannot send half a surrogate
pair. A line of a log or of an error can be made to read backwards, or to look like two lines.

Which function is used where:

- errors, titles, names, log lines: :func:`plain`, also :func:`one_line`, :class:`PlainRecords`;
- values, where a terminal shows them: :func:`without_controls`;
- values in the page, where each character has its place: :func:`printable`;
- frames, in a trace or an error: :func:`readable`.

Overrides of the direction (U+202A to U+202E, U+2066 to U+2069) are removed from everything that is
not a value: beside our own words they can make a text look like another. In values they stay,
because Hebrew and Arabic are written with them, and each value is shown separately. The marks
U+200E, U+200F and U+061C have no effect beyond their neighbours and stay everywhere.
"""

from __future__ import annotations

import logging
import re
from typing import Final

__all__ = [
    "PlainRecords",
    "encodable",
    "one_line",
    "plain",
    "printable",
    "readable",
    "undirected",
    "without_controls",
]

# Each match ends at the next escape: otherwise, with many unclosed ones, each would be searched to
# the end of the text. Even if a sequence is cut in two (by the end of an item, or by a control in
# the middle), no escape is left over.
_COLOUR: Final = r"\x1b\[[0-9;]*m"
_CONTROL: Final = r"""\x1b\[[0-?]*[ -/]*[@-~]               # CSI: cursor, erasing, modes
             | \x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\|\Z)  # OSC, DCS, ...: titles, links, clipboard
             | \x1b[ -/]*[0-~]?                            # any other escape
             | [\x00-\x08\x0b-\x1f\x7f-\x9f]              # lone controls, but tab and newline
"""
_ANY_CONTROL: Final = re.compile(_CONTROL, re.VERBOSE)
_ALL_BUT_COLOUR: Final = re.compile(f"({_COLOUR}) | {_CONTROL}", re.VERBOSE)
_DIRECTIONS: Final = re.compile("[\u202a-\u202e\u2066-\u2069]")

# Tab and line ends are text. Unicode has a picture for each of C0 and DEL ("␛"); C1 has none.
_PICTURES: Final = {
    **{code: chr(0x2400 + code) for code in range(0x20) if chr(code) not in "\t\n\r"},
    0x7F: "␡",
    **dict.fromkeys(range(0x80, 0xA0), "\ufffd"),
}


def encodable(text: str) -> str:
    """``text`` with U+FFFD for each lone half of a character, as JavaScript may send it.

    A kernel cannot send one to the page, and would not even report an error.
    """
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def without_controls(text: str, *, keep_colours: bool = False, keep_returns: bool = False) -> str:
    """``text`` without control sequences; tabs and newlines stay.

    Args:
        text: text from any source.
        keep_colours: whether sequences that only set colours stay, too.
        keep_returns: whether carriage returns stay, too, so that a line may be overwritten.
    """
    if text.isprintable():
        return text
    if keep_returns:
        return "\r".join([_ANY_CONTROL.sub("", piece) for piece in text.split("\r")])
    text = text.replace("\r\n", "\n")
    if keep_colours:
        return _ALL_BUT_COLOUR.sub(lambda found: found[1] or "", text)
    return _ANY_CONTROL.sub("", text)


def plain(text: str) -> str:
    """``text`` for an error, a title or a name: encodable, no controls, one direction.

    Tabs and newlines stay.
    """
    if text.isprintable():  # controls and halves of characters are not
        return text
    return undirected(without_controls(encodable(text)))


def undirected(text: str) -> str:
    """``text`` without overrides of the writing direction."""
    return text if text.isprintable() else _DIRECTIONS.sub("", text)


def one_line(text: str) -> str:
    """``text`` with an escape (``\\n``, ``\\x1b``) for each character that is not printable.

    For a line of a log, into which no one else must be able to write separate lines.
    """
    if text.isprintable():
        return text
    return "".join([char if char.isprintable() else ascii(char)[1:-1] for char in text])


def printable(text: str) -> str:
    """``text`` with each control character replaced by a visible one of the same length."""
    return text if text.isprintable() else text.translate(_PICTURES)


def readable(text: str, *, keep_lines: bool = True) -> str:
    """``text`` with U+FFFD for whatever is not printable.

    Args:
        text: anybody's.
        keep_lines: whether tabs and newlines stay.
    """
    if text.isprintable():  # most are, and a peer can send thousands of them
        return text
    kept = "\n\t" if keep_lines else ""
    return "".join([char if char.isprintable() or char in kept else "\ufffd" for char in text])


class PlainRecords(logging.Filter):
    """Turns the records of our loggers into plain text; drops none.

    A value for ``%s`` becomes one line. The text of a traceback with controls (an error's text may
    be a client's) is made here, because a formatter would use it unchanged.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(
                [one_line(arg) if isinstance(arg, str) else arg for arg in record.args]
            )
        if record.exc_info and not record.exc_text:
            text = _FORMATTER.formatException(record.exc_info)
            if (cleaned := plain(text)) != text:
                record.exc_text = cleaned
        return True


_FORMATTER: Final = logging.Formatter()
