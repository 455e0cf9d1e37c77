"""Who refused a connection: the endpoint, or a Jupyter server or JupyterHub in front of it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from support.endpoints import Endpoint
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection, serve

import kkjupyter as kk
from kkjupyter.transports.refusals import in_front, refusal_reason, said_by_server

# As jupyter_server 2.21 and JupyterHub 5 send them.
JUPYTER = {"Content-Security-Policy": "frame-ancestors 'self'; report-uri /api/security/csp-report"}
HUB = {**JUPYTER, "X-JupyterHub-Version": "5.3.0"}


def named(headers: Mapping[str, str]) -> str:
    return in_front(lambda name: [headers[name]] if name in headers else [])


def test_what_stands_in_front_is_told_by_its_headers() -> None:
    assert named({}) == ""
    assert named({"Content-Security-Policy": "default-src 'self'"}) == ""
    assert named(JUPYTER) == "the Jupyter server"
    assert named(HUB) == "JupyterHub"


def test_the_reason_says_which_of_the_two_tokens_is_wanted() -> None:
    assert "the server wants a (different) token; pass token=" in refusal_reason(401, "", b"no")
    reason = refusal_reason(403, "JupyterHub", b"<html>")
    assert reason.startswith("HTTP 403: JupyterHub in front of the endpoint wants")
    assert "headers={'Authorization': 'token ...'}" in reason
    assert "JupyterHub" in refusal_reason(302, "JupyterHub", b"")
    assert refusal_reason(302, "", b"") == refusal_reason(500, "JupyterHub", b"") == ""


def test_a_kkjupyter_server_is_quoted() -> None:
    text = "this server does not answer to the name x; its owner can allow it: hosts=[...]"
    assert refusal_reason(403, "", f"{text}\n".encode()) == f"HTTP 403: {text}"
    assert said_by_server(b"pages of \x1b[2J may not connect here") == ""
    assert said_by_server(b"anything else") == ""
    assert said_by_server(None) == ""


@contextlib.contextmanager
def jupyter(status: int) -> Iterator[str]:
    """The address of what answers as Jupyter does: it refuses, or lets in and hangs up."""

    def answer(connection: ServerConnection, request: Request, response: Any = None) -> Response:
        made = response or connection.respond(status, "<html>")
        made.headers.update(JUPYTER | ({"Location": "/login"} if status == 302 else {}))
        return made

    def hang_up(connection: ServerConnection) -> None:
        connection.socket.close()

    step = {"process_response" if status == 101 else "process_request": answer}
    with serve(hang_up, "127.0.0.1", 0, **step) as server:  # type: ignore[arg-type]
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}/proxy/8765/"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("status", [403, 302])
def test_a_jupyter_server_that_refuses(status: int) -> None:
    with jupyter(status) as url, pytest.raises(kk.ConnectError) as caught:
        kk.connect(url, token="endpoints")
    assert f"HTTP {status}: the Jupyter server in front of the endpoint" in caught.value.reason


def test_an_endpoint_that_refuses_behind_a_jupyter_server() -> None:
    """Jupyter opens the connection first and asks the endpoint afterwards."""
    with jupyter(101) as url, pytest.raises(kk.ConnectError) as caught:
        kk.connect(url, token="wrong")
    assert "the Jupyter server in front of it let this client in" in caught.value.reason


def test_a_token_beside_an_authorization_header_is_a_subprotocol() -> None:
    with kk.serve(Endpoint(), token="endpoints") as server:
        headers = {"authorization": "token JUPYTERS"}
        with kk.connect(server.url, headers=headers, token="endpoints") as api:
            assert api.add(1, 2).result() == 3
        with pytest.raises(kk.ConnectError, match="HTTP 401"):
            kk.connect(server.url, headers=headers, token="wrong")
        with pytest.raises(kk.UsageError, match="subprotocol") as caught:
            kk.connect(server.url, headers=headers, token="not allowed")
    assert "not allowed there" in str(caught.value)


def test_over_http_one_header_cannot_hold_two_tokens() -> None:
    headers = {"Authorization": "token JUPYTERS"}
    with pytest.raises(kk.UsageError, match=r"exclude each other.*\?token="):
        kk.connect("http://127.0.0.1:1/", headers=headers, token="endpoints", protocol="compact")
