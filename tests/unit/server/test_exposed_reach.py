"""What a peer may reach on a served object, and what it may set."""

from __future__ import annotations

import dataclasses
import enum
import functools
import inspect
import sys
import threading
import types
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest

from kkjupyter.server.exposed.places import Unreachable
from kkjupyter.server.exposed.reach import Reach
from kkjupyter.server.exposed.setting import put as put_within
from kkjupyter.server.exposed.writable import permission


def find(target: Any, path: list[str]) -> Any:
    return Reach(target).find(path)


def find_callable(target: Any, path: list[str]) -> Any:
    return Reach(target).find_callable(path)


def find_class(target: Any, path: list[str]) -> Any:
    return Reach(target).find_class(path)


def method_names(target: Any) -> list[str]:
    return Reach(target).method_names()


def public_names(target: Any) -> list[str]:
    return Reach(target).public_names()


def put(target: Any, path: list[str], value: Any) -> None:
    put_within(Reach(target), path, value)


def refused(function: Any, *args: Any) -> tuple[str, int]:
    with pytest.raises(Unreachable) as caught:
        function(*args)
    return caught.value.reason, caught.value.at


@dataclasses.dataclass
class Settings:
    theme: str = "light"
    tags: list[str] = dataclasses.field(default_factory=lambda: ["a", "b"])


@dataclasses.dataclass(frozen=True)
class Frozen:
    theme: str = "light"


class Slots:
    __slots__ = ("_private", "free", "size")

    def __init__(self) -> None:
        self.size = 1


class Base:
    def inherited(self) -> str:
        return "from a class of the user's own"


class Color(enum.Enum):
    RED = 1


class Api(Base, threading.Thread):
    """Inherits from Python's own, too."""

    version = 3
    later: int
    Settings = Settings
    registry: ClassVar[dict[str, int]] = {"one": 1}

    def __init__(self) -> None:
        super().__init__()
        self.settings = Settings()
        self.frozen = Frozen()
        self.slots = Slots()
        self.nested = {"deep": {"method": lambda: "deep"}}
        self.plain = {"a": 1}
        self.color = Color.RED
        self.text = "text"
        self._secret = "secret"

    def method(self) -> str:
        return "own"

    def _hidden(self) -> str:
        return "hidden"

    @property
    def computed(self) -> int:
        return 42

    @property
    def failing(self) -> int:
        raise RuntimeError("a property that fails")

    @staticmethod
    def static() -> str:
        return "static"

    @classmethod
    def of_class(cls) -> str:
        return cls.__name__


@pytest.fixture
def api() -> Api:
    return Api()


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("method", "own"),
        ("inherited", "from a class of the user's own"),
        ("static", "static"),
        ("of_class", "Api"),
        ("nested.deep.method", "deep"),
    ],
)
def test_what_can_be_called(api: Api, path: str, value: str) -> None:
    assert find_callable(api, path.split("."))() == value


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("version", 3),
        ("computed", 42),
        ("settings.theme", "light"),
        ("settings.tags.1", "b"),
        ("slots.size", 1),
        ("frozen.theme", "light"),
        ("plain.a", 1),
    ],
)
def test_what_can_be_read(api: Api, path: str, value: Any) -> None:
    assert find(api, path.split(".")) == value


TRAVERSALS = [
    "__class__",
    "__dict__",
    "__init__",
    "__proto__",
    "_hidden",
    "_secret",
    "_target",  # of the Thread it is
    "start",
    "join",
    "name",
    "method.__globals__",
    "method.__func__",
    "method.im_func",
    "method.__self__._secret",
    "static.__code__",
    "computed.real",
    "text.upper",
    "text.format",
    "plain.keys",
    "plain.__class__",
    "nested.pop",
    "nested.deep.update",
    "settings.tags.append",
    "settings.tags.-1",
    "settings.tags.9",
    "settings.__dataclass_fields__",
    "Settings.mro",
    "Settings.__subclasses__",
    "slots.free",
    "slots._private",
    "color.name",
    "registry.values",
    "",
    "..",
    "settings.",
    ".settings",
    "settings..theme",
    " method",
    "constructor",
    "prototype",
    "toString",
]


