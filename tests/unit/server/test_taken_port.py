"""A port that is taken: who has it, and how to get it back."""

from __future__ import annotations

import pickle
import socket
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import kkjupyter as kk
from kkjupyter import vovk
from kkjupyter.server.server import Server, open_servers

Serve = Callable[..., Server]


class Hello(vovk.Controller):
    @vovk.get.auto()
    async def hello(self) -> str:
        return "Hello"


def websocket(**options: Any) -> Server:
    return kk.serve({}, **options)


def http(**options: Any) -> Server:
    return kk.serve({}, transport="http", **options)


def controllers(**options: Any) -> Server:
    return vovk.serve([Hello], **options)


serves = pytest.mark.parametrize("serve", [websocket, http, controllers])


@pytest.fixture(params=[websocket, http, controllers])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    with request.param() as made:
        yield made


def refusal(serve: Serve, **options: Any) -> kk.ConnectError:
    before = open_servers()
    with pytest.raises(kk.ConnectError) as caught:
        serve(**options)
    assert open_servers() == before
    return caught.value


@serves
def test_a_server_of_this_process_is_named_with_the_way_to_close_it(
    serve: Serve, server: Server
) -> None:
    error = refusal(serve, port=server.port)
    assert "cannot listen there" in str(error)
    assert repr(server) in str(error)
    assert f"kk.close({server.url!r})" in str(error)
    assert "cannot connect" not in str(error)
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


@serves
def test_the_advice_works(serve: Serve, server: Server) -> None:
    port = server.port
    refusal(serve, port=port)
    kk.close(server.url)
    assert server.closed
    with serve(port=port) as again:
        assert again.port == port


def test_the_variable_of_the_user_is_named(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    main = sys.modules["__main__"]  # a shell of another test may have put its own there
    monkeypatch.setattr(main, "my_server", server, raising=False)
    assert "kk.close(my_server)" in str(refusal(websocket, port=server.port))


@pytest.mark.parametrize("host", ["0.0.0.0", "localhost"])
def test_the_same_port_by_another_name_of_the_host(host: str, server: Server) -> None:
    error = refusal(websocket, host=host, port=server.port, insecure=True)
    assert repr(server) in str(error)


@serves
def test_another_program_has_the_port(serve: Serve) -> None:
    with socket.socket() as taken, websocket():
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        error = refusal(serve, port=port)
    assert f"another program has port {port}" in str(error)
    assert "0 for a free one" in str(error)


def test_what_is_no_server_of_this_process_cannot_be_closed(server: Server) -> None:
    with pytest.raises(kk.UsageError, match=r"no server in this process .*kk.status\(\)"):
        kk.close("ws://127.0.0.1:1")
    kk.close(f"{server.url}/")
    assert server.closed
    with pytest.raises(kk.UsageError, match="no server in this process"):
        kk.close(server.url)
