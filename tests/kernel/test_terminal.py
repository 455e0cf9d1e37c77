"""Plain IPython in a terminal: values are printed as they come, Ctrl-C cancels and raises."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest
from support.kernels.kernel import jupyter_environment

SETUP = """\
import asyncio, time, kkjupyter as kk
ended, sent = [], []
class Api:
    async def ticks(self):
        try:
            n = 0
            while True:
                yield f"\\x1b[2Jtick-{n} "
                n += 1
                sent.append(n)
                await asyncio.sleep(0.02)
        finally:
            ended.append("fin" + "ally")
api = kk.serve(Api()).connect()
def later():
    while sent.count(10) < 2:
        time.sleep(0.01)
    yield "later"
"""


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[pexpect.spawn[str]]:
    setup = tmp_path / "setup.py"
    setup.write_text(SETUP)
    child = pexpect.spawn(
        sys.executable,
        ["-m", "IPython", "--simple-prompt", "--no-banner", "--colors=nocolor", "-i", str(setup)],
        env={**jupyter_environment(tmp_path), "TERM": "dumb", "PYTHONPATH": ":".join(sys.path)},
        cwd=str(tmp_path),
        encoding="utf-8",
        timeout=30,
    )
    child.expect(r"In \[1\]: ")
    yield child
    child.close(force=True)


@pytest.mark.parametrize(
    ("code", "raised"),
    [
        ("%rpc api.ticks()", "KeyboardInterrupt"),
        ("api.ticks()", "KeyboardInterrupt"),
        ("for x in kk.show(api.ticks()): pass", "KeyboardInterrupt"),
        ("await kk.show(api.ticks())", "CancelledError"),
        ("async for x in kk.show(api.ticks()): pass", "CancelledError"),
    ],
)
def test_values_as_they_come_and_ctrl_c(
    terminal: pexpect.spawn[str], code: str, raised: str
) -> None:
    terminal.sendline("%load_ext kkjupyter")
    terminal.expect(r"In \[2\]: ")
    terminal.sendline(code)
    if "for" in code:
        terminal.sendline("")
    terminal.expect("tick-5 ")  # the echo of our own Enter may stand among the first
    terminal.sendintr()
    terminal.expect("cancelled after [0-9]+ items")
    assert "\x1b[2J" not in terminal.before
    terminal.expect(r"In \[3\]: ")
    assert raised in terminal.before
    for ours in ("kkjupyter/", "asyncio/", "run_line_magic"):
        assert ours not in terminal.before
    terminal.sendline("ended")
    terminal.expect(re.escape("['finally']"))
    terminal.sendline("%rpc api.ticks() --take 2")
    terminal.expect("tick-0 tick-1 \r\n✓ 2 items")


def test_ctrl_c_is_pythons_again_after_an_awaiting_cell(terminal: pexpect.spawn[str]) -> None:
    terminal.sendline("import signal; reply = await kk.show([1, 2])")
    terminal.expect("2 items")
    terminal.expect(r"In \[2\]: ")
    terminal.sendline("signal.getsignal(signal.SIGINT) is signal.default_int_handler")
    terminal.expect("True")


def test_streams_side_by_side_are_printed_one_after_the_other(
    terminal: pexpect.spawn[str],
) -> None:
    terminal.sendline("import sys")
    terminal.expect(r"In \[2\]: ")
    terminal.sendline("kk.compare({'A': api.ticks(), 'B': api.ticks(), 'C': later()})")
    terminal.expect("── C\r\nlater\r\n✓ 1 item")
    terminal.sendintr()
    for _ in range(2):
        terminal.expect(r"── [AB]\r\n")
        terminal.expect(r"^tick-0 .*?cancelled after [0-9]+ items")
    terminal.expect(r"In \[3\]: ")
    terminal.sendline("'ipywidgets' in sys.modules")
    terminal.expect("False")


def test_a_background_stream_prints_whole_lines(terminal: pexpect.spawn[str]) -> None:
    """What is typed at the prompt stays together."""
    terminal.sendline("%load_ext kkjupyter")
    terminal.expect(r"In \[2\]: ")
    terminal.sendline("%rpc api.ticks() --take 20 --background --out reply")
    terminal.expect(r"In \[3\]: ")
    assert "tick" not in terminal.before.partition("\r\n")[2]
    terminal.expect("tick-0 tick-1 .*tick-19 \r\n✓ ticks\\(\\) · 20 items")


BOUND = """
class Bound:
    # As a stream of an async client: begun on the loop of the line that opened it.
    def __init__(self, count):
        self.event, self.left, self.count = asyncio.Event(), count, count
    def __aiter__(self):
        return self
    async def __anext__(self):
        if not self.left:
            raise StopAsyncIteration
        self.left -= 1
        asyncio.get_running_loop().call_later(0.02, self.event.set)
        await self.event.wait()
        self.event.clear()
        return f"item-{self.count - self.left} "
    async def close(self):
        ended.append("closed")
async def ask(count):
    stream = Bound(count + 1)
    await anext(stream)
    return stream
"""


@pytest.mark.parametrize(
    "code",
    ["kk.show(stream)", "kk.show(stream).wait()", "%rpc stream", "for x in kk.show(stream): pass"],
)
def test_a_stream_of_an_async_client_goes_on_on_its_loop(
    terminal: pexpect.spawn[str], tmp_path: Path, code: str
) -> None:
    (tmp_path / "bound.py").write_text(BOUND)
    terminal.sendline("%run -i bound.py")
    terminal.expect(r"In \[2\]: ")
    terminal.sendline("%load_ext kkjupyter")
    terminal.expect(r"In \[3\]: ")
    for number, count in ((3, 3), (5, 10_000)):
        terminal.sendline(f"stream = await ask({count})")
        terminal.expect(rf"In \[{number + 1}\]: ")
        terminal.sendline(code)
        if code.startswith("for"):
            terminal.sendline("")
        terminal.expect("item-3 ")
        if count > 3:
            terminal.sendintr()
            terminal.expect("cancelled after [0-9]+ items")
            terminal.expect("KeyboardInterrupt")
        else:
            terminal.expect("✓ [34] items")
        terminal.expect(rf"In \[{number + 2}\]: ")
    terminal.sendline("print(ended)")
    terminal.expect(re.escape("['closed']"))
