"""Who may come in."""

from __future__ import annotations

import socket
from typing import Any

import pytest

import kkjupyter as kk
from kkjupyter.server.access import AccessPolicy, Visit, bearer_tokens, make_token, query_tokens


def turned_away(policy: AccessPolicy, origin: str | None, shown: list[str], **headers: str) -> Any:
    """What a policy says to a request for the host it listens at."""
    given = {"Host": "127.0.0.1:8765", **{k.replace("_", "-"): v for k, v in headers.items()}}
    if origin is not None:
        given["Origin"] = origin
    return policy.rejection(
        Visit.of(lambda name: [given[name]] if name in given else [], "/", shown)
    )


def test_without_a_token_everybody_may_come_in_save_strange_pages() -> None:
    policy = AccessPolicy("127.0.0.1", None)
    assert turned_away(policy, None, []) is None
    assert turned_away(policy, "http://localhost:8888", ["any"]) is None
    turned = turned_away(policy, "https://evil.example", [])
    assert turned == (403, "pages of https://evil.example may not connect here\n")


@pytest.mark.parametrize("shown", [[], [""], ["wrong"], ["secret "], ["Secret"], ["\udcff"]])
def test_a_token_must_be_shown(shown: list[str]) -> None:
    policy = AccessPolicy("127.0.0.1", "secret")
    assert turned_away(policy, None, shown) == (401, "token missing or wrong\n")
    assert turned_away(policy, None, [*shown, "secret"]) is None
    # The page is looked at first: that there is a token is nobody's business there.
    assert turned_away(policy, "https://evil.example", ["secret"]) is not None


@pytest.mark.parametrize(
    ("listening_at", "token", "host", "admitted"),
    [
        ("127.0.0.1", None, "localhost:1", True),
        ("127.0.0.1", None, "LOCALHOST.", True),
        ("127.0.0.1", None, "[::1]:8765", True),
        ("127.0.0.1", None, "rebound.example:8765", False),
        ("127.0.0.1", "secret", "hub.example", True),  # a proxy's
        ("127.0.0.1", None, "localhost.rebound.example", False),
        ("127.0.0.1", None, "rebound.example@localhost", False),
        ("127.0.0.1", None, "localhost/x", False),
        ("127.0.0.1", None, "0.0.0.0:8765", False),  # which browsers take for this machine
        ("127.0.0.1", None, "[::1", False),
        ("127.0.0.1", None, "", False),
        ("127.0.0.1", None, "named.example", True),
        ("127.0.0.1", None, "page.example:80", True),  # as its pages may call
        ("::1", None, "[::1]:80", True),
        ("0.0.0.0", None, "192.0.2.7:80", True),
        ("0.0.0.0", None, socket.gethostname(), True),
        ("0.0.0.0", None, "rebound.example", False),
        ("0.0.0.0", "secret", "service-in-a-container", True),
        ("my.host", None, "My.Host:80", True),
        ("my.host", None, "rebound.example", False),
    ],
)
def test_names_it_is_asked_for(
    listening_at: str, token: str | None, host: str, admitted: bool
) -> None:
    policy = AccessPolicy(listening_at, token, ["https://page.example"], ["named.example"])
    turned = turned_away(policy, None, ["secret"], Host=host)
    assert (turned is None) is admitted
    if turned is not None:
        assert turned[0] == 403
        assert "hosts=[...]" in turned[1]
    for names in ({"hosts": ["*"]}, {"origins": ["*"]}):
        assert AccessPolicy(listening_at, token, **names).admits_host(host)


@pytest.mark.parametrize(
    ("site", "mode", "admitted"),
    [
        ("none", "navigate", True),  # typed by the user
        ("same-origin", "cors", True),
        ("same-site", "navigate", True),  # a link in a notebook
        ("same-site", "no-cors", False),
        ("cross-site", "navigate", False),
        ("cross-site", "no-cors", False),
        ("cross-site", "websocket", False),
        ("anything", "cors", False),
    ],
)
def test_what_a_browser_says_of_a_page_it_does_not_name(
    site: str, mode: str, admitted: bool
) -> None:
    says = {"Sec_Fetch_Site": site, "Sec_Fetch_Mode": mode}
    assert (turned_away(AccessPolicy("127.0.0.1", None), None, [], **says) is None) is admitted
    # No page knows a token; who has clicked on a link with one shall come in.
    assert turned_away(AccessPolicy("127.0.0.1", "secret"), None, ["secret"], **says) is None
    assert turned_away(AccessPolicy("127.0.0.1", None), "http://localhost:1", [], **says) is None
    elsewhere = turned_away(AccessPolicy("my.host", None), None, [], Host="my.host", **says)
    assert (elsewhere is None) is (site in ("none", "same-origin"))


