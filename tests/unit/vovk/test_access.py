"""Who may call a Vovk server, what browsers are told, and where it is."""

from __future__ import annotations

import asyncio
import http.client
import inspect
from collections.abc import Iterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web

import kkjupyter as kk
from kkjupyter import vovk


class Hello(vovk.Controller):
    @vovk.post.auto()
    def greet(self, query: Any) -> Any:
        return query


async def ask(url: str, method: str = "POST", **headers: str) -> tuple[int, Any, Any]:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, url, headers=sent, allow_redirects=False) as response,
    ):
        is_json = response.content_type == "application/json"
        return response.status, await response.json() if is_json else None, response.headers


def test_a_token_is_asked_for() -> None:
    with vovk.serve([Hello]) as server:
        url = f"{server.url}/greet?a=1"
        assert server.token
        assert server.token not in server.url + repr(server)
        status, body, _ = asyncio.run(ask(url))
        assert (status, body) == (
            401,
            {"statusCode": 401, "message": "token missing or wrong", "isError": True},
        )
        assert asyncio.run(ask(f"{server.url}/_schema_", "GET"))[0] == 401
        bearer = f"Bearer {server.token}"
        assert asyncio.run(ask(url, authorization=bearer))[:2] == (200, {"a": "1"})
        # It is not for handlers to see.
        assert asyncio.run(ask(f"{url}&token={server.token}"))[:2] == (200, {"a": "1"})
        encoded = f"{url}&%74oken=%{ord(server.token[0]):02X}{server.token[1:]}"
        assert asyncio.run(ask(encoded))[:2] == (200, {"a": "1"})
        # Another one of that name is the API's own.
        own = {"a": "1", "token": "mail-123"}
        assert asyncio.run(ask(f"{url}&token=mail-123", authorization=bearer))[:2] == (200, own)
        both = f"{url}&token=mail-123&token={server.token}"
        assert asyncio.run(ask(both))[:2] == (200, own)
        assert asyncio.run(ask(f"{url}&token=mail-123"))[0] == 401
    with vovk.serve([Hello], token="own") as server:
        assert server.token == "own"
    with pytest.raises(kk.UsageError, match="insecure=True"):
        vovk.serve([Hello], host="0.0.0.0", token=False)


def test_pages_of_other_origins() -> None:
    with vovk.serve([Hello], token=False, origins=["https://app.example"]) as server:
        url = f"{server.url}/greet"
        status, body, headers = asyncio.run(ask(url, origin="https://evil.example"))
        assert (status, body["statusCode"]) == (403, 403)
        assert "Access-Control-Allow-Origin" not in headers
        for origin in ("https://app.example", "http://localhost:8888"):
            status, _, headers = asyncio.run(ask(url, origin=origin))
            assert (status, headers["Access-Control-Allow-Origin"]) == (200, origin)
            assert headers["Vary"] == "Origin"
        asks = {"access-control-request-method": "POST"}
        status, _, headers = asyncio.run(
            ask(
                url,
                "OPTIONS",
                origin="https://app.example",
                **asks,
                access_control_request_headers="authorization,x-own",
            )
        )
        assert status == 204
        assert headers["Access-Control-Allow-Headers"] == "authorization,x-own"
        assert "POST" in headers["Access-Control-Allow-Methods"]
        status, _, headers = asyncio.run(ask(url, "OPTIONS", origin="https://evil.example", **asks))
        assert (status, "Access-Control-Allow-Origin" in headers) == (403, False)
        # Without an origin it is a request like any other.
        assert asyncio.run(ask(url, "OPTIONS", **asks))[0] == 404


@pytest.mark.parametrize("prefix", ["/api", "v1/api/", "", "/"])
def test_the_path_of_the_api(prefix: str) -> None:
    with vovk.serve([Hello], token=False, prefix=prefix) as server:
        root = f"http://127.0.0.1:{server.port}"
        assert server.url == f"{root}/{prefix.strip('/')}".rstrip("/")
        assert asyncio.run(ask(f"{server.url}/greet"))[0] == 200
        assert asyncio.run(ask(f"{server.url}/_schema_", "GET"))[0] == 200
        assert asyncio.run(ask(f"{root}/nowhere/greet"))[0] == 404
        status, _, headers = asyncio.run(ask(f"{server.url}/greet/?a=1"))
        assert status == 308
        assert headers["Location"] == server.url.removeprefix(root) + "/greet?a=1"
        if prefix.strip("/"):
            status, body, _ = asyncio.run(ask(f"{server.url}x/greet"))
            assert status == 404
            assert body["message"].startswith(f"Route '{prefix.strip('/')}x/greet' is not found")


