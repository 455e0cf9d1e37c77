"""The options of a WebSocket between a client and a server, over real sockets."""

from __future__ import annotations

import contextlib
import logging
import re
import socket
import ssl
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import websockets.asyncio.client
from support.endpoints import Endpoint
from support.servers.connect_proxy import ConnectProxy
from support.servers.tls import AUTHORITY_FILE, CertificateName, certificate_file, server_context
from support.waiting import until
from websockets.http11 import Request
from websockets.sync.client import connect
from websockets.sync.server import serve

import kkjupyter as kk
from kkjupyter.api.in_process import serve_in_memory

SECRET = "s3cr3t-t0ken"


def shown(error: BaseException | None) -> str:
    """All that a traceback would show of an error."""
    texts = []
    while error is not None:
        texts += [repr(error), str(error)]
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return "\n".join(texts)


def refusal(url: str, **options: Any) -> str:
    with pytest.raises(kk.ConnectError) as caught:
        kk.connect(url, **options)
    assert caught.value.url == url
    assert SECRET not in shown(caught.value)
    return caught.value.reason


@contextlib.contextmanager
def stranger(**options: Any) -> Iterator[tuple[str, list[Request]]]:
    """A server that remembers what it was asked; its address."""
    requests: list[Request] = []

    def remember(connection: Any) -> None:
        requests.append(connection.request)
        for _ in connection:
            pass

    with serve(remember, "127.0.0.1", 0, **options) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}", requests
        finally:
            server.shutdown()
            thread.join(5)


# ---- headers, cookies, subprotocols


def test_what_a_server_sees() -> None:
    with stranger(subprotocols=["chat"]) as (url, requests):
        options: dict[str, Any] = {
            "headers": {"X-Key": "1"},
            "cookies": {"session": SECRET, "name": "Ada, Countess"},
            "subprotocols": ["kkrpc", "chat"],
            "token": "abc",
        }
        with kk.connect(url, protocol="classic", **options) as api:
            until(lambda: requests)
            assert SECRET not in repr(api) + repr(kk.status())
    (request,) = requests
    assert request.headers["X-Key"] == "1"
    assert request.headers.get_all("Cookie") == [f'session={SECRET}; name="Ada, Countess"']
    assert request.headers["Sec-WebSocket-Protocol"] == "kkrpc, chat"
    assert request.headers["Authorization"] == "Bearer abc"
    assert "Sec-WebSocket-Extensions" not in request.headers


def test_cookies_are_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    with (
        caplog.at_level(logging.DEBUG),
        kk.serve(Endpoint()) as server,
        server.connect(cookies={"session": SECRET}) as api,
    ):
        assert api.add(1, 2).result() == 3
        refusal(server.url, cookies={"session": SECRET}, subprotocols=[SECRET])
    assert SECRET not in caplog.text


@pytest.mark.parametrize(
    ("ours", "offered", "agreed"),
    [
        ((), None, None),
        ((), ["chat", "other"], "chat"),
        ((), ["kkjupyter.token.TOKEN"], "kkjupyter.token.TOKEN"),
        ((), ["kkjupyter.token.TOKEN", "chat"], "chat"),
        (["a", "b"], ["c", "b", "a"], "a"),
        (["a"], ["kkjupyter.token.TOKEN", "c", "a"], "a"),
        (["a"], ["kkjupyter.token.TOKEN", "c"], "kkjupyter.token.TOKEN"),
        (["a"], ["c"], None),
        (["a"], None, None),
    ],
)
def test_the_subprotocol_a_server_agrees_to(
    ours: list[str], offered: list[str] | None, agreed: str | None
) -> None:
    with kk.serve(Endpoint(), subprotocols=ours, token="TOKEN") as server:
        headers = {"Authorization": "Bearer TOKEN"}
        with connect(server.url, subprotocols=offered, additional_headers=headers) as connection:  # type: ignore[arg-type]
            assert connection.subprotocol == agreed


def test_a_server_that_answers_with_another_subprotocol() -> None:
    def choose(connection: Any, offered: Any) -> str:
        return f"{SECRET}-2"

    with stranger(select_subprotocol=choose) as (url, _):
        reason = refusal(url, subprotocols=[SECRET])
    assert reason == "the server agreed to a subprotocol or an extension that was not offered"


