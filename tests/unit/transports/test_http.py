"""Requests over HTTP: replies read as they come, and one clear error for whatever goes wrong."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import inspect
import socket
import ssl
import traceback
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import pytest
from multidict import CIMultiDict, CIMultiDictProxy
from support.servers.http_servers import (
    Handler,
    answering,
    listening,
    never,
    read_request,
    reply,
    saying,
)
from support.servers.tls import AUTHORITY_FILE, CertificateName, server_context
from support.waiting import auntil
from yarl import URL

import kkjupyter as kk
from kkjupyter.transports.http import client as http
from kkjupyter.transports.http.client import HttpClient, check_http_url, encoded_url

SECRET = "s3cr3t-t0ken"


def run(main: Callable[[], Any], timeout_s: float = 10.0) -> Any:
    async def bounded() -> Any:
        async with asyncio.timeout(timeout_s):
            return await main()

    return asyncio.run(bounded())


@contextlib.asynccontextmanager
async def client(**options: Any) -> AsyncIterator[HttpClient]:
    made = HttpClient(**options)
    try:
        yield made
    finally:
        await made.close()


async def fetch(url: str, body: bytes = b"{}", **options: Any) -> bytes:
    async with client(**options) as requests, requests.open("POST", url, body=body) as reply:
        return await reply.read()


def failure(handler: Handler, **options: Any) -> kk.KKError:
    """What a request fails with where ``handler`` serves."""

    async def main() -> kk.KKError:
        async with listening(handler) as url:
            with pytest.raises(kk.KKError) as caught:
                await fetch(f"{url}/rpc?token={SECRET}", **options)
            error = caught.value
            assert isinstance(error, kk.ConnectError | kk.ConnectionLost)
            assert error.url == f"{url}/rpc"
            assert SECRET not in "".join(traceback.format_exception(error))
            return error

    error: kk.KKError = run(main)
    return error


# ---- requests and replies


def test_a_request_goes_out_as_it_is_and_the_reply_comes_back() -> None:
    async def main() -> None:
        seen: list[tuple[str, bytes]] = []

        async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            seen.append(await read_request(reader))
            writer.write(
                b"HTTP/1.1 418 Short\r\nContent-Type: Text/Plain; charset=utf-8\r\n"
                b"X-Odd: yes\r\nContent-Length: 3\r\n\r\nhey"
            )

        async with listening(handler) as url, client(headers={"X-Mine": "always"}) as requests:
            headers = {"Content-Type": "application/json"}
            async with requests.open("POST", f"{url}/a?b=1", body=b"{}", headers=headers) as reply:
                assert reply.status == 418
                assert reply.content_type == "text/plain"
                assert reply.headers["x-odd"] == "yes"
                assert await reply.read() == b"hey"
        [(head, body)] = seen
        assert head.startswith("POST /a?b=1 HTTP/1.1\r\n")
        for line in ("X-Mine: always", "Content-Type: application/json"):
            assert f"{line}\r\n" in head
        assert "Accept-Encoding: identity\r\n" in head
        assert body == b"{}"

    run(main)


def test_a_connection_is_kept_for_the_next_request() -> None:
    async def main() -> None:
        connections = 0
        answer = answering(b"ok")

        async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal connections
            connections += 1
            await answer(reader, writer)

        async with listening(handler) as url, client() as requests:
            for _ in range(3):
                async with requests.open("POST", url, body=b"") as reply:
                    assert await reply.read() == b"ok"
        assert connections == 1

    run(main)


def test_a_connection_is_not_kept_until_the_server_ends_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A call sent into that moment would be lost. Node waits for 5 s."""
    assert http._IDLE_S < 5
    monkeypatch.setattr(http, "_IDLE_S", 0.1)

    async def main() -> None:
        ended = asyncio.Event()

        async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await read_request(reader)
            writer.write(reply(b"ok"))
            assert await reader.read() == b""
            ended.set()

        async with listening(handler) as url, client() as requests:
            async with requests.open("POST", url, body=b"") as answer:
                assert await answer.read() == b"ok"
            await ended.wait()

    run(main)


