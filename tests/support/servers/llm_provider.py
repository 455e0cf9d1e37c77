"""An LLM provider that nobody is to ask: it notes who does."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

import pytest

__all__ = ["Provider"]

_KEYS = ("OPENAI", "AZURE_OPENAI", "ANTHROPIC")


class Provider:
    """Listens on a free loopback port and refuses everything.

    Attributes:
        requests: the paths that were asked for.
    """

    def __init__(self) -> None:
        requests: list[str] = []
        self.requests = requests

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                requests.append(self.path)
                self.send_error(401)

            do_GET = do_CONNECT = do_POST  # noqa: N815 - names that http.server looks for

            def log_message(self, *_: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @contextmanager
    def environment(self) -> Iterator[None]:
        """Keys and addresses in the environment as somebody has who pays for it."""
        address = f"http://127.0.0.1:{self._server.server_port}"
        with pytest.MonkeyPatch.context() as patch:
            for name in _KEYS:
                patch.setenv(f"{name}_API_KEY", "a-key")
                patch.setenv(f"{name}_BASE_URL", f"{address}/v1")
                patch.setenv(f"{name}_ENDPOINT", address)
            yield

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
