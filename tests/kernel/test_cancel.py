"""Cancel and interrupt, in real kernels, in every kind of wait."""

from __future__ import annotations

import time

import pytest
from support.figures import keep_ms
from support.kernels.kernel import Kernel, wait_until

from .endpoint import ended_after_s, outputs_text, prepare, value_of, wait_until_streaming

# Under 100 ms is what is aimed at and what the benchmark records; this machine may be busy.
ALLOWED_S = 1.0

BLOCKING = {
    "last line": "api.silent()",
    "last line of a cell with await": "await asyncio.sleep(0)\napi.silent()",
    "magic": "%rpc api.silent()",
    "magic in a cell with await": "await asyncio.sleep(0)\n%rpc api.silent()",
    "plain loop": "for n in kk.show(api.silent()): pass",
    "plain loop that works": "for n in kk.show(api.ticks()): time.sleep(0.05)",
    "local generator": "kk.show(local())",
    "loop over a local generator": "for n in kk.show(local()): pass",
    "unary": "%rpc api.slow(60)",
    "request of a function": "kk.show(request)",
    "loop over a request": "for n in kk.show(lambda: request()): pass",
}
AWAITING = {
    "await": "await kk.show(api.silent())",
    "async loop": "async for n in kk.show(api.silent()): pass",
    "local async generator": "await kk.show(alocal())",
    "loop over a local async generator": "async for n in kk.show(alocal()): pass",
    "awaited unary": "await kk.show(api.slow(60))",
    "async request": "await kk.show(arequest)",
    "async request of a lambda": "await kk.show(lambda: arequest())",
    "async loop over a request": "async for n in kk.show(lambda: arequest()): pass",
}
# Waits of the engine's own, without a view.
UNSHOWN = {
    "plain for": "print('up', flush=True)\nfor n in api.silent(): pass",
    "async for": "print('up', flush=True)\nasync for n in api.silent(): pass",
    "result": "print('up', flush=True)\napi.slow(60).result()",
    "await": "print('up', flush=True)\nawait api.slow(60)",
    "plain for in a cell with await": (
        "print('up', flush=True)\nawait asyncio.sleep(0)\nfor n in api.silent(): pass"
    ),
    "result in a cell with await": (
        "print('up', flush=True)\nawait asyncio.sleep(0)\napi.slow(60).result()"
    ),
}


def test_cancel_through_the_control_channel(each_kernel: Kernel) -> None:
    """The cell is freed at once and quietly, and the producer's finally runs."""
    prepare(each_kernel)
    for name, code in {**BLOCKING, **AWAITING}.items():
        run = each_kernel.submit(code)
        wait_until_streaming(run)
        pressed_s = time.monotonic()
        reply = each_kernel.control("kkjupyter_cancel", {"all": True})
        assert (reply["status"], reply["cancelled"]) == ("ok", True), name
        run.wait(5)
        freed_after_s = time.monotonic() - pressed_s
        assert run.status == "ok", f"{name}: {run.traceback}"
        ended_s = ended_after_s(each_kernel, pressed_s)
        keep_ms(f"cancel, ipykernel {each_kernel.version}: the finally ran", ended_s)
        keep_ms(f"cancel, ipykernel {each_kernel.version}: the cell was free", freed_after_s)
        assert 0 <= ended_s < ALLOWED_S, name
        assert freed_after_s < ALLOWED_S, name


def test_interrupt_in_every_kind_of_wait(each_kernel: Kernel) -> None:
    """The cell is red, and the producer's finally runs at once."""
    prepare(each_kernel)
    unshown = {f"unshown {name}": code for name, code in UNSHOWN.items()}
    for name, code in {**BLOCKING, **AWAITING, **unshown}.items():
        run = each_kernel.submit(code)
        wait_until_streaming(run)
        pressed_s = time.monotonic()
        each_kernel.interrupt()
        run.wait(5)
        freed_after_s = time.monotonic() - pressed_s
        assert run.status == "error", name
        assert run.ename in ("KeyboardInterrupt", "CancelledError"), name
        # Of a wait that is shown, only the user's own lines.
        assert "kkjupyter/notebook" not in run.traceback, name
        ended_s = ended_after_s(each_kernel, pressed_s)
        keep_ms(f"interrupt, ipykernel {each_kernel.version}: the finally ran", ended_s)
        keep_ms(f"interrupt, ipykernel {each_kernel.version}: the cell was free", freed_after_s)
        assert ended_s < ALLOWED_S, name
        # Most of this is spent on printing the traceback.
        assert freed_after_s < 3, name


def test_cancel_by_number(kernel: Kernel) -> None:
    prepare(kernel)
    kernel.run(
        "%rpc api.ticks() --background --out a\n%rpc api.ticks() --background --out b"
    ).check()
    kernel.run("from kkjupyter.notebook.run.registry import registry").check()
    numbers = value_of(kernel, "[run.number for run in registry.running()]")
    assert len(numbers) == 2
    first = kernel.control("kkjupyter_cancel", {"run_id": numbers[0]})
    assert (first["status"], first["run_id"]) == ("ok", numbers[0])
    assert (first["cancelled"], first["runs"], first["known"]) == (True, [numbers[0]], True)
    wait_until(lambda: value_of(kernel, "a.status") == "cancelled", "the first is cancelled")
    assert value_of(kernel, "b.status") == "streaming"
    again = kernel.control("kkjupyter_cancel", {"run_id": numbers[0]})
    assert (again["cancelled"], again["state"]["state"]) == (False, "cancelled")
    unknown = kernel.control("kkjupyter_cancel", {"run_id": 10**6})
    assert (unknown["cancelled"], unknown["known"], unknown["state"]) == (False, False, None)
    assert kernel.control("kkjupyter_cancel", {})["status"] == "error"


def test_a_background_stream_outlives_its_cell(kernel: Kernel) -> None:
    prepare(kernel)
    started = kernel.run("%rpc api.ticks() --background --out reply").check()
    assert value_of(kernel, "reply.status") == "streaming"
    before = value_of(kernel, "reply.count")
    wait_until(lambda: value_of(kernel, "reply.count") > before, "it goes on")
    assert "ticks()" in kernel.run("%rpc status").check().stdout
    pressed_s = time.monotonic()
    assert kernel.run("%rpc cancel").check().stdout == "cancelled ticks()\n"
    assert ended_after_s(kernel, pressed_s) < ALLOWED_S
    assert value_of(kernel, "reply.status") == "cancelled"
    # The final output went to the cell that started it.
    numbers = outputs_text(started).split()
    assert numbers[:3] == ["0", "1", "2"]


@pytest.mark.parametrize("loop", ["for", "async for"])
@pytest.mark.parametrize(
    ("source", "leave"),
    [
        ("kk.show(api.silent())", "break"),
        ("kk.show(local())", "break"),
        ("kept", "break"),
        ("kk.show(api.silent())", "1 / 0"),
    ],
)
def test_leaving_a_loop_closes_its_source(
    kernel: Kernel, loop: str, source: str, leave: str
) -> None:
    prepare(kernel)
    kept = "kept = kk.show(api.silent())\n" if source == "kept" else ""
    body = f"    left = time.monotonic()\n    {leave}"
    run = kernel.run(f"{kept}{loop} n in {source}:\n{body}")
    assert run.status == ("ok" if leave == "break" else "error")
    assert "0" in outputs_text(run)
    wait_until(lambda: value_of(kernel, "len(ended)") == 1, "the source is closed")
    assert value_of(kernel, "ended[0] - left") < ALLOWED_S
