"""The client side of kkrpc over HTTP: each call is one request, and its reply is the answer.

The peers answer with values and errors this way, but not with streams or callbacks.
"""

from __future__ import annotations

import asyncio
import ssl as ssl_module
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from kkjupyter.argument_checks import check_choice, check_seconds
from kkjupyter.calls.callbacks import CallbackRegistry
from kkjupyter.calls.state import CallState
from kkjupyter.client.caller import ProtocolCaller
from kkjupyter.client.http.http_trace import HttpTrace
from kkjupyter.client.http.replies import INSTEAD, Reply
from kkjupyter.client.http.requests import Requests, Settle
from kkjupyter.client.peer_kind import ASK_S, make_question, says_binds_names, warn_of_silence
from kkjupyter.client.session import note_session
from kkjupyter.connection.negotiation import PROTOCOLS, make_protocol
from kkjupyter.connection.outgoing_call import OutgoingCall
from kkjupyter.errors import ConnectError, ConnectionLost, KKError, UsageError
from kkjupyter.limits import ClientLimits, size_limit
from kkjupyter.redaction import without_secrets
from kkjupyter.runtime.decoders import decode
from kkjupyter.traces.record import record_of
from kkjupyter.transports.http.client import HttpClient, HttpReply, check_http_url
from kkjupyter.transports.refusals import in_front, refusal_reason
from kkjupyter.wire.events import CallbackRef, StreamRef
from kkjupyter.wire.framing import excerpt
from kkjupyter.wire.kkrpc.base import Protocol
from kkjupyter.wire.kkrpc.classic.reader import CODECS

__all__ = ["HttpSession"]

_JSON = {"Content-Type": "application/json"}


