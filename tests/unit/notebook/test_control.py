"""What the kernel answers on the control channel."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from kkjupyter.notebook import control
from kkjupyter.notebook.feeds import Feed
from kkjupyter.notebook.localfeeds import feed_of
from kkjupyter.notebook.registry import registry
from kkjupyter.notebook.runs import Run
from kkjupyter.notebook.views import View, make_view
from kkjupyter.notebook.widget import LiveWidget
from kkjupyter.rpc.ids import next_id


class Shell:
    """A shell whose kernel notes what is sent."""

    def __init__(self) -> None:
        self.kernel = self
        self.session = self
        self.control_handlers: dict[str, Any] = {}
        self.sent: list[tuple[str, dict[str, Any]]] = []

    def send(self, stream: object, kind: str, content: Any, parent: Any, *, ident: object) -> None:
        self.sent.append((kind, content))
