"""Addresses of services on a bus."""

from __future__ import annotations

import pytest

import kkjupyter as kk
from kkjupyter.bus.addresses import BusAddress, is_bus_address, parse_bus_address


def test_an_address_in_parts() -> None:
    found = parse_bus_address(
        "nats://me:s3cret@one:4222,two/lab.models?peer_id=a&remote_peer_id=b&creds=/x.creds"
    )
    assert found == BusAddress(
        scheme="nats",
        brokers=("nats://me:s3cret@one:4222", "nats://me:s3cret@two"),
        name="lab.models",
        peer_id="a",
        remote_peer_id="b",
        credentials="/x.creds",
        secrets=("s3cret",),
        shown="nats://one:4222,two/lab.models",
    )
    assert "s3cret" not in repr(found)


def test_an_address_on_redis_in_parts() -> None:
    found = parse_bus_address("rediss://me:s3cret@one/lab:models.a?db=3")
    assert (found.scheme, found.brokers) == ("rediss", ("rediss://me:s3cret@one",))
    assert (found.name, found.database) == ("lab:models.a", 3)
    assert found.shown == "rediss://one/lab:models.a?db=3"
    assert parse_bus_address("redis://one/a?db=0").shown == "redis://one/a"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("nats://127.0.0.1", "nats://127.0.0.1/kkrpc.messages"),
        ("redis://127.0.0.1", "redis://127.0.0.1/kkrpc-stream"),
    ],
)
def test_without_a_name_it_is_that_of_the_peers(url: str, shown: str) -> None:
    assert parse_bus_address(url).shown == shown


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("nats://", "names no broker"),
        ("nats:///lab", "names no broker"),
        ("nats://host:x/lab", "names no broker"),
        ("nats://[::1/lab", "names no broker"),
        ("nats://host:0/lab", "names no broker"),
        ("nats://host/lab.*", "letters, digits"),
        ("nats://host/lab.>", "letters, digits"),
        ("nats://host/lab..a", "letters, digits"),
        ("nats://host/a b", "letters, digits"),
        ("nats://s3cret@host/a/b", "letters, digits"),
        ("nats://host/lab:a", "letters, digits"),
        ("nats://host/lab#x", "after '#'"),
        ("nats://host/lab?db=1", "no parameter 'db'"),
        ("redis://host/lab?creds=x", "no parameter 'creds'"),
        ("redis://host/3", "number of a database stands in ?db=3"),
        ("redis://s3cret@host/lab?db=x", "db= is the number of a database, not 'x'"),
        ("redis://one,two/lab", "names one broker"),
        ("nats://s3cret@host/lab?peer=x", "no parameter 'peer'; did you mean 'peer_id'"),
    ],
)
def test_what_is_wrong_with_an_address_is_said_without_its_secrets(url: str, why: str) -> None:
    with pytest.raises(kk.UsageError, match=why.replace("?", r"\?")) as caught:
        parse_bus_address(url)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("target", "is_one"),
    [
        *((url, True) for url in ("nats://x", "NATS://x/y", "redis://x", "rediss://x")),
        *((url, False) for url in ("ws://x", "nats", 3)),
    ],
)
def test_which_targets_are_on_a_bus(target: object, is_one: bool) -> None:
    assert is_bus_address(target) is is_one


URL = "nats://127.0.0.1:1/lab"


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"headers": {"X": "y"}}, "headers= is for ws://"),
        ({"cookies": {"a": "b"}}, "cookies= is for ws://"),
        ({"subprotocols": ["a"]}, "subprotocols= is for ws://"),
        ({"compression": "deflate"}, "compression= is for ws://"),
        ({"proxy": "http://x:1"}, "proxy= is for"),
        ({"schema": ".vovk-schema"}, "schema= is for Vovk"),
        ({"cwd": "/"}, "cwd is for a command"),
        ({"protocol": "third"}, "unknown protocol 'third'"),
    ],
)
def test_options_that_a_bus_has_no_use_for_are_refused(options: dict, why: str) -> None:  # type: ignore[type-arg]
    with pytest.raises(kk.UsageError, match=why):
        kk.connect(URL, **options)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"on": URL, "host": "0.0.0.0"}, "host= is for a server that listens on a port"),
        ({"on": URL, "port": 80}, "port= is for"),
        ({"on": URL, "transport": "http"}, "transport= is for"),
        ({"on": URL, "insecure": True}, "insecure= is for"),
        ({"on": URL, "compression": "deflate"}, "compression= is for"),
        ({"on": "ws://x", "workers": "shared"}, "on= takes an address like 'nats://"),
        ({"workers": "shared"}, "workers= is for a service on a bus"),
        ({"on": URL, "workers": "many"}, "unknown workers 'many'"),
    ],
)
def test_options_of_serve_that_do_not_go_together(options: dict, why: str) -> None:  # type: ignore[type-arg]
    with pytest.raises(kk.UsageError, match=why):
        kk.serve({}, **options)


def test_tls_is_for_addresses_that_say_so() -> None:
    with pytest.raises(kk.UsageError, match=r"did you mean 'rediss://127.0.0.1:1/lab'\?"):
        kk.connect("redis://127.0.0.1:1/lab", ca_file="x.pem")
