"""``kkjupyter serve module:name``: serves an object until Ctrl-C, or over stdio until its end."""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import inspect
import os
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, TextIO

from kkjupyter.calls.titles import listed
from kkjupyter.cli.exit_codes import ExitCode
from kkjupyter.errors import UsageError, did_you_mean
from kkjupyter.server.exposed.offer import Exposed
from kkjupyter.server.exposed.opened import make_reach
from kkjupyter.server.exposed.reach import Reach
from kkjupyter.server.exposed.writable import permission
from kkjupyter.server.listeners.stdio import take_stdio
from kkjupyter.server.serve import start_server

__all__ = ["load_object", "run"]

_HOST = "127.0.0.1"
_PORT = 8765
_NOT_ON_A_BUS = ("host", "port", "no_token", "insecure", "allow_host", "resume")
_NOT_WITH_STDIO = (*_NOT_ON_A_BUS, "token", "token_env", "workers")
_POLL_S = 0.5
"""Some platforms interrupt no wait, so none is longer than this."""


def run(options: argparse.Namespace) -> ExitCode:
    """Serve until interrupted; over stdio also until stdin ends.

    Raises:
        KKError: the object cannot be found or served; ``main`` says why.
    """
    if options.stdio:
        return _run_stdio(options)
    where = _on_bus(options) if options.on is not None else _on_port(options)
    token = _token(options)
    exposed = load_object(options.target)
    server = start_server(
        exposed,
        **where,
        token=token,
        expose=options.expose,
        package=_package(options.target),
        writable=options.writable,
        debug=options.debug,
        resume_s=options.resume,
    )
    try:
        print(f"serving {options.target} at {server.url}", flush=True)
        if server.token and token is True:
            print(f"token: {server.token}", flush=True)
        _print_listing(server.callable_names, server.readable_names)
        if server.open_door:
            print(f"warning: {server.open_door}; leave --no-token out", file=sys.stderr)
        print("Ctrl-C stops it", file=sys.stderr, flush=True)
        forever = threading.Event()
        while not forever.wait(_POLL_S):
            pass
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
    finally:
        server.close()
    return ExitCode.OK


def _on_port(options: argparse.Namespace) -> dict[str, Any]:
    return {
        "host": options.host if options.host is not None else _HOST,
        "port": options.port if options.port is not None else _PORT,
        "transport": "http" if options.http else "websocket",
        "workers": options.workers,
        "insecure": options.insecure,
        "hosts": options.allow_host,
    }


def _on_bus(options: argparse.Namespace) -> dict[str, Any]:
    _refuse(options, _NOT_ON_A_BUS, "--on: the broker decides who may come in, and from where")
    return {"on": options.on, "workers": options.workers}


def _refuse(options: argparse.Namespace, names: Sequence[str], why: str) -> None:
    for name in names:
        given = getattr(options, name)
        if given is not None and given is not False and given != []:
            flag = "--" + name.replace("_", "-")
            raise UsageError(f"{flag} cannot be used with {why}; leave one of the two out")


def _run_stdio(options: argparse.Namespace) -> ExitCode:
    why = "--stdio: only the program that starts this one can talk to it"
    _refuse(options, _NOT_WITH_STDIO, why)
    stdio = take_stdio()  # first of all: an import may already print
    try:
        exposed = load_object(options.target)
        reach = make_reach(exposed, options.expose, package=_package(options.target))
        if sys.__stderr__ is not None and stdio.at_terminal:
            print(
                f"serving {options.target} over stdin and stdout; made to be started by another "
                "program",
                file=sys.__stderr__,
            )
            _print_listing(*_names(reach), file=sys.__stderr__)
        stdio.serve(
            Exposed(
                reach,
                permission=permission(options.writable, reach),
                debug=options.debug,
            )
        )
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
    finally:
        stdio.close()
    return ExitCode.OK


def load_object(target: str) -> Any:
    """Load the object that ``module:name`` or ``path/file.py:name`` names.

    A class or a function is called without arguments to make the object.

    Raises:
        UsageError: there is no such module or name, or it needs arguments. An exception raised by
            the module itself passes as it is.
    """
    source, colon, name = target.rpartition(":")
    if not (colon and source and name):
        raise UsageError(f"{target!r} names nothing to serve; write module:name or file.py:name")
    is_file = source.endswith(".py")
    found: Any = _load_file(Path(source)) if is_file else _load_module(source)
    for part in name.split("."):
        if not hasattr(found, part):
            known = [known for known in dir(found) if not known.startswith("_")]
            raise UsageError(f"{source} has no {part!r}{did_you_mean(part, known)}")
        found = getattr(found, part)
    if not (inspect.isclass(found) or inspect.isroutine(found)):
        return found
    try:
        inspect.signature(found).bind()
    except TypeError as exc:
        raise UsageError(f"{target} is called without arguments to make the object: {exc}") from exc
    return found()


def _package(target: str) -> str:
    """The top-level package that ``target`` is taken from."""
    source = target.rpartition(":")[0]
    return _file_module(Path(source)) if source.endswith(".py") else source.partition(".")[0]


def _file_module(path: Path) -> str:
    # A separate module name: a user's json.py must not replace json.
    return f"served_{path.stem}"


def _names(reach: Reach) -> tuple[list[str], list[str]]:
    listing = reach.listing()
    calls, reads = ([name for name, kind in listing if kind == one] for one in ("call", "read"))
    return calls, reads


def _print_listing(
    callable_names: Sequence[str], readable_names: Sequence[str], file: TextIO | None = None
) -> None:
    """Print what clients can reach, so that nothing is served by mistake."""
    print(listed("clients can call", callable_names), file=file or sys.stderr)
    if readable_names:
        print(listed("clients can read", readable_names), file=file or sys.stderr)


def _load_module(name: str) -> ModuleType:
    if os.getcwd() not in sys.path:  # a console script does not look into the current directory
        sys.path.insert(0, os.getcwd())
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as exc:
        if exc.name is None or not f"{name}.".startswith(f"{exc.name}."):
            raise  # the module exists, but something that it imports does not
        raise UsageError(f"no module named {exc.name!r} (for a file, write {name}.py)") from exc


def _load_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise UsageError(f"no file {path}")
    sys.path.insert(0, str(path.resolve().parent))  # like `python file.py`
    name = _file_module(path)
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise UsageError(f"{path} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def _token(options: argparse.Namespace) -> str | bool:
    if options.no_token:
        return False
    if options.token_env:
        if options.token_env not in os.environ:
            raise UsageError(f"the environment variable is not set: {options.token_env}")
        return os.environ[options.token_env]
    return options.token or True
