"""Splits a ``%rpc`` line into words and options like a shell; errors show a caret."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from kkjupyter.bus.addresses import is_bus_address
from kkjupyter.errors import UsageError, did_you_mean
from kkjupyter.notebook.magic.options import CALL, OPTIONS, Options, options_of
from kkjupyter.redaction import is_secret_name

__all__ = ["pointing_at", "refuse_secret_urls", "words_and_options"]

# How much of a long line is shown on either side of an error.
_SHOWN_CHARS = 76
_WORD = re.compile(r"""(?:[^\s"'#]|(?<=\S)\#|"(?:[^"\\]|\\.)*"|'[^']*')+""")


def _words(line: str, start: int, magic: str) -> Iterator[tuple[str, int]]:
    """Words as a shell would split them, each with its offset; a comment ends them."""
    position = start
    while position < len(line):
        if line[position].isspace():
            position += 1
            continue
        if line[position] == "#":
            return
        found = _WORD.match(line, position)
        if found is None:
            raise pointing_at("a quote is not closed", line, position, magic)
        rest = line[found.end() : found.end() + 1]
        if rest and not rest.isspace():
            raise pointing_at("a quote is not closed", line, found.end(), magic)
        yield _unquote(found[0]), position
        position = found.end()


_QUOTED = re.compile(r""""((?:[^"\\]|\\.)*)"|'([^']*)'""")


def _unquote(word: str) -> str:
    def bare(found: re.Match[str]) -> str:
        if found[1] is not None:
            return re.sub(r'\\(["\\])', r"\1", found[1])
        return found[2]

    return _QUOTED.sub(bare, word)


def words_and_options(command: str, line: str, start: int, magic: str) -> tuple[list[str], Options]:
    """Split what follows the command or expression into plain words and options."""
    words: list[str] = []
    given: dict[str, Any] = {}
    stream = _words(line, start, magic)
    for word, offset in stream:
        if not word.startswith("--"):
            words.append(word)
            continue
        name, equals, inline = word.partition("=")
        option = OPTIONS.get(name)
        if option is None:
            hint = did_you_mean(name, [known.name for known in options_of(command)])
            raise pointing_at(f"unknown option {name}{hint}", line, offset, magic)
        if command not in option.commands:
            where = " and ".join(_spoken(other) for other in option.commands)
            raise pointing_at(f"{name} belongs to {where}", line, offset, magic)
        if option.metavar is None:
            if equals:
                raise pointing_at(f"{name} takes no value", line, offset, magic)
            given[option.field] = True
            continue
        text, at = (inline, offset) if equals else next(stream, ("", len(line)))
        if not text or (not equals and text.startswith("--")):
            raise pointing_at(f"{name} needs a value: {name} {option.metavar}", line, at, magic)
        try:
            value = option.convert(text)
        except ValueError as error:
            raise pointing_at(f"{name} needs {error}, not {text!r}", line, at, magic) from None
        if option.repeats:
            given[option.field] = (*given.get(option.field, ()), value)
        elif option.field in given:
            raise pointing_at(f"{name} is given twice", line, offset, magic)
        else:
            given[option.field] = value
    return words, Options(**given)


def _spoken(command: str) -> str:
    return "a call" if command == CALL else f"`%rpc {command}`"


def refuse_secret_urls(words: list[str]) -> None:
    """Raise UsageError for an address with a password or token in it."""
    for word in words:
        if "://" not in word:
            continue
        try:
            parts = urlsplit(word)
        except ValueError:  # not an address, as will be reported where it is used
            continue
        secret = [name for name, _ in parse_qsl(parts.query) if is_secret_name(name)]
        is_token = is_bus_address(word) and bool(parts.username)  # to a broker it is one
        if secret or parts.password or is_token:
            what = f"the parameter {secret[0]!r}" if secret else "the password or token"
            what += " in the URL"
            raise UsageError(
                f"{what} looks like a secret, and a notebook keeps what is typed in it; leave it "
                "out and use --token-env VARIABLE, --token-ask, or --header 'X-Key: env:VARIABLE'"
            )


def pointing_at(message: str, line: str, column: int, magic: str) -> UsageError:
    """An error that shows the line, or a part of a long one, with a caret under the place."""
    before = line[:column]
    row_start = before.rfind("\n") + 1
    row = line[row_start:].split("\n", 1)[0]
    head = f"{magic} " if row_start == 0 else ""
    shown = head + row.lstrip() if row_start == 0 else row
    lost = len(row) - len(row.lstrip()) if row_start == 0 else 0
    at = len(head) + max(0, column - row_start - lost)
    if at > _SHOWN_CHARS:
        cut = at - _SHOWN_CHARS // 2
        shown, at = f"... {shown[cut:]}", at - cut + len("... ")
    if len(shown) > at + _SHOWN_CHARS:
        shown = f"{shown[: at + _SHOWN_CHARS]} ..."
    caret = " " * at + "^"
    return UsageError(f"{message}\n  {shown}\n  {caret}")
