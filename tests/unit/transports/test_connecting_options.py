"""What a client may say about headers, cookies, subprotocols, TLS and proxies."""

from __future__ import annotations

import http.cookies
import ssl
from pathlib import Path
from typing import Any

import pytest
import websockets.exceptions
from hypothesis import given
from hypothesis import strategies as st
from support.servers.tls import AUTHORITY_FILE, certificate_file, server_context
from websockets.datastructures import Headers
from websockets.http11 import Response
from websockets.proxy import parse_proxy

from kkjupyter.errors import UsageError
from kkjupyter.transports.proxies import check_proxy, is_proxy_address, proxy_reason
from kkjupyter.transports.tls import certificate_of, check_server_context, client_context
from kkjupyter.transports.websocket.handshake import check_subprotocols, request_headers

SECRET = "s3cr3t-t0ken"


# ---- headers and cookies


def test_headers_token_and_cookies_together() -> None:
    assert request_headers(None, None, None) == {}
    assert request_headers(
        {"X-Key": "1"}, "abc", {"a": "1", "b": "x y, z", "c": '"q"', "d": ""}
    ) == {
        "X-Key": "1",
        "Authorization": "Bearer abc",
        "Cookie": 'a=1; b="x y, z"; c="q"; d=',
    }


@given(
    st.dictionaries(
        st.from_regex(r"c_[A-Za-z0-9_.-]{0,8}", fullmatch=True),
        st.text(st.characters(min_codepoint=32, max_codepoint=126, exclude_characters='";\\')),
    )
)
@pytest.mark.slow
def test_a_server_reads_the_cookies_that_were_meant(cookies: dict[str, str]) -> None:
    read = http.cookies.SimpleCookie(request_headers(None, None, cookies).get("Cookie", ""))
    assert {name: morsel.value for name, morsel in read.items()} == cookies


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((5, None, None), "headers must be a mapping"),
        (({"X Key": SECRET}, None, None), "header name that begins with 'X' is not valid"),
        (({f"Authorization: Bearer {SECRET}": ""}, None, None), "begins with 'Authorization'"),
        (({"": SECRET}, None, None), "header name is not valid"),
        (({5: SECRET}, None, None), "header name is not valid"),
        (({"X-Key": f"{SECRET}\nX-Other: 1"}, None, None), "header 'X-Key' is not one line"),
        (({"X-Key": f"{SECRET}\0"}, None, None), "header 'X-Key' is not one line"),
        (({"X-Key": 5}, None, None), "header 'X-Key' is not one line"),
        (({"Sec-WebSocket-Protocol": SECRET}, None, None), r"pass subprotocols=\[...\]"),
        (({"sec-websocket-extensions": "x"}, None, None), "pass compression='deflate'"),
        (({"Sec-WebSocket-Key": SECRET}, None, None), "leave it out"),
        (({"host": "x"}, None, None), "'host' is part of the handshake itself"),
        ((None, 5, None), "token must be text, not int"),
        ((None, f"{SECRET}\r\n", None), "header 'Authorization' is not one line"),
        ((None, None, 5), "cookies must be a mapping"),
        ((None, None, f"a={SECRET}"), "cookies must be a mapping"),
        ((None, None, {"a b": SECRET}), "name of a cookie is not valid"),
        ((None, None, {SECRET + "=": ""}), "name of a cookie is not valid"),
        ((None, None, {5: SECRET}), "name of a cookie is not valid"),
        ((None, None, {"a": 5}), "cookie 'a' must be text, not int"),
        ((None, None, {"a": f"{SECRET};b=1"}), "cookie 'a' has characters"),
        ((None, None, {"a": f"{SECRET}\r\nX-Other: 1"}), "cookie 'a' has characters"),
        ((None, None, {"a": f'{SECRET}"'}), "cookie 'a' has characters"),
        ((None, None, {"a": f"{SECRET}\\"}), "cookie 'a' has characters"),
        ((None, None, {"a": f"{SECRET}é"}), r"urllib\.parse\.quote"),
        (({"cookie": SECRET}, None, {"a": SECRET}), "exclude each other"),
    ],
)
def test_what_no_handshake_can_carry(arguments: tuple[Any, Any, Any], text: str) -> None:
    with pytest.raises(UsageError, match=text) as caught:
        request_headers(*arguments)
    assert SECRET not in str(caught.value)


def test_subprotocols() -> None:
    assert check_subprotocols(None) == []
    assert check_subprotocols(("chat", "v1.kernel")) == ["chat", "v1.kernel"]


@pytest.mark.parametrize(
    ("names", "text"),
    [
        ("chat", "must be a list"),
        (5, "must be a list"),
        ({"chat"}, "must be a list"),
        (["chat", f"{SECRET}, x"], "subprotocol 2 is not a valid name"),
        ([""], "subprotocol 1 is not a valid name"),
        ([5], "subprotocol 1 is not a valid name"),
        ([SECRET, "chat", SECRET], "subprotocol 3 is given twice"),
    ],
)
def test_what_no_subprotocol_can_be(names: Any, text: str) -> None:
    with pytest.raises(UsageError, match=text) as caught:
        check_subprotocols(names)
    assert SECRET not in str(caught.value)


# ---- TLS


def test_who_is_trusted() -> None:
    url = "wss://127.0.0.1:1"
    own = ssl.create_default_context()
    assert client_context(url, None, None) is None
    assert client_context("ws://127.0.0.1:1", None, None) is None
    assert client_context(url, own, None) is own
    for file in (AUTHORITY_FILE, str(AUTHORITY_FILE), certificate_file("self_signed")):
        context = client_context(url, None, file)
        assert context is not None
        assert context.check_hostname
        assert context.verify_mode is ssl.CERT_REQUIRED
        assert len(context.get_ca_certs()) <= 1


