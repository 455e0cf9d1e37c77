"""What Tab, Shift-Tab and ``help`` show of a method of a server of ours, and what looking costs."""

from __future__ import annotations

import re

import pytest
from support.kernels.kernel import Kernel

PREPARE = """
%load_ext kkjupyter
import kkjupyter as kk
class Api:
    def chat(self, prompt: str, repeat: int = 1):
        "Say something."
        called.append("chat")
        return prompt
    def cursor(self):
        called.append("cursor")
    def tick(self):
        called.append("tick")
called = []
server = kk.serve(Api())
api = kk.connect(server.url, token=server.token)
"""


@pytest.fixture
def kernel_with_server(kernel: Kernel) -> Kernel:
    kernel.run(PREPARE).check()
    return kernel


def looked_at(kernel: Kernel, code: str) -> str:
    content = {"code": code, "cursor_pos": len(code), "detail_level": 0}
    text = kernel.request("inspect_request", content)["data"]["text/plain"]
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def ends(names: list[str]) -> set[str]:
    """The last parts: what stands before them depends on who completes."""
    return {name.rpartition(".")[2] for name in names}


def test_tab_shift_tab_and_help(kernel_with_server: Kernel) -> None:
    kernel = kernel_with_server
    assert ends(kernel.complete("api.")) >= {"chat", "tick"}
    assert ends(kernel.complete("%rpc api.ch")) == {"chat"}
    shown = looked_at(kernel, "api.chat")
    assert re.search(r"Signature:\s+api\.chat\(prompt: str, repeat: int = 1\)", shown)
    assert re.search(r"Docstring:\s+chat\(prompt: str, repeat: int = 1\)\s+Say something\.", shown)
    shown = kernel.run("help(api.chat)").check().stdout
    assert "chat(prompt: str, repeat: int = 1)" in shown
    assert "Say something." in shown
    assert kernel.run("called").check().result == "[]"
