"""The kernels are what they say they are: else every other test here would prove less."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from support.kernels.kernel import Kernel, KernelTimeout


def test_each_kernel_is_of_its_version(each_kernel: Kernel) -> None:
    each_kernel.run("import ipykernel, importlib.metadata").check()
    assert each_kernel.run("print(ipykernel.__version__)").stdout.strip() == each_kernel.version
    metadata = each_kernel.run("print(importlib.metadata.version('ipykernel'))").stdout.strip()
    assert metadata == each_kernel.version


def test_control_debugger_and_comms_work_side_by_side(each_kernel: Kernel) -> None:
    """The debugger needs debugpy, a comm the shell channel: each kernel has both."""
    each_kernel.run(
        "import comm\n"
        "heard = []\n"
        "c = comm.create_comm(target_name='test')\n"
        "c.on_msg(lambda message: heard.append(message['content']['data']))\n"
        "print(c.comm_id)"
    ).check()
    comm_id = next(m["content"]["comm_id"] for _, m in each_kernel.messages("comm_open"))
    request = {"type": "request", "seq": 1, "command": "debugInfo", "arguments": {}}
    assert each_kernel.control("debug_request", request)["success"] is True
    each_kernel.send_comm(comm_id, {"n": 1})
    each_kernel.run("import time; time.sleep(0.05)")
    assert each_kernel.run("heard").result == "[{'n': 1}]"


def test_outputs_are_as_a_notebook_saves_them(kernel: Kernel) -> None:
    run = kernel.run(
        "from IPython.display import display\n"
        "print('one'); print('two')\n"
        "handle = display({'text/plain': 'a'}, raw=True, display_id=True)\n"
        "handle.update({'text/plain': 'b'}, raw=True)\n"
        "6 * 7"
    ).check()
    assert run.stdout == "one\ntwo\n"
    assert [output["data"]["text/plain"] for output in run.outputs[1:]] == ["b", "42"]
    assert run.result == "42"


def test_output_is_seen_while_the_cell_runs(kernel: Kernel) -> None:
    run = kernel.submit("import time\nprint('first', flush=True)\ntime.sleep(1)\nprint('last')")
    run.wait_for(lambda: "first" in run.stdout)
    assert not run.is_finished
    assert run.wait().stdout == "first\nlast\n"


def test_interrupt_and_errors(each_kernel: Kernel) -> None:
    run = each_kernel.submit("import time\nprint('up', flush=True)\ntime.sleep(20)")
    run.wait_for(lambda: run.stdout)
    started_s = time.monotonic()
    each_kernel.interrupt()
    assert run.wait().ename == "KeyboardInterrupt"
    assert time.monotonic() - started_s < 5
    assert "ZeroDivisionError" in each_kernel.run("1 / 0").traceback


def test_a_wait_that_is_too_long_says_so(kernel: Kernel) -> None:
    run = kernel.submit("import time; time.sleep(1)")
    with pytest.raises(KernelTimeout, match=r"still runs after 0\.1 s"):
        run.wait(0.1)
    run.wait()


def test_the_package_is_the_one_the_tests_see(kernel: Kernel) -> None:
    import kkjupyter

    code = "import kkjupyter; print(next(iter(kkjupyter.__path__)))"
    assert kernel.run(code).stdout.strip() == next(iter(kkjupyter.__path__))


def test_the_cell_id_reaches_the_kernel(kernel: Kernel) -> None:
    code = "print(get_ipython().kernel.get_parent()['metadata']['cellId'])"
    assert kernel.run(code, cell_id="abc").stdout == "abc\n"


def test_a_started_kernel_is_gone_after_its_test(start_kernel: Callable[..., Kernel]) -> None:
    kernel = start_kernel()
    assert kernel.is_alive()
    kernel.shutdown()
    assert not kernel.is_alive()
