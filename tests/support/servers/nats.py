"""A real NATS server on this machine, and serving over it."""

from __future__ import annotations

import atexit
import functools
import itertools
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import kkjupyter as kk
from support.waiting import until

__all__ = ["Broker", "broker", "own_broker", "serve_over_nats", "service_url"]

_numbers = itertools.count(1)


class Broker:
    """A NATS server that can be killed, frozen and started again on the same port.

    Args:
        arguments: for the server, besides where it listens.

    Attributes:
        port: where it listens.
        url: the same as an address.
    """

    def __init__(self, *arguments: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        self.url = f"nats://127.0.0.1:{self.port}"
        self._arguments = arguments
        self.process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        """Start it, and wait until it listens."""
        executable = str(Path(sys.executable).with_name("nats-server"))
        self.process = subprocess.Popen(
            [executable, "-a", "127.0.0.1", "-p", str(self.port), *self._arguments],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until(self._listens)

    def _listens(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True

    def kill(self) -> None:
        """Kill it, without a farewell. Idempotent."""
        process, self.process = self.process, None
        if process is not None:
            process.kill()
            process.wait()

    def signal(self, number: int) -> None:
        """Send it a signal."""
        assert self.process is not None
        os.kill(self.process.pid, number)


@functools.cache
def broker() -> Broker:
    """One for all tests of this process, until that ends."""
    found = Broker()
    atexit.register(found.kill)
    return found


@contextmanager
def own_broker(*arguments: str) -> Iterator[Broker]:
    """One that a test may do anything to."""
    found = Broker(*arguments)
    try:
        yield found
    finally:
        found.kill()


def service_url(name: str = "") -> str:
    """The address of a service that nobody else uses, at the common broker."""
    return f"{broker().url}/test.{name or f'n{next(_numbers)}'}"


def serve_over_nats(obj: Any, **options: Any) -> Any:
    """As :func:`kkjupyter.serve`, on a bus."""
    return kk.serve(obj, on=service_url(), **options)
