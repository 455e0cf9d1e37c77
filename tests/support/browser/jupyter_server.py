"""A Jupyter server of the tests' own: JupyterLab and Notebook 7 on one free loopback port."""

from __future__ import annotations

import importlib.util
import json
import secrets
import shutil
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, Literal, Self

import nbformat

from support.kernels.kernel import (
    NEWEST,
    jupyter_environment,
    kernel_name,
    wait_until,
    write_kernelspecs,
)

__all__ = ["FrontEnd", "JupyterServer", "make_notebook"]

FrontEnd = Literal["lab", "notebook"]

# What would make a test depend on the network or on a clock.
_SETTINGS: Final[dict[str, dict[str, Any]]] = {
    "@jupyterlab/apputils-extension/notification": {
        "fetchNews": "false",
        "checkForUpdates": False,
        "doNotDisturbMode": True,
    },
    "@jupyterlab/docmanager-extension/plugin": {"autosave": False},
}


def make_notebook(cells: Sequence[str], kernel: str = NEWEST) -> nbformat.NotebookNode:
    """A notebook of code cells (``md:`` at the start: a Markdown cell) for a kernel version."""
    notebook: nbformat.NotebookNode = nbformat.v4.new_notebook()
    notebook.metadata["kernelspec"] = {
        "name": kernel_name(kernel),
        "display_name": kernel_name(kernel),
        "language": "python",
    }
    notebook.cells = [
        nbformat.v4.new_markdown_cell(cell.removeprefix("md:"))
        if cell.startswith("md:")
        else nbformat.v4.new_code_cell(cell)
        for cell in cells
    ]
    return notebook


