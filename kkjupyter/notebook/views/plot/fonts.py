"""Fonts that can draw a text: the letters of a picture are letters, or there is no picture.

Needs matplotlib. Its own font has some alphabets; for others there is what the system has.
"""

from __future__ import annotations

import unicodedata
from functools import cache
from pathlib import Path

import matplotlib
from matplotlib import ft2font
from matplotlib.font_manager import FontProperties, fontManager, get_font

__all__ = ["Fonts"]

# By family: those with many alphabets, then those of East Asia.
_FAMILIES = (
    *("DejaVu Sans", "Noto Sans", "Liberation Sans", "FreeSans", "Arial Unicode MS", "Arial"),
    *("Segoe UI", "Helvetica", "Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans SC"),
    *("Source Han Sans SC", "WenQuanYi Micro Hei", "WenQuanYi Zen Hei", "IPAGothic", "IPAPGothic"),
    *("Droid Sans Fallback", "NanumGothic", "Unifont", "PingFang SC", "Hiragino Sans GB"),
    *("Heiti SC", "Apple SD Gothic Neo", "Microsoft YaHei", "MS Gothic", "Yu Gothic"),
    *("Malgun Gothic", "SimSun", "Noto Sans Devanagari", "Noto Sans Thai", "Noto Sans Arabic"),
)
# Scripts written from right to left, and those whose letters change with their neighbours, need it.
_HAS_SHAPING = hasattr(ft2font, "__libraqm_version__")


class Fonts:
    """The first font that has the letters of a text.

    Args:
        size_pt: of the letters.
        dpi: pixels to an inch of what is drawn.
    """

    def __init__(self, size_pt: float, dpi: float) -> None:
        self._size_pt = size_pt
        self._dpi = dpi

    def can_draw(self, text: str) -> bool:
        """Whether some font has all of its letters."""
        return _file_for(text) is not None

    def font_for(self, text: str) -> FontProperties:
        """What to draw ``text`` with: matplotlib's own font, if no other has all of its letters."""
        return FontProperties(fname=_file_for(text) or _own(), size=self._size_pt)

    def width_px(self, text: str) -> float:
        """How wide ``text`` is."""
        font = get_font(_file_for(text) or _own())
        font.set_size(self._size_pt, self._dpi)
        font.set_text(text, 0.0)
        width_64ths, _ = font.get_width_height()
        return width_64ths / 64


def _file_for(text: str) -> str | None:
    if text.isascii():
        return _own()
    if not _HAS_SHAPING and any(map(_needs_shaping, text)):
        return None
    return next((path for path in _all() if _has_all(path, text)), None)


def _needs_shaping(char: str) -> bool:
    return unicodedata.bidirectional(char) in ("R", "AL") or unicodedata.category(char) == "Mc"


@cache
def _own() -> str:
    return str(Path(matplotlib.get_data_path()) / "fonts/ttf/DejaVuSans.ttf")


@cache
def _all() -> tuple[str, ...]:
    found = {font.name: font.fname for font in reversed(fontManager.ttflist)}
    return (_own(), *(found[family] for family in _FAMILIES if family in found))


def _has_all(path: str, text: str) -> bool:
    letters = _letters(path)
    return all(ord(char) in letters for char in text if not char.isspace())


@cache
def _letters(path: str) -> frozenset[int]:
    """The characters that a font has."""
    return frozenset(get_font(path).get_charmap())
