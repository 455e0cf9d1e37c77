"""A saved table: sorted and scrolled without a kernel."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import expect
from support.browser.lab import Lab

OpenNotebook = Callable[..., Lab]

ROWS = """%load_ext kkjupyter
import kkjupyter as kk

kk.show(iter([{"n": n, "half": n / 2} for n in range(3000)])).wait()"""


@pytest.mark.labs
def test_it_stays_interactive(open_notebook: OpenNotebook, artifacts: Path) -> None:
    lab = open_notebook([ROWS], width_px=900)
    lab.run(0)
    lab.save()
    lab.reopen(with_kernel=False)
    rows = lab.output(0).locator(".kkj-table-rows > [role=row]")
    # It begins where the live one ended, with widths and head in place.
    expect(rows.last).to_have_text("29991499.5")
    expect(lab.output(0)).to_contain_text("3,000 rows × 2 columns")
    lab.screenshot(artifacts / "table-with-extension.png", 0)
    lab.output(0).get_by_role("columnheader", name="half").click()
    expect(rows.first).to_have_text("00.0")
    lab.output(0).get_by_role("columnheader", name="half").click()
    expect(rows.first).to_have_text("29991499.5")
    lab.button(0, "Copy").click()
    expect(lab.output(0).locator(".kkj-button", has_text="Copied")).to_be_visible()
    copied = str(lab.page.evaluate("() => navigator.clipboard.readText()")).split("\n")
    assert copied[:2] == ["n\thalf", "0\t0"]