# ---- TLS


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("localhost", {"ca_file": AUTHORITY_FILE}),
        ("localhost", {"ca_file": str(AUTHORITY_FILE)}),
        ("localhost", {"ca_file": certificate_file("localhost")}),
        ("self_signed", {"ca_file": certificate_file("self_signed")}),
        ("localhost", {"ssl": ssl.create_default_context(cafile=AUTHORITY_FILE)}),
    ],
)
def test_a_certificate_that_is_trusted(name: CertificateName, options: dict[str, Any]) -> None:
    with kk.serve(Endpoint(), ssl=server_context(name)) as server:
        assert server.url == f"wss://127.0.0.1:{server.port}"
        for url in (server.url, f"wss://localhost:{server.port}"):
            with kk.connect(url, token=server.token, **options) as api:
                assert api.add(1, 2).result() == 3


@pytest.mark.parametrize(
    ("name", "options", "reason"),
    [
        ("localhost", {}, "unable to get local issuer certificate; .*pass ca_file="),
        ("self_signed", {}, "self-signed certificate; .*pass ca_file="),
        ("localhost", {"ca_file": certificate_file("self_signed")}, "pass ca_file="),
        ("elsewhere", {"ca_file": AUTHORITY_FILE}, "not valid for '127.0.0.1'; connect to a name"),
        ("expired", {"ca_file": AUTHORITY_FILE}, "has expired; .*the server needs a new one"),
    ],
)
def test_a_certificate_that_is_not_trusted(
    name: CertificateName, options: dict[str, Any], reason: str
) -> None:
    with kk.serve(Endpoint(), ssl=server_context(name), token=SECRET) as server:
        said = refusal(server.url, token=SECRET, **options)
        assert server.clients == 0
    assert said.startswith("the TLS certificate was refused: ")
    assert re.search(reason, said)


@pytest.mark.parametrize("name", ["localhost", "self_signed", "elsewhere"])
def test_a_server_trusts_itself_and_calls_work_as_without_tls(name: CertificateName) -> None:
    endpoint = Endpoint()
    with (
        kk.serve(endpoint, ssl=server_context(name), compression="deflate") as server,
        server.connect(compression="deflate") as api,
    ):
        assert list(api.countdown(5)) == [5, 4, 3, 2, 1, 0]
        assert len(api.echo("x" * 3_000_000).result()) == 3_000_000
        assert [len(item) for item in api.items(300, 20_000)] == [20_000] * 300
        seen: list[int] = []
        assert api.progress(3, lambda number, _: seen.append(number)).result() == "done"
        assert seen == [0, 1, 2]
        with api.ticks() as ticks:
            assert next(iter(ticks)) == 0
        until(lambda: endpoint.finals == ["ticks"])
        with pytest.raises(kk.RemoteError, match="something went wrong"):
            api.fails().result()


def test_a_slow_reader_stops_the_producer_over_tls_as_well() -> None:
    endpoint = Endpoint()
    with (
        kk.serve(endpoint, ssl=server_context("localhost")) as server,
        server.connect() as api,
    ):
        items = iter(api.items(2_000, 50_000))
        assert len(next(items)) == 50_000
        until(lambda: endpoint.produced > 1)
        threading.Event().wait(0.5)
        assert endpoint.produced < 1_900
        assert sum(1 for _ in items) == 1_999


def test_a_server_that_wants_a_certificate_of_the_client() -> None:
    choosy = server_context("localhost")
    choosy.verify_mode = ssl.CERT_REQUIRED
    choosy.load_verify_locations(AUTHORITY_FILE)
    ours = ssl.create_default_context(cafile=AUTHORITY_FILE)
    with kk.serve(Endpoint(), ssl=choosy) as server:
        # asyncio's servers do not say what they miss
        said = refusal(server.url, ssl=ours, token=server.token)
        assert said.startswith("the server ended the connection at once")
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            secured = choosy.wrap_socket(
                listener.accept()[0], server_side=True, do_handshake_on_connect=False
            )
            with pytest.raises(ssl.SSLError):
                secured.do_handshake()
            # Read to the end: closing before would reset the connection and lose what was said.
            with socket.socket(fileno=secured.detach()) as connection:
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(1000):
                    pass

        thread = threading.Thread(target=accept)
        thread.start()
        url = f"wss://127.0.0.1:{listener.getsockname()[1]}"
        said = refusal(url, ca_file=AUTHORITY_FILE)
        thread.join(5)
    assert "CERTIFICATE_REQUIRED" in said
    assert "pass ssl=context after context.load_cert_chain(...)" in said


