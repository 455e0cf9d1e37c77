"""The answer of a language model while it comes, and what of it stays, in a real JupyterLab."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, expect
from support.browser.lab import HOLD, Lab, Theme

OpenNotebook = Callable[..., Lab]

SETUP = (
    "%load_ext kkjupyter\nimport time, kkjupyter as kk\nfrom pathlib import Path"
    + HOLD
    + """
def halt(name):
    while not Path(f"{name}").exists():
        time.sleep(0.02)

def chat(delta=None, reason=None, index=0, **more):
    choice = {"index": index, "delta": delta or {}, "finish_reason": reason}
    return {"object": "chat.completion.chunk", "model": "gpt-x", "choices": [choice], **more}

def call(index, name=None, arguments=""):
    known = {"index": index, "id": name and f"call_{index}", "type": "function"}
    return chat({"tool_calls": [{**known, "function": {"name": name, "arguments": arguments}}]})

def words(key, text):
    return [chat({key: text[at : at + 5]}) for at in range(0, len(text), 5)]
"""
)

ANSWERED = r'''
THOUGHT = """**Reading the question**

They ask for the weather of *two* towns. I need the tool for both, and should say what I have found
in a table. The mean is $\\frac{a + b}{2}$."""
ANSWER = """## The weather

| town | °C |
|---|---:|
| Rome | 21 |
| Oslo | 4 |

In Rome it is **17 degrees** warmer:

