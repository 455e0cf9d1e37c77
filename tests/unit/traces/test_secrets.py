"""No secret is seen in what a trace keeps of a frame, and what is no secret is."""

from __future__ import annotations

import json

import pytest

from kkjupyter.redaction import is_secret_name
from kkjupyter.traces.recorder import Recorder
from kkjupyter.traces.secrets import (
    HIDDEN,
    Excerpts,
    without_secret_fields,
)

SECRET = "s3cr3t-Zx81-Kl99-Qw42"


@pytest.mark.parametrize(
    "name",
    [
        *("authorization", "Authorization", "proxy-authorization", "cookie", "Set-Cookie"),
        *("password", "Password", "passwd", "pwd", "secret", "client_secret", "clientSecret"),
        *("api_key", "apiKey", "api-key", "x-api-key", "X-Api-Key", "OPENAI_API_KEY"),
        *("access_token", "accessToken", "refresh_token", "id-token", "token", "session_id"),
        *("private_key", "auth_token", "credentials", "csrfToken"),
    ],
)
def test_the_value_of_a_secret_member_is_hidden(name: str) -> None:
    for message in ({name: SECRET}, {"args": [{"a": {name: SECRET}}]}, {"json": {name: SECRET}}):
        for separators in ((",", ":"), (", ", " : ")):
            text = json.dumps(message, separators=separators)
            shown = Excerpts().text_of(text.encode())
            assert SECRET not in shown
            assert HIDDEN in shown
            assert name in shown


def test_a_secret_within_text_that_is_json_is_hidden() -> None:
    inner = json.dumps({"user": "ada", "password": 'with "quotes" ' + SECRET})
    twice = json.dumps({"body": json.dumps({"inner": inner})})
    for text in (inner, json.dumps({"body": inner}), twice):
        shown = Excerpts().text_of(text.encode())
        assert SECRET not in shown
        assert "ada" in shown


@pytest.mark.parametrize(
    "text",
    [
        '{"token":"Hello"}',
        '{"token":" a longer piece of text, with spaces"}',
        '{"key":"name","value":1}',
        '{"author":"Jane Austen of Steventon","keys":["a"]}',
        '{"tokens":[1,2,3],"max_tokens":256,"monkey":"business-and-more-of-it"}',
        '{"t":"sq","id":"c8Jk-1","sid":"8Jk2LkMnOpQrSt-12","op":"pull","n":16}',
        '{"authorized":true,"secretary":"somebody-with-a-long-name"}',
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert Excerpts().text_of(text.encode()) == text


def test_known_secrets_are_hidden_wherever_they_stand() -> None:
    odd = 'a"b\\c-' + SECRET
    excerpts = Excerpts([SECRET, odd, ""])
    for message in ([SECRET], {SECRET: 1}, {"text": f"you said {SECRET}!"}, [odd]):
        assert SECRET not in excerpts.text_of(json.dumps(message).encode())
    assert excerpts.text_of(b"nothing") == "nothing"


def test_a_secret_that_begins_like_another_leaves_nothing_of_it() -> None:
    assert Excerpts(["abc", "abcdef", "bcd"]).hide("<abcdef> <abc> <bcd>") == (
        f"<{HIDDEN}> <{HIDDEN}> <{HIDDEN}>"
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("COOKIE", f'lang=de; sid="{SECRET}"'),
        ("authorization", f"bearer {SECRET}"),
        ("Authorization", f"Basic {SECRET}"),
        ("X-Api-Key", SECRET),
    ],
)
def test_what_a_header_keeps_secret_is_hidden_in_payloads(name: str, value: str) -> None:
    recorder = Recorder("ws://127.0.0.1")
    recorder.hide_headers({name: value, "Accept": "text/plain"})
    assert recorder.excerpts.hide(f"<{SECRET}> text/plain") == f"<{HIDDEN}> text/plain"


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "Basic"])
def test_credentials_after_their_scheme_are_hidden(scheme: str) -> None:
    shown = Excerpts().text_of(f'["{scheme} {SECRET}"]'.encode())
    assert shown == f'["{scheme} {HIDDEN}"]'


def test_form_fields_are_hidden() -> None:
    shown = Excerpts().text_of(f"user=ada&password={SECRET}&api_key={SECRET}&n=1".encode())
    assert shown == f"user=ada&password={HIDDEN}&api_key={HIDDEN}&n=1"


def test_fields_of_a_form_with_files_are_hidden() -> None:
    part = 'Content-Disposition: form-data; name="{}"\r\n\r\n{}\r\n--xyz\r\n'
    body = "--xyz\r\n" + part.format("user", "ada") + part.format("password", f"a b\n{SECRET}")
    body += part.format("token", SECRET).replace('"\r\n\r\n', '"\r\nContent-Type: a\r\n\r\n')
    shown = Excerpts().text_of(body.encode())
    assert SECRET not in shown
    assert shown.count(HIDDEN) == 2
    assert "ada" in shown
    assert shown.count("--xyz") == 4


@pytest.mark.parametrize("size", [100, 3_000, 5_000, 40_000, 200_000])
def test_a_secret_at_a_cut_is_hidden(size: int) -> None:
    for at in range(0, size, max(1, size // 40)):
        before, after = "x" * at, "y" * (size - at)
        text = json.dumps({"a": before, "password": SECRET, "b": after})
        shown = Excerpts().text_of(text.encode())
        assert not any(SECRET[i : i + 6] in shown for i in range(len(SECRET) - 6))


@pytest.mark.parametrize("size", [1, 4_000, 5_000, 36_000, 37_000, 1_000_000])
def test_a_payload_is_bounded_and_shows_both_ends(size: int) -> None:
    shown = Excerpts().text_of(b"<" + b"-" * size + b">")
    assert len(shown) < 4_200
    assert shown.startswith("<")
    assert shown.endswith(">")
    assert ("left out" in shown) == (size > 4_094)


def test_what_a_terminal_would_act_on_is_replaced() -> None:
    assert Excerpts().text_of(b"a\x1b[2Jb\x07\r\nc\td\xff") == "a�[2Jb��\nc\td�"


def test_headers_keep_their_names_only_where_they_are_secret() -> None:
    headers = {"Authorization": f"Bearer {SECRET}", "X-Api-Key": SECRET, "Accept": "text/plain"}
    head = Excerpts().head("GET / HTTP/1.1", headers).decode()
    assert head == (
        f"GET / HTTP/1.1\nAuthorization: {HIDDEN}\nX-Api-Key: {HIDDEN}\nAccept: text/plain\n\n"
    )


def test_secret_fields_of_a_query_are_left_out() -> None:
    assert without_secret_fields("/a/b") == "/a/b"
    assert without_secret_fields("/a?n=1&token=x&key=y&flag") == (
        f"/a?n=1&token={HIDDEN}&key={HIDDEN}&flag"
    )


def test_names_that_may_be_secret() -> None:
    names = ("Authorization", "X-Key", "sessionId", "passwort", "Set-Cookie", "PWD", "X-Signature")
    assert all(map(is_secret_name, names))
    assert not any(map(is_secret_name, ("Accept", "Content-Type", "X-Request-Id")))
