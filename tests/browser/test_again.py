"""Regenerate: the same is asked for once more; the answer before is folded above the new one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Locator, expect
from support.browser.lab import HOLD, Lab, Theme

from kkjupyter.notebook.views.saved_form import MIME_TYPE

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
SIZES: tuple[tuple[Theme, int], ...] = (
    ("light", 1300),
    ("light", 400),
    ("dark", 1300),
    ("dark", 400),
)
LATEST = "print(reply.text.split()[1], reply.latest.text.split()[1], reply.latest.latest.status)"


def newest(lab: Lab, index: int) -> Locator:
    return lab.output(index).locator(".kkj-again > .kkj")


def again(lab: Lab, index: int, name: str = "Regenerate") -> None:
    button = lab.button(index, name)
    expect(button).to_be_enabled()
    button.click()


def test_a_call_is_asked_for_again(open_notebook: OpenNotebook, artifacts: Path) -> None:
    lab = open_notebook([SETUP, CALL, LATEST, "hold()"])
    lab.run(0)
    lab.run(1)
    expect(lab.output(1)).to_contain_text("Answer 1 to tides")
    again(lab, 1)
    expect(newest(lab, 1)).to_contain_text("Answer 2 to tides, in a few words.")
    fold = lab.output(1).locator(".kkj-earlier")
    expect(fold.locator("summary")).to_have_text("Earlier answer")
    expect(lab.output(1)).not_to_contain_text("Answer 1")
    lab.start(3)  # it is asked for while a cell blocks the kernel, too
    again(lab, 1)
    expect(newest(lab, 1)).to_contain_text("Answer 3 to tides, in a few words.")
    expect(fold.locator("summary")).to_have_text("2 earlier answers")
    fold.locator("summary").click()
    expect(fold.locator(".kkj-earlier-list > .kkj")).to_have_count(2)
    expect(fold).to_contain_text("Answer 1 to tides")
    expect(fold).to_contain_text("Answer 2 to tides")
    lab.let_go()
    lab.wait(3)
    lab.run(2)
    expect(lab.output(2)).to_contain_text("1 3 done")
    for theme, width_px in SIZES:
        lab.set_theme(theme)
        lab.set_width(width_px)
        lab.screenshot(artifacts / f"again-{theme}-{width_px}.png", 1)
    assert lab.page_errors == []


def test_it_lasts_through_a_save_a_reload_a_cancel_and_the_next_day(
    open_notebook: OpenNotebook, artifacts: Path
) -> None:
    lab = open_notebook([SETUP, "kk.show(words)", "go_on.set()"])
    lab.run(0)
    lab.run(1)
    expect(lab.output(1)).to_contain_text("word299")
    again(lab, 1)
    expect(newest(lab, 1)).to_contain_text("Answer 2: word0")
    expect(lab.button(1, "Regenerate")).to_be_hidden()
    lab.screenshot(artifacts / "again-live.png", 1)
    lab.save()
    (before,) = lab.saved().cells[1].outputs[0].data[MIME_TYPE]["earlier"]
    assert before["source"].endswith("word299 ")
    lab.reload()
    expect(newest(lab, 1)).to_contain_text("word29")
    lab.button(1, "Cancel").click()
    expect(newest(lab, 1)).to_contain_text("■ cancelled after")
    lab.save()
    # It is the page itself that puts the new one into its place: it did not run the cell.
    again(lab, 1, "Try again")
    fold = lab.output(1).locator(".kkj-earlier")
    expect(fold.locator("summary")).to_have_text("2 earlier answers")
    lab.run(2)
    expect(newest(lab, 1)).to_contain_text("word299")
    expect(lab.button(1, "Regenerate")).to_be_enabled()
    lab.save()
    data = lab.saved().cells[1].outputs[0].data
    assert data["text/plain"].startswith("Answer 3: word0 ")
    assert data["text/html"].index("2 earlier answers") < data["text/html"].index("Answer 3: ")
    lab.reload()
    expect(lab.button(1, "Regenerate")).to_be_enabled()
    assert lab.page_errors == []
    lab.reopen(with_kernel=False)
    expect(newest(lab, 1)).to_contain_text("✓ 301 items")
    expect(lab.button(1, "Regenerate")).to_have_count(0)
    fold = lab.output(1).locator(".kkj-earlier")
    fold.locator("summary").click()
    expect(fold).to_contain_text("Answer 1: word0")
    expect(fold).to_contain_text("■ cancelled after")
