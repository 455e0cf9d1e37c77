"""What a user types into cells, and what the cells show, in a real kernel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from support.kernels.kernel import (
    Kernel,
    jupyter_environment,
    kernel_name,
    wait_until,
    write_kernelspecs,
)

from .endpoint import SETUP, outputs_text, prepare, value_of

VENDOR = "application/vnd.kkjupyter.v1+json"
WIDGET = "application/vnd.jupyter.widget-view+json"


def kinds(run: Any) -> list[str]:
    return [output["output_type"] for output in run.outputs]


def items_shown(text: str) -> list[int]:
    """The numbers among the lines of a static output."""
    return [int(line) for line in text.splitlines() if line.isdecimal()]


# --- the last line ---


@pytest.mark.parametrize("before", ["", "await asyncio.sleep(0)\n"])
def test_a_unary_call_as_the_last_line_is_its_value(kernel: Kernel, before: str) -> None:
    prepare(kernel)
    run = kernel.run(f"{before}api.add(1, 2)").check()
    assert run.result == "3"
    assert kinds(run) == ["execute_result"]
    assert kernel.run("_ + 1").result == "4"
    assert kernel.run(f"{before}api.nothing()").check().outputs == []
    run = kernel.run(f"{before}api.boom()")
    assert (run.status, run.ename) == ("error", "RemoteError")
    assert kinds(run) == ["error"]


def test_half_a_character_from_the_other_side_is_shown_not_lost(kernel: Kernel) -> None:
    """``"😀"[0]`` cannot be encoded: a kernel that is to send it sends nothing."""
    prepare(kernel)
    run = kernel.run("api.half_error()")
    assert (run.status, run.ename, run.evalue) == ("error", "RemoteError", "ValueError: \ufffd")
    assert kinds(run) == ["error"]
    run = kernel.run("%rpc api.half_error() --no-raise --out reply").check()
    assert "ValueError: \ufffd" in outputs_text(run)
    assert "ValueError: \ufffd" in str(kernel.run("reply").check().result)
    for view in ("json", "table", "plot"):
        run = kernel.run(f"%rpc api.halves() --view {view}").check()
        [output] = run.outputs
        assert VENDOR in output["data"]


def test_the_last_line_on_each_kernel(each_kernel: Kernel) -> None:
    prepare(each_kernel)
    assert each_kernel.run("api.add(1, 2)").check().result == "3"
    run = each_kernel.run("api.countdown(2)").check()
    assert kinds(run) == ["display_data"]
    assert outputs_text(run).split() == ["2", "1", "0"]
    assert each_kernel.run("_.items").result == "[2, 1, 0]"
    run = each_kernel.run("api.failing()")
    assert (run.status, run.ename) == ("error", "RemoteError")
    assert each_kernel.run("%rpc api.nothin(").status == "error"


@pytest.mark.parametrize(
    "code",
    [
        "api.countdown(3)",
        "%rpc api.countdown(3)",
        "kk.show(api.countdown(3))",
        "await kk.show(api.countdown(3))",
        "kk.show(api.countdown(3)).wait()",
    ],
)
def test_a_stream_as_the_last_line_is_a_view_and_leaves_a_reply(kernel: Kernel, code: str) -> None:
    prepare(kernel)
    run = kernel.run(code).check()
    assert kinds(run) == ["display_data"], run.outputs
    data = run.outputs[0]["data"]
    assert data["text/plain"].split() == ["3", "2", "1", "0"]
    assert data[VENDOR]["state"] == "done"
    assert WIDGET not in data
    first = next(m for _, m in run.messages if m["msg_type"] == "display_data")
    assert WIDGET in first["content"]["data"]
    assert "text/plain" in first["content"]["data"]
    assert kernel.run("_.items, type(_).__name__").result == "([3, 2, 1, 0], 'Reply')"
    assert value_of(kernel, "[type(value).__name__ for value in Out.values()]")[0] == "Reply"


def test_nothing_is_shown_twice(kernel: Kernel) -> None:
    prepare(kernel)
    run = kernel.run("r = %rpc api.countdown(2)").check()
    assert kinds(run) == ["display_data"]
    run = kernel.run("r").check()
    assert kinds(run) == ["execute_result"]
    assert run.result.startswith("<Reply countdown(2): done, 3 items")
    assert kernel.run("v = %rpc api.add(1, 2)\nprint(v)").check().outputs == [
        {"output_type": "stream", "name": "stdout", "text": "3\n"}
    ]
    assert kernel.run("api.add(1, 2);").check().outputs == []


def test_the_first_cell_that_shows_needs_no_extension(kernel: Kernel) -> None:
    run = kernel.run("import kkjupyter as kk\nkk.show(iter(['a', 'b']))").check()
    assert outputs_text(run) == "ab"
    assert kernel.run("_.text").result == "'ab'"


def test_an_async_iterable_as_the_last_line_goes_on_after_the_cell(kernel: Kernel) -> None:
    """It is driven by the very loop that a waiting cell would stop."""
    prepare(kernel)
    kernel.run(
        "async def slowly():\n"
        "    for n in range(5):\n"
        "        await asyncio.sleep(0.05)\n"
        "        yield n"
    )
    run = kernel.run("kk.show(slowly())").check()
    wait_until(lambda: "4" in outputs_text(run), "the view goes on")
    assert run.outputs[0]["data"][VENDOR]["state"] == "done"
    assert "await kk.show" in str(run.outputs[0]["data"][VENDOR]["notes"])
    run = kernel.run("(await kk.show(slowly())).items").check()
    assert run.result == "[0, 1, 2, 3, 4]"


def test_loops_over_show(kernel: Kernel) -> None:
    prepare(kernel)
    for loop, source in [
        ("for", "api.countdown(3)"),
        ("async for", "api.countdown(3)"),
        ("for", "iter([3, 2, 1, 0])"),
        ("async for", "iter([3, 2, 1, 0])"),
    ]:
        run = kernel.run(
            f"got = []\n{loop} n in kk.show({source}):\n    got.append(n)\ngot"
        ).check()
        assert run.result == "[3, 2, 1, 0]"
        assert outputs_text(run).split("\n[")[0].split() == ["3", "2", "1", "0"]
        assert run.outputs[0]["data"][VENDOR]["state"] == "done"
    run = kernel.run("for n in kk.show(api.failing()): pass")
    assert (run.status, run.ename) == ("error", "RemoteError")
    assert run.outputs[0]["data"][VENDOR]["state"] == "failed"


# --- the magics ---


def test_options_of_a_call(kernel: Kernel) -> None:
    prepare(kernel)
    run = kernel.run("%rpc api.ticks() --take 20 --out reply").check()
    assert value_of(kernel, "reply.items") == list(range(20))
    assert run.outputs[0]["data"][VENDOR]["state"] == "done"
    assert "--take 20" in str(run.outputs[0]["data"][VENDOR]["notes"])
    kernel.run("%rpc api.countdown(5) --take 2 --out reply").check()
    assert value_of(kernel, "(reply.items, reply.status)") == ([5, 4], "done")
    kernel.run("%rpc api.ticks() --for 0.3 --out reply").check()
    assert 5 < value_of(kernel, "reply.count") < 60
    assert value_of(kernel, "len(ended)") == 2

    run = kernel.run("%rpc api.failing() --no-raise --out reply").check()
    assert run.outputs[0]["data"][VENDOR]["state"] == "failed"
    assert value_of(kernel, "(reply.items, reply.status)") == ([1, 2], "failed")
    assert kernel.run("str(reply.error)").result == "'ValueError: something went wrong'"
    kernel.run("%rpc api.boom() --no-raise --out reply").check()
    assert value_of(kernel, "reply.status") == "failed"

    run = kernel.run("%rpc api.slow(5) --timeout 0.3")
    assert run.ename == "CallTimeout"
    run = kernel.run("%rpc api.words(3) --view json").check()
    assert outputs_text(run).splitlines() == ['"word-0 "', '"word-1 "', '"word-2 "']


def test_no_expansion_in_prompts(kernel: Kernel) -> None:
    prepare(kernel)
    kernel.run(
        "x = 5\ntopic = 'rain'\nclass Echo:\n    def echo(self, *a, **k): return [list(a), k]\n"
        "echo = kk.serve(Echo()).connect()"
    ).check()
    for argument, value in [
        ("'$x'", "$x"),
        ("'{x}'", "{x}"),
        ("'{{'", "{{"),
        ("f'{x}'", "5"),
        ("{'a': x}", {"a": 5}),
    ]:
        assert value_of(
            kernel, f"get_ipython().run_line_magic('rpc', {f'echo.echo({argument})'!r})"
        )[0] == [value]
        run = kernel.run(f"r = %rpc echo.echo({argument})  # a comment --view json").check()
        assert value_of(kernel, "r")[0] == [value]
    kernel.run("def f():\n    loc = 7\n    r = %rpc echo.echo([loc for _ in 'ab'])\n    return r")
    assert value_of(kernel, "f()")[0] == [[7, 7]]
    kernel.run("def g():\n    loc = 8\n    r = %rpc echo.echo(loc)\n    return r")
    assert value_of(kernel, "g()")[0] == [8]

    run = kernel.run('%%rpc echo.echo(1)\nExplain {topic} $x\nin "one" line\n').check()
    assert value_of(kernel, "_[0]") == [1, 'Explain {topic} $x\nin "one" line']
    kernel.run("%%rpc echo.echo() --interpolate\nExplain {topic}, {{topic}} and {}\n").check()
    assert value_of(kernel, "_[0]") == ["Explain rain, {{topic}} and {}"]
    assert run.status == "ok"


def test_errors_are_red_and_short(kernel: Kernel) -> None:
    prepare(kernel)
    for code, text in [
        ("%rpc api.countdown(", "'(' was never closed"),
        ("%rpc api.countdown(3) --veiw json", "did you mean '--view'"),
        ("%rpc api.countdown(3) --view jsn", "did you mean 'json'"),
        ("%rpc aip.countdown(3)", "did you mean 'api'"),
        ("%rpc api.countdown", "api.countdown is not called yet"),
        ("%rpc asyncio.sleep(1)", "a coroutine"),
        ("%rpc show 999", "unknown stream 999"),
        ("%rpc close nothing", "is not a connection"),
        ("%rpc connect nonsense", "is not a URL"),
        ("%rpc connect demo as class", "'class' cannot be the name of a variable"),
        ("%rpc connect ws://127.0.0.1:1 as other", "cannot connect to ws://127.0.0.1:1"),
        ("%rpc connect ws://h --header 'X-Key: hunter2'", "--token-env"),
        ("%rpc connect ws://h as h --token-env NO_SUCH_VARIABLE", "is not set in this kernel"),
        ("%rpc connect ws://127.0.0.1:1 as h --token-ask", "--token-env"),
        ("Api = 1\n%rpc connect demo as Api", "is already a variable of yours"),
        ("%rpc trac on", "unknown command 'trac'; did you mean 'trace'"),
        ("%rpc trace sideways", "write `%rpc trace on [NAME]`"),
        ("%rpc x = api.add(1, 2)", "x = %rpc api.add(1, 2)"),
    ]:
        run = kernel.run(code)
        assert run.status == "error", code
        assert text in run.evalue, (code, run.evalue)
        assert "Traceback (most recent call last)" not in run.traceback, run.traceback
        assert "run_line_magic" not in run.traceback
        assert "hunter2" not in run.traceback

    run = kernel.run("%rpc api.failing()")
    assert "ValueError: something went wrong" in run.traceback
    assert "on the remote side" in run.traceback
    assert "run_line_magic" not in run.traceback
    assert run.traceback.count("something went wrong") == 2  # the message, and in the peer's stack

    run = kernel.run("def mine():\n    return list(api.failing())\nmine()")
    assert "failing" in run.traceback
    assert "CallIterator" not in run.traceback
    assert "call.py" not in run.traceback

    run = kernel.run("%rpc api.add(1/0, 2)")
    assert run.ename == "ZeroDivisionError"


def test_a_call_may_go_over_several_lines(kernel: Kernel) -> None:
    prepare(kernel)
    run = kernel.run("%rpc api.add(\n    1,  # one\n    2,\n)").check()
    assert run.result == "3"
    code = (
        "def f():\n    one = 1\n    r = %rpc api.add(\n      one,\n      2)\n    return r + 1\nf()"
    )
    assert kernel.run(code).check().result == "4"
    assert "'(' was never closed" in kernel.run("%rpc api.add(\nx = 1").evalue
    assert kernel.run("r = %rpc api.add(1, 2);\nr").check().result == "3"


def test_connect_reuses_replaces_and_overwrites_nothing(kernel: Kernel) -> None:
    kernel.run("%load_ext kkjupyter").check()
    first = kernel.run("%rpc connect demo").check().stdout
    assert first.startswith("api is connected: ws://127.0.0.1:")
    kernel.run("before = api").check()
    assert kernel.run("%rpc connect demo as api").check().stdout == first
    assert kernel.run("api is before").result == "True"
    kernel.run("%rpc api.ticks() --background --out reply").check()
    replaced = kernel.run("%rpc connect demo as api --codec json").check().stdout
    assert "ended: ticks()" in replaced
    assert kernel.run("api is before").result == "False"
    assert value_of(kernel, "reply.status") in ("failed", "cancelled")
    kernel.run("mine = 1")
    assert kernel.run("%rpc connect demo as mine").status == "error"
    assert value_of(kernel, "mine") == 1
    kernel.run("%rpc connect demo as mine --force").check()
    assert "countdown" in outputs_text(kernel.run("mine"))
    assert kernel.run("%rpc close mine").check().stdout.startswith("mine is closed")
    assert kernel.run("%rpc close mine").check().stdout == "mine is already closed\n"
    assert kernel.run("%rpc connect demo as mine").check().stdout.startswith("mine is connected")
    assert kernel.run("%rpc mine.add(1, 2)").check().result == "3"


def test_status_show_and_help(kernel: Kernel) -> None:
    prepare(kernel)
    kernel.run(
        "from kkjupyter.notebook.run.registry import registry\n%rpc api.countdown(2)"
    ).check()
    kernel.run("number = registry.all()[-1].number").check()
    kernel.run("get_ipython().run_line_magic('rpc', f'show {number}')").check()
    again = kernel.run("get_ipython().run_line_magic('rpc', f'show {number}')").check()
    assert outputs_text(again).split() == ["2", "1", "0"]
    kernel.run("%rpc api.ticks() --background --out reply").check()
    run = kernel.run("%rpc status").check()
    assert "ticks()" in run.stdout
    assert "examples:" in kernel.run("%rpc").check().stdout
    assert "as NAME" in kernel.run("%rpc connect --help").check().stdout
    assert kernel.run("%rpc cancel --all").check().stdout == "cancelled ticks()\n"
    assert kernel.run("%rpc cancel").check().stdout == "nothing is streaming\n"


def test_a_second_view_of_a_running_stream_has_all_that_came(kernel: Kernel) -> None:
    prepare(kernel)
    kernel.run("%rpc api.ticks() --background --out reply").check()
    number = kernel.run("%rpc status").stdout
    run_id = next(
        word for word in number.split() if word.isdecimal() and f" {word}  ticks" in number
    )
    wait_until(lambda: value_of(kernel, "reply.count") > 10, "it streams")
    second = kernel.run(f"%rpc show {run_id}").check()
    kernel.run(f"%rpc cancel {run_id}").check()
    wait_until(lambda: VENDOR in second.outputs[0]["data"], "its final output")
    numbers = items_shown(second.outputs[0]["data"]["text/plain"])
    assert numbers == list(range(len(numbers)))
    assert len(numbers) == value_of(kernel, "reply.count")


def test_completion(kernel: Kernel) -> None:
    prepare(kernel)
    assert {"connect", "cancel"} <= set(kernel.complete("%rpc c"))
    assert "--view" in kernel.complete("%rpc api.countdown(3) --v")
    assert {"json", "text", "auto"} <= set(kernel.complete("%rpc api.countdown(3) --view "))
    assert "api" in kernel.complete("%rpc close a")
    assert "api" in kernel.complete("%rpc ap")
    assert "--force" in kernel.complete("%rpc connect demo as api --f")
    names = kernel.complete("%rpc api.coun")
    assert any(name.endswith("countdown") for name in names), names


def test_reload_and_unload(kernel: Kernel) -> None:
    prepare(kernel)
    kernel.run("%rpc connect demo as demo_api\n%rpc api.ticks() --background --out reply").check()
    kernel.run("%reload_ext kkjupyter").check()
    assert kernel.run("%rpc demo_api.add(1, 2)").check().result == "3"
    assert kernel.run("%rpc api.countdown(1)").check().outputs
    count = value_of(kernel, "reply.count")
    wait_until(lambda: value_of(kernel, "reply.count") > count, "it goes on")
    assert "is connected" in kernel.run("%rpc connect demo as demo_api").check().stdout
    kernel.run("%unload_ext kkjupyter").check()
    wait_until(lambda: value_of(kernel, "reply.status") == "cancelled", "unload cancels")
    assert "not found" in outputs_text(kernel.run("%rpc status"))
    assert kernel.run("demo_api.add(1, 2)").ename == "UsageError"
    assert (
        kernel.run("'kkjupyter_cancel' in get_ipython().kernel.control_handlers").result == "False"
    )
    assert kernel.run("type(get_ipython().display_trap.hook).__name__").result != "'LastLine'"
    assert kernel.run("41 + 1").result == "42"


# --- a stream belongs to its cell ---


def test_running_a_cell_again_cancels_its_earlier_stream(each_kernel: Kernel) -> None:
    kernel = each_kernel
    prepare(kernel)
    code = "%rpc api.ticks() --background --out reply"
    kernel.run(code, cell_id="one").check()
    kernel.run("first = reply").check()
    other = kernel.run("%rpc api.ticks() --background --out other --keep", cell_id="two").check()
    assert other.stdout == ""
    again = kernel.run(code, cell_id="one").check()
    assert (
        again.stdout == "cancelled ticks(): it was still streaming from this cell's earlier run\n"
    )
    wait_until(lambda: value_of(kernel, "first.status") == "cancelled", "the first is cancelled")
    assert value_of(kernel, "reply.status") == "streaming"
    assert kernel.run("1", cell_id="two").check().stdout == ""
    assert value_of(kernel, "other.status") == "streaming"


def test_without_cell_ids_the_new_view_says_so(kernel: Kernel) -> None:
    prepare(kernel)
    code = "%rpc api.ticks() --background --out reply"
    kernel.run(code).check()
    again = kernel.run(code).check()
    kernel.run("%rpc cancel --all").check()
    assert "an earlier run is still streaming" in str(again.outputs[0]["data"][VENDOR]["notes"])


# --- executed without a front end ---


def test_an_executed_notebook_holds_everything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = jupyter_environment(tmp_path)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    write_kernelspecs(tmp_path)
    cells = [
        SETUP,
        "%rpc api.words(2000)",
        "api.countdown(3)",
        "for n in kk.show(api.ticks()):\n    if n == 30: break",
        "%rpc api.ticks() --take 5",
        "kk.show(iter(['a', 'b']))",
        "await kk.show(api.countdown(1))",
        "%rpc show 1",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    client = NotebookClient(
        notebook,
        kernel_name=kernel_name(),
        timeout=60,
        store_widget_state=False,
        coalesce_streams=True,
    )
    client.execute()
    texts = [
        "".join(output.get("data", {}).get("text/plain", "") for output in cell.outputs)
        for cell in notebook.cells
    ]
    assert texts[1].split() == [f"word-{n}" for n in range(2000)]
    assert texts[2].split() == ["3", "2", "1", "0"]
    assert items_shown(texts[3]) == list(range(31))
    assert items_shown(texts[4]) == list(range(5))
    assert texts[5] == "ab"
    assert texts[6].split()[:2] == ["1", "0"]
    assert texts[7] == texts[1]
    for cell in notebook.cells[1:]:
        assert all(WIDGET not in output.get("data", {}) for output in cell.outputs)
