"""Our Vovk server against what the real ones of 3.7.0 and 0.1.7 were seen to answer, and beyond."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from support.vovk import api as vovk_api
from wire.peers.vovk.exchanges import Exchange, exchange, names, schema_file

from kkjupyter import vovk
from kkjupyter.vovk.server.server import VovkServer

# Not the same, for a reason.
DIFFERENT = {
    "new-dies": "a server that breaks off within its own bytes",
    "new-getGreeting": "an encoded slash in a parameter arrives",
    "new-getGreeting-plain": "a space in a query stays one",
    "new-postItem-badjson": "a body that is no JSON is the client's fault: 400",
    "new-schema-endpoint-dev": "compared with the schema files below",
    "new-schema-endpoint-production": "the schema is served always",
    "new-valid-stream-badbody": "the words are those of another library",
    "new-valid-stream-badquery": "the words are those of another library",
    "new-valid-stream-baditeration": "the words are those of another library",
    "new-valid-unary-bad": "the words are those of another library",
    "new-x-meta-bad": "an x-meta that is no JSON is the client's fault, and he is told",
    "old-unary-array": "a list is a value",
    "old-unary-nothing": "nothing is null, as from 0.2.3 on",
    "old-unary-string": "text is a value, as from 0.2.3 on",
}
COMPARED_HEADERS = ("content-type", "content-encoding", "cache-control", "location", "refresh")


@pytest.fixture(scope="module")
def servers() -> Iterator[dict[str, VovkServer]]:
    with (
        vovk.serve(vovk_api.NEW, token=False) as new,
        vovk.serve(vovk_api.OLD, token=False, legacy=True) as old,
    ):
        yield {"jsonlines": new, "divider": old}


class Answer:
    """What our server said to a recorded request."""

    def __init__(self, server: VovkServer, asked: Exchange) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
        headers = {k: v for k, v in asked.request_headers.items() if k != "host"}
        connection.request(asked.method, asked.target, asked.request_body, headers)
        response = connection.getresponse()
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.getheaders()}
        self.body = response.read()
        connection.close()

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@pytest.mark.parametrize("name", [name for name in names() if name not in DIFFERENT])
def test_the_bytes_are_those_of_the_real_server(name: str, servers: dict[str, VovkServer]) -> None:
    recorded = exchange(name)
    ours = Answer(servers[recorded.wire_format], recorded)
    assert (ours.status, ours.body) == (recorded.status, recorded.body)
    for header in COMPARED_HEADERS:
        if header == "content-type" and recorded.status == 308:
            continue  # Next sends none, aiohttp always
        theirs = recorded.headers.get(header)
        if (header, theirs) == ("content-encoding", "gzip"):
            theirs = None  # compressed it comes late; ours is never
        assert ours.headers.get(header) == theirs, header


def test_old_clients_get_a_chunk_for_each_item(servers: dict[str, VovkServer]) -> None:
    """They deliver items twice, or never, when one is cut in two within a larger chunk."""
    recorded = exchange("old-burst5")
    with socket.create_connection(("127.0.0.1", servers["divider"].port), timeout=10) as client:
        client.sendall(f"GET {recorded.target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        received = b""
        while not received.endswith(b"\r\n0\r\n\r\n"):
            received += client.recv(65_536)
    framed = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in recorded.chunks)
    assert received.partition(b"\r\n\r\n")[2] == framed + b"0\r\n\r\n"


def test_where_we_differ(servers: dict[str, VovkServer]) -> None:
    new, old = servers["jsonlines"], servers["divider"]

    def ask(name: str) -> Answer:
        return Answer(new if name.startswith("new-") else old, exchange(name))

    answer = ask("new-getGreeting")
    assert (answer.status, answer.json["id"]) == (200, "a/b c")
    query = {"q": "x y", "arr": ["1", "2"], "o": {"k": "v"}}
    assert ask("new-getGreeting-plain").json == {"id": "x y", "q": "x y", "query": query}
    for name, word in (("new-postItem-badjson", "body"), ("new-x-meta-bad", "x-meta")):
        answer = ask(name)
        assert answer.status == answer.json["statusCode"] == 400
        assert word in answer.json["message"]
    assert ask("old-unary-array").json == [1, 2, 3]
    assert ask("old-unary-nothing").json is None
    assert ask("old-unary-string").json == "plain"


@pytest.mark.parametrize(
    ("name", "part", "path"),
    [
        ("new-valid-stream-badbody", "body", ["words", 0]),
        ("new-valid-stream-badquery", "query", ["delay"]),
        ("new-valid-unary-bad", "body", ["n"]),
    ],
)
def test_what_validation_refuses(
    name: str, part: str, path: list[Any], servers: dict[str, VovkServer]
) -> None:
    recorded = exchange(name)
    ours = Answer(servers["jsonlines"], recorded)
    theirs = json.loads(recorded.body)
    assert ours.status == recorded.status
    assert list(ours.json) == list(theirs)
    assert ours.json["message"].startswith(f"Validation failed. Invalid {part}: ")
    assert ours.json["message"].endswith(f" at {'.'.join(map(str, path))}")
    assert [issue["path"] for issue in ours.json["cause"]["issues"]] == [path]
    assert [issue["path"] for issue in theirs["cause"]["issues"]] == [path]


def test_an_item_that_validation_refuses(servers: dict[str, VovkServer]) -> None:
    recorded = exchange("new-valid-stream-baditeration")
    ours = Answer(servers["jsonlines"], recorded)
    lines, theirs = ours.body.splitlines(), recorded.body.splitlines()
    assert lines[0] == theirs[0]
    reason = json.loads(lines[1])["reason"]
    assert reason.startswith("Validation failed. Invalid iteration #1: ")
    assert reason.endswith(" at message")


def test_the_schema_that_is_served(servers: dict[str, VovkServer]) -> None:
    ours = Answer(servers["jsonlines"], exchange("new-schema-endpoint-dev")).json
    theirs = json.loads(exchange("new-schema-endpoint-dev").body)
    assert list(ours) == list(theirs) == ["schema"]
    for key in ("$schema", "emitSchema", "segmentName", "segmentType"):
        assert ours["schema"][key] == theirs["schema"][key]
    compared = 0
    for name, controller in ours["schema"]["controllers"].items():
        real = theirs["schema"]["controllers"][name]
        for key in ("rpcModuleName", "originalControllerName", "prefix"):
            assert controller[key] == real[key]
        for handler_name, handler in controller["handlers"].items():
            there = real["handlers"][handler_name]
            assert (handler["path"], handler["httpMethod"]) == (there["path"], there["httpMethod"])
            assert handler.get("operationObject") == there.get("operationObject")
            compared += 1
    assert compared > 20
    ours_valid, theirs_valid = (
        one["schema"]["controllers"]["ValidRPC"]["handlers"]["streamTokens"]["validation"]
        for one in (ours, theirs)
    )
    assert list(ours_valid) == list(theirs_valid)
    for part, schema in ours_valid.items():
        schema.pop("title", None)
        schema["required"].sort()
        theirs_valid[part]["required"].sort()
        assert schema == theirs_valid[part]


def test_the_metadata_of_0_1(servers: dict[str, VovkServer]) -> None:
    ours = servers["divider"].schema
    theirs = schema_file("old-0.1.7-vovk-metadata.json")
    for name in ("HelloController", "PrefixedController"):
        assert ours[name]["controllerName"] == theirs[name]["controllerName"]
        assert ours[name]["_prefix"] == theirs[name]["_prefix"]
        for handler_name, handler in ours[name]["_handlers"].items():
            there = theirs[name]["_handlers"][handler_name]
            assert (handler["path"], handler["httpMethod"]) == (there["path"], there["httpMethod"])
