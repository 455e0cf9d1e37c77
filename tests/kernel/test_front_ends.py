"""What front ends without a page get: a console prints, an executed notebook has one output."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.kernels.kernel import Kernel, Run
from support.kernels.versions import VERSIONS

SETUP = "%load_ext kkjupyter\nimport kkjupyter as kk\napi = kk.demo().connect()"


@pytest.fixture(params=VERSIONS)
def kernel(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Kernel]:
    with Kernel.start(request.param, home=tmp_path) as kernel:
        kernel.run(SETUP).check()
        yield kernel


def displays(run: Run) -> list[str]:
    """The kinds of messages with outputs that are not printed."""
    kinds = [message["msg_type"] for _, message in run.messages]
    return [kind for kind in kinds if "display" in kind or kind.startswith("comm")]


@pytest.mark.parametrize(
    "code", ["%rpc api.countdown(2)", "api.countdown(2)", "await kk.show(api.countdown(2))"]
)
def test_a_console_prints_what_comes(kernel: Kernel, code: str) -> None:
    run = kernel.submit(code, sender="console").wait()
    assert run.stdout.startswith("2\n1\n0\n✓ 3 items")
    assert displays(run) == []


def test_a_console_prints_as_it_comes(kernel: Kernel) -> None:
    run = kernel.submit("%rpc api.ticks()", sender="console")
    run.wait_for(lambda: "3\n" in run.stdout)
    kernel.interrupt()
    assert run.wait().ename == "KeyboardInterrupt"
    assert "■ cancelled after" in run.stdout
    assert "run_line_magic" not in run.traceback


def test_an_executed_notebook_has_one_output(kernel: Kernel) -> None:
    for code in ("%rpc api.countdown(2)", "for _ in kk.show(api.countdown(2)): pass"):
        run = kernel.submit(code, sender="executor").wait()
        (output,) = run.outputs
        assert output["data"]["text/plain"] == "2\n1\n0\n"
        assert "application/vnd.kkjupyter.v1+json" in output["data"]
        assert displays(run) == ["display_data"]
    run = kernel.submit("kk.compare({'A': api.countdown(1)})", sender="executor").wait()
    assert displays(run) == ["display_data"]
    assert "1\n0" in run.outputs[0]["data"]["text/plain"]
