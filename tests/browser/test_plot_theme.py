"""A plot that has ended: it follows the theme."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

from PIL import Image
from playwright.sync_api import Locator, expect
from support.browser.lab import Lab, Theme
from support.waiting import until

OpenNotebook = Callable[..., Lab]

PLOT = """%load_ext kkjupyter
import kkjupyter as kk

kk.show(iter([{"minute": n, "kitchen": 21 + n % 5} for n in range(20)]), view="plot").wait()"""


def extremes(axis: Locator) -> tuple[int, int]:
    """The darkest and the lightest grey of a picture."""
    picture = Image.open(io.BytesIO(axis.screenshot())).convert("L")
    darkest, lightest = picture.getextrema()
    assert isinstance(darkest, int)
    assert isinstance(lightest, int)
    return darkest, lightest


def test_a_finished_plot_follows_the_theme(open_notebook: OpenNotebook, artifacts: Path) -> None:
    lab = open_notebook([PLOT], width_px=900)
    lab.run(0)
    axis = lab.output(0).locator(".u-axis").first
    expect(axis).to_be_visible()
    themes: tuple[Theme, ...] = ("light", "dark", "light")
    for number, theme in enumerate(themes):
        lab.set_theme(theme)

        def can_be_read() -> bool:
            lab.pause(0.05)  # the page's own clock must go on
            darkest, lightest = extremes(axis)
            # Letters that stand out from their background.
            return lightest - darkest > 90

        until(can_be_read)
        lab.screenshot(artifacts / f"plot-theme-{number}-{theme}.png", 0)
    assert lab.page_errors == []
