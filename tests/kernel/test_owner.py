"""A stream belongs to the cell whose code begins it, also long after that cell's end."""

from __future__ import annotations

import pytest
from support.kernels.kernel import Kernel, Run, wait_until

from .endpoint import outputs_text, prepare, value_of

HELPERS = """
replies = []
def begin():
    shown = kk.show(api.ticks(), title="of A")
    replies.append(shown.reply)
    return shown
"""

# Each waits for `go`, which a later cell sets, and shows then.
BEGUN_BY = {
    "task": """
async def later():
    while not go.is_set():
        await asyncio.sleep(0.02)
    await begin()
task = asyncio.create_task(later())""",
    "task of a callback": """
def poll():
    if go.is_set():
        asyncio.ensure_future(start())
    else:
        asyncio.get_running_loop().call_later(0.02, poll)
async def start():
    await begin()
asyncio.get_running_loop().call_soon(poll)""",
    "thread": """
def work():
    go.wait(60)
    begin().wait()
threading.Thread(target=work, daemon=True).start()""",
    "thread of a pool": """
from concurrent.futures import ThreadPoolExecutor
def work():
    go.wait(60)
    begin().wait()
pool = ThreadPoolExecutor(1)
future = pool.submit(work)""",
    "widget": """
import ipywidgets
def clicked(button):
    replies.append(get_ipython().run_line_magic("rpc", "api.ticks() --background"))
button = ipywidgets.Button()
button.on_click(clicked)""",
}


def shows(run: Run) -> bool:
    return any("data" in output for output in run.outputs)


@pytest.mark.parametrize("kind", BEGUN_BY)
def test_it_belongs_to_the_cell_whose_code_it_is(each_kernel: Kernel, kind: str) -> None:
    kernel = each_kernel
    prepare(kernel)
    kernel.run(HELPERS, cell_id="helpers").check()
    kernel.run("go = threading.Event()", cell_id="setup").check()
    of_a = kernel.run(BEGUN_BY[kind], cell_id="A").check()
    button = kernel.run("print(button.model_id)").stdout.strip() if kind == "widget" else ""
    if kind == "widget":
        kernel.send_comm(button, {"method": "custom", "content": {"event": "click"}})
        kernel.run("pass", cell_id="B").check()
    first = kernel.run("go.set()\nawait asyncio.sleep(0.3)", cell_id="B").check()
    wait_until(lambda: shows(of_a), "the view is in the cell of its code")
    again = kernel.run("await asyncio.sleep(0.05)", cell_id="B").check()
    assert "cancelled" not in again.stdout
    for other in (first, again):
        assert not shows(other), outputs_text(other)
    assert value_of(kernel, "[reply.status for reply in replies]") == ["streaming"]
    rerun = kernel.run("pass", cell_id="A").check()
    assert "it was still streaming from this cell's earlier run" in rerun.stdout
    wait_until(lambda: value_of(kernel, "replies[0].status") == "cancelled", "it is cancelled")
    wait_until(lambda: "0" in outputs_text(of_a).split(), "the last output is there")


def test_a_cell_inside_a_cell_is_the_same_cell(kernel: Kernel) -> None:
    prepare(kernel)
    code = (
        "%rpc api.ticks() --background --out reply\nget_ipython().run_cell('1 + 1')\nreply.status"
    )
    run = kernel.run(code, cell_id="A").check()
    assert "cancelled" not in run.stdout
    assert run.result.strip("'") in ("waiting", "streaming")
    assert "cancelled" not in kernel.run("pass", cell_id="B").stdout
    rerun = kernel.run("pass", cell_id="A").check()
    assert "earlier run" in rerun.stdout


def test_what_no_cell_has_begun_belongs_to_none(kernel: Kernel) -> None:
    prepare(kernel)
    kernel.run(
        "import tempfile, importlib.util, pathlib\n"
        "path = pathlib.Path(tempfile.mkdtemp()) / 'of_a_module.py'\n"
        "path.write_text('import kkjupyter as kk, threading\\n'\n"
        "    'def start(api, replies):\\n'\n"
        "    '    def work():\\n'\n"
        "    '        shown = kk.show(api.ticks())\\n'\n"
        "    '        replies.append(shown.reply)\\n'\n"
        "    '        shown.wait()\\n'\n"
        "    '    threading.Thread(target=work, daemon=True).start()\\n')\n"
        "spec = importlib.util.spec_from_file_location('of_a_module', path)\n"
        "module = importlib.util.module_from_spec(spec)\n"
        "spec.loader.exec_module(module)\n"
        "replies = []"
    ).check()
    kernel.run("module.start(api, replies)", cell_id="A").check()
    wait_until(lambda: value_of(kernel, "len(replies)") == 1, "it has begun")
    for cell in ("A", "B", "A"):
        assert "cancelled" not in kernel.run("pass", cell_id=cell).check().stdout
    assert value_of(kernel, "replies[0].status") == "streaming"