def test_a_reply_is_read_as_it_comes() -> None:
    async def main() -> None:
        more = asyncio.Event()

        async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await read_request(reader)
            writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n")
            await more.wait()
            writer.write(b"3\r\ntwo\r\n0\r\n\r\n")

        async with (
            listening(handler) as url,
            client() as requests,
            requests.open("GET", url) as reply,
        ):
            chunks = reply.chunks()
            assert await anext(chunks) == b"one"
            more.set()
            assert [chunk async for chunk in chunks] == [b"two"]

    run(main)


def test_requests_beyond_the_limit_wait_for_their_turn() -> None:
    async def main() -> None:
        waiting = 0
        go = asyncio.Event()

        async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal waiting
            while True:
                await read_request(reader)
                waiting += 1
                await go.wait()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

        async with listening(handler) as url, client(max_requests=2) as requests:

            async def ask() -> bytes:
                async with requests.open("POST", url, body=b"") as reply:
                    return await reply.read()

            asked = [asyncio.ensure_future(ask()) for _ in range(5)]
            await auntil(lambda: waiting == 2)
            asked.pop().cancel()  # waiting for its turn: nothing was sent
            await asyncio.sleep(0.02)
            assert waiting == 2
            go.set()
            assert await asyncio.gather(*asked) == [b""] * 4
            assert waiting == 4

    run(main)


@pytest.mark.parametrize("before_reply", [True, False])
def test_cancelling_breaks_the_connection_off(before_reply: bool) -> None:
    async def main() -> None:
        asked, gone = asyncio.Event(), asyncio.Event()

        async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await read_request(reader)
            if not before_reply:
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
            asked.set()
            assert await reader.read() == b""
            gone.set()

        async with listening(handler) as url, client() as requests:

            async def ask() -> None:
                async with requests.open("POST", url, body=b"") as reply:
                    await reply.read()

            task = asyncio.ensure_future(ask())
            await asked.wait()
            await asyncio.sleep(0.02)
            task.cancel()
            await gone.wait()
            with pytest.raises(asyncio.CancelledError):
                await task

    run(main)


def test_leaving_a_reply_unread_breaks_the_connection_off() -> None:
    async def main() -> None:
        gone = asyncio.Event()

        async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await read_request(reader)
            writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n")
            assert await reader.read() == b""
            gone.set()

        async with listening(handler) as url, client() as requests:
            async with requests.open("GET", url) as reply:
                assert await anext(reply.chunks()) == b"one"
            await gone.wait()

    run(main)


def test_closing_ends_what_is_under_way_and_all_later() -> None:
    async def main() -> None:
        asked = asyncio.Event()

        async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await read_request(reader)
            asked.set()
            await reader.read()

        async with listening(handler) as url, client() as requests:
            task = asyncio.ensure_future(requests.open("POST", url, body=b"").__aenter__())
            await asked.wait()
            await requests.close()
            with pytest.raises(kk.ConnectionLost):
                await task
            with pytest.raises(kk.ConnectionLost, match="closed"):
                await requests.open("POST", url, body=b"").__aenter__()
            await requests.close()

    run(main)
    gc.collect()  # nothing is left that would complain of not being closed


# ---- limits


@pytest.mark.parametrize(
    "head", ["Content-Length: 5000", "Transfer-Encoding: chunked"], ids=["announced", "on the way"]
)
def test_a_reply_over_the_limit_is_not_read_to_its_end(head: str) -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(f"HTTP/1.1 200 OK\r\n{head}\r\n\r\n".encode())
        writer.write(b"1388\r\n" + b"x" * 5000 + b"\r\n" if "chunked" in head else b"x" * 5000)
        await reader.read()

    async def main() -> None:
        async with (
            listening(handler) as url,
            client() as requests,
            requests.open("POST", url, body=b"") as reply,
        ):
            with pytest.raises(kk.ProtocolError, match="over the limit of 1,000 bytes"):
                await reply.read(limit_bytes=1000)

    run(main)


# ---- what goes wrong


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_nobody_listens(host: str) -> None:
    url = f"http://{host}:{free_port()}/rpc"
    with pytest.raises(kk.ConnectError) as caught:
        run(lambda: fetch(f"{url}?token={SECRET}"))
    assert caught.value.url == url
    assert caught.value.reason == "connection refused; is the server running there?"