def test_tls_where_there_is_none_and_none_where_there_is() -> None:
    with kk.serve(Endpoint(), ssl=server_context("localhost"), token=False) as server:
        said = refusal(server.url.replace("wss:", "ws:"))
        assert "does not speak HTTP" in said or "are scheme (ws, wss) and port right" in said
    with kk.serve(Endpoint(), token=False) as server:
        said = refusal(server.url.replace("ws:", "wss:"), ca_file=AUTHORITY_FILE)
        assert "is it a wss:// server?" in said or "are scheme (ws, wss) and port right" in said


# ---- proxies


@pytest.mark.parametrize("tls", [None, "localhost"])
@pytest.mark.parametrize("user_info", ["", f"ada:{SECRET}"])
def test_through_a_proxy(
    tls: CertificateName | None, user_info: str, caplog: pytest.LogCaptureFixture
) -> None:
    context = server_context(tls) if tls else None
    with (
        caplog.at_level(logging.DEBUG),
        kk.serve(Endpoint(), ssl=context) as server,
        ConnectProxy(user_info=user_info) as proxy,
    ):
        address = proxy.address.replace("//", f"//{user_info}@") if user_info else proxy.address
        with server.connect(proxy=address) as api:
            assert list(api.countdown(3)) == [3, 2, 1, 0]
            assert SECRET not in repr(api) + repr(kk.status())
        assert proxy.asked == [f"127.0.0.1:{server.port}"]
    assert SECRET not in caplog.text


def test_the_proxy_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    with kk.serve(Endpoint()) as server, ConnectProxy() as proxy:
        for name in ("http_proxy", "https_proxy", "ws_proxy"):
            monkeypatch.setenv(name, proxy.address)
        monkeypatch.setenv("no_proxy", "")
        url = f"ws://elsewhere.invalid:{server.port}"
        for option in ({}, {"proxy": True}):
            with kk.connect(url, token=server.token, **option) as api:  # type: ignore[typeddict-item]
                assert api.add(1, 2).result() == 3
        for option in ({"proxy": None}, {"proxy": False}):
            assert "cannot be resolved" in refusal(url, **option)
        with kk.connect(server.url, token=server.token) as api:  # never for this machine
            assert api.add(1, 2).result() == 3
        assert proxy.asked == [f"elsewhere.invalid:{server.port}"] * 2
        monkeypatch.setenv("ws_proxy", f"ada:{SECRET}@proxy:3128")
        assert "the proxy in the environment" in refusal(url)


@pytest.mark.parametrize(
    ("answer", "user_info", "said"),
    [
        ("407 Proxy Authentication Required", "", "wants a user and a password (HTTP 407); write"),
        ("407 Proxy Authentication Required", f"ada:{SECRET}", "refuses this user or password"),
        ("403 Forbidden", f"ada:{SECRET}", "refused the connection (HTTP 403)"),
        ("502 Bad Gateway", "", "cannot reach the server (HTTP 502)"),
        ("SSH-2.0-OpenSSH\r\n", "", "does not speak HTTP; is it an HTTP proxy?"),
    ],
)
def test_a_proxy_that_refuses(answer: str, user_info: str, said: str) -> None:
    with ConnectProxy(answer) as proxy:
        address = proxy.address.replace("//", f"//{user_info}@") if user_info else proxy.address
        reason = refusal("ws://127.0.0.1:1", proxy=address)
    assert reason.startswith(f"the proxy {proxy.address} {said}")


