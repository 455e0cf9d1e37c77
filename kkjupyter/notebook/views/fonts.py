"""Finds fonts that can draw a text; without one there is no picture.

Pillow's own font has little more than ASCII. For other letters there are the fonts of matplotlib,
if it is installed, and of the system.
"""

from __future__ import annotations

import importlib.util
import pathlib
import unicodedata
from functools import cache

from PIL import ImageFont, features

__all__ = ["Font", "can_draw", "font_for"]

Font = ImageFont.ImageFont | ImageFont.FreeTypeFont

# File names, as Pillow finds them: fonts with many alphabets, then those of East Asia.
_NAMES = (
    *("DejaVuSans.ttf", "NotoSans-Regular.ttf", "LiberationSans-Regular.ttf", "FreeSans.ttf"),
    *("Arial Unicode.ttf", "Arial.ttf", "arial.ttf", "segoeui.ttf", "Helvetica.ttc"),
    *("NotoSansCJK-Regular.ttc", "NotoSansCJKsc-Regular.otf", "NotoSansSC-Regular.otf"),
    *("SourceHanSans-Regular.ttc", "wqy-microhei.ttc", "wqy-zenhei.ttc", "ipag.ttf", "ipagp.ttf"),
    *("DroidSansFallbackFull.ttf", "NanumGothic.ttf", "unifont.ttf", "PingFang.ttc"),
    *("Hiragino Sans GB.ttc", "STHeiti Light.ttc", "AppleSDGothicNeo.ttc"),
    *("msyh.ttc", "msgothic.ttc", "YuGothM.ttc", "malgun.ttf", "simsun.ttc"),
    *("NotoSansDevanagari-Regular.ttf", "NotoSansThai-Regular.ttf", "NotoSansArabic-Regular.ttf"),
)
# No font has a letter there, so it draws its sign for missing letters.
_NOBODYS = "\U0010ffff"
# Scripts written from right to left, and those whose letters change with their neighbours, need it.
_HAS_SHAPING = bool(features.check("raqm"))


def font_for(text: str, size_px: int) -> Font | None:
    """The first font that has all letters of ``text``; None without one."""
    if text.isascii():
        return _own(size_px)
    if not _HAS_SHAPING and any(map(_needs_shaping, text)):
        return None
    return next((font for font in _all(size_px) if _has_all(font, text)), None)


def can_draw(*texts: str) -> bool:
    """Whether there is a font for each text."""
    return all(font_for(text, _ANY_PX) is not None for text in texts)


_ANY_PX = 22


def _needs_shaping(char: str) -> bool:
    return unicodedata.bidirectional(char) in ("R", "AL") or unicodedata.category(char) == "Mc"


@cache
def _own(size_px: int) -> Font:
    return ImageFont.load_default(size=size_px)


@cache
def _all(size_px: int) -> tuple[ImageFont.FreeTypeFont, ...]:
    own = _own(size_px)
    fonts = [own] if isinstance(own, ImageFont.FreeTypeFont) else []
    for path in (*_matplotlibs(), *_NAMES):
        try:
            fonts.append(ImageFont.truetype(path, size_px))
        except OSError:  # not on this system
            continue
    return tuple(fonts)


def _matplotlibs() -> list[str]:
    found = importlib.util.find_spec("matplotlib")
    if found is None or found.origin is None:
        return []
    return [str(pathlib.Path(found.origin).parent / "mpl-data/fonts/ttf/DejaVuSans.ttf")]


def _has_all(font: ImageFont.FreeTypeFont, text: str) -> bool:
    return all(_has(font, char) for char in set(text) if not char.isspace())


@cache
def _has(font: ImageFont.FreeTypeFont, char: str) -> bool:
    return _drawn(font, char) != _drawn(font, _NOBODYS)


def _drawn(font: ImageFont.FreeTypeFont, char: str) -> tuple[tuple[int, int], bytes]:
    mask = font.getmask(char)
    return mask.size, bytes(mask)
