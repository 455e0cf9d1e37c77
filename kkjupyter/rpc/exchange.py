"""kkrpc over HTTP, asking: each call is one request, its reply the answer; there is no channel.

The peers answer values and errors this way, no streams and no callbacks.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import ssl as ssl_module
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from kkjupyter.errors import ConnectError, ConnectionLost, KKError, UsageError
from kkjupyter.rpc.call import Call
from kkjupyter.rpc.callbacks import PassedFunctions
from kkjupyter.rpc.caller import Caller, OutgoingCall
from kkjupyter.rpc.callstate import CallState
from kkjupyter.rpc.checks import check_choice, check_seconds
from kkjupyter.rpc.detection import PROTOCOLS, make_protocol
from kkjupyter.rpc.portal import io_loop
from kkjupyter.rpc.replies import INSTEAD, Reply
from kkjupyter.rpc.session import note_session, open_sessions
from kkjupyter.transports.connecting import without_secrets
from kkjupyter.transports.http import DEFAULT_LIMIT_BYTES, HttpClient, HttpReply, check_http_url
from kkjupyter.wire.classic_messages import CODECS
from kkjupyter.wire.events import CallbackRef, StreamRef
from kkjupyter.wire.protocol import Protocol
from kkjupyter.wire.values import undefined

__all__ = ["HttpSession"]

_JSON = {"Content-Type": "application/json"}
_GREETING_S = 1.0
_CLOSE_S = 1.0

_closing: set[asyncio.Task[None]] = set()


class HttpSession(Caller):
    """Calls to one address over HTTP, many at a time; used as a session over a channel is.

    A call is one POST. It is sent once, whatever happens; a failed one fails that call only.
    Cancelling breaks its request off.

    Args:
        url: ``http://`` or ``https://``; secrets in it are never shown.
        protocol: ``"classic"`` (kkrpc 0.x) or ``"compact"`` (1.0 to 2.x); nothing is posted to find
            it out.
        codec: of the messages sent; None for what the peers read over HTTP: superjson in the
            classic protocol and json in the compact one.
        headers: sent with every request.
        ssl: a context for ``https://``; the library's default otherwise.
        proxy: an address; True for what the environment says; None or False for none.
        connect_timeout_s: for connecting, in seconds.
        limit_bytes: the longest reply accepted.
        timeout_s: for the reply of every call that says nothing else.
        idle_timeout_s: of no effect, as there are no streams.
        methods: names known to exist there, for completion and the card.
        meta: called for each call; what it returns is sent along.

    Raises:
        UsageError: an argument cannot be right.
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
        limit_bytes: int = DEFAULT_LIMIT_BYTES,
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
                f"{shown_url} is an HTTP address, where nothing is sent to find out what is "
                "spoken; name it: protocol='classic' for kkrpc 0.x, protocol='compact' for 1.0 to "
                f"2.x (--protocol in a magic). A WebSocket server is at {'ws' + shown_url[4:]!r}"
            )
        if protocol == "classic" and codec == "json":
            raise UsageError(
                f"{shown_url}: over HTTP the classic protocol is read as superjson only; "
                "leave codec out"
            )
        super().__init__(
            shown_url,
            PassedFunctions(),
            timeout_s=timeout_s,
            idle_timeout_s=idle_timeout_s,
            methods=methods,
            meta=meta,
        )
        self._address = url
        self._limit_bytes = limit_bytes
        superjson = codec == "superjson" or protocol == "classic"
        self._protocol = make_protocol(protocol, "superjson" if superjson else "json")
        self._client = HttpClient(
            headers=headers, ssl=ssl, proxy=proxy, connect_timeout_s=connect_timeout_s
        )
        self._requests: dict[CallState, asyncio.Task[None]] = {}
        self._lost_reason = ""
        # When nobody can call any more, and no call is under way: that would hold the session. Not
        # __del__: collected together with this, the client would be found unclosed.
        self._forgotten = weakref.finalize(self, io_loop().post, _close_soon, self._client)
        self._forgotten.atexit = False
        note_session(self)

    # ---- what users of a session see

    @property
    def wire(self) -> Protocol:
        return self._protocol

    @property
    def state(self) -> str:
        if self.closed:
            return "closed"
        if self._lost_reason:
            return f"lost: {self._lost_reason}; the next call connects again"
        return "open"

    @property
    def calls(self) -> list[CallState]:
        return sorted(self._requests, key=lambda state: state.number)

    async def connect(self) -> None:
        """See whether the server is there. I/O loop only.

        Asked by HEAD, which calls nothing; what is answered does not matter, save that a token is
        wanted.

        Raises:
            ConnectError: it cannot be reached.
        """
        try:
            # That it was reached and said nothing is not held against it: servers that know of
            # POST only may be like that.
            with contextlib.suppress(ConnectionLost):
                async with self._client.open(
                    "HEAD", self._address, silence_timeout_s=_GREETING_S
                ) as reply:
                    if reply.status == 401:
                        raise self._read(reply).refusal(self._protocol)
        except BaseException:
            self.closed = True  # nobody gets it
            await self._client.close()
            raise

    async def close(self) -> None:
        self.closed = True
        for state in list(self._requests):
            state.cancel()
            self.cancel_call(state)
        await self._client.close()

    # ---- what calls ask of their carrier

    @property
    def reading_paused(self) -> bool:
        return False

    def reconsider_reading(self) -> None:
        """A reply is read as a whole."""

    def pull(self, state: CallState) -> None:
        """There are no streams."""

    def throw(self, state: CallState, error: Any) -> Call:
        raise UsageError(f"{state.method} is no stream: HTTP carries none")

    def cancel_call(self, state: CallState) -> None:
        state.stop_timer()
        request = self._requests.pop(state, None)
        if request is not None:
            request.cancel()

    # ---- asking

    def _wire_arg(self, arg: Any, index: int, call: OutgoingCall, protocol: Protocol) -> Any:
        sent = super()._wire_arg(arg, index, call, protocol)
        if isinstance(sent, CallbackRef):
            self._functions.release([sent.id])
        elif not isinstance(sent, StreamRef):
            return sent
        what = "a function" if isinstance(sent, CallbackRef) else "a stream"
        raise UsageError(
            f"{call.state.method}: argument {index + 1} is {what} ({type(arg).__name__}), and "
            f"HTTP carries values only; {INSTEAD}"
        )

    def _send(self, call: OutgoingCall) -> None:
        state = call.state
        if self.closed:  # since the call was made
            state.cancel()
            return
        if state.over:
            return
        loop = asyncio.get_running_loop()
        if state.timeout_s is not None:
            state.timer = loop.call_later(state.timeout_s, state.expire_reply, state.timeout_s)
        self._requests[state] = loop.create_task(self._exchange(call))

    async def _exchange(self, call: OutgoingCall) -> None:
        state = call.state
        try:
            value = await self._ask(call)
        except (ConnectError, ConnectionLost) as error:
            self._end(state, error, lost_reason=error.reason)
        except KKError as error:
            self._end(state, error)
        except Exception as error:
            # Whatever was forgotten to be translated: nobody may wait for it for ever.
            self._end(state, error)
            raise
        else:
            self._end(state, value=value)

    async def _ask(self, call: OutgoingCall) -> Any:
        """Send the request; return the value of the call, or raise what it fails with."""
        async with self._client.open(
            "POST", self._address, body=call.frame, headers=_JSON
        ) as reply:
            body = await reply.read(self._limit_bytes)
        return self._read(reply, body).value(call.state.call_id, self._protocol)

    def _read(self, reply: HttpReply, body: bytes = b"") -> Reply:
        location = without_secrets(reply.headers.get("Location", ""))
        return Reply(self.url, reply.status, body, location)

    def _end(
        self,
        state: CallState,
        error: Exception | None = None,
        *,
        value: Any = undefined,
        lost_reason: str = "",
    ) -> None:
        self._lost_reason = lost_reason
        self._requests.pop(state, None)
        if error is not None:
            state.failed(error)
        else:
            state.replied(value)


def _close_soon(client: HttpClient) -> None:
    """Close it when nobody is there to wait for that. I/O loop only."""
    task = asyncio.get_running_loop().create_task(client.close())
    _closing.add(task)
    task.add_done_callback(_closing.discard)


@atexit.register
def _close_all() -> None:
    # Otherwise the library complains, after the last line of a script, of what nobody can see.
    clients = [s._client for s in open_sessions() if isinstance(s, HttpSession)]

    async def close() -> None:
        await asyncio.gather(*(client.close() for client in clients))

    if clients:
        with contextlib.suppress(TimeoutError):
            io_loop().submit(close()).result(_CLOSE_S)
