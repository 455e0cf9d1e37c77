"""The running calls of a session over HTTP: one request for each, over one pool."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import threading
import weakref
from collections.abc import Callable, Coroutine
from functools import partial

from kkjupyter.calls.state import CallState
from kkjupyter.errors import ConnectError, ConnectionLost, KKError
from kkjupyter.runtime.loop_threads import io_loop, leave_to_parent
from kkjupyter.transports.http.client import HttpClient, HttpReply

__all__ = ["Exchange", "Requests", "Settle"]

Settle = Callable[[], object]
"""Ends a call; run when everything else about its request is done."""

Exchange = Callable[[], Coroutine[None, None, Settle]]
"""Sends a request and reads the answer; raises what the call fails with."""

_GREETING_S = 1.0
_CLOSE_S = 1.0

_clients: weakref.WeakSet[HttpClient] = weakref.WeakSet()
_clients_lock = threading.Lock()
_closing: set[asyncio.Task[None]] = set()


class Requests:
    """Runs the requests, settles calls that fail, and aborts requests that are no longer wanted.

    A request is never sent twice; if it fails, only its call fails. I/O loop only, unless a method
    says otherwise.

    Args:
        owner: the session; when it is collected, its connections are closed.
        client: the client that sends the requests.

    Attributes:
        client: sends them.
    """

    def __init__(self, owner: object, client: HttpClient) -> None:
        self.client = client
        self._lost_reason = ""
        self._tasks: dict[CallState, asyncio.Task[None]] = {}
        # When no one can call any more, and no call is running, which would hold the session. Not
        # __del__: the client would be collected together with this, and be found unclosed.
        forgotten = weakref.finalize(owner, _forget, client)
        forgotten.atexit = False
        with _clients_lock:
            _clients.add(client)

    @property
    def calls(self) -> list[CallState]:
        """The calls, oldest first. Any thread."""
        return sorted(self._tasks, key=lambda state: state.number)

    @property
    def state(self) -> str:
        """The state of the server as the requests show it.

        Any thread. Between two requests it is not known: a kept connection may be dead.
        """
        if self._lost_reason:
            return f"last call failed: {self._lost_reason}; the next call connects again"
        return "open" if self._tasks else "idle"

    def start(self, state: CallState, exchange: Exchange) -> None:
        """Run ``exchange()`` and settle ``state`` with its outcome.

        The time limit for the reply begins now.
        """
        state.start_timer()
        self._tasks[state] = asyncio.get_running_loop().create_task(self._run(state, exchange))

    def cancel(self, state: CallState) -> None:
        """Abort the request."""
        state.stop_timer()
        task = self._tasks.pop(state, None)
        if task is not None:
            task.cancel()

    async def greet(self, address: str) -> HttpReply | None:
        """Check that the server can be reached; None if it was reached but did not answer.

        Uses HEAD, which calls nothing. Servers that know only other methods may not answer.

        Raises:
            ConnectError: it cannot be reached.
        """
        with contextlib.suppress(ConnectionLost):
            async with self.client.open("HEAD", address, silence_timeout_s=_GREETING_S) as reply:
                return reply
        return None

    async def close(self) -> None:
        """Cancel every call, then close every connection. Idempotent."""
        for state in list(self._tasks):
            state.cancel()
            self.cancel(state)
        await self.client.close()

    def forked(self, url: str) -> None:
        """Reset in a forked process: connections and requests belong to the parent."""
        tasks, self._tasks = self._tasks, {}
        leave_to_parent(self.client.forked())
        leave_to_parent(tasks)
        for state in tasks:
            state.forked(url)

    async def _run(self, state: CallState, exchange: Exchange) -> None:
        try:
            settle = await exchange()
        except (ConnectError, ConnectionLost) as error:
            self._end(state, partial(state.failed, error), lost_reason=error.reason)
        except KKError as error:
            self._end(state, partial(state.failed, error))
        except Exception as error:
            # An error that was not translated: still, no one may wait for ever.
            self._end(state, partial(state.failed, error))
            raise
        else:
            self._end(state, settle)

    def _end(self, state: CallState, settle: Settle, *, lost_reason: str = "") -> None:
        # Settled last: the code that waited may look at what is open now.
        self._lost_reason = lost_reason
        self._tasks.pop(state, None)
        settle()


def _forget(client: HttpClient) -> None:
    io_loop().post(_close_soon, client)


def _close_soon(client: HttpClient) -> None:
    """Close it without anyone waiting for the end."""
    task = asyncio.get_running_loop().create_task(client.close())
    _closing.add(task)
    task.add_done_callback(_closing.discard)


def _forget_lock() -> None:
    global _clients_lock
    _clients_lock = threading.Lock()  # the lock's owner is not in this process


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_lock)


@atexit.register
def _close_all() -> None:
    # Otherwise the library warns after the last line of a script, about something invisible.
    with _clients_lock:
        clients = list(_clients)

    async def close() -> None:
        await asyncio.gather(*(client.close() for client in clients))

    if clients:
        with contextlib.suppress(TimeoutError):
            io_loop().submit(close()).result(_CLOSE_S)