def test_a_host_that_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    def getaddrinfo(*args: Any, **options: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    with pytest.raises(kk.ConnectError) as caught:
        run(lambda: fetch("http://nowhere.invalid/"))
    assert caught.value.reason == "the host name cannot be resolved (Name or service not known)"


def test_a_server_that_speaks_no_tls() -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()

    async def main() -> None:
        async with listening(handler) as url:
            with pytest.raises(kk.ConnectError, match="is it a https:// server"):
                await fetch(url.replace("http", "https"))

    run(main)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("localhost", "unable to get local issuer certificate"),
        ("self_signed", "self-signed certificate"),
    ],
)
def test_a_certificate_that_nobody_vouches_for(name: CertificateName, reason: str) -> None:
    async def main() -> None:
        async with listening(never, server_context(name)) as url:
            with pytest.raises(kk.ConnectError) as caught:
                await fetch(url)
        assert caught.value.reason.startswith(f"the TLS certificate was refused: {reason}; ")

    run(main)


def test_a_certificate_of_an_authority_that_is_named() -> None:
    trusting = ssl.create_default_context(cafile=AUTHORITY_FILE)

    async def main() -> None:
        async with listening(answering(b"safe"), server_context("localhost")) as url:
            assert await fetch(url, ssl=trusting) == b"safe"
        async with listening(never, server_context("elsewhere")) as url:
            with pytest.raises(kk.ConnectError, match="the TLS certificate was refused"):
                await fetch(url, ssl=trusting)

    run(main)


def test_no_answer_while_connecting() -> None:
    async def main() -> None:
        async with listening(never) as url:
            with pytest.raises(kk.ConnectTimeout, match=r"no answer within 0\.1 s") as caught:
                await fetch(
                    f"{url}/?token={SECRET}".replace("http", "https"), connect_timeout_s=0.1
                )
            assert SECRET not in "".join(traceback.format_exception(caught.value))

    run(main)


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"])
def test_a_server_that_falls_silent(said: bytes) -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(said)
        await never(reader, writer)

    async def main() -> None:
        async with listening(handler) as url, client() as requests:
            with pytest.raises(kk.ConnectionLost, match="the server stopped answering"):
                async with requests.open("POST", url, silence_timeout_s=0.1) as reply:
                    await reply.read()

    run(main)


def test_a_server_that_hangs_up() -> None:
    error = failure(saying(b""))
    assert isinstance(error, kk.ConnectionLost)
    assert error.reason == "the server ended the connection without an answer"


@pytest.mark.parametrize(
    "head", ["Content-Length: 5000", "Transfer-Encoding: chunked"], ids=["sized", "chunked"]
)
def test_a_body_that_is_cut_off(head: str) -> None:
    error = failure(saying(f"HTTP/1.1 200 OK\r\n{head}\r\n\r\n5\r\nhello\r\n".encode()))
    assert isinstance(error, kk.ConnectionLost)
    assert error.reason == "the connection ended in the middle of the answer"


@pytest.mark.parametrize(
    "answer", [b"SSH-2.0-OpenSSH_9.6\r\n", b"\x00\xff\r\n\r\n", b"HTTP/1.1 999999 no\r\n\r\n"]
)
def test_a_server_that_speaks_no_http(answer: bytes) -> None:
    error = failure(saying(answer))
    assert isinstance(error, kk.ConnectError)
    assert error.reason == "the server does not speak HTTP"


def test_a_redirect_is_told_and_not_followed() -> None:
    async def main() -> None:
        elsewhere = answering(b"", "307 Temporary Redirect", Location="http://127.0.0.1:9/")
        async with (
            listening(elsewhere) as url,
            client() as requests,
            requests.open("POST", url, body=b"") as reply,
        ):
            assert reply.status == 307
            assert reply.headers["Location"] == "http://127.0.0.1:9/"

    run(main)


def test_long_headers_are_read() -> None:
    async def main() -> None:
        async with (
            listening(answering(b"ok", X_Long="x" * 30_000)) as url,
            client() as requests,
            requests.open("GET", url) as answer,
        ):
            assert len(answer.headers["X-Long"]) == 30_000

    run(main)


