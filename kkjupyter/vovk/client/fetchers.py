"""Fetchers, which carry out calls of Vovk handlers: the default ones, and what a fetcher gets.

::

    def my_stream_fetcher(request):
        return vovk.default_stream_fetcher(request.replace(headers={"X-Trace": "7"}))

    async def counting(request):
        async for token in vovk.default_stream_fetcher(request):
            seen.append(token)
            yield token

A fetcher may return a Call, a value, an awaitable, or a stream (any async iterable or iterator);
the caller always gets a Call, with its live view, its Cancel and its time limits. Coroutines and
async generators run on the package's own loop for handlers, sync generators in a thread.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

from kkjupyter.calls.state import CallState
from kkjupyter.wire.vovk.query import encode_query
from kkjupyter.wire.vovk.request import build_path
from kkjupyter.wire.vovk.schema.model import Handler

if TYPE_CHECKING:
    from kkjupyter.vovk.client.call import VovkCall
    from kkjupyter.vovk.client.json_schema.validation import HandlerChecks

__all__ = ["Fetch", "Fetcher", "default_fetcher", "default_stream_fetcher"]


class FetchSender(Protocol):
    """The part of a caller that a Fetch uses."""

    def checks_of(self, handler: Handler) -> HandlerChecks:
        """The checks for the input of a handler."""

    def fetch(self, fetch: Fetch) -> VovkCall:
        """Check it and send it. Any thread; returns at once."""


@dataclass(frozen=True, kw_only=True)
class Fetch:
    """One call as a fetcher gets it. Immutable; :meth:`replace` makes a changed copy.

    Attributes:
        name: the handler's name, as in the schema.
        http_method: upper case.
        api_root: the address of the API (``"http://127.0.0.1:3000/api"``).
        body: None for no body.
        query: by name.
        params: the path parameters, by name.
        headers: the headers of this call; the connection's are added.
        is_stream: whether a stream is expected.
        meta: any JSON value for the server's ``req.vovk.meta()``, or None.
        timeout_s: the limit for the answer, in seconds; None for the connection's.
        idle_timeout_s: the limit for each next item, in seconds; None for the connection's.
    """

    name: str
    http_method: str
    api_root: str
    body: Any = None
    query: Mapping[str, Any] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    is_stream: bool = False
    meta: Any = None
    timeout_s: float | None = None
    idle_timeout_s: float | None = None
    _title: str = field(repr=False)
    _handler: Handler = field(repr=False)
    _caller: FetchSender = field(repr=False)
    _validates: bool = field(repr=False)
    _made: list[CallState] = field(repr=False, default_factory=list)

    def get_path(
        self, params: Mapping[str, Any] | None = None, query: Mapping[str, Any] | None = None
    ) -> str:
        """Path and query below :attr:`api_root`, encoded, without a slash in front.

        Args:
            params: by default those of this call.
            query: by default that of this call.

        Raises:
            ValidationError: a path parameter is missing, unknown, or cannot be part of a path.
            EncodeError: the query has no text form.
        """
        path = build_path(self._handler, self.params if params is None else params)
        text = encode_query(self.query if query is None else query, self._handler.wire_format)
        return f"{path}?{text}" if text else path

    def validate(self, **changed: Any) -> None:
        """Check ``body``, ``query`` and ``params`` against the handler's JSON Schemas.

        Does nothing if the connection or the call has ``validate=False``.

        Args:
            changed: ``body=``, ``query=`` or ``params=`` to check instead of this call's own.

        Raises:
            ValidationError: something breaks its schema; ``issues`` has path and message of each.
            EncodeError: something has no JSON form.
        """
        if self._validates:
            given = {"body": self.body, "query": self.query, "params": self.params}
            self._caller.checks_of(self._handler).check(**{**given, **changed})

    def replace(self, **changes: Any) -> Fetch:
        """The same call with other attributes: ``request.replace(headers={...})``."""
        return replace(self, **changes)


Fetcher = Callable[[Fetch], Any]
"""A call in; a Call, a value, an awaitable or a stream out."""


def default_fetcher(request: Fetch) -> VovkCall:
    """Check the call and send it; the content type of the answer decides what it is.

    Raises:
        ValidationError: the call was refused here; nothing was sent.
        EncodeError: a value cannot be put on the wire; nothing was sent.
    """
    return request._caller.fetch(request)


def default_stream_fetcher(request: Fetch) -> VovkCall:
    """Like :func:`default_fetcher`, but an answer that is not a stream becomes a stream of one
    item.
    """
    return request._caller.fetch(request.replace(is_stream=True))