class JupyterServer:
    """The server process, and what the tests ask of it over HTTP. A context manager."""

    def __init__(self, process: subprocess.Popen[bytes], home: Path, info: Mapping[str, Any]):
        self._process = process
        self.home = home
        #: The folder the server shows; kernels run in it, too.
        self.root = home / "notebooks"
        #: For example ``http://127.0.0.1:41234``, without a slash at the end.
        self.url = f"http://127.0.0.1:{info['port']}"
        self.token = str(info["token"])
        self._errands = ThreadPoolExecutor(max_workers=1, thread_name_prefix="kernels-end")
        self._sent: list[Future[None]] = []

    @classmethod
    def start(
        cls,
        home: Path,
        env: Mapping[str, str] | None = None,
        *,
        lab_extension: bool = False,
        python: Path = Path(sys.executable),
    ) -> JupyterServer:
        """Start a server with all its files below ``home``; returns when it answers.

        Args:
            home: an empty folder.
            env: more environment variables.
            lab_extension: whether this project's lab extension is enabled; it is there anyway.
            python: whose JupyterLab and Notebook; kernels are the tests' own in any case.

        Raises:
            RuntimeError: it ended at once; the text holds the end of its log.
        """
        write_kernelspecs(home)
        root = home / "notebooks"
        root.mkdir(exist_ok=True)
        for name, settings in _SETTINGS.items():
            path = home / "lab-settings" / f"{name}.jupyterlab-settings"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(settings))
        _put_lab_extension(home)
        if not lab_extension:
            _disable_lab_extension(home)
        log_path = home / "server.log"
        argv = [
            *(str(python), "-m", "jupyterlab", "--no-browser", "--allow-root"),
            *("--expose-app-in-browser", "--JupyterNotebookApp.expose_app_in_browser=True"),
            f"--ServerApp.root_dir={root}",
            "--ServerApp.ip=127.0.0.1",
            f"--ServerApp.port={_free_port()}",
        ]
        environment = {
            **jupyter_environment(home),
            **(env or {}),
            # In the environment and not in argv, where every user of the machine could read it.
            "JUPYTER_TOKEN": secrets.token_hex(16),
        }
        with log_path.open("wb") as log:
            process = subprocess.Popen(
                argv, env=environment, cwd=root, stdout=log, stderr=subprocess.STDOUT
            )
        # If the port was taken meanwhile the server chose another: this file says which.
        info_path = home / "runtime" / f"jpserver-{process.pid}.json"

        def is_up() -> bool:
            if process.poll() is not None:
                raise RuntimeError(f"the Jupyter server ended:\n{log_path.read_text()[-3000:]}")
            return info_path.exists() and info_path.read_text().endswith("}")

        try:
            wait_until(is_up, "the Jupyter server's start", timeout_s=120)
            server = cls(process, home, json.loads(info_path.read_text()))
            wait_until(server._answers, "the Jupyter server's first answer", timeout_s=30)
        except BaseException:
            process.kill()
            process.wait()
            raise
        return server

    def write(self, name: str, notebook: nbformat.NotebookNode) -> None:
        """Put a notebook where the server shows it; ``name`` is without ``.ipynb``."""
        nbformat.write(notebook, self.root / f"{name}.ipynb")

    def read(self, name: str) -> nbformat.NotebookNode:
        """The notebook as it was last saved."""
        notebook: nbformat.NotebookNode = nbformat.read(self.root / f"{name}.ipynb", as_version=4)
        return notebook

    def link(self, name: str, front_end: FrontEnd = "lab") -> str:
        """The page of a notebook, with the token."""
        path = "lab/tree" if front_end == "lab" else "notebooks"
        query = "?reset&token=" if front_end == "lab" else "?token="
        return f"{self.url}/{path}/{name}.ipynb{query}{self.token}"

    def request(self, method: str, path: str, body: object = None) -> Any:
        """One call of the server's REST interface (``/api/...``); returns the decoded answer.

        Raises:
            urllib.error.HTTPError: the server refused.
        """
        request = urllib.request.Request(
            self.url + path,
            method=method,
            headers={"Authorization": f"token {self.token}", "Content-Type": "application/json"},
            data=None if body is None else json.dumps(body).encode(),
        )
        with urllib.request.urlopen(request, timeout=30) as response:
            content = response.read()
        return json.loads(content) if content else None

    def kernel_of(self, name: str) -> str | None:
        """The id of the kernel that runs for a notebook, None if there is none."""
        for session in self.request("GET", "/api/sessions"):
            if session["path"] == f"{name}.ipynb":
                return str(session["kernel"]["id"])
        return None

    def shut_down_kernel_of(self, name: str) -> None:
        """End the session and the kernel of a notebook, if there is one."""
        for session in self.request("GET", "/api/sessions"):
            if session["path"] == f"{name}.ipynb":
                self.request("DELETE", f"/api/sessions/{session['id']}")

    def shut_down_kernel_soon(self, name: str) -> None:
        """As :meth:`shut_down_kernel_of`, without waiting; :meth:`stop` raises what went wrong."""
        self._sent.append(self._errands.submit(self.shut_down_kernel_of, name))

    def log(self) -> str:
        return (self.home / "server.log").read_text(errors="replace")

    def stop(self) -> None:
        """End the server and its kernels."""
        self._errands.shutdown()
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for errand in self._sent:
            errand.result()

    def _answers(self) -> bool:
        try:
            self.request("GET", "/api/status")
        except OSError:
            return False
        return True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def _put_lab_extension(home: Path) -> None:
    """Let a checkout's lab extension be found; one that was installed with a wheel is anyway."""
    spec = importlib.util.find_spec("kkjupyter")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    package = Path(next(iter(spec.submodule_search_locations)))
    if (package / "labextension").is_dir():
        target = home / "data" / "labextensions" / "kkjupyter"
        shutil.copytree(package / "labextension", target)
        shutil.copytree(package / "static", target / "parts")


def _disable_lab_extension(home: Path) -> None:
    """What ``jupyter labextension disable kkjupyter`` does."""
    config = home / "config" / "labconfig" / "page_config.json"
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text(json.dumps({"disabledExtensions": {"kkjupyter": True}}))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
