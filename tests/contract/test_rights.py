"""What clients may do on a served object, and who hears of what goes wrong there."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from support.endpoints import Endpoint
from support.sessions import carrier
from support.waiting import until

import kkjupyter as kk
from kkjupyter.server.interceptors import CallContext

HERE = str(Path(__file__))


@dataclasses.dataclass
class Settings:
    theme: str = "light"
    owner: str = "nobody"
    _key: str = "private"


class Limits:
    """Not a dataclass: its attributes are nobody's settings unless they are named."""

    largest = 10

    def __init__(self) -> None:
        self.current = 1

    @property
    def level(self) -> int:
        return self.current

    @level.setter
    def level(self, level: int) -> None:
        self.current = level + "" if level == 13 else level  # type: ignore[operator]


class Api:
    shared: ClassVar[dict[str, int]] = {"a": 1}
    Limits = Limits

    def __init__(self) -> None:
        self.root = "/srv/public"
        self.settings = Settings()
        self.limits = Limits()
        self.flags = {"verbose": False, "_hidden": True}
        self.looked = 0
        self._secret = "secret"

    def read(self, name: str) -> str:
        return f"{self.root}/{name}"

    @property
    def peeked(self) -> int:
        self.looked += 1
        return self.looked


REFUSED = [
    "root",
    "settings.theme",
    "settings._key",
    "limits.current",
    "limits.level",
    "limits.largest",
    "flags.verbose",
    "flags.new",
    "flags._hidden",
    "shared.a",
    "peeked",
    "read",
    "read.__name__",
    "read.__globals__",
    "read.label",
    "Limits",
    "Limits.largest",
    "_secret",
    "__class__",
    "__dict__.root",
    "settings.__class__.theme",
    "nothing.at.all",
]


LOOKED_FOR = [
    "read",
    "root",
    "peeked",
    "peeked.x",
    "Limits",
    "nothing",
    "nothing.at.all",
    "_secret",
]


def set_at(api: Any, path: str, value: Any) -> None:
    api._kk_session.call("set", path.split("."), value=value).result(timeout_s=10)


def state(api: Api) -> Any:
    return (
        dataclasses.asdict(api.settings),
        vars(api.limits) | {"largest": Limits.largest},
        api.flags | Api.shared,
        {name: value for name, value in vars(api).items() if isinstance(value, str)},
        vars(Api).keys(),
        vars(Api.read),
    )


@pytest.fixture
def mine() -> Api:
    return Api()


@pytest.mark.half
def test_nothing_can_be_set_unless_it_was_allowed(
    start: Callable[..., Any], spoken: dict[str, str], mine: Api
) -> None:
    before = state(mine)
    with start(mine) as server, server.connect(**spoken) as api:
        for path in REFUSED:
            with pytest.raises(kk.RemoteError):
                set_at(api, path, 5)
        assert state(mine) == before
        assert mine.looked == 0, "no property was run for that"
        with pytest.raises(kk.RemoteError, match=r'writable=\["settings\.theme"\]'):
            api.settings.theme = "dark"
        assert api.read("x").result() == "/srv/public/x"


@pytest.mark.half
def test_a_name_opens_what_is_below_it_and_nothing_else(
    start: Callable[..., Any], spoken: dict[str, str], mine: Api
) -> None:
    with (
        start(mine, writable=["settings", "limits.level"]) as server,
        server.connect(**spoken) as api,
    ):
        api.settings.theme = "dark"
        api.limits.level = 3
        assert (mine.settings.theme, mine.limits.current) == ("dark", 3)
        before = state(mine)
        for path in REFUSED:
            if path not in ("settings.theme", "limits.level"):
                with pytest.raises(kk.RemoteError):
                    set_at(api, path, 5)
        assert state(mine) == before
        with pytest.raises(kk.RemoteError, match="TypeError"):  # its own, and not "read-only"
            api.limits.level = 13


