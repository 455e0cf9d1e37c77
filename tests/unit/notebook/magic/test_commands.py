"""What the commands of ``%rpc`` do with what they are given, without a kernel."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from support.waiting import until

import kkjupyter as kk
from kkjupyter.api.in_process import serve_in_memory
from kkjupyter.notebook import load, unload


class Api:
    async def countdown(self, start: int) -> Any:
        for n in range(start, -1, -1):
            yield n


@pytest.fixture
def shell() -> Iterator[InteractiveShell]:
    shell = InteractiveShell.instance()
    load(shell)
    with serve_in_memory(Api()) as server, server.connect() as api:
        shell.user_ns.update(kk=kk, api=api)
        yield shell
        unload(shell)
    shell.reset()
    InteractiveShell.clear_instance()


def run(shell: InteractiveShell, code: str) -> Any:
    """Run a cell; returns its value. What it raised is raised."""
    result = shell.run_cell(code)
    result.raise_error()
    return result.result


def test_a_call_that_was_shown_is_stored_too(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    run(shell, "call = api.countdown(2)\ncall")
    run(shell, "%rpc call --out reply")
    assert run(shell, "reply.items") == [2, 1, 0]
    assert capsys.readouterr().out.count("2\n1\n0\n") == 2


def test_a_comparison_is_stored(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    run(shell, "%rpc kk.compare({'A': api.countdown(1), 'B': api.countdown(0)}) --out replies")
    assert run(shell, "{name: reply.items for name, reply in replies.items()}") == {
        "A": [1, 0],
        "B": [0],
    }


@pytest.mark.parametrize("option", ["--view json", "--take 1", "--background", "--no-raise"])
def test_what_a_comparison_would_not_heed_is_refused(
    shell: InteractiveShell, option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code = f"%rpc kk.compare({{'A': api.countdown(1), 'B': api.countdown(10**9)}}) {option}"
    with pytest.raises(kk.UsageError, match=f"{option.split()[0]} has no effect inside") as caught:
        run(shell, code)
    assert str(caught.value).endswith("its own arguments: kk.compare({...}, view=...)")
    until(lambda: not kk.status().calls)


def test_what_is_refused_does_not_go_on_unseen(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(kk.UsageError, match=r"leave kk.show\(...\) out"):
        run(shell, "%rpc kk.show(api.countdown(10**9))")
    until(lambda: not kk.status().calls)


def test_a_refusal_leaves_alone_what_is_shown_elsewhere(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    run(shell, "call = api.countdown(10**9)\n%rpc call --background --out reply")
    with pytest.raises(kk.UsageError, match=r"leave kk.show\(...\) out"):
        run(shell, "%rpc kk.show(call)")
    run(shell, "count = reply.count")
    until(lambda: run(shell, "reply.count") > run(shell, "count"))
    run(shell, "call.cancel()")
    until(lambda: run(shell, "reply.is_over"))
