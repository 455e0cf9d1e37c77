"""The wheel: what is in it, and that it works where nothing else is installed."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

from kkjupyter.notebook.output.assets import id_of

ROOT = Path(__file__).resolve().parent.parent.parent
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
DEMO_TEXTS = sorted(path.name for path in (ROOT / "kkjupyter/demo").glob("*.txt"))
NOTEBOOKS = sorted(path.name for path in (ROOT / "notebooks").glob("*.ipynb"))
SERVICES = sorted(path.name for path in (ROOT / "notebooks/services").glob("*.py"))


def run(*argv: str | Path, cwd: Path) -> str:
    """Run a program outside the repository; returns its output, fails with it."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "COV_"))}
    done = subprocess.run(
        argv, cwd=cwd, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    output = done.stdout.decode(errors="replace")
    assert done.returncode == 0, output
    return output


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    pip = (sys.executable, "-m", "pip", "wheel", "-qq", "--no-deps", "--no-build-isolation")
    run(*pip, "--wheel-dir", folder, ROOT, cwd=folder)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def names(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


@pytest.fixture(scope="module")
def empty_environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of a fresh environment with the wheel and what it asks for."""
    folder = tmp_path_factory.mktemp("empty")
    venv.create(folder / "venv", with_pip=True)
    scripts = folder / "venv" / "bin"
    constraints = ("--constraint", ROOT / "constraints.txt")
    run(scripts / "python", "-m", "pip", "install", "-qq", *constraints, wheel, cwd=folder)
    return scripts


def test_the_wheel_is_pure_and_named(wheel: Path) -> None:
    assert wheel.name == f"kkjupyter-{VERSION}-py3-none-any.whl"


def test_the_wheel_holds_everything(names: list[str]) -> None:
    assert NOTEBOOKS, "the repository has no notebooks"
    assert SERVICES, "the notebooks have no services"
    assert DEMO_TEXTS, "the demo has no text to learn from"
    wanted = {f"kkjupyter/notebooks/{name}" for name in NOTEBOOKS}
    wanted |= {f"kkjupyter/notebooks/services/{name}" for name in SERVICES}
    wanted |= {f"kkjupyter/demo/{name}" for name in DEMO_TEXTS}
    wanted |= {"kkjupyter/__init__.py", "kkjupyter/py.typed"}
    for path in (ROOT / "kkjupyter").rglob("*"):
        # The lab extension goes where JupyterLab looks for it.
        if path.suffix in {".py", ".js", ".css", ".txt"} and "labextension" not in path.parts:
            wanted.add(path.relative_to(ROOT).as_posix())
    assert wanted <= set(names), sorted(wanted - set(names))
    assert [name for name in names if re.fullmatch(r"kkjupyter/static/.+\.js", name)]
    assert [name for name in names if name.endswith("licenses/LICENSE")]


def test_the_wheel_holds_nothing_else(names: list[str]) -> None:
    unwanted = re.compile(
        r"(^|/)(tests?|tools|labextension|node_modules|__pycache__|\.ipynb_checkpoints)/"
        r"|\.(map|pyc|ts)$|^(?!kkjupyter/|kkjupyter-)"
    )
    assert [name for name in names if unwanted.search(name)] == []


def test_the_lab_extension_goes_where_jupyterlab_looks(wheel: Path, names: list[str]) -> None:
    folder = f"kkjupyter-{VERSION}.data/data/share/jupyter/labextensions/kkjupyter"
    source = ROOT / "kkjupyter" / "labextension"
    files = {path.relative_to(source).as_posix() for path in source.rglob("*") if path.is_file()}
    files |= {f"parts/{path.name}" for path in (ROOT / "kkjupyter" / "static").glob("*.js")}
    assert {f"{folder}/{name}" for name in files} == {n for n in names if n.startswith(folder)}
    with zipfile.ZipFile(wheel) as archive:
        description = json.loads(archive.read(f"{folder}/package.json"))
    assert (description["name"], description["version"]) == ("kkjupyter", VERSION)
    build = description["jupyterlab"]["_build"]
    assert build["load"] in files
    # Below a folder named "static" a browser would keep a file for good, whatever becomes of it.
    assert "static" not in build["load"].split("/")


def test_the_lab_extension_offers_the_parts_that_kernels_send() -> None:
    """By the same ids: then a page takes them from there and not from the kernel."""
    container = (ROOT / "kkjupyter" / "labextension" / "kkjupyter.js").read_text(encoding="utf-8")
    for path in (ROOT / "kkjupyter" / "static").glob("*.js"):
        if path.name != "widget.js":
            assert str(id_of(path)) in container, path.name


def test_the_wheel_knows_no_machine(wheel: Path) -> None:
    """No path of the machine it was built on, in any file of it."""
    # A short one, such as /src, is also a piece of other paths.
    path = re.compile(rb"(?<![\w./-])" + re.escape(str(ROOT)).encode() + rb"(?![\w.-])")
    with zipfile.ZipFile(wheel) as archive:
        found = [name for name in archive.namelist() if path.search(archive.read(name))]
    assert found == []


def test_it_imports_in_an_empty_environment(empty_environment: Path, tmp_path: Path) -> None:
    code = "import kkjupyter as kk; print(kk.__version__, kk.connect.__name__, kk.show.__name__)"
    output = run(empty_environment / "python", "-W", "error", "-c", code, cwd=tmp_path)
    assert output.split() == [VERSION, "connect", "show"]


def test_installing_puts_the_lab_extension_into_place(empty_environment: Path) -> None:
    folder = empty_environment.parent / "share" / "jupyter" / "labextensions" / "kkjupyter"
    assert (folder / "package.json").is_file()
    assert (folder / "schemas" / "kkjupyter" / "streams.json").is_file()


def test_the_metadata_are_the_package_s(empty_environment: Path, tmp_path: Path) -> None:
    code = "from importlib.metadata import version; print(version('kkjupyter'))"
    assert run(empty_environment / "python", "-c", code, cwd=tmp_path).strip() == VERSION
    run(empty_environment / "python", "-m", "pip", "check", cwd=tmp_path)


def test_the_command_explains_itself(empty_environment: Path, tmp_path: Path) -> None:
    output = run(empty_environment / "kkjupyter", "--help", cwd=tmp_path)
    for command in ("demo", "serve", "call"):
        assert command in output
        assert "usage" in run(empty_environment / "kkjupyter", command, "--help", cwd=tmp_path)


def test_the_demo_endpoint_answers(empty_environment: Path, tmp_path: Path) -> None:
    """The endpoint is in the wheel: connect and call need nothing else."""
    code = (
        "import kkjupyter as kk; s = kk.demo(); print(s.connect().countdown(3).result()); s.close()"
    )
    output = run(empty_environment / "python", "-c", code, cwd=tmp_path)
    assert output.strip() == "[3, 2, 1, 0]"
