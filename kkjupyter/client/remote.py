"""A remote name, written as attributes: ``api.math.add``; calling it makes a Call."""

from __future__ import annotations

import dataclasses
import inspect
import sys
from collections.abc import Generator
from typing import Any, NoReturn

from kkjupyter.argument_checks import check_seconds
from kkjupyter.calls.call import Call
from kkjupyter.calls.unresolved import NoSuchAttribute, RemoteName
from kkjupyter.client.caller import Caller
from kkjupyter.errors import UsageError
from kkjupyter.runtime.loop_threads import on_own_loop
from kkjupyter.runtime.waiting import run_async, run_blocking

__all__ = [
    "Remote",
    "RemoteInfo",
    "call_remote",
    "describe",
    "get_remote",
    "new_remote",
    "session_of",
    "set_remote",
]


# Modules that find out what an object is by calling methods that it may have: Shift-Tab asks for
# getdoc(), marimo for a database's cursor(), matplotlib for to_numpy(). Whole packages are not
# listed: some call functions that users hand to them.
_PROBING_MODULES = (
    "IPython.core.completer",
    "IPython.core.guarded_eval",
    "IPython.core.oinspect",
    "IPython.lib.pretty",
    "IPython.utils.",
    "_pydevd_bundle.",
    "jedi.",
    "marimo._data.",
    "marimo._output.",
    "marimo._sql.",
    "matplotlib.cbook",
)


class Remote(RemoteName):
    """A connection, as :func:`kkjupyter.connect` returns it, or a remote name below it.

    ``api.math.add(1, 2)`` makes a Call; ``await api.settings.theme`` reads a property, and
    ``api.settings.theme = "dark"`` sets one, waiting for the answer. Names with a leading
    underscore are Python's own here; ``api["_odd"]`` reaches a remote one.
    """

    __slots__ = ("__weakref__", "_kk_path", "_kk_session")
    _kk_session: Caller
    _kk_path: tuple[str, ...]

    def __init__(self, session: Caller, path: tuple[str, ...] = ()) -> None:
        object.__setattr__(self, "_kk_session", session)
        object.__setattr__(self, "_kk_path", path)

    def __getattr__(self, name: str) -> Remote:
        if name.startswith("_"):
            raise AttributeError(
                f"{name!r} is not looked up remotely; for a remote name that begins with '_' "
                f"write [{name!r}]"
            )
        return Remote(self._kk_session, (*self._kk_path, name))

    def __getitem__(self, name: str) -> Remote:
        if not isinstance(name, str):
            raise UsageError(
                f"{_written(self)}[{name!r}]: a remote name is a string; "
                "to index a value, get it first"
            )
        return Remote(self._kk_session, (*self._kk_path, name))

    def __call__(self, *args: Any, **kwargs: Any) -> Call:
        if not self._kk_path:
            raise UsageError(self._kk_hint())
        if not (args or kwargs):
            _refuse_probe(self, sys._getframe(1).f_globals.get("__name__"))
        return self._kk_session.call("call", self._kk_path, args, kwargs)

    def __setattr__(self, name: str, value: Any) -> None:
        if name.startswith("_"):
            raise AttributeError(
                f"{name!r} cannot be set; write [{name!r}] = ... for a remote name"
            )
        self[name] = value

    def __setitem__(self, name: str, value: Any) -> None:
        if on_own_loop():
            raise UsageError(
                f"setting {name} blocks, and a handler must not block; use `await kk.aset(...)` "
                "there"
            )
        set_remote(self[name], value).result()

    def __delattr__(self, name: str) -> NoReturn:
        raise UsageError(f"{name}: a remote property cannot be deleted")

    def __await__(self) -> Generator[Any, None, Any]:
        if not self._kk_path:
            raise UsageError("this is the connection itself; it has nothing to await")
        return get_remote(self).__await__()

    def __dir__(self) -> list[str]:
        depth = len(self._kk_path)
        split = [method.split(".") for method in self._kk_session.method_names()]
        return sorted(
            {
                parts[depth]
                for parts in split
                if tuple(parts[:depth]) == self._kk_path and parts[depth:]
            }
        )

    @property
    def __signature__(self) -> inspect.Signature:
        described = self._kk_session.description(self._kk_path) if self._kk_path else None
        if described is None or described.signature is None:
            raise AttributeError(f"the signature of {_written(self)} is not known")
        return described.signature

    def __iter__(self) -> NoReturn:
        self._refuse_loop("for")

    def __aiter__(self) -> NoReturn:
        self._refuse_loop("async for")

    def __contains__(self, item: object) -> NoReturn:
        raise UsageError(self._kk_hint())

    def _refuse_loop(self, loop: str) -> NoReturn:
        if not self._kk_path:
            raise UsageError(self._kk_hint())
        written = _written(self)
        raise UsageError(
            f"{written} is a remote name; to loop over a stream call it: "
            f"{loop} item in {written}(...)"
        )

    def _kk_hint(self) -> str:
        if not self._kk_path:
            return "this is the connection itself; call a method of it: api.method(...)"
        written = _written(self)
        return (
            f"{written} is a remote name, not a value; get its value first: await {written}, "
            f"or, if it is a method, call it: await {written}(...)"
        )

    def __repr__(self) -> str:
        return f"<Remote {_written(self)} at {self._kk_session.url}>"

    def __copy__(self) -> Remote:
        return self

    def __deepcopy__(self, memo: object) -> Remote:
        return self

    def __reduce__(self) -> NoReturn:
        raise UsageError(
            f"{_written(self)} is a connection of this process and cannot be pickled; "
            "connect again in the other process"
        )

    def __enter__(self) -> Remote:
        return self

    def __exit__(self, *exc: object) -> None:
        run_blocking(self._kk_session.close())

    async def __aenter__(self) -> Remote:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await run_async(self._kk_session.close())


