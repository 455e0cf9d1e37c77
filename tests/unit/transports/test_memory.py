"""The in-process pair: a transport like any other."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from kkjupyter.transports.memory import MemoryTransport, memory_pair


class Log:
    """An owner that writes down what it is told."""

    def __init__(self) -> None:
        self.received: list[bytes] = []
        self.ends: list[str] = []
        self.writable_again = 0

    def data_received(self, chunks: Sequence[bytes]) -> None:
        self.received += chunks

    def writable(self) -> None:
        self.writable_again += 1

    def closed(self, reason: str) -> None:
        self.ends.append(reason)


async def opened() -> tuple[MemoryTransport, Log, MemoryTransport, Log]:
    near, far = memory_pair("memory:test")
    near_log, far_log = Log(), Log()
    near.open(near_log)
    far.open(far_log)
    return near, near_log, far, far_log


def test_messages_keep_their_order_and_boundaries() -> None:
    async def main() -> None:
        near, near_log, far, far_log = await opened()
        near.send([b"one", b"two"])
        near.send([b"three"])
        far.send([b"back"])
        await asyncio.sleep(0.01)
        assert far_log.received == [b"one", b"two", b"three"]
        assert near_log.received == [b"back"]

    asyncio.run(main())


def test_what_was_sent_before_the_other_end_opened_is_not_lost() -> None:
    async def main() -> None:
        near, far = memory_pair()
        near.open(Log())
        near.send([b"early"])
        await asyncio.sleep(0)
        log = Log()
        far.open(log)
        await asyncio.sleep(0.01)
        assert log.received == [b"early"]

    asyncio.run(main())


def test_a_paused_end_is_felt_by_the_other() -> None:
    async def main() -> None:
        near, near_log, far, far_log = await opened()
        far.pause_reading()
        while near.writable:
            near.send([b"x" * 50_000])
        await asyncio.sleep(0.01)
        assert far_log.received == []
        far.resume_reading()
        await asyncio.sleep(0.01)
        assert near.writable
        assert near_log.writable_again == 1
        assert len(far_log.received) == 6

    asyncio.run(main())


def test_closing_tells_both_once_and_delivers_what_was_sent() -> None:
    async def main() -> None:
        near, near_log, far, far_log = await opened()
        near.send([b"last"])
        await near.close()
        await near.close()
        near.abort()
        near.send([b"too late"])
        far.send([b"too late"])
        await asyncio.sleep(0.01)
        assert far_log.received == [b"last"]
        assert near_log.received == []
        assert (near_log.ends, far_log.ends) == (["closed"], ["closed by the other side"])

    asyncio.run(main())


def test_an_owner_may_abort_in_the_middle_of_a_delivery() -> None:
    class Aborting(Log):
        def data_received(self, chunks: Sequence[bytes]) -> None:
            super().data_received(chunks)
            far.abort()

    async def main() -> None:
        problems: list[object] = []
        asyncio.get_running_loop().set_exception_handler(lambda loop, what: problems.append(what))
        near_log, far_log = Log(), Aborting()
        near.open(near_log)
        far.open(far_log)
        near.send([b"one"])
        await asyncio.sleep(0.01)
        assert (near_log.ends, far_log.ends) == (["closed by the other side"], ["closed"])
        assert problems == []

    near, far = memory_pair()
    asyncio.run(main())
