"""What strangers may reach of a served module: what it defines, and not what it imports."""

from __future__ import annotations

import importlib
import subprocess
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import kkjupyter as kk
from kkjupyter.api.in_process import serve_in_memory

INIT = """
from shop.core import greet, Cart, SECRET
from shop.helpers import *
from shop import core
import os
import os.path as paths
from subprocess import run, Popen as Starter
try:
    from json import loads
except ImportError:
    loads = None
from math import sqrt
from pathlib import Path

VERSION = "1"
length = len
join = os.path.join
handlers = {"loads": loads, "own": greet}
cart = Cart()
folder = Path("/")

def hello():
    return "hello"

def _hidden():
    return "hidden"

class Thing:
    def __init__(self, size=1):
        self.size = size

async def ticks():
    yield 1
"""

CORE = """
SECRET = "s3cret"

def greet():
    return "greet"

def other():
    return "other"

class Cart:
    def total(self):
        return 5
"""

HELPERS = """
API_KEY = "k3y"

def helper():
    return "helper"
"""


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[types.ModuleType]:
    """A package that re-exports, as they do."""
    (tmp_path / "shop").mkdir()
    for name, source in (("__init__", INIT), ("core", CORE), ("helpers", HELPERS)):
        (tmp_path / "shop" / f"{name}.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("shop")
    for name in [name for name in sys.modules if name.partition(".")[0] == "shop"]:
        del sys.modules[name]


def ask(api: Any, operation: str, path: str, *args: Any) -> Any:
    return api._kk_session.call(operation, path.split("."), args=args).result(timeout_s=10)


def test_what_it_defines_is_offered(shop: types.ModuleType) -> None:
    with serve_in_memory(shop) as server, server.connect(protocol="compact") as api:
        assert server._methods == [
            *("Thing", "cart.total", "handlers.own", "hello", "join", "length", "ticks")
        ]
        assert ask(api, "call", "hello") == "hello"
        assert ask(api, "call", "length", "four") == 4
        assert ask(api, "call", "cart.total") == 5
        assert ask(api, "call", "handlers.own") == "greet"
        assert ask(api, "get", "VERSION") == "1"
        assert ask(api, "new", "Thing", 2) == {"size": 2}
        assert list(api.ticks()) == [1]


@pytest.mark.parametrize(
    "path",
    [
        *("greet", "Cart", "core.other", "helper", "os.system", "paths.join", "run", "Starter"),
        *("loads", "sqrt", "Path", "_hidden", "handlers.loads", "folder.touch", "shop.hello"),
        *("__builtins__.eval", "__loader__.get_source", "hello.__globals__.run", "Thing.mro"),
    ],
)
def test_what_it_imports_is_not(shop: types.ModuleType, path: str) -> None:
    with serve_in_memory(shop) as server, server.connect(protocol="compact") as api:
        for operation in ("call", "new"):
            with pytest.raises(kk.RemoteError):
                pytest.fail(f"{operation}: {ask(api, operation, path, '1')!r}")


def test_values_that_it_imports_are_not_read(shop: types.ModuleType) -> None:
    with serve_in_memory(shop) as server, server.connect(protocol="compact") as api:
        for name in ("SECRET", "API_KEY", "os", "core"):
            assert ask(api, "get", name) is kk.undefined, name


def test_what_it_lists_is_offered_whoever_wrote_it(shop: types.ModuleType) -> None:
    shop.__all__ = ["greet", "core", "loads", "os", "run"]  # type: ignore[attr-defined]
    del shop.__all__[-1]  # type: ignore[attr-defined]
    with serve_in_memory(shop) as server, server.connect(protocol="compact") as api:
        assert ask(api, "call", "greet") == "greet"
        assert ask(api, "call", "core.other") == "other"
        assert ask(api, "call", "loads", "[1]") == [1]
        for path in ("os.system", "run", "core.__dict__"):
            with pytest.raises(kk.RemoteError):
                ask(api, "call", path, "true")


def test_a_name_opens_what_it_imports(shop: types.ModuleType) -> None:
    with serve_in_memory(shop, expose=["sqrt", "paths.join"]) as server, server.connect() as api:
        assert ask(api, "call", "sqrt", 4) == 2
        assert ask(api, "call", "paths.join", "a", "b") == "a/b"
        with pytest.raises(kk.RemoteError):
            ask(api, "call", "paths.exists", "/")


def test_a_module_without_a_source() -> None:
    module = types.ModuleType("made_up")
    exec("from subprocess import run\ndef hello(): return 'hello'\nlevel = 3", module.__dict__)
    module.shell = subprocess.run  # type: ignore[attr-defined]
    with serve_in_memory(module) as server, server.connect() as api:
        assert server._methods == ["hello"]
        assert ask(api, "get", "level") == 3
        for name in ("run", "shell"):
            with pytest.raises(kk.RemoteError):
                ask(api, "call", name, ["true"])
