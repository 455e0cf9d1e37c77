"""A Remote: names become paths, and what cannot be meant says what to write instead."""

from __future__ import annotations

import collections.abc
import contextlib
import copy
import inspect
import io
import json
import pickle
import pprint
import pydoc
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from support.endpoints import Endpoint

import kkjupyter as kk
from kkjupyter.api.in_process import serve_in_memory
from kkjupyter.calls.titles import title_of
from kkjupyter.client.caller import Caller
from kkjupyter.client.remote import Remote, describe
from kkjupyter.wire.values.javascript import undefined


@pytest.fixture
def api() -> Iterator[Any]:
    with serve_in_memory(Endpoint(), url="memory:remote") as server, server.connect() as api:
        yield api


def test_a_path_by_attributes_and_by_brackets(api: Any) -> None:
    assert repr(api.data.stream) == "<Remote api.data.stream at memory:remote>"
    assert describe(api["data"]["stream"]).path == ("data", "stream")
    assert list(api["data"]["stream"](2)) == ["item-0", "item-1"]


@pytest.mark.parametrize(
    "name",
    ["_repr_html_", "__array__", "_ipython_display_", "__wrapped__", "_ipython_canary_method"],
)
def test_names_that_python_and_ipython_probe_are_not_remote(api: Any, name: str) -> None:
    assert not hasattr(api, name)
    assert describe(api[name]).path == (name,)


def test_what_a_remote_is_not(api: Any) -> None:
    with pytest.raises(kk.UsageError, match=r"get its value first: await api\.settings\.theme"):
        bool(api.settings.theme)
    with pytest.raises(kk.UsageError, match=r"call it: for item in api\.countdown\(\.\.\.\)"):
        iter(api.countdown)
    with pytest.raises(kk.UsageError, match="a remote name is a string"):
        api.rows[0]
    with pytest.raises(kk.UsageError, match="call a method of it"):
        api()
    with pytest.raises(kk.UsageError, match="cannot be deleted"):
        del api.settings.theme
    with pytest.raises(AttributeError, match="cannot be set"):
        api._odd = 1
    with pytest.raises(TypeError):
        len(api)


def test_functions_that_take_a_name_say_so(api: Any) -> None:
    with pytest.raises(kk.UsageError, match=r"without calling it: no \(\)"):
        kk.call(api.add(1, 2), timeout_s=1)
    with pytest.raises(kk.UsageError, match="not int"):
        kk.get(5)  # type: ignore[arg-type]
    with pytest.raises(kk.UsageError, match="cannot close a float"):
        kk.close(1.5)  # type: ignore[arg-type]
    with pytest.raises(kk.UsageError, match="no server in this process has the address 'api'"):
        kk.close("api")


def test_completion_knows_the_methods(api: Any) -> None:
    assert {"add", "countdown", "data", "Point"} <= set(dir(api))
    assert dir(api.data) == ["stream"]
    assert dir(api.data.stream) == []
    assert not any(name.startswith("_") for name in dir(api))


def test_what_is_known_without_asking(api: Any) -> None:
    info = describe(api.data)
    assert (info.url, info.protocol, info.codec) == ("memory:remote", "compact", "superjson")
    assert (info.state, info.path) == ("open", ("data",))
    assert "data.stream" in info.methods


def test_a_copy_is_the_same_remote(api: Any) -> None:
    assert copy.copy(api.data).stream(1).result() == ["item-0"]
    assert copy.deepcopy({"api": api})["api"] is api
    with pytest.raises(kk.UsageError, match="connect again in the other process"):
        pickle.dumps(api)