@pytest.mark.only("memory")
@pytest.mark.half
def test_plain_data_can_be_opened_as_a_whole(
    start: Callable[..., Any], spoken: dict[str, str], mine: Api
) -> None:
    with start(mine, writable=True) as server, server.connect(**spoken) as api:
        api.settings.theme = "dark"
        api.flags.verbose = True
        api.flags.new = 1
        assert mine.settings.theme == "dark"
        assert mine.flags == {"verbose": True, "_hidden": True, "new": 1}
        opened = {"settings.theme", "flags.verbose", "flags.new"}
        before = state(mine)
        for path in set(REFUSED) - opened:
            with pytest.raises(kk.RemoteError):
                set_at(api, path, 5)
        assert state(mine) == before


@pytest.mark.parametrize(
    ("writable", "text"),
    [
        ("settings", "even for one name"),
        (5, "a list of dotted names"),
        ([5], "not text"),
        (["_secret"], "underscore"),
        (["settings._key"], "underscore"),
        (["settings."], "empty"),
        ([""], "empty"),
        (["read"], "can be called"),
        (["Limits.largest"], "attribute of a class"),
    ],
)
def test_what_cannot_be_allowed_is_said_at_once(mine: Api, writable: Any, text: str) -> None:
    with pytest.raises(kk.UsageError, match=text):
        kk.serve(mine, writable=writable)


def test_a_client_opens_what_it_exposes_in_the_same_way(
    start: Callable[..., Any], spoken: dict[str, str], mine: Api
) -> None:
    seen: list[str] = []

    async def watch(ctx: CallContext, next: Any) -> Any:  # noqa: A002
        seen.append(f"{ctx.operation} {ctx.method}")
        return await next()

    class Turns:
        async def turn(self, name: str) -> Any:
            caller = kk.context().caller
            group, _, last = name.rpartition(".")
            await kk.aset(caller[group][last] if group else caller[last], "changed")

    with (
        start(Turns()) as server,
        server.connect(**spoken, expose=mine, writable=["settings"], interceptors=[watch]) as api,
    ):
        api.turn("settings.theme").result(timeout_s=10)
        assert mine.settings.theme == "changed"
        with pytest.raises(kk.RemoteError, match="root"):
            api.turn("root").result(timeout_s=10)
        assert mine.root == "/srv/public"
        assert seen == ["set settings.theme", "set root"]
        for option in ({"writable": ["x"]}, {"debug": True}, {"interceptors": [watch]}):
            with pytest.raises(kk.UsageError, match="expose="):
                server.connect(**spoken, **option)


# ---- interceptors


@pytest.mark.half
def test_who_is_refused_reads_sets_makes_and_learns_nothing(
    start: Callable[..., Any], spoken: dict[str, str], mine: Api
) -> None:
    async def deny(ctx: CallContext, next: Any) -> Any:  # noqa: A002
        raise kk.RemoteError(f"{ctx.operation} is not for you", name="PermissionError")

    before = state(mine)
    with (
        start(mine, interceptors=[deny], writable=True) as server,
        server.connect(**spoken) as api,
    ):
        session = carrier(api)
        for operation in ("call", "get", "new", "set"):
            options = {"value": 5} if operation == "set" else {}
            said = set()
            for path in LOOKED_FOR:
                if operation == "call" and path == "read":
                    options = {"args": ["x"]}  # what does not fit is refused before
                elif operation == "call":
                    options = {}
                with pytest.raises(kk.RemoteError) as caught:
                    session.call(operation, path.split("."), **options).result(timeout_s=10)
                said.add(str(caught.value))
            assert said == {f"PermissionError: {operation} is not for you"}
        assert mine.looked == 0
        assert state(mine) == before


@pytest.mark.half
def test_interceptors_are_around_properties_and_constructors(
    start: Callable[..., Any], spoken: dict[str, str], endpoint: Endpoint
) -> None:
    seen: list[Any] = []

    async def watch(ctx: CallContext, next: Any) -> Any:  # noqa: A002
        seen.append((ctx.operation, ctx.method, list(ctx.args)))
        if ctx.operation == "set":
            ctx.args[0] = ctx.args[0].upper()
        result = await next()
        return f"<{result}>" if ctx.operation == "get" else result

    with (
        start(endpoint, interceptors=[watch], writable=["settings"]) as server,
        server.connect(**spoken) as api,
    ):
        assert kk.get(api.settings.theme) == "<light>"
        api.settings.theme = "dark"
        assert endpoint.settings.theme == "DARK"
        assert kk.new(api.Point, 1, 2).result() == {"x": 1, "y": 2}
        assert api.add(1, 2).result() == 3
    assert seen == [
        ("get", "settings.theme", []),
        ("set", "settings.theme", ["dark"]),
        ("new", "Point", [1, 2]),
        ("call", "add", [1, 2]),
    ]