def test_cookies_are_not_kept() -> None:
    async def main() -> None:
        heads: list[str] = []

        async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while True:
                heads.append((await read_request(reader))[0])
                writer.write(b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n")

        async with listening(handler) as url, client() as requests:
            for _ in range(2):
                async with requests.open("POST", url, body=b"") as reply:
                    await reply.read()
        assert len(heads) == 2
        assert "Cookie" not in heads[1]

    run(main)


def every_error_of_the_library() -> list[Exception]:
    """One of each; those that cannot be made from the outside belong to other kinds of use."""
    info = aiohttp.RequestInfo(
        URL(f"http://x/?token={SECRET}"), "POST", CIMultiDictProxy(CIMultiDict()), URL("http://x/")
    )
    key: Any = type("Key", (), {"host": "x", "port": 80, "ssl": True, "is_ssl": True})()
    refused = ConnectionRefusedError(111, "Connection refused")
    untrusted = ssl.SSLCertVerificationError(1, "certificate verify failed")
    untrusted.verify_message = "self-signed certificate"
    made: list[Exception] = []
    for kind in vars(aiohttp.client_exceptions).values():
        if not (inspect.isclass(kind) and issubclass(kind, aiohttp.ClientError)):
            continue
        if issubclass(kind, aiohttp.ClientConnectorCertificateError):
            made.append(kind(key, untrusted))
        elif issubclass(kind, aiohttp.client_exceptions.UnixClientConnectorError):
            made.append(kind("/socket", key, refused))
        elif issubclass(kind, aiohttp.ClientConnectorError):
            made.append(kind(key, refused))
        elif issubclass(kind, aiohttp.ClientResponseError):
            made.append(kind(info, (), status=400, message="odd"))
        elif issubclass(kind, aiohttp.ServerFingerprintMismatch):
            made.append(kind(b"", b"", "x", 80))
        elif issubclass(kind, aiohttp.InvalidURL):
            made.append(kind(f"http://x:y/?token={SECRET}"))
        else:
            made.append(kind(SECRET))
    return made


def test_every_error_of_the_library_is_translated(monkeypatch: pytest.MonkeyPatch) -> None:
    errors = every_error_of_the_library()
    assert len(errors) > 20

    async def main() -> None:
        for error in [*errors, TimeoutError(110, "Connection timed out"), ValueError(SECRET)]:

            async def request(*args: Any, error: Exception = error, **options: Any) -> Any:
                raise error

            async with client() as requests:
                monkeypatch.setattr(requests._opened_session(), "_request", request)
                with pytest.raises(kk.KKError) as caught:
                    await requests.open("POST", f"http://x/?token={SECRET}").__aenter__()
            told = caught.value
            assert isinstance(told, kk.ConnectError | kk.ConnectionLost)
            assert told.url == "http://x/"
            assert told.reason
            assert SECRET not in str(told)

    run(main)


# ---- proxies


def test_a_proxy_of_the_environment_is_used_for_others(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        heads: list[str] = []

        async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            heads.append((await read_request(reader))[0])
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nproxy")

        async with listening(handler) as proxy, listening(answering(b"direct")) as here:
            monkeypatch.setenv("http_proxy", proxy)
            monkeypatch.setenv("no_proxy", "")
            assert await fetch("http://far.example/rpc") == b"proxy"
            assert await fetch(here) == b"direct"
        assert heads[0].startswith("POST http://far.example/rpc HTTP/1.1")

    run(main)


def test_a_proxy_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", f"http://user:{SECRET}@127.0.0.1:{free_port()}")
    monkeypatch.setenv("no_proxy", "")
    with pytest.raises(kk.ConnectError, match="the proxy cannot be reached") as caught:
        run(lambda: fetch("http://far.example/rpc"))
    assert SECRET not in "".join(traceback.format_exception(caught.value))


def test_hosts_that_the_environment_excepts_are_reached_directly(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("no_proxy", "near.invalid")
    with pytest.raises(kk.ConnectError, match="cannot be resolved"):
        run(lambda: fetch("http://near.invalid/rpc"))
    with pytest.raises(kk.ConnectError, match="the proxy cannot be reached"):
        run(lambda: fetch("http://far.invalid/rpc"))
    with pytest.raises(kk.ConnectError, match="cannot be resolved"):
        run(lambda: fetch("http://far.invalid/rpc", proxy=None))


@pytest.mark.parametrize("proxy", [f"me:{SECRET}@host:80", f"socks5h://me:{SECRET}@host:80"])
def test_a_proxy_of_the_environment_that_is_of_no_use(
    monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    monkeypatch.setenv("http_proxy", proxy)
    monkeypatch.setenv("no_proxy", "")
    with pytest.raises(
        kk.ConnectError, match="is not an address like 'http://host:port'"
    ) as caught:
        run(lambda: fetch("http://far.example/rpc"))
    assert SECRET not in "".join(traceback.format_exception(caught.value))


# ---- addresses


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("ftp://host/", "is not an HTTP address"),
        ("host:3000/rpc", "is not an HTTP address"),
        ("http://", "is not an HTTP address"),
        ("http://host:0/", "is not an HTTP address"),
        ("http://host:port/", "is not an address"),
        ("http://[::1/", "is not an address"),
        (f"http://host/#{SECRET}", "never sent to a server"),
        (f"http://me:{SECRET}@host/", "exclude each other"),
    ],
)
def test_an_address_that_cannot_be_right(url: str, text: str) -> None:
    with pytest.raises(kk.UsageError, match=text) as caught:
        check_http_url(url, {"authorization": "Bearer x"})
    assert SECRET not in "".join(traceback.format_exception(caught.value))


def test_addresses_that_are_right() -> None:
    for url in ("http://host", "HTTPS://host:3000/a?b=c", "http://[::1]:80/", "http://me:pw@host/"):
        check_http_url(url, {})


def test_the_socket_notices_a_machine_that_is_gone() -> None:
    with http._make_socket((socket.AF_INET, socket.SOCK_STREAM, 6, "", ())) as sock:
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)


# ---- a reply read at the reader's pace


def test_an_encoded_address_goes_out_as_it_is() -> None:
    async def main() -> None:
        seen: list[str] = []

        async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            seen.append((await read_request(reader))[0].partition("\r\n")[0])
            writer.write(reply(b""))

        path = "/a%2Fb%7E?arr[0]=1%2B2&o[k]=%41"
        async with listening(handler) as url, client() as requests:
            async with requests.open("GET", url + path, is_encoded=True):
                pass
            assert encoded_url(f"{url}/é?q=ü") == f"{url}/%C3%A9?q=%C3%BC"
        assert seen == [f"GET {path} HTTP/1.1"]

    run(main)


def test_what_came_before_the_end_is_not_lost_in_a_pause() -> None:
    async def main() -> None:
        gone = asyncio.Event()

        async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await read_request(reader)
            writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n")
            await writer.drain()
            await paused.wait()
            writer.write(b"3\r\ntwo\r\n")  # and no end
            await writer.drain()
            writer.close()
            gone.set()

        paused = asyncio.Event()
        async with (
            listening(handler) as url,
            client() as requests,
            requests.open("GET", url) as answer,
        ):
            assert await answer.next_chunk() == b"one"
            answer.pause_reading()
            answer.pause_reading()
            paused.set()
            await gone.wait()
            await asyncio.sleep(0.05)
            answer.resume_reading()
            assert await answer.next_chunk() == b"two"
            with pytest.raises(kk.ConnectionLost, match="in the middle of the answer"):
                await answer.next_chunk()
            answer.pause_reading()  # of what is gone: nothing
            answer.resume_reading()

    run(main)


def test_the_library_notes_no_chunk_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would cost more than what is in the chunks."""

    async def main() -> None:
        opened = asyncio.Event()

        async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await read_request(reader)
            writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            await opened.wait()
            writer.write(b"1\r\nx\r\n" * 1000 + b"0\r\n\r\n")

        async with (
            listening(handler) as url,
            client() as requests,
            requests.open("GET", url) as answer,
        ):
            monkeypatch.setattr(aiohttp.StreamReader, "end_http_chunk_receiving", pytest.fail)
            opened.set()
            assert await answer.read() == b"x" * 1000

    run(main)


def test_an_empty_chunk_is_the_end() -> None:
    async def main() -> None:
        async with (
            listening(answering(b"ok")) as url,
            client() as requests,
            requests.open("GET", url) as answer,
        ):
            assert await answer.next_chunk() == b"ok"
            assert await answer.next_chunk() == b""
            answer.pause_reading()

    run(main)