# These are not there, and may be put there.
NEW = {"slots.free", "plain.keys", "registry.values"}


@pytest.mark.parametrize("path", TRAVERSALS)
def test_what_cannot_be_reached(api: Api, path: str) -> None:
    parts = path.split(".")
    reason, at = refused(find, api, parts)
    assert reason == "missing"
    assert 0 <= at < len(parts)
    assert refused(find_callable, api, parts)[0] == "missing"
    assert refused(find_class, api, parts)[0] == "missing"


@pytest.mark.parametrize("path", [path for path in TRAVERSALS if path not in NEW])
def test_what_cannot_be_reached_cannot_be_set(api: Api, path: str) -> None:
    before = repr([vars(api)[name] for name in ("settings", "nested", "plain", "text")])
    assert refused(put, api, path.split("."), "evil")[0] in ("missing", "read_only")
    assert repr([vars(api)[name] for name in ("settings", "nested", "plain", "text")]) == before


@pytest.mark.parametrize(
    "path",
    [
        "method",
        "inherited",
        "static",
        "Settings",
        "nested.deep.method",
        "nested.deep",  # holds a method
        "nested",
        "computed",  # has no setter
        "frozen.theme",
    ],
)
def test_what_is_read_only(api: Api, path: str) -> None:
    assert refused(put, api, path.split("."), 5) == ("read_only", path.count("."))
    assert find_callable(api, ["nested", "deep", "method"])() == "deep"


@pytest.mark.parametrize(
    "path", ["settings.theme", "settings.tags.0", "slots.size", "plain.a", "version", "text"]
)
def test_what_can_be_set(api: Api, path: str) -> None:
    put(api, path.split("."), "new")
    assert find(api, path.split(".")) == "new"


def test_new_names_only_where_they_are_expected(api: Api) -> None:
    put(api, ["plain", "b"], 2)
    assert api.plain == {"a": 1, "b": 2}
    put(api, ["later"], 7)  # announced by the class
    assert api.later == 7
    put(api, ["slots", "free"], 8)
    assert api.slots.free == 8
    for path in (["anything"], ["settings", "them"], ["nested", "more"], ["nested", "deep", "x"]):
        assert refused(put, api, path, "x") == ("missing", len(path) - 1)
    assert refused(put, api, ["slots", "_private"], 1)[0] == "missing"
    assert refused(put, api, [], 1) == ("no_path", 0)
    assert refused(find, api, []) == ("no_path", 0)


def test_setting_on_an_instance_leaves_its_class_alone(api: Api) -> None:
    put(api, ["version"], 4)
    assert Api.version == 3
    assert Api().version == 3


def test_classes(api: Api) -> None:
    assert find_class(api, ["Settings"]) is Settings
    assert refused(find_class, api, ["method"]) == ("not_callable", 0)
    assert refused(find_callable, api, ["text"]) == ("not_callable", 0)
    assert find(Api, ["version"]) == 3  # a class itself is served
    assert refused(find, Api, ["mro"])[0] == "missing"


class Tree:
    """Served as a class, without an instance of it."""

    theme = "light"
    _private = "private"
    registry: ClassVar[dict[str, int]] = {"one": 1}

    class math:  # noqa: N801  a namespace
        pi = 3.14

        @staticmethod
        def add(a: int, b: int) -> int:
            return a + b

        class deeper:  # noqa: N801
            def plain() -> str:  # type: ignore[misc]
                return "deep"

    class _Hidden:
        @staticmethod
        def add() -> None: ...

    class Slotted:
        __slots__ = ("size",)

    @classmethod
    def make(cls) -> str:
        return cls.__name__

    @property
    def of_instances(self) -> int:
        return 1

    @functools.cached_property
    def kept(self) -> int:
        return 1