@pytest.mark.parametrize("path", ["//evil.example/", "/\\evil.example/", "///evil.example//"])
def test_a_redirect_stays_here(path: str) -> None:
    with vovk.serve([Hello], token=False, prefix="") as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
        connection.putrequest("GET", path)
        connection.endheaders()
        response = connection.getresponse()
        assert (response.status, response.headers["Location"]) == (308, "/evil.example")
        connection.close()


def test_numbers_and_the_end() -> None:
    with vovk.serve([Hello]) as server:
        assert (server.clients, server.running) == (0, 0)
        assert repr(server) == f"<Server {server.url} (with a token): 0 clients, 0 calls>"
        assert server.url in repr(kk.status())
        with pytest.raises(kk.ConnectError, match="cannot listen there"):
            vovk.serve([Hello], port=server.port)
    assert server.closed
    server.close()
    assert "closed" in repr(server)


class Tokens(vovk.Controller):
    @vovk.post.auto()
    def stream_tokens(self, query: dict[str, int]) -> Iterator[str]:
        """Yield some."""
        yield "a"


def test_its_own_connection_knows_the_schema() -> None:
    with vovk.serve([Tokens]) as server:
        api = server.connect()
        assert dir(api.Tokens) == ["streamTokens", "stream_tokens"]
        assert list(inspect.signature(api.tokens.stream_tokens).parameters)[:2] == ["body", "query"]
        assert (inspect.getdoc(api.Tokens.streamTokens) or "").startswith("Yield some.")
        kk.close(api)


def test_options_that_cannot_be_right() -> None:
    with pytest.raises(kk.UsageError, match="did you mean 'legacy'"):
        vovk.serve([Hello], legcy=True)  # type: ignore[call-arg]
    with pytest.raises(kk.UsageError, match="unknown option 'token'"):
        vovk.app([Hello], token=False)  # type: ignore[call-arg]
    with pytest.raises(kk.UsageError, match="port must be"):
        vovk.serve([Hello], port=-1)
    with pytest.raises(kk.UsageError, match="prefix is the path"):
        vovk.serve([Hello], prefix="/{version}")


def test_an_application_to_mount() -> None:
    """Its async handlers run on its own loop; who may come in is its own affair."""
    loops: list[Any] = []

    class Own(vovk.Controller):
        @vovk.get.auto()
        async def own(self) -> Any:
            loops.append(asyncio.get_running_loop())
            return "own"

        @vovk.get.auto()
        def sync(self) -> Any:
            return "sync"

    async def main() -> None:
        app = web.Application()
        app.add_subapp("/deep/api", vovk.app([Own], legacy=True))
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        root = f"http://127.0.0.1:{runner.addresses[0][1]}/deep/api"
        evil = {"origin": "https://evil.example"}
        assert (await ask(f"{root}/own", "GET", **evil))[:2] == (200, "own")
        assert (await ask(f"{root}/sync", "GET"))[:2] == (200, "sync")
        assert "Own" in (await ask(f"{root}/_schema_", "GET"))[1]
        assert (await ask(f"{root}/nope", "GET"))[0] == 404
        await runner.cleanup()
        assert loops == [asyncio.get_running_loop()]

    asyncio.run(main())


def test_a_body_that_is_too_long() -> None:
    async def main(url: str) -> int:
        async with aiohttp.ClientSession() as session, session.post(url, data=b"x" * 2000) as reply:
            return (await reply.json())["statusCode"]

    limits = kk.ServerLimits(message_bytes=1000)
    with vovk.serve([Hello], token=False, limits=limits) as server:
        assert asyncio.run(main(f"{server.url}/greet")) == 413
