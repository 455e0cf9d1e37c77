"""The server's ends of resumable connections, and the list of those whose client is away."""

from __future__ import annotations

import asyncio
import hmac
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass

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
from kkjupyter.transports.resumable.frame_log import FrameLog, Holding
from kkjupyter.transports.resumable.transport import ResumableTransport

__all__ = ["Guest", "ResumableSessions", "ServerEnd", "refuse"]

UNKNOWN = (
    "the server does not have this session: it was started anew, the client was away too long, or "
    "too many others were"
)
_HANDLE_BYTES = 9
_SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class Guest:
    """What is known of a client from its handshake.

    Attributes:
        origin: the web origin of its page, if it is one; who comes back must have the same.
        address: its address, where clients are counted by that; else empty.
    """

    origin: str | None = None
    address: str = ""


class ServerEnd(ResumableTransport):
    """Offered to one client; made by :meth:`ResumableSessions.offer`.

    Args:
        sessions: of which it is one.
        inner: the client's connection.
        relay: what ``inner`` reports to.
        log: of what is sent.
        guest: the client.
        is_question: whether a frame is one that the client sends before it knows of the offer.

    Attributes:
        handle: by which it is found.
        secret: what the client must know besides.
        guest: the client.
        is_busy: whether anything runs for the client. One for whom nothing does is waited for as
            long as there is room.
    """

    def __init__(
        self,
        sessions: ResumableSessions,
        inner: Transport,
        relay: Relay,
        log: FrameLog,
        guest: Guest,
        is_question: Callable[[bytes], bool],
    ) -> None:
        super().__init__(inner, relay, log, is_agreed=False)
        self.handle = secrets.token_urlsafe(_HANDLE_BYTES)
        self.secret = secrets.token_urlsafe(_SECRET_BYTES)
        self.guest = guest
        self.is_busy: Callable[[], bool] = lambda: True
        self._is_question = is_question
        self._sessions = sessions
        self._deadline: asyncio.TimerHandle | None = None
        self._is_declined = False
        inner.send([encode(Offer(self.handle, self.secret, sessions.resume_s))])

    def arrived(self, chunks: Sequence[bytes]) -> None:
        if self._is_agreed:
            super().arrived(chunks)
            return
        if self._is_declined:
            self._pass_on(chunks)
            return
        for index, chunk in enumerate(chunks):
            if chunk.startswith(MARK) and isinstance(read(chunk), Accept):
                self._is_agreed = True
                if index + 1 < len(chunks):
                    super().arrived(chunks[index + 1 :])
                return
            if not self._is_question(chunk):
                self._decline()
                self._pass_on(chunks[index:])
                return
            self._pass_on([chunk])

    def _decline(self) -> None:
        """The client does not know of offers: it will never acknowledge anything."""
        self._is_declined = True
        self._sessions.withdraw(self)
        with self._lock:
            self._log.clear()
            self._log = _NoLog()
        self.may_write()

    def _pass_on(self, chunks: Sequence[bytes]) -> None:
        if self._owner is not None:
            self._owner.data_received(chunks)

    def _went_away(self) -> None:
        resume_s = self._sessions.resume_s
        if self._sessions.may_wait_for(self):
            text = f"{self.away_reason}, and the client did not come back within {resume_s:g} s"
            self._deadline = self._loop.call_later(resume_s, self.finish, text)
        else:
            self.finish(self.away_reason)

    def come_back(self, inner: Transport, relay: Relay, received: int) -> bool:
        """Go on over ``inner``, which its client has opened; return whether that is possible."""
        self._drop_carrier()  # nobody may have noticed that it is dead
        self._is_agreed = True  # what said so may have been lost
        self._stop_waiting()
        return self.attach(inner, relay, received, [encode(Go(self._received))])

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        self._sessions.waits_no_more(self)

    def _ended(self) -> None:
        self._stop_waiting()
        self._sessions.withdraw(self)


class _NoLog(FrameLog):
    """Keeps nothing."""

    def add(self, frames: Sequence[bytes]) -> None:
        """These are sent once."""

    def take_back(self) -> None:
        """Nothing was kept."""