def test_finding_out_the_protocol_needs_no_permission(start: Callable[..., Any]) -> None:
    seen: list[str] = []

    async def deny(ctx: CallContext, next: Any) -> Any:  # noqa: A002
        seen.append(ctx.method)
        raise PermissionError("not for you")

    with start({"add": lambda: 1}, interceptors=[deny]) as server:
        for options in ({}, {"protocol": "compact"}, {"protocol": "classic", "codec": "json"}):
            with server.connect(**options) as api, pytest.raises(kk.RemoteError, match="not for"):
                api.add().result(timeout_s=10)
    assert seen == ["add"] * 3
    with (
        start({"kk-probe": 5}, interceptors=[deny]) as server,
        server.connect() as api,
        pytest.raises(kk.RemoteError, match="not for you"),  # a name like any other
    ):
        kk.get(api["kk-probe"])


# ---- failures


class Failing:
    """Fails in every way there is."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.gate = threading.Event()

    async def call(self) -> None:
        raise ValueError("in a call")

    def plain(self) -> None:
        raise ValueError("in a plain function")

    async def stream(self) -> AsyncIterator[int]:
        yield 1
        raise ValueError("in a stream")

    def plain_stream(self) -> Iterator[int]:
        yield 1
        raise ValueError("in a plain stream")

    async def unsendable(self) -> Any:
        return threading.Lock()

    async def cancels_itself(self) -> None:
        raise asyncio.CancelledError

    @property
    def getter(self) -> int:
        raise AttributeError("in a getter")

    class Settings:
        @property
        def theme(self) -> str:
            return "light"

        @theme.setter
        def theme(self, value: str) -> None:
            raise AttributeError("in a setter")

    settings = Settings()

    class Made:
        def __init__(self) -> None:
            raise ValueError("in a constructor")

    async def at_its_end(self) -> None:
        try:
            self.begun.set()
            await asyncio.sleep(60)
        finally:
            raise RuntimeError("late, in a call")

    def late(self) -> None:
        self.begun.set()
        self.gate.wait(10)
        raise RuntimeError("late, in a plain function")

    async def stream_at_its_end(self) -> AsyncIterator[int]:
        try:
            while True:
                yield 1
                await asyncio.sleep(0.01)
        finally:
            raise RuntimeError("late, in a stream")

    def plain_stream_at_its_end(self) -> Iterator[int]:
        try:
            while True:
                yield 1
                time.sleep(0.01)
        finally:
            raise RuntimeError("late, in a plain stream")


def errors_in(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The texts of what was logged as an error by a server, each with its traceback."""
    records = [r for r in caplog.records if r.name == "kkjupyter.server" and r.levelname == "ERROR"]
    assert all(r.exc_info and r.exc_info[1] is not None for r in records)
    return [str(r.exc_info[1]) for r in records if r.exc_info]