def test_a_tree_of_classes() -> None:
    assert find(Tree, ["theme"]) == "light"
    assert find(Tree, ["math", "pi"]) == 3.14
    assert find(Tree, ["registry", "one"]) == 1
    assert find_callable(Tree, ["math", "add"])(1, 2) == 3
    assert find_callable(Tree, ["math", "deeper", "plain"])() == "deep"
    assert find_callable(Tree, ["make"])() == "Tree"
    assert find_class(Tree, ["math"]) is Tree.math
    put(Tree, ["registry", "two"], 2)
    assert Tree.registry.pop("two") == 2
    assert refused(put, Tree, ["math", "add"], 5) == ("read_only", 1)
    assert refused(put, Tree, ["math"], 5) == ("read_only", 0)
    assert refused(put, Tree, ["more"], 5) == ("missing", 0)


@pytest.mark.parametrize(
    "path",
    [
        "_private",
        "_Hidden.add",
        "mro",
        "math.mro",
        "__subclasses__",
        "make.__func__",
        "of_instances",  # the property itself is Python's business
        "kept",
        "Slotted.size",
    ],
)
def test_what_of_a_class_cannot_be_reached(path: str) -> None:
    assert refused(find, Tree, path.split("."))[0] == "missing"
    assert refused(put, Tree, path.split("."), 1)[0] == "missing"


ODD_NAMES = [
    "__proto__",
    "constructor",
    "prototype",
    "toString",
    "valueOf",
    "hasOwnProperty",
    "then",  # awaiting a proxy asks for it
    "settings.theme",  # one part, not two
    "a.b.c",
    "settings/theme",
    "..",
    " ",
    "\x00",
    "é",
    "9" * 5000,
]


@pytest.mark.parametrize("name", ODD_NAMES, ids=lambda name: repr(name[:20]))
def test_odd_parts_of_a_path_get_an_ordinary_refusal(api: Api, name: str) -> None:
    targets = [api, Tree, {"settings": api.settings}, sys.modules[__name__], [1, 2], api.settings]
    for target in targets:
        for path in ([name], [name, name]):
            for function in (find, find_callable, find_class):
                assert refused(function, target, path) == ("missing", 0)
    for target in (api, Tree, sys.modules[__name__], [1, 2], api.settings):
        assert refused(put, target, [name], "evil")[0] == "missing"
    assert refused(find, api, ["settings", name]) == ("missing", 1)
    assert not hasattr(object, "isAdmin")


def test_a_dict_has_the_keys_it_has() -> None:
    api = {"a.b": 1, "constructor": 2, "": 3, "__proto__": 4}
    assert find(api, ["a.b"]) == 1
    assert find(api, ["constructor"]) == 2
    assert refused(find, api, [""])[0] == "missing"
    assert refused(find, api, ["__proto__"])[0] == "missing"
    assert refused(find, api, ["a", "b"])[0] == "missing"


def test_what_waits_to_be_awaited_is_found_as_it_is() -> None:
    class Api:
        @property
        async def theme(self) -> str:
            return "light"

    coroutine = find(Api(), ["theme"])
    assert inspect.iscoroutine(coroutine)
    coroutine.close()


def test_a_class_with_an_attribute_lookup_of_its_own_offers_nothing_by_it() -> None:
    class Willing:
        real = 1

        def __getattr__(self, name: str) -> str:
            return f"whatever you want, {name}"

    assert find(Willing(), ["real"]) == 1
    assert refused(find, Willing(), ["fake"])[0] == "missing"


@pytest.fixture
def module() -> Iterator[types.ModuleType]:
    """A module of a user's, as it comes from a file."""
    module = types.ModuleType("users_api")
    sys.modules["users_api"] = module
    source = """
import os
import subprocess as sp
from subprocess import run, Popen
from pathlib import Path
from os.path import join
threshold = 5
_private = 6
def hello(): return "hello"
def _hidden(): return "hidden"
class Thing: pass
"""
    exec(compile(source, "users_api.py", "exec"), module.__dict__)
    yield module
    del sys.modules["users_api"]


