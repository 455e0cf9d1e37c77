"""Views and functions of the user's in a real kernel: when they raise, and when they take time."""

from __future__ import annotations

import json
import time
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

from .endpoint import outputs_text, prepare, value_of

VENDOR = "application/vnd.kkjupyter.v1+json"

VIEWS = """
import time
@kk.view("words")
def words(item):
    return item["word"] + " "

gate = threading.Event()

@kk.view("gated")
def gated(item):
    assert gate.wait(30)
    return f"{item} "

@kk.view("late")
class Late(kk.View):
    def render(self, items):
        return "".join(f"{item} " for item in items)
    def body(self, excerpt):
        time.sleep(3)
        return super().body(excerpt)

items = [{"word": "a"}, {"kind": "ping"}, {"word": "b"}]
"""


@pytest.fixture
def ready(kernel: Kernel) -> Kernel:
    prepare(kernel)
    kernel.run(VIEWS).check()
    return kernel


@pytest.mark.parametrize(
    "code",
    [
        "kk.show(iter(items), view='words')",
        "reply = kk.show(iter(items), view='words').wait()",
        "for item in kk.show(iter(items), view='words'): pass",
        "async for item in kk.show(asyncio_items(), view='words'): pass",
        "await kk.show(asyncio_items(), view='words')",
        "%rpc iter(items) --view words",
        "kk.compare({'A': iter(items), 'B': iter(items[:1])}, view='words')",
    ],
)
def test_a_view_that_raises_ends_visibly(ready: Kernel, code: str) -> None:
    ready.run("async def asyncio_items():\n    for item in items:\n        yield item\n").check()
    run = ready.run(code).check()
    [output] = [output for output in run.outputs if VENDOR in output.get("data", {})]
    assert '{"kind": "ping"}' in output["data"]["text/plain"]
    assert "not finished" not in outputs_text(run)
    shown = json.dumps(output["data"][VENDOR])
    assert "view 'words' failed at item 2: KeyError: 'word'; shown as JSON" in shown
    assert "Traceback" not in outputs_text(run)


def test_cancel_frees_a_cell_whose_view_is_busy(ready: Kernel) -> None:
    for code in (
        "kk.show(local(), view='gated')",
        "for item in kk.show(local(), view='gated'): pass",
        "await kk.show(alocal(), view='gated')",
        "kk.show(local(), pick=lambda item: gate.wait(30))",
        "%rpc api.ticks() --view gated",
    ):
        run = ready.submit(code)
        run.wait_for(lambda run=run: run.outputs)
        time.sleep(0.2)
        pressed_s = time.monotonic()
        ready.control("kkjupyter_cancel", {"all": True})
        run.wait(20)
        assert time.monotonic() - pressed_s < 8, code
        assert run.status == "ok", code
        shown = outputs_text(run)
        assert "cancelled" in shown, code
        assert "its view was still busy" in json.dumps(run.outputs), code
    ready.run("gate.set()").check()


def test_an_interrupt_frees_it_too(ready: Kernel) -> None:
    run = ready.submit("kk.show(local(), view='gated')")
    run.wait_for(lambda: run.outputs)
    time.sleep(0.2)
    pressed_s = time.monotonic()
    ready.interrupt()
    run.wait(20)
    assert time.monotonic() - pressed_s < 8
    assert (run.status, run.ename) == ("error", "KeyboardInterrupt")
    ready.run("gate.set()").check()


def test_others_go_on_and_the_magic_cancels_while_a_view_is_busy(ready: Kernel) -> None:
    ready.run("%rpc api.ticks() --background --out ticks").check()
    ready.run("%rpc api.ticks() --background --view gated --out stuck").check()
    before = value_of(ready, "ticks.count")
    wait_until(lambda: value_of(ready, "ticks.count") > before + 20, "the other stream")
    begun_s = time.monotonic()
    assert "cancelled ticks()" in ready.run("%rpc cancel").check().stdout
    assert time.monotonic() - begun_s < 8
    assert value_of(ready, "(stuck.status, ticks.status)") == ("cancelled", "streaming")
    ready.run("gate.set()\n%rpc cancel --all").check()


def test_a_cell_ends_with_its_last_output(ready: Kernel) -> None:
    for code in (
        "for item in kk.show(iter('ab'), view='late'): pass",
        "kk.show(iter('ab'), view='late')",
        "for item in kk.show(iter('abc'), view='late'):\n    if item == 'b': break",
    ):
        run = ready.run(code).check()
        [output] = [output for output in run.outputs if VENDOR in output.get("data", {})]
        assert output["data"]["text/plain"].startswith("a b "), code


def test_show_of_what_is_over(ready: Kernel) -> None:
    ready.run("from kkjupyter.notebook.run.registry import registry\nimport gc").check()
    ready.run("reply = kk.show(api.words(2)).wait()").check()
    number = value_of(ready, "registry.all()[-1].number")
    run = ready.run(f"%rpc show {number} --view late").check()
    assert "word-0" in outputs_text(run)
    ready.run("del reply").check()
    wait_until(lambda: value_of(ready, f"registry.get({number}) is None"), "it is forgotten")
    run = ready.run(f"%rpc show {number}")
    assert run.status == "error"
    assert "words(2) has ended, and its Reply was not kept" in run.evalue


def test_a_page_that_is_reloaded_asks_for_little(ready: Kernel) -> None:
    ready.run(
        "for _ in range(8): kk.show(iter(['x' * 1_000_000]), view='text').wait()", timeout_s=60
    ).check()
    size = value_of(
        ready,
        "len(__import__('json').dumps([widget.get_state() for widget in"
        " __import__('ipywidgets').widget._instances.values()], default=str))",
    )
    assert size < 500_000


def test_what_nbclient_writes_is_complete(tmp_path: Path, monkeypatch: Any) -> None:
    for name, value in jupyter_environment(tmp_path).items():
        monkeypatch.setenv(name, value)
    write_kernelspecs(tmp_path)
    cells = [
        "import threading, kkjupyter as kk" + VIEWS,
        "for item in kk.show(iter('ab'), view='late'): pass",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    NotebookClient(
        notebook, kernel_name=kernel_name(), timeout=60, store_widget_state=False
    ).execute()
    [text] = [
        output["data"]["text/plain"] for output in notebook.cells[1].outputs if "data" in output
    ]
    assert text == "a b "
