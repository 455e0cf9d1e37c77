"""The driver does what it says, in JupyterLab and in Notebook 7."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import expect
from support.browser.lab import Lab
from support.browser.traffic import Frame, Traffic

OpenNotebook = Callable[..., Lab]

STREAM = "import time\nfor i in range(20): print(i, flush=True); time.sleep(0.05)"


@pytest.mark.labs
@pytest.mark.parametrize("front_end", ["lab", "notebook"])
@pytest.mark.parametrize("kernel", [pytest.param("7.3.0", marks=pytest.mark.matrix), "7.4.0"])
def test_a_cell_runs_and_is_saved(open_notebook: OpenNotebook, kernel: str, front_end: str) -> None:
    lab = open_notebook(
        ["import ipykernel; ipykernel.__version__"], kernel=kernel, front_end=front_end
    )
    lab.run(0)
    expect(lab.output(0)).to_contain_text(kernel)
    lab.save()
    assert lab.saved().cells[0].outputs[0].data["text/plain"] == f"'{kernel}'"
    assert lab.outputs(0)[0]["output_type"] == "execute_result"
    assert lab.page_errors == []


@pytest.mark.matrix  # test_view_durable does all of it
def test_reload_reopen_restart(open_notebook: OpenNotebook, jupyter_server: object) -> None:
    lab = open_notebook(["x = 6 * 7; x", "print(x)"])
    lab.run(0)
    lab.save()
    kernel = lab.server.kernel_of(lab.name)
    lab.reload()
    assert lab.server.kernel_of(lab.name) == kernel
    lab.run(1)
    expect(lab.output(1)).to_have_text("42\n")
    lab.restart_kernel()
    lab.run(1)
    expect(lab.output(1)).to_contain_text("NameError")
    lab.reopen(with_kernel=False)
    expect(lab.output(0)).to_contain_text("42")
    assert lab.server.kernel_of(lab.name) is None
    lab.reopen()
    assert lab.server.kernel_of(lab.name) not in (None, kernel)


def test_interrupt_while_a_cell_runs(open_notebook: OpenNotebook) -> None:
    lab = open_notebook(["import time; time.sleep(30)"])
    lab.start(0)
    lab.pause(0.5)
    assert lab.is_running(0)
    started_s = time.monotonic()
    lab.interrupt_kernel()
    lab.wait(0)
    assert time.monotonic() - started_s < 10
    expect(lab.output(0)).to_contain_text("KeyboardInterrupt")


def test_a_click_on_a_widget_is_timed(open_notebook: OpenNotebook) -> None:
    lab = open_notebook(
        [
            "import time, ipywidgets\n"
            "button = ipywidgets.Button(description='Press me')\n"
            "heard = []\n"
            "button.on_click(lambda _: heard.append(time.time()))\n"
            "button",
            "time.sleep(0.3); print(*heard)",
        ]
    )
    lab.run(0)
    clicked_s = lab.click(lab.button(0, "Press me"))
    assert abs(time.time() - clicked_s) < 5
    lab.run(1)
    heard_s = float(lab.outputs(1)[0]["text"])
    assert clicked_s - 0.005 <= heard_s < clicked_s + 2
    assert lab.page_errors == []


def test_traffic_and_stalls_are_measured(open_notebook: OpenNotebook) -> None:
    lab = open_notebook([STREAM, "1"])
    lab.traffic.clear()
    with lab.watch_stalls() as stalls:
        lab.run(0)
    # Only stdout: without ipywidgets loaded, the kernel grumbles on stderr when a page connects.
    frames = [frame for frame in lab.traffic.iopub("stream") if frame.content["name"] == "stdout"]
    text = "".join(frame.content["text"] for frame in frames)
    assert text.split() == [str(i) for i in range(20)]
    assert lab.traffic.iopub_bytes("stream") > len(text)
    assert 1 <= lab.traffic.busiest_second("stream") <= len(lab.traffic.iopub("stream"))
    assert stalls[0].frames > 20
    with lab.watch_stalls() as stalls:
        lab.page.evaluate(
            "() => { setTimeout(() => {"
            "const end = performance.now() + 300; while (performance.now() < end); }, 20) }"
        )
        lab.pause(0.6)
    assert stalls[0].longest_frame_gap_ms >= 280
    assert max(stalls[0].long_tasks_ms) >= 290


def test_the_busiest_second_is_found_wherever_it_begins() -> None:
    traffic = Traffic()
    times_s = (0.0, 0.9, 1.5, 1.6, 1.7, 2.45, 4.0)
    traffic.frames = [Frame(at_s, "iopub", "stream", 1, {}) for at_s in times_s]
    traffic.frames.insert(3, Frame(1.55, "shell", "execute_reply", 1, {}))
    assert traffic.busiest_second() == 4
    assert traffic.busiest_second("display_data") == 0


def test_both_themes_and_a_narrow_window(open_notebook: OpenNotebook, tmp_path: Path) -> None:
    lab = open_notebook(["print('hello')"], theme="dark", width_px=300)
    lab.run(0)
    colour = "() => getComputedStyle(document.body).getPropertyValue('--jp-layout-color0').trim()"
    dark = lab.page.evaluate(colour)
    lab.screenshot(tmp_path / "dark.png", 0)
    lab.set_theme("light")
    assert lab.page.evaluate(colour) != dark
    lab.screenshot(tmp_path / "light.png")
    assert (tmp_path / "dark.png").read_bytes()[:4] == b"\x89PNG"
    assert lab.cell(0).bounding_box()["width"] <= 300  # type: ignore[index]


def test_run_all_and_edited_cells(open_notebook: OpenNotebook) -> None:
    lab = open_notebook(["md:# Title", "a = 1", "a + 1"])
    lab.set_source(1, "a = 41")
    lab.run_all()
    assert lab.number_of_cells() == 3
    assert lab.outputs(2)[0]["data"]["text/plain"] == "42"
    lab.inject("a = 100")
    lab.run(2)
    assert lab.outputs(2)[0]["data"]["text/plain"] == "101"
