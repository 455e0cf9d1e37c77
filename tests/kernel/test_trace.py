"""``%rpc trace`` in a real kernel: what a cell shows besides the view."""

from __future__ import annotations

from typing import Any

import pytest
from support.kernels.kernel import Kernel

from .endpoint import prepare

VENDOR = "application/vnd.kkjupyter.v1+json"


def diagrams(run: Any) -> list[dict[str, Any]]:
    """The outputs that are diagrams."""
    found = [output.get("data", {}) for output in run.outputs]
    return [data for data in found if "notebook" in data.get("text/plain", "") and "│" in str(data)]


def kinds(run: Any) -> list[str]:
    return [output["output_type"] for output in run.outputs]


def test_last_is_an_output_like_any_other(kernel: Kernel) -> None:
    prepare(kernel)
    assert kernel.run("%rpc trace last").ename == "UsageError"
    kernel.run("%rpc api.countdown(3)").check()
    run = kernel.run("%rpc trace last").check()
    assert kinds(run) == ["execute_result"]
    [data] = diagrams(run)
    assert set(data) == {"text/html", "text/plain"}
    assert "request  countdown" in data["text/plain"]
    assert "{" not in data["text/plain"]
    assert kernel.run("_.frames_in > 5, _.title").result == "(True, 'countdown(3)')"
    assert kernel.run("t = %rpc trace last api").check().outputs == []
    assert kernel.run("type(t).__name__").result == "'Trace'"


@pytest.mark.parametrize(
    "code",
    [
        "%rpc api.countdown(3) --trace",
        "%rpc trace on\n%rpc api.countdown(3)",
        "%rpc trace on api\napi.countdown(3)",
        "%rpc trace on\nkk.show(api.countdown(3))",
        "%rpc trace on\nawait kk.show(api.countdown(3))",
        "%rpc trace on\nfor _ in kk.show(api.countdown(3)): pass",
        "%rpc trace on\nasync for _ in kk.show(api.countdown(3)): pass",
    ],
)
def test_a_traced_stream_has_its_diagram_below_its_view(kernel: Kernel, code: str) -> None:
    prepare(kernel)
    run = kernel.run(code).check()
    shown = [output for output in run.outputs if output["output_type"] == "display_data"]
    assert shown[0]["data"]["text/plain"].split() == ["3", "2", "1", "0"]
    assert shown[0]["data"][VENDOR]["state"] == "done"
    assert len(shown) == 2
    [data] = diagrams(run)
    assert data[VENDOR]["pane"] == "trace"
    assert '"countdown"' in data["text/plain"]
    assert "end" in data["text/plain"]
    kernel.run("%rpc trace off\n%rpc trace off api").check()
    assert diagrams(kernel.run("%rpc api.countdown(3)").check()) == []
    assert diagrams(kernel.run("api.countdown(3)").check()) == []


def test_a_traced_value_has_its_diagram_and_is_the_result(kernel: Kernel) -> None:
    prepare(kernel)
    for code in ("%rpc api.add(1, 2) --trace", "%rpc trace on\napi.add(1, 2)"):
        run = kernel.run(code).check()
        assert run.result == "3"
        [data] = diagrams(run)
        assert "request  add" in data["text/plain"]
    run = kernel.run("api.boom()")
    assert (run.status, run.ename) == ("error", "RemoteError")
    [data] = diagrams(run)
    assert "error  KeyError" in data["text/plain"]
    run = kernel.run("%rpc api.slow(0.5)").check()
    [data] = diagrams(run)
    assert "response" in data["text/plain"]
    kernel.run("%rpc trace off").check()


def test_a_cancel_and_its_acknowledgement_are_in_it(kernel: Kernel) -> None:
    prepare(kernel)
    run = kernel.run("%rpc api.ticks() --take 5 --trace").check()
    [data] = diagrams(run)
    assert "cancel" in data["text/plain"]
    assert "acknowledgement" in data["text/plain"]


def test_what_is_switched_is_said(kernel: Kernel) -> None:
    prepare(kernel)
    texts = [
        kernel.run(f"%rpc trace {words}").check().outputs[0]["text"]
        for words in ("on", "off", "on api", "off api")
    ]
    assert [text.partition(":")[0].strip() for text in texts] == [
        "tracing is on",
        "tracing is off",
        "api",
        "api",
    ]
    run = kernel.run("%rpc trace onn")
    assert (run.status, run.ename) == ("error", "UsageError")