class HttpSession(ProtocolCaller):
    """Calls to one address over HTTP, many at a time; used like a session over a channel.

    A call is one POST. It is never sent twice; if it fails, only that call fails. Cancelling aborts
    its request.

    Args:
        url: ``http://`` or ``https://``; secrets in it are never shown.
        protocol: ``"classic"`` (kkrpc 0.x) or ``"compact"`` (1.0 to 2.x); it is not detected.
        codec: the codec of the messages sent; None for the one that the peers read over HTTP:
            superjson in the classic protocol and json in the compact one.
        headers: sent with every request.
        ssl: a context for ``https://``; the library's default otherwise.
        proxy: an address; True for the one in the environment; None or False for no proxy.
        connect_timeout_s: for connecting, in seconds.
        limits: how large a reply may be.
        timeout_s: the default limit for the reply of a call, in seconds.
        idle_timeout_s: has no effect, because there are no streams.
        methods: names of the other side's methods, for completion and the repr.
        meta: called for each call; its result is sent with the call.

    Raises:
        UsageError: an argument is not valid.
    """

    def __init__(
        self,
        url: str,
        *,
        protocol: str | None = None,
        codec: str | None = None,
        headers: Mapping[str, str] | None = None,
        ssl: ssl_module.SSLContext | None = None,
        proxy: str | bool | None = True,
        connect_timeout_s: float = 10.0,
        limits: ClientLimits | None = None,
        timeout_s: float | None = None,
        idle_timeout_s: float | None = None,
        methods: Sequence[str] = (),
        meta: Callable[[], Mapping[str, Any] | None] | None = None,
    ) -> None:
        check_http_url(url, headers or {})
        shown_url = without_secrets(url)
        check_choice("protocol", protocol, PROTOCOLS)
        check_choice("codec", codec, CODECS)
        check_seconds("timeout_s", timeout_s)
        check_seconds("idle_timeout_s", idle_timeout_s)
        if protocol is None:
            raise UsageError(
                f"{shown_url} is an HTTP address, and over HTTP the protocol is not detected; "
                "name it: protocol='classic' for kkrpc 0.x, protocol='compact' for 1.0 to "
                f"2.x (--protocol in a magic). A WebSocket server is at {'ws' + shown_url[4:]!r}"
            )
        if protocol == "classic" and codec == "json":
            raise UsageError(
                f"{shown_url}: over HTTP the classic protocol supports only superjson; leave "
                "codec out"
            )
        super().__init__(
            shown_url,
            CallbackRegistry(),
            timeout_s=timeout_s,
            idle_timeout_s=idle_timeout_s,
            methods=methods,
            meta=meta,
        )
        self.recorder.hide_headers(headers)
        self._address = url
        self._asking = asyncio.Lock()
        limits = limits or ClientLimits()
        self._limit_bytes = size_limit(limits.message_bytes)
        self._memory_bytes = size_limit(limits.message_memory_bytes)
        superjson = codec == "superjson" or protocol == "classic"
        self._protocol = make_protocol(protocol, "superjson" if superjson else "json")
        self._requests = Requests(
            self,
            HttpClient(headers=headers, ssl=ssl, proxy=proxy, connect_timeout_s=connect_timeout_s),
        )
        note_session(self)

    # ---- what users of a session see

    @property
    def wire(self) -> Protocol:
        return self._protocol

    @property
    def state(self) -> str:
        if self.closed:
            return "closed"
        return self._requests.state

    @property
    def calls(self) -> list[CallState]:
        return self._requests.calls

    async def connect(self) -> None:
        """Check that the server can be reached.

        I/O loop only. Its answer does not matter, unless it asks for a token.

        Raises:
            ConnectError: it cannot be reached.
        """
        try:
            reply = await self._requests.greet(self._address)
            if reply is not None and reply.status == 401:
                raise self._read(reply).refusal(self._protocol)
        except BaseException:
            await self.close()  # it is not handed out
            raise

    async def close(self) -> None:
        self.closed = True
        await self._requests.close()

    def forked(self) -> None:
        self._looks.clear()
        self._asking = asyncio.Lock()  # whoever held it did not come along
        self._requests.forked(self.url)

    # ---- what calls ask of their backend

    @property
    def reading_paused(self) -> bool:
        return False

    def reconsider_reading(self) -> None:
        """Nothing to decide: a reply is read as a whole."""

    def pull(self, state: CallState) -> None:
        """Nothing to grant: there are no streams."""

    def throw(self, state: CallState, error: Any) -> CallState:
        raise UsageError(f"{state.method} is not a stream: HTTP carries no streams")

    def cancel_call(self, state: CallState) -> None:
        self._requests.cancel(state)

    # ---- requests

    def _wire_arg(self, arg: Any, index: int, call: OutgoingCall, protocol: Protocol) -> Any:
        sent = super()._wire_arg(arg, index, call, protocol)
        if isinstance(sent, CallbackRef):
            self._functions.release([sent.id])
        elif not isinstance(sent, StreamRef):
            return sent
        what = "a function" if isinstance(sent, CallbackRef) else "a stream"
        raise UsageError(
            f"{call.state.method}: argument {index + 1} is {what} ({type(arg).__name__}), but "
            f"HTTP carries only values; {INSTEAD}"
        )

    def _send(self, call: OutgoingCall) -> None:
        state = call.state
        if self.closed:  # closed since the call was made
            state.cancel()
            return
        if state.over:
            return
        self._requests.start(state, partial(self._exchange, call))

    @property
    def _can_ask(self) -> bool:
        return not self.closed

    async def _ask_about(self, *args: Any) -> Any:
        if not await self._is_ours():
            return None
        try:
            async with asyncio.timeout(ASK_S):
                return await self._ask(make_question(self, *args))
        except TimeoutError:  # then nothing is known of it
            return None

    async def _is_ours(self) -> bool:
        """Whether the server binds keyword arguments by name; asked once."""
        async with self._asking:
            if self._binds_names is None:
                self._binds_names = await self._find_binds_names()
        return self._binds_names

    async def _exchange(self, call: OutgoingCall) -> Settle:
        if call.has_keywords:
            call.bind_names(await self._is_ours())
            call.encode(self._protocol)
        return partial(call.state.replied, await self._ask(call))

    async def _find_binds_names(self) -> bool:
        """Whether the server binds keyword arguments by name."""
        try:
            async with asyncio.timeout(ASK_S):
                return says_binds_names(await self._ask(make_question(self)))
        except TimeoutError:
            warn_of_silence(self.url)
        except (ConnectError, ConnectionLost):
            raise
        except KKError:
            pass  # that there is no such method, in whatever words
        return False

    async def _ask(self, call: OutgoingCall) -> Any:
        """Send the request; return the value of the call, or raise what it fails with."""
        trace = HttpTrace(self.recorder, record_of(call.state))
        client = self._requests.client
        trace.sent("POST", self._address, call.frame, client.headers | _JSON, ".".join(call.path))
        with trace.watching(call.state):
            async with client.open("POST", self._address, body=call.frame, headers=_JSON) as reply:
                body = await reply.read(self._limit_bytes)
            trace.answered(reply.status, reply.headers, reply.content_type, body)
            answer = self._read(reply, body)
            value = await decode(
                partial(answer.value, call.state.call_id, self._protocol), len(body)
            )
            trace.over()
            return value

    def _read(self, reply: HttpReply, body: bytes = b"") -> Reply:
        location = without_secrets(reply.headers.get("Location", ""))
        shown = excerpt(location.encode("utf-8", "surrogateescape"))  # it may not have been UTF-8
        headers = reply.headers
        front = in_front(lambda name: [headers[name]] if name in headers else [])
        refused = refusal_reason(reply.status, front, body)
        return Reply(self.url, reply.status, body, shown, self._memory_bytes, refused)
