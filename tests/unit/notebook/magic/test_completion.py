"""What Tab offers after ``%rpc``."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell

from kkjupyter.notebook.magic.completion import candidates, install, uninstall
from kkjupyter.notebook.views import VIEWS


class FakeConnections:
    names = ("api", "other")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("%rpc ", ["api", "other", "connect", "status", "cancel", "show", "trace", "close"]),
        ("%rpc c", ["connect", "cancel", "close"]),
        ("%rpc ap", ["api"]),
        ("%rpc a", ["api", "answers"]),
        ("%%rpc ", ["api", "other"]),
        ("%rpc zzz", None),
        ("%rpc _", None),
        ("%rpc api.coun", None),
        ("%rpc api.f(", None),
        ("%rpc api.f() --ta", ["--take"]),
        ("%rpc api.f() --view ", ["auto", *VIEWS]),
        ("%rpc api.f() --view j", ["json"]),
        ("%rpc api.f() --out ", []),
        ("%rpc connect ", ["demo", "nats://", "redis://", "ws://", "wss://"]),
        ("%rpc connect demo ", ["as"]),
        ("%rpc connect demo as api --tok", ["--token-env", "--token-ask"]),
        ("%rpc close o", ["other"]),
        ("%rpc trace ", ["on", "off", "last"]),
        ("%rpc trace last o", ["other"]),
        ("%rpc api.f() --tr", ["--trace"]),
        ("%rpc cancel --", ["--all", "--help"]),
        ("%rpc show zzz", []),
        ("%%rpc api.f() --inter", ["--interpolate"]),
        ("%rpc api.f('a --", None),
        ("%rpc api.f(\"it's --", None),
        ("%rpc api.f('it\\'s', [1, --", None),
        ("%rpc api.f('(', \"it's\") --ta", ["--take"]),
        ("%rpc api.f() ", None),
    ],
)
def test_candidates(text: str, expected: list[str] | None) -> None:
    variables = ["_private", "answers", "api"]
    assert candidates(text, FakeConnections(), variables) == expected  # type: ignore[arg-type]


@pytest.fixture(params=[True, False], ids=["jedi", "plain"])
def shell(request: pytest.FixtureRequest) -> Iterator[InteractiveShell]:
    shell = InteractiveShell()
    shell.Completer.use_jedi = request.param
    shell.user_ns["answers"] = 1
    install(shell, lambda: FakeConnections())  # type: ignore[arg-type, return-value]
    yield shell
    uninstall(shell)


def _offered(shell: InteractiveShell, text: str) -> list[str]:
    with provisionalcompleter():
        found = list(shell.Completer.completions(text, len(text)))
    # Whatever part of the line each is for.
    words = [text[: one.start] + one.text for one in found]
    return [word.rpartition(" ")[2] for word in words]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("%rpc api.f() --v", ["--view"]),
        ("%rpc api.f() --view j", ["json"]),
        ("%rpc cancel --", ["--all", "--help"]),
        ("r = %rpc api.f() --ta", ["--take"]),
        ("x = 1\n%rpc api.f() --ta", ["--take"]),
        ("%rpc a", ["api", "answers"]),
        ("%rpc connect w", ["ws://", "wss://"]),
        ("%rpc connect ws:/", ["ws://"]),
        ("%%rpc ", ["api", "other"]),
    ],
)
def test_nothing_else_is_offered(shell: InteractiveShell, text: str, expected: list[str]) -> None:
    assert _offered(shell, text) == expected


def test_connected_names_come_first(shell: InteractiveShell) -> None:
    assert _offered(shell, "%rpc ")[:3] == ["api", "other", "connect"]


def test_python_is_completed_as_ever(shell: InteractiveShell) -> None:
    for text in ("%rpc f(answ", "answ", "%rpc f('x', answ"):
        assert any(one.endswith("answers") for one in _offered(shell, text)), text
    uninstall(shell)
    assert _offered(shell, "%rpc api.f() --v") != ["--view"]
