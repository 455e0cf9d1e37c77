"""The peer's functions, as they are held here: calling one sends its arguments to the peer."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Awaitable, Callable, Generator
from typing import Any

from kkjupyter.connection.send_queue import SendQueue
from kkjupyter.errors import UsageError
from kkjupyter.plaintext import plain
from kkjupyter.runtime.loop_threads import io_loop
from kkjupyter.runtime.waiting import wait_async
from kkjupyter.wire.kkrpc.base import Protocol

__all__ = ["RemoteCallback", "RemoteCallbacks"]

# Collected objects are told to the peer together; and a function that is passed again at once, as
# in a loop of calls, is not released in between.
_RELEASE_DELAY_S = 0.05


class RemoteCallback:
    """A function of the peer's, as a handler gets it: ``callback(i, n)`` sends and returns.

    The protocol has no answer to it, so its value is nothing. ``await callback(i, n)`` waits until
    the peer keeps up; a handler that calls very often should: one that goes on calling a peer that
    does not read gets a BufferOverflow. May be called from any thread.
    """

    def __init__(self, callbacks: RemoteCallbacks, callback_id: str, codec: str) -> None:
        self._callbacks = callbacks
        self._id = callback_id
        self._codec = codec
        self._released = False

    def __call__(self, *args: Any) -> Awaitable[None]:
        if self._released:
            raise UsageError("this function was released; the other side has forgotten it")
        if any(callable(arg) and not isinstance(arg, type) for arg in args):
            raise UsageError(
                "a function cannot be passed to a function of the other side's; "
                "pass it in a call: kkjupyter.context().caller.method(fn)"
            )
        callbacks = self._callbacks
        message = callbacks.protocol.invoke_callback(self._id, args, self._codec)
        if callbacks.send_queue.full:
            callbacks.check_room(len(message), "a callback")
        callbacks.send_queue.put(message)
        return _Room(callbacks.send_queue)

    def release(self) -> None:
        """Tell the peer at once that the function is not needed any more. Idempotent.

        Without it the peer is told when this object is collected. Calling it afterwards is an
        error. The classic protocol has no word for it; there the peer keeps it.
        """
        if not self._released:
            self._released = True
            io_loop().post(self._callbacks.release, self._id)

    def __del__(self) -> None:
        if io_loop is None:  # so late in a program's end that modules have no names any more
            return
        if not self.__dict__.get("_released", True):
            io_loop().post(self._callbacks.collected, self._id)

    def __repr__(self) -> str:
        return f"<RemoteCallback {plain(self._id)}>"


class RemoteCallbacks:
    """The peer's functions that are held on one connection.

    Args:
        protocol: makes the messages.
        send_queue: takes them.
        check_room: given the size of a call, raises what it fails with if there is no room.
    """

    def __init__(
        self,
        protocol: Protocol,
        send_queue: SendQueue,
        check_room: Callable[[int, str], object] = lambda size_bytes, method: None,
    ) -> None:
        self.check_room = check_room
        self.protocol = protocol
        self.send_queue = send_queue
        self._objects: weakref.WeakValueDictionary[str, RemoteCallback] = (
            weakref.WeakValueDictionary()
        )
        self._collected: set[str] = set()

    def get(self, callback_id: str, codec: str) -> RemoteCallback:
        """The function of this id: the same object as long as somebody holds it. I/O loop only."""
        callback = self._objects.get(callback_id)
        if callback is None or callback._released:
            callback = self._objects[callback_id] = RemoteCallback(self, callback_id, codec)
            self._collected.discard(callback_id)
        return callback

    def release(self, callback_id: str) -> None:
        """Tell the peer now. I/O loop only."""
        self._collected.discard(callback_id)
        if self.protocol.has_credit:
            self.send_queue.put(self.protocol.release_callbacks([callback_id]))

    def collected(self, callback_id: str) -> None:
        """An object is gone; tell the peer soon. I/O loop only."""
        if not self.protocol.has_credit:
            return
        if not self._collected:
            asyncio.get_running_loop().call_later(_RELEASE_DELAY_S, self._release_collected)
        self._collected.add(callback_id)

    def _release_collected(self) -> None:
        # Only now: its weak reference outlives the finalizer that has told us.
        callback_ids = sorted(self._collected.difference(self._objects))
        self._collected.clear()
        if callback_ids:
            self.send_queue.put(self.protocol.release_callbacks(callback_ids))


class _Room:
    """Awaiting it waits until a send queue has room."""

    __slots__ = ("_send_queue",)

    def __init__(self, send_queue: SendQueue) -> None:
        self._send_queue = send_queue

    def __await__(self) -> Generator[Any, None, None]:
        return self._wait().__await__()

    async def _wait(self) -> None:
        await wait_async(self._send_queue.notifier, lambda: not self._send_queue.full)
