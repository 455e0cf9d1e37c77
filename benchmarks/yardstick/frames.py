"""kkrpc as frames that are made beforehand, and the bare ends of a WebSocket that carry them.

The frames have the form of those that the peers send. :class:`RawServer` sends streams of them as
fast as the socket takes them, so that a client is what is measured; :func:`drain` takes a stream as
fast as the socket gives it, so that a server is.
"""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import Protocol, State
from websockets.server import ServerProtocol
from websockets.uri import parse_uri

__all__ = ["WIRES", "RawServer", "Wire", "drain"]

RECEIVE_BYTES = 1 << 20
BLOCK_BYTES = 1 << 18
STREAM_ID = "0b7e4b52-6d7c-4c59-9e0f-3f6f4a3a2d11"
ITEM_ID = "5f0a1c9e-2b1d-4f7e-8a64-c1d2e3f40516"

Kind = Literal["compact", "classic"]
Codec = Literal["json", "superjson"]


@dataclass(frozen=True)
class Wire:
    """One of the ways in which kkrpc is spoken; makes the texts of messages."""

    protocol: Kind
    codec: Codec

    def __str__(self) -> str:
        return f"{self.protocol}-{self.codec}"

    @classmethod
    def named(cls, name: str) -> Wire:
        """The one whose text is ``name``."""
        return next(wire for wire in WIRES if str(wire) == name)

    def request(self, call_id: str, method: str, *args: Any) -> str:
        """A call."""
        if self.protocol == "compact":
            return self._text({"t": "q", "id": call_id, "op": "call", "p": [method], "a": args})
        return self._text({"id": call_id, "method": method, "args": args, "type": "request"})

    def pull(self, stream_id: str, count: int) -> str:
        """Credit for a compact stream."""
        return self._text({"t": "sq", "id": "pull", "sid": stream_id, "op": "pull", "n": count})

    def opened(self, call_id: str) -> str:
        """The answer to a call whose value is a stream; a compact one has the one id there is."""
        if self.protocol == "compact":
            handle = {"__kkrpc_next_stream__": "async-iterable", "id": STREAM_ID}
            return self._text({"t": "r", "id": call_id, "v": handle})
        return self._chunk(call_id, "response", {"result": {"__stream": True}})

    def item(self, call_id: str, value: str) -> str:
        """One item of the stream that a call has opened."""
        if self.protocol == "compact":
            head = {"t": "sr", "id": ITEM_ID, "sid": STREAM_ID}
            return self._text(head | {"d": False, "v": value})
        return self._chunk(call_id, "stream-chunk", {"value": value})

    def end(self, call_id: str) -> str:
        """Its end."""
        if self.protocol == "compact":
            return self._text({"t": "sr", "id": ITEM_ID, "sid": STREAM_ID, "d": True})
        return self._chunk(call_id, "stream-end", {})

    def _chunk(self, call_id: str, kind: str, args: dict[str, Any]) -> str:
        return self._text({"id": call_id, "method": "", "args": args, "type": kind})

    def _text(self, message: dict[str, Any]) -> str:
        whole = {"json": message} if self.codec == "superjson" else message
        text = json.dumps(whole, separators=(",", ":"), ensure_ascii=False)
        return text if self.protocol == "compact" else text + "\n"


WIRES = tuple(
    Wire(protocol, codec) for protocol in ("compact", "classic") for codec in ("json", "superjson")
)

