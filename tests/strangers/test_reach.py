"""What strangers may reach of a served object: what was given to them, not what it only holds."""

from __future__ import annotations

import asyncio
import functools
import operator
import os
import subprocess
import sys
import types
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pytest
from support.endpoints import Endpoint
from support.peers.raw import raw_client

import kkjupyter as kk
from kkjupyter.api.in_process import serve_in_memory

SPOKEN = ({"protocol": "compact"}, {"protocol": "classic", "codec": "superjson"})


class Frame(pd.DataFrame):
    """Of the user's own, with all that pandas brings along."""

    def mine(self) -> str:
        return "mine"


class Helper:
    """Nested, and of the user's own package."""

    def __init__(self) -> None:
        self.df = pd.DataFrame({"a": [1]})

    def help(self) -> str:
        return "help"

    def __call__(self) -> str:
        return "called"


def of_the_user(number: int) -> int:
    return number + 1


class Holder:
    """What a user might serve: its own methods, beside objects of all kinds of packages."""

    Helper = Helper
    DataFrame = pd.DataFrame
    Popen = subprocess.Popen
    system = os.system
    run = staticmethod(subprocess.run)
    loads = staticmethod(msgspec.json.decode)

    def __init__(self, folder: Path) -> None:
        self.df = pd.DataFrame({"a": [1, 2]})
        self.frame = Frame({"a": [1, 2]})
        self.arr = np.arange(3)
        self.folder = folder
        self.mod = os
        self.own_module = sys.modules[__name__]
        self.evaluate = self.df.eval
        self.shell = os.system
        self.spawn = subprocess.run
        self.part = functools.partial(os.system, "true")
        self.cached = functools.lru_cache(os.system)
        self.table = {"shell": os.system, "df": self.df, "own": of_the_user}
        self.functions = [os.system, of_the_user]
        self.names = types.SimpleNamespace(shell=os.system, own=of_the_user)
        self.getter = operator.attrgetter("_secret")
        self.helper = Helper()
        self.lines = (folder / "lines").open("w+")
        self.walker = os.walk(folder)
        self.on_add = lambda: "set on the instance"
        self.bound = self.helper.help
        self.add_two = functools.partial(of_the_user, 1)
        self._secret = "secret"

    def method(self) -> str:
        return "own"

    def generator(self) -> Iterator[int]:
        yield 1

    @property
    def computed(self) -> types.ModuleType:
        return os

    @property
    def computed_frame(self) -> pd.DataFrame:
        return self.df


WRITE = "@__import__('os').system('touch {marker}')"

# What the client asks for, and with which arguments; {marker} is a file that must not be there.
ATTACKS: list[tuple[str, list[Any]]] = [
    ("df.eval", [WRITE]),
    ("df.query", [WRITE]),
    ("df.to_pickle", ["{marker}"]),
    ("df.to_csv", ["{marker}"]),
    ("df.a.to_csv", ["{marker}"]),
    ("df.plot.line", []),
    ("frame.eval", [WRITE]),
    ("frame.to_csv", ["{marker}"]),
    ("helper.df.eval", [WRITE]),
    ("computed_frame.eval", [WRITE]),
    ("arr.tofile", ["{marker}"]),
    ("arr.dump", ["{marker}"]),
    ("folder.touch", []),
    ("folder.rmdir", []),
    ("mod.system", ["touch {marker}"]),
    ("mod.path.join", ["a"]),
    ("own_module.os.system", ["touch {marker}"]),
    ("own_module.of_the_user", [1]),
    ("computed.system", ["touch {marker}"]),
    ("evaluate", [WRITE]),
    ("shell", ["touch {marker}"]),
    ("spawn", [["touch", "{marker}"]]),
    ("part", []),
    ("part.func", ["touch {marker}"]),
    ("add_two.func", [1]),
    ("cached", ["touch {marker}"]),
    ("cached.cache_clear", []),
    ("table.shell", ["touch {marker}"]),
    ("table.df.eval", [WRITE]),
    ("table.update", [{"a": 1}]),
    ("functions.0", ["touch {marker}"]),
    ("functions.append", [1]),
    ("names.shell", ["touch {marker}"]),
    ("getter", [{}]),
    ("DataFrame", [{}]),
    ("DataFrame.from_records", [[]]),
    ("Popen", [["touch", "{marker}"]]),
    ("system", ["touch {marker}"]),
    ("run", [["touch", "{marker}"]]),
    ("loads", ["1"]),
    ("lines.write", ["x"]),
    ("lines.close", []),
    ("walker.close", []),
    ("walker.gi_frame.clear", []),
    ("generator.gi_frame.clear", []),
    ("method.__globals__", []),
    ("method.__globals__.os.system", ["touch {marker}"]),
    ("method.__self__._secret", []),
    ("method.__func__", []),
    ("bound.__self__", []),
    ("helper.help.__func__.__globals__.os.system", ["touch {marker}"]),
    ("Helper.mro", []),
    ("Helper.__subclasses__", []),
    ("Helper.__init__.__globals__.os.system", ["touch {marker}"]),
    ("on_add.__code__.replace", []),
    ("__class__.__base__.__subclasses__", []),
    ("__init__", ["x"]),
    ("_secret.upper", []),
]

