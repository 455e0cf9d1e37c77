"""The card of a Remote: where it leads, and how to go on."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from IPython.core.formatters import DisplayFormatter

from kkjupyter.api.in_process import serve_in_memory
from kkjupyter.client.remote import Remote
from kkjupyter.notebook.shell import formatters, remote_repr


class Group:
    def one(self) -> int:
        return 1


class Api:
    Counter = Group

    def __init__(self) -> None:
        self.group = Group()

    def add(self) -> int:
        return 1


@pytest.fixture
def api() -> Iterator[Remote]:
    with serve_in_memory(Api()) as server:
        yield server.connect()


def text_of(value: Any, **names: Any) -> str:
    """What IPython shows of a value in text."""
    formatter = DisplayFormatter()
    shell = SimpleNamespace(display_formatter=formatter, user_ns=names)
    formatters.install(shell)
    return str(formatter.format(value)[0]["text/plain"])


def test_the_card_of_a_connection_says_how_to_call_a_method(api: Remote) -> None:
    text = text_of(api, mine=api)
    assert text.startswith("mine: connection\n")
    assert "Counter, add, group.one" in text
    assert "%rpc mine.add(...)  or  await mine.add(...)" in text


def test_the_card_of_a_group_names_what_is_below(api: Remote) -> None:
    text = text_of(api.group, api=api)
    assert text.startswith("api.group: remote group\n")
    assert "await api.group.one(...)" in text
    assert "to read it" in text_of(api.add, api=api)


def test_the_card_of_a_closed_connection_says_how_to_go_on(api: Remote) -> None:
    with api:
        pass
    text = text_of(api, api=api)
    assert "closed" in text
    assert "%rpc connect URL" in text
    assert "await" not in text


def test_inside_something_else_a_remote_is_one_line(api: Remote) -> None:
    text = text_of([api, api], api=api)
    assert text.count("\n") <= 1
    assert text.count("<Remote api at memory:") == 2


@pytest.mark.parametrize(
    ("name", "written"),
    [("_odd", "api['_odd']"), ("class", "api['class']"), ("a b", "api['a b']"), ("é", "api.é")],
)
def test_a_name_is_written_as_python_takes_it(api: Remote, name: str, written: str) -> None:
    text = text_of(api[name], api=api)
    assert f"{written}(...)" in text
    code = text.partition("to read it")[2].strip()
    assert code == f"await {written}"
    compile(code, "cell", "eval", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


def test_names_from_a_schema_cannot_steer_a_terminal(
    api: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = replace(remote_repr.describe(api), methods=("\x1b]0;title\x07", "\ud83d"))
    monkeypatch.setattr(remote_repr, "describe", lambda _: info)
    text = text_of(api, api=api)
    assert "\x1b" not in text
    assert "␛]0;title␇, \ufffd" in text
    text.encode()
