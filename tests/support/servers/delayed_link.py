"""A slow network between two ends on this machine."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator

__all__ = ["delayed_link"]


@contextlib.contextmanager
def delayed_link(port: int, delay_s: float) -> Iterator[int]:
    """A port behind which ``port`` is ``delay_s`` away in each direction; nothing is dropped."""
    loop = asyncio.new_event_loop()
    stopped = asyncio.Event()

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

        async def deliver() -> None:
            while True:
                at_s, data = await held.get()
                await asyncio.sleep(max(0.0, at_s - loop.time()))
                if not data:
                    break
                writer.write(data)
                await writer.drain()

        delivering = asyncio.create_task(deliver())
        try:
            while data := await reader.read(256 * 1024):
                held.put_nowait((loop.time() + delay_s, data))
        except ConnectionError:
            pass
        held.put_nowait((loop.time() + delay_s, b""))
        with contextlib.suppress(ConnectionError):
            await delivering
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(carry(reader, far_writer), carry(far_reader, writer))

    async def main() -> None:
        listener = await asyncio.start_server(serve, "127.0.0.1", 0)
        ports.append(listener.sockets[0].getsockname()[1])
        ready.set()
        await stopped.wait()
        listener.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        if others:
            await asyncio.wait(others, timeout=2)

    ports: list[int] = []
    ready = threading.Event()
    thread = threading.Thread(target=loop.run_until_complete, args=(main(),))
    thread.start()
    try:
        assert ready.wait(5)
        yield ports[0]
    finally:
        loop.call_soon_threadsafe(stopped.set)
        thread.join(5)
        loop.close()