@pytest.mark.parametrize(
    ("call", "title"),
    [
        (("call", "math.add", [1, 2], {}, undefined), "math.add(1, 2)"),
        (("call", "chat", ["Hi"], {"model": "toy"}, undefined), "chat('Hi', model='toy')"),
        (("get", "settings.theme", [], {}, undefined), "settings.theme"),
        (("set", "settings.theme", [], {}, "dark"), "settings.theme = 'dark'"),
        (("new", "Counter", [10], {}, undefined), "new Counter(10)"),
        (("call", "each", [print], {}, undefined), "each(print)"),
        (("call", "f", [[0] * 1000], {}, undefined), "f(<list of 1000>)"),
        (("call", "f", ["a\nb"], {}, undefined), r"f('a\nb')"),
    ],
)
def test_titles(call: tuple[Any, ...], title: str) -> None:
    assert title_of(*call) == title


def test_a_title_is_one_short_line_whatever_the_arguments() -> None:
    class Rude:
        def __repr__(self) -> str:
            raise RuntimeError("no repr")

    for arg in ["x" * 10**7, {"k" * 50: ["deep" * 50] * 50}, Rude(), [Rude()], b"\0" * 10**7]:
        title = title_of("call", "method", [arg, arg], {}, undefined)
        assert len(title) <= 60
        assert "\n" not in title
        assert title.startswith("method(")
        assert title.endswith(")")


# ---- tools that find out what an object is


class _Recording(Caller):
    """Sends nothing, and keeps what it was to send."""

    protocol = "compact"
    codec = "json"
    state = "open"
    calls: Any = ()

    def __init__(self) -> None:
        super().__init__("ws://there")
        self.sent: list[str] = []

    def _call(self, operation: Any, method: str, *_: Any) -> Any:
        self.sent.append(f"{operation} {method}")
        raise AssertionError("it was called")


def _call_from(module: str, function: Any) -> Any:
    """Call ``function()`` in code of that module."""
    namespace: dict[str, Any] = {"__name__": module, "function": function}
    exec("def run():\n    return function()", namespace)
    return namespace["run"]()


def test_no_tool_that_looks_at_an_object_calls_the_server() -> None:
    caller = _Recording()
    remote = Remote(caller)
    shell = InteractiveShell()
    shell.user_ns.update(api=remote, cursor=remote.cursor)
    looks: list[Callable[[Any], Any]] = [
        copy.copy,
        copy.deepcopy,
        pickle.dumps,
        inspect.signature,
        inspect.getmembers,
        inspect.getdoc,
        inspect.isawaitable,
        inspect.unwrap,
        pydoc.render_doc,
        pprint.pformat,
        len,
        list,
        json.dumps,
        lambda one: [hasattr(one, name) for name in ("shape", "__array__", "_repr_html_", "keys")],
        lambda one: [isinstance(one, getattr(collections.abc, n)) for n in collections.abc.__all__],
        lambda one: shell.run_line_magic("whos", ""),
        lambda one: shell.run_line_magic("pinfo", "api"),
        lambda one: shell.run_line_magic("pinfo2", "cursor"),
        lambda one: shell.object_inspect_mime("cursor", detail_level=1),
        lambda one: [shell.complete(text) for text in ("api.cu", "cursor.", "cursor(", "api['")],
        lambda one: shell.display_formatter.format(one),
        lambda one: _call_from("marimo._sql.engines.dbapi", one.cursor),
        lambda one: _call_from("matplotlib.cbook", one.index.to_numpy),
    ]
    for look in looks:
        for one in (remote, remote.cursor):
            with contextlib.suppress(Exception), contextlib.redirect_stdout(io.StringIO()):
                look(one)
    assert caller.sent == []


def test_a_probe_is_told_what_it_may_not() -> None:
    remote = Remote(_Recording())
    with pytest.raises(AttributeError, match=r"marimo\._sql\.x calls api\.cursor\(\)"):
        _call_from("marimo._sql.x", remote.cursor)


@pytest.mark.parametrize("module", ["__main__", "marimo._runtime.callbacks", "mine", "IPythonic"])
def test_a_call_of_anybody_else_is_sent(module: str) -> None:
    caller = _Recording()
    with pytest.raises(AssertionError, match="it was called"):
        _call_from(module, Remote(caller).cursor)
    assert caller.sent == ["call cursor"]
