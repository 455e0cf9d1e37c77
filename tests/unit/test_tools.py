"""The runner of the checks: failed steps, where a browser comes from, figures."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

TOOLS = Path(__file__).resolve().parent.parent.parent / "tools"


@pytest.fixture
def tools(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Its modules, as attributes of one object."""
    monkeypatch.syspath_prepend(str(TOOLS))
    import check  # type: ignore[import-not-found]

    yield check
    for name in ("check", "chromium", "figures", "setup_machine"):
        sys.modules.pop(name, None)


# ---- the steps


def fail(tools: Any, why: str) -> None:
    raise tools.StepFailed(why)


def test_a_failed_step_ends_only_what_needs_it(
    tools: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ran: list[str] = []
    step = tools.Step
    steps = (
        step("chromium", lambda: fail(tools, "install one, or name it")),
        step("unit", lambda: ran.append("unit")),
        step("browser", lambda: ran.append("browser"), needs=("chromium",)),
        step("pictures", lambda: ran.append("pictures"), needs=("browser",)),
        step("packaging", lambda: ran.append("packaging")),
    )
    monkeypatch.setattr(tools, "STEPS", steps)
    monkeypatch.setattr(tools.figures, "FOLDER", tmp_path)
    monkeypatch.setattr(tools.machine, "environment", dict)
    monkeypatch.setattr(sys, "argv", ["check.py"])
    monkeypatch.setenv("KK_FIGURES", "")
    assert tools.main() == 1
    assert ran == ["unit", "packaging"]
    said = capsys.readouterr().out
    assert "browser: not run: it needs chromium, which failed" in said
    assert "chromium: install one, or name it" in said.split("==> packaging")[1]
    assert "2 steps passed, 3 FAILED (chromium, browser, pictures)" in said


def test_every_need_is_a_step_that_comes_before(tools: Any) -> None:
    before: set[str] = set()
    for step in (*tools.STEPS, *tools.EXTRA_STEPS):
        assert set(step.needs) <= before, step.name
        before.add(step.name)


def test_a_step_that_is_named_brings_what_it_needs_and_what_that_needs(tools: Any) -> None:
    names = [step.name for step in tools.select(["tsc", "committed-build", "ruff"])]
    assert names == ["node", "npm-frontend", "build", "committed-build", "ruff", "tsc"]
    assert tools.select([]) == list(tools.STEPS)
    with pytest.raises(SystemExit, match="unknown check 'tcs'; there are: node, "):
        tools.select(["tcs"])


def test_the_matrix_runs_all_of_its_steps(tools: Any) -> None:
    makefile = (TOOLS.parent / "Makefile").read_text()
    recipe = makefile.split("test-matrix: ")[1].split("\n\n")[0]
    assert {step.name for step in tools.MATRIX_STEPS} <= set(recipe.split())


def test_an_older_jupyterlab_is_all_that_is_older(
    tools: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[tuple[str, ...]] = []
    read: list[str] = []

    def make(folder: Path, _base: Path, *wanted: str, constraints: Path) -> Path:
        asked.append(wanted)
        read.extend(constraints.read_text().splitlines())
        return folder / "bin" / "python"

    monkeypatch.setattr(tools.machine, "LABS_DIR", tmp_path)
    monkeypatch.setattr(tools.machine, "_make_venv", make)
    assert tools.machine.make_lab_venv("4.2.7") == tmp_path / "4.2.7" / "bin" / "python"
    assert {"jupyterlab==4.2.7", "notebook==7.2.3"} <= set(asked[0])
    pinned = {line.split("==")[0] for line in read}
    assert {"jupyter_server", "anywidget", "ipykernel"} <= pinned
    assert not {"jupyterlab", "notebook"} & pinned


# ---- the browser


@pytest.fixture
def browser(tools: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """tools/chromium.py on a machine with nothing, where nothing can be brought."""
    chromium = tools.chromium

    def refuse(name: str) -> Any:
        def bring() -> str:
            raise chromium._NotBrought(f"{name}: no")

        return bring

    for find in ("_of_the_system", "_of_playwright", "_brought_before"):
        monkeypatch.setattr(chromium, find, lambda: None)
    for bring in ("_by_apt", "_by_playwright", "_by_npm"):
        monkeypatch.setattr(chromium, bring, refuse(bring))
    monkeypatch.setattr(chromium, "_version", lambda path: "Chromium 1")
    monkeypatch.setattr(
        chromium, "_problem", lambda path: "opened no page" if "broken" in path else ""
    )
    monkeypatch.setenv("KK_CHROMIUM", "")
    return chromium


@pytest.mark.parametrize(
    ("way", "path"),
    [
        ("_of_the_system", "/usr/bin/chromium"),
        ("_of_playwright", "/cache/chrome"),
        ("_brought_before", "/here/browser"),
        ("_by_apt", "/usr/bin/chromium"),
        ("_by_playwright", "/cache/chrome"),
        ("_by_npm", "/here/browser"),
    ],
)
@pytest.mark.parametrize("is_root", [True, False])
@pytest.mark.parametrize("ci", ["1", ""])
def test_each_way_to_a_browser(
    browser: Any, monkeypatch: pytest.MonkeyPatch, way: str, path: str, is_root: bool, ci: str
) -> None:
    """The same, root or not, on a build server or not."""
    monkeypatch.setenv("CI", ci)
    monkeypatch.setattr(browser.os, "geteuid", lambda: 0 if is_root else 1000)
    monkeypatch.setattr(browser, way, lambda: path)
    browser.setup()
    assert browser.os.environ["KK_CHROMIUM"] == path


def test_a_browser_that_does_not_start_is_passed_over(
    browser: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(browser, "_of_the_system", lambda: "/snap/broken")
    monkeypatch.setattr(browser, "_by_npm", lambda: "/here/browser")
    browser.setup()
    assert browser.os.environ["KK_CHROMIUM"] == "/here/browser"


def test_without_any_it_says_what_to_do(browser: Any, tools: Any) -> None:
    with pytest.raises(tools.machine.SetupFailed) as failed:
        browser.setup()
    said = str(failed.value)
    assert "apt-get install chromium" in said
    assert "KK_CHROMIUM=/path/to/chrome" in said
    assert all(f"{way}: no" in said for way in ("_by_apt", "_by_playwright", "_by_npm"))


def test_one_that_is_named_is_taken_or_refused(
    browser: Any, tools: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(browser, "_of_the_system", lambda: "/usr/bin/chromium")
    monkeypatch.setenv("KK_CHROMIUM", "/my/chrome")
    browser.setup()
    assert browser.os.environ["KK_CHROMIUM"] == "/my/chrome"
    monkeypatch.setenv("KK_CHROMIUM", "/my/broken")
    with pytest.raises(tools.machine.SetupFailed, match="KK_CHROMIUM names /my/broken"):
        browser.setup()


# ---- figures


def test_figures_are_gathered_and_compared(
    tools: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    figures = tools.figures
    noted = tmp_path / "run.jsonl"
    lines = [("cancel", 30.0), ("cancel", 10.0), ("cancel", 20.0), ("tiny", 1.9), ("new", 5.0)]
    noted.write_text("".join(json.dumps({"name": n, "ms": ms}) + "\n" for n, ms in lines))
    gathered = figures.gather(noted)
    content = json.loads(gathered.read_text())["figures"]
    assert content["cancel"] == {"median_ms": 20.0, "max_ms": 30.0, "tries": 3}
    baseline = tmp_path / "baseline.json"
    monkeypatch.setattr(figures, "BASELINE", baseline)
    assert figures.compare(gathered) == []  # there is none yet
    for cancel_ms, warnings in [
        (10.0, ["slower: cancel: 20 ms, 2.0 times the baseline"]),
        (14.0, []),
    ]:
        was = {"cancel": {"median_ms": cancel_ms}, "tiny": {"median_ms": 0.1}, "gone": {}}
        baseline.write_text(json.dumps({"figures": was}))
        assert figures.compare(gathered) == warnings


def test_no_figures_are_no_fault(tools: Any, tmp_path: Path) -> None:
    assert tools.figures.gather(tmp_path / "run.jsonl") is None


def test_what_tests_keep_is_what_is_gathered(
    tools: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from support.figures import keep_ms

    monkeypatch.setenv("KK_FIGURES", str(tmp_path / "run.jsonl"))
    keep_ms("cancel", 0.0123)
    gathered = tools.figures.gather(tmp_path / "run.jsonl")
    assert json.loads(gathered.read_text())["figures"]["cancel"]["median_ms"] == 12.3