@pytest.mark.parametrize("name", ["Host", "Origin", "Sec-Fetch-Site", "Sec-Fetch-Mode"])
def test_what_must_come_once(name: str) -> None:
    visit = Visit.of(lambda one: ["localhost", "localhost"] if one == name else [], "/")
    assert AccessPolicy("127.0.0.1", None).rejection(visit) == (
        400,
        f"{name} came more than once\n",
    )


def test_what_it_means_that_there_is_no_token() -> None:
    assert AccessPolicy("127.0.0.1", "secret").warning == ""
    assert "so can web pages served from this machine" in AccessPolicy("::1", None).warning
    assert "everybody on the network" in AccessPolicy("0.0.0.0", None).warning
    with pytest.raises(kk.UsageError, match=r"hosts takes a list.*\['a'\]"):
        AccessPolicy("127.0.0.1", None, hosts="a")


@pytest.mark.parametrize(
    ("host", "origin", "admitted"),
    [
        ("127.0.0.1", "http://[::1]:80", True),
        ("127.0.0.1", "http://127.0.0.1.evil.example", False),
        ("127.0.0.1", "null", False),
        ("127.0.0.1", "", False),
        ("127.0.0.1", "http://[::1", False),
        ("0.0.0.0", "http://localhost", False),
        ("my.host", "https://my.host:8443", True),
        ("my.host", "https://other.host", False),
        ("my.host", "https://listed.example", True),
        ("my.host", "https://listed.example:1", False),
    ],
)
def test_origins(host: str, origin: str, admitted: bool) -> None:
    assert AccessPolicy(host, None, ["https://listed.example"]).admits_origin(origin) is admitted
    assert AccessPolicy(host, None, ["*"]).admits_origin(origin)


def test_tokens_in_headers_and_in_the_address() -> None:
    headers = ["Bearer a", "bearer  b ", "Basic c", "d", ""]
    assert bearer_tokens(headers) == ["a", "b"]
    assert query_tokens("/x?token=a&y=1&token=b%20c") == ["a", "b c"]
    assert query_tokens("//[::?token=a") == ["a"]
    assert query_tokens("/x") == []


@pytest.mark.parametrize(
    ("query", "left"),
    [
        ("", ""),
        ("token=mine", "token=mine"),
        ("token=secret%21", ""),
        ("token=secret!", ""),
        ("x=1&token=secret%21&y=%20", "x=1&y=%20"),
        ("token=mine&token=secret%21&token=", "token=mine&token="),
        ("%74oken=%73ecret!", ""),
        ("Token=secret!", "Token=secret!"),
        ("token=secret!!", "token=secret!!"),
        ("token[]=secret!&token", "token[]=secret!&token"),
        ("x=token=secret!&&", "x=token=secret!&&"),
        ("token=%ff", "token=%ff"),
    ],
)
def test_only_what_shows_the_token_is_taken_from_a_query(query: str, left: str) -> None:
    assert AccessPolicy("127.0.0.1", "secret!").without_token(query) == left
    assert AccessPolicy("127.0.0.1", None).without_token(query) == query


@pytest.mark.parametrize(
    ("query", "left"),
    [
        ("t%6Fken=a-long%20secret-of-ours&x=1", "x=1"),
        ("token=a-long+secret-of-ours#more", ""),
        ("x=1#token=a-long+secret-of-ours", "x=1"),
        ("token[]=a-long+secret-of-ours", ""),
        ("token%00=%61-long%20secret-of-ours&y", "y"),
        ("x=1;token=a-long+secret-of-ours", ""),
        ("other=a-long+secret-of-ours", ""),
        ("token=a-long+secret", "token=a-long+secret"),
    ],
)
def test_a_long_token_is_taken_from_a_query_however_it_is_written(query: str, left: str) -> None:
    assert AccessPolicy("127.0.0.1", "a-long secret-of-ours").without_token(query) == left


def test_a_token_is_made_unless_one_is_given_or_none_is_meant() -> None:
    made = {make_token("127.0.0.1", True, insecure=False) for _ in range(3)}
    assert len(made) == 3
    assert all(len(str(token)) >= 32 for token in made)
    assert make_token("0.0.0.0", "mine", insecure=False) == "mine"
    assert make_token("127.0.0.1", False, insecure=False) is None
    assert make_token("0.0.0.0", False, insecure=True) is None
    with pytest.raises(kk.UsageError, match="insecure=True"):
        make_token("0.0.0.0", False, insecure=False)
    with pytest.raises(kk.UsageError, match="empty token"):
        make_token("127.0.0.1", "", insecure=False)