def test_a_module_offers_what_it_defines_and_not_what_it_uses(module: types.ModuleType) -> None:
    assert public_names(module) == ["Thing", "hello", "threshold"]
    for name in ("os", "sp", "run", "Popen", "Path", "join", "_private", "_hidden", "__builtins__"):
        assert refused(find, module, [name])[0] == "missing"
    assert find_callable(module, ["hello"])() == "hello"
    assert refused(put, module, ["threshold"], 7) == ("read_only", 0)
    assert module.threshold == 5
    assert refused(put, module, ["hello"], 1)[0] == "read_only"
    assert refused(put, module, ["run"], 1)[0] == "missing"
    assert refused(put, module, ["anything"], 1)[0] == "missing"


def test_a_module_offers_what_it_lists(module: types.ModuleType) -> None:
    module.__all__ = ["join", "os"]  # type: ignore[attr-defined]
    assert find_callable(module, ["join"])("a", "b") == "a/b"
    assert find(module, ["os"]) is sys.modules["os"]


def test_a_dict_of_functions() -> None:
    api = {"add": lambda a, b: a + b, "_no": 1, "group": {"one": lambda: 1}, 5: "odd"}
    assert public_names(api) == ["add", "group"]
    assert find_callable(api, ["add"])(1, 2) == 3
    assert refused(put, api, ["add"], 5) == ("read_only", 0)
    assert refused(put, api, ["more"], 5) == ("missing", 0)
    assert refused(find, api, ["get"])[0] == "missing"
    assert method_names(api) == ["add", "group.one"]


def test_names_for_completion_run_nobodys_code(api: Api) -> None:
    assert method_names(api) == [
        "Settings",
        "inherited",
        "method",
        "nested.deep.method",
        "of_class",
        "static",
    ]
    api.nested["self"] = api.nested  # type: ignore[assignment]
    assert "nested.deep.method" in method_names(api)


class Device:
    """Has state of its own, and shares some with all others of its class."""

    defaults: ClassVar[dict[str, int]] = {"level": 1}
    theme = "light"

    def __init__(self) -> None:
        self.own = {"level": 1}
        self.rows = [{"level": 1}]
        self.kind = Device
        self.module = types.ModuleType("device")
        self.module.config = {"level": 1}  # type: ignore[attr-defined]
        self._config = {"level": 1}

    @property
    def config(self) -> dict[str, int]:
        return self._config


class Holder:
    def __init__(self) -> None:
        self.device = Device()


@pytest.mark.parametrize(
    ("path", "named", "plain"),
    [
        ("device.own.level", True, True),
        ("device.rows.0.level", True, True),
        ("device.config.level", True, False),
        ("device.theme", True, False),  # becomes an attribute of the instance
        ("device.defaults.level", False, False),
        ("device.kind.defaults.level", False, False),
        ("device.kind.theme", False, False),
        ("device.module.config.level", False, False),
        ("device.module.config", False, False),
        ("device.module", False, False),
        ("device.kind", False, False),
    ],
)
def test_a_permission_ends_where_other_objects_begin(path: str, named: bool, plain: bool) -> None:
    cases: list[tuple[Any, bool]] = [(["device"], named), (True, plain), ((), False)]
    for writable, allowed in cases:
        holder = Holder()
        reach = Reach(holder)
        allows = permission(writable, reach)
        if allowed:
            allows.set(reach, path.split("."), 5)
            assert find(holder, path.split(".")) == 5
        else:
            refused(allows.set, reach, path.split("."), 5)
        assert Device.defaults == {"level": 1}
        assert Device.theme == "light"
        assert vars(holder.device.module)["config"] == {"level": 1}
