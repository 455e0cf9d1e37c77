"""What Redis alone can do to a service, and what a service leaves behind there."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import redis
from faults.test_buses import WORKER, Api, loses, program
from support.peers.bus import BusPeer
from support.servers.buses import broker, own_broker, service_url
from support.waiting import PATIENCE_S, until

import kkjupyter as kk
from kkjupyter.bus import redis as bus_redis

GROUP = "kkjupyter"
CALL = {"t": "q", "id": "id-1", "op": "call", "p": ["add"], "a": [1, 2]}


@pytest.fixture
def url() -> str:
    return service_url("redis")


@pytest.fixture
def name(url: str) -> str:
    return url.rpartition("/")[2]


@pytest.fixture
def server() -> Iterator[Any]:
    """The common one, as its operator sees it."""
    with redis.Redis.from_url(broker("redis").url, decode_responses=True) as client:
        yield client


def left_behind(server: Any, name: str) -> set[str]:
    """What of a service is still there, and will stay."""
    return {key for key in server.keys(f"{name}*") if server.pttl(key) == -1}


@contextmanager
def their_server(url: str) -> Iterator[tuple[BusPeer, Any]]:
    """A peer that has been asked whether it is there, and our client that has asked."""
    with BusPeer(url) as peer:
        found: list[Any] = []
        connecting = threading.Thread(target=lambda: found.append(kk.connect(url)))
        connecting.start()
        asked = peer.hear()
        peer.say({"t": "r", "id": asked["message"]["id"]}, "server", asked["from"])
        connecting.join(PATIENCE_S)
        with found[0] as api:
            yield peer, api


def lost(call: Any) -> str:
    with pytest.raises(kk.ConnectionLost) as caught:
        call.result(timeout_s=PATIENCE_S)
    return caught.value.reason


# ---- what is left behind


def test_the_last_one_to_leave_leaves_nothing_behind(url: str, name: str, server: Any) -> None:
    with kk.serve(Api(), on=url, workers="shared"):
        with (
            kk.serve(Api(), on=url, workers="shared"),
            kk.connect(url) as api,
            BusPeer(url) as peer,
        ):
            assert api.add(1, 2).result() == 3
            peer.say(CALL, "client", "server")
            assert peer.hear()["message"]["v"] == 3
        assert left_behind(server, name) == {name}
        (group,) = server.xinfo_groups(name)
        assert group["name"] == GROUP
    assert left_behind(server, name) == set()
    assert server.pubsub_channels(f"{name}*") == []


def test_asking_where_nobody_serves_leaves_nothing_behind(url: str, name: str, server: Any) -> None:
    with pytest.raises(kk.ConnectError, match="nobody serves"):
        kk.connect(url)
    assert left_behind(server, name) == set()


def test_a_stream_that_peers_read_in_groups_is_left_to_them(
    url: str, name: str, server: Any
) -> None:
    """They never hear anything again when it is deleted."""
    with kk.serve(Api(), on=url):
        server.xgroup_create(name, "kkrpc-group-client", "0")
    assert [group["name"] for group in server.xinfo_groups(name)] == ["kkrpc-group-client"]


def test_what_is_older_than_a_minute_is_trimmed_away(url: str, name: str, server: Any) -> None:
    old_ms = int(time.time() * 1000) - 90_000
    for number in range(1000):
        server.xadd(name, {"data": "{}"}, id=f"{old_ms}-{number}")
    with kk.serve(Api(), on=url), BusPeer(url) as peer:
        peer.say(CALL, "client", "server")
        assert peer.hear()["message"]["v"] == 3
        assert server.xlen(name) <= 102  # it is trimmed by the hundred


def test_requests_from_before_a_crash_are_not_executed(url: str, name: str, server: Any) -> None:
    """And what the crash has left behind is used, and deleted at the end."""
    with program(WORKER, url, "ready") as worker:
        worker.kill()
        worker.wait()
        until(lambda: server.pubsub_channels(f"{name}*") == [])
    assert left_behind(server, name) == {name}
    added: list[int] = []
    with BusPeer(url) as peer:
        peer.say(CALL, "client", "server")
        with kk.serve({"add": lambda a, b: added.append(a + b)}, on=url):
            peer.say({**CALL, "id": "id-2", "a": [3, 4]}, "client", "server")
            assert peer.hear()["message"]["id"] == "id-2"
        assert added == [7]
    assert left_behind(server, name) == set()


# ---- what is lost


def test_messages_that_were_deleted_before_they_were_read_are_missed(url: str, name: str) -> None:
    with their_server(url) as (_, api), redis.Redis.from_url(broker("redis").url) as client:
        call = api.add(1, 2)
        with client.pipeline() as at_once:
            at_once.xadd(name, {"data": "{}"})
            at_once.xtrim(name, maxlen=0, approximate=False)
            at_once.execute()
        assert "messages were deleted before they were read" in lost(call)


def test_after_everything_was_deleted_it_goes_on() -> None:
    with own_broker("redis") as mine, redis.Redis.from_url(mine.url) as client:
        url = f"{mine.url}/flushed"
        with kk.serve(Api(), on=url), kk.connect(url) as api, BusPeer(url) as peer:
            stream = iter(api.ticks())
            next(stream)
            peer.say(CALL, "client", "server")
            assert peer.hear()["message"]["v"] == 3
            client.flushall()
            # Nobody knows what was not read yet, so the worker begins anew.
            loses(stream)
            until(lambda: _can_add(api))
            peer.say({**CALL, "id": "id-2"}, "client", "server")
            while peer.hear()["message"]["id"] != "id-2":
                pass  # our client has asked whether there is a peer, while the worker was away


def test_a_server_without_memory_fails_what_it_cannot_carry() -> None:
    with own_broker("redis") as mine, redis.Redis.from_url(mine.url) as client:
        url = f"{mine.url}/full"
        with kk.serve(Api(), on=url), kk.connect(url) as ours, their_server(f"{url}2") as (_, api):
            client.config_set("maxmemory", "1")
            assert "command not allowed when used memory" in lost(api.add(1, 2))
            # Between our own ends nothing is kept there.
            assert ours.add(1, 2).result(timeout_s=PATIENCE_S) == 3


def _can_add(remote: Any) -> bool:
    try:
        return bool(remote.add(1, 2).result(timeout_s=PATIENCE_S) == 3)
    except kk.ConnectError:
        return False


def test_a_server_that_is_frozen_for_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bus_redis, "SILENCE_S", 2.0)
    monkeypatch.setattr(bus_redis, "_PULSE_S", 0.5)
    with (
        own_broker("redis") as mine,
        kk.serve(Api(), on=f"{mine.url}/frozen") as server,
        server.connect() as api,
    ):
        stream = iter(api.ticks())
        next(stream)
        mine.signal(signal.SIGSTOP)
        try:
            assert "the connection to the Redis server is lost" in loses(stream)[0].reason
        finally:
            mine.signal(signal.SIGCONT)
        until(lambda: _can_add(api))


# ---- who is meant


def test_databases_are_apart(url: str) -> None:
    """Though all of them share the channels."""
    other_url = f"{url}?db=1"
    with (
        kk.serve({"where": lambda: 0}, on=url),
        kk.serve({"where": lambda: 1}, on=other_url),
        kk.connect(url) as api,
        kk.connect(other_url) as other,
    ):
        assert (api.where().result(), other.where().result()) == (0, 1)


def test_a_user_needs_no_more_than_the_page_says() -> None:
    """docs/recipes/bus.md."""
    with own_broker("redis") as mine, redis.Redis.from_url(mine.url) as client:
        client.acl_setuser(
            "lab",
            enabled=True,
            passwords=["+s3cret"],
            keys=["lab.models", "lab.models._kk.*"],
            channels=["lab.models._kk.*"],
            commands=[
                *("+publish", "+subscribe", "+unsubscribe", "+pubsub", "+eval", "+time", "+echo"),
                *("+set", "+exists", "+del"),
                *("+xadd", "+xread", "+xreadgroup", "+xgroup", "+xinfo"),
            ],
        )
        url = f"{mine.url.replace('//', '//lab:s3cret@')}/lab.models"
        with (
            kk.serve(Api(), on=url),
            kk.connect(url) as api,
            BusPeer(f"{mine.url}/lab.models") as p,
        ):
            assert api.add(1, 2).result(timeout_s=PATIENCE_S) == 3
            p.say(CALL, "client", "server")
            assert p.hear()["message"]["v"] == 3
        with pytest.raises(kk.ConnectError, match="No permissions"):
            kk.serve(Api(), on=url.replace("models", "secrets"))
        assert client.keys("*[^0-9]") == []
