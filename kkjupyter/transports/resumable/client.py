"""The client's end of a resumable connection: it dials again when the connection breaks."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Awaitable, Callable, Sequence

from kkjupyter.errors import ConnectError
from kkjupyter.transports.base import Relay, Transport
from kkjupyter.transports.resumable.control import (
    MARK,
    Accept,
    Again,
    Go,
    Offer,
    Refused,
    encode,
    read,
)
from kkjupyter.transports.resumable.frame_log import FrameLog
from kkjupyter.transports.resumable.transport import ResumableTransport
from kkjupyter.transports.websocket.client import is_turned_away

__all__ = ["ClientEnd", "find_offer"]

logger = logging.getLogger("kkjupyter")

_FIRST_WAIT_S = 0.05
_LONGEST_WAIT_S = 2.0
# How long the server may take to answer on a new connection, before that one is given up.
_ANSWER_S = 10.0


def find_offer(chunks: Sequence[bytes]) -> tuple[int, Offer] | None:
    """Where among frames a server offers a resumable connection, and the offer."""
    for index, chunk in enumerate(chunks):
        if chunk.startswith(MARK):
            offer = read(chunk)
            if isinstance(offer, Offer):
                return index, offer
    return None


class ClientEnd(ResumableTransport):
    """Accepts what a server offers, and comes back to it.

    Args:
        inner: the connection that the offer came over.
        relay: what ``inner`` reports to.
        offer: the server's.
        dial: makes another connection to the same address.

    Attributes:
        is_wanted: whether something is under way for which it is worth to come back. If not, a
            lost connection is over at once, as others are.
    """

    def __init__(
        self,
        inner: Transport,
        relay: Relay,
        offer: Offer,
        dial: Callable[[], Awaitable[Transport]],
    ) -> None:
        super().__init__(inner, relay, FrameLog(), is_agreed=True)
        self.is_wanted: Callable[[], bool] = lambda: True
        self._offer = offer
        self._dial = dial
        self._returning: asyncio.Task[None] | None = None
        self._hurry = asyncio.Event()
        inner.send([encode(Accept())])

    def hurry(self) -> None:
        """Somebody wants to call: do not wait for the next attempt."""
        self._hurry.set()

    def _went_away(self) -> None:
        if self._log.held_bytes or self.is_wanted():
            logger.info("%s: %s; reconnecting", self.url, self.away_reason)
            self._returning = self._loop.create_task(self._return())
        else:
            self.finish(self.away_reason)

    def _ended(self) -> None:
        returning = self._returning
        if returning is not None and returning is not asyncio.current_task():
            returning.cancel()

    async def _return(self) -> None:
        resume_s = self._offer.resume_s
        why = self.away_reason
        try:
            async with asyncio.timeout(resume_s):
                await self._try_again_and_again()
        except TimeoutError:
            last = "" if self.away_reason == why else f" ({self.away_reason})"
            self.finish(f"{why}, and there was no way back within {resume_s:g} s{last}")
        except ConnectError as error:
            self.finish(f"{why}, and cannot be resumed: {error.reason}")
        except Exception as error:
            # What a transport did not translate: still, nobody may wait for ever.
            self.finish(f"{why}, and cannot be resumed: {type(error).__name__}")
            raise

    async def _try_again_and_again(self) -> None:
        """Return once it is back. Raises ConnectError if it will never be."""
        wait_s = _FIRST_WAIT_S
        while True:
            try:
                await self._try()
            except _Refusal:
                raise
            except ConnectError as error:
                if is_turned_away(error):
                    raise
                self.away_reason = error.reason
            else:
                return
            self._hurry.clear()
            with contextlib.suppress(TimeoutError):
                # Many clients lose the same server, and shall not come back all at once.
                async with asyncio.timeout(random.uniform(wait_s / 2, wait_s)):
                    await self._hurry.wait()
            wait_s = min(2 * wait_s, _LONGEST_WAIT_S)

    async def _try(self) -> None:
        inner = await self._dial()
        answer = _Answer(inner.url)
        relay = Relay(answer)
        try:
            inner.open(relay)
            inner.send([encode(Again(self._offer.handle, self._offer.secret, self._received))])
            received = await answer.wait()
            if not self.attach(inner, relay, received):
                raise _Refusal(inner.url, "the two sides disagree on what was sent")
        except BaseException:
            inner.abort()
            raise
        relay.data_received(answer.rest)


class _Refusal(ConnectError):
    """The server does not go on with the session."""


class _Answer:
    """In charge of a new connection until the server has answered."""

    def __init__(self, url: str) -> None:
        self.rest: list[bytes] = []
        self._url = url
        self._received: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def wait(self) -> int:
        """How many frames the server has. Raises ConnectError if it does not go on."""
        try:
            async with asyncio.timeout(_ANSWER_S):
                return await self._received
        except TimeoutError:
            raise ConnectError(self._url, f"no answer within {_ANSWER_S:g} s") from None

    def data_received(self, chunks: Sequence[bytes]) -> None:
        if self._received.done():
            self.rest += chunks
            return
        first, *self.rest = chunks
        match read(first) if first.startswith(MARK) else None:
            case Go(received):
                self._received.set_result(received)
            case Refused(reason):
                self._received.set_exception(_Refusal(self._url, reason))
            case _:
                text = "what answers there is not the server of this session"
                self._received.set_exception(_Refusal(self._url, text))

    def writable(self) -> None:
        """Nothing here waits for that."""

    def closed(self, reason: str) -> None:
        if not self._received.done():
            self._received.set_exception(ConnectError(self._url, reason))
