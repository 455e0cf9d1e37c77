"""What was packed is unpacked up to the limit, and everything else is refused in words."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib

import pytest

from kkjupyter.server.listeners.http_body import BadBody, unpack

MIB = 1024 * 1024


def test_what_fits_is_unpacked() -> None:
    assert unpack(gzip.compress(b"x" * 1000), 1000) == b"x" * 1000


def test_no_more_is_unpacked_than_the_limit() -> None:
    bomb = gzip.compress(b" " * (64 * MIB), 1)
    tracemalloc.start()
    try:
        with pytest.raises(BadBody) as caught:
            unpack(bomb, MIB)
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert caught.value.status == 413
    assert peak_bytes < 4 * MIB


@pytest.mark.parametrize(
    "body",
    [
        b'{"t":"q"}',
        gzip.compress(b"x" * 1000)[:-5],
        gzip.compress(b"x") + b"more",
        gzip.compress(b"x" * 1000)[:20] + b"\xff" * 20,
        zlib.compress(b"x"),
    ],
    # gzip writes the time into its head.
    ids=["json", "cut off", "more behind it", "broken", "zlib"],
)
def test_what_is_not_gzip_is_refused(body: bytes) -> None:
    with pytest.raises(BadBody) as caught:
        unpack(body, MIB)
    assert caught.value.status == 400
