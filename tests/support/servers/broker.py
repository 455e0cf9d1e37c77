"""Real servers of message buses on this machine, and what they have in common."""

from __future__ import annotations

import os
import socket
import subprocess
from abc import ABC, abstractmethod
from typing import ClassVar

from support.waiting import until

__all__ = ["Broker"]


class Broker(ABC):
    """A server that can be killed, frozen and started again on the same port.

    Args:
        arguments: for the server, besides where it listens.

    Attributes:
        scheme: of addresses there.
        label: what it is called.
        port: where it listens.
        url: the same as an address.
    """

    scheme: ClassVar[str]
    label: ClassVar[str]

    def __init__(self, *arguments: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        self.url = f"{self.scheme}://127.0.0.1:{self.port}"
        self._arguments = arguments
        self.process: subprocess.Popen[bytes] | None = None
        self.start()

    @classmethod
    @abstractmethod
    def with_token(cls, token: str) -> tuple[str, ...]:
        """The arguments for one that wants a token."""

    @classmethod
    @abstractmethod
    def with_limit_of_1_mib(cls) -> tuple[str, ...]:
        """The arguments for one that takes no longer message."""

    @staticmethod
    @abstractmethod
    def user_of(token: str) -> str:
        """How a token stands in an address."""

    @abstractmethod
    def _command(self) -> list[str]:
        """Starts it, without what a test adds."""

    def start(self) -> None:
        """Start it, and wait until it listens."""
        self.process = subprocess.Popen(
            [*self._command(), *self._arguments],
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
