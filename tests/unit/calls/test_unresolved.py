"""A forgotten ``await`` or ``()`` is named, whatever is tried with what is not a value yet."""

from __future__ import annotations

import asyncio
import copy
import operator
import pickle
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.endpoints import Endpoint
from support.waiting import until

import kkjupyter as kk
from kkjupyter.api.in_process import serve_in_memory
from kkjupyter.calls.call import is_stream


@pytest.fixture
def api() -> Iterator[Any]:
    with serve_in_memory(Endpoint(), url="memory:novalue") as server, server.connect() as api:
        yield api


MISUSES: dict[str, Callable[[Any], object]] = {
    "x + 1": lambda x: x + 1,
    "1 + x": lambda x: 1 + x,
    "'a' + x": lambda x: "a" + x,
    "x - x": lambda x: x - x,
    "2 * x": lambda x: 2 * x,
    "x / 2": lambda x: x / 2,
    "2 // x": lambda x: 2 // x,
    "x % 2": lambda x: x % 2,
    "2 ** x": lambda x: 2**x,
    "x | {}": lambda x: x | {},
    "-x": operator.neg,
    "round(x, 1)": lambda x: round(x, 1),
    "abs(x)": abs,
    "x < 1": lambda x: x < 1,
    "x > 1": lambda x: x > 1,
    "x >= 1": lambda x: x >= 1,
    "max(x, 1)": lambda x: max(x, 1),
    "x[0]": lambda x: x[0],
    "x[1:2]": lambda x: x[1:2],
    "len(x)": len,
    "int(x)": int,
    "float(x)": float,
    "range(x)": range,
    "[1][x]": lambda x: [1][x],
    "not x": operator.not_,
}


@pytest.mark.parametrize("misuse", MISUSES.values(), ids=MISUSES)
def test_a_forgotten_await(api: Any, misuse: Callable[[Any], object]) -> None:
    with pytest.raises(kk.UsageError) as caught:
        misuse(api.add(1, 2))
    assert str(caught.value) == "add(1, 2) is a call, not its value; `await` it or use .result()"


@pytest.mark.parametrize("misuse", MISUSES.values(), ids=MISUSES)
def test_a_forgotten_pair_of_parentheses(api: Any, misuse: Callable[[Any], object]) -> None:
    with pytest.raises(kk.UsageError) as caught:
        misuse(api.countdown)
    if "a remote name is a string" not in str(caught.value):  # x[0]
        assert "api.countdown is a remote name, not a value" in str(caught.value)
        assert "api.countdown(...)" in str(caught.value)


def test_a_call_that_has_opened_a_stream_says_how_to_read_it(api: Any) -> None:
    call = api.ticks()
    until(lambda: call.state == "streaming")
    with pytest.raises(kk.UsageError, match=r"a stream, not a list; loop over it, or collect"):
        call[0]


def test_an_attribute_of_the_value(api: Any) -> None:
    call = api.add(1, 2)
    with pytest.raises(AttributeError, match=r"no attribute 'real'.*`await` it or use") as caught:
        call.real.foo  # noqa: B018
    assert isinstance(caught.value, kk.UsageError)
    assert not hasattr(call, "to_dict")
    for probed in ("_repr_html_", "_ipython_display_", "__array__", "_ipython_canary_method"):
        with pytest.raises(AttributeError) as plain:
            getattr(call, probed)
        assert not isinstance(plain.value, kk.UsageError)
    assert call.result() == 3


def test_the_connection_itself_is_no_value(api: Any) -> None:
    with pytest.raises(kk.UsageError, match="call a method of it"):
        api + 1
    with pytest.raises(kk.UsageError, match="call a method of it"):
        iter(api)


def test_loops_over_a_name(api: Any) -> None:
    cure = r"to loop over a stream call it: for item in api\.countdown\(\.\.\.\)"

    async def loop() -> None:
        async for _ in api.countdown:
            pass

    with pytest.raises(kk.UsageError, match="async " + cure.partition(": ")[2]):
        asyncio.run(loop())
    for use in (iter, list, lambda x: [*x]):
        with pytest.raises(kk.UsageError, match=cure):
            use(api.countdown)
    with pytest.raises(kk.UsageError, match=r"not a value.*await api\.settings"):
        "theme" in api.settings  # noqa: B015


def test_a_name_does_not_stream(api: Any) -> None:
    assert not is_stream(api.countdown)
    assert is_stream(api.countdown(1))


def test_what_must_go_on_working(api: Any) -> None:
    call = api.countdown(2)
    assert list(call) == [2, 1, 0]  # asks for the length first
    assert (*api.countdown(1),) == (1, 0)
    assert 1 in api.countdown(2)
    for thing in (call, api.countdown):
        assert thing == thing
        assert thing != 5
        assert not thing == 5  # noqa: SIM201
        assert {thing: 1}[thing] == 1
        assert thing in [None, thing]
        assert f"{thing}" == repr(thing)
    assert copy.copy(call).title == "countdown(2)"
    with pytest.raises(AttributeError) as caught:
        call.foo  # noqa: B018
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)
