"""A program that plays the server's part of a stdio recording to one client of ours.

    python -m wire.peers.kkrpc.stdio_player SESSION REPORT

It writes what the recorded server wrote, as soon as as many requests have come as that one had got,
with the ids of this client. Every line that it is sent goes to the file REPORT.
"""

from __future__ import annotations

import fcntl
import json
import os
import sys
import termios
import time
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from wire.peers.kkrpc.recordings import exchanges

__all__ = ["pieces", "requests", "write_apart"]

_PATIENCE_S = 10.0


def pieces(data: bytes) -> list[bytes]:
    """``data`` cut inside every character of more than one byte, wherever that can be."""
    cuts = [at for at, byte in enumerate(data) if byte & 0xC0 == 0x80]
    return [data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True)]


def write_apart(pipe_fd: int, chunks: Sequence[bytes]) -> None:
    """Write each chunk when the reader has taken the one before, so that it sees every border.

    Raises:
        TimeoutError: the reader does not read.
    """
    for chunk in chunks:
        os.write(pipe_fd, chunk)
        deadline_s = time.monotonic() + _PATIENCE_S
        while any(fcntl.ioctl(pipe_fd, termios.FIONREAD, bytes(4))):
            if time.monotonic() > deadline_s:
                raise TimeoutError("nobody reads the pipe")
            time.sleep(0.001)


def requests(text: str) -> list[str]:
    """The complete lines of ``text`` that ask for something."""
    lines = (line for line in text.split("\n")[:-1] if line.startswith("{"))
    return [line for line in lines if _kind(line) in ("request", "q")]


def _kind(line: str) -> str:
    message = json.loads(line)
    return str(message.get("type") or message.get("t"))


def play(session: str, report: BinaryIO) -> None:
    """Play to the end of the recording, then listen until the client leaves."""
    ids: dict[str, str] = {}  # as recorded -> as the client has it
    asked = ""
    for exchange in exchanges(session):
        if exchange.from_client:
            asked += exchange.text
            continue
        due = requests(asked)
        while len(ids) < len(due):
            line = sys.stdin.buffer.readline()
            if not line:
                return
            report.write(line)
            if requests(line.decode()):
                ids[json.loads(due[len(ids)])["id"]] = json.loads(line)["id"]
        text = exchange.text
        for recorded, ours in ids.items():
            text = text.replace(f'"{recorded}"', json.dumps(ours))
        write_apart(sys.stdout.fileno(), pieces(text.encode()))
    report.writelines(sys.stdin.buffer)


if __name__ == "__main__":
    with Path(sys.argv[2]).open("wb") as report:
        play(sys.argv[1], report)
