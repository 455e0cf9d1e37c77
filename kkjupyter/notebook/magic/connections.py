"""The connections made by ``%rpc connect``, by the names of their variables."""

from __future__ import annotations

import getpass
import os
from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Any

from kkjupyter.api import functions
from kkjupyter.client.remote import Remote, describe
from kkjupyter.demo import demo
from kkjupyter.errors import UsageError, did_you_mean
from kkjupyter.notebook.magic.options import Options, is_variable_name
from kkjupyter.notebook.run.registry import registry
from kkjupyter.notebook.run.run import Run
from kkjupyter.server.server import Server

__all__ = ["Connections"]

_DEFAULT_NAME = "api"
_SETTLE_S = 1.0


@dataclass
class _Entry:
    target: str
    options: Options
    remote: Remote
    server: Server | None


class Connections:
    """Implements ``%rpc connect`` and ``%rpc close``.

    Args:
        namespace: the user's variables.
    """

    def __init__(self, namespace: MutableMapping[str, Any]) -> None:
        self._namespace = namespace
        self._entries: dict[str, _Entry] = {}

    @property
    def names(self) -> list[str]:
        """The variables that hold a connection, made here or by ``kk.connect``."""
        return sorted(
            name
            for name, value in self._namespace.items()
            if isinstance(value, Remote) and not name.startswith("_") and not describe(value).path
        )

    def connect(self, words: tuple[str, ...], options: Options) -> str:
        """Connect for ``URL [as NAME]``; returns the text for the user.

        Raises:
            UsageError: the words are not valid, or NAME is another variable of the user's.
            ConnectError: it cannot be reached.
        """
        target, name = _target_and_name(words)
        entry = self._entries.get(name)
        present = self._namespace.get(name)
        holds_ours = entry is not None and present is entry.remote
        is_free = name not in self._namespace or holds_ours or _is_closed(present)
        if not is_free and not options.force:
            raise UsageError(
                f"{name} is already a variable of yours ({type(present).__name__}); choose "
                f"another name (`%rpc connect {target} as NAME`) or add --force"
            )
        same = entry is not None and (entry.target, _compared(entry.options)) == (
            target,
            _compared(options),
        )
        if entry is not None and holds_ours and same and not _is_closed(entry.remote):
            return f"{name} is connected: {_in_words(entry.remote)}"
        # Connect first: if that fails, the old connection is still there.
        made = _make(target, options)
        ended = self._forget(name) if entry is not None else []
        self._entries[name] = made
        self._namespace[name] = made.remote
        replaced = f" (replaced; ended: {', '.join(ended)})" if ended else ""
        return f"{name} is connected: {_in_words(made.remote)}{replaced}"

    def close(self, words: tuple[str, ...]) -> str:
        """Close the connection in ``NAME``; returns the text for the user.

        Raises:
            UsageError: there is no connection of that name.
        """
        if len(words) != 1:
            raise UsageError(f"name the connection: `%rpc close NAME` (connected: {self._known()})")
        name = words[0]
        remote = self._namespace.get(name)
        if not isinstance(remote, Remote):
            hint = did_you_mean(name, self.names)
            raise UsageError(f"{name!r} is not a connection{hint} (connected: {self._known()})")
        if _is_closed(remote):
            return f"{name} is already closed"
        entry = self._entries.get(name)
        if entry is not None and entry.remote is remote:
            ended = self._forget(name)
        else:
            ended = _ended_by(remote, None)
        return f"{name} is closed" + (f"; ended: {', '.join(ended)}" if ended else "")

    def close_all(self) -> None:
        """Close every connection made here."""
        for name in list(self._entries):
            self._forget(name)

    def _known(self) -> str:
        return ", ".join(self.names) or "none"

    def _forget(self, name: str) -> list[str]:
        entry = self._entries.pop(name)
        return _ended_by(entry.remote, entry.server)


def _is_closed(value: Any) -> bool:
    return isinstance(value, Remote) and describe(value).state == "closed"


def _ended_by(remote: Remote, server: Server | None) -> list[str]:
    """Close these; returns the titles of the shown streams that ended with them."""
    running = registry.running()
    functions.close(remote)
    if server is not None:
        functions.close(server)
    return [run.title for run in running if _ends(run)]


def _ends(run: Run) -> bool:
    # Its feed ends with the connection; its last output takes a moment longer.
    return run.feed.finished and run.wait(_SETTLE_S)


def _target_and_name(words: tuple[str, ...]) -> tuple[str, str]:
    match words:
        case (target,):
            name = _DEFAULT_NAME
        case (target, "as", name):
            pass
        case _:
            raise UsageError(
                "write `%rpc connect URL as NAME`, with a URL like ws://127.0.0.1:8765 or "
                "nats://127.0.0.1:4222/lab.models, or `demo`"
            )
    if not is_variable_name(name):
        raise UsageError(f"{name!r} cannot be the name of a variable")
    if target != "demo" and "://" not in target:
        raise UsageError(
            f"{target!r} is not a URL (ws://host:port); if the address is in a variable, write "
            f"`{name} = kk.connect({target})`{did_you_mean(target, ['demo'])}"
            if target.isidentifier()
            else f"{target!r} is not a URL; did you mean 'ws://{target}'?"
        )
    return target, name


def _compared(options: Options) -> tuple[Any, ...]:
    return (
        options.protocol,
        options.codec,
        options.schema,
        options.headers,
        options.token_env,
        options.token_ask,
        options.timeout_s,
    )


def _make(target: str, options: Options) -> _Entry:
    arguments: dict[str, Any] = {}
    for name in ("protocol", "codec", "schema", "timeout_s"):
        value = getattr(options, name)
        if value is not None:
            arguments[name] = value
    if target == "demo":
        server = demo()
        return _Entry(target, options, server.connect(**arguments), server)
    if options.headers:
        arguments["headers"] = {
            header.name: header.value + (_from_environment(header.env) if header.env else "")
            for header in options.headers
        }
    if options.token_env is not None and options.token_ask:
        raise UsageError("--token-env and --token-ask exclude each other; use one of them")
    if options.token_env is not None:
        arguments["token"] = _from_environment(options.token_env)
    if options.token_ask:
        arguments["token"] = _asked_for(target)
    return _Entry(target, options, functions.connect(target, **arguments), None)


def _asked_for(target: str) -> str:
    try:
        return getpass.getpass(f"token for {target}: ")
    except (EOFError, RuntimeError) as exc:  # ipykernel's StdinNotImplementedError is the latter
        raise UsageError("--token-ask: nobody can be asked here; use --token-env VARIABLE") from exc


def _from_environment(name: str) -> str:
    value = os.environ.get(name)
    if not value:
        raise UsageError(
            f"the environment variable {name} is not set in this kernel"
            f"{did_you_mean(name, list(os.environ))}"
        )
    return value


def _in_words(remote: Remote) -> str:
    info = describe(remote)
    return f"{info.url} ({info.protocol}, {info.codec})"