REFUSED_READS = ["lines", "walker", "df.columns", "frame.columns", "mod.sep"]


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[Holder]:
    holder = Holder(tmp_path)
    yield holder
    holder.lines.close()


@pytest.fixture(params=SPOKEN, ids=lambda spoken: spoken["protocol"])
def api(request: pytest.FixtureRequest, holder: Holder) -> Iterator[Any]:
    with serve_in_memory(holder) as server, server.connect(**request.param) as api:
        yield api


def ask(api: Any, operation: str, path: str, *args: Any) -> Any:
    return api._kk_session.call(operation, path.split("."), args=args).result(timeout_s=10)


def test_nothing_that_is_only_held_can_be_called(api: Any, holder: Holder, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    before = sorted(tmp_path.iterdir())
    for path, args in ATTACKS:
        filled = [
            arg.replace("{marker}", str(marker)) if isinstance(arg, str) else arg for arg in args
        ]
        for operation in ("call", "new"):
            with pytest.raises(kk.RemoteError):
                pytest.fail(f"{operation} {path}: {ask(api, operation, path, *filled)!r}")
    assert sorted(tmp_path.iterdir()) == before
    assert not holder.lines.closed
    assert api.method().result() == "own", "and the connection goes on"


def test_what_would_run_code_of_others_cannot_be_read(api: Any, holder: Holder) -> None:
    for path in REFUSED_READS:
        with pytest.raises(kk.RemoteError):
            pytest.fail(f"{path}: {ask(api, 'get', path)!r}")
    assert next(holder.walker), "nobody has taken anything from it"
    assert ask(api, "get", "arr") is not None, "a value is read"


def test_what_the_user_wrote_can_be_called(api: Any) -> None:
    asked = {
        "method": "own",
        "helper.help": "help",
        "helper": "called",
        "frame.mine": "mine",
        "table.own": 2,
        "functions.1": 2,
        "names.own": 2,
        "on_add": "set on the instance",
        "bound": "help",
        "add_two": 2,
    }
    for path, expected in asked.items():
        args = [1] if expected == 2 and path != "add_two" else []
        assert ask(api, "call", path, *args) == expected, path
    assert list(api.generator()) == [1]


def test_a_refusal_says_what_would_open_it(api: Any) -> None:
    with pytest.raises(kk.RemoteError, match=r'kk\.serve\(\.\.\., expose=\["df\.head"\]\)'):
        ask(api, "call", "df.head")


def test_names_open_more_and_only_these(holder: Holder) -> None:
    names = ["df.sum", "frame.count", "table.df.count", "shell", "df.shape", "lines"]
    names += ["computed_frame.shape"]
    holder.lines.write("one\ntwo\n")
    holder.lines.seek(0)
    with serve_in_memory(holder, expose=names) as server, server.connect() as api:
        assert ask(api, "call", "shell", "true") == 0
        assert ask(api, "get", "df.shape") == [2, 1]
        assert ask(api, "get", "computed_frame.shape") == [2, 1]
        assert list(api._kk_session.call("get", ["lines"])) == ["one\n", "two\n"]
        for path in ("df.sum", "frame.count", "table.df.count"):
            with pytest.raises(kk.RemoteError, match="Series"):  # called; and that has no JSON form
                ask(api, "call", path)
        for path in ("df.eval", "df.sum.im_self", "df.shape.index", "df.count", "evaluate"):
            with pytest.raises(kk.RemoteError, match=r"not"):
                ask(api, "call", path, "1")
        assert {"df.sum", "frame.count", "shell"} <= set(server._methods)


@pytest.mark.parametrize(
    ("names", "text"),
    [
        ("df.head", "even for one name"),
        (5, "a list of dotted names"),
        ([5], "not text"),
        (["_secret"], "underscore"),
        (["df.__class__"], "underscore"),
        (["df."], "empty"),
        (["nothing"], "nothing found at 'nothing'"),
        (["methd"], "did you mean 'method'"),
        (["df"], r'expose=\["df\.method"\]'),
        (["mod"], r'expose=\["mod\.method"\]'),
    ],
)
def test_names_that_open_nothing_are_refused_at_once(holder: Holder, names: Any, text: str) -> None:
    with pytest.raises(kk.UsageError, match=text):
        kk.serve(holder, expose=names)


def test_a_class_of_another_package_is_marked() -> None:
    class Marked:
        def hello(self) -> str:
            return "hello"

    Marked.__module__ = "another_package.helpers"
    Marked.hello.__module__ = Marked.__module__
    Marked.hello = types.FunctionType(  # type: ignore[method-assign]
        Marked.hello.__code__, {"__name__": Marked.__module__}, "hello"
    )

    class Api:
        def __init__(self) -> None:
            self.helper = Marked()

    class Derived(Marked):
        """Own is only what it says itself, where the base comes from an installed package."""

    with serve_in_memory(Api()) as server, server.connect() as api:
        with pytest.raises(kk.RemoteError, match="expose="):
            ask(api, "call", "helper.hello")
        assert kk.expose(Marked) is Marked
        assert ask(api, "call", "helper.hello") == "hello"
        Derived.__module__ = "a_third.package"
    with (
        serve_in_memory({"it": Derived()}) as server,
        server.connect() as api,
        pytest.raises(kk.RemoteError, match="expose="),
    ):
        ask(api, "call", "it.hello")


@pytest.mark.parametrize("what", [5, "text", len, pd.DataFrame(), dict], ids=repr)
def test_what_cannot_be_marked_is_said(what: Any) -> None:
    with pytest.raises(kk.UsageError, match=r"expose=\["):
        kk.expose(what)


def test_a_served_dict_gives_what_stands_in_it_by_name() -> None:
    frame = pd.DataFrame({"a": [1, 2]})
    given = {
        "run": os.system,
        "length": len,
        "text": str,
        "count": frame.shape.count,
        "upper": str.upper,
        "sqrt": np.sqrt,
        "group": {"path": os.path.join},
        "df": frame,
        "helper": Helper(),
        "os": os,
    }
    with serve_in_memory(given) as server, server.connect() as api:
        asked: dict[str, tuple[list[Any], Any]] = {
            "run": (["true"], 0),
            "length": (["four"], 4),
            "text": ([5], "5"),
            "count": ([2], 1),
            "upper": (["a"], "A"),
            "sqrt": ([4], 2.0),
            "group.path": (["a", "b"], "a/b"),
            "helper.help": ([], "help"),
        }
        for path, (args, expected) in asked.items():
            assert ask(api, "call", path, *args) == expected, path
        for path in ("df.eval", "os.system", "helper.df.eval", "run.__self__", "text.mro"):
            with pytest.raises(kk.RemoteError):
                ask(api, "call", path, "1")


def test_what_a_client_exposes_is_held_to_the_same(holder: Holder, tmp_path: Path) -> None:
    class Turns:
        async def turn(self, path: str, argument: str) -> Any:
            target = kk.context().caller
            for name in path.split("."):
                target = target[name]
            return await target(argument)

    marker = tmp_path / "marker"
    with (
        serve_in_memory(Turns()) as server,
        server.connect(protocol="compact", expose=holder) as api,
    ):
        for path in ("shell", "mod.system", "table.shell", "df.to_csv", "method.__globals__"):
            with pytest.raises(kk.RemoteError):
                api.turn(path, f"touch {marker}").result(timeout_s=10)
        assert not marker.exists()


def test_setting_does_not_walk_into_values_either(holder: Holder) -> None:
    before = holder.df.columns.tolist(), os.sep
    with (
        serve_in_memory(holder, writable=["df", "mod", "frame"]) as server,
        server.connect() as api,
    ):
        for path in ("df.columns", "df.index.name", "mod.sep", "frame.columns", "frame.df.columns"):
            with pytest.raises(kk.RemoteError):
                api._kk_session.call("set", path.split("."), value=["x"]).result(timeout_s=10)
    assert (holder.df.columns.tolist(), os.sep) == before
    assert holder.frame.columns.tolist() == ["a"]


def test_a_task_that_is_held_is_not_awaited_for_a_client() -> None:
    class Busy:
        def __init__(self) -> None:
            self.task: asyncio.Task[None] | None = None

        async def begin(self) -> None:
            self.task = asyncio.create_task(asyncio.sleep(60))

        async def is_cancelled(self) -> bool:
            assert self.task is not None
            await asyncio.sleep(0.05)
            return self.task.cancelled()

    busy = Busy()
    with serve_in_memory(busy) as server, server.connect() as api:
        api.begin().result(timeout_s=10)
        with pytest.raises(kk.RemoteError, match="expose="):
            ask(api, "get", "task")
        assert api.is_cancelled().result(timeout_s=10) is False
        server.call_soon(busy.task.cancel)  # type: ignore[union-attr]


def test_an_interceptor_sees_what_is_refused(holder: Holder) -> None:
    seen: list[str] = []

    async def watch(ctx: Any, next: Callable[[], Any]) -> Any:  # noqa: A002
        seen.append(f"{ctx.operation} {ctx.method}")
        return await next()

    with serve_in_memory(holder, interceptors=[watch]) as server, server.connect() as api:
        for operation in ("call", "new", "get"):
            with pytest.raises(kk.RemoteError):
                ask(api, operation, "df.eval")
    assert seen == ["call df.eval", "new df.eval", "get df.eval"]


def test_properties_hand_out_what_they_make() -> None:
    class Api:
        @property
        def rows(self) -> Iterator[int]:
            return iter([1, 2])

        @property
        async def later(self) -> str:
            await asyncio.sleep(0)
            return "later"

        @property
        def ticks(self) -> AsyncIterator[int]:
            return Endpoint().countdown(1)

    with serve_in_memory(Api()) as server, server.connect(protocol="compact") as api:
        assert list(api._kk_session.call("get", ["rows"])) == [1, 2]
        assert list(api._kk_session.call("get", ["ticks"])) == [1, 0]
        assert ask(api, "get", "later") == "later"


def test_references_are_not_spoken() -> None:
    with kk.serve(Helper(), token=False) as server, raw_client(server.url, "compact") as peer:
        peer.send_json(t="q", id="1", op="ref", p=["help"])
        assert '"e"' in peer.receive_text()
        assert type(peer.call("help.ref")).__name__ == "Failed"


def test_nobody_walks_in_circles(holder: Holder) -> None:
    circle: dict[str, Any] = {"add": of_the_user}
    circle["on"] = circle
    with serve_in_memory(circle, writable=["on"]) as server, server.connect() as api:
        near = ["on"] * 63
        assert api._kk_session.call("call", [*near, "add"], args=[1]).result(timeout_s=10) == 2
        far = ["on"] * 200_000
        for operation, options in (
            ("call", {"args": [1]}),
            ("new", {"args": [1]}),
            ("set", {"value": 1}),
        ):
            for path in ([*near, "on", "add"], [*far, "add"]):
                with pytest.raises(kk.RemoteError):
                    api._kk_session.call(operation, path, **options).result(timeout_s=10)
        assert api.add(1).result(timeout_s=10) == 2