def test_a_proxy_that_is_not_there_or_not_trusted() -> None:
    with ConnectProxy() as gone:
        pass
    reason = refusal("ws://127.0.0.1:1", proxy=gone.address)
    assert reason.startswith(f"the proxy {gone.address} cannot be reached (connection refused")
    with ConnectProxy(tls=server_context("localhost")) as proxy:
        reason = refusal("ws://127.0.0.1:1", proxy=proxy.address)
    assert reason.startswith("the TLS certificate was refused: ")
    assert reason.endswith(f"(through the proxy {proxy.address})")


def test_socks_without_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    async def missing(*args: Any, **options: Any) -> None:
        raise ImportError("connecting through a SOCKS proxy requires python-socks")

    monkeypatch.setattr(websockets.asyncio.client, "connect_socks_proxy", missing)
    reason = refusal("ws://127.0.0.1:1", proxy=f"socks5h://ada:{SECRET}@127.0.0.1:1080")
    assert reason == (
        "the proxy socks5h://127.0.0.1:1080 needs one more package: "
        "pip install 'python-socks[asyncio]'"
    )


# ---- compression


@pytest.mark.parametrize("codec", ["superjson", "json"])
@pytest.mark.parametrize(
    ("ours", "theirs", "small"),
    [
        (None, None, False),
        ("deflate", None, False),
        (None, "deflate", False),
        ("deflate", "deflate", True),
    ],
)
def test_compression_is_off_unless_both_want_it(
    ours: Any, theirs: Any, small: bool, codec: str
) -> None:
    text = "all work and no play " * 10_000
    with (
        kk.serve(Endpoint(), compression=theirs) as server,
        ConnectProxy() as proxy,
        server.connect(compression=ours, proxy=proxy.address, codec=codec) as api,
    ):
        assert api.echo(text).result() == text
        assert list(api.items(100, 5_000)) == ["x" * 5_000] * 100
        for bytes_seen, plain_bytes in (
            (proxy.sent_bytes, len(text)),
            (proxy.received_bytes, len(text) + 100 * 5_000),
        ):
            assert (bytes_seen < plain_bytes / 5) is small
            assert small or bytes_seen > plain_bytes


# ---- options that cannot be right


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"compression": "gzip"}, "unknown compression 'gzip' (known: 'deflate')"),
        ({"compression": "deflat"}, "did you mean 'deflate'?"),
        ({"compression": True}, "unknown compression True"),
        ({"subprotocols": "chat"}, "must be a list of names"),
        ({"cookies": {"a": f"{SECRET};"}}, "cookie 'a'"),
        ({"proxy": f"ada:{SECRET}@proxy"}, "proxy must look like"),
        ({"ca_file": AUTHORITY_FILE}, "ca_file= is for wss:// addresses"),
        ({"cookie": {}}, "unknown option 'cookie'; did you mean 'cookies'?"),
    ],
)
def test_what_no_client_can_want(options: dict[str, Any], text: str) -> None:
    with pytest.raises(kk.UsageError) as caught:
        kk.connect("ws://127.0.0.1:1", **options)
    assert text in str(caught.value)
    assert SECRET not in shown(caught.value)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"compression": "gzip"}, "unknown compression 'gzip' (known: 'deflate')"),
        ({"subprotocols": "chat"}, "must be a list of names"),
        ({"ssl": True}, "ssl must be an ssl.SSLContext for servers, not bool"),
        ({"ssl": ssl.create_default_context()}, "for servers, not one for clients"),
        ({"ssl": ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)}, "the SSLContext has no certificate"),
    ],
)
def test_what_no_server_can_want(options: dict[str, Any], text: str) -> None:
    with pytest.raises(kk.UsageError) as caught:
        kk.serve(Endpoint(), **options)
    assert text in str(caught.value)


@pytest.mark.parametrize(
    "options",
    [
        *({"cookies": {"a": "1"}}, {"proxy": "http://proxy"}, {"token": "x"}),
        *({"compression": "deflate"}, {"ca_file": AUTHORITY_FILE}, {"subprotocols": ["chat"]}),
    ],
)
def test_what_only_an_address_can_have(options: dict[str, Any]) -> None:
    (name,) = options
    with (
        serve_in_memory(Endpoint()) as server,
        pytest.raises(kk.UsageError, match=f"{name}= is for ws:// and wss:// addresses"),
    ):
        server.connect(**options)