class _Docstring:
    """Of the class its own, of a name what the server tells of the method, if it does."""

    def __init__(self, of_class: str | None) -> None:
        self._of_class = of_class

    def __get__(self, remote: Remote | None, owner: type[Remote]) -> str | None:
        if remote is None or not remote._kk_path:
            return self._of_class
        described = remote._kk_session.description(remote._kk_path)
        return self._of_class if described is None else described.text(remote._kk_path[-1])


Remote.__doc__ = _Docstring(Remote.__doc__)  # type: ignore[assignment]


@dataclasses.dataclass(frozen=True, slots=True)
class RemoteInfo:
    """What is known about a Remote without asking the other side.

    Attributes:
        url: its address, without secrets.
        protocol: its protocol.
        codec: the codec of the messages sent.
        state: the state of the connection, in words.
        path: the attribute path, empty for the connection itself.
        methods: known dotted names of the other side.
    """

    url: str
    protocol: str
    codec: str
    state: str
    path: tuple[str, ...]
    methods: tuple[str, ...]


def describe(remote: Remote) -> RemoteInfo:
    """What is known about ``remote``. A function, because its attributes are remote names."""
    session = remote._kk_session
    return RemoteInfo(
        session.url,
        session.protocol,
        session.codec,
        session.state,
        remote._kk_path,
        tuple(session.methods),
    )


def session_of(remote: Remote) -> Caller:
    """The connection behind ``remote``."""
    return remote._kk_session


def get_remote(remote: Remote) -> Call:
    """A call that reads the property."""
    return remote._kk_session.call("get", remote._kk_path)


def set_remote(remote: Remote, value: Any) -> Call:
    """A call that sets the property."""
    return remote._kk_session.call("set", remote._kk_path, value=value)


def new_remote(remote: Remote, *args: Any, **kwargs: Any) -> Call:
    """A call that creates an instance."""
    return remote._kk_session.call("new", remote._kk_path, args, kwargs)


def call_remote(
    remote: Remote,
    *args: Any,
    timeout_s: float | None = None,
    idle_timeout_s: float | None = None,
    **kwargs: Any,
) -> Call:
    """Call it with its own time limits."""
    check_seconds("timeout_s", timeout_s)
    check_seconds("idle_timeout_s", idle_timeout_s)
    return remote._kk_session.call(
        "call",
        remote._kk_path,
        args,
        kwargs,
        timeout_s=timeout_s,
        idle_timeout_s=idle_timeout_s,
    )


def _refuse_probe(remote: Remote, module: object) -> None:
    """Refuse a call without arguments by code that only looks what kind of object it has.

    ``api.anything`` exists for whoever asks, and the call would run on the server.

    Raises:
        NoSuchAttribute: ``module``, whose code calls, is one that does so.
    """
    if isinstance(module, str) and module.startswith(_PROBING_MODULES):
        raise NoSuchAttribute(
            f"{module} calls {_written(remote)}() to find out what kind of object it is, and that "
            "is not a call to send; from a function of your own it is: lambda: ..."
        )


def _written(remote: Remote) -> str:
    return ".".join(("api", *remote._kk_path))