```python
print(21 - 4)
```
"""

def answer(name):
    yield chat({"role": "assistant", "content": ""})
    yield from words("reasoning_content", THOUGHT)
    halt(f"{name}-thought")
    yield from words("content", "I look up both towns.")
    yield call(0, "get_weather")
    yield call(0, arguments='{"town": "Rome", "days": [1, 2, 3], "units": {"temperature"')
    halt(f"{name}-growing")
    yield call(0, arguments=': "celsius", "wind": "km/h"}}')
    yield call(1, "get_weather", '{"town": "Oslo"}')
    for at, text in enumerate(("21 °C, sunny", "4 °C\nrain")):
        known = {"type": "tool", "tool_call_id": f"call_{at}", "response_metadata": {}}
        yield {**known, "content": text}
    halt(f"{name}-called")
    yield from words("content", ANSWER)
    yield chat({}, "length")
    yield {"object": "chat.completion.chunk", "choices": [], "usage": {"completion_tokens": 412}}
    hold()
'''

# A red square of 24 by 24 pixels.
PICTURE = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAABgAAAAYCAIAAABvFaqvAAAAJUlEQVR42mP4z8BAFGIgVd2o"
    "QaMGjRo0atCoQaMGjRo0atCoQVgRAK0hnlBRpZyWAAAAAElFTkSuQmCC"
)
OTHERS = f'''
def others():
    yield chat({{"content": "One answer, and "}}, index=0)
    yield chat({{"content": "Another **answer**."}}, index=1)
    yield chat({{"content": "a picture:"}}, index=0)
    yield chat({{"images": [{{"image_url": {{"url": "{PICTURE}"}}}}]}})
    yield chat({{"images": [{{"image_url": {{"url": "https://example.com/cat.png"}}}}]}})
    yield chat({{"audio": {{"data": "AAAA" * 2000, "transcript": ""}}}})
    yield chat({{"refusal": "I cannot help with **that**."}}, index=1)
    yield {{"type": "error", "error": {{"type": "overloaded_error", "message": "Overloaded"}}}}
    hold()
'''


def go_on(lab: Lab, place: str) -> None:
    (lab.server.root / f"{lab.name}-{place}").touch()


def pane(lab: Lab, index: int) -> Locator:
    return lab.output(index).locator(".kkj-answer-pane")


def ended(lab: Lab, index: int) -> None:
    lab.let_go()
    lab.wait(index)


@pytest.mark.parametrize("theme", ["light", pytest.param("dark", marks=pytest.mark.matrix)])
def test_an_answer_with_thoughts_and_tools(
    open_notebook: OpenNotebook, artifacts: Path, theme: Theme
) -> None:
    lab = open_notebook([SETUP, ANSWERED, ""], theme=theme)
    lab.set_source(2, f"reply = kk.show(answer({lab.name!r})).wait()")
    lab.run(0)
    lab.run(1)
    lab.start(2)
    shown = pane(lab, 2)
    summary = shown.locator("summary")
    expect(summary).to_contain_text("thinking … ")
    lab.screenshot(artifacts / f"answer-thinking-{theme}.png")
    summary.click()
    expect(shown.locator(".kkj-thought strong")).to_have_text("Reading the question")
    lab.screenshot(artifacts / f"answer-thinking-open-{theme}.png")
    go_on(lab, "thought")
    expect(summary).to_contain_text("thought for ")
    card = shown.locator(".kkj-call").first
    expect(card).to_contain_text('"temperature"')
    assert "kkj-over" not in (card.get_attribute("class") or "")
    summary.click()
    lab.screenshot(artifacts / f"answer-calling-{theme}.png")
    go_on(lab, "growing")
    expect(shown.locator(".kkj-call")).to_have_count(2)
    expect(card.locator(".kkj-text").first).to_contain_text('  "days": [\n    1,')
    expect(shown.locator(".kkj-call-result").last).to_contain_text("4 °C\nrain")
    lab.screenshot(artifacts / f"answer-called-{theme}.png")
    go_on(lab, "called")
    expect(shown).to_contain_text("stopped: length")
    lab.screenshot(artifacts / f"answer-written-{theme}.png")
    shown.hover()
    lab.page.mouse.wheel(0, -2_000)
    summary.click()
    expect(shown.locator(".kkj-thought strong")).to_be_visible()
    ended(lab, 2)
    expect(lab.output(2)).to_contain_text("✓")
    expect(lab.output(2)).to_contain_text("gpt-x")
    expect(lab.output(2)).to_contain_text("412 tokens")
    # What was unfolded stays so.
    expect(shown.locator(".kkj-thought strong")).to_be_visible()
    summary.click()
    lab.screenshot(artifacts / f"answer-ended-{theme}.png")
    lab.page.wait_for_timeout(1_100)  # so soon after the end, a click would be for Cancel
    lab.button(2, "Copy the text of").click()
    expect(lab.output(2).get_by_text("Copied")).to_be_visible()
    copied = lab.page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith("I look up both towns.## The weather\n")
    assert "temperature" not in copied
    lab.save()
    data = lab.saved().cells[2].outputs[-1].data
    assert 'tool: get_weather({"town": "Oslo"})' in data["text/plain"]
    assert "stopped: length" in data["text/html"]
    saved: Any = data["application/vnd.kkjupyter.v1+json"]
    assert (saved["view"], saved["pane"]) == ("answer", "answer")


@pytest.mark.parametrize(
    ("theme", "width_px"), [pytest.param("light", 400, marks=pytest.mark.matrix), ("dark", 1300)]
)
def test_what_else_an_answer_has(
    open_notebook: OpenNotebook, artifacts: Path, theme: Theme, width_px: int
) -> None:
    lab = open_notebook([SETUP, OTHERS, "kk.show(others()).wait()"], theme=theme, width_px=width_px)
    lab.run(0)
    lab.run(1)
    lab.start(2)
    shown = pane(lab, 2)
    expect(shown.locator(".kkj-choice-name")).to_have_text(["choice 1", "choice 2"])
    expect(shown.locator(".kkj-answer-error")).to_have_text("error: overloaded_error: Overloaded")
    expect(shown.locator("img")).to_have_count(1)
    assert shown.locator("img").evaluate("(image) => image.naturalWidth") == 24
    ended(lab, 2)
    expect(lab.output(2)).to_contain_text("✓")
    pane(lab, 2).screenshot(path=artifacts / f"answer-others-{theme}-{width_px}.png")


@pytest.mark.parametrize("theme", ["light", pytest.param("dark", marks=pytest.mark.matrix)])
def test_two_answers_side_by_side(
    open_notebook: OpenNotebook, artifacts: Path, theme: Theme
) -> None:
    lab = open_notebook([SETUP, ANSWERED, ""], theme=theme)
    for place in ("thought", "growing", "called"):
        go_on(lab, place)
    lab.set_source(2, f"kk.compare({{one: answer({lab.name!r}) for one in 'AB'}}).wait()")
    lab.run(0)
    lab.run(1)
    lab.start(2)
    expect(lab.output(2).get_by_text("stopped: length")).to_have_count(2)
    lab.output(2).screenshot(path=artifacts / f"answer-compared-{theme}.png")
    ended(lab, 2)
    expect(lab.output(2).get_by_text("stopped: length")).to_have_count(2)
    lab.output(2).screenshot(path=artifacts / f"answer-compared-ended-{theme}.png")
