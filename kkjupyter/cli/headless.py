"""Execute a notebook in a real kernel and show its output in the terminal while it streams.

nbclient does not serve here: it reads only what the running cell says, so the end of an earlier
cell's background stream is neither shown nor kept, and at Ctrl-C it ends the kernel instead of
interrupting the cell.
"""

from __future__ import annotations

import queue
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbformat
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import KernelManager

from kkjupyter.cli.exit_codes import ExitCode
from kkjupyter.cli.notebook_outputs import Outputs, Screen, head_of

__all__ = ["execute"]

_START_S = 60.0
_POLL_S = 0.2
_INTERRUPT_S = 5.0


class CellFailed(Exception):
    """A cell failed; the text says how."""


class _ThisPython(KernelSpecManager):
    """Offers one kernel: this interpreter, whatever else the user has installed."""

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        return KernelSpec(argv=argv, display_name="Python 3", language="python")


def execute(notebook: Path, *, cell_timeout_s: float) -> ExitCode:
    """Run all cells, stop at the first that fails, save a copy with the outputs.

    The copy is ``<name>.executed.ipynb`` beside the notebook. The kernel is always shut down.
    """
    document = nbformat.read(notebook, as_version=4)
    copy = notebook.with_suffix(".executed.ipynb")
    try:
        with _kernel(notebook.parent, cell_timeout_s) as kernel:
            _run_cells(document, kernel)
    except CellFailed as exc:
        print(f"\n{notebook.name}: {exc}", file=sys.stderr, flush=True)
        return ExitCode.FAILED
    finally:
        nbformat.write(document, copy)
        print(f"\nsaved {copy}", flush=True)
    return ExitCode.OK


@contextmanager
def _kernel(directory: Path, cell_timeout_s: float) -> Iterator[_Kernel]:
    """A kernel with the working directory ``directory``, shut down at the end."""
    with tempfile.TemporaryDirectory(prefix="kkjupyter-", ignore_cleanup_errors=True) as sockets:
        # Other users of the machine cannot reach a socket file in our own directory. Windows has
        # none, so there the kernel listens on loopback, with a key.
        where = {} if sys.platform == "win32" else {"transport": "ipc", "ip": f"{sockets}/kernel"}
        manager = KernelManager(kernel_spec_manager=_ThisPython(), **where)
        manager.start_kernel(cwd=str(directory.resolve()))
        client = manager.client()
        client.start_channels()
        try:
            try:
                client.wait_for_ready(timeout=_START_S)
            except RuntimeError as exc:
                raise CellFailed(f"the kernel did not start: {exc}") from exc
            yield _Kernel(manager, client, cell_timeout_s)
        finally:
            client.stop_channels()
            manager.shutdown_kernel()


def _run_cells(document: nbformat.NotebookNode, kernel: _Kernel) -> None:
    screen = Screen(sys.stdout)
    outputs = Outputs(screen)
    for cell in document.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    for number, cell in enumerate(document.cells, 1):
        screen.head(number, cell)
        if cell.cell_type == "code" and cell.source.strip():
            kernel.run(cell, outputs)
    outputs.finish()


class _Kernel:
    """Runs cells, one after the other, with a time limit."""

    def __init__(
        self, manager: KernelManager, client: BlockingKernelClient, cell_timeout_s: float
    ) -> None:
        self._manager = manager
        self._client = client
        self._cell_timeout_s = cell_timeout_s

    def _ask_for(self, cell: nbformat.NotebookNode) -> str:
        """Ask for a cell as a page does, by its id: what streams in it comes while it runs."""
        content = {
            "code": cell.source,
            "silent": False,
            "store_history": True,
            "user_expressions": {},
            "allow_stdin": False,
            "stop_on_error": True,
        }
        cell_id = cell.get("id") or uuid.uuid4().hex
        request = self._client.session.msg("execute_request", content, metadata={"cellId": cell_id})
        self._client.shell_channel.send(request)
        return str(request["header"]["msg_id"])

    def run(self, cell: nbformat.NotebookNode, outputs: Outputs) -> None:
        """Run one cell.

        Raises:
            CellFailed: it raised an error, took too long, or the kernel died. Cells with the tag
                "raises-exception" may raise.
            KeyboardInterrupt: Ctrl-C; the cell was interrupted, and its output is kept.
        """
        outputs.begin(cell)
        request = self._ask_for(cell)
        try:
            finished = self._follow(request, outputs, self._cell_timeout_s)
        except KeyboardInterrupt:
            self._interrupt(request, outputs)
            raise
        if not finished:
            self._interrupt(request, outputs)
            raise CellFailed(f"a cell took longer than {self._cell_timeout_s:g} s: {_head(cell)}")
        content = self._reply(request)
        cell.execution_count = content.get("execution_count")
        if content["status"] != "ok" and "raises-exception" not in cell.metadata.get("tags", []):
            raise CellFailed(f"a cell failed: {_head(cell)}")

    def _follow(self, request: str, outputs: Outputs, timeout_s: float) -> bool:
        """Pass on the kernel's output until the request is done; False if that takes too long."""
        deadline_s = time.monotonic() + timeout_s
        while time.monotonic() < deadline_s:
            try:
                message = self._client.get_iopub_msg(timeout=_POLL_S)
            except queue.Empty:
                if not self._manager.is_alive():
                    raise CellFailed("the kernel died") from None
                continue
            is_ours = message["parent_header"].get("msg_id") == request
            if message["msg_type"] == "status" and is_ours:
                if message["content"]["execution_state"] == "idle":
                    return True
            else:
                # Output of an earlier cell counts, too: a background stream goes on by itself.
                outputs.take(message, is_ours=is_ours)
        return False

    def _interrupt(self, request: str, outputs: Outputs) -> None:
        self._manager.interrupt_kernel()
        self._follow(request, outputs, _INTERRUPT_S)

    def _reply(self, request: str) -> dict[str, Any]:
        while True:
            reply: dict[str, Any] = self._client.get_shell_msg(timeout=_START_S)
            if reply["parent_header"].get("msg_id") == request:
                content: dict[str, Any] = reply["content"]
                return content


def _head(cell: nbformat.NotebookNode) -> str:
    lines = head_of(cell.source)
    return next((line for line in lines if not line.startswith("#")), lines[0])
