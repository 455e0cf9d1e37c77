"""The request as a handler sees it."""

from __future__ import annotations

import types
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, cast

from kkjupyter.errors import MessageTooBig, ProtocolError
from kkjupyter.runtime.decoders import decode
from kkjupyter.vovk.server.exceptions import HttpException
from kkjupyter.wire.message_cost import DEFAULT_MEMORY_BYTES
from kkjupyter.wire.values.json_text import loads
from kkjupyter.wire.vovk.forms import read_form
from kkjupyter.wire.vovk.query import decode_query
from kkjupyter.wire.vovk.schema.model import WireFormat

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    Body = TypeVar("Body", default=Any)
    Query = TypeVar("Query", default=dict[str, Any])
    Params = TypeVar("Params", default=dict[str, str])
else:  # only type checkers need to know that the later ones are optional
    from typing import TypeVar

    Body, Query, Params = TypeVar("Body"), TypeVar("Query"), TypeVar("Params")

__all__ = ["Request"]

_UNREAD: Any = object()


class Request(Generic[Body, Query, Params]):
    """One request.

    As a type hint it says what is accepted: ``req: vovk.Request[Body, Query]``. The named types are
    checked and converted before the handler runs.

    Attributes:
        method: the HTTP method, upper case.
        url: the requested address.
        headers: by name, in any case; a repeated header has its first value.
        params: the path parameters.
        query: from the URL; nested by brackets as in 3.x, or flat in the old format.
        remote: the client's address, or None.
        handler: what is called, ``"HelloRPC.streamTokens"``.

    Raises:
        ProtocolError: the query is nested too deeply.
    """

    params: Params
    query: Query

    def __init__(
        self,
        *,
        method: str,
        url: str,
        headers: Mapping[str, str],
        params: dict[str, str],
        query_text: str,
        body: bytes,
        wire_format: WireFormat,
        remote: str | None = None,
        handler: str = "",
        memory_bytes: int = DEFAULT_MEMORY_BYTES,
    ) -> None:
        self.method = method
        self.url = url
        self.headers = headers
        self.remote = remote
        self.handler = handler
        # As they arrived, until they are checked.
        self.params = cast("Params", params)
        self.query = cast("Query", decode_query(query_text, wire_format))
        self._body = body
        self._memory_bytes = memory_bytes
        self._json: Any = _UNREAD
        self._failure: HttpException | None = None
        self._meta: dict[str, Any] | None = None
        self._aborted = False

    if not TYPE_CHECKING:

        def __class_getitem__(cls, hints: Any) -> types.GenericAlias:
            hints = hints if isinstance(hints, tuple) else (hints,)
            return types.GenericAlias(cls, (*hints, Any, Any, Any)[: max(3, len(hints))])

    @property
    def aborted(self) -> bool:
        """Whether the client is gone; for sync code that works long between two yields."""
        return self._aborted

    @property
    def meta(self) -> dict[str, Any]:
        """The client's data about the call, from the header ``x-meta``; empty without it.

        Raises:
            HttpException: 400, it is not a JSON object.
        """
        if self._meta is None:
            text = self.headers.get("x-meta")
            meta = _json(text.encode(errors="surrogateescape"), "x-meta") if text else {}
            if not isinstance(meta, dict):
                raise HttpException(400, "x-meta must be a JSON object")
            self._meta = meta
        return self._meta

    async def json(self) -> Body:
        """The body, converted to the type hint if there is one.

        Raises:
            HttpException: 400, it is not JSON; 413, its values would take too much memory.
        """
        if self._json is _UNREAD and not self._body:
            raise HttpException(400, "the body is empty; it must be JSON")
        await self.load_body_value()
        body: Body = self.body_value()
        return body

    async def text(self) -> str:
        """The body as text; bytes that are not UTF-8 become U+FFFD."""
        return self._body.decode(errors="replace")

    async def bytes(self) -> bytes:
        """The body as it is."""
        return self._body

    async def form(self) -> dict[str, Any]:
        """The fields of a form, with files or without.

        Each is text or a :class:`vovk.File`, or a list of these if its name occurs several times.

        Raises:
            HttpException: 400, it is not a form, or a damaged one.
        """
        read = partial(read_form, self._body, self.headers.get("content-type", ""))
        try:
            return await decode(read, len(self._body))
        except ProtocolError as exc:
            raise HttpException(400, f"body: {exc}") from exc

    async def load_body_value(self) -> None:
        """Have a big body decoded where nobody waits for it; :meth:`body_value` then has it.

        Raises nothing: what is wrong with it, that says.
        """
        if self._json is _UNREAD and self._failure is None and self._body:
            read = partial(_json, self._body, "body", self._memory_bytes)
            try:
                self._json = await decode(read, len(self._body))
            except HttpException as exc:
                self._failure = exc

    def body_value(self) -> Any:
        """As :meth:`json`, without waiting, and None for no body."""
        if self._failure is not None:
            raise self._failure
        if self._json is _UNREAD:
            self._json = _json(self._body, "body", self._memory_bytes) if self._body else None
        return self._json

    def set_body_value(self, value: Any) -> None:
        """Set the body after it was checked."""
        self._json = value

    def abort(self) -> None:
        """Note that the client is gone."""
        self._aborted = True

    def __repr__(self) -> str:
        path = self.url.partition("?")[0]  # a query may hold secrets
        return f"<Request {self.method} {path}>"


def _json(data: bytes, what: str, memory_bytes: int = DEFAULT_MEMORY_BYTES) -> Any:
    try:
        return loads(data, memory_bytes=memory_bytes)
    except MessageTooBig as exc:
        raise HttpException(413, f"{what}: {exc}") from exc
    except ProtocolError as exc:
        raise HttpException(400, f"{what}: {exc}") from exc
