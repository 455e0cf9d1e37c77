"""Every error this package raises, in one tree.

::

    KKError
    ├─ ConnectError(ConnectionError)
    │  └─ ConnectTimeout(TimeoutError)
    ├─ ConnectionLost(ConnectionError)
    ├─ ProtocolError
    │  └─ MessageTooBig
    ├─ CallError
    │  ├─ RemoteError
    │  │  └─ RemoteThrow
    │  ├─ CallTimeout(TimeoutError)
    │  ├─ CallCancelled
    │  ├─ ValidationError
    │  ├─ EncodeError
    │  └─ BufferOverflow
    └─ UsageError

No foreign exception leaves the package unwrapped; ``raise ... from exc`` keeps the original.
The exceptions are ``KeyboardInterrupt``, ``asyncio.CancelledError`` and errors of the user's own
code. Errors keep data in fields, as it arrived; ``_text`` builds the text, and ``str()`` returns it
without control sequences.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Literal, Self, TypeVar

from kkjupyter.plaintext import plain

__all__ = [
    "BufferOverflow",
    "CallCancelled",
    "CallError",
    "CallTimeout",
    "ConnectError",
    "ConnectTimeout",
    "ConnectionLost",
    "EncodeError",
    "KKError",
    "MessageTooBig",
    "ProtocolError",
    "RemoteError",
    "RemoteThrow",
    "UsageError",
    "ValidationError",
    "brief_line",
    "did_you_mean",
    "error_line",
]

AnyKKError = TypeVar("AnyKKError", bound="KKError")


class KKError(Exception):
    """The root: ``except kk.KKError`` catches all errors that this package raises.

    Errors can be copied and pickled with their fields.

    ``str(error)`` is safe to print, log and save, even with a peer's text in it: control sequences,
    halves of characters and overrides of the writing direction are removed. The fields hold the
    data as it arrived.
    """

    def __str__(self) -> str:
        return plain(self._text())

    def _text(self) -> str:
        return super().__str__()

    def __reduce__(self) -> tuple[Any, ...]:
        # Python would call the class with `args`, which can differ from those of __init__.
        return _rebuild, (type(self), self.args, self.__dict__)

    def __copy__(self) -> Self:
        twin = _rebuild(type(self), self.args, self.__dict__)
        twin.__cause__ = self.__cause__
        return twin


class ConnectError(KKError, ConnectionError):
    """A connection could not be made, or a server could not begin to listen.

    Attributes:
        url: the address, without any secret.
        reason: what went wrong, as the end of a sentence ("connection refused").
        listening: whether a server could not listen there.
    """

    listening = False

    def __init__(self, url: str, reason: str, *, listening: bool = False) -> None:
        super().__init__(url, reason)
        self.url = url
        self.reason = reason
        if listening:
            self.listening = True

    def _text(self) -> str:
        if self.listening:
            return f"{self.url}: {self.reason}"
        return f"cannot connect to {self.url}: {self.reason}"


class ConnectTimeout(ConnectError, TimeoutError):
    """No answer within the time allowed for connecting."""


class ConnectionLost(KKError, ConnectionError):
    """A connection ended while it was in use.

    Attributes:
        url: the address, without any secret.
        reason: why, as far as this side can tell.
        items_received: how many values of the stream had arrived (0 for a unary call).
    """

    def __init__(self, url: str, reason: str, items_received: int = 0) -> None:
        super().__init__(url, reason, items_received)
        self.url = url
        self.reason = reason
        self.items_received = items_received

    def _text(self) -> str:
        text = f"connection to {self.url} lost: {self.reason}"
        if self.items_received:
            text += f" (after {_count(self.items_received)})"
        return text


class ProtocolError(KKError):
    """The peer sent something that the protocol does not allow.

    Attributes:
        reason: what is wrong with it.
        excerpt: the beginning of the data, shortened.
    """

    def __init__(self, reason: str, excerpt: str = "") -> None:
        super().__init__(reason, excerpt)
        self.reason = reason
        self.excerpt = excerpt

    def _text(self) -> str:
        return f"{self.reason}: {self.excerpt}" if self.excerpt else self.reason


class MessageTooBig(ProtocolError):
    """One message is larger than this side accepts.

    Attributes:
        size_bytes: its size, as far as it is known.
        limit_bytes: the largest size that is accepted.
        in_memory: whether both are about the memory of its values and not about its text; then
            ``size_bytes`` is an estimate.
    """

    def __init__(self, size_bytes: int, limit_bytes: int, *, in_memory: bool = False) -> None:
        super().__init__(
            f"a message whose values would take {size_bytes:,} bytes of memory or more is over the "
            f"limit message_memory_bytes ({limit_bytes:,}); send it in parts, or raise the limit "
            "where it is received"
            if in_memory
            else f"a message of {size_bytes:,} bytes is over the limit of {limit_bytes:,} bytes"
        )
        self.size_bytes = size_bytes
        self.limit_bytes = limit_bytes
        self.in_memory = in_memory


class CallError(KKError):
    """One call failed; others on the same connection are not affected.

    Attributes:
        method: the name of the method, as called (``"math.add"``); empty if it is not known.
    """

    method: str = ""


class RemoteError(CallError):
    """The remote side raised an error while it ran the call.

    Attributes:
        name: the remote error's class name (``"TypeError"``).
        message: its message.
        stack: the remote stack trace as text, or None.
        cause: the cause that the remote side sent: a RemoteError, any value, or None.
        data: further properties of the error object (``{"code": "E_FAIL"}``).
        status: the HTTP status of the reply, or None.
    """

    def __init__(
        self,
        message: str,
        *,
        name: str = "Error",
        stack: str | None = None,
        cause: Any = None,
        data: Mapping[str, Any] | None = None,
        status: int | None = None,
        method: str = "",
    ) -> None:
        super().__init__(message)
        self.name = name
        self.message = message
        self.stack = stack
        self.cause = cause
        self.data: dict[str, Any] = dict(data or {})
        self.status = status
        self.method = method
        if isinstance(cause, BaseException):
            self.__cause__ = cause

    def _text(self) -> str:
        if self.status is not None:
            return f"HTTP {self.status}: {self.message}"
        text = self.message if self.name in ("", "Error") else f"{self.name}: {self.message}"
        return text or self.name or "Error"


class RemoteThrow(RemoteError):
    """The remote side threw a value that is not an error object.

    Attributes:
        value: the thrown value, as it is (``{"hello": "World"}``).
    """

    def __init__(self, value: Any, message: str, *, method: str = "") -> None:
        super().__init__(message, name="", method=method)
        self.value = value


class CallTimeout(CallError, TimeoutError):
    """No reply, or no next item, within the time allowed.

    Attributes:
        timeout_s: the limit that ran out, in seconds.
        waited_for: ``"reply"`` or ``"next item"``.
    """

    def __init__(self, method: str, timeout_s: float, waited_for: str = "reply") -> None:
        super().__init__(method, timeout_s, waited_for)
        self.method = method
        self.timeout_s = timeout_s
        self.waited_for = waited_for

    def _text(self) -> str:
        return f"{self.method}: no {self.waited_for} within {self.timeout_s:g} s"


class CallCancelled(CallError):
    """The call was cancelled from elsewhere while it was waited for.

    Attributes:
        items_received: how many values were taken before.
    """

    def __init__(self, method: str, items_received: int = 0) -> None:
        super().__init__(method, items_received)
        self.method = method
        self.items_received = items_received

    def _text(self) -> str:
        after = f" after {_count(self.items_received)}" if self.items_received else ""
        return f"{self.method} was cancelled{after}"


class ValidationError(CallError):
    """A call was refused here, before anything was sent.

    Attributes:
        issues: one dict for each fault, with at least ``message`` and ``path``.
    """

    def __init__(self, method: str, issues: Sequence[Mapping[str, Any]]) -> None:
        super().__init__(method, issues)
        self.method = method
        self.issues = [dict(issue) for issue in issues]

    def _text(self) -> str:
        lines = "; ".join(
            f"{issue.get('path') or 'value'}: {issue.get('message', '')}" for issue in self.issues
        )
        return f"{self.method}: {lines}"


class EncodeError(CallError):
    """A value cannot be put on the wire.

    Attributes:
        path: the part of the argument (``"args.0.when"``).
        reason: why not, and what to send instead.
    """

    def __init__(self, path: str, reason: str, *, method: str = "") -> None:
        super().__init__(path, reason)
        self.path = path
        self.reason = reason
        self.method = method

    def _text(self) -> str:
        where = f"{self.method}: " if self.method else ""
        return f"{where}cannot encode {self.path or 'value'}: {self.reason}"


class BufferOverflow(CallError):
    """More data arrived than was read, beyond the hard limit; only its own stream or call was
    ended.

    Attributes:
        limit_items: how many unread items are held at most, or None.
        limit_bytes: how many unread bytes are held at most, or None.
        what: ``"stream"``: a stream is read too slowly; ``"callback"``: a passed function is called
            faster than it returns; ``"outbox"``: the other side does not read what is sent to it.
    """

    def __init__(
        self,
        method: str,
        *,
        limit_items: int | None = None,
        limit_bytes: int | None = None,
        what: Literal["stream", "callback", "outbox"] = "stream",
    ) -> None:
        super().__init__(method, limit_items, limit_bytes)
        self.method = method
        self.limit_items = limit_items
        self.limit_bytes = limit_bytes
        self.what = what

    def _text(self) -> str:
        limits = [f"{self.limit_items:,} items"] if self.limit_items is not None else []
        limits += [f"{self.limit_bytes:,} bytes"] if self.limit_bytes is not None else []
        limit = " or ".join(limits)
        match self.what:
            case "callback":
                limit = limit.replace("items", "calls")
                return (
                    f"{self.method}: a passed function is called faster than it returns, and more "
                    f"than {limit} wait for it; make it return faster, or call it less often"
                )
            case "outbox":
                return (
                    f"{self.method}: the other side does not read, and more than {limit} wait to "
                    "be sent to it; await each call of its function, so that it can catch up"
                )
        return (
            f"{self.method}: more than {limit} arrived unread; "
            "read the stream as it comes, or cancel it"
        )


class UsageError(KKError):
    """Something was used in a way that cannot work; the text says what to do instead."""


def did_you_mean(word: str, known: Sequence[str]) -> str:
    """A question to append to an error about ``word``, or ``""`` if no known word is similar."""
    near = get_close_matches(word, known, n=1, cutoff=0.6)
    if not near:
        lowered = {name.lower(): name for name in known}
        exact = lowered.get(word.lower())
        near = [exact] if exact else []
    return f"; did you mean {near[0]!r}?" if near else ""


def _rebuild(
    kind: type[AnyKKError], args: tuple[Any, ...], fields: Mapping[str, Any]
) -> AnyKKError:
    error = kind.__new__(kind)
    error.args = args
    error.__dict__.update(fields)
    if isinstance(cause := fields.get("cause"), BaseException):
        error.__cause__ = cause
    return error


def _count(items: int) -> str:
    return "1 item" if items == 1 else f"{items:,} items"


def error_line(error: BaseException) -> str:
    """An error on one line of plain text: ``"ValueError: something went wrong"``."""
    try:
        text = plain(str(error)).strip()
    except Exception:  # noqa: BLE001 - an error of the user's, whose text raises
        text = ""
    first = text.splitlines()[0] if text else ""
    if isinstance(error, RemoteError) and error.name not in ("", "Error"):
        return first  # it begins with the remote side's error name
    name = type(error).__name__
    return f"{name}: {first}" if first else name


def brief_line(error: BaseException) -> str:
    """As :func:`error_line`, for where it stands beside the stream that failed.

    Without what is said there anyway: which stream it was, and how many items had come.
    """
    if isinstance(error, ConnectionLost):
        return f"{type(error).__name__}: {plain(error.reason)}"
    return error_line(error)
