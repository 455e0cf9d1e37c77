"""The envelope of kkrpc 2.1's messages on a bus that many share; no state.

The name of a bus carries the messages of all who use it: who sends and who is meant stands in the
envelope. A peer drops an envelope that is not right without a word, and so is it done here. Only
the compact protocol with JSON travels in it.
"""

from __future__ import annotations

import re
from typing import Final, Literal, NamedTuple

import msgspec

from kkjupyter.wire.kkrpc.envelopes import UNREADABLE, read_head

__all__ = ["Answered", "Opened", "Sealer", "open_envelope", "read_answer"]

_PROTOCOL = "kkrpc.bus.v1"
_UNSET = msgspec.UNSET


class Opened(NamedTuple):
    """What was in an envelope.

    Attributes:
        sender: who has sent it.
        to: for whom it is; empty if it is for everybody.
        kind: the ``t`` of the message.
        id: of the message; empty for ``cbr``.
        stream_id: empty if it is not about a stream.
        message: the message as it was sent.
    """

    sender: str
    to: str
    kind: str
    id: str
    stream_id: str
    message: bytes


class _Envelope(msgspec.Struct, gc=False):
    protocol: Literal["kkrpc.bus.v1"]
    transportId: str  # noqa: N815  the field's name on the wire
    sender: str = msgspec.field(name="from")
    message: msgspec.Raw
    sentAt: int | float | msgspec.UnsetType = _UNSET  # noqa: N815
    to: str | msgspec.UnsetType = _UNSET
    correlationId: str | msgspec.UnsetType = _UNSET  # noqa: N815
    sequence: int | float | msgspec.UnsetType = _UNSET


class _Request(msgspec.Struct, gc=False, tag_field="t", tag="q"):
    id: str
    op: Literal["call", "get", "set", "new", "ref"]
    p: list[str]


class _Response(msgspec.Struct, gc=False, tag_field="t", tag="r"):
    id: str


class _Callback(msgspec.Struct, gc=False, tag_field="t", tag="cb"):
    id: str
    a: list[msgspec.Raw]


class _Release(msgspec.Struct, gc=False, tag_field="t", tag="cbr"):
    ids: list[str]


class _StreamRequest(msgspec.Struct, gc=False, tag_field="t", tag="sq"):
    id: str
    sid: str
    op: Literal["pull", "return", "throw"]


class _StreamResponse(msgspec.Struct, gc=False, tag_field="t", tag="sr"):
    id: str
    sid: str


_Message = _Request | _Response | _Callback | _Release | _StreamRequest | _StreamResponse

_decode_envelope = msgspec.json.Decoder(_Envelope).decode
_decode_message = msgspec.json.Decoder(_Message).decode


def open_envelope(data: bytes) -> Opened | None:
    """What is in an envelope; None for anything that the peers would drop.

    They drop releases of callbacks (``cbr``), too, which are accepted here.
    """
    # Half a surrogate pair, which Node does send, cannot be skipped over. It is as long as this.
    readable = data.replace(b"\\ud", b"\\ua").replace(b"\\uD", b"\\uA")
    try:
        envelope = _decode_envelope(readable)
        message = _decode_message(envelope.message)
    except UNREADABLE:
        return None
    raw = bytes(envelope.message)
    if readable != data:
        at = readable.index(raw)
        raw = data[at : at + len(raw)]
    return Opened(
        envelope.sender,
        "" if envelope.to is _UNSET else envelope.to,
        str(message.__struct_config__.tag),
        getattr(message, "id", ""),
        getattr(message, "sid", ""),
        raw,
    )


class Sealer:
    """Puts messages of one sender for one receiver into envelopes.

    Args:
        transport_id: the peers' name of this kind of bus: ``"nats"``.
        sender: who sends.
        to: for whom; empty for everybody.
    """

    def __init__(self, transport_id: str, sender: str, to: str) -> None:
        head = {"protocol": _PROTOCOL, "transportId": transport_id, "from": sender}
        if to:
            head["to"] = to
        self._head = msgspec.json.encode(head)[:-1]

    def seal(self, message: bytes, sent_at_ms: int) -> bytes:
        """A message, with or without its line end, in its envelope."""
        head = read_head(message)
        about = b""
        if head is not None and head.id:
            about = b',"correlationId":' + msgspec.json.encode(head.id)
        when = b',"sentAt":%d,"message":' % sent_at_ms
        return b"".join((self._head, about, when, message.rstrip(b"\n"), b"}"))


class Answered(NamedTuple):
    """What a message of ours does to what its receiver waits for; empty where it does nothing.

    Attributes:
        call_id: the call that it answers.
        opened_id: the stream that it opens.
        ended_id: the stream that it ends.
    """

    call_id: str = ""
    opened_id: str = ""
    ended_id: str = ""


# As the compact protocol writes them.
_ANSWER: Final = re.compile(rb'\{"t":"r","id":"([^"\\]*)"')
_HANDLE: Final = re.compile(
    rb',"v":\{"__kkrpc_next_stream__":"async-iterable","id":"([^"\\]*)"\}\}\n?$'
)
_END: Final = re.compile(rb'\{"t":"sr","id":"[^"\\]*","sid":"([^"\\]*)","(?:d":true|e":)')
_LONGEST_HANDLE_BYTES: Final = 400


def read_answer(message: bytes) -> Answered:
    """What this message does for its receiver; only messages that the compact protocol wrote."""
    answer = _ANSWER.match(message)
    if answer is not None:
        handle = _HANDLE.search(message, max(0, len(message) - _LONGEST_HANDLE_BYTES))
        return Answered(answer[1].decode(), handle[1].decode() if handle is not None else "")
    end = _END.match(message)
    return Answered(ended_id=end[1].decode()) if end is not None else Answered()
