"""Values by MIME type as HTML for the notebook file."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping
from typing import Any

from kkjupyter.notebook.views.rich.mime import PLAIN, MimeForms
from kkjupyter.notebook.views.rich.records import LeftOut
from kkjupyter.notebook.views.saved_form import NO_FORMULAS, TEXT, escape

__all__ = ["gap_words", "values_html"]

_BOX = "padding: 0 20px 8px 7.8px"
_ITEM = "margin: 8px 0 0"
_SMALL = (
    "margin: 8px 0 0; font-family: var(--jp-ui-font-family, system-ui, sans-serif); "
    "font-size: 12px; line-height: 20px; color: var(--jp-ui-font-color2, inherit)"
)
_RASTER = re.compile(r"image/(?:png|jpeg|gif|webp)\Z")
_BASE64 = re.compile(r"[A-Za-z0-9+/=\s]+\Z")
_SVG = "image/svg+xml"


def values_html(values: Iterable[MimeForms | LeftOut]) -> str:
    """The HTML of values, one below the other.

    Pictures are inline, HTML of the user's own objects is as they give it.

    Raises:
        TooSlow: reading a Markdown takes more than some seconds of CPU time.
    """
    made = [
        f'<div style="{_SMALL}">{gap_words(one.values)}</div>'
        if isinstance(one, LeftOut)
        else f'<div style="{_ITEM}">{_value_html(one)}</div>'
        for one in values
    ]
    return f'<div style="{_BOX}">{"".join(made)}</div>' if made else ""


def gap_words(count: int) -> str:
    """``"… 12 earlier items are left out"``."""
    return f"… {count:,} earlier item{' is' if count == 1 else 's are'} left out"


def _value_html(value: MimeForms) -> str:
    texts = {mime: form for mime, form in value.data.items() if isinstance(form, str)}
    if "text/html" in texts:
        return texts["text/html"]
    if "text/markdown" in texts:
        # Imported only for Markdown:
        from kkjupyter.notebook.views.markdown.html import html_of

        return html_of(texts["text/markdown"])
    if _SVG in texts:
        data = base64.b64encode(texts[_SVG].encode()).decode()
        return _image(_SVG, data, value)
    if "text/latex" in texts:
        return f"<div>{escape(texts['text/latex'])}</div>"
    picture = next((mime for mime in texts if _RASTER.match(mime)), None)
    if picture is not None and _BASE64.match(texts[picture]):
        return _image(picture, texts[picture], value)
    return f'<pre style="{TEXT}" class="{NO_FORMULAS}">\n{escape(texts.get(PLAIN, ""))}</pre>'


def _image(mime: str, data: str, value: MimeForms) -> str:
    known = value.metadata.get(mime)
    sizes = [
        f' {side}="{known[side]:g}"'
        for side in ("width", "height")
        if isinstance(known, Mapping) and _is_number(known.get(side))
    ]
    source = f"data:{mime};base64,{''.join(data.split())}"
    alt = escape(str(value.data.get(PLAIN, "")))
    return f'<img alt="{alt}" src="{source}"{"".join(sizes)} style="max-width: 100%">'


def _is_number(size: Any) -> bool:
    return isinstance(size, (int, float)) and not isinstance(size, bool)
