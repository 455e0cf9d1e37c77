"""What a kernel tells every front end about its streams, without being asked."""

from __future__ import annotations

import time

from support.kernels.kernel import Kernel, wait_until

from .endpoint import prepare, wait_until_streaming

REPEATED_EVERY_S = 2.0


def numbers(kernel: Kernel) -> list[int]:
    return [m["content"]["running"] for _, m in kernel.messages("kkjupyter_running")]


def test_it_says_how_many_run_also_while_a_cell_blocks(each_kernel: Kernel) -> None:
    prepare(each_kernel)
    each_kernel.run("%rpc api.ticks() --background").check()
    wait_until(lambda: numbers(each_kernel) == [1], "the first stream")
    cell = each_kernel.submit("%rpc api.silent()")
    wait_until_streaming(cell)
    wait_until(lambda: numbers(each_kernel)[-1:] == [2], "the second stream")
    assert not cell.is_finished
    content = each_kernel.messages("kkjupyter_running")[-1][1]["content"]
    assert len(set(content["runs"])) == 2
    assert content["next_s"] == REPEATED_EVERY_S
    # A page that missed something asks while the cell blocks.
    for number in content["runs"]:
        answer = each_kernel.control("kkjupyter_state", {"run_id": number})
        assert (answer["known"], answer["state"]["state"]) == (True, "streaming")
    assert each_kernel.control("kkjupyter_cancel", {"all": True})["cancelled"] is True
    wait_until(lambda: numbers(each_kernel)[-1:] == [0], "the end of both")
    cell.check()
    # No cell's: whoever collects a cell's output does not meet it.
    assert all(not m["parent_header"] for _, m in each_kernel.messages("kkjupyter_running"))


def test_a_kernel_whose_cell_runs_looks_busy_whoever_asks(kernel: Kernel) -> None:
    """A page that is loaded asks for streams, and JupyterLab's debugger for itself, when it can."""
    prepare(kernel)
    cell = kernel.submit("%rpc api.silent()")
    wait_until_streaming(cell)
    kernel.control("kkjupyter_state", {"run_id": 1})
    time.sleep(0.5)
    request = {"seq": 1, "type": "request", "command": "debugInfo", "arguments": {}}
    kernel.control("debug_request", request)

    def last_said() -> str:
        return str(kernel.messages("status")[-1][1]["content"]["execution_state"])

    time.sleep(0.2)  # its "idle" is on its way
    wait_until(lambda: last_said() == "busy", "a kernel that looks busy")
    kernel.control("kkjupyter_cancel", {"all": True})
    cell.check()
    wait_until(lambda: last_said() == "idle", "a kernel that is idle")


def test_it_repeats_itself_for_pages_that_come_later(kernel: Kernel) -> None:
    prepare(kernel)
    kernel.run("%rpc api.silent() --background").check()
    wait_until(lambda: numbers(kernel) == [1, 1, 1], "two repetitions")
    first_s, *_, last_s = [at_s for at_s, _ in kernel.messages("kkjupyter_running")]
    assert last_s - first_s > 1.5 * REPEATED_EVERY_S
    kernel.run("%rpc cancel").check()
    wait_until(lambda: numbers(kernel)[-1] == 0, "the end")
    said = len(numbers(kernel))
    time.sleep(1.5 * REPEATED_EVERY_S)
    assert len(numbers(kernel)) == said


def test_what_is_over_at_once_is_not_mentioned(kernel: Kernel) -> None:
    prepare(kernel)
    kernel.run("for n in range(30): api.add(n, 1).result()\n%rpc api.add(1, 2)").check()
    kernel.run("%rpc api.countdown(5)").check()
    kernel.run("time.sleep(0.6)").check()
    assert numbers(kernel) == []


def test_it_goes_on_after_reload_ext_and_ends_with_unload_ext(kernel: Kernel) -> None:
    prepare(kernel)
    kernel.run("%rpc api.ticks() --background").check()
    wait_until(lambda: numbers(kernel) == [1], "the stream")
    kernel.run("%reload_ext kkjupyter").check()
    wait_until(lambda: numbers(kernel)[:3] == [1, 0, 1], "the stream, once more")
    kernel.run("%unload_ext kkjupyter").check()
    wait_until(lambda: numbers(kernel)[-1] == 0, "the end")


def test_it_tells_which_streams_have_outlived_their_cell(kernel: Kernel) -> None:
    prepare(kernel)
    kernel.run("%rpc api.silent() --background").check()
    wait_until(lambda: numbers(kernel) == [1], "the first stream")
    cell = kernel.submit("%rpc api.ticks()")
    wait_until(lambda: numbers(kernel)[-1:] == [2], "the second stream")
    content = kernel.messages("kkjupyter_running")[-1][1]["content"]
    assert [one["title"] for one in content["streams"]] == ["silent()", "ticks()"]
    assert kernel.control("kkjupyter_cancel", {"all": True})["cancelled"] is True
    wait_until(lambda: numbers(kernel)[-1:] == [0], "the end of both")
    cell.check()
    beats = [m["content"] for _, m in kernel.messages("kkjupyter_running")]
    ended = {end["title"]: end for beat in beats for end in beat["ended"]}
    assert ended["silent()"]["outlived_cell"] is True
    assert ended["ticks()"]["outlived_cell"] is False
    assert {end["state"] for end in ended.values()} == {"cancelled"}
