"""What Tab offers after ``%rpc``."""

from __future__ import annotations

import pytest

from kkjupyter.notebook.magic.completion import candidates
from kkjupyter.notebook.views import VIEWS


class FakeConnections:
    names = ("api", "other")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("%rpc ", ["connect", "status", "cancel", "show", "trace", "close", "api", "other"]),
        ("%rpc c", ["connect", "cancel", "close"]),
        ("%rpc ap", ["api"]),
        ("%rpc api.coun", None),
        ("%rpc api.f(", None),
        ("%rpc api.f() --ta", ["--take"]),
        ("%rpc api.f() --view ", ["auto", *VIEWS]),
        ("%rpc api.f() --view j", ["json"]),
        ("%rpc api.f() --out ", []),
        ("%rpc connect ", ["demo", "ws://", "wss://"]),
        ("%rpc connect demo ", ["as"]),
        ("%rpc connect demo as api --tok", ["--token-env", "--token-ask"]),
        ("%rpc close o", ["other"]),
        ("%rpc trace ", ["on", "off", "last"]),
        ("%rpc trace last o", ["other"]),
        ("%rpc api.f() --tr", ["--trace"]),
        ("%rpc cancel --", ["--all", "--help"]),
        ("%rpc show zzz", []),
        ("%%rpc api.f() --inter", ["--interpolate"]),
    ],
)
def test_candidates(text: str, expected: list[str] | None) -> None:
    assert candidates(text, FakeConnections()) == expected  # type: ignore[arg-type]
