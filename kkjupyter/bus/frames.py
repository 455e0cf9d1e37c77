"""What two of our own ends say to each other over their inboxes: a line, then the payload."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["HEAD_BYTES", "Frame", "read_frame", "write_frame"]

HEAD_BYTES = 128
"""No head is longer."""


class Frame(NamedTuple):
    """One frame.

    Attributes:
        kind: ``open opened refused`` make a link, ``data`` is its content, ``taken`` says how much
            of that was taken, ``alive`` that nothing else is to be said, ``closed`` ends it.
        link_id: of which link.
        number: of ``data``, how many came before; of ``alive`` and ``closed``, how many there were
            in all; of ``taken``, how many bytes.
        payload: the content.
    """

    kind: str
    link_id: str
    number: int
    payload: bytes


def write_frame(kind: str, link_id: str, number: int = 0, payload: bytes = b"") -> bytes:
    """A frame as bytes."""
    return b"%s %s %d\n%s" % (kind.encode(), link_id.encode(), number, payload)


def read_frame(data: bytes) -> Frame | None:
    """The frame in these bytes; None if it is none."""
    head, _, payload = data.partition(b"\n")
    try:
        kind, link_id, number = head.decode("ascii").split(" ")
        return Frame(kind, link_id, int(number), payload)
    except ValueError:
        return None
