"""What a Vovk server lets out, and what it writes to its log."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from support.waiting import until

import kkjupyter as kk
from kkjupyter import vovk
from kkjupyter.server.interceptors import CallContext

ODD_REPLIES: dict[str, Any] = {
    "line break": vovk.Response(b"x", headers={"X-A": "a\r\nX-Evil: 1"}),
    "line feed alone": vovk.Response(b"x", headers={"X-A": "a\nX-Evil: 1"}),
    "line break in a name": vovk.Response(b"x", headers={"X-A\r\nX-Evil": "1"}),
    "NUL": vovk.Response(b"x", headers={"X-A": "a\0"}),
    "lone half": vovk.Response(b"x", headers={"X-A": "\udc80"}),
    "number": vovk.Response(b"x", headers={"X-A": 5}),  # type: ignore[dict-item]
    "blank in a name": vovk.Response(b"x", headers={"X A": "5"}),
    "status": vovk.Response(b"x", 99_999),
    "half a reply": vovk.Response(b"HTTP/1.1 200 OK", headers={"Content-Length": "0"}),
    "chunks": vovk.Response(b"0\r\n\r\n", headers={"transfer-encoding": "chunked"}),
    "body": vovk.Response({"a": 1}),  # type: ignore[arg-type]
}


class Odd(vovk.Controller):
    def __init__(self) -> None:
        self.begun = threading.Event()
        self.gate = threading.Event()

    @vovk.get("reply")
    async def reply(self, query: Any) -> Any:
        return ODD_REPLIES[query["what"]]

    @vovk.get("bug")
    async def bug(self) -> None:
        raise ValueError("in a call")

    @vovk.get("mute")
    async def mute(self) -> None:
        class Mute(Exception):
            def __str__(self) -> str:
                raise RuntimeError("no words")

        raise Mute

    @vovk.get("stream")
    async def stream(self) -> Any:
        yield 1
        raise ValueError("in a stream")

    @vovk.get("plain")
    def plain(self) -> Iterator[int]:
        yield 1
        raise ValueError("in a plain stream")

    @vovk.get("refuses/{status}")
    async def refuses(self, status: str) -> None:
        raise vovk.HttpException(int(status), "on purpose")

    @vovk.get("throws")
    async def throws(self) -> None:
        raise vovk.Throw({"hello": "World"})

    @vovk.get("number")
    async def number(self, query: dict[str, int]) -> int:
        return query["n"]

    @vovk.get("broken")
    async def broken(self) -> int:
        return "no number"  # type: ignore[return-value]

    @vovk.get("late")
    def late(self) -> None:
        self.begun.set()
        self.gate.wait(10)
        raise RuntimeError("late, in a plain function")

    @vovk.get("ends")
    def ends(self) -> Iterator[int]:
        try:
            while True:
                yield 1
                time.sleep(0.01)
        finally:
            raise RuntimeError("late, in a plain stream")


def logged(caplog: pytest.LogCaptureFixture, level: str) -> list[str]:
    return [
        str(record.exc_info[1]) if record.exc_info else record.getMessage()
        for record in caplog.records
        if record.name == "kkjupyter.server" and record.levelname == level
    ]


@pytest.mark.parametrize("what", ODD_REPLIES)
def test_a_reply_that_http_does_not_allow_fails_the_call(
    what: str, caplog: pytest.LogCaptureFixture
) -> None:
    with vovk.serve([Odd], token=False) as server, server.connect(timeout_s=10) as api:
        with pytest.raises(kk.RemoteError) as caught:
            api.Odd.reply(query={"what": what}).result()
        assert caught.value.status == 500
        with pytest.raises(kk.RemoteError, match="in a call"):  # and the server goes on
            api.Odd.bug().result()
    assert len(logged(caplog, "ERROR")) == 2


def test_what_handlers_raise_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "kkjupyter.server")
    with vovk.serve([Odd], token=False) as server, server.connect(timeout_s=10) as api:
        odd = api.Odd
        for method in (odd.bug, odd.stream, odd.plain, odd.broken):
            with pytest.raises(kk.RemoteError):
                method().result()
        assert logged(caplog, "ERROR")[:3] == ["in a call", "in a stream", "in a plain stream"]
        assert len(logged(caplog, "ERROR")) == 4
        caplog.clear()
        for call in (
            odd.refuses(params={"status": "404"}),
            odd.throws(),
            odd.number(query={"n": "x"}, validate=False),
        ):
            with pytest.raises(kk.RemoteError):
                call.result()
        assert len(logged(caplog, "INFO")) == 3
        assert logged(caplog, "ERROR") == []
        with pytest.raises(kk.RemoteError):
            odd.refuses(params={"status": "503"}).result()
        assert logged(caplog, "ERROR") == ["HTTP 503: on purpose"]


def test_an_error_without_a_readable_text_is_answered_all_the_same() -> None:
    with (
        vovk.serve([Odd], token=False) as server,
        server.connect(timeout_s=10) as api,
        pytest.raises(kk.RemoteError, match="cannot be read: RuntimeError"),
    ):
        api.Odd.mute().result()


def test_what_fails_when_the_client_is_gone_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    odd = Odd()
    with vovk.serve([odd], token=False) as server, server.connect() as api:
        call = api.Odd.late()
        assert odd.begun.wait(10)
        call.cancel()
        until(lambda: server.running == 0)
        odd.gate.set()
        for _ in api.Odd.ends():
            break
        until(lambda: len(logged(caplog, "ERROR")) >= 2)
    assert sorted(logged(caplog, "ERROR")) == [
        "late, in a plain function",
        "late, in a plain stream",
    ]


def test_what_an_interceptor_raises_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    seen: list[str] = []

    async def deny(ctx: CallContext, next: Any) -> Any:  # noqa: A002
        seen.append(ctx.operation)
        raise PermissionError("not for you")

    with (
        vovk.serve([Odd], token=False, interceptors=[deny]) as server,
        server.connect(timeout_s=10) as api,
        pytest.raises(kk.RemoteError, match="not for you"),
    ):
        api.Odd.bug().result()
    assert seen == ["call"]
    assert logged(caplog, "ERROR") == ["not for you"]
