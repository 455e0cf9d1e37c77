"""Who may come in."""

from __future__ import annotations

import pytest

import kkjupyter as kk
from kkjupyter.rpc.door import Door, bearer_tokens, make_token, query_tokens


def test_without_a_token_everybody_may_come_in_save_strange_pages() -> None:
    door = Door("127.0.0.1", None)
    assert door.turn_away(None, []) is None
    assert door.turn_away("http://localhost:8888", ["any"]) is None
    turned = door.turn_away("https://evil.example", [])
    assert turned == (403, "pages of https://evil.example may not connect here\n")


@pytest.mark.parametrize("shown", [[], [""], ["wrong"], ["secret "], ["Secret"], ["\udcff"]])
def test_a_token_must_be_shown(shown: list[str]) -> None:
    door = Door("127.0.0.1", "secret")
    assert door.turn_away(None, shown) == (401, "token missing or wrong\n")
    assert door.turn_away(None, [*shown, "secret"]) is None
    # The page is looked at first: that there is a token is nobody's business there.
    assert door.turn_away("https://evil.example", ["secret"]) is not None


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
    assert Door(host, None, ["https://listed.example"]).admits_origin(origin) is admitted
    assert Door(host, None, ["*"]).admits_origin(origin)


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
    assert Door("127.0.0.1", "secret!").without_token(query) == left
    assert Door("127.0.0.1", None).without_token(query) == query


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
