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
import asyncio, kkjupyter as kk
ended = []
class Api:
    async def ticks(self):
        try:
            n = 0
            while True:
                yield f"\\x1b[2Jtick-{n} "
                n += 1
                await asyncio.sleep(0.02)
        finally:
            ended.append("fin" + "ally")
api = kk.serve(Api()).connect()
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
    "code", ["%rpc api.ticks()", "api.ticks()", "for x in kk.show(api.ticks()): pass"]
)
def test_values_as_they_come_and_ctrl_c(terminal: pexpect.spawn[str], code: str) -> None:
    terminal.sendline("%load_ext kkjupyter")
    terminal.expect(r"In \[2\]: ")
    terminal.sendline(code)
    if code.startswith("for"):
        terminal.sendline("")
    terminal.expect("tick-5 ")  # the echo of our own Enter may stand among the first
    terminal.sendintr()
    terminal.expect("cancelled after [0-9]+ items")
    assert "\x1b[2J" not in terminal.before
    terminal.expect("KeyboardInterrupt")
    terminal.expect(r"In \[3\]: ")
    terminal.sendline("ended")
    terminal.expect(re.escape("['finally']"))
    terminal.sendline("%rpc api.ticks() --take 2")
    terminal.expect("tick-0 tick-1 \r\n✓ 2 items")


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
