"""Which kind of front end asked for a cell, by its request; and what each gets."""

from __future__ import annotations

import types
from typing import Any

import pytest

from kkjupyter.notebook.output import front_end as module
from kkjupyter.notebook.output.front_end import FrontEnd, front_end

OF_A_PAGE = "5b9e1c1c-8d0c-4f0e-9b57-0d6f0f6a2c11"
SESSION = "0f1e2d3c-4b5a69788796a5b4c3d2e1f0"
OF_PYTHON = f"{SESSION}_4711_12"


def request(msg_id: str, *, stdin: bool, **metadata: Any) -> dict[str, Any]:
    header = {"msg_id": msg_id, "session": SESSION, "msg_type": "execute_request"}
    content = {"allow_stdin": stdin, "stop_on_error": True}
    return {"header": header, "metadata": metadata, "content": content}


def built_by_hand() -> dict[str, Any]:
    message = request(OF_PYTHON, stdin=False)
    del message["content"]["stop_on_error"]
    return message


def asked(monkeypatch: pytest.MonkeyPatch, message: dict[str, Any]) -> FrontEnd:
    kernel = types.SimpleNamespace(get_parent=lambda channel: message)
    shell = types.SimpleNamespace(kernel=kernel)
    monkeypatch.setattr(module, "get_ipython", lambda: shell)
    return front_end()


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (request(OF_A_PAGE, stdin=True, cellId="a"), FrontEnd.PAGE),  # JupyterLab, VS Code
        (request(OF_A_PAGE, stdin=True), FrontEnd.PAGE),  # nbclassic
        (request(OF_PYTHON, stdin=True, cellId="a"), FrontEnd.PAGE),  # executed by the server
        (request(OF_PYTHON, stdin=True), FrontEnd.CONSOLE),
        (request(OF_PYTHON, stdin=False), FrontEnd.EXECUTOR),
        (built_by_hand(), FrontEnd.PAGE),
        ({}, FrontEnd.PAGE),  # before the first request
        ({"header": {"msg_type": "comm_msg", "msg_id": OF_PYTHON}}, FrontEnd.PAGE),
    ],
)
def test_a_request_tells_who_asks(
    monkeypatch: pytest.MonkeyPatch, message: dict[str, Any], expected: FrontEnd
) -> None:
    assert asked(monkeypatch, message) is expected


def test_voila_executes_for_a_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERVER_SOFTWARE", "voila/0.5.13")
    assert asked(monkeypatch, request(OF_PYTHON, stdin=False)) is FrontEnd.PAGE


def test_without_a_kernel_it_is_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "get_ipython", lambda: None)
    assert front_end() is FrontEnd.TERMINAL
