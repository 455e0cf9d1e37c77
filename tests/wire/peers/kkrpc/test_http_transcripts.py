"""Our HTTP server and client against what real peers of kkrpc 0.7.0 and 2.1.0 said over HTTP.

What was posted to the recorded server is posted to ours, which must answer alike; the recorded
answers go to our client. Where ours is better on purpose, that is what is asserted.
"""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import pytest
from wire.peers.kkrpc.api import make_api
from wire.peers.kkrpc.recordings import comparable, exchanges

import kkjupyter as kk
from kkjupyter.server.listeners.http import HttpServer


@dataclass(frozen=True)
class Exchange:
    """One recorded request and its answer; ``status`` is None where none came."""

    protocol: str
    method: str
    posted: str
    status: int | None
    content_type: str
    answered: str

    def __str__(self) -> str:
        return f"{self.protocol} {self.method} {self.posted[:60]!r}"


def recorded(protocol: str) -> list[Exchange]:
    said = exchanges(f"{protocol}-http")
    return [
        Exchange(
            protocol,
            asked.method or "",
            asked.text,
            answered.status,
            (answered.content_type or "").partition(";")[0],
            answered.text,
        )
        for asked, answered in zip(said[::2], said[1::2], strict=True)
    ]


EXCHANGES = [*recorded("classic"), *recorded("compact")]
NO_STREAMS = "HTTP transport does not support async iterable streams"


def message(text: str) -> dict[str, Any]:
    """A message without what carries no meaning."""
    if '"t":' not in text:
        return comparable(text)
    fields: dict[str, Any] = json.loads(text)
    fields.get("e", {}).pop("s", None)
    return fields


# ---- our server


@pytest.fixture(scope="module")
def server() -> Iterator[HttpServer]:
    with kk.serve(make_api(), token=False, transport="http") as server:
        yield server


def ask(server: HttpServer, exchange: Exchange) -> tuple[int, str, str]:
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=10)
    try:
        body = exchange.posted.encode() if exchange.method == "POST" else None
        connection.request(exchange.method, "/", body)
        answer = connection.getresponse()
        content_type = answer.getheader("Content-Type", "").partition(";")[0]
        return answer.status, content_type, answer.read().decode()
    finally:
        connection.close()


def classic_answer(call_id: str, result: Any) -> dict[str, Any]:
    return {"id": call_id, "method": "", "args": {"result": result}, "type": "response"}


def classic_error(call_id: str, error: Any) -> dict[str, Any]:
    return {"id": call_id, "method": "", "args": {"error": error}, "type": "response"}


# By the id of the call: what our server answers where the recorded one hung, broke down or lost
# what it had to say.
BETTER: dict[str, dict[str, Any]] = {
    "a0": classic_answer("a0", 3),  # without line end the recorded server waited for ever
    "b1": classic_answer("b1", 3),  # and could not read the json codec
    "c1": classic_error(  # this one it had swallowed with a0
        "c1",
        {
            "name": "CustomError",
            "message": "custom failure",
            "cause": {"name": "Error", "message": "root cause"},
            "code": "E_CUSTOM",
            "status": 418,
            "details": {"field": "age", "min": 18},
        },
    ),
    "d1": classic_error("d1", {"name": "Error", "message": NO_STREAMS}),  # its items were lost
}


@pytest.mark.parametrize("exchange", EXCHANGES, ids=str)
def test_our_server_answers_as_the_recorded_one(exchange: Exchange, server: HttpServer) -> None:
    status, content_type, text = ask(server, exchange)
    if exchange.method == "GET":
        assert status == 405  # 2.1.0 says 400
        return
    posted = exchange.posted
    bad = posted.startswith(("{bad", "[")) or posted.count('"method":') > 1 or '"sq"' in posted
    if bad:
        assert (status, content_type) == (400, "text/plain")  # 0.7.0 says 500
        assert text.startswith("Bad request")
        return
    assert (status, content_type) == (200, "application/json")
    fields = json.loads(posted)
    call_id = fields.get("json", fields)["id"]
    if exchange.protocol == "classic":
        assert text.endswith("\n"), "a classic peer would hold it for ever"
        answer = message(text)
        answer.pop("meta", None)
        assert answer == (BETTER.get(call_id) or message(exchange.answered))
    elif call_id == "g1":  # a BigInt: the recorded server had no answer but a 500
        assert message(text)["e"]["n"] == "EncodeError"
    else:
        assert not text.endswith("\n")
        answer, expected = message(text), message(exchange.answered)
        # Ours tells the cause of an error, too.
        answer.get("e", {}).pop("cause", None)
        assert answer == expected


