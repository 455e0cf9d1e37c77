"""Patterns are searched for as ``re`` does it, but in bounded time."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kkjupyter.vovk.client.json_schema import patterns
from kkjupyter.vovk.client.json_schema.patterns import Unsupported, search

EMAIL = (
    r"^(?!\.)(?!.*\.\.)([A-Za-z0-9_'+\-\.]*)[A-Za-z0-9_+-]@([A-Za-z0-9][A-Za-z0-9\-]*\.)+"
    r"[A-Za-z]{2,}$"
)
PATTERNS = [
    *(EMAIL, r"^(a+)+$", r"(a|a)*b", r"^[0-9a-c]{2}-[0-9]{1,3}$", r"\bab\b", r"(?<=x)y+"),
    *(r"^a.*b.*c$", r"a?b??c*?", r"^$", r"x*", r"(?i)ABC", r"[^a-c]+d", r"(ab|a)(bc|c)?$"),
    *(r"^\d{2,4}\w\s?$", r"(?=.*a)(?=.*b).{3,}", r"(?!a)b", r"(a{0,3}){2}b$", r"(?m)^b$"),
    *(r"^(?:a|b)*?c", r"(a|b*)+c", r"a{0}b", r"(?:){3}a", r"()*a", r"(?s).b", r"\Ba"),
    *(r"(a*)*$", r"\Aab\Z", r"(?<!x)y", r"[\d\-x]+@"),
]


@pytest.fixture(params=["as it is", "all ways at once"], autouse=True)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param != "as it is":
        monkeypatch.setattr(patterns, "_MAX_WAYS", -1)


def nothing() -> None:
    pass


@pytest.mark.parametrize("pattern", PATTERNS)
def test_it_finds_what_re_finds(pattern: str) -> None:
    @given(st.text("abcdxyABC.@- 01\n", max_size=12))
    def each(text: str) -> None:
        assert search(pattern, text, nothing) is (re.search(pattern, text) is not None)

    each()
    for text in ("someone@example.com", "aaaa", "12-345", "a b\nb", "ab\n"):
        assert search(pattern, text, nothing) is (re.search(pattern, text) is not None)


@pytest.mark.parametrize("pattern", [r"(a)\1", r"(?>a)b", r"a(?i:b)", "(", r"\p{L}", "a{5001}b"])
def test_what_it_does_not_know(pattern: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patterns, "_MAX_WAYS", -1)
    with pytest.raises(Unsupported):
        search(pattern, "ab", nothing)


def test_the_budget_ends_it() -> None:
    class Over(Exception):
        pass

    def spend() -> None:
        raise Over

    with pytest.raises(Over):
        search(r"(x+x+)+y", "x" * 10_000, spend)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (r"^(a+)+$", "a" * 5_000 + "!"),
        (r"(a|a|a){30}b", "a" * 60),
        (r"a*a*a*a*a*b", "a" * 2_000),
        (r"[a-z]+!", "a" * 10_000),
        (EMAIL, "a" * 500 + "@" + "a." * 500 + "!"),
    ],
)
def test_a_pattern_that_never_ends(pattern: str, text: str) -> None:
    begun_s = time.thread_time()
    assert not search(pattern, text, nothing)
    assert time.thread_time() - begun_s < 5
