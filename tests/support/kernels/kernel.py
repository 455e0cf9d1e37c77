"""Real ipykernel processes, of several versions, driven over jupyter_client.

    with Kernel.start("7.3.0", home=tmp_path) as kernel:
        run = kernel.run("print(6 * 7)")          # waits; run.status, run.stdout, run.outputs
        run = kernel.submit("slow()")             # returns at once
        run.wait_for(lambda: "first" in run.stdout)
        kernel.interrupt()
        assert run.wait().status == "error" and run.ename == "KeyboardInterrupt"

The kernels run in the environment of the tests and see the same ``kkjupyter``; only ``ipykernel``
itself is put before the environment's. They know nothing of the user's own Jupyter settings.
"""

from __future__ import annotations

import importlib.util
import json
import os
import queue
import sys
import sysconfig
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, Self

import zmq
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import KernelManager
from jupyter_client.provisioning.local_provisioner import LocalProvisioner

from support.kernels.versions import NEWEST, VERSIONS, folder_of, is_installed

__all__ = [
    "NEWEST",
    "VERSIONS",
    "Kernel",
    "KernelTimeout",
    "Run",
    "jupyter_environment",
    "kernel_name",
    "wait_until",
    "write_kernelspecs",
]

#: A message as jupyter_client hands it out, and an output as nbformat has it.
Message = dict[str, Any]
Output = dict[str, Any]


class KernelTimeout(AssertionError):
    """What a test waited for did not happen in time."""


def kernel_name(version: str = NEWEST) -> str:
    """The kernelspec's name of an ipykernel version."""
    return f"ipykernel-{version}"


def wait_until(condition: Callable[[], object], what: str, timeout_s: float = 20.0) -> None:
    """Poll ``condition`` every 10 ms until it is true; raises KernelTimeout naming ``what``."""
    end_s = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > end_s:
            raise KernelTimeout(f"{what}: not within {timeout_s:g} s")
        time.sleep(0.01)


def jupyter_environment(home: Path) -> dict[str, str]:
    """Environment variables that keep Jupyter and IPython inside ``home``, over ``os.environ``."""
    own = {
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTER_DATA_DIR": "data",
        "JUPYTER_RUNTIME_DIR": "runtime",
        "JUPYTERLAB_SETTINGS_DIR": "lab-settings",
        "JUPYTERLAB_WORKSPACES_DIR": "lab-workspaces",
        "IPYTHONDIR": "ipython",
    }
    for name in own.values():
        (home / name).mkdir(parents=True, exist_ok=True)
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("JUPYTER", "IPYTHON", "PYTHONPATH", "COV_CORE"))
    }
    paths = {name: str(home / folder) for name, folder in own.items()}
    return {**inherited, **paths, "JUPYTER_PREFER_ENV_PATH": "0"}


