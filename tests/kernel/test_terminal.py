"""Plain IPython in a terminal: values are printed as they come, Ctrl-C cancels and raises."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest
from support.kernels import jupyter_environment

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
