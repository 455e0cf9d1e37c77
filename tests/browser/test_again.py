"""Regenerate: the same is asked for once more; the answer before is folded above the new one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Locator, expect
from support.browser.lab import HOLD, Lab

OpenNotebook = Callable[..., Lab]

SETUP = (
    "%load_ext kkjupyter\nimport time, threading, kkjupyter as kk"
    + HOLD
    + """
asked = []
go_on = threading.Event()

class Endpoint:
    async def chat(self, prompt):
        asked.append(prompt)
        for word in f"Answer {len(asked)} to *{prompt}*, in a few words.".split(" "):
            yield word + " "

api = kk.serve(Endpoint()).connect()

def words():
    asked.append("words")
    mine = len(asked)
    yield f"Answer {mine}: "
    for i in range(300):
        if i == 30 and mine > 1:
            go_on.wait()
        yield f"word{i} "
"""
)
CALL = '%rpc api.chat("tides") --view markdown --out reply'
LATEST = "print(reply.text.split()[1], reply.latest.text.split()[1], reply.latest.latest.status)"


def newest(lab: Lab, index: int) -> Locator:
    return lab.output(index).locator(".kkj-again > .kkj")


def again(lab: Lab, index: int, name: str = "Regenerate") -> None:
    button = lab.button(index, name)
    expect(button).to_be_enabled()
    button.click()


def test_a_call_is_asked_for_again(open_notebook: OpenNotebook, artifacts: Path) -> None:
    lab = open_notebook([SETUP, CALL, LATEST])
    lab.run(0)
    lab.run(1)
    expect(lab.output(1)).to_contain_text("Answer 1 to tides")
    again(lab, 1)
    expect(newest(lab, 1)).to_contain_text("Answer 2 to tides, in a few words.")
    fold = lab.output(1).locator(".kkj-earlier")
    expect(fold.locator("summary")).to_have_text("Earlier answer")
    expect(lab.output(1)).not_to_contain_text("Answer 1")
    again(lab, 1)
    expect(newest(lab, 1)).to_contain_text("Answer 3 to tides, in a few words.")
    expect(fold.locator("summary")).to_have_text("2 earlier answers")
    fold.locator("summary").click()
    expect(fold.locator(".kkj-earlier-list > .kkj")).to_have_count(2)
    expect(fold).to_contain_text("Answer 1 to tides")
    expect(fold).to_contain_text("Answer 2 to tides")
    lab.run(2)
    expect(lab.output(2)).to_contain_text("1 3 done")
    assert lab.page_errors == []
