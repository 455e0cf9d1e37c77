"""A program that ends with everything still open ends quickly, and says nothing about it."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

import kkjupyter

ROOT = Path(next(iter(kkjupyter.__path__))).parent

PREAMBLE = """
import sys, types
first = sys.modules["first"] = types.ModuleType("first")  # the last one that loses its names
import asyncio, logging, time, threading
# In development mode the loop tells of every slow step, and on a busy machine any may be slow.
logging.getLogger("asyncio").addFilter(lambda record: "took %.3f seconds" not in str(record.msg))
import kkjupyter as kk
from kkjupyter.api.in_process import serve_in_memory

class Api:
    async def ticks(self):
        while True:
            yield 1
            await asyncio.sleep(0.001)
    async def tight(self):
        while True:
            yield 1
    def sync_ticks(self):
        while True:
            yield 1
            time.sleep(0.001)
    def blocks(self):
        time.sleep(60)
    async def waits(self):
        await asyncio.sleep(60)
    async def calls_back(self, callback):
        while True:
            callback(1)
            await asyncio.sleep(0.001)
    async def fails(self):
        raise ValueError("nobody looks")

server = kk.serve(Api())
api = server.connect()
memory = serve_in_memory(Api())
near = memory.connect()
"""

ENDS = {
    "connections": "",
    "what outlives the package's names": """
first.held = first, api, near.waits()  # a call would hold its session
time.sleep(0.1)
first.function = lambda: first
sys.modules["atexit"].held = first
""",
    "a stream in a loop": "loop = iter(api.ticks()); next(loop)",
    "a tight stream": "loop = iter(api.tight()); next(loop)",
    "streams of all kinds": """
loops = [iter(call) for api_ in (api, near) for call in
         (api_.ticks(), api_.tight(), api_.sync_ticks())]
for loop in loops:
    next(loop)
""",
    "a sync function that blocks": "call = api.blocks(); time.sleep(0.1)",
    "calls under way": "calls = [api.waits(), near.waits()]; time.sleep(0.1)",
    "callbacks": "call = api.calls_back(lambda n: None); time.sleep(0.1)",
    "a view's consumer": "consumer = api.ticks().consume(); time.sleep(0.1); consumer.take()",
    "a task that awaits": """
async def main():
    task = asyncio.create_task(asyncio.wait_for(api.waits(), 50))
    await asyncio.sleep(0.1)
asyncio.run(main())
""",
    "an exit in a loop": """
for _ in api.ticks():
    raise SystemExit(0)
""",
    "a thread that waits": """
threading.Thread(target=lambda: api.waits().result(), daemon=True).start()
time.sleep(0.1)
""",
}


@pytest.mark.parametrize("what", ENDS)
@pytest.mark.slow
def test_the_interpreter_exits_quickly_and_silently(what: str) -> None:
    program = PREAMBLE + ENDS[what] + '\nprint("end", time.time(), flush=True)'
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", program],
        capture_output=True,
        text=True,
        timeout=30,
        cwd=ROOT,
        check=False,
    )
    ended_s = time.time()
    assert (done.stderr, done.returncode) == ("", 0)
    if "SystemExit" not in program:
        assert ended_s - float(done.stdout.split()[-1]) < 3
