"""What a connection does when reading itself fails: nobody waits for ever."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from support.endpoints import Endpoint

import kkjupyter as kk
from kkjupyter.api.in_process import serve_in_memory
from kkjupyter.client.remote import session_of

# The latter is decoded in a thread.
SIZES = {"small": 10, "large": 1024 * 1024}


@pytest.mark.parametrize("size", SIZES)
def test_what_cannot_be_read_ends_the_connection_and_says_why(
    size: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = kk.ServerLimits(message_bytes=None, message_memory_bytes=None)
    with serve_in_memory(Endpoint(), limits=limits) as server, server.connect() as api:
        text = "x" * SIZES[size]
        assert api.echo(text).result() == text
        channel: Any = session_of(api)._channel  # type: ignore[attr-defined]

        def out_of_memory(chunks: Sequence[bytes], *, whole: bool = False) -> Any:
            raise MemoryError("no room")

        monkeypatch.setattr(channel.protocol, "receive", out_of_memory)
        with pytest.raises(kk.ProtocolError, match=r"could not be read \(MemoryError: no room\)"):
            api.echo(text).result(timeout_s=15)
        monkeypatch.undo()
        assert api.echo(1).result() == 1  # over a new connection
