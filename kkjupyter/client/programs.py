"""Turns a command that a user gives as a target into a function that starts the program."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from kkjupyter.errors import UsageError
from kkjupyter.transports.base import Transport
from kkjupyter.transports.stdio.client import spawn_stdio
from kkjupyter.transports.stdio.commands import command_url

__all__ = ["OPTIONS", "command_dial", "looks_like_command"]

OPTIONS = ("cwd", "env")
"""The options of a connection that only a command can have."""


def command_dial(
    command: list[Any] | tuple[Any, ...], options: Mapping[str, Any]
) -> tuple[str, Callable[[], Awaitable[Transport]]]:
    """A program's name in messages, and a function that starts it.

    Args:
        command: the program and its arguments; paths are taken as text.
        options: as for :func:`kkjupyter.connect`.

    Raises:
        UsageError: an argument is not valid.
    """
    command = [os.fspath(part) if isinstance(part, os.PathLike) else part for part in command]
    env = options.get("env")
    if not command:
        raise UsageError("the command is empty; it looks like ['node', 'server.mjs']")
    for index, part in enumerate(command):
        # The value itself may be a secret.
        if not isinstance(part, str):
            hint = "; use str(...)" if isinstance(part, int | float) else ""
            raise UsageError(
                f"part {index + 1} of the command must be text, not a {_kind(part)}{hint}"
            )
        _check_text(f"part {index + 1} of the command", part)
    if not command[0].strip():
        raise UsageError("the command has no program; it looks like ['node', 'server.mjs']")
    if env is not None:
        if not isinstance(env, Mapping):
            raise UsageError(f"env must be a mapping of names to values, not a {_kind(env)}")
        for name, value in env.items():
            if not isinstance(name, str) or not isinstance(value, str):
                raise UsageError(f"env: {name!r} must be text with a text value")
            if not name or "=" in name:
                raise UsageError(f"env: {name!r} cannot be the name of a variable")
            _check_text(f"env: the name {name!r}", name)
            _check_text(f"env: the value of {name!r}", value)
    cwd = options.get("cwd")
    if cwd is not None:
        if not isinstance(cwd, str | os.PathLike):
            raise UsageError(f"cwd must be a path, not a {_kind(cwd)}")
        cwd = os.path.expanduser(os.fsdecode(cwd))
        _check_text("cwd", cwd)
    sent_env = dict(env) if env else None

    async def dial() -> Transport:
        return await spawn_stdio(command, env=sent_env, cwd=cwd)

    return command_url(command), dial


def looks_like_command(text: str) -> bool:
    """Whether a string given as an address is a command line."""
    words = text.split()
    return len(words) > 1 and "://" not in words[0]


def _check_text(what: str, text: str) -> None:
    """Check that it is text that an operating system accepts."""
    if "\0" in text:
        raise UsageError(f"{what} contains a null character")
    try:
        os.fsencode(text)
    except UnicodeEncodeError as exc:
        raise UsageError(f"{what} contains characters that cannot be passed on") from exc


def _kind(value: Any) -> str:
    return type(value).__name__
