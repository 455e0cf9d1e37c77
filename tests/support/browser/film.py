"""A moving picture of one cell: screenshots of the real page, written as an animated PNG."""

from __future__ import annotations

import io
import time
from pathlib import Path

from PIL import Image
from playwright.sync_api import Locator

from support.browser.lab import Lab

__all__ = ["Film"]

# Screenshots do not show the mouse, and a press that nobody sees explains nothing. So the page
# draws an arrow where the mouse is.
_POINTER = """() => {
  const arrow = document.createElement('div');
  arrow.style.cssText = 'position:fixed;z-index:99999;pointer-events:none;left:-99px;top:-99px';
  arrow.innerHTML = '<svg width="20" height="24" viewBox="0 0 20 24"><path ' +
    'd="M2 1 L2 19 L6.6 15 L9.7 22 L13 20.6 L9.9 13.8 L16 13.4 Z" ' +
    'fill="#111" stroke="#fff" stroke-width="1.6"/></svg>';
  document.body.append(arrow);
  document.addEventListener('mousemove', (event) => {
    arrow.style.left = `${event.clientX - 2}px`;
    arrow.style.top = `${event.clientY - 1}px`;
  }, true);
}"""
_COLOURS = 128
_HOLD_LAST_MS = 2_000


class Film:
    """Frames of the cell ``index``, each shown for as long as it was on the screen."""

    def __init__(self, lab: Lab, index: int) -> None:
        self._lab = lab
        self._index = index
        self._frames: list[Image.Image] = []
        self._taken_s: list[float] = []
        lab.page.evaluate(_POINTER)
        lab.is_page_kept = False  # the arrow would be in the next notebook's pictures

    def take(self) -> None:
        """Take one frame, now."""
        self._taken_s.append(time.monotonic())
        picture = self._lab.cell(self._index).screenshot()
        self._frames.append(Image.open(io.BytesIO(picture)).convert("RGB"))

    def roll(self, seconds: float, *, pause_s: float = 0.08) -> None:
        """Take frames for ``seconds``, one after the other."""
        end_s = time.monotonic() + seconds
        while time.monotonic() < end_s:
            self.take()
            self._lab.pause(pause_s)

    def move_to(self, target: Locator, *, steps: int = 4) -> None:
        """Move the mouse to the middle of ``target`` from below, in view of the camera."""
        box = target.bounding_box()
        assert box is not None, "what the mouse is to move to is not on the page"
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        for step in range(steps, -1, -1):
            self._lab.page.mouse.move(x + 20 * step, y + 30 * step)
            self.take()

    def write(self, path: Path, *, times: int) -> None:
        """Write an animated PNG that plays ``times`` times and stops at its last frame.

        A frame that is lower than the others, because the output had not grown yet, is filled up
        below with the page's background.
        """
        width = max(frame.width for frame in self._frames)
        height = max(frame.height for frame in self._frames)
        canvases: list[Image.Image] = []
        for frame in self._frames:
            canvas = Image.new("RGB", (width, height), "white")
            canvas.paste(frame, (0, 0))
            canvases.append(canvas)
        # One palette for all frames, as the format has only one; from the first and the last
        # frames, which have between them all colours that the others have.
        sample = Image.new("RGB", (width, height * 3), "white")
        for at, canvas in enumerate((canvases[0], canvases[len(canvases) // 2], canvases[-1])):
            sample.paste(canvas, (0, at * height))
        palette = sample.quantize(_COLOURS, kmeans=2)
        colours = palette.getpalette() or []
        # Means of colours make white a little grey, which shows on a white page.
        palette.putpalette([255 if part >= 251 else part for part in colours])
        first, *others = (
            canvas.quantize(palette=palette, dither=Image.Dither.NONE) for canvas in canvases
        )
        shown_ms = [
            round((after - before) * 1000)
            for before, after in zip(self._taken_s, self._taken_s[1:], strict=False)
        ]
        path.parent.mkdir(parents=True, exist_ok=True)
        first.save(
            path,
            save_all=True,
            append_images=others,
            duration=[*shown_ms, _HOLD_LAST_MS],
            loop=times,
            optimize=True,
        )