# What streams carry, and how many items one method's frames have before they repeat. All of one
# method's are of one length, so that frames are found in a block without looking.
TOKENS = tuple(f"tok{number}" for number in range(10, 100))
BLOB = "é😀" * (64 * 1024 // 6)
VALUES = {"tokens": TOKENS, "blobs": (BLOB,)}


class RawServer:
    """Streams of prebuilt frames: ``tokens(count)`` and ``blobs(count)``; a context manager.

    Args:
        wire: how it is spoken to.
    """

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"ws://127.0.0.1:{self._socket.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> str:
        return self.url

    def __exit__(self, *exc: object) -> None:
        self._socket.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return  # closed: it is over
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        protocol = ServerProtocol(max_size=None)
        # Whoever leaves in the middle of a stream has failed, and says so itself.
        with connection, contextlib.suppress(ConnectionError):
            _quick(connection)
            messages = self._messages(connection, protocol)
            for message in messages:
                if message.get("t") == "q" or message.get("type") == "request":
                    self._stream(connection, protocol, message, messages)

    def _messages(
        self, connection: socket.socket, protocol: ServerProtocol
    ) -> Iterator[dict[str, Any]]:
        for event in _events(connection, protocol):
            if isinstance(event, Request):
                protocol.send_response(protocol.accept(event))
                _flush(connection, protocol)
            elif isinstance(event, Frame) and event.opcode is Opcode.TEXT:
                message = json.loads(bytes(event.data))
                yield message["json"] if self._wire.codec == "superjson" else message

    def _stream(
        self,
        connection: socket.socket,
        protocol: ServerProtocol,
        request: dict[str, Any],
        messages: Iterator[dict[str, Any]],
    ) -> None:
        wire, call_id = self._wire, request["id"]
        method = request["p"][-1] if wire.protocol == "compact" else request["method"]
        count = _bare(request["a"] if wire.protocol == "compact" else request["args"])[0]
        frames = [_frame(wire.item(call_id, value)) for value in VALUES[method]]
        size = len(frames[0])
        assert {len(frame) for frame in frames} == {size}
        times = max(1, BLOCK_BYTES // (size * len(frames)))
        block, in_block = memoryview(b"".join(frames) * times), times * len(frames)
        connection.sendall(_frame(wire.opened(call_id)))
        sent, credit = 0, 0 if wire.protocol == "compact" else count + 1
        while sent < count or not credit:
            if not credit:
                message = next(messages, None)
                if message is None:
                    return  # it has left, and says so itself
                if message["op"] == "pull":
                    credit += message["n"]
                continue
            at = sent % in_block
            now = min(count - sent, credit, in_block - at)
            connection.sendall(block[at * size : (at + now) * size])
            sent += now
            credit -= now
        connection.sendall(_frame(wire.end(call_id)))


def drain(url: str, wire: Wire, method: str, count: int) -> Generator[int, None, None]:
    """Take a stream without looking into it.

    The connection is made before the first value, which is 0; the second is how many items came.

    Raises:
        RuntimeError: the server hung up before the end.
    """
    uri = parse_uri(url)
    protocol = ClientProtocol(uri, max_size=None)
    with socket.create_connection((uri.host, uri.port)) as connection:
        _quick(connection)
        protocol.send_request(protocol.connect())
        _flush(connection, protocol)
        events = _events(connection, protocol)
        next(events)
        if protocol.state is not State.OPEN:
            raise RuntimeError(f"no WebSocket at {url}") from protocol.handshake_exc
        yield 0
        _say(connection, protocol, wire.request("call", method, count))
        if wire.protocol == "compact":
            answer = next(events)
            assert isinstance(answer, Frame)
            message = json.loads(bytes(answer.data))
            opened = message["json"] if wire.codec == "superjson" else message
            _say(connection, protocol, wire.pull(opened["v"]["id"], count + 1))
        yield _count_items(connection, wire)


def _count_items(connection: socket.socket, wire: Wire) -> int:
    item, end = {
        "compact": (b'"d":false', b'"d":true'),
        "classic": (b'"stream-chunk"', b'"stream-end"'),
    }[wire.protocol]
    items, tail = 0, b""
    while end not in tail:
        data = connection.recv(RECEIVE_BYTES)
        if not data:
            raise RuntimeError("the server hung up in the middle of a stream")
        whole = tail + data
        items += whole.count(item)
        # The next look must find what lies across two pieces, and nothing twice.
        tail = whole[-max(len(item), len(end)) + 1 :] if end not in whole else end
        items -= tail.count(item)
    return items


def _events(connection: socket.socket, protocol: Protocol) -> Iterator[Any]:
    while data := connection.recv(RECEIVE_BYTES):
        protocol.receive_data(data)
        _flush(connection, protocol)  # answers to pings
        yield from protocol.events_received()


def _say(connection: socket.socket, protocol: Protocol, text: str) -> None:
    protocol.send_text(text.encode())
    _flush(connection, protocol)


def _flush(connection: socket.socket, protocol: Protocol) -> None:
    for data in protocol.data_to_send():
        connection.sendall(data)


def _quick(connection: socket.socket) -> None:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _bare(args: list[Any]) -> list[Any]:
    return [arg["v"] if isinstance(arg, dict) else arg for arg in args]


def _frame(text: str) -> bytes:
    """A server's text frame."""
    return bytes(Frame(Opcode.TEXT, text.encode()).serialize(mask=False))
