"""A function that makes the request, in a cell: where it is called, and who waits for it."""

from __future__ import annotations

from support.kernels.kernel import Kernel, wait_until

from .endpoint import outputs_text, prepare, value_of

HELPERS = """
called_in = []
def ask():
    called_in.append(threading.current_thread().name)
    time.sleep(0.2)
    return answer()
def answer():
    called_in.append(threading.current_thread().name)
    yield from "abc"
async def aask():
    called_in.append(threading.current_thread().name)
    await asyncio.sleep(0.2)
    return aanswer()
async def aanswer():
    called_in.append(threading.current_thread().name)
    for letter in "abc":
        yield letter
"""


def test_a_function_is_called_where_its_stream_is_read(kernel: Kernel) -> None:
    prepare(kernel)
    kernel.run(HELPERS).check()
    main = value_of(kernel, "threading.main_thread().name")
    for code, threads in {
        "kk.show(ask)": {main},
        "reply = kk.show(lambda: ask()).wait()": {main},
        "for letter in kk.show(ask): pass": {main},
        "await kk.show(aask)": {main},
        "await kk.show(lambda: aask())": {main},
        "await kk.show(ask)": {"kkjupyter-ask()"},
        "_ = await kk.compare({'A': ask, 'B': aask})": {"kkjupyter-ask()", main},
    }.items():
        run = kernel.run(f"called_in.clear()\n{code}").check()
        assert "abc" in outputs_text(run).replace("\n", ""), code
        assert "after opening" not in outputs_text(run), code
        assert set(value_of(kernel, "called_in")) == threads, code
    assert value_of(kernel, "0.2 <= reply.first_item_s <= reply.elapsed_s") is True


def test_what_needs_the_kernels_loop_goes_on_after_the_cell(kernel: Kernel) -> None:
    prepare(kernel)
    kernel.run(HELPERS).check()
    kernel.run("shown = kk.show(lambda: aask())\nshown").check()
    wait_until(lambda: value_of(kernel, "shown.reply.status") == "done", "it is over")
    assert value_of(kernel, "shown.reply.text") == "abc"
    refused = kernel.run("kk.show(lambda: aask()).wait()")
    assert refused.ename == "UsageError"
    assert "write `await kk.show(...)`" in refused.evalue
    assert kernel.run("kk.show(ask)\n1 / 0").ename == "ZeroDivisionError"  # it was never called


def test_a_request_that_fails_is_the_cells_own_error(kernel: Kernel) -> None:
    prepare(kernel)
    kernel.run("def fails():\n    raise PermissionError('no key')").check()
    run = kernel.run("kk.show(fails)")
    assert (run.status, run.ename, run.evalue) == ("error", "PermissionError", "no key")
    assert "✕ PermissionError: no key" in outputs_text(run)
    assert "kkjupyter/notebook" not in run.traceback
