"""The sub-commands and options of ``%rpc``, declared once.

Parsing, help text, completion and "did you mean" all use the two tables in this module,
:data:`COMMANDS` and :data:`OPTIONS`. To add an option, add a row.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from kkjupyter.errors import UsageError
from kkjupyter.redaction import is_secret_name

__all__ = [
    "CALL",
    "COMMANDS",
    "OPTIONS",
    "Command",
    "Header",
    "Option",
    "Options",
    "help_text",
    "is_variable_name",
    "options_of",
]

CALL = "call"
"""The command of a line that is a Python expression; it has no word of its own."""


@dataclass(frozen=True, slots=True)
class Header:
    """One ``--header``: its value is either written out or the name of an environment variable.

    Attributes:
        name: the header's name, as written.
        value: the literal value, or the part before the variable (``"Bearer "``).
        env: the environment variable whose value is appended to ``value``, or None.
    """

    name: str
    value: str
    env: str | None = None


@dataclass(frozen=True, slots=True)
class Options:
    """The options of one ``%rpc`` line, with defaults for those that were not given."""

    view: str | None = None
    out: str | None = None
    background: bool = False
    take: int | None = None
    for_s: float | None = None
    keep: bool = False
    timeout_s: float | None = None
    no_raise: bool = False
    interpolate: bool = False
    trace: bool = False
    protocol: str | None = None
    codec: str | None = None
    schema: str | None = None
    headers: tuple[Header, ...] = ()
    token_env: str | None = None
    token_ask: bool = False
    force: bool = False
    all: bool = False
    help: bool = False


@dataclass(frozen=True, slots=True)
class Option:
    """A row of :data:`OPTIONS`.

    Attributes:
        name: as typed, ``"--view"``.
        field: its field in :class:`Options`.
        commands: the commands that take it.
        help: one line.
        metavar: the name of its value in the help, or None for a flag.
        convert: makes the value from the text; raises ValueError with a text that says what is
            expected.
        repeats: whether it may be given more than once; the values are collected.
    """

    name: str
    field: str
    commands: tuple[str, ...]
    help: str
    metavar: str | None = None
    convert: Callable[[str], Any] = str
    repeats: bool = False


@dataclass(frozen=True, slots=True)
class Command:
    """A row of :data:`COMMANDS`: how to write a sub-command, and what it does, in one line."""

    usage: str
    help: str


COMMANDS: dict[str, Command] = {
    "connect": Command(
        "connect URL [as NAME]", "connect to an endpoint; without NAME it is called `api`"
    ),
    "status": Command("status", "show open connections and calls, and streams on screen"),
    "cancel": Command("cancel [ID | --all]", "cancel a stream; the newest if no ID is given"),
    "show": Command("show ID", "show one more view of a running or finished stream"),
    "trace": Command(
        "trace on | off | last [NAME]",
        "show the frames on the wire: of the last call, or of every call from now on",
    ),
    "close": Command("close NAME", "close the connection behind NAME; its streams are cancelled"),
}


def _positive_number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise ValueError("a number of seconds above 0")
    return number


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise ValueError("a whole number above 0")
    return int(text)


def is_variable_name(text: str) -> bool:
    """Whether ``text`` can be the name of a variable; a keyword such as ``class`` cannot."""
    return text.isidentifier() and not keyword.iskeyword(text)


def _python_name(text: str) -> str:
    if not is_variable_name(text):
        raise ValueError("the name of a Python variable")
    return text


_FROM_ENV = re.compile(r"(?P<before>(?:[A-Za-z]+ +)?)env:(?P<env>[A-Za-z_][A-Za-z0-9_]*)")


def _header(text: str) -> Header:
    name, colon, value = text.partition(":")
    name, value = name.strip(), value.strip()
    if not colon or not name or not value:
        raise ValueError("'Name: value' or 'Name: env:VARIABLE'")
    found = _FROM_ENV.fullmatch(value)
    if found:
        return Header(name, found["before"], found["env"])
    if is_secret_name(name):
        raise UsageError(
            f"the value of {name} looks like a secret, and a notebook keeps what is typed in it; "
            f"use --token-env VARIABLE, --token-ask, or --header '{name}: env:VARIABLE'"
        )
    return Header(name, value)


_CONNECT = ("connect",)
_CALL = (CALL,)

_DECLARED = (
    Option(
        "--view",
        "view",
        (CALL, "show"),
        "how items are shown: auto, text, markdown, table, plot, progress, rich, latest, json, or "
        "your own",
        "NAME",
    ),
    Option("--out", "out", _CALL, "store the Reply in this variable", "NAME", _python_name),
    Option("--background", "background", _CALL, "return at once; the view stays live"),
    Option("--take", "take", _CALL, "end after this many items, as `break` would", "N", _count),
    Option(
        "--for",
        "for_s",
        _CALL,
        "end after this many seconds, as `break` would",
        "SECONDS",
        _positive_number,
    ),
    Option("--keep", "keep", _CALL, "keep the stream when this cell is run again"),
    Option(
        "--timeout",
        "timeout_s",
        (CALL, "connect"),
        "fail if no reply comes within this many seconds",
        "SECONDS",
        _positive_number,
    ),
    Option("--no-raise", "no_raise", _CALL, "show an error in the view, and let the cell go on"),
    Option("--trace", "trace", _CALL, "show the frames of this call and their content"),
    Option("--interpolate", "interpolate", _CALL, "in %%rpc: replace {name} in the text below"),
    Option(
        "--protocol",
        "protocol",
        _CONNECT,
        "classic (kkrpc 0.x) or compact (2.x); detected if not given",
        "NAME",
    ),
    Option("--codec", "codec", _CONNECT, "how values are sent: superjson or json", "NAME"),
    Option(
        "--schema",
        "schema",
        _CONNECT,
        "Vovk: a .vovk-schema folder or a vovk-metadata.json, or its URL",
        "PATH",
    ),
    Option(
        "--header",
        "headers",
        _CONNECT,
        "send this header; repeatable; 'X-Key: env:NAME' reads a variable",
        "'NAME: VALUE'",
        _header,
        repeats=True,
    ),
    Option(
        "--token-env", "token_env", _CONNECT, "the environment variable that holds the token", "VAR"
    ),
    Option("--token-ask", "token_ask", _CONNECT, "ask for the token; it is not stored"),
    Option("--force", "force", _CONNECT, "overwrite your variable of that name"),
    Option("--all", "all", ("cancel",), "cancel every stream"),
    Option("--help", "help", (CALL, *COMMANDS), "this text"),
)

OPTIONS: dict[str, Option] = {option.name: option for option in _DECLARED}


def options_of(command: str) -> list[Option]:
    """The options that ``command`` (a key of :data:`COMMANDS`, or :data:`CALL`) takes."""
    return [option for option in OPTIONS.values() if command in option.commands]


_EXAMPLES = """\
  %rpc connect demo as api               an endpoint started in this kernel
  %rpc connect ws://127.0.0.1:8765       the connection is called `api`
  %rpc connect nats://127.0.0.1:4222/lab.models --token-env NATS_TOKEN
  %rpc api.countdown(5)                  live in the cell, with a Cancel button
  %rpc api.ticks() --take 20             ends by itself: for Run All
  %rpc api.chat("Hi") --out reply        then reply.text, reply.items, reply.elapsed_s
  r = %rpc api.math.add(1, 2)

  %%rpc api.chat()                       the lines below are the last argument (Vovk: body=)
  Tell me a story."""


def help_text(command: str | None = None) -> str:
    """The text of ``%rpc --help``, for one command if it is named."""
    if command in COMMANDS:
        usage = f"%rpc {COMMANDS[command].usage}"
        options = _option_lines(command)
        lines = [f"{usage}  -  {COMMANDS[command].help}", *(["", "options:"] if options else [])]
        return "\n".join([*lines, *options])
    width = max(len(row.usage) for row in COMMANDS.values())
    commands = [f"  {row.usage:<{width}}  {row.help}" for row in COMMANDS.values()]
    return "\n".join(
        [
            "%rpc EXPRESSION [options]     call a remote method and show its items as they come",
            "%rpc COMMAND ...              the other commands",
            "",
            "examples:",
            _EXAMPLES,
            "",
            "options of a call:",
            *_option_lines(CALL),
            "",
            "commands:",
            *commands,
            "",
            "options of connect:",
            *_option_lines("connect"),
        ]
    )


def _option_lines(command: str) -> list[str]:
    rows = [option for option in options_of(command) if option.name != "--help"]
    heads = [f"{row.name} {row.metavar}" if row.metavar else row.name for row in rows]
    return [f"  {head:<24} {row.help}" for head, row in zip(heads, rows, strict=True)]
