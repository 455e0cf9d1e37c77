"""What went wrong on this side, as it goes to the peer: without tracebacks, unless asked for."""

from __future__ import annotations

import copy
import pathlib
import traceback
from collections.abc import Callable, Iterator
from typing import Any

from kkjupyter.errors import EncodeError, RemoteError, RemoteThrow
from kkjupyter.validation.refusals import ArgumentsError
from kkjupyter.wire.kkrpc.base import Protocol

__all__ = ["encode_acknowledgement", "encode_failure", "remote_error"]

_PACKAGE = pathlib.Path(__file__).parent.parent
# Where our own frames stand in a traceback, before those of a handler.
_ENGINE = tuple(
    str(_PACKAGE / name)
    for name in ("calls", "connection", "limits.py", "runtime", "server", "validation")
)
_MAX_CAUSES = 8
# Of an error's data.
_MAX_DEPTH = 100
_OWN_FIELDS = frozenset({"name", "message", "stack", "cause"})


def remote_error(exc: BaseException, *, debug: bool = False, depth: int = 0) -> RemoteError:
    """``exc`` with name, message, cause and own public properties.

    A RemoteError, which a handler got from elsewhere or made itself, passes as it is, but for its
    stack: that is a traceback, too, be it another server's.

    Args:
        exc: what was raised.
        debug: whether the peer is sent tracebacks, with file names and lines of source.
        depth: how many errors have this one as their cause.
    """
    if isinstance(exc, RemoteThrow):  # a peer has no words for it but an error's
        return RemoteError(str(exc), stack=_stack(exc) if debug else None)
    if isinstance(exc, RemoteError):
        return exc if debug else _without_stack(exc)
    cause = exc.__cause__
    fields = {
        name: value
        for name, value in vars(exc).items()
        if not name.startswith("_") and name not in _OWN_FIELDS
    }
    error = RemoteError(
        _text(exc),
        name="TypeError" if isinstance(exc, ArgumentsError) else type(exc).__name__,
        stack=_stack(exc) if debug else None,
        # Causes can form a ring.
        cause=remote_error(cause, debug=debug, depth=depth + 1)
        if cause and depth < _MAX_CAUSES
        else None,
        data=fields,
    )
    return error if debug else _without_stack(error)


def _without_stack(error: RemoteError) -> RemoteError:
    """``error`` without the stacks of its own, of its causes and of errors among its data."""
    parts = list(_errors_in(error))
    if all(part.stack is None for part in parts):
        return error
    bare: RemoteError = _bare(error, {})
    return bare


def _errors_in(error: RemoteError) -> Iterator[RemoteError]:
    """It, and all within it."""
    seen: set[int] = set()
    waiting: list[Any] = [error]
    while waiting:
        value = waiting.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, RemoteError):
            yield value
            waiting += [value.cause, value.data]
        elif isinstance(value, dict):
            waiting += value.values()
        elif isinstance(value, list | tuple):
            waiting += value


def _bare(value: Any, copies: dict[int, Any], depth: int = 0) -> Any:
    """A copy in which no error has a stack. What holds itself still does, as in ``copies``."""
    if id(value) in copies:
        return copies[id(value)]
    if not isinstance(value, RemoteError | dict | list | tuple):
        return value
    if depth > _MAX_DEPTH:
        return None
    if isinstance(value, tuple):
        copies[id(value)] = tuple(_bare(one, copies, depth + 1) for one in value)
        return copies[id(value)]
    bare: Any = copy.copy(value)
    copies[id(value)] = bare
    if isinstance(value, RemoteError):
        bare.stack = None
        bare.cause = _bare(value.cause, copies, depth + 1)
        bare.__cause__ = bare.cause if isinstance(bare.cause, BaseException) else None
        bare.data = _bare(value.data, copies, depth + 1)
    else:
        for key in value if isinstance(value, dict) else range(len(value)):
            bare[key] = _bare(value[key], copies, depth + 1)
    return bare


def encode_failure(
    encode: Callable[[RemoteError], bytes], exc: BaseException, *, debug: bool = False
) -> bytes:
    """``exc`` as a message, without what of it cannot be sent. Something is always returned.

    Args:
        encode: makes the message.
        exc: what was raised.
        debug: whether the peer is sent tracebacks.
    """
    error = remote_error(exc, debug=debug)
    if message := _try(encode, error):
        return message
    bare = RemoteError(error.message, name=error.name, stack=error.stack)
    bare.data = {
        name: value
        for name, value in error.data.items()
        if _try(encode, RemoteError("", data={name: value}))
    }
    if _try(encode, RemoteError("", cause=error.cause)):
        bare.cause = error.cause
    message = _try(encode, bare)
    if message is None:  # its name or its message is not even text
        message = encode(RemoteError("the error cannot be sent", name="InternalError"))
    return message


def encode_acknowledgement(
    protocol: Protocol, control_id: str, stream_id: str, value: object, codec: str
) -> bytes:
    """That a cancel was carried out, with the value the peer wants to have back.

    A value can be read that cannot be written (an integer from 2**53 on); then the peer is told so.
    """
    try:
        return protocol.acknowledge(control_id, stream_id, value, codec)
    except EncodeError as exc:
        return encode_failure(
            lambda error: protocol.fail_control(control_id, stream_id, error, codec), exc
        )


def _try(encode: Callable[[RemoteError], bytes], error: RemoteError) -> bytes | None:
    try:
        return encode(error)
    except Exception:  # noqa: BLE001  an object's own methods fail in their own ways
        return None


def _text(exc: BaseException) -> str:
    try:
        return str(exc)
    except Exception as failure:  # noqa: BLE001  it would hide that there was an error at all
        return f"(its text cannot be read: {type(failure).__name__})"


def _stack(exc: BaseException) -> str:
    """The traceback without the frames of the engine."""
    summary = traceback.TracebackException.from_exception(exc)
    summary.__cause__ = summary.__context__ = None
    while summary.stack and summary.stack[0].filename.startswith(_ENGINE):
        del summary.stack[0]
    return "".join(summary.format()).rstrip()
