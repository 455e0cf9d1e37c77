"""``kkjupyter demo``: copy the notebooks and open them in JupyterLab, or run one without it."""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import secrets
import subprocess
import sys
import time
from pathlib import Path

import kkjupyter
from kkjupyter.cli.exit_codes import ExitCode
from kkjupyter.errors import UsageError
from kkjupyter.extras import load_extra

__all__ = ["copy_notebooks", "run"]

QUICKSTART = "01_quickstart.ipynb"
_LAB_START_S = 60.0
_LAB_STOP_S = 10.0
_POLL_S = 0.2


def run(options: argparse.Namespace) -> ExitCode:
    """Copy, then open or execute.

    Raises:
        UsageError: JupyterLab, or what runs a notebook without it, is not installed, or the
            directory cannot be written to.
    """
    try:
        copy_notebooks(options.dir)
    except OSError as exc:
        raise UsageError(f"cannot write to {options.dir}: {exc.strerror or exc}") from exc
    if options.headless:
        load_extra("nbformat", "demo", "kkjupyter demo --headless")
        from kkjupyter.cli.headless import execute

        return execute(options.dir / QUICKSTART, cell_timeout_s=options.cell_timeout)
    if importlib.util.find_spec("jupyterlab") is None:
        raise UsageError(
            "JupyterLab is not installed: python -m pip install jupyterlab\n"
            "(or watch the notebook run in this terminal: kkjupyter demo --headless)"
        )
    return _run_lab(options)


def notebooks() -> list[Path]:
    """The notebooks of this installation, or of the source checkout it runs from."""
    package = Path(next(iter(kkjupyter.__path__)))
    for folder in (package / "notebooks", package.parent / "notebooks"):
        if found := sorted(folder.glob("[0-9]*.ipynb")):
            return found
    raise UsageError("the notebooks are missing from this installation; install kkjupyter again")


def copy_notebooks(directory: Path) -> None:
    """Copy the notebooks, and the modules they import, to ``directory``.

    An existing file is never changed.
    """
    sources = notebooks()
    folder = sources[0].parent
    sources += sorted(folder.glob("services/*.py"))
    for source in sources:
        target = directory / source.relative_to(folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            with target.open("xb") as file:
                file.write(source.read_bytes())
        except FileExistsError:
            changed = target.read_bytes() != source.read_bytes()
            note = " (differs from the one in this version)" if changed else ""
            print(f"kept {target}{note}")
        else:
            print(f"copied {target}")


def _run_lab(options: argparse.Namespace) -> ExitCode:
    directory = options.dir.resolve()
    argv = [sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={directory}"]
    argv += [f"--LabApp.default_url=/lab/tree/{QUICKSTART}", "--Application.log_level=WARN"]
    argv += ["--ServerApp.answer_yes=True"]  # one Ctrl-C is enough
    if options.port is not None:
        argv.append(f"--ServerApp.port={options.port}")
    if options.no_browser or not _has_display():
        argv.append("--no-browser")
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        argv.append("--allow-root")  # in a container; the server listens on loopback only
    # Through the environment, because everybody on the machine can read a command line.
    environment = {**os.environ, "JUPYTER_TOKEN": secrets.token_hex(24)}
    started_s = time.time()
    with subprocess.Popen(argv, env=environment) as lab:
        try:
            url = _wait_for_url(lab, directory, started_s)
            if url:
                print(f"\nJupyterLab: {url}\nCtrl-C stops it\n", flush=True)
            code = lab.wait()
        except KeyboardInterrupt:
            code = _stopped(lab)
        except BaseException:
            lab.terminate()
            raise
    return ExitCode.OK if code == 0 else ExitCode.FAILED


def _wait_for_url(lab: subprocess.Popen[bytes], directory: Path, started_s: float) -> str | None:
    """The address of the server just started, with its token; None if it does not start.

    A server writes its address into a file in the runtime directory. Only that file has the right
    port, because the server may use another than it was given.
    """
    from jupyter_core.paths import jupyter_runtime_dir

    deadline_s = time.monotonic() + _LAB_START_S
    while lab.poll() is None and time.monotonic() < deadline_s:
        for file in Path(jupyter_runtime_dir()).glob("jpserver-*.json"):
            try:
                if file.stat().st_mtime < started_s - 2:  # some file systems round to 2 s
                    continue
                server = json.loads(file.read_text(encoding="utf-8"))
            except (OSError, ValueError):
                continue  # just being written, or just removed
            if Path(server["root_dir"]).resolve() == directory:
                return f"{server['url']}lab/tree/{QUICKSTART}?token={server['token']}"
        time.sleep(_POLL_S)
    return None


def _stopped(lab: subprocess.Popen[bytes]) -> int:
    """Wait for the end of a server that got the same Ctrl-C."""
    try:
        lab.wait(_LAB_STOP_S)
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        lab.terminate()
        lab.wait()
    return 0


def _has_display() -> bool:
    """Whether a browser could show a window; a text browser would take the terminal."""
    if sys.platform in ("win32", "darwin"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
