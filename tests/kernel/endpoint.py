"""An endpoint served inside the kernel under test, and how to read what it recorded.

``time.monotonic()`` is one clock for all processes of a machine, so a moment recorded in the kernel
can be compared with one of the test's.
"""

from __future__ import annotations

import ast
import time
from typing import Any

from support.kernels.kernel import Kernel, Run, wait_until

__all__ = ["SETUP", "ended_after_s", "outputs_text", "prepare", "value_of", "wait_until_streaming"]

SETUP = '''
%load_ext kkjupyter
import asyncio, threading, time
import kkjupyter as kk

ended = []   # when a producer's finally ran

class Api:
    async def countdown(self, start):
        for n in range(start, -1, -1):
            yield n

    async def words(self, number):
        for n in range(number):
            yield f"word-{n} "

    async def ticks(self):
        """Numbers without end, a hundred a second."""
        try:
            n = 0
            while True:
                yield n
                n += 1
                await asyncio.sleep(0.01)
        finally:
            ended.append(time.monotonic())

    async def silent(self):
        """One number, then nothing for a minute."""
        try:
            yield 0
            await asyncio.sleep(60)
        finally:
            ended.append(time.monotonic())

    async def slow(self, delay_s):
        try:
            await asyncio.sleep(delay_s)
            return "slow"
        finally:
            ended.append(time.monotonic())

    async def failing(self):
        yield 1
        yield 2
        raise ValueError("something went wrong")

    def add(self, a, b):
        return a + b

    def nothing(self):
        return None

    def boom(self):
        raise KeyError("boom")

    def half_error(self):
        raise ValueError(chr(0xD83D))

    async def halves(self):
        yield {chr(0xD83D): 1, "text": [chr(0xD83D)]}

server = kk.serve(Api(), debug=True)
api = server.connect()

def local():
    """A generator of the notebook's own."""
    try:
        n = 0
        while True:
            yield n
            n += 1
            time.sleep(0.01)
    finally:
        ended.append(time.monotonic())

async def alocal():
    try:
        yield 0
        await asyncio.sleep(60)
    finally:
        ended.append(time.monotonic())

def request():
    """A request that is not answered for a minute."""
    try:
        time.sleep(60)
    finally:
        ended.append(time.monotonic())

async def arequest():
    try:
        await asyncio.sleep(60)
    finally:
        ended.append(time.monotonic())
'''


def prepare(kernel: Kernel) -> None:
    """Serve the endpoint in ``kernel`` and connect to it as ``api``."""
    kernel.run(SETUP).check()


def value_of(kernel: Kernel, expression: str) -> Any:
    """The value of a Python literal's expression in the kernel."""
    return ast.literal_eval(kernel.run(f"print(repr({expression}))").check().stdout)


def wait_until_streaming(run: Run) -> None:
    """Until the cell shows something, and a moment more."""
    run.wait_for(lambda: run.outputs)
    time.sleep(0.2)
    assert not run.is_finished, f"{run.status} {run.ename} {run.evalue} {run.outputs}"


def ended_after_s(kernel: Kernel, moment_s: float) -> float:
    """How long after ``moment_s`` the one producer's finally ran; forgets it.

    The cell may be free before: the producer runs on a thread of its own.
    """
    wait_until(lambda: value_of(kernel, "ended"), "the producer's finally")
    moments = value_of(kernel, "ended")
    kernel.run("ended.clear()").check()
    assert len(moments) == 1, moments
    return float(moments[0]) - moment_s


def outputs_text(run: Run) -> str:
    """All text of a cell's outputs, as a notebook without widgets would show it."""
    parts: list[str] = []
    for output in run.outputs:
        if output["output_type"] == "stream":
            parts.append(output["text"])
        elif output["output_type"] == "error":
            parts.append("\n".join(output["traceback"]))
        else:
            parts.append(output["data"].get("text/plain", ""))
    return "\n".join(parts)
