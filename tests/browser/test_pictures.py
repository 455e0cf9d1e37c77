"""The pictures of README and docs, from the real thing: ``make pictures`` puts them there."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import expect
from support.browser.film import Film
from support.browser.lab import Lab

pytestmark = pytest.mark.matrix

OpenNotebook = Callable[..., Lab]

SETUP = "%load_ext kkjupyter\n%rpc connect demo as api"

# Streams that pause in the middle, so that the picture shows one under way.
STREAMS = '''\
import math, re, time
import kkjupyter as kk
import pandas
from matplotlib.figure import Figure

def slowly(items):
    for item in items:
        yield item
        time.sleep(0.02)
    time.sleep(60)

rooms = [{"minute": m, "kitchen": 21 + 2 * math.sin(m / 5), "garden": 12 + 3 * math.cos(m / 9)}
         for m in range(60)]
files = [{"done": n, "total": 90, "label": f"file-{n}.csv"} for n in range(60)]
readings = [{"at": f"12:{m:02}", "room": room, "celsius": round(celsius, 1), "open": m % 20 == 0}
            for row in rooms[:30] for m in [row["minute"]]
            for room, celsius in row.items() if room != "minute"]
events = [{"id": n, "user": {"name": "Ada", "roles": ["admin", "editor"]}} for n in range(8)]
figure = Figure(figsize=(5, 2), layout="constrained")
figure.subplots().plot([1 / (1 + step / 8) for step in range(60)])
report = [figure, pandas.DataFrame({"run": ["first", "second"], "loss": [0.31, 0.12]})]
answer = """## Two ways to add

1. With a **loop**, which says how.
2. With `sum`, which says what:

```python
total = sum(n * n for n in range(10))  # 285
```

| n | square |
|---|---|
| 2 | 4 |
| 3 | 9 |

In general $\\sum_{k=1}^{n} k = n (n + 1) / 2$.

So no loop is needed.

And"""
words = re.findall(r"\\S+\\s*", answer)

def chunk(**delta):
    return {"model": "gpt-x", "choices": [{"index": 0, "delta": delta}]}

def call(arguments, name=None):
    return chunk(tool_calls=[{"index": 0, "function": {"name": name, "arguments": arguments}}])

chunks = [
    *(chunk(reasoning_content=word) for word in words[:20]),
    *(chunk(content=word) for word in ("I let ", "**Python** ", "add ", "them.")),
    call("", "run_python"), call('{"code": "sum(n * n '), call('for n in range(10))"}'),
    {"type": "tool", "name": "run_python", "content": "285", "response_metadata": {},
     "tool_call_id": ""},
    *(chunk(content=f"{word} ") for word in "The sum of the squares is **285**.".split()),
]
'''
# What the film's cell shows, slowly enough to read.
ASK = """
more = " if you would rather see each step, write the loop first and the sum later." * 4
def ask(question):
    for word in re.findall(r"\\S+\\s*", answer + more):
        yield word
        time.sleep(0.06)
    time.sleep(60)
"""
FILMED = """\
import kkjupyter as kk

