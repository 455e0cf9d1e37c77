"""Traces in the notebook: their output, and ``%rpc trace``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kkjupyter.api import tracing
from kkjupyter.client.remote import Remote, session_of
from kkjupyter.errors import UsageError, did_you_mean
from kkjupyter.traces.recorder import everywhere
from kkjupyter.traces.trace import Trace

__all__ = ["switch", "trace_command"]


def trace_command(words: tuple[str, ...], namespace: Mapping[str, Any]) -> str | Trace:
    """Carry out ``%rpc trace ...``; returns the text or the trace to show.

    Raises:
        UsageError: the words are not valid, or there is nothing to show.
    """
    match words:
        case ("last",):
            return tracing.trace()
        case ("last", name):
            return tracing.trace(_connection(name, namespace))
        case ("on" | "off" as state,):
            return switch(None, state == "on")
        case ("on" | "off" as state, name):
            return f"{name}: {switch(_connection(name, namespace), state == 'on')}"
    raise UsageError(
        "write `%rpc trace on [NAME]`, `%rpc trace off [NAME]` or `%rpc trace last [NAME]`"
    )


def switch(remote: Remote | None, is_on: bool) -> str:
    """Turn recording of payloads on or off, for one connection or for all."""
    which = everywhere if remote is None else session_of(remote).recorder.switch
    which.clear()
    if not is_on:
        still_on = remote is not None and everywhere.is_on
        if still_on:
            return "tracing is on for all connections: `%rpc trace off` turns it off"
        return "tracing is off"
    which.on()
    calls = "calls" if remote is None else "calls of this connection"
    return f"tracing is on: {calls} from now on show their frames and their content"


def _connection(name: str, namespace: Mapping[str, Any]) -> Remote:
    value = namespace.get(name)
    if isinstance(value, Remote):
        return value
    known = [key for key, one in namespace.items() if isinstance(one, Remote)]
    known = [key for key in known if not key.startswith("_")]
    raise UsageError(
        f"{name!r} is not a connection{did_you_mean(name, known)} "
        f"(connected: {', '.join(sorted(known)) or 'none'})"
    )
