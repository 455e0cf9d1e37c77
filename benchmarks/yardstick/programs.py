"""Contestants as processes of their own, which are spoken to in lines of JSON."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol, TypeVar

import msgspec

from yardstick.figures import Sample

__all__ = ["Client", "Program", "Server", "Starter", "our_program", "program"]

T = TypeVar("T")

BENCHMARKS = Path(__file__).resolve().parent.parent
ANSWER_S = 120.0
END_S = 5.0


class Client(Protocol):
    """A client that is running."""

    def run(self, count: int) -> Sample:
        """Have ``count`` items or calls made and timed."""
        ...


class Server(Protocol):
    """A server that is running."""

    @property
    def address(self) -> str:
        """What a client is started with."""
        ...

    def cpu_s(self) -> float:
        """The CPU time it has used so far."""
        ...


class Starter(Protocol):
    """Something to start; equal ones are started once for all that need it."""

    def server(self) -> AbstractContextManager[Server]:
        """Start it as a server."""
        ...

    def client(self, address: str) -> AbstractContextManager[Client]:
        """Start it as a client; ``address`` is ``""`` where there is no server."""
        ...

    def with_python(self, python: str) -> Starter:
        """The same in another interpreter, if it uses kkjupyter; else itself."""
        ...


@dataclasses.dataclass(frozen=True)
class Program:
    """A role in :mod:`yardstick.worker`.

    Attributes:
        role: ``module:function``.
        options: its arguments.
        is_ours: whether it uses kkjupyter.
        python: the interpreter.
    """

    role: str
    options: tuple[tuple[str, str | int], ...] = ()
    is_ours: bool = False
    python: str = sys.executable

    @contextlib.contextmanager
    def server(self) -> Iterator[Server]:
        """See :class:`Starter`."""
        with self._started() as running:
            yield running

    @contextlib.contextmanager
    def client(self, address: str) -> Iterator[Client]:
        """See :class:`Starter`."""
        with self._started(**({"url": address} if address else {})) as running:
            yield running

    def with_python(self, python: str) -> Program:
        """See :class:`Starter`."""
        return dataclasses.replace(self, python=python) if self.is_ours else self

    @contextlib.contextmanager
    def _started(self, **more: str) -> Iterator[_Running]:
        options = json.dumps(dict(self.options) | more)
        with subprocess.Popen(
            [self.python, "-m", "yardstick.worker", self.role, options],
            cwd=BENCHMARKS,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        ) as process:
            try:
                yield _Running(self.role, process)
            finally:
                assert process.stdin is not None
                with contextlib.suppress(BrokenPipeError):  # it has ended before, and that was told
                    process.stdin.close()
                try:
                    process.wait(END_S)
                except subprocess.TimeoutExpired:
                    process.kill()


def program(role: str, **options: str | int) -> Program:
    """A :class:`Program` that does not use kkjupyter, with its options by name."""
    return Program(role, tuple(sorted(options.items())))


def our_program(role: str, **options: str | int) -> Program:
    """One that does."""
    return Program(role, tuple(sorted(options.items())), is_ours=True)


class _Running:
    """A process of :mod:`yardstick.worker`; a server or a client."""

    def __init__(self, role: str, process: subprocess.Popen[str]) -> None:
        self._role = role
        self._process = process
        self.address = self._answer(str)

    def cpu_s(self) -> float:
        return self._ask("", float)

    def run(self, count: int) -> Sample:
        return self._ask(count, Sample)

    def _ask(self, line: object, kind: type[T]) -> T:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()
        return self._answer(kind)

    def _answer(self, kind: type[T]) -> T:
        """The next line; what does not come in time ends the process, and that raises."""
        assert self._process.stdout is not None
        watchdog = threading.Timer(ANSWER_S, self._process.kill)
        watchdog.start()
        try:
            line: Any = self._process.stdout.readline()
        finally:
            watchdog.cancel()
        if not line:
            raise RuntimeError(f"{self._role} ended, or did not answer in {ANSWER_S:g} s")
        return msgspec.json.decode(line, type=kind)