def write_kernelspecs(home: Path) -> None:
    """Put a kernelspec for each version below ``home`` (the one of jupyter_environment).

    Raises:
        FileNotFoundError: a version is not installed; ``make kernels`` does that.
    """
    for version in VERSIONS:
        if not is_installed(version):
            raise FileNotFoundError(f"ipykernel {version} is not in .kernels: run `make kernels`")
        folder = home / "data" / "kernels" / kernel_name(version)
        folder.mkdir(parents=True, exist_ok=True)
        spec = {
            "argv": [
                *(sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"),
                "--HistoryManager.hist_file=:memory:",
            ],
            "display_name": f"Python (ipykernel {version})",
            "language": "python",
            "interrupt_mode": "signal",
            "metadata": {"debugger": True},
            "env": {
                "PYTHONPATH": os.pathsep.join([str(folder_of(version)), *_checkout()]),
                "PYDEVD_DISABLE_FILE_VALIDATION": "1",
            },
        }
        (folder / "kernel.json").write_text(json.dumps(spec, indent=1))


def _checkout() -> list[str]:
    """The folder kkjupyter is imported from, if that is a checkout and not the environment."""
    spec = importlib.util.find_spec("kkjupyter")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    parent = Path(next(iter(spec.submodule_search_locations))).parent
    return [] if parent == Path(sysconfig.get_path("purelib")) else [str(parent)]


class Run:
    """One execute request and all that came of it, filled in while it runs."""

    def __init__(self, message_id: str) -> None:
        self.message_id = message_id
        #: Every IOPub message of this request, with its time of arrival (time.monotonic()).
        self.messages: list[tuple[float, Message]] = []
        #: The outputs as a notebook would have saved them now: updates and clears applied.
        self.outputs: list[Output] = []
        #: The reply's content, once it came.
        self.reply: Message | None = None
        self._idle = False
        self._finished = threading.Event()
        self._clear_on_next = False

    @property
    def status(self) -> str | None:
        """``ok``, ``error`` or ``aborted``; None while it runs."""
        return self.reply["status"] if self.reply is not None else None

    @property
    def ename(self) -> str:
        """The exception's name, empty if there was none."""
        return str((self.reply or {}).get("ename", ""))

    @property
    def evalue(self) -> str:
        return str((self.reply or {}).get("evalue", ""))

    @property
    def traceback(self) -> str:
        return "\n".join((self.reply or {}).get("traceback", ()))

    @property
    def stdout(self) -> str:
        return self._stream("stdout")

    @property
    def stderr(self) -> str:
        return self._stream("stderr")

    @property
    def result(self) -> str:
        """``text/plain`` of the last line's value, empty if it had none."""
        results = [output for output in self.outputs if output["output_type"] == "execute_result"]
        return str(results[-1]["data"].get("text/plain", "")) if results else ""

    @property
    def is_finished(self) -> bool:
        return self._finished.is_set()

    def wait(self, timeout_s: float = 30.0) -> Self:
        """Wait until reply and outputs are complete; raises KernelTimeout."""
        if not self._finished.wait(timeout_s):
            raise KernelTimeout(
                f"the cell still runs after {timeout_s:g} s; stdout {self.stdout!r}"
            )
        return self

    def wait_for(self, condition: Callable[[], object], timeout_s: float = 20.0) -> Self:
        """Wait until ``condition()`` holds, say over ``self.stdout``; raises KernelTimeout."""
        wait_until(condition, f"condition on a running cell (stdout {self.stdout!r})", timeout_s)
        return self

    def check(self) -> Self:
        """Wait for the end; raises AssertionError with the kernel's traceback unless it is ok."""
        self.wait()
        assert self.status == "ok", f"{self.status}: {self.ename}: {self.evalue}\n{self.traceback}"
        return self

    def _stream(self, name: str) -> str:
        return "".join(
            output["text"]
            for output in list(self.outputs)
            if output["output_type"] == "stream" and output["name"] == name
        )

    def take(self, message: Message) -> None:
        """Add a message of the kernel's that belongs to this request."""
        content = message["content"]
        kind = message["msg_type"]
        if kind == "execute_reply":
            self.reply = dict(content)
        elif kind == "status":
            self._idle = content["execution_state"] == "idle"
        else:
            self._add_output(kind, content)
        if self._idle and self.reply is not None:
            self._finished.set()

    def _add_output(self, kind: str, content: Message) -> None:
        if kind == "clear_output":
            self._clear_on_next = bool(content.get("wait"))
            if not self._clear_on_next:
                self.outputs.clear()
            return
        if kind not in {"stream", "display_data", "execute_result", "error"}:
            return
        if self._clear_on_next:
            self.outputs.clear()
            self._clear_on_next = False
        last = self.outputs[-1] if self.outputs else {}
        if kind == "stream" and last.get("name") == content["name"]:
            last["text"] += content["text"]
        else:
            self.outputs.append({"output_type": kind, **content})


class Kernel:
    """A kernel process of one ipykernel version. Also a context manager: the end shuts it down."""

    def __init__(self, manager: KernelManager, client: BlockingKernelClient, version: str) -> None:
        self.version = version
        self._manager = manager
        self._client = client
        self._runs: dict[str, Run] = {}
        self._replies: dict[str, Message] = {}
        self._lock = threading.Lock()
        #: IOPub messages that belong to no request of ours (a comm from a background thread).
        self.other_messages: list[tuple[float, Message]] = []
        self._outbox: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._pump_thread = threading.Thread(target=self._pump, name="kernel-pump", daemon=True)

    @classmethod
    def start(
        cls, version: str = NEWEST, *, home: Path, env: Mapping[str, str] | None = None
    ) -> Kernel:
        """Start a kernel with its files below ``home`` and wait until it answers.

        Raises:
            RuntimeError: the kernel died or did not answer in 60 s.
        """
        environment = {**jupyter_environment(home), **(env or {})}
        write_kernelspecs(home)
        work = home / "work"
        work.mkdir(exist_ok=True)
        try:
            return cls._start_once(version, home, environment, work)
        except RuntimeError:
            # jupyter_client chooses free ports, and the kernel binds them later: tests that run
            # beside these may have taken one by then, and the kernel ends before it answers.
            return cls._start_once(version, home, environment, work)

    @classmethod
    def _start_once(
        cls, version: str, home: Path, environment: Mapping[str, str], work: Path
    ) -> Kernel:
        specs = KernelSpecManager(
            kernel_dirs=[str(home / "data" / "kernels")], ensure_native_kernel=False
        )
        manager = KernelManager(
            kernel_name=kernel_name(version),
            kernel_spec_manager=specs,
            connection_file=str(home / "runtime" / f"kernel-{version}-{time.time_ns()}.json"),
        )
        manager.start_kernel(env=dict(environment), cwd=str(work))
        client: BlockingKernelClient = manager.blocking_client()
        client.start_channels()
        kernel = cls(manager, client, version)
        try:
            client.wait_for_ready(timeout=60)
            kernel._pump_thread.start()
        except BaseException:
            kernel.shutdown()
            raise
        return kernel

    def submit(
        self,
        code: str,
        *,
        cell_id: str | None = None,
        silent: bool = False,
        sender: Literal["page", "console", "executor"] = "page",
    ) -> Run:
        """Send ``code`` as a kind of front end does; return at once.

        ``cell_id`` is what JupyterLab would say of the cell.
        """
        content = {
            "code": code,
            "silent": silent,
            "store_history": not silent,
            "user_expressions": {},
            "allow_stdin": sender == "console",
            "stop_on_error": False,
        }
        metadata = {"cellId": cell_id, "deletedCells": []} if cell_id is not None else {}
        message = self._client.session.msg("execute_request", content, metadata=metadata)
        if sender == "page":  # programs in Python number their messages by their session
            message["msg_id"] = message["header"]["msg_id"] = str(uuid.uuid4())
        run = Run(message["header"]["msg_id"])
        with self._lock:
            self._runs[run.message_id] = run
        self._outbox.put(message)
        return run

    def run(self, code: str, *, cell_id: str | None = None, timeout_s: float = 30.0) -> Run:
        """Run ``code`` and wait for its end; raises KernelTimeout. The status is not looked at."""
        return self.submit(code, cell_id=cell_id).wait(timeout_s)

    def complete(self, code: str, cursor: int | None = None) -> list[str]:
        """What the kernel offers at ``cursor`` (default: the end)."""
        content = {"code": code, "cursor_pos": len(code) if cursor is None else cursor}
        # The first time, IPython loads and parses what completes Python: 20 s on a busy machine.
        return list(self.request("complete_request", content, timeout_s=90)["matches"])

    def request(self, kind: str, content: Message, timeout_s: float = 20.0) -> Message:
        """Send any request on the shell channel; returns the reply's content."""
        message = self._client.session.msg(kind, content)
        self._outbox.put(message)
        return self._reply_to(message["header"]["msg_id"], kind, timeout_s)

    def control(self, kind: str, content: Message, timeout_s: float = 10.0) -> Message:
        """Send a request on the control channel; returns the reply's content.

        Works while a cell runs. Call it from one thread at a time.
        """
        message = self._client.session.msg(kind, content)
        self._client.control_channel.send(message)
        wanted = message["header"]["msg_id"]
        end_s = time.monotonic() + timeout_s
        while (left_s := end_s - time.monotonic()) > 0:
            try:
                reply = self._client.control_channel.get_msg(timeout=left_s)
            except queue.Empty:
                break
            if reply["parent_header"].get("msg_id") == wanted:
                return dict(reply["content"])
        raise KernelTimeout(f"no reply to {kind} on the control channel in {timeout_s:g} s")

    def send_comm(self, comm_id: str, data: Message) -> None:
        """Send a comm message as a front end does; returns at once."""
        content = {"comm_id": comm_id, "data": data}
        self._outbox.put(self._client.session.msg("comm_msg", content))

    def messages(self, kind: str | None = None) -> list[tuple[float, Message]]:
        """All IOPub messages so far with their arrival times, of one type if named."""
        with self._lock:
            all_of_them = list(self.other_messages)
            for run in self._runs.values():
                all_of_them += run.messages
        chosen = [pair for pair in all_of_them if kind in (None, pair[1]["msg_type"])]
        return sorted(chosen, key=lambda pair: pair[0])

    def interrupt(self) -> None:
        """What the Interrupt button does: SIGINT."""
        self._manager.interrupt_kernel()

    def shutdown(self) -> None:
        """End the process, at once; safe to call twice."""
        self._stopping.set()
        if self._pump_thread.is_alive():
            self._pump_thread.join()
        if self._manager.has_kernel:
            self._manager.shutdown_kernel(now=True)
        self._client.stop_channels()
        self._manager.cleanup_resources()

    @property
    def pid(self) -> int:
        """The process id of the kernel."""
        provisioner = self._manager.provisioner
        assert isinstance(provisioner, LocalProvisioner)
        assert provisioner.pid is not None
        return provisioner.pid

    def is_alive(self) -> bool:
        return bool(self._manager.is_alive())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()

    # A ZeroMQ socket belongs to one thread: shell and IOPub to the pump, control to the caller.

    def _pump(self) -> None:
        shell, iopub = self._client.shell_channel, self._client.iopub_channel
        poller = zmq.Poller()
        poller.register(shell.socket, zmq.POLLIN)
        poller.register(iopub.socket, zmq.POLLIN)
        while not self._stopping.is_set():
            while not self._outbox.empty():
                shell.send(self._outbox.get())
            ready = dict(poller.poll(5))  # ms; also how late a message of ours may leave
            with self._lock:
                if iopub.socket in ready:
                    self._take_iopub(iopub.get_msg(timeout=0), time.monotonic())
                if shell.socket in ready:
                    self._take_reply(shell.get_msg(timeout=0))

    def _take_iopub(self, message: Message, now_s: float) -> None:
        kind = message["msg_type"]
        if kind == "update_display_data":
            self._update_display(message["content"])
        run = self._runs.get(message["parent_header"].get("msg_id", ""))
        if run is None:
            self.other_messages.append((now_s, message))
            return
        run.messages.append((now_s, message))
        run.take(message)

    def _take_reply(self, message: Message) -> None:
        wanted = message["parent_header"].get("msg_id", "")
        run = self._runs.get(wanted)
        if run is None:
            self._replies[wanted] = dict(message["content"])
        else:
            run.take(message)

    def _update_display(self, content: Message) -> None:
        display_id = content["transient"]["display_id"]
        for run in self._runs.values():
            for output in run.outputs:
                if output.get("transient", {}).get("display_id") == display_id:
                    output["data"] = content["data"]
                    output["metadata"] = content["metadata"]

    def _reply_to(self, message_id: str, kind: str, timeout_s: float) -> Message:
        wait_until(lambda: message_id in self._replies, f"reply to {kind}", timeout_s)
        return self._replies.pop(message_id)
