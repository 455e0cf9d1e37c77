"""What the payloads of our own ends' frames say when they are not content."""

from __future__ import annotations

import msgspec

__all__ = ["Debts", "Hello", "Presence", "read_hello", "read_presence"]


class Hello(msgspec.Struct):
    """Asks for a link, or grants it.

    Attributes:
        inbox: the sender's.
        sender: what it calls itself.
    """

    inbox: str
    sender: str

    @property
    def key(self) -> str:
        """Tells that nobody was there to hear it."""
        return f"open-{self.sender}"


class Debts(msgspec.Struct):
    """What one of kkrpc's own clients waits for.

    Attributes:
        calls: the ids of its calls that are not answered.
        streams: the ids of its streams that are not over.
    """

    calls: list[str]
    streams: list[str]


class Presence(msgspec.Struct):
    """A worker says that it is there.

    Attributes:
        worker: what it calls itself.
        inbox: its inbox.
        is_shared: whether it shares the work with others.
        is_leaving: whether it is about to be gone.
        debts: what it owes to kkrpc's own clients, by what they call themselves.
    """

    worker: str
    inbox: str
    is_shared: bool = True
    is_leaving: bool = False
    debts: dict[str, Debts] = {}


_decode_hello = msgspec.json.Decoder(Hello).decode
_decode_presence = msgspec.json.Decoder(Presence).decode
_NOT_ONE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def read_hello(data: bytes) -> Hello | None:
    """What a frame's payload says; None if it is none."""
    try:
        return _decode_hello(data)
    except _NOT_ONE:
        return None


def read_presence(data: bytes) -> Presence | None:
    """What a payload says; None if it is none."""
    try:
        return _decode_presence(data)
    except _NOT_ONE:
        return None