@pytest.mark.parametrize(
    ("url", "options", "text"),
    [
        (
            "ws://h:1",
            {"ca_file": AUTHORITY_FILE},
            "ca_file= is for wss://.*did you mean 'wss://h:1'",
        ),
        ("ws://h:1", {"context": ssl.create_default_context()}, "ssl= is for wss:// addresses"),
        ("wss://h", {"context": True}, "ssl must be an ssl.SSLContext, not bool"),
        ("wss://h", {"context": "ca.pem"}, "pass ca_file='that file.pem'"),
        ("wss://h", {"context": server_context("localhost")}, "this SSLContext is for servers"),
        ("wss://h", {"ca_file": 5}, "ca_file must be the path of a file, not int"),
        ("wss://h", {"ca_file": "no-such-file.pem"}, "cannot be read: No such file"),
        ("wss://h", {"ca_file": "a\0b"}, "cannot be read: embedded null"),
        ("wss://h", {"ca_file": __file__}, "has no certificate in PEM form"),
        (
            "wss://h",
            {"context": ssl.create_default_context(), "ca_file": AUTHORITY_FILE},
            "exclude each other",
        ),
    ],
)
def test_tls_options_that_cannot_be_right(url: str, options: dict[str, Any], text: str) -> None:
    with pytest.raises(UsageError, match=text):
        client_context(url, options.get("context"), options.get("ca_file"))


def test_a_ca_file_that_is_empty_or_a_folder(tmp_path: Path) -> None:
    (tmp_path / "empty.pem").touch()
    with pytest.raises(UsageError, match="has no certificate in PEM form"):
        client_context("wss://h", None, tmp_path / "empty.pem")
    with pytest.raises(UsageError, match=r"ca_file .* in PEM form|ca_file .* cannot be read"):
        client_context("wss://h", None, tmp_path)


def test_the_certificate_of_a_server_is_seen_without_a_network() -> None:
    pem = certificate_file("localhost").read_text()
    expected = ssl.PEM_cert_to_DER_cert(pem[pem.index("-----BEGIN CERTIFICATE") :])
    for minimum in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        for host in ("localhost", "127.0.0.1", "::1", ""):
            context = server_context("localhost")
            context.maximum_version = context.minimum_version = minimum
            assert check_server_context(context, host) == expected
    choosy = server_context("localhost")
    choosy.verify_mode = ssl.CERT_REQUIRED
    choosy.load_verify_locations(AUTHORITY_FILE)
    assert check_server_context(choosy, "localhost") == expected


def test_a_context_without_a_certificate_is_refused_and_one_that_chooses_late_is_not() -> None:
    bare = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with pytest.raises(UsageError, match=r"no certificate: context\.load_cert_chain"):
        check_server_context(bare, "localhost")
    bare.sni_callback = lambda *_: ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
    with pytest.raises(ssl.SSLError):
        certificate_of(bare, "localhost")
    assert check_server_context(bare, "localhost") is None


# ---- proxies


def test_proxies_that_can_be_right() -> None:
    for proxy in (
        *(None, True, False, "http://proxy:3128", "https://proxy", "http://proxy:3128/"),
        *("socks5h://proxy:1080", "http://user:p%40ss@[::1]:3128"),
    ):
        check_proxy(proxy)


@pytest.mark.parametrize(
    "proxy",
    [
        *("", "proxy:3128", f"user:{SECRET}@proxy:3128", f"ftp://user:{SECRET}@proxy"),
        *("http://", "http://:3128", "http://proxy:port", "http://proxy:99999", "http://proxy:0"),
        *(f"http://{SECRET}@proxy", f"http://user:{SECRET}#1@proxy", f"http://u:{SECRET}/@proxy"),
        *(f"http://user:{SECRET}%ff@proxy", f"http://[user:{SECRET}@proxy", "http://proxy/path"),
        *(5, b"http://proxy", {"http": f"http://user:{SECRET}@proxy"}),
    ],
)
def test_a_proxy_that_cannot_be_right(proxy: Any) -> None:
    with pytest.raises(UsageError, match=r"proxy must .*'http://host:port'") as caught:
        check_proxy(proxy)
    assert SECRET not in str(caught.value)
    assert caught.value.__context__ is None


@given(
    st.builds(
        "".join,
        st.lists(
            st.sampled_from(
                ["http", "socks5", "://", ":", "@", "/", "#", "?", "%", "[", "]", "a", "1"]
            )
        ),
    )
)
def test_the_library_takes_what_is_taken_here(text: str) -> None:
    if is_proxy_address(text):
        parse_proxy(text)


def test_what_a_proxy_says() -> None:
    def said(exc: websockets.exceptions.ProxyError, *, named_user: bool = False) -> str:
        return proxy_reason(exc, named_user=named_user)

    def status(number: int) -> websockets.exceptions.InvalidProxyStatus:
        return websockets.exceptions.InvalidProxyStatus(Response(number, "", Headers()))

    assert said(status(407)).startswith("wants a user and a password (HTTP 407); write them")
    assert said(status(407), named_user=True) == "refuses this user or password (HTTP 407)"
    assert said(status(403)) == "refused the connection (HTTP 403)"
    assert said(status(502)) == "cannot reach the server (HTTP 502)"
    odd = websockets.exceptions.InvalidProxyMessage("odd")
    assert said(odd) == "does not speak HTTP; is it an HTTP proxy?"
    odd.__cause__ = EOFError()
    assert said(odd) == "ended the connection without an answer; is it an HTTP proxy?"
    socks = websockets.exceptions.ProxyError("failed to connect to SOCKS proxy")
    socks.__cause__ = OSError("Network unreachable")
    assert said(socks) == "refused the connection (Network unreachable)"