@pytest.mark.half
def test_a_server_logs_what_its_handlers_raise(
    start: Callable[..., Any], spoken: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    asked: list[Callable[[Any], Any]] = [
        lambda api: api.call().result(timeout_s=10),
        lambda api: api.plain().result(timeout_s=10),
        lambda api: list(api.stream()),
        lambda api: list(api.plain_stream()),
        lambda api: api.unsendable().result(timeout_s=10),
        lambda api: api.cancels_itself().result(timeout_s=10),
        lambda api: kk.get(api.getter),
        lambda api: kk.set(api.settings.theme, "dark"),
        lambda api: kk.new(api.Made).result(timeout_s=10),
    ]
    with (
        start(Failing(), writable=["settings"]) as server,
        server.connect(**spoken) as api,
    ):
        for ask in asked:
            with pytest.raises(kk.RemoteError) as caught:
                ask(api)
            assert caught.value.stack is None
            assert HERE not in str(vars(caught.value))
    logged = errors_in(caplog)
    assert len(logged) == len(asked), logged
    for where in ("call", "plain function", "stream", "plain stream", "getter", "setter"):
        assert f"in a {where}" in logged
    assert "in a constructor" in logged


@pytest.mark.half
def test_what_fails_after_a_cancel_is_logged_once(
    start: Callable[..., Any], spoken: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    failing = Failing()
    with start(failing) as server, server.connect(**spoken) as api:
        for name in ("at_its_end", "late"):
            failing.begun.clear()
            call = api[name]()
            assert failing.begun.wait(10)
            call.cancel()
            until(lambda: server.running == 0)
        failing.gate.set()
        for name in ("stream_at_its_end", "plain_stream_at_its_end"):
            for _ in api[name]():
                break
        until(lambda: len(errors_in(caplog)) >= 4)
    assert sorted(errors_in(caplog)) == [
        "late, in a call",
        "late, in a plain function",
        "late, in a plain stream",
        "late, in a stream",
    ]


@pytest.mark.only("memory")
def test_a_client_that_goes_is_no_failure(
    start: Callable[..., Any], spoken: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    endpoint = Endpoint()
    with start(endpoint) as server:
        with server.connect(**spoken) as api:
            calls = [api.slow(), api.blocked()]
            streams = [iter(api.once_then_wait()), iter(api.sync_ticks())]
            assert [next(stream) for stream in streams] == ["first", 0]
            until(lambda: {"slow", "blocked"} <= set(endpoint.calls))
        endpoint.gate.set()
        until(lambda: server.running == 0)
        until(lambda: len(endpoint.finals) == 4)
    assert errors_in(caplog) == []
    assert {call.state for call in calls} == {"cancelled"}


@pytest.mark.only("memory")
@pytest.mark.half
def test_errors_that_are_meant_for_the_client_are_one_line_at_info(
    start: Callable[..., Any], spoken: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    class Strict:
        async def square(self, number: int) -> int:
            return number * number

        async def bad_result(self) -> int:
            return "text"  # type: ignore[return-value]

        async def refuses(self) -> None:
            raise kk.RemoteError("no\nERROR forged line", name="Refused", data={"code": 5})

        async def throws(self) -> None:
            raise kk.RemoteThrow({"hello": "World"}, "a thrown value")

        async def passes_on(self) -> None:
            await far.fails("far away")

    with (
        start(Endpoint()) as further,
        further.connect(**spoken) as far,
        start(Strict()) as server,
        server.connect(**spoken) as api,
        caplog.at_level(logging.INFO, "kkjupyter.server"),
    ):
        for call in (api.square("x"), api.square(), api.refuses(), api.throws()):
            with pytest.raises(kk.RemoteError):
                call.result(timeout_s=10)
        lines = [r.getMessage() for r in caplog.records if r.name == "kkjupyter.server"]
        assert len(lines) == 4
        assert not any("\n" in line for line in lines)
        assert [r.levelname for r in caplog.records if r.name == "kkjupyter.server"] == ["INFO"] * 4
        assert errors_in(caplog) == []
        for call in (api.bad_result(), api.passes_on()):  # these are the server's own
            with pytest.raises(kk.RemoteError):
                call.result(timeout_s=10)
        assert len(errors_in(caplog)) == 3  # and that of the server further away


@pytest.mark.only("memory")
@pytest.mark.half
def test_causes_and_passed_on_errors_bring_no_traceback_either(
    start: Callable[..., Any], spoken: dict[str, str]
) -> None:
    class Chain:
        async def chained(self) -> None:
            try:
                raise KeyError("inner")
            except KeyError as exc:
                raise ValueError("outer") from exc

        async def passed_on(self) -> None:
            inner = kk.RemoteError("inner", stack="/home/somebody/secret.py")
            raise kk.RemoteError(
                "outer", name="E", stack="at /srv/x.mjs", cause=inner, data={"a": 1}
            )

    for debug in (False, True):
        with start(Chain(), debug=debug) as server, server.connect(**spoken) as api:
            for call in (api.chained(), api.passed_on()):
                with pytest.raises(kk.RemoteError) as caught:
                    call.result(timeout_s=10)
                error = caught.value
                assert (error.message, error.cause.message.strip("'")) == ("outer", "inner")
                if debug:
                    assert error.stack
                else:
                    assert error.stack is None
                    assert error.cause.stack is None
                    assert "cause" not in error.data
            assert error.data == {"a": 1}