class ResumableSessions:
    """Those of one server. I/O loop only, except the numbers.

    Args:
        resume_s: how long a client may be away.
        log_bytes: how much is kept of what one client has not acknowledged.
        away_limit: how many clients may be away; whoever else goes is not waited for. None for any
            number.
        away_per_address_limit: and of one address.
        make_holding: makes what counts the bytes that one session keeps.
    """

    def __init__(
        self,
        resume_s: float,
        *,
        log_bytes: int,
        away_limit: int | None = None,
        away_per_address_limit: int | None = None,
        make_holding: Callable[[], Holding | None] = lambda: None,
    ) -> None:
        self.resume_s = resume_s
        self._log_bytes = log_bytes
        self._away_limit = away_limit
        self._away_per_address_limit = away_per_address_limit
        self._make_holding = make_holding
        self._ends: dict[str, ServerEnd] = {}
        self._away: dict[ServerEnd, None] = {}  # since longest first
        self._decoy = secrets.token_urlsafe(_SECRET_BYTES)

    @property
    def away(self) -> int:
        """How many clients are away and waited for. Any thread."""
        return len(self._away)

    def offer(
        self,
        inner: Transport,
        relay: Relay,
        guest: Guest,
        is_question: Callable[[bytes], bool],
    ) -> ServerEnd:
        """Offer a client to resume its connection; the arguments are those of a ServerEnd."""
        log = FrameLog(self._log_bytes, self._make_holding())
        end = ServerEnd(self, inner, relay, log, guest, is_question)
        self._ends[end.handle] = end
        return end

    def resume(self, inner: Transport, relay: Relay, again: Again, guest: Guest) -> None:
        """Answer a client that says that it was here before.

        Args:
            inner: its new connection, which is open.
            relay: what ``inner`` reports to.
            again: what it says.
            guest: who it is this time.
        """
        end = self._ends.get(again.handle)
        expected = self._decoy if end is None else end.secret
        is_same = hmac.compare_digest(expected.encode(), again.secret.encode(errors="replace"))
        if end is None or not is_same or end.guest.origin != guest.origin:
            refuse(inner, UNKNOWN)
        elif not end.come_back(inner, relay, again.received):
            end.finish("the client came back with a wrong count")
            refuse(inner, "the two sides disagree on what was sent")

    def stop(self) -> None:
        """Wait for nobody any more. Connections that are there are closed by the server."""
        for end in list(self._ends.values()):
            if end.away_since_s is None:
                end.say_bye()
            else:
                end.finish("the server was closed")

    # ---- for its ends

    def may_wait_for(self, end: ServerEnd) -> bool:
        """Whether one more client may be away; then it is counted."""
        limit, address_limit = self._away_limit, self._away_per_address_limit
        address = end.guest.address
        away = list(self._away)
        neighbours = [one for one in away if one.guest.address == address]
        is_crowded_there = address_limit is not None and len(neighbours) >= address_limit
        if address and is_crowded_there and not self._make_room(neighbours):
            return False
        if limit is not None and len(self._away) >= limit and not self._make_room(away):
            return False
        self._away[end] = None
        return True

    def _make_room(self, ends: list[ServerEnd]) -> bool:
        """Give up one of these for whom nothing runs; return whether there was one."""
        idle = next((end for end in ends if not end.is_busy()), None)
        if idle is not None:
            idle.finish("too many other clients were away")
        return idle is not None

    def waits_no_more(self, end: ServerEnd) -> None:
        """That client is back, or given up. Idempotent."""
        self._away.pop(end, None)

    def withdraw(self, end: ServerEnd) -> None:
        """That one cannot be resumed any more. Idempotent."""
        self._ends.pop(end.handle, None)


_closing: set[asyncio.Task[None]] = set()


def refuse(inner: Transport, reason: str) -> None:
    """Tell a client that its session cannot be resumed, and end the new connection."""
    inner.send([encode(Refused(reason))])
    task = asyncio.get_running_loop().create_task(inner.close())
    _closing.add(task)  # the loop itself holds no task
    task.add_done_callback(_closing.discard)
