"""What the two ends of a resumable connection say to each other, between the frames they carry.

Each of these is one frame that begins with ``~``, as no message of a protocol does. The most
frequent says how many frames have come: ``~1024``. The others hold JSON.
"""

from __future__ import annotations

import msgspec

__all__ = [
    "BYE",
    "MARK",
    "Accept",
    "Again",
    "Bye",
    "Control",
    "Go",
    "Offer",
    "Refused",
    "acknowledgement",
    "encode",
    "read",
]

MARK = b"~"
"""How each of them begins."""

# So much of one is read at all: each is far shorter.
_LIMIT_BYTES = 4096


class Offer(msgspec.Struct, tag="offer", tag_field="kk", frozen=True):
    """A server: this connection may be resumed. What follows it is counted.

    Attributes:
        handle: by which the server finds the session.
        secret: what proves that a later connection is of the same client.
        resume_s: how long the server waits for that.
    """

    handle: str
    secret: str
    resume_s: float


class Accept(msgspec.Struct, tag="accept", tag_field="kk", frozen=True):
    """A client: it will be. What follows it is counted."""


class Again(msgspec.Struct, tag="again", tag_field="kk", frozen=True):
    """A client, first of all on a new connection: it is the one of that session.

    Attributes:
        handle: as offered.
        secret: as offered.
        received: how many frames it has.
    """

    handle: str
    secret: str
    received: int


class Go(msgspec.Struct, tag="go", tag_field="kk", frozen=True):
    """A server's answer: what follows goes on where the client stopped.

    Attributes:
        received: how many frames the server has.
    """

    received: int


class Refused(msgspec.Struct, tag="refused", tag_field="kk", frozen=True):
    """A server's answer: the session cannot be resumed.

    Attributes:
        reason: why, in a few words.
    """

    reason: str


class Bye(msgspec.Struct, tag="bye", tag_field="kk", frozen=True):
    """Either side: the end that follows is meant; do not wait."""


Control = Offer | Accept | Again | Go | Refused | Bye

_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[Control] = msgspec.json.Decoder(Control)


def encode(control: Control) -> bytes:
    """``control`` as a frame."""
    return MARK + _encoder.encode(control)


BYE = encode(Bye())


def acknowledgement(received: int) -> bytes:
    """The frame that says that so many frames have come."""
    return b"~%d" % received


def read(frame: bytes) -> Control | int | None:
    """What a frame that begins with :data:`MARK` says.

    Returns the number of an acknowledgement; None for what makes no sense.
    """
    if len(frame) > _LIMIT_BYTES:
        return None
    body = frame[1:]
    if body.isdigit():
        return int(body) if len(body) < 20 else None
    try:
        return _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