# Any iterator will do: your own, or the stream of an LLM's client.
kk.show(ask("How do I add squares?"), view="markdown")"""
# How many items or characters each shows then, and what shows them.
VIEWS = {
    "answer": (216, 'kk.show(slowly(chunks), title="chat()")'),
    "markdown": (64, 'kk.show(slowly(words), view="markdown", title="chat()")'),
    "table": (60, 'kk.show(slowly(readings), view="table", title="readings()")'),
    "plot": (60, 'kk.show(slowly(rooms), view="plot", title="sensors()")'),
    "progress": (60, 'kk.show(slowly(files), view="progress", title="import_files()")'),
    "rich": (2, 'kk.show(slowly(report), title="report()")'),
    "json": (8, 'kk.show(slowly(events), view="json", title="events()")'),
}


def test_a_chat_while_it_streams(open_notebook: OpenNotebook, artifacts: Path) -> None:
    lab = open_notebook([SETUP, '%rpc api.chat("Tell me about the Cat")'], width_px=900)
    lab.run(0)
    lab.start(1)
    expect(lab.output(1)).to_contain_text("/s")
    expect(lab.button(1, "Cancel")).to_be_visible()
    lab.pause(1.5)
    assert lab.is_running(1)
    lab.screenshot(artifacts / "pictures" / "live-view.png", 1)
    lab.wait(1)
    expect(lab.output(1)).to_contain_text("✓")


def test_a_stream_and_its_cancel_as_a_film(open_notebook: OpenNotebook, artifacts: Path) -> None:
    lab = open_notebook([FILMED], width_px=860)
    lab.inject(STREAMS + ASK)
    film = Film(lab, 0)
    film.take()
    lab.start(0)
    expect(lab.button(0, "Cancel")).to_be_visible()
    film.roll(3)
    film.move_to(lab.button(0, "Cancel"))
    lab.page.mouse.down()
    film.take()
    lab.page.mouse.up()
    film.roll(0.6)
    lab.wait(0)
    expect(lab.output(0)).to_contain_text("cancelled after")
    lab.page.mouse.move(600, 400)  # off the button, which says something else now
    film.take()
    path = artifacts / "pictures" / "stream-and-cancel.png"
    film.write(path, times=5)
    with Image.open(path) as picture:
        assert picture.n_frames >= 15
    assert path.stat().st_size <= 700_000


def test_each_view_while_it_streams(open_notebook: OpenNotebook, artifacts: Path) -> None:
    lab = open_notebook([STREAMS, *(cell for _, cell in VIEWS.values())], width_px=900)
    lab.run(0)
    for number, (view, (items, _)) in enumerate(VIEWS.items(), 1):
        lab.start(number)
        came = re.compile(rf"^{items} (items|characters)\b")
        expect(lab.output(number).locator(".kkj-words")).to_have_text(came)
        if view == "markdown":
            expect(lab.output(number).locator("mjx-container")).to_be_visible(timeout=20_000)
        lab.pause(0.5)  # the next frame draws them
        lab.screenshot(artifacts / "pictures" / f"view-{view}.png", number)
        lab.click(lab.button(number, "Cancel"))
        lab.wait(number)
        expect(lab.output(number)).to_contain_text("cancelled after")


def test_two_side_by_side(open_notebook: OpenNotebook, artifacts: Path) -> None:
    compare = """kk.compare({
    "model A": api.chat("Tell me about the Cat", max_tokens=60),
    "model B": api.chat("Tell me about the Queen", max_tokens=1000, pause_s=0.1),
})"""
    lab = open_notebook([SETUP + "\nimport kkjupyter as kk", compare], width_px=900)
    lab.run(0)
    lab.start(1)
    columns = lab.output(1).locator(".kkj-column")
    expect(columns.nth(0)).to_contain_text("✓", timeout=20_000)
    expect(lab.output(1).locator(".kkj-figures")).to_contain_text("/s")
    lab.screenshot(artifacts / "pictures" / "view-compare.png", 1)
    lab.click(lab.button(1, "Cancel model B"))
    lab.wait(1)
    expect(columns).to_have_count(0)


@pytest.mark.parametrize("protocol", ["compact", "classic"])
def test_a_trace(open_notebook: OpenNotebook, artifacts: Path, protocol: str) -> None:
    connect = f"%load_ext kkjupyter\n%rpc connect demo as api --protocol {protocol}"
    lab = open_notebook([connect, "%rpc api.countdown(5)", "%rpc trace last"], width_px=900)
    lab.run(0)
    lab.run(1)
    lab.run(2)
    expect(lab.output(2)).to_contain_text("response")
    lab.screenshot(artifacts / "pictures" / f"trace-{protocol}.png", 2)