# ---- our client

CALLS: dict[str, Callable[[Any], Any]] = {
    "add": lambda api: api.add(1, 2).result(),
    "throwCustom": lambda api: api.throwCustom().result(),
    "nope": lambda api: api.nope().result(),
    "countdown": lambda api: api.countdown(3).result(),
    "counter": lambda api: kk.get(api.counter),
    "getBigInt": lambda api: api.getBigInt().result(),
}


class Recorded:
    """A server that answers one request as the recorded one did, and notes what was posted."""

    def __init__(self, exchange: Exchange) -> None:
        self.posted: list[str] = []
        recorded_id = message_id(exchange.posted)
        posted = self.posted

        class Handler(BaseHTTPRequestHandler):
            def do_HEAD(self) -> None:
                self.send_response(405)
                self.end_headers()

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                posted.append(body)
                answer = exchange.answered
                if recorded_id:
                    answer = answer.replace(f'"{recorded_id}"', json.dumps(message_id(body)))
                self.send_response(exchange.status or 500)
                self.send_header("Content-Type", exchange.content_type)
                self.end_headers()
                self.wfile.write(answer.encode())

            def log_message(self, *args: Any) -> None:
                """Nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def message_id(text: str) -> str:
    try:
        fields = json.loads(text)
    except ValueError:
        return ""
    return str(fields.get("json", fields).get("id", "")) if isinstance(fields, dict) else ""


def called(exchange: Exchange) -> str:
    return next((name for name in CALLS if f'"{name}"' in exchange.posted), "add")


RESULTS: dict[tuple[str, str], Any] = {
    ("classic", "a1"): 3,
    ("classic", "c2"): "Method nope is not a function",
    ("classic", "d1"): f"{NO_STREAMS}; use the server's WebSocket address (ws://), if it has one",
    ("classic", "e1"): 0,
    ("compact", "a1"): 3,
    ("compact", "a2"): 3,
    ("compact", "c1"): "CustomError: custom failure",
    ("compact", "c2"): "nope is not a function",
    ("compact", "d1"): NO_STREAMS,
    ("compact", "e1"): 0,
    ("compact", "e2"): "HTTP transport does not support callback arguments",
    ("compact", "e3"): NO_STREAMS,
}


@pytest.mark.parametrize(
    "exchange", [e for e in EXCHANGES if e.status is not None and e.method == "POST"], ids=str
)
def test_our_client_reads_what_the_recorded_server_answered(exchange: Exchange) -> None:
    peer = Recorded(exchange)
    try:
        with kk.connect(peer.url, protocol=exchange.protocol) as api:
            expected = RESULTS.get((exchange.protocol, message_id(exchange.posted)))
            call = CALLS[called(exchange)]
            if isinstance(expected, int):
                assert call(api) == expected
            elif expected is not None:
                with pytest.raises(kk.RemoteError) as caught:
                    call(api)
                assert str(caught.value) == expected
            else:
                assert exchange.status != 200
                with pytest.raises(kk.ProtocolError, match=f"HTTP {exchange.status}") as refused:
                    call(api)
                assert refused.value.excerpt == exchange.answered
    finally:
        peer.close()
    if expected is not None and f'"{called(exchange)}"' in exchange.posted:
        assert [_request(text) for text in peer.posted] == [_request(exchange.posted)]


def _request(text: str) -> dict[str, Any]:
    """A request without its id."""
    fields = json.loads(text)
    assert set(fields) == {"json"} or "t" in fields, "no annotations are needed for this"
    fields = fields.get("json", fields)
    return {name: value for name, value in fields.items() if name not in ("id", "version")}


def test_the_error_of_the_recorded_server_arrives_whole() -> None:
    [exchange] = [e for e in EXCHANGES if e.protocol == "compact" and '"c1"' in e.posted]
    peer = Recorded(exchange)
    try:
        with (
            kk.connect(peer.url, protocol="compact") as api,
            pytest.raises(kk.RemoteError) as caught,
        ):
            api.throwCustom().result()
    finally:
        peer.close()
    error = caught.value
    assert (error.name, error.message) == ("CustomError", "custom failure")
    assert error.stack == "CustomError: custom failure\n    at <frames>"
    details = {"field": "age", "min": 18}
    assert error.data == {"code": "E_CUSTOM", "status": 418, "details": details}
